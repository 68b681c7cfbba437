"""Seconds of training until the exam reaches BLEU 80: the figure that a desk waits for.

Ours and TRL take the same lessons in the same order at the same rates and leave an adapter every few steps; the native
engine (int8) answers the exam with each, and the first that reaches the mark counts. Only training is timed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.tune.course import Course
from benchmarks.tune.data import Desk
from benchmarks.tune.trial import VARIANTS, take

__all__ = ["MARK", "cosine", "seconds_to_mark"]

MARK = 80.0
_ADAPTER = "tuned"


def cosine(steps: int, highest: float) -> list[float]:
    """The learning rates of Tensaku's own plan: a tenth of the steps rising, then half a cosine down to nothing."""
    rising = max(1, min(20, steps // 10))
    along = [(step - rising) / max(1, steps - rising) for step in range(steps)]
    return [
        highest * ((n + 1) / rising if n < rising else (1 + math.cos(math.pi * a)) / 2) for n, a in enumerate(along)
    ]


class _Exam:
    """Scores adapters over one engine."""

    def __init__(self, desk: Desk, pairs: int) -> None:
        from tensaku.engines.native.engine import NativeEngine
        from tensaku.evaluate.scorers import bleu

        self._engine = NativeEngine(desk.model(trimmed=False), precision="int8")
        self._pairs = desk.exam(pairs)
        self._job = replace(desk.workspace.job(), adapter=_ADAPTER)
        self._bleu = bleu()

    def score(self, adapter: Path) -> float:
        """BLEU of the answers."""
        from tensaku.evaluate.scoring import Texts
        from tensaku.revise import DraftText, revise_many

        self._engine.load_adapter(_ADAPTER, adapter)
        drafts = [DraftText(p.draft, p.fund, p.section, p.as_of) for p in self._pairs]
        answers = [revision.text for revision in revise_many(self._engine, self._job, drafts)]
        texts = Texts([p.draft for p in self._pairs], answers, [p.final for p in self._pairs])
        return float(self._bleu.figure(self._bleu.statistics(texts).sum(axis=0)))

    def close(self) -> None:
        """End the engine."""
        self._engine.close()


def seconds_to_mark(
    desk: Desk, course: Course, names: Sequence[str], folder: Path, peers: Path, say: Callable[[str], None], pairs: int
) -> dict[str, Any]:
    """For ours and for TRL's setting in `names` (ours first): seconds, steps, and the scores on the way.

    The later ones end a while after the step at which the first reached the mark, at the same rates: the mathematics
    is the same, so they reach it there or nearby; if one does not, its figure is None.
    """
    found: dict[str, Any] = {"mark": MARK, "exam_pairs": pairs, "batch": len(course.batches[0])}
    found["planned_steps"] = len(course.batches)
    for name in names:
        result = take(VARIANTS[name], course, folder / name, peers)
        exam = _Exam(desk, pairs)
        scores: list[dict[str, Any]] = []
        try:
            for saved in result["saved"]:
                bleu = round(exam.score(Path(saved["folder"])), 2)
                scores.append({"step": saved["step"], "seconds": round(saved["seconds"], 1), "bleu": bleu})
                say(f"{name}: step {saved['step']}, {saved['seconds']:.0f} s of training, BLEU {bleu:.1f}")
                if bleu >= MARK:
                    break
        finally:
            exam.close()
        reached = scores[-1] if scores and scores[-1]["bleu"] >= MARK else None
        key = "ours" if name.startswith("ours") else "trl"
        found |= {key: reached and reached["seconds"], f"{key}_setting": VARIANTS[name].precision}
        found[f"{key}_scores"] = scores
        if reached is not None:
            last = reached["step"] + 3 * course.save_every
            course = replace(course, batches=course.batches[:last], rates=course.rates[:last])
    return found
