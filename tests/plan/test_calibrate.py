"""Constants that are known are found again, and the errors are of runs that were left out."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.errors import UsageError
from tensaku.plan.calibrate import Constants, Measured, calibrate, fit, nonnegative
from tensaku.plan.page import error_page
from tensaku.plan.runs import constants_of, measured_case, noted, read_runs, write_constants
from tensaku.plan.tables import table

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def _runs(*, noise: float = 0.0) -> list[Measured]:
    made = []
    for n in range(8):
        sizes = {"a": 1e9 * (1 + n), "b": 5e8 * (n % 3)}
        work = {"products": 1e12 * (1 + n % 4), "elementwise": 1e9 * (n + 1)}
        gflops = 200.0 + 50 * (n % 2)
        peak = 3e8 + 600.0 * 1000 * (n % 2) + 1.05 * sum(sizes.values())
        seconds = 1.5 * work["products"] / gflops / 1e9 + 0.4 * work["elementwise"] / 1e9
        off = 1 + noise * (-1) ** n
        made.append(
            Measured(f"run {n}", "tune", sizes, work, gflops, 1000 * (n % 2), seconds * off, peak / 2**20 * off)
        )
    return made


def test_known_constants_are_found_again() -> None:
    found = fit(_runs())
    assert found.memory == pytest.approx((3e8, 600.0, 1.05), rel=1e-3)
    assert found.time == pytest.approx({"elementwise": 0.4, "products": 1.5}, rel=1e-6)


def test_errors_are_of_runs_left_out() -> None:
    runs = _runs()
    wrong = Measured(**{**{f: getattr(runs[0], f) for f in Measured.__dataclass_fields__}, "seconds": 99.0})
    constants, errors = calibrate([wrong, *runs[1:]])
    assert errors[0].time_error is not None
    # the others were fitted without it, so it cannot excuse itself
    assert errors[0].time_error == pytest.approx((runs[0].seconds or 0) / 99.0 - 1, rel=1e-3)
    assert constants["tune"].time_band >= abs(errors[0].time_error)


def test_exact_runs_have_no_error() -> None:
    constants, errors = calibrate(_runs())
    assert max(abs(e.memory_error or 0) for e in errors) < 1e-6
    assert constants["tune"].runs == 8


def test_too_few_runs_are_not_fitted() -> None:
    with pytest.raises(UsageError, match="4 or more runs of a kind, and there are 3"):
        calibrate(_runs()[:3])


@given(st.lists(st.floats(0, 5), min_size=3, max_size=3), st.integers(0, 1000))
def test_nonnegative_least_squares(truth: list[float], seed: int) -> None:
    a = np.random.default_rng(seed).uniform(0.1, 1.0, (12, 3))
    found = nonnegative(a, a @ np.array(truth))
    assert (found >= 0).all()
    assert a @ found == pytest.approx(a @ np.array(truth), abs=1e-5)


def test_a_constant_that_would_be_negative_is_nothing() -> None:
    a = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    assert nonnegative(a, np.array([3.0, 2.0, 1.0]))[1] == 0.0


def test_constants_are_kept_and_damage_is_told(tmp_path: Path) -> None:
    shipped, source = constants_of(tmp_path)
    assert {"serve", "tune"} <= set(shipped)
    assert source.startswith("shipped with Tensaku")
    made, _ = calibrate(_runs())
    path = write_constants(tmp_path, made)
    kept, source = constants_of(tmp_path)
    assert kept == made
    assert source == str(path)
    path.write_text('{"constants": {"tune": {"memory": [1]}}}', encoding="utf-8")
    with pytest.raises(UsageError, match="Run: tensaku plan --calibrate"):
        constants_of(tmp_path)


def test_the_goals_are_met_over_the_measured_configurations() -> None:
    """Within 10 % of memory and 25 % of time, over at least 12 configurations of two models: from the runs themselves,
    not from the summary beside them."""
    runs = read_runs(RESULTS / "plan-runs.json")
    constants, errors = calibrate(runs)
    assert constants["serve"].seen == ("fp32", "int8")
    assert constants["tune"].seen == ("full", "lora", "qlora")
    summary = json.loads((RESULTS / "plan.json").read_text(encoding="utf-8"))
    memory = max(abs(e.memory_error) for e in errors if e.memory_error is not None)
    time = max(abs(e.time_error) for e in errors if e.time_error is not None)

    assert len(errors) >= 12
    assert memory <= 0.10
    assert time <= 0.25
    assert summary["memory_error_max"] == pytest.approx(memory)
    assert summary["time_error_max"] == pytest.approx(time)
    assert summary["configurations"] == len(errors)
    shipped, _ = constants_of(None)
    for kind, found in constants.items():
        assert shipped[kind].memory == pytest.approx(found.memory)
        assert shipped[kind].time == pytest.approx(found.time)
        assert shipped[kind].seen == found.seen
        assert shipped[kind].bytes_seen == pytest.approx(found.bytes_seen)
        assert shipped[kind].operations_seen == pytest.approx(found.operations_seen)


def test_a_damaged_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'x' is damaged"):
        measured_case("x", {"case": {}})
    (tmp_path / "runs.json").write_text("[", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read"):
        read_runs(tmp_path / "runs.json")


def test_the_page_shows_each_run_and_its_text_as_text(tmp_path: Path) -> None:
    row = {
        "name": "<b>tune-1</b>", "kind": "tune", "peak_mb": 1000.0, "peak_predicted": 1100.0, "memory_error": 0.1,
        "seconds": 2.0, "seconds_predicted": 1.5, "time_error": -0.25, "date": "2026-11-24", "traits": ["lora"],
        "outside": [],
    }  # fmt: skip
    html = error_page([row], "shipped")
    assert "&lt;b&gt;tune-1" in html
    assert "+10.0 %" in html
    assert "実行 run</text>" in html  # the axis counts runs, not steps of a training
    assert "ステップ" not in html
    assert "-25.0 %" in html
    assert "No run was recorded" in error_page([], "shipped")
    (tmp_path / "plan-errors.jsonl").write_text(json.dumps(row) + "\n" + '{"name": "cut', encoding="utf-8")
    assert noted(tmp_path) == [row]


def test_constants_predict_what_they_say() -> None:
    found = Constants((1e9, 10.0, 2.0), {"products": 1.0, "passes": 3.0}, 5, 0.1, 0.2)
    assert found.peak({"a": 1e9, "b": 5e8}, 1000) == 1e9 + 1e4 + 3e9
    assert found.seconds({"products": 2e12, "passes": 2e6}, 100.0) == pytest.approx(20 + 6)
    assert math.isclose(Constants.read(found.plain()).memory_band, 0.1)


def test_the_shipped_constants_name_the_machine_of_the_runs_and_not_the_one_that_fitted_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from benchmarks.plan import measure, run

    monkeypatch.setattr("tensaku.machine.processor", lambda: "another")
    monkeypatch.setattr(run, "processor", lambda: "another", raising=False)
    constants, _ = calibrate(read_runs(RESULTS / "plan-runs.json"))
    rows = measure.read()
    told = tomllib.loads(run.shipped(constants, "2026-11-24", run.measured_on(rows)))
    assert told == table("machine")
    assert told["machine"] == "AMD EPYC, 2 processors"
    mixed = {
        **rows,
        "new": {"processor": "other", "measured": {"processors": 8}},
        "old": {"measured": {"processors": 2}},
    }
    assert run.measured_on(mixed) == (
        "AMD EPYC, 2 processors; a processor that was not noted, 2 processors; other, 8 processors"
    )
