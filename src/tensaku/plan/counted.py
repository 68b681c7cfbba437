"""How others count, so that their figures can be had again: and where we think that they are wrong.

`accelerate estimate-memory` and the public calculator built on it load the architecture without its head, take the
buffers for weights, and name binary units by the decimal ones' names. For training with Adam they say four times the
model's size.
"""

from __future__ import annotations

from typing import NamedTuple

from tensaku.plan.anatomy import Anatomy

__all__ = ["Counted", "as_accelerate", "as_resource_planner", "sixteen_bit", "wrong"]

_MIB, _GIB = 2**20, 2**30
_LLAMA_2_CONTEXT_TABLES = ("llama",)

_TABLES = (
    "tables of sines and cosines count as weights (134 MB of the 7B model), and four times for Adam, although they "
    "never learn"
)
_WRONG = (
    "MB and GB there are 2^20 and 2^30 bytes",
    "the head is left out (524 MB of the 7B model in float32)",
    "activations, logits, fragmentation and the runtime are left out, so less is said than a step needs",
)


def wrong(tables: bool = True) -> tuple[str, ...]:
    """Where we think that the public calculator is wrong; `tables`: of a model with tables of sines in its layers."""
    return (*_WRONG[:2], *([_TABLES] if tables else []), *_WRONG[2:])


class Counted(NamedTuple):
    """Bytes as a calculator counts them."""

    largest_layer: float
    total: float
    adam_peak: float

    def spoken(self) -> tuple[float, float, float]:
        """As it prints them: largest layer in "MB", total and Adam's peak in "GB"."""
        return self.largest_layer / _MIB, self.total / _GIB, self.adam_peak / _GIB


def as_accelerate(anatomy: Anatomy, *, rotary_tables: bool = True, bytes_each: float = 4.0) -> Counted:
    """As the public calculator counts: no head, buffers with it.

    Args:
        rotary_tables: count the tables of sines and cosines, [context, head_dim] twice a layer in float32, that older
            versions of Transformers kept in each layer of a Llama, and the frequencies behind them.
        bytes_each: bytes of a number; buffers are counted in float32 (or as the integers they are) whatever it is.
    """
    buffers_of_layer = 0.0
    outside = 0.0
    if anatomy.decodes and rotary_tables and anatomy.family in _LLAMA_2_CONTEXT_TABLES:
        buffers_of_layer = 2 * anatomy.context * anatomy.head_dim * 4 + anatomy.head_dim // 2 * 4
    if anatomy.family == "bert":
        outside = 2 * anatomy.context * 8  # the numbers of places and of sentences, 64 bits each
    without_head = anatomy.parameters - anatomy.count("head")
    total = without_head * bytes_each + anatomy.layers * buffers_of_layer + outside
    layer = max(anatomy.layer_count(n) for n in range(anatomy.layers)) * bytes_each + buffers_of_layer
    embedding = anatomy.count("embedding") * bytes_each
    return Counted(max(layer, embedding), total, 4 * total)


def as_resource_planner(anatomy: Anatomy) -> float:
    """Bytes as `llm-resource-planner` 0.2 recommends in float16: 12 hidden^2 layers parameters, and 1.2 times the keys
    and values of 4,096 words as if every head had its own."""
    weights = 12 * anatomy.hidden**2 * anatomy.layers * 2
    cache = 2 * anatomy.hidden * anatomy.layers * 2 * 4096
    return weights + 1.2 * cache


def sixteen_bit(parameters: float) -> float:
    """Bytes of so many parameters in 16 bit: two each. The published 2.4 GB of a 0.6B model do not follow from this
    (1.2 GB do); they would be float32's four bytes each."""
    return 2.0 * parameters
