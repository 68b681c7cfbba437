"""Plain Hugging Face with PEFT: a padded batch, labels -100 on prompt and padding, the model's own loss."""

from __future__ import annotations

import torch
from benchmarks.tune.course import Course, Lesson, Watch, main
from benchmarks.tune.peer import load, loop
from torch import Tensor

_IGNORED = -100


def _padded(batch: list[Lesson]) -> dict[str, Tensor]:
    longest = max(len(lesson.ids) for lesson in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    seen = torch.zeros_like(ids)
    labels = torch.full_like(ids, _IGNORED)
    for row, lesson in enumerate(batch):
        n = len(lesson.ids)
        ids[row, :n] = torch.tensor(lesson.ids)
        seen[row, :n] = 1
        labels[row, len(lesson.prompt) : n] = torch.tensor(lesson.completion)
    return {"input_ids": ids, "attention_mask": seen, "labels": labels}


def run(course: Course, watch: Watch) -> None:
    """Take the course."""
    model = load(course)

    def loss_of(batch: list[Lesson]) -> Tensor:
        found: Tensor = model(**_padded(batch), use_cache=False).loss
        return found

    loop(course, watch, model, loss_of, fused=None)


if __name__ == "__main__":
    main(run)
