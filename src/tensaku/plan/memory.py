"""Memory of one GPU: what follows exactly from sizes, and beside it, apart and with a band, what does not.

States (Rajbhandari et al. 2020): in bf16 a number that learns takes 2 bytes of weight, 2 of gradient, 4 of master copy
and 8 of Adam's two moments; in fp32 4 + 4 + 8. Frozen ones take their weight alone. qlora (Dettmers et al. 2023): 4
bits and, doubly quantised, 0.127 bits of scale a number, for the matrices of the layers.

Activations: what autograd keeps of a layer with fused attention, counted from the operations of the layer (compare
Korthikanti et al. 2022, who count GPT's); with recomputation a layer's input alone, and one layer in full.
"""

from __future__ import annotations

from typing import NamedTuple

from tensaku.plan.anatomy import Anatomy, Piece
from tensaku.plan.job import Load, Training
from tensaku.plan.layout import ONE, Layout, cut, share, stages

__all__ = ["BYTES", "KINDS", "Memory", "activation_bytes", "cache_bytes", "serving", "thin_parameters", "training",
           "training_stages", "weight_bytes"]  # fmt: skip

BYTES = {"fp32": 4.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5 + (16 + 4) / 128 / 8, "nf4": (4 + 0.127) / 8}
"""Bytes a number. int4 has a scale of 16 bits and an offset of 4 bits for each 128 numbers (as GPTQ and AWQ)."""

RUNTIME, RUNTIME_LOW, RUNTIME_HIGH = 1.0e9, 0.6e9, 2.0e9
"""Bytes that driver, kernels and libraries take on a GPU: assumed, since no GPU was measured here."""
FRAGMENTS, FRAGMENTS_LOW, FRAGMENTS_HIGH = 0.05, 0.0, 0.15
"""What the allocator loses of whatever comes and goes: assumed likewise."""


KINDS = {
    "weights": "重み",
    "gradients": "勾配",
    "optimiser": "オプティマイザの状態",
    "activations": "活性値",
    "logits": "ロジット",
    "gathered layers": "集約中の層",
    "adapters": "アダプター",
    "keys and values": "KV キャッシュ",
    "shared beginnings": "共有プレフィックス",
    "pass": "計算中の値",
    "drafting model": "下書き用モデル",
    "runtime": "実行環境",
    "fragmentation": "断片化",
}
"""What memory is for, and how that is called in Japanese."""


class Memory(NamedTuple):
    """Bytes on the fullest GPU, by what they are for.

    `exact` follows from sizes; `assumed` (runtime, fragmentation) does not: `low` and `high` hold its ends.
    """

    exact: dict[str, float]
    assumed: dict[str, float]
    low: float
    high: float
    stage: int = 0

    @property
    def total(self) -> float:
        """The estimate."""
        return sum(self.exact.values()) + sum(self.assumed.values())


def weight_bytes(piece: Piece, numbers: int, precision: str) -> float:
    """Bytes of `numbers` numbers of a tensor held in `precision`: below bf16 only what layers multiply by shrinks."""
    if BYTES[precision] < 2 and piece.part not in ("matrix", "expert"):
        return numbers * BYTES["bf16"]
    return numbers * BYTES[precision]


def thin_parameters(anatomy: Anatomy, rank: int, layers: frozenset[int] | None = None, tensor: int = 1) -> int:
    """Numbers of thin matrices of `rank` beside every matrix of the layers: rank (in + out) each.

    On one of `tensor` GPUs that share each matrix, one of the two is shared and the other whole; counted is the half
    that is larger.
    """
    found = 0
    for piece in anatomy.pieces:
        if piece.part in ("matrix", "expert") and (layers is None or piece.layer in layers):
            rows, columns = piece.size
            found += rank * (rows + columns) if tensor == 1 else rank * (max(rows, columns) + share(rows, tensor))
    return found


def activation_bytes(anatomy: Anatomy, tokens: int, precision: str, *, tensor: int = 1, rank: int = 0) -> float:
    """Bytes that autograd keeps of one layer for `tokens` tokens, without recomputation."""
    size = BYTES[precision]
    q = share(anatomy.heads, tensor) * anatomy.head_dim
    kv = share(anatomy.kv_heads, tensor) * anatomy.head_dim
    inner = share(anatomy.intermediate, tensor) * max(1, anatomy.active)
    whole = anatomy.hidden * (6 if anatomy.sandwich else 4)  # in and out of each norm
    cut_up = 2 * q + 3 * kv + q  # queries and keys before and after rotation, values, what was gathered
    cut_up += inner * (4 if anatomy.gated else 2)
    thin = 7 * rank
    sums = 4 * share(anatomy.heads, tensor)  # the softmax's sums, in fp32
    return tokens * ((whole + cut_up + thin) * size + sums)


def cache_bytes(
    anatomy: Anatomy, tokens: int, precision: str, tensor: int = 1, windows: tuple[int, ...] | None = None
) -> float:
    """Bytes of keys and values of one text of `tokens` tokens; layers with a window keep no more than that.

    `windows`: of the layers that are meant, for one stage of a pipeline. Heads of keys fewer than GPUs are repeated.
    """
    kv = share(anatomy.kv_heads, tensor) * anatomy.head_dim
    seen = sum(
        min(tokens, window) if window else tokens for window in (anatomy.windows if windows is None else windows)
    )
    return 2 * kv * seen * BYTES[precision]


def training(anatomy: Anatomy, run: Training, layout: Layout = ONE) -> Memory:
    """Memory of a training step on the fullest GPU."""
    return max(training_stages(anatomy, run, layout), key=lambda memory: memory.total)


