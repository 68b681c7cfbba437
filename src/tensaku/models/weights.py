"""The weights of a model folder, fused as the decoder wants them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from tensaku.errors import UsageError
from tensaku.models.folder import weight_files
from tensaku.models.shape import Shape

__all__ = ["FUSED", "Sizes", "Weights", "load_tensors", "sizes_of", "unfused"]

#: The Hugging Face modules that are stacked in each fused projection, in order.
FUSED = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "o": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}


class Sizes(NamedTuple):
    """Columns and rows of a fused projection: `into` inputs, `outs` outputs of each module in it."""

    into: int
    outs: tuple[int, ...]


def sizes_of(shape: Shape, part: str) -> Sizes:
    """The sizes of the fused projection `part`."""
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return {
        "qkv": Sizes(shape.hidden, (q, kv, kv)),
        "o": Sizes(q, (shape.hidden,)),
        "gate_up": Sizes(shape.hidden, (shape.intermediate, shape.intermediate)),
        "down": Sizes(shape.intermediate, (shape.hidden,)),
    }[part]


def load_tensors(folder: Path) -> dict[str, Tensor]:
    """Every tensor of the safetensors files in `folder`, by name, memory-mapped.

    Raises:
        UsageError: there is none, or one is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    tensors: dict[str, Tensor] = {}
    for path in weight_files(folder):
        if not path.exists():
            fix = "Weights are read from safetensors only; pickled weights (.bin, .pt) are refused"
            raise UsageError(f"this model folder has no {path.name}", where=folder, fix=fix)
        try:
            tensors |= load_file(path)
        except (SafetensorError, OSError) as error:
            raise UsageError(f"the weights cannot be read ({error})", where=path) from None
    return tensors


@dataclass(slots=True)
class Weights:
    """A model in memory, fp32: `linear[layer][part]` is [out, in]; `norms[layer]` the effective norm weights.

    `embedding` is [vocabulary, hidden]; `head` is the same tensor where the model ties them.
    """

    shape: Shape
    embedding: Tensor
    head: Tensor
    final_norm: Tensor
    linear: list[dict[str, Tensor]]
    norms: list[dict[str, Tensor]]
    biases: list[Tensor | None]

    @classmethod
    def load(cls, folder: Path, *, dtype: torch.dtype = torch.float32) -> Weights:
        """Read the model in `folder`.

        Raises:
            UsageError: it is no model of a known family, or a tensor is missing or has the wrong shape.
        """
        return cls.from_tensors(Shape.load(folder), load_tensors(folder), where=folder, dtype=dtype)

    @classmethod
    def from_tensors(
        cls,
        shape: Shape,
        tensors: dict[str, Tensor],
        *,
        where: Path | str = "",
        dtype: torch.dtype = torch.float32,
    ) -> Weights:
        """Fuse tensors named as in Hugging Face checkpoints."""

        def take(name: str, *size: int) -> Tensor:
            tensor = tensors.get(f"model.{name}", tensors.get(name))
            if tensor is None:
                raise UsageError(
                    f"the tensor {name} is missing",
                    where=where,
                    fix="The model folder is incomplete",
                )
            if tuple(tensor.shape) != size:
                what = f"the tensor {name} is {list(tensor.shape)}, the configuration says {list(size)}"
                raise UsageError(
                    what,
                    where=where,
                    fix="config.json and weights do not belong together",
                )
            return tensor.to(dtype)

        def norm(name: str, width: int) -> Tensor:
            return take(name, width) + shape.norm_offset

        hidden = shape.hidden
        linear, norms, biases = [], [], []
        for i in range(shape.layers):
            at = f"layers.{i}"
            fused = {}
            for part, modules in FUSED.items():
                into, outs = sizes_of(shape, part)
                stack = [take(f"{at}.{m}.weight", out, into) for m, out in zip(modules, outs, strict=True)]
                fused[part] = torch.cat(stack) if len(stack) > 1 else stack[0]
            linear.append(fused)
            norms.append(_norms(shape, at, norm))
            bias = None
            if shape.qkv_bias:
                each = zip(FUSED["qkv"], sizes_of(shape, "qkv").outs, strict=True)
                bias = torch.cat([take(f"{at}.{m}.bias", out) for m, out in each])
            biases.append(bias)
        embedding = take("embed_tokens.weight", shape.vocabulary, hidden)
        head = embedding if shape.tied else take("lm_head.weight", shape.vocabulary, hidden)
        return cls(shape, embedding, head, norm("norm.weight", hidden), linear, norms, biases)


def _norms(shape: Shape, at: str, norm: Callable[[str, int], Tensor]) -> dict[str, Tensor]:
    """The norms of one layer under one set of names: Llama's second norm stands before the feed-forward."""
    found = {"input": norm(f"{at}.input_layernorm.weight", shape.hidden)}
    if shape.sandwich:
        found["post_attention"] = norm(f"{at}.post_attention_layernorm.weight", shape.hidden)
        found["pre_feedforward"] = norm(f"{at}.pre_feedforward_layernorm.weight", shape.hidden)
        found["post_feedforward"] = norm(f"{at}.post_feedforward_layernorm.weight", shape.hidden)
    else:
        found["pre_feedforward"] = norm(f"{at}.post_attention_layernorm.weight", shape.hidden)
    if shape.qk_norm:
        found["q"] = norm(f"{at}.self_attn.q_norm.weight", shape.head_dim)
        found["k"] = norm(f"{at}.self_attn.k_norm.weight", shape.head_dim)
    return found


def unfused(weights: Weights) -> dict[str, Tensor]:
    """The tensors under the names of Hugging Face checkpoints: what `from_tensors` reads, each a tensor of its own."""
    shape = weights.shape
    found = {
        "model.embed_tokens.weight": weights.embedding,
        "model.norm.weight": weights.final_norm - shape.norm_offset,
    }
    if not shape.tied:
        found["lm_head.weight"] = weights.head
    for i in range(shape.layers):
        at = f"model.layers.{i}"
        for part, modules in FUSED.items():
            pieces = torch.split(weights.linear[i][part], list(sizes_of(shape, part).outs))
            found |= {f"{at}.{m}.weight": piece for m, piece in zip(modules, pieces, strict=True)}
        names = _NORM_NAMES if shape.sandwich else {**_NORM_NAMES, "pre_feedforward": "post_attention_layernorm"}
        found |= {f"{at}.{names[k]}.weight": norm - shape.norm_offset for k, norm in weights.norms[i].items()}
        bias = weights.biases[i]
        if bias is not None:
            pieces = torch.split(bias, list(sizes_of(shape, "qkv").outs))
            found |= {f"{at}.{m}.bias": piece for m, piece in zip(FUSED["qkv"], pieces, strict=True)}
    return {name: tensor.detach().contiguous().clone() for name, tensor in found.items()}


_NORM_NAMES = {
    "input": "input_layernorm",
    "post_attention": "post_attention_layernorm",
    "pre_feedforward": "pre_feedforward_layernorm",
    "post_feedforward": "post_feedforward_layernorm",
    "q": "self_attn.q_norm",
    "k": "self_attn.k_norm",
}
