"""What a training loop needs of whatever learns, and the learner over our own decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from tensaku.models.decoder import Decoder, Linear
from tensaku.models.products import Multiply
from tensaku.tune.attention import PackedAttention
from tensaku.tune.glue import TrainingGlue
from tensaku.tune.head import Rows, cross_entropy, losses_of
from tensaku.tune.pack import Example, Pack, pack

__all__ = ["DecoderLearner", "Learner", "Measured", "Trainable"]

E = TypeVar("E", contravariant=True)


class Measured(NamedTuple):
    """What one pass saw: summed `loss` in nats (of preferences: over preferences), the `scored` terms it is a sum of,
    and the `tokens` that went through the model."""

    loss: float
    scored: int
    tokens: int

    def __add__(self, other: object) -> Measured:
        """Both together."""
        if not isinstance(other, Measured):
            return NotImplemented
        return Measured(self.loss + other.loss, self.scored + other.scored, self.tokens + other.tokens)


class Learner(Protocol[E]):
    """What a training loop needs of whatever learns; E is one lesson (an `Example`, a preference)."""

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every trainable tensor under a stable name, fp32."""
        ...

    def count(self, lessons: Sequence[E]) -> int:
        """Terms of the loss in `lessons`: scored tokens, or preferences."""
        ...

    def gradients(self, lessons: Sequence[E], terms: int) -> Measured:
        """Add d(summed loss / terms) to the gradient of every parameter, each lesson's loss times its weight.

        `terms` counts the whole step, over all processes and passes: sums of such gradients are the mean's gradient.
        """
        ...

    def loss(self, lessons: Sequence[E]) -> Measured:
        """The loss alone, of every lesson alike."""
        ...

    def save(self, folder: Path, base: str) -> None:
        """Write what was learnt below `folder`; `base` names the model it was learnt over."""
        ...


class Trainable(Linear, Protocol):
    """The decoder's `Linear` with parameters that learn: LoRA beside frozen weights, or the weights themselves."""

    embedding_grad: Tensor | None
    """Where the gradient of embedding and tied head is summed, [vocabulary, hidden]; None where they do not learn."""
    head_grad: Tensor | None
    """The same for the head; the same tensor where the model ties them."""

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every trainable tensor under a stable name."""
        ...

    def prepare(self) -> None:
        """Called once before each step's passes, after the parameters changed."""
        ...

    def save(self, folder: Path, base: str) -> None:
        """Write what was learnt below `folder`."""
        ...


class DecoderLearner:
    """Learns completions over our own decoder: packed, the shared prefix computed once, only scored rows in the head.

    Args:
        decoder: over the weights that `trainable` stands beside; its glue is replaced by the training one.
        trainable: what learns.
        prefix: first tokens that every prompt has in common.
        multiply: the matrix product.
        head: what maps to the vocabulary, where it is not the weights' own.
    """

    def __init__(
        self, decoder: Decoder, trainable: Trainable, prefix: int, multiply: Multiply, head: Rows | None = None
    ) -> None:
        self.decoder, self.trainable = decoder, trainable
        self._head = head
        self.decoder.glue = TrainingGlue()
        self._prefix, self._multiply = prefix, multiply

    @property
    def head(self) -> Rows:
        """What maps to the vocabulary."""
        return self.decoder.weights.head if self._head is None else self._head

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every trainable tensor under a stable name."""
        return self.trainable.named_parameters()

    def count(self, lessons: Sequence[Example]) -> int:
        """The tokens that are scored."""
        return sum(len(lesson.completion) for lesson in lessons)

    def gradients(self, lessons: Sequence[Example], terms: int) -> Measured:
        """Add d(summed loss / terms) to the gradient of every parameter."""
        batch = pack(lessons, self._prefix)
        self.trainable.prepare()
        with torch.no_grad():
            x = self.decoder.embed(batch.ids)
        learns = self.trainable.embedding_grad
        if learns is not None:
            x.requires_grad_()
        hidden = self._hidden(x, batch)
        losses, grad = cross_entropy(
            hidden.detach(),
            self.head,
            batch.labels,
            terms=terms,
            multiply=self._multiply,
            head_grad=self.trainable.head_grad,
            weights=batch.weights,
        )
        hidden.backward(grad)  # type: ignore[no-untyped-call]
        if learns is not None:
            assert x.grad is not None
            learns.index_add_(0, batch.ids, x.grad, alpha=self.decoder.shape.embed_scale)
        return Measured(float(losses.sum()), len(batch.labels), len(batch.ids))

    @torch.no_grad()
    def loss(self, lessons: Sequence[Example]) -> Measured:
        """The loss alone."""
        batch = pack(lessons, self._prefix)
        self.trainable.prepare()
        hidden = self._hidden(self.decoder.embed(batch.ids), batch)
        losses = losses_of(hidden, self.head, batch.labels, self._multiply)
        return Measured(float(losses.sum()), len(batch.labels), len(batch.ids))

    def save(self, folder: Path, base: str) -> None:
        """Write what was learnt below `folder`."""
        self.trainable.save(folder, base)

    def _hidden(self, x: Tensor, batch: Pack) -> Tensor:
        attend = PackedAttention(self.decoder.shape, batch, self._multiply)
        return self.decoder.blocks(x, batch.positions, self.trainable, attend, rows=batch.scored)
