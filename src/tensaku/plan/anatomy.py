"""What a model consists of: every tensor with its size, and what decides the memory of a token.

Known families are listed here tensor by tensor, as their checkpoints name them. Anything else is refused by name: an
architecture that is guessed at gives a figure that looks like an answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tensaku.errors import UsageError
from tensaku.models.shape import Shape

__all__ = ["FAMILIES", "Anatomy", "Piece", "anatomy_from"]

Part = Literal["embedding", "head", "matrix", "expert", "small", "vision"]
"""`matrix`: what a layer multiplies by; `expert`: the same, of which each word uses a few; `small`: norms, biases;
`vision`: what looks at pictures, held but never tuned."""


class Piece(NamedTuple):
    """One tensor. `layer` is None outside the layers; `bits` a number, where a file says how it is held."""

    name: str
    size: tuple[int, ...]
    part: Part
    layer: int | None = None
    bits: float | None = None

    @property
    def numbers(self) -> int:
        """How many there are in it."""
        return math.prod(self.size)


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A model's tensors and sizes.

    `windows` holds per layer the most tokens that are looked back on (0: all). `experts` is 0 for a dense model, else
    how many a layer has, of which each word uses `active`. `decodes` is False for an encoder. `source` says where the
    sizes are from.
    """

    name: str
    family: str
    source: str
    pieces: tuple[Piece, ...]
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    context: int
    windows: tuple[int, ...]
    gated: bool
    sandwich: bool
    tied: bool
    experts: int = 0
    active: int = 0
    decodes: bool = True
    note: str = ""

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(piece.numbers for piece in self.pieces)

    @property
    def active_parameters(self) -> int:
        """Numbers that one word meets: all, except the experts it does not use."""
        if not self.experts:
            return self.parameters
        expert = self.count("expert")
        return self.parameters - expert + expert * self.active // self.experts

    def count(self, *parts: Part) -> int:
        """Numbers in the tensors of these parts."""
        return sum(piece.numbers for piece in self.pieces if piece.part in parts)

    def layer_count(self, layer: int) -> int:
        """Numbers in one layer."""
        return sum(piece.numbers for piece in self.pieces if piece.layer == layer)

    @property
    def largest_layer(self) -> int:
        """Numbers in the largest layer, or in embedding or head if those are larger."""
        outside = [piece.numbers for piece in self.pieces if piece.layer is None]
        return max([*(self.layer_count(n) for n in range(self.layers)), *outside])

    def stored_bytes(self) -> int | None:
        """Bytes of the tensors as the file holds them; None where no file said."""
        if any(piece.bits is None for piece in self.pieces):
            return None
        return math.ceil(sum(piece.numbers * (piece.bits or 0) for piece in self.pieces) / 8)


FAMILIES = ("bert", "gemma3", "gemma3_text", "gpt2", "llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe")
"""The values of `model_type` that are known here."""

_HYBRID = ("mamba", "recurrent", "linear_attention", "ssm", "rwkv", "conv")
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_intermediate_size")


def anatomy_from(
    config: Mapping[str, Any], *, name: str, source: str, where: str | Path | None = None, note: str = ""
) -> Anatomy:
    """The anatomy of the model that a Hugging Face `config.json` describes.

    Raises:
        UsageError: the architecture is not known here (it is named, and why), or a key is missing or wrong.
    """
    family = str(config.get("model_type", ""))
    try:
        _refuse(family, config, where)
        return replace(_BY_FAMILY[family](config, where), name=name, source=source, note=note)
    except KeyError as error:
        raise UsageError(f"the key {error} is missing in the model's configuration", where=where) from None
    except (TypeError, ValueError, AttributeError, ZeroDivisionError, OverflowError) as error:
        raise UsageError(f"the model's configuration holds a wrong value ({error})", where=where) from None


