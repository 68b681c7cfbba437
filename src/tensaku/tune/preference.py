"""Direct preference optimisation (Rafailov et al. 2023): let a text become likelier than the one it was preferred to.

With policy p, reference q (the model before), question x, chosen c and rejected r:

    L = -log sigmoid(beta m),   m = [log p(c|x) - log p(r|x)] - [log q(c|x) - log q(r|x)]

and, weighed by `sft`, the chosen text's mean negative log-likelihood a token beside it (Pang et al. 2024), which keeps
the likelihood of both from sinking together. The reference enters as one number a preference, computed before the first
step, so that no second model is held. dL/dm = -beta sigmoid(-beta m), so the gradient is that of the two texts'
cross-entropies, each multiplied by one number.

Both texts stand in one pack behind their question. Tokens in which they begin alike cancel out; without `sft` they are
part of what is given, and computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from tensaku.models.decoder import Decoder
from tensaku.models.products import Multiply
from tensaku.tune.attention import PackedAttention
from tensaku.tune.glue import TrainingGlue
from tensaku.tune.head import cross_entropy, losses_of
from tensaku.tune.learner import Measured, Trainable
from tensaku.tune.pack import Example, Pack, pack

__all__ = ["Preference", "PreferenceLearner"]


class Preference(NamedTuple):
    """Under `prompt`, `chosen` rather than `rejected`, all token ids, end tokens included.

    `reference` is log q(chosen) - log q(rejected) of the model that learning starts from, in nats.
    """

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]
    reference: float = 0.0


class PreferenceLearner:
    """Learns preferences over our own decoder, one pack of two texts at a time.

    Args:
        decoder: over the weights that `trainable` stands beside; its glue is replaced by the training one.
        trainable: what learns; the embedding does not.
        beta: how far the policy may go from the reference; smaller is further.
        sft: weight of the chosen text's own loss.
        multiply: the matrix product.
    """

    def __init__(self, decoder: Decoder, trainable: Trainable, *, beta: float, sft: float, multiply: Multiply) -> None:
        self.decoder, self.trainable = decoder, trainable
        self.decoder.glue = TrainingGlue()
        self._beta, self._sft, self._multiply = beta, sft, multiply

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every trainable tensor under a stable name."""
        return self.trainable.named_parameters()

    def count(self, lessons: Sequence[Preference]) -> int:
        """The preferences."""
        return len(lessons)

    def gradients(self, lessons: Sequence[Preference], terms: int) -> Measured:
        """Add d(summed loss / terms) to the gradient of every parameter."""
        self.trainable.prepare()
        total = Measured(0.0, 0, 0)
        for lesson in lessons:
            batch = self._pack(lesson)
            hidden = self._hidden(batch)
            losses, grad = cross_entropy(
                hidden.detach(), self.decoder.weights.head, batch.labels, terms=1, multiply=self._multiply
            )
            chosen, rejected = torch.split(losses, batch.scored_per_segment)
            loss, pull = self._loss(chosen, rejected, lesson.reference)
            for_chosen = pull + self._sft / len(chosen)
            chosen_grad, rejected_grad = torch.split(grad, batch.scored_per_segment)
            chosen_grad.mul_(for_chosen / terms)
            rejected_grad.mul_(-pull / terms)
            hidden.backward(grad)  # type: ignore[no-untyped-call]
            total += Measured(loss, 1, len(batch.ids))
        return total

    @torch.no_grad()
    def loss(self, lessons: Sequence[Preference]) -> Measured:
        """The loss alone."""
        self.trainable.prepare()
        total = Measured(0.0, 0, 0)
        for lesson in lessons:
            chosen, rejected, rows = self._losses(lesson)
            total += Measured(self._loss(chosen, rejected, lesson.reference)[0], 1, rows)
        return total

    @torch.no_grad()
    def margin(self, lesson: Preference) -> float:
        """log p(chosen) - log p(rejected) of the parameters as they are, in nats; `prepare` must have been called."""
        chosen, rejected, _ = self._losses(lesson)
        return float(rejected.sum() - chosen.sum())

    def prepare(self) -> None:
        """To be called before `margin`, after the parameters changed."""
        self.trainable.prepare()

    def save(self, folder: Path, base: str) -> None:
        """Write what was learnt below `folder`."""
        self.trainable.save(folder, base)

    def _loss(self, chosen: Tensor, rejected: Tensor, reference: float) -> tuple[float, float]:
        """The loss of one preference, and how hard each text is pulled: -dL/dm, 0 to beta."""
        scaled = self._beta * (rejected.sum() - chosen.sum() - reference)
        loss = -logsigmoid(scaled) + self._sft * chosen.mean()
        return float(loss), float(self._beta * torch.sigmoid(-scaled))

    def _losses(self, lesson: Preference) -> tuple[Tensor, Tensor, int]:
        """Losses of the scored tokens of both texts, in fp64, and the rows computed."""
        batch = self._pack(lesson)
        losses = losses_of(self._hidden(batch), self.decoder.weights.head, batch.labels, self._multiply)
        chosen, rejected = torch.split(losses, batch.scored_per_segment)
        return chosen, rejected, len(batch.ids)

    def _pack(self, lesson: Preference) -> Pack:
        alike = 0 if self._sft else _alike(lesson.chosen, lesson.rejected)
        prompt = [*lesson.prompt, *lesson.chosen[:alike]]
        texts = [Example(prompt, text[alike:]) for text in (lesson.chosen, lesson.rejected)]
        return pack(texts, len(prompt) - 1)

    def _hidden(self, batch: Pack) -> Tensor:
        with torch.no_grad():
            x = self.decoder.embed(batch.ids)
        attend = PackedAttention(self.decoder.shape, batch, self._multiply)
        return self.decoder.blocks(x, batch.positions, self.trainable, attend, rows=batch.scored)


def _alike(a: Sequence[int], b: Sequence[int]) -> int:
    """How many first tokens both share; each keeps at least one of its own."""
    most = min(len(a), len(b)) - 1
    return next((n for n in range(most) if a[n] != b[n]), most)
