"""What Tensaku's own training core and engine take on a processor: sizes counted from the code, constants measured.

Counted: what is read, what is copied when projections are fused and merged, what autograd keeps (`tune/glue.py`,
`tune/attention.py`, `tune/lora.py`), what the optimiser holds. Measured and fitted (`calibrate.py`): what Python and
its libraries take, and how fast the machine's work is per operation and per byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tensaku.errors import UsageError
from tensaku.plan.anatomy import Anatomy
from tensaku.plan.memory import thin_parameters
from tensaku.plan.speed import attention_operations

__all__ = ["KNOWN", "OwnServing", "OwnTraining", "kept_bytes", "serving_sizes", "serving_work", "training_sizes",
           "training_work", "traits_of"]  # fmt: skip

KNOWN = ("gemma3_text", "llama", "qwen2", "qwen3")
"""Families that the own core computes."""
_KEPT_LOGITS = 1 << 28
_FUSED = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj")
_TILE = 1 << 22
_PAGE = 16
"""Positions of a page of the cache (engines/native/cache.py); every place has whole pages for its context."""


@dataclass(frozen=True, slots=True)
class OwnTraining:
    """A step of the own core: `segments` texts that share the first `prefix` tokens, `each` more tokens in every one,
    of which `scored` are learnt. `layers`: only the last so many learn (0: all)."""

    method: str
    segments: int
    prefix: int
    each: int
    scored: int
    rank: int = 16
    layers: int = 0

    @property
    def rows(self) -> int:
        """Tokens that go through the model."""
        return self.prefix + self.segments * self.each


class OwnServing(NamedTuple):
    """An engine with `slots` places of `context` tokens, `users` of them writing after prompts of `prompt` tokens
    answers of `answer`; `precision` of the weights; `adapters` of `rank` loaded. Of an answer's tokens `accepted` came
    from its draft, and `rejected` more were tried (`docs/engines.md`)."""

    precision: str
    slots: int
    context: int
    users: int
    prompt: int
    answer: int
    adapters: int = 0
    rank: int = 16
    accepted: float = 0.0
    rejected: float = 0.0
    memory: float | None = None
    """Bytes that keys and values may take; None: what the places need."""


def traits_of(run: OwnTraining | OwnServing) -> tuple[str, ...]:
    """What a band must have seen to say anything of `run`: how it tunes; how weights are held, adapters, drafting."""
    if isinstance(run, OwnTraining):
        return (run.method,)
    drafted = run.accepted + run.rejected > 0
    return (run.precision, *(["adapters"] if run.adapters else []), *(["drafting"] if drafted else []))


def _check(anatomy: Anatomy) -> None:
    if anatomy.family not in KNOWN:
        what = f"Tensaku's own core does not compute {anatomy.family}"
        raise UsageError(what, fix=f"It computes {', '.join(KNOWN)}; name another --gpu")


def _learning(anatomy: Anatomy, run: OwnTraining) -> frozenset[int]:
    first = anatomy.layers - run.layers if run.layers else 0
    return frozenset(range(max(0, first), anatomy.layers))


def _matrices(anatomy: Anatomy, layers: frozenset[int] | None = None, *, fused: bool = False) -> int:
    return sum(
        piece.numbers
        for piece in anatomy.pieces
        if piece.part == "matrix"
        and (layers is None or piece.layer in layers)
        and (not fused or piece.name.split(".")[-2] in _FUSED)
    )


def kept_bytes(anatomy: Anatomy, run: OwnTraining) -> float:
    """Bytes that autograd keeps from the forward pass to the backward one, in fp32.

    A layer keeps the inputs of its norms and projections, queries and keys before and after rotation, the tables of
    their angles, probabilities of every head, and what the gate needs. Before the first learning layer nothing is kept.
    After the last layer's keys only scored rows go on.
    """
    _check(anatomy)
    q, kv = anatomy.heads * anatomy.head_dim, anatomy.kv_heads * anatomy.head_dim
    learning = len(_learning(anatomy, run))
    scored = run.segments * run.scored
    norms = 3 if anatomy.sandwich else 2

    def tail(rows: int) -> int:
        """From attention's result on: it, residual and its norm(s), gate, and the gate's product."""
        return rows * (
            q + anatomy.hidden * norms + 3 * anatomy.intermediate + (anatomy.hidden if anatomy.sandwich else 0)
        )

    head_rows = run.rows * (2 * anatomy.hidden + (q + 2 * kv) + kv + 2 * anatomy.head_dim)
    seen = run.prefix + run.each
    whole_p = anatomy.heads * (run.prefix**2 + run.segments * run.each * seen)
    last_p = anatomy.heads * scored * seen
    layer = head_rows + run.rows * q + whole_p + tail(run.rows)
    last = head_rows + scored * q + last_p + tail(scored)
    numbers = layer * (learning - 1) + last + scored * anatomy.hidden
    return 4.0 * numbers


def training_sizes(anatomy: Anatomy, run: OwnTraining) -> dict[str, float]:
    """Bytes that a training holds at its peak, apart from Python and its libraries."""
    _check(anatomy)
    kept = kept_bytes(anatomy, run)
    every = 4.0 * anatomy.parameters
    tile = 4.0 * 2 * max(_TILE, 1024 * max(anatomy.hidden, run.segments * run.scored))
    if run.method == "full":
        rows = min(run.segments * run.scored, max(1, _KEPT_LOGITS // anatomy.vocabulary))
        logits = 4.0 * rows * anatomy.vocabulary
        ends = 4.0 * (
            anatomy.count("embedding") + anatomy.count("head")
        )  # their gradients stay, the others' come and go
        layers = every - ends
        # On the way back a layer's gradients come as what was kept of it goes.
        back = {"kept for the way back": kept, "logits": logits} if kept + logits > layers else {"gradients": layers}
        return {
            "weights": every,
            "optimiser": 2 * every,
            "gradients of the head": ends,
            **back,
            "blocks of the head": tile,
        }
    learning = _learning(anatomy, run)
    thin = thin_parameters(anatomy, run.rank, learning)
    found = {"thin matrices": 16.0 * thin, "kept for the way back": kept, "blocks of the head": tile}
    if run.method == "qlora":
        held = anatomy.stored_bytes() if any((p.bits or 32) < 16 for p in anatomy.pieces) else None
        found["weights in blocks"] = float(held if held is not None else anatomy.parameters * 4.85 / 8)
        found["one matrix unpacked"] = 4.0 * 2 * anatomy.intermediate * anatomy.hidden
        return found
    found["weights"] = every
    found["fused copies"] = 4.0 * _matrices(anatomy, fused=True)
    found["merged copies"] = 4.0 * _matrices(anatomy, learning)
    return found


def training_work(anatomy: Anatomy, run: OwnTraining) -> dict[str, float]:
    """What a step takes: operations of products, bytes that pass through memory beside them, those of probabilities
    apart, and bytes of states that are read and written."""
    _check(anatomy)
    learning = _learning(anatomy, run)
    matrices, ours = _matrices(anatomy), _matrices(anatomy, learning)
    per_layer = matrices / anatomy.layers
    scored = run.segments * run.scored
    last_saved = per_layer * (run.rows - scored) * 0.8  # of the last layer, all but qkv goes over scored rows alone
    products = 2.0 * (matrices * run.rows - last_saved)
    back = 2.0 * (ours * run.rows - last_saved)
    attention = run.segments * attention_operations(anatomy, run.each, run.prefix)
    attention += attention_operations(anatomy, run.prefix)
    share = len(learning) / anatomy.layers
    products += back * (2 if run.method == "full" else 1)
    attention *= 1 + 2 * share
    head = 2.0 * anatomy.vocabulary * anatomy.hidden * scored * (3 if run.method == "full" else 2)
    thin = 0 if run.method == "full" else thin_parameters(anatomy, run.rank, learning)
    products += 6.0 * thin * run.rows
    states = 28.0 * (anatomy.parameters if run.method == "full" else thin)
    if run.method == "lora":
        states += 8.0 * ours
    unpacked = 0.0
    if run.method == "qlora":
        unpacked = 4.0 * (matrices + ours) + 4.0 * anatomy.count("embedding")
    odds = 4.0 * anatomy.heads * (run.prefix**2 + run.segments * run.each * (run.prefix + run.each)) * anatomy.layers
    return {
        "products": products + attention + head,
        "elementwise": kept_bytes(anatomy, run) + 4.0 * scored * anatomy.vocabulary,
        "probabilities": odds * (1 + share),
        "states": states,
        "unpacked": unpacked,
    }


def serving_sizes(anatomy: Anatomy, asked: OwnServing) -> dict[str, float]:
    """Bytes that the engine holds at its peak, apart from Python and its libraries."""
    _check(anatomy)
    matrices = _matrices(anatomy)
    words = 4.0 * anatomy.vocabulary * anatomy.hidden
    span = -(-asked.context // _PAGE) * _PAGE
    reserved = asked.slots * span * 4.0 * 2 * anatomy.layers * anatomy.kv_heads * anatomy.head_dim
    reserved = reserved if asked.memory is None else min(reserved, asked.memory)
    found = {
        "weights as read": 4.0 * anatomy.parameters,
        "keys and values": reserved,
        "adapters": asked.adapters * 4.0 * thin_parameters(anatomy, asked.rank),
    }
    if asked.precision == "int8":
        # first every fused copy with the packed ones growing beside them, then the head: its absolute values in fp32 to
        # find their largest, and itself in int8
        found["packing int8"] = max(4.0 * _matrices(anatomy, fused=True) + matrices, words + words / 4)
    else:
        found["fused copies"] = 4.0 * _matrices(anatomy, fused=True)
    return {name: size for name, size in found.items() if size}


def serving_work(anatomy: Anatomy, asked: OwnServing) -> dict[str, float]:
    """What `users` answers take from their prompts to their ends.

    int8: operations (every row goes through twice), those of attention in fp32, bytes of weights that passes read, rows
    times layers, and passes times layers. fp32: operations alone, which run on one thread.
    """
    _check(anatomy)
    matrices, head = _matrices(anatomy), anatomy.vocabulary * anatomy.hidden
    users, passes = asked.users, max(0.0, asked.answer - 1 - asked.accepted)
    rows = passes + asked.accepted + asked.rejected  # that an answer sends through the model
    reading = 2.0 * users * matrices * asked.prompt
    writing = 2.0 * users * rows * (matrices + head)
    if asked.precision != "int8":
        return {"fp32": reading + writing + users * attention_operations(anatomy, asked.prompt)}
    middle = asked.prompt + asked.answer // 2
    looking = attention_operations(anatomy, asked.prompt) + rows * attention_operations(anatomy, 1, middle)
    if asked.adapters:  # in fp32 too, beside the products of the base
        looking += 2.0 * thin_parameters(anatomy, asked.rank) * (rows + asked.prompt)
    return {
        "int8": 2 * (reading + writing),
        "attention": users * looking,
        "weights": float(passes * (matrices + head)),
        "rows": float(anatomy.layers * users * (rows + asked.prompt)),
        "passes": float(anatomy.layers * passes),
    }
