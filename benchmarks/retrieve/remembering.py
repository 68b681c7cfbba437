"""An embedder that keeps the vectors of questions, since each is asked several times here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tensaku.models.embed import Embedder

__all__ = ["Remembering"]


class Remembering:
    """`inner`, each question asked once. `path` holds what was kept before."""

    def __init__(self, inner: Embedder, path: Path) -> None:
        self.name, self._inner, self._path = inner.name, inner, path
        self._kept: dict[str, Any] = {}
        if path.is_file():
            told = np.load(path)
            self._kept = dict(zip(told["questions"].tolist(), told["vectors"], strict=True))
        self._known, self.seconds = len(self._kept), 0.0

    def passages(self, texts: Sequence[str]) -> Any:
        """As the inner one."""
        return self._inner.passages(texts)

    def question(self, text: str) -> Any:
        """As the inner one, once."""
        if text not in self._kept:
            began = time.perf_counter()
            self._kept[text] = self._inner.question(text)
            self.seconds += time.perf_counter() - began
        return self._kept[text]

    def learn(self, questions: Sequence[str]) -> None:
        """Take the vectors of all questions, and write them down for a next run as they come."""
        for number, question in enumerate(questions, start=1):
            self.question(question)
            if number % 500 == 0 or number == len(questions):
                self._keep()

    def _keep(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(self._path, questions=np.asarray(list(self._kept)), vectors=np.stack(list(self._kept.values())))

    @property
    def each_ms(self) -> float:
        """Mean time of a question's vector, in milliseconds; 0 where all were kept before."""
        return 1000 * self.seconds / max(len(self._kept) - self._known, 1)
