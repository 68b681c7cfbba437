"""Which word comes next, where it is not simply the most probable one: sampling, log probabilities, limits on words.

A draw depends on the seed and on the word's place in the answer, on nothing else. So with the same seed an answer is
the same
drafted or not, alone or among others: a guessed word is right if it is the very word that is drawn at its place.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from tensaku.engines.protocol import TokenScore

__all__ = ["Chooser", "Limit"]

_DRAWS = 1 << 64
_TRIES = 64


class Limit(Protocol):
    """What an answer may write."""

    def allows(self, word: int, written: Sequence[int]) -> bool:
        """Whether `word` may follow the answer's tokens `written`."""
        ...

    def narrow(self, scores: Tensor, written: Sequence[int]) -> None:
        """Set to -inf, in `scores` [vocabulary], what may not follow, so that the best that is left may. At least one
        word has to remain."""
        ...


class Chooser:
    """Chooses the words of one answer from their scores.

    Args:
        temperature: 0: the most probable word; above: a draw from softmax(scores / temperature).
        top_p: the draw is among the likeliest words that hold this share of it.
        seed: which draws; None: nobody can repeat them.
        logprobs: None, or how many of the likeliest words to report beside each chosen one.
        limits: what may be written.
        spell: the text of a word, for the report.
    """

    def __init__(
        self,
        *,
        temperature: float,
        top_p: float,
        seed: int | None,
        logprobs: int | None,
        limits: Sequence[Limit],
        spell: Callable[[int], str],
    ) -> None:
        self._temperature, self._top_p, self._logprobs = temperature, top_p, logprobs
        self._seed = random.SystemRandom().getrandbits(63) if seed is None else seed
        self._limits, self._spell = limits, spell

    @property
    def wants_scores(self) -> bool:
        """Whether scores are needed for every word, and not only where `refuses` says so."""
        return self._temperature > 0 or self._logprobs is not None

    def refuses(self, word: int, written: Sequence[int]) -> bool:
        """Whether a limit forbids `word` after `written`."""
        return not all(limit.allows(word, written) for limit in self._limits)

    @torch.inference_mode()
    def choose(self, scores: Tensor, written: Sequence[int]) -> tuple[int, TokenScore | None]:
        """The word after `written`, the answer's tokens so far; `scores`, [vocabulary], may be changed."""
        for limit in self._limits:
            limit.narrow(scores, written)
        word = self._allowed_draw(scores, written) if self._temperature > 0 else int(scores.argmax())
        return word, None if self._logprobs is None else self._report(scores, word)

    def _allowed_draw(self, scores: Tensor, written: Sequence[int]) -> int:
        """A draw among the words that the limits allow: what they refuse is drawn again."""
        for again in range(_TRIES):
            word = self._draw(scores, len(written), again)
            if all(limit.allows(word, written) for limit in self._limits):
                return word
        return int(scores.argmax())

    def _draw(self, scores: Tensor, place: int, again: int) -> int:
        shares = torch.softmax(scores.double() / self._temperature, -1)
        ordered, words = shares.sort(descending=True, stable=True)
        sums = ordered.cumsum(0)
        if self._top_p < 1:
            kept = int((sums < self._top_p).sum()) + 1  # with the word that reaches the share
            sums = sums[:kept]
        at = int(torch.searchsorted(sums, self._uniform(place, again) * float(sums[-1]), right=True))
        return int(words[min(at, len(sums) - 1)])

    def _uniform(self, place: int, again: int) -> float:
        """In [0, 1), by seed, place and how often it was tried (Philox: Salmon et al. 2011)."""
        bits = np.random.Philox(key=self._seed % _DRAWS, counter=place + again * _DRAWS).random_raw()
        return float(int(bits) >> 11) / (1 << 53)

    def _report(self, scores: Tensor, word: int) -> TokenScore:
        logs = torch.log_softmax(scores.double(), -1)
        top = torch.topk(logs, min(self._logprobs or 0, len(logs)))
        likely = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        named = tuple((self._spell(w), value) for w, value in likely if math.isfinite(value))
        return TokenScore(self._spell(word), float(logs[word]), named)
