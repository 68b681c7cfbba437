"""Scorers for tasks whose answer is a label or a JSON object rather than a text: F1 and fields."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from tensaku.errors import UsageError
from tensaku.evaluate.scoring import Scorer, Texts
from tensaku.plugins import scorers
from tensaku.records import Pair
from tensaku.resampling import Floats

__all__ = ["f1", "fields", "label", "labels_of"]

_MOST_LABELS = 100
_FEW_ANSWERS, _OFTEN = 20, 5


def label(text: str) -> str:
    """A label as it counts: NFKC, without white space or a full stop around it."""
    return unicodedata.normalize("NFKC", text).strip().strip("。.").strip()


def labels_of(lessons: Sequence[Pair]) -> Counter[str]:
    """Each final of the lessons with how often it is given, where finals are labels; empty where they are texts.

    They are labels where there are at most 20 different ones, each given 5 times on average.
    """
    finals = Counter(pair.final for pair in lessons)
    few = len(finals) <= _FEW_ANSWERS and finals.total() >= _OFTEN * len(finals)
    return finals if few else Counter()


class _F1:
    """Sums, for each label: outputs that are it and should be, outputs that are it, references that are it."""

    def __init__(self, average: str, labels: Sequence[str]) -> None:
        self._average, self._labels = average, [label(held) for held in labels]

    def statistics(self, texts: Texts) -> Floats:
        wanted, made = [label(held) for held in texts.references], [label(held) for held in texts.outputs]
        if not self._labels:
            self._labels = sorted(set(wanted))
        place = {name: at for at, name in enumerate(self._labels)}
        if len(place) > _MOST_LABELS or any(held not in place for held in wanted):
            strange = next((held for held in wanted if held not in place), "")
            what = f"the reference {strange[:40]!r} is no label" if strange else f"there are {len(place):,} labels"
            raise UsageError(what, where="scorer f1", fix="It is for few, fixed answers: name them with labels = [...]")
        sums = np.zeros((len(wanted), 3 * len(place)))
        for row, (right, said) in enumerate(zip(wanted, made, strict=True)):
            sums[row, 3 * place[right] + 2] = 1
            if said in place:  # anything else is no answer: the reference's label is missed
                sums[row, 3 * place[said] + 1] = 1
                sums[row, 3 * place[said]] = said == right
        return sums

    def figure(self, sums: Floats) -> Floats:
        both, made, wanted = (sums[..., start::3] for start in range(3))
        if self._average == "micro":
            both, made, wanted = (held.sum(axis=-1, keepdims=True) for held in (both, made, wanted))
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(made + wanted > 0, 2 * both / (made + wanted), 0.0)
        seen = np.maximum((made + wanted > 0).sum(axis=-1), 1)  # a label of which there is nothing says nothing
        return np.asarray(100 * each.sum(axis=-1) / seen)

    def signature(self) -> str:
        return f"F1|average:{self._average}|labels:{','.join(self._labels)}|tensaku-f1:1"


class _Fields:
    """Sums: fields right, made, wanted; outputs that are no JSON object, outputs."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def statistics(self, texts: Texts) -> Floats:
        rows = []
        for output, reference in zip(texts.outputs, texts.references, strict=True):
            made, wanted = self._read(output), self._read(reference)
            if wanted is None:
                what = f"the reference {reference[:40]!r} is no JSON object"
                raise UsageError(what, where="scorer fields", fix="It is for tasks whose finals are JSON objects")
            held = made or Counter()
            rows.append([(held & wanted).total(), held.total(), wanted.total(), float(made is None), 1.0])
        return np.array(rows, dtype=np.float64).reshape(-1, 5)

    def figure(self, sums: Floats) -> Floats:
        right, both = sums[..., 0], sums[..., 1] + sums[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(both > 0, 200 * right / both, 100.0))

    def signature(self) -> str:
        return f"F1 of JSON fields|fields:{','.join(sorted(self._names)) or 'all'}|tensaku-fields:1"

    def _read(self, text: str) -> Counter[tuple[str, str]] | None:
        """Every field with each of its values, as often as it stands there; None for what is no object."""
        try:
            held = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(held, dict):
            return None
        found: Counter[tuple[str, str]] = Counter()
        for name, value in held.items():
            if not self._names or name in self._names:
                values = value if isinstance(value, list) else [value]
                found.update((name, _value(one)) for one in values)
        return found


def _value(value: Any) -> str:
    """A value as it counts: texts by NFKC without white space around, figures by their worth, the rest as JSON."""
    if isinstance(value, str):
        return "text " + unicodedata.normalize("NFKC", value).strip()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


@scorers.register("f1")
def f1(*, average: Literal["macro", "micro"] = "macro", labels: list[str] | None = None) -> Scorer:
    """F1, 0 to 100, of outputs that are labels; one that is no label misses the reference's.

    Args:
        average: `macro` is the mean over labels, each counting alike however rare; `micro` counts outputs alike.
        labels: every label; by default those that stand in the references.
    """
    return _F1(average, labels or [])


@scorers.register("fields")
def fields(*, names: list[str] | None = None) -> Scorer:
    """F1, 0 to 100, of the fields of JSON objects: a field with its value is right or wrong, a list value by value.

    Args:
        names: the fields that count; by default all.
    """
    return _Fields(names or [])
