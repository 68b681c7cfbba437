"""Every variant of `make bench-tune` that needs no TRL does the same sums, on a tiny model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from benchmarks.tune import hf, hf_tuned, ours, table
from benchmarks.tune.course import Course, Lesson, Watch
from benchmarks.tune.data import batches, first_adapter

from tensaku.testing.model import tiny_model

pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # PEFT asks for the old name


def _course(folder: Path, *, full: bool) -> Course:
    """Lessons of many lengths, most of them longer than the tiny model's window of 12 tokens."""
    model = tiny_model(folder / "model")
    random = torch.Generator().manual_seed(3)

    def tokens(n: int) -> list[int]:
        return torch.randint(4, 300, (n,), generator=random).tolist()

    start = tokens(9)
    lessons = [Lesson(start + tokens(3 + n), tokens(5 + 2 * n)) for n in range(8)]
    adapter = None if full else str(first_adapter(model, folder / "first"))
    return Course(str(model), adapter, "fp32", batches(lessons, 3, 4), [0.01] * 4, str(folder))


def _losses(variant: ModuleType, course: Course) -> list[float]:
    watch = Watch(course)
    variant.run(course, watch)
    assert len(watch.seconds) == len(course.batches)
    return watch.losses


def test_lora_losses_agree(tmp_path: Path) -> None:
    course = _course(tmp_path, full=False)
    plain = _losses(hf, course)
    assert plain[0] != pytest.approx(plain[3], rel=1e-2)  # it learns: agreement after updates says something
    assert table.apart(_losses(hf_tuned, course), plain) < 1e-4
    assert table.apart(_losses(ours, course), plain) < 1e-4


def test_full_losses_agree(tmp_path: Path) -> None:
    course = _course(tmp_path, full=True)
    plain = _losses(hf, course)
    assert table.apart(_losses(hf_tuned, course), plain) < 1e-4
    assert table.apart(_losses(ours, course), plain) < 1e-4


def test_a_variant_saves_adapters_on_the_way(tmp_path: Path) -> None:
    course = replace(_course(tmp_path, full=False), save_every=2)
    for variant in (hf, ours):
        watch = Watch(replace(course, folder=str(tmp_path / variant.__name__)))
        variant.run(course, watch)
        assert [saved["step"] for saved in watch.saved] == [2, 4]
        for saved in watch.saved:
            assert (Path(saved["folder"]) / "adapter_model.safetensors").is_file()
        assert watch.saved[1]["seconds"] == pytest.approx(sum(watch.seconds))
