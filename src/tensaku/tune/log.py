"""The log of a training run: one JSON line a step, cut back to the checkpoint when a run is taken up again."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path

__all__ = ["Log", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. `loss` in nats a scored token, before the update; `lr` its learning rate; `tokens` that went
    through the model; `seconds` since training began, over all runs; `memory_mb` the peak so far; `grad_norm` before
    clipping; `validation_loss` where the validation slice was looked at after it."""

    step: int
    loss: float
    lr: float
    tokens: int
    seconds: float
    memory_mb: int
    grad_norm: float
    validation_loss: float | None = None

    def validated(self, loss: float) -> Step:
        """The same with the loss on the validation slice."""
        return replace(self, validation_loss=loss)


class Log:
    """The file, and what stands in it.

    Args:
        path: loss.jsonl.
        done: steps of the checkpoint; what a killed run wrote after it is cut off.
        writing: whether this process writes.
    """

    def __init__(self, path: Path, done: int, *, writing: bool = True) -> None:
        self._path, self._writing = path, writing
        self.steps: list[Step] = []
        self.checkpoint_seconds = 0.0
        self._read(done)
        self._started = time.perf_counter() - (self.steps[-1].seconds if self.steps else 0.0)
        self._recent: deque[tuple[float, int]] = deque(maxlen=20)
        if writing:
            new = path.with_name(path.name + ".new")  # a kill while it is cut back must not lose what stands in it
            new.write_text("".join(_line(step) for step in self.steps), encoding="utf-8")
            new.replace(path)

    def _read(self, done: int) -> None:
        if not done or not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines()[:done]:
            try:
                self.steps.append(Step(**json.loads(line)))
            except (ValueError, TypeError):
                break  # torn by a loss of power: what is known ends here, the training itself is whole

    def seconds(self) -> float:
        """Since training began, over all runs."""
        return round(time.perf_counter() - self._started, 3)

    def write(self, step: Step) -> None:
        """Append one step."""
        self.steps.append(step)
        self._recent.append((step.seconds, step.tokens))
        if self._writing:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_line(step))

    def note(self, steps: int) -> str:
        """What a person watching wants to know: loss, speed, memory, time left."""
        last = self.steps[-1]
        words = [f"loss {last.loss:.3f}"]
        if last.validation_loss is not None:
            words.append(f"validation {last.validation_loss:.3f}")
        if len(self._recent) > 1:
            span = self._recent[-1][0] - self._recent[0][0]
            tokens = sum(n for _, n in self._recent) - self._recent[0][1]
            words.append(f"{tokens / max(span, 1e-9):,.0f} tokens/s")
            left = span / (len(self._recent) - 1) * (steps - last.step)
            words.append(f"{int(left) // 60}:{int(left) % 60:02d} left")
        words.append(f"{last.memory_mb:,} MB")
        return ", ".join(words)


def _line(step: Step) -> str:
    row = {key: value for key, value in asdict(step).items() if value is not None}
    return json.dumps(row) + "\n"
