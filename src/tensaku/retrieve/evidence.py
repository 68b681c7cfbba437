"""What a candidate's text shows of a question when it is looked at closely: where its words meet, what is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensaku.retrieve.rank import wanted
from tensaku.retrieve.words import Asked, folded

__all__ = ["EVIDENCE", "evidence"]

EVIDENCE = ("tight", "tight2", "headed", "rarest", "threes", "fives", "numbers", "fitting", "fits_near", "length")
"""`tight`: the largest share of the question's words that one sentence holds with the headings above it, by rarity;
`tight2`: that two neighbouring sentences hold; `headed`: that the headings hold; `rarest`: 1 less the rarity of the
rarest word that is missing, where the rarest of all counts 1; `threes` and `fives`: shares of the question's runs of
three and five characters; `numbers`: share of its numbers (1 where it has none); `fitting`: 1 where the passage holds
what the question asks for, and `fits_near` where its tightest sentence does; `length`: of the passage, in thousands of
characters, at most 1. All lie between 0 and 1.
"""

_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*")


def evidence(told: Asked, rarities: Sequence[float], records: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
    """One row of `EVIDENCE` for each record of a passage; `rarities` are those of `told.words`, in their order."""
    question = _Question(told, rarities)
    return np.asarray([question.looked(record) for record in records], np.float32).reshape(-1, len(EVIDENCE))


class _Question:
    def __init__(self, told: Asked, rarities: Sequence[float]) -> None:
        rare = np.asarray(rarities, float)
        self._words = list(zip(told.surfaces, (w[2:] for w in told.words), rare, strict=True))
        self._forms: dict[str, list[tuple[str, ...]]] = {}
        for meant, form in told.alike:
            for word in meant if form else ():
                self._forms.setdefault(word[2:], []).append(tuple(part[2:] for part in form))
        self._whole, self._most = max(float(rare.sum()), 1e-6), max(float(rare.max(initial=0.0)), 1e-6)
        text = folded(told.text)
        self._runs = {n: {text[at : at + n] for at in range(len(text) - n + 1)} for n in (3, 5)}
        self._numbers = set(_NUMBER.findall(text))
        self._wanted = wanted(told.text)

    def _held(self, text: str) -> NDArray[np.bool_]:
        def stands(surface: str, normal: str) -> bool:
            forms = self._forms.get(normal, ())
            return surface in text or normal in text or any(all(part in text for part in form) for form in forms)

        return np.asarray([stands(surface, normal) for surface, normal, _ in self._words], bool)

    def _share(self, held: NDArray[np.bool_]) -> float:
        return float(sum(rare for has, (_, _, rare) in zip(held, self._words, strict=True) if has)) / self._whole

    def looked(self, record: Mapping[str, Any]) -> list[float]:
        above = folded(" ".join([*record["headings"], record["clause"]]))
        text = folded(record["text"])
        pieces = [folded(record["text"][start:end]) for start, end in record["sentences"]] or [text]
        head = self._held(above)
        held = [self._held(piece) for piece in pieces]
        shares = [self._share(head | one) for one in held]
        best = int(np.argmax(shares))
        pairs = [self._share(head | one | two) for one, two in pairwise(held)] or shares
        every = head | np.logical_or.reduce(held)
        missing = max((rare for has, (_, _, rare) in zip(every, self._words, strict=True) if not has), default=0.0)
        whole = f"{above} {text}"
        numbers = set(_NUMBER.findall(whole))
        return [
            max(shares),
            max(pairs),
            self._share(head),
            1.0 - missing / self._most,
            *(sum(run in whole for run in runs) / max(len(runs), 1) for runs in self._runs.values()),
            len(self._numbers & numbers) / len(self._numbers) if self._numbers else 1.0,
            float(bool(self._wanted and self._wanted.search(text))),
            float(bool(self._wanted and self._wanted.search(pieces[best]))),
            min(len(text) / 1000, 1.0),
        ]