def _refuse(family: str, config: Mapping[str, Any], where: str | Path | None) -> None:
    known = f"Known: {', '.join(FAMILIES)}"
    kinds = [str(kind) for kind in config.get("layer_types") or ()]
    hybrid = [word for word in _HYBRID if any(word in text for text in [family, *map(str, config), *kinds])]
    if family not in FAMILIES:
        kind = ""
        if hybrid:
            kind = f" (a hybrid: it has {hybrid[0]} layers, whose memory is not that of attention)"
        elif any(config.get(key) for key in _EXPERTS):
            kind = " (a mixture of experts)"
        what = f"the architecture {family!r}{kind} is not known to the planner, and it does not guess"
        raise UsageError(what, where=where, fix=known)
    if hybrid:
        raise UsageError(f"this {family} is a hybrid with {hybrid[0]} layers", where=where, fix=known)
    strange = sorted(set(kinds) - {"full_attention", "sliding_attention"})
    if strange:
        raise UsageError(f"layers of the kind {strange[0]!r} are not known to the planner", where=where, fix=known)
    if family not in ("mixtral", "qwen3_moe") and any(int(config.get(key) or 0) > 1 for key in _EXPERTS[:3]):
        raise UsageError(f"this {family} has experts, which its family has not", where=where, fix=known)


def _decoder(config: Mapping[str, Any], where: str | Path | None) -> Anatomy:
    """Llama and its relatives: their shape is read where the decoder reads it, positions aside."""
    family = str(config["model_type"])
    shape = _shape(config, "llama" if family == "mistral" else family, where)
    return _of_shape(shape, tuple(_decoder_pieces(shape)), family)


def _shape(config: Mapping[str, Any], family: str, where: str | Path | None) -> Shape:
    """The shape of `config` read as that of `family`. How positions are turned takes no memory, so it is left out."""
    own = str(config["model_type"])
    plain = {**config, "model_type": family, "rope_scaling": None, "rope_parameters": None, "use_sliding_window": False}
    shape = Shape.from_config(plain, where=where)
    window, first = int(config.get("sliding_window") or 0), None
    if own in ("mistral", "mixtral") and window:
        first = 0
    elif config.get("use_sliding_window") and not config.get("layer_types"):
        first = int(config["max_window_layers"])
    if first is not None:
        shape = replace(shape, windows=tuple(window if n >= first else 0 for n in range(shape.layers)))
    _check(shape, where)
    return shape


def _check(shape: Shape, where: str | Path | None) -> None:
    sizes = {
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocabulary,
    }
    for key, value in sizes.items():
        if value < 1:
            raise UsageError(f"the model's configuration says {key} = {value}", where=where)
    if shape.heads % shape.kv_heads:
        what = f"{shape.heads} heads cannot share {shape.kv_heads} heads of keys and values"
        raise UsageError(what, where=where, fix="Correct num_key_value_heads")


def _of_shape(shape: Shape, pieces: tuple[Piece, ...], family: str) -> Anatomy:
    return Anatomy(
        name="",
        family=family,
        source="",
        pieces=pieces,
        layers=shape.layers,
        hidden=shape.hidden,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        intermediate=shape.intermediate,
        vocabulary=shape.vocabulary,
        context=shape.context,
        windows=shape.windows,
        gated=True,
        sandwich=shape.sandwich,
        tied=shape.tied,
    )


def _decoder_pieces(shape: Shape) -> Iterator[Piece]:
    yield Piece("model.embed_tokens.weight", (shape.vocabulary, shape.hidden), "embedding")
    for layer in range(shape.layers):
        yield from _attention_pieces(shape, layer)
        at = f"model.layers.{layer}.mlp"
        for part in ("gate_proj", "up_proj"):
            yield Piece(f"{at}.{part}.weight", (shape.intermediate, shape.hidden), "matrix", layer)
        yield Piece(f"{at}.down_proj.weight", (shape.hidden, shape.intermediate), "matrix", layer)
    yield from _end_pieces(shape)


def _end_pieces(shape: Shape) -> Iterator[Piece]:
    yield Piece("model.norm.weight", (shape.hidden,), "small")
    if not shape.tied:
        yield Piece("lm_head.weight", (shape.vocabulary, shape.hidden), "head")


def _attention_pieces(shape: Shape, layer: int) -> Iterator[Piece]:
    at = f"model.layers.{layer}"
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    for part, rows in (("q", q), ("k", kv), ("v", kv)):
        yield Piece(f"{at}.self_attn.{part}_proj.weight", (rows, shape.hidden), "matrix", layer)
        if shape.qkv_bias:
            yield Piece(f"{at}.self_attn.{part}_proj.bias", (rows,), "small", layer)
    yield Piece(f"{at}.self_attn.o_proj.weight", (shape.hidden, q), "matrix", layer)
    norms = ["input_layernorm", "post_attention_layernorm"]
    norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"] if shape.sandwich else []
    yield from (Piece(f"{at}.{name}.weight", (shape.hidden,), "small", layer) for name in norms)
    if shape.qk_norm:
        yield from (Piece(f"{at}.self_attn.{n}_norm.weight", (shape.head_dim,), "small", layer) for n in "qk")


