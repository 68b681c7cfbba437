"""Have the lessons been learnt by heart? A rule over the log of a training, and a count of answers that repeat.

Three signs, each enough for a warning:

`rising`    The validation loss has left its minimum for good while the training loss went on falling. Measured as
            Prechelt does (Early Stopping - But When?, 1998): GL = E_va / min E_va - 1. His GL_5 stops at 5 %; a single
            value over it is noise on a small slice, so the last two must both be over it, by 0.01 nats at least.
`gap`       The model is next to certain of every token of its lessons (mean loss at most 0.05 nats, a probability of
            95 %), and the validation slice costs it four times as much and 0.1 nats more. Where answers copy most of
            the question, a tiny loss is honest; then the validation loss is tiny as well, and nothing is said.
`repeated`  A tenth of the lessons or more have an answer that another lesson has had. What is repeated is what gets
            learnt by heart (Lee et al., Deduplicating Training Data Makes Language Models Better, 2022; Carlini et al.,
            Quantifying Memorization Across Neural Language Models, 2023). That a tenth is the line is our choice.

Without a validation slice only the third can be seen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Memorised", "Repeats", "repeats", "verdict"]

_RISE = 0.05  # GL_5
_LEAST_RISE = 0.01  # nats
_CERTAIN = 0.05  # nats
_TIMES, _APART = 4.0, 0.1
_REPEATED = 0.1


class Repeats(NamedTuple):
    """How often answers repeat: `lessons` in all, of which `extra` have an answer that an earlier one had."""

    lessons: int
    extra: int


class Memorised(NamedTuple):
    """A warning: which signs were seen, and one sentence each in Japanese and in English."""

    signs: tuple[str, ...]
    japanese: str
    english: str


def repeats(answers: Iterable[str]) -> Repeats:
    """Count answers that are equal but for white space at their ends."""
    counted = Counter(answer.strip() for answer in answers)
    return Repeats(counted.total(), counted.total() - len(counted))


def verdict(
    rows: Sequence[Mapping[str, Any]], repeated: Repeats | None = None, kept_step: int | None = None
) -> Memorised | None:
    """Whether the lessons were learnt by heart.

    Args:
        rows: of `loss.jsonl`, in order: `step`, `loss` and, where it was measured, `validation_loss`.
        repeated: how often answers repeat, if it was counted.
        kept_step: the step whose weights were kept, if not the last: what came after it does not count.
    """
    if kept_step is not None:
        rows = [row for row in rows if row["step"] <= kept_step]
    found = [sign for sign in (_rising(rows), _gap(rows), _repeated(repeated)) if sign]
    if not found:
        return None
    told = [
        sign for n, sign in enumerate(found) if n == 0 or sign[0] != "gap"
    ]  # one sentence on the validation is enough
    return Memorised(
        tuple(sign for sign, _, _ in found),
        "".join(japanese for _, japanese, _ in told),
        " ".join(english for _, _, english in told),
    )


_Sign = tuple[str, str, str] | None


def _rising(rows: Sequence[Mapping[str, Any]]) -> _Sign:
    measured = _validations(rows)
    if len(measured) < 3:
        return None
    best_step, best = min(measured, key=lambda pair: pair[1])
    later = [loss for step, loss in measured if step > best_step][-2:]
    if len(later) < 2 or min(later) < best * (1 + _RISE) or min(later) < best + _LEAST_RISE:
        return None
    if not _training(rows, measured[-1][0]) < _training(rows, best_step):
        return None  # both rise: the training diverges, which is another matter
    share = 100 * (later[-1] / best - 1)
    japanese = (
        f"検証の損失はステップ {best_step} の {best:.3f} を底に {share:.0f} % 上がり、学習の損失だけが下がり続けた。"
        "学習用の対を覚え込んでいる。tune.epochs を減らすか、tune.patience で止める。"
    )
    english = (
        f"The validation loss has risen {share:.0f} % from its lowest, {best:.3f} at step {best_step}, while the "
        "training loss went on falling: the lessons are being memorised. Lower tune.epochs, or stop early with "
        "tune.patience."
    )
    return "rising", japanese, english


def _gap(rows: Sequence[Mapping[str, Any]]) -> _Sign:
    measured = _validations(rows)
    if not measured:
        return None
    step, held_out = measured[-1]
    training = _training(rows, step)
    if training > _CERTAIN or held_out < _TIMES * training or held_out < training + _APART:
        return None
    japanese = (
        f"学習の損失は {training:.3f} とほぼ零だが、検証の損失は {held_out:.3f} ある。"
        "学習用の対を覚え込んでいる。tune.epochs か tune.learning_rate を下げるか、対を増やす。"
    )
    english = (
        f"The training loss is next to nothing ({training:.3f}) but the validation loss is {held_out:.3f}: the "
        "lessons are memorised. Lower tune.epochs or tune.learning_rate, or give more pairs."
    )
    return "gap", japanese, english


def _repeated(repeated: Repeats | None) -> _Sign:
    if repeated is None or repeated.lessons < 2 or repeated.extra < _REPEATED * repeated.lessons:
        return None
    japanese = (
        f"学習用の対 {repeated.lessons:,} 件のうち {repeated.extra:,} 件は、ほかの対と答えが同じ。"
        "繰り返された答えは覚え込まれやすい。重複を除く。"
    )
    english = (
        f"{repeated.extra:,} of {repeated.lessons:,} lessons have an answer that another lesson has too, and repeated "
        "answers get memorised. Take the duplicates out."
    )
    return "repeated", japanese, english


def _validations(rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    found = [
        (int(row["step"]), float(row["validation_loss"])) for row in rows if row.get("validation_loss") is not None
    ]
    return [pair for pair in found if math.isfinite(pair[1])]


def _training(rows: Sequence[Mapping[str, Any]], step: int) -> float:
    """Mean training loss of the tenth of all steps (3 to 50) that ends at `step`: one step's loss is noise."""
    window = min(max(len(rows) // 10, 3), 50)
    near = [float(row["loss"]) for row in rows if step - window < row["step"] <= step]
    return math.fsum(near) / len(near) if near else math.inf
