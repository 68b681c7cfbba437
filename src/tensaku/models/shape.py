"""The shape of a decoder, read from a Hugging Face `config.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tensaku.errors import UsageError

__all__ = ["FAMILIES", "Shape", "UnknownFamily"]

FAMILIES = ("gemma3_text", "llama", "qwen2", "qwen3")


class UnknownFamily(UsageError):
    """The decoder does not compute this family, or not this model's variety of it; Transformers may."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything about a decoder that is not a weight.

    Per layer: `windows` holds the sliding window in tokens (0: every earlier token is seen), `thetas` the base of the
    rotary frequencies. `rope_scales` divides positions by a constant (linear scaling; 1.0: none). Norm weights are
    stored as offsets from `norm_offset` (Gemma writes w where 1 + w is meant).
    """

    family: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    context: int
    eps: float
    windows: tuple[int, ...]
    thetas: tuple[float, ...]
    rope_scales: tuple[float, ...]
    activation: Literal["gelu", "silu"]
    norm_offset: float
    qk_norm: bool
    sandwich: bool
    qkv_bias: bool
    embed_scale: float
    attention_scale: float
    tied: bool

    @classmethod
    def load(cls, folder: Path) -> Shape:
        """The shape of the model in `folder`.

        Raises:
            UnknownFamily: its family is not one of `FAMILIES`, or it uses something that the decoder does not do.
            UsageError: there is no `config.json`, or it is damaged.
        """
        path = folder / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            fix = "Name a folder in Hugging Face form: config.json, *.safetensors, tokenizer.json"
            raise UsageError("this folder is no model: it has no config.json", where=folder, fix=fix) from None
        except (OSError, ValueError) as error:
            raise UsageError(f"config.json cannot be read ({error})", where=path) from None
        if not isinstance(config, dict):
            raise UsageError("config.json holds no JSON object", where=path)
        return cls.from_config(config, where=path)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, where: str | Path | None = None) -> Shape:
        """The shape that a Hugging Face configuration describes.

        Raises:
            UnknownFamily: the family is unknown, or it uses something that the decoder does not do.
            UsageError: a key is missing or holds a wrong value.
        """
        family = str(config.get("model_type", ""))
        if family not in FAMILIES:
            what = f"the model family {family!r} is not known to the decoder"
            raise UnknownFamily(what, where=where, fix=f"Known: {', '.join(FAMILIES)}")
        try:
            return _read(family, config, where)
        except KeyError as error:
            raise UsageError(f"the key {error} is missing in the model's configuration", where=where) from None
        except (TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"the model's configuration holds a wrong value ({error})", where=where) from None


def _read(family: str, c: Mapping[str, Any], where: str | Path | None) -> Shape:
    gemma = family == "gemma3_text"
    layers, heads = int(c["num_hidden_layers"]), int(c["num_attention_heads"])
    head_dim = int(c.get("head_dim") or c["hidden_size"] // heads)
    _refuse_unknown(family, c, where)
    sliding = _sliding(c, layers)
    if len(sliding) != layers:
        what = f"layer_types names {len(sliding)} layers, num_hidden_layers says {layers}"
        raise UsageError(what, where=where, fix="Correct the model's configuration")
    ropes = [_rope(c, "sliding_attention" if s else "full_attention", where) for s in sliding]
    window = int(c.get("sliding_window") or 0)
    scalar = float(c.get("query_pre_attn_scalar") or head_dim) if gemma else float(head_dim)
    return Shape(
        family=family,
        layers=layers,
        hidden=int(c["hidden_size"]),
        heads=heads,
        kv_heads=int(c.get("num_key_value_heads") or heads),
        head_dim=head_dim,
        intermediate=int(c["intermediate_size"]),
        vocabulary=int(c["vocab_size"]),
        context=int(c.get("max_position_embeddings") or 2048),
        eps=float(c.get("rms_norm_eps") or 1e-6),
        windows=tuple(window if s else 0 for s in sliding),
        thetas=tuple(r[0] for r in ropes),
        rope_scales=tuple(r[1] for r in ropes),
        activation="gelu" if gemma else "silu",
        norm_offset=1.0 if gemma else 0.0,
        qk_norm=family in ("gemma3_text", "qwen3"),
        sandwich=gemma,
        qkv_bias=family == "qwen2",
        embed_scale=float(c["hidden_size"]) ** 0.5 if gemma else 1.0,
        attention_scale=scalar**-0.5,
        tied=bool(c.get("tie_word_embeddings", gemma)),
    )


def _refuse_unknown(family: str, c: Mapping[str, Any], where: str | Path | None) -> None:
    """Refuse what would silently be computed in another way than the model was made for."""
    unknown = {
        "attention_bias": family != "qwen2" and bool(c.get("attention_bias")),  # it is on the output too
        "use_bidirectional_attention": bool(c.get("use_bidirectional_attention")),
        "layer_types": not set(c.get("layer_types") or ()) <= {"full_attention", "sliding_attention"},
        "mlp_bias": bool(c.get("mlp_bias")),
        "use_sliding_window": bool(c.get("use_sliding_window")) and not c.get("layer_types"),
        "attn_logit_softcapping": c.get("attn_logit_softcapping") is not None,
        "final_logit_softcapping": c.get("final_logit_softcapping") is not None,
    }
    known = ("gelu_pytorch_tanh",) if family == "gemma3_text" else ("silu", "swish")
    act = c.get("hidden_activation") or c.get("hidden_act") or known[0]
    unknown[f"activation {act}"] = act not in known
    for name, wrong in unknown.items():
        if wrong:
            raise UnknownFamily(
                f"the decoder does not know this model's {name}", where=where, fix="Use another base model"
            )


def _sliding(c: Mapping[str, Any], layers: int) -> list[bool]:
    """Which layers see a window only."""
    kinds = c.get("layer_types")
    if kinds:
        return [kind == "sliding_attention" for kind in kinds]
    if c["model_type"] == "gemma3_text":
        pattern = int(c.get("sliding_window_pattern") or 6)
        return [(i + 1) % pattern != 0 for i in range(layers)]
    return [False] * layers


def _rope(c: Mapping[str, Any], kind: str, where: str | Path | None) -> tuple[float, float]:
    """Base and linear scale of the rotary embedding for one kind of layer, from the old or the new spelling."""
    new = c.get("rope_parameters") or {}
    rope = new.get(kind, new if "rope_theta" in new else {})
    old = c.get("rope_scaling") or {}
    theta = rope.get("rope_theta") or c.get("rope_theta")
    if kind == "sliding_attention" and "rope_theta" not in rope:
        theta = c.get("rope_local_base_freq") or theta
        old = {}
    kind_of_scaling = rope.get("rope_type") or old.get("rope_type") or old.get("type") or "default"
    if kind_of_scaling not in ("default", "linear"):
        what = f"rotary scaling of type {kind_of_scaling!r} is not known to the decoder"
        raise UnknownFamily(what, where=where, fix="Use a base model without it")
    scale = float(rope.get("factor") or old.get("factor") or 1.0) if kind_of_scaling == "linear" else 1.0
    return float(theta or 10000.0), scale