def _mixture(config: Mapping[str, Any], where: str | Path | None) -> Anatomy:
    """Mixtral and Qwen 3 with experts: attention as in their dense relatives, a router, and experts of gated layers."""
    mixtral = config["model_type"] == "mixtral"
    experts = int(config["num_local_experts" if mixtral else "num_experts"])
    active = int(config["num_experts_per_tok"])
    inner = int(config["intermediate_size" if mixtral else "moe_intermediate_size"])
    if not mixtral and (config.get("mlp_only_layers") or int(config.get("decoder_sparse_step") or 1) != 1):
        raise UsageError("this qwen3_moe has layers without experts, which the planner does not know", where=where)
    if not 1 <= active <= experts:
        raise UsageError(
            f"each word uses {active} of {experts} experts", where=where, fix="Correct num_experts_per_tok"
        )
    shape = _shape({**config, "intermediate_size": inner}, "llama" if mixtral else "qwen3", where)
    pieces = [Piece("model.embed_tokens.weight", (shape.vocabulary, shape.hidden), "embedding")]
    block = "block_sparse_moe" if mixtral else "mlp"
    names = ("w1", "w3", "w2") if mixtral else ("gate_proj", "up_proj", "down_proj")
    for layer in range(shape.layers):
        at = f"model.layers.{layer}.{block}"
        pieces += _attention_pieces(shape, layer)
        pieces.append(Piece(f"{at}.gate.weight", (experts, shape.hidden), "matrix", layer))
        for expert in range(experts):
            for name, size in zip(names, [(inner, shape.hidden)] * 2 + [(shape.hidden, inner)], strict=True):
                pieces.append(Piece(f"{at}.experts.{expert}.{name}.weight", size, "expert", layer))
    pieces += _end_pieces(shape)
    found = _of_shape(shape, tuple(pieces), str(config["model_type"]))
    return replace(found, experts=experts, active=active)


_GEMMA3_TEXT = {
    "vocab_size": 262208,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "max_position_embeddings": 131072,
}
"""What a `text_config` leaves out where it is Transformers' default (Gemma3TextConfig)."""


def _seeing(config: Mapping[str, Any], where: str | Path | None) -> Anatomy:
    """Gemma 3 with eyes: its text decoder, and the tower and projector that turn pictures into words."""
    text = _GEMMA3_TEXT | dict(config["text_config"]) | {"model_type": "gemma3_text"}
    found = _decoder(text, where)
    vision = config["vision_config"]
    return replace(found, family="gemma3", pieces=(*found.pieces, *_vision_pieces(vision, found.hidden)))