def training_stages(anatomy: Anatomy, run: Training, layout: Layout) -> list[Memory]:
    """Memory of a training step on a GPU of each stage of the pipeline."""
    found = []
    for stage, layers, pieces in stages(anatomy, layout):
        exact = _states(anatomy, run, layout, pieces)
        in_flight = layout.pipeline - stage  # micro-batches whose backward pass is still to come (1F1B)
        exact["activations"] = _activations(anatomy, run, layout, layers * in_flight)
        if stage == layout.pipeline - 1:
            exact["logits"] = _logits(anatomy, run, layout)
        found.append(_with_assumed(exact, exact["activations"] + exact.get("logits", 0) + exact["gradients"], stage))
    return found


def _states(anatomy: Anatomy, run: Training, layout: Layout, pieces: tuple[Piece, ...]) -> dict[str, float]:
    size = BYTES[run.precision]
    master = 4.0 if run.precision == "bf16" else 0.0
    held = "nf4" if run.method == "qlora" else run.precision
    weights = sum(weight_bytes(piece, cut(piece, layout), held) for piece in pieces)
    if run.thin:
        learns = _thin_of(anatomy, run.rank, layout, pieces)
        weights += learns * size
    else:
        learns = sum(cut(piece, layout) for piece in pieces if piece.part != "vision")
    gradients, optimiser = learns * size, learns * (8.0 + master)
    gathered = 0.0
    if layout.zero >= 1:
        optimiser /= layout.data
    if layout.zero >= 2:
        gradients /= layout.data
    if layout.zero == 3:
        # the layer at work and the next, whole, while the rest stays sharded
        gathered = 2 * BYTES[held] * share(anatomy.largest_layer, layout.tensor)
        weights /= layout.data
    found = {"weights": weights, "gradients": gradients, "optimiser": optimiser}
    if gathered:
        found["gathered layers"] = gathered
    return found


def _thin_of(anatomy: Anatomy, rank: int, layout: Layout, pieces: tuple[Piece, ...]) -> int:
    return thin_parameters(anatomy, rank, _layers_of(pieces), layout.tensor)


def _layers_of(pieces: tuple[Piece, ...]) -> frozenset[int]:
    return frozenset(piece.layer for piece in pieces if piece.layer is not None)


def _activations(anatomy: Anatomy, run: Training, layout: Layout, layers: int) -> float:
    """Of `layers` layers, counted once for each micro-batch that is under way."""
    rank = run.rank if run.thin else 0
    layer = activation_bytes(anatomy, run.tokens, run.precision, tensor=layout.tensor, rank=rank)
    if not run.recompute or not layers:
        return layer * layers
    # one layer in full, which has its own input in it, and the inputs of the others
    return run.tokens * anatomy.hidden * BYTES[run.precision] * (layers - 1) + layer


def _logits(anatomy: Anatomy, run: Training, layout: Layout) -> float:
    """Scores of every word for every token, as common trainers keep them: as computed, in fp32, and their gradient."""
    if not anatomy.decodes:
        return 0.0
    each = 8.0 + (BYTES["bf16"] if run.precision == "bf16" else 0.0)
    return run.tokens * share(anatomy.vocabulary, layout.tensor) * each


def serving(
    anatomy: Anatomy,
    load: Load,
    layout: Layout = ONE,
    *,
    draft: Anatomy | None = None,
) -> Memory:
    """Memory of a server on its fullest GPU, all `load.users` answers at their full length.

    Each copy of the model (data parallel) takes its share of the users. `draft`: a model that drafts, held whole.
    """
    users = share(load.users, layout.data)
    found = []
    for stage, _, pieces in stages(anatomy, layout):
        exact = {"weights": sum(weight_bytes(piece, cut(piece, layout), load.precision) for piece in pieces)}
        kept = "fp32" if load.precision == "fp32" else "bf16"
        if load.adapters:
            exact["adapters"] = load.adapters * _thin_of(anatomy, load.rank, layout, pieces) * BYTES[kept]
        windows = tuple(anatomy.windows[layer] for layer in _layers_of(pieces))
        exact["keys and values"] = users * cache_bytes(
            anatomy, load.length - load.prefix, load.cache, layout.tensor, windows
        )
        if load.prefix:
            copies = max(1, load.adapters)  # what an adapter computed belongs to it
            exact["shared beginnings"] = copies * cache_bytes(anatomy, load.prefix, load.cache, layout.tensor, windows)
        at_work = activation_bytes(anatomy, min(users * load.prompt, 8192), kept, tensor=layout.tensor)
        exact["pass"] = at_work + (users * share(anatomy.vocabulary, layout.tensor) * 4.0)
        if draft is not None and stage == layout.pipeline - 1:
            exact["drafting model"] = sum(weight_bytes(piece, piece.numbers, kept) for piece in draft.pieces)
            exact["drafting model"] += users * cache_bytes(draft, load.length, load.cache)
        found.append(_with_assumed(exact, exact["pass"], stage))
    return max(found, key=lambda memory: memory.total)


def _with_assumed(exact: dict[str, float], comes_and_goes: float, stage: int) -> Memory:
    sure = sum(exact.values())
    assumed = {"runtime": RUNTIME, "fragmentation": FRAGMENTS * comes_and_goes}
    low = sure + RUNTIME_LOW + FRAGMENTS_LOW * comes_and_goes
    high = sure + RUNTIME_HIGH + FRAGMENTS_HIGH * comes_and_goes
    return Memory(exact, assumed, low, high, stage)
