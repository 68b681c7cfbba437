"""One readable decoder for the Llama and Gemma families. It trains and it serves.

What differs between training and serving is handed in:

- `Linear` multiplies by a layer's weights: in fp32, in int8, with an adapter merged or beside them;
- `Attend` mixes values over positions: packed segments when training, a key-value cache when serving.

Everything else (norms, rotary embedding, gated feed-forward, the order of things) stands here once. Rows are tokens:
all tensors are [rows, width], whatever stream or segment a row belongs to.

The four projections of a layer are fused: `qkv` (queries, keys, values stacked), `o`, `gate_up`, `down`; `head` maps to
the vocabulary. Formulas: RMSNorm (Zhang and Sennrich 2019), rotary embedding (Su et al. 2021) in its half-split form,
gated GELU and SiLU (Shazeer 2020), layer order of Gemma 3 (Gemma Team 2025) and Llama (Touvron et al. 2023).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from tensaku.models.shape import Shape
from tensaku.models.weights import Weights

__all__ = ["Attend", "Decoder", "Glue", "Linear", "Rope", "rotate"]


class Linear(Protocol):
    """y = x W' for projection `part` (a key of `weights.FUSED`) of a layer; x is [rows, in], y is [rows, out]."""

    def __call__(self, layer: int, part: str, x: Tensor) -> Tensor:
        """The product."""
        ...


class Attend(Protocol):
    """Mix values over positions.

    q is [rows, heads, head_dim], already scaled; k and v are [rows, kv_heads, head_dim]. Returns
    [rows of q, heads * head_dim]; q may have fewer rows than k and v where only some rows are asked for.
    """

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What each query gathers."""
        ...


class Rope:
    """Tables of cosines and sines, [context, head_dim], one for each distinct base; the sine's first half is negated,
    so that rotating needs one roll of the halves and one fused multiply-add."""

    def __init__(self, shape: Shape, context: int) -> None:
        self._of_layer = list(zip(shape.thetas, shape.rope_scales, strict=True))
        self._tables = {key: self._table(key, shape.head_dim, context) for key in set(self._of_layer)}

    @staticmethod
    def _table(key: tuple[float, float], dim: int, context: int) -> tuple[Tensor, Tensor]:
        theta, scale = key
        frequency = 1.0 / theta ** (torch.arange(0, dim, 2, dtype=torch.int64).float() / dim) / scale
        angle = torch.arange(context, dtype=torch.float32)[:, None] * frequency
        cos, sin = angle.cos(), angle.sin()
        return torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)

    def rows(self, positions: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Per layer the cosines and sines of `positions`, [rows, 1, head_dim]."""
        picked = {k: (c[positions][:, None], s[positions][:, None]) for k, (c, s) in self._tables.items()}
        return [picked[key] for key in self._of_layer]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (x[i], x[i + half]) by its position's angle; x is [rows, heads, head_dim]."""
    half = x.shape[-1] // 2
    return torch.addcmul(x * cos, torch.cat([x[..., half:], x[..., :half]], -1), sin)


class Glue:
    """What stands between the products, in plain operators. Training brings its own, with backward passes by hand."""

    def norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """RMSNorm over the last dimension."""
        return functional.rms_norm(x, (x.shape[-1],), weight, eps)

    def gated(self, gate_up: Tensor, activation: str) -> Tensor:
        """act(gate) up, for [rows, 2 inner] to [rows, inner]; `activation` is "gelu" (by tanh) or "silu"."""
        gate, up = gate_up.chunk(2, -1)
        act = functional.gelu(gate, approximate="tanh") if activation == "gelu" else functional.silu(gate)
        return act * up

    def rotate(self, x: Tensor, cos: Tensor, sin: Tensor, scale: float = 1.0) -> Tensor:
        """The rotary embedding of [rows, heads, head_dim], times `scale`."""
        turned = rotate(x, cos, sin)
        return turned * scale if scale != 1.0 else turned


class Decoder:
    """The block structure of a model over `weights`, whose norms and embedding it uses directly.

    `context` is the largest number of positions (at most the model's own).
    """

    def __init__(self, weights: Weights, context: int | None = None, glue: Glue | None = None) -> None:
        self.shape = shape = weights.shape
        self.weights = weights
        self.glue = glue or Glue()
        self.context = min(context or shape.context, shape.context)
        self.rope = Rope(shape, self.context)

    def embed(self, ids: Tensor) -> Tensor:
        """[rows] token ids to [rows, hidden]."""
        return functional.embedding(ids, self.weights.embedding) * self.shape.embed_scale

    def hidden(
        self,
        ids: Tensor,
        positions: Tensor,
        linear: Linear,
        attend: Attend,
        *,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Final hidden states, normed, [rows, hidden] (or only those of `rows`, indices into `ids`).

        The last layer computes queries, feed-forward and norm for `rows` alone: no other row is looked at after it.
        """
        return self.blocks(self.embed(ids), positions, linear, attend, rows=rows)

    def blocks(
        self,
        x: Tensor,
        positions: Tensor,
        linear: Linear,
        attend: Attend,
        *,
        rows: Tensor | None = None,
    ) -> Tensor:
        """`hidden` from embedded tokens x, [rows, hidden], on."""
        ropes = self.rope.rows(positions)
        for layer in range(self.shape.layers):
            only = rows if layer == self.shape.layers - 1 else None
            x = self._layer(layer, x, ropes[layer], linear, attend, only)
        if rows is not None and self.shape.layers == 0:
            x = x[rows]
        return self._norm(x, self.weights.final_norm)

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return self.glue.norm(x, weight, self.shape.eps)

    def _layer(
        self,
        layer: int,
        x: Tensor,
        rope: tuple[Tensor, Tensor],
        linear: Linear,
        attend: Attend,
        only: Tensor | None,
    ) -> Tensor:
        shape, norms = self.shape, self.weights.norms[layer]
        mixed = self._attention(layer, self._norm(x, norms["input"]), rope, linear, attend, only)
        if only is not None:
            x = x[only]
        mixed = linear(layer, "o", mixed)
        x = x + (self._norm(mixed, norms["post_attention"]) if shape.sandwich else mixed)
        gate_up = linear(layer, "gate_up", self._norm(x, norms["pre_feedforward"]))
        fed = linear(layer, "down", self.glue.gated(gate_up, shape.activation))
        return x + (self._norm(fed, norms["post_feedforward"]) if shape.sandwich else fed)

    def _attention(
        self,
        layer: int,
        x: Tensor,
        rope: tuple[Tensor, Tensor],
        linear: Linear,
        attend: Attend,
        only: Tensor | None,
    ) -> Tensor:
        shape, norms = self.shape, self.weights.norms[layer]
        heads, kv, dim = shape.heads, shape.kv_heads, shape.head_dim
        stacked = linear(layer, "qkv", x)
        bias = self.weights.biases[layer]
        if bias is not None:
            stacked = stacked + bias
        q, k, v = torch.split(stacked.view(-1, heads + 2 * kv, dim), [heads, kv, kv], 1)
        cos, sin = rope
        q_cos, q_sin = rope
        if only is not None:
            q, q_cos, q_sin = q[only], cos[only], sin[only]
        if shape.qk_norm:
            q, k = self._norm(q, norms["q"]), self._norm(k, norms["k"])
        q = self.glue.rotate(q, q_cos, q_sin, shape.attention_scale)
        return attend(layer, q, self.glue.rotate(k, cos, sin), v)