def _vision_pieces(vision: Mapping[str, Any], text_hidden: int) -> Iterator[Piece]:
    """SigLIP without a pooling head (Zhai et al. 2023), as Transformers' Gemma3Model has it."""
    hidden, inner = int(vision["hidden_size"]), int(vision["intermediate_size"])
    patch = int(vision["patch_size"])
    patches = (int(vision["image_size"]) // patch) ** 2
    sizes: list[tuple[str, tuple[int, ...]]] = [
        ("embeddings.patch_embedding.weight", (hidden, 3, patch, patch)),
        ("embeddings.patch_embedding.bias", (hidden,)),
        ("embeddings.position_embedding.weight", (patches, hidden)),
    ]
    linear = [(f"self_attn.{name}_proj", hidden, hidden) for name in ("q", "k", "v", "out")]
    linear += [("mlp.fc1", inner, hidden), ("mlp.fc2", hidden, inner)]
    for layer in range(int(vision["num_hidden_layers"])):
        at = f"encoder.layers.{layer}"
        for name, rows, columns in linear:
            sizes += [(f"{at}.{name}.weight", (rows, columns)), (f"{at}.{name}.bias", (rows,))]
        sizes += [(f"{at}.layer_norm{n}.{part}", (hidden,)) for n in (1, 2) for part in ("weight", "bias")]
    sizes += [(f"post_layernorm.{part}", (hidden,)) for part in ("weight", "bias")]
    yield from (Piece(f"vision_tower.{name}", size, "vision") for name, size in sizes)
    yield Piece("multi_modal_projector.mm_input_projection_weight", (hidden, text_hidden), "vision")
    yield Piece("multi_modal_projector.mm_soft_emb_norm.weight", (hidden,), "vision")


def _gpt2(config: Mapping[str, Any], where: str | Path | None) -> Anatomy:
    """GPT-2 and GPT-3 (Radford et al. 2019; Brown et al. 2020): learnt positions, biases everywhere, two matrices of
    feed-forward."""
    layers, hidden, heads = int(config["n_layer"]), int(config["n_embd"]), int(config["n_head"])
    inner = int(config.get("n_inner") or 4 * hidden)
    words, positions = int(config["vocab_size"]), int(config["n_positions"])
    pieces = [Piece("wte.weight", (words, hidden), "embedding"), Piece("wpe.weight", (positions, hidden), "small")]
    for layer in range(layers):
        at = f"h.{layer}"
        for name, rows, columns in (
            ("attn.c_attn", hidden, 3 * hidden),
            ("attn.c_proj", hidden, hidden),
            ("mlp.c_fc", hidden, inner),
            ("mlp.c_proj", inner, hidden),
        ):
            pieces.append(Piece(f"{at}.{name}.weight", (rows, columns), "matrix", layer))
            pieces.append(Piece(f"{at}.{name}.bias", (columns,), "small", layer))
        for name in ("ln_1", "ln_2"):
            pieces += [Piece(f"{at}.{name}.{part}", (hidden,), "small", layer) for part in ("weight", "bias")]
    pieces += [Piece(f"ln_f.{part}", (hidden,), "small") for part in ("weight", "bias")]
    tied = bool(config.get("tie_word_embeddings", True))
    if not tied:
        pieces.append(Piece("lm_head.weight", (words, hidden), "head"))
    return Anatomy(
        "", "gpt2", "", tuple(pieces), layers, hidden, heads, heads, hidden // heads, inner, words, positions,
        (0,) * layers, gated=False, sandwich=False, tied=tied,
    )  # fmt: skip


def _bert(config: Mapping[str, Any], where: str | Path | None) -> Anatomy:
    """BERT with its pooler (Devlin et al. 2019), as Transformers' BertModel has it."""
    layers, hidden = int(config["num_hidden_layers"]), int(config["hidden_size"])
    heads, inner = int(config["num_attention_heads"]), int(config["intermediate_size"])
    words, positions = int(config["vocab_size"]), int(config["max_position_embeddings"])
    pieces = [
        Piece("embeddings.word_embeddings.weight", (words, hidden), "embedding"),
        Piece("embeddings.position_embeddings.weight", (positions, hidden), "small"),
        Piece("embeddings.token_type_embeddings.weight", (int(config["type_vocab_size"]), hidden), "small"),
    ]
    pieces += [Piece(f"embeddings.LayerNorm.{part}", (hidden,), "small") for part in ("weight", "bias")]
    for layer in range(layers):
        at = f"encoder.layer.{layer}"
        named = [(f"attention.self.{name}", hidden, hidden) for name in ("query", "key", "value")]
        named += [("attention.output.dense", hidden, hidden), ("intermediate.dense", inner, hidden)]
        for name, rows, columns in [*named, ("output.dense", hidden, inner)]:
            pieces.append(Piece(f"{at}.{name}.weight", (rows, columns), "matrix", layer))
            pieces.append(Piece(f"{at}.{name}.bias", (rows,), "small", layer))
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            pieces += [Piece(f"{at}.{name}.{part}", (hidden,), "small", layer) for part in ("weight", "bias")]
    pieces.append(Piece("pooler.dense.weight", (hidden, hidden), "small"))
    pieces.append(Piece("pooler.dense.bias", (hidden,), "small"))
    return Anatomy(
        "", "bert", "", tuple(pieces), layers, hidden, heads, heads, hidden // heads, inner, words, positions,
        (0,) * layers, gated=False, sandwich=False, tied=True, decodes=False,
    )  # fmt: skip


_BY_FAMILY = {
    "bert": _bert,
    "gemma3": _seeing,
    "gemma3_text": _decoder,
    "gpt2": _gpt2,
    "llama": _decoder,
    "mistral": _decoder,
    "mixtral": _mixture,
    "qwen2": _decoder,
    "qwen3": _decoder,
    "qwen3_moe": _mixture,
}
