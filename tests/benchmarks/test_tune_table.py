"""The figures of `make bench-tune`: ratios of medians, and no figures where the losses disagree."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.tune.course import Course, Lesson
from benchmarks.tune.data import batches
from benchmarks.tune.table import apart, check, loss_lines, ratios, speed_lines
from benchmarks.tune.trial import Failed, Row

_VERSIONS = {"torch": "2.13.0"}


def _rows(**seconds: list[float]) -> dict[str, Row]:
    return {name: Row(name, given, [2.0, 1.0], 100, _VERSIONS) for name, given in seconds.items()}


def test_ratios_are_of_medians_and_trl_counts_with_its_faster_precision() -> None:
    rows = _rows(trl=[9, 9, 30], trl_bf16=[6, 6, 6], hf=[8, 8, 100], hf_tuned=[3, 3, 3], ours=[2, 2, 9])
    found = ratios(rows)
    assert (found["vs_trl"], found["vs_hf"], found["vs_hf_tuned"]) == (3.0, 4.0, 1.5)
    assert (found["vs_trl_fp32"], found["vs_trl_bf16"], found["trl_setting"]) == (4.5, 3.0, "bf16")


def test_bf16_is_compared_with_bf16() -> None:
    rows = _rows(trl=[9], trl_bf16=[6], hf=[8], hf_bf16=[4], hf_tuned=[3], hf_tuned_bf16=[2], ours=[2], ours_bf16=[1])
    found = ratios(rows, "ours_bf16")
    assert (found["vs_hf"], found["vs_hf_tuned"]) == (4.0, 2.0)


def test_what_is_missing_has_no_ratio() -> None:
    rows = _rows(trl=[9.0], hf=[8.0], hf_tuned=[3.0], ours=[2.0])
    assert ratios(rows)["vs_trl_bf16"] is None
    assert "| Hugging Face, padded | 8.00 | 8.00 to 8.00 | 4.00 times |" in "\n".join(
        speed_lines("t", rows, check(rows))
    )


def test_other_sums_stop_the_benchmark() -> None:
    rows = _rows(hf=[1.0], ours=[1.0])
    rows["ours"].losses = [2.0, 1.0009]
    assert check(rows)["ours"] == pytest.approx(9e-4, rel=1e-3)
    rows["ours"].losses = [2.0, 1.0011]
    with pytest.raises(Failed, match="ours: losses differ"):
        check(rows)
    rows["ours"].losses = [2.0, float("nan")]
    with pytest.raises(Failed):
        check(rows)


def test_other_packages_stop_the_benchmark() -> None:
    rows = _rows(hf=[1.0], ours=[1.0])
    rows["ours"].versions = {"torch": "2.12.0"}
    with pytest.raises(Failed, match="torch"):
        check(rows)


def test_every_step_has_its_losses() -> None:
    lines = loss_lines(_rows(hf=[1.0], ours=[1.0]))
    assert [line.split()[0] for line in lines[2:4]] == ["1", "2"]
    with pytest.raises(ValueError, match="zip"):
        apart([1.0], [1.0, 2.0])


def test_course_is_read_as_written(tmp_path: Path) -> None:
    lessons = [Lesson([n], [n, n]) for n in range(5)]
    course = Course("m", None, "fp32", batches(lessons, 2, 5), [0.1] * 5, "f", options={"a": 1})
    course.write(tmp_path / "c.json")
    assert Course.read(tmp_path / "c.json") == course
    seen = [lesson.prompt[0] for batch in course.batches for lesson in batch]
    assert sorted(seen[:5]) == sorted(seen[5:]) == [0, 1, 2, 3, 4]  # every pass sees every lesson once
    assert batches(lessons, 2, 2, first=3) == course.batches[3:]
