"""What a walked road says of itself: which engine it had, what was drafted, and what no band covers."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tensaku.engines import resolve
from tensaku.engines.native.engine import NativeEngine
from tensaku.machine import processor
from tensaku.models.products import Speed
from tensaku.plan import Ask, Load, describe, plan_here
from tensaku.plan.calibrate import Constants, Error, Measured, calibrate, error_of, fit
from tensaku.plan.own import OwnServing, serving_sizes
from tensaku.plan.page import cells, error_page
from tensaku.plan.runs import constants_of, sealed_runs, write_constants
from tensaku.plan.text import error_lines
from tensaku.testing import tiny_desk

Cli = Callable[..., Any]


def test_the_engine_has_the_defaults_that_the_planner_reads() -> None:
    from tensaku import plugins

    for made in (NativeEngine.__init__, plugins.engines.get("native")):
        said = inspect.signature(made).parameters
        assert said["slots"].default == resolve.SLOTS
        assert said["precision"].default == resolve.PRECISION
        assert said["context"].default is None  # then CONTEXT, or what the base was made for


def _answered(road: Path, monkeypatch: pytest.MonkeyPatch, engine: Mapping[str, Any]) -> dict[str, Any]:
    """The rows of answers of the road, as if `engine` had been said in its section."""
    from tensaku.store import Artifact

    def config(self: Artifact) -> Any:
        told = self.manifest["config"]
        return {**told, "engine": {"engine": "native", **engine}} if "at_once" in told else told

    with monkeypatch.context() as changed:
        changed.setattr(Artifact, "config", property(config))
        return {run.name.partition(" ")[2]: run for run in sealed_runs(road / ".tensaku") if run.kind == "serve"}


def test_places_and_context_that_nobody_said_are_the_engines_own(road: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = _answered(road, monkeypatch, {})
    said = _answered(road, monkeypatch, {"slots": resolve.SLOTS})
    assert silent["base"].sizes == said["base"].sizes
    more = _answered(road, monkeypatch, {"slots": 2 * resolve.SLOTS})
    assert more["base"].sizes["keys and values"] == 2 * silent["base"].sizes["keys and values"]
    monkeypatch.setattr("tensaku.plan.runs.SLOTS", 3)
    fewer = _answered(road, monkeypatch, {})
    assert fewer["base"].sizes["keys and values"] * resolve.SLOTS == 3 * silent["base"].sizes["keys and values"]


def test_memory_that_was_bounded_is_no_more_than_that(road: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free, bound = _answered(road, monkeypatch, {}), _answered(road, monkeypatch, {"memory_mb": 0})
    assert free["base"].sizes["keys and values"] > 0
    assert "keys and values" not in bound["base"].sizes


def test_a_precision_that_the_engine_chose_by_itself_is_not_guessed(
    road: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _answered(road, monkeypatch, {"precision": "auto"}) == {}


def test_the_demonstration_notes_its_errors(cli: Cli, tmp_path: Path) -> None:
    from tensaku.demo import lay_out

    folder = tiny_desk(tmp_path / "demo")
    lay_out(folder)
    assert cli("demo", folder, "--no-serve").code == 0
    notes = (folder / ".tensaku" / "plan-errors.jsonl").read_text(encoding="utf-8").splitlines()
    told = [json.loads(note) for note in notes]
    assert [row["kind"] for row in told] == ["tune", "serve", "serve"]
    assert all(row["peak_mb"] and row["seconds"] for row in told)


def test_answers_with_drafting_are_predicted_and_no_band_covers_them(road: Path) -> None:
    """The exam of the road drafts; the shipped constants were fitted to runs that did not."""
    constants, _ = constants_of(None)
    runs = {run.name.partition(" ")[2]: run for run in sealed_runs(road / ".tensaku")}
    fitted = constants["serve"].gflops_seen[0]
    tuned = replace(runs["tuned"], processor="AMD EPYC", gflops=fitted)
    assert tuned.traits == ("int8", "adapters", "drafting")
    error = error_of(tuned, constants["serve"])
    assert error.seconds_predicted
    assert error.outside[:2] == ("adapters", "drafting")
    assert "less memory" in error.outside  # a tiny model
    tune = replace(runs[""], processor="AMD EPYC", gflops=fitted)
    assert error_of(tune, constants["tune"]).outside == ("less memory", "less work")
    assert "had adapters, drafting" in "\n".join(error_lines([error]))
    assert "drafting＊" in error_page([error._asdict()], "shipped")
    assert fit([tuned]).seen == ("adapters", "drafting", "int8")
    assert error_of(tuned, fit([tuned])).outside == ()


def test_another_processor_is_outside_the_band_until_it_was_calibrated_there(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    constants, _ = constants_of(None)
    assert constants["tune"].processors == ("AMD EPYC",)
    words = ("plan", "gemma-3-270m", "lora", "--gpu", "this-machine")
    speed = constants["tune"].gflops_seen[0]
    monkeypatch.setattr("tensaku.models.products.speed", lambda: Speed(speed, speed, 0.0))
    monkeypatch.setattr("tensaku.plan.command.processor", lambda: "AMD EPYC")
    assert cli(*words, "--json").json["outside"] == []
    monkeypatch.setattr("tensaku.plan.command.processor", lambda: "Intel(R) Xeon(R) Platinum 8480+")
    assert cli(*words, "--json").json["outside"] == ["another processor"]
    assert "they are of another processor: the bands do not cover this machine" in cli(*words).out

    (tmp_path / ".tensaku").mkdir()
    there = {kind: one._replace(processors=("Intel(R) Xeon(R) Platinum 8480+",)) for kind, one in constants.items()}
    write_constants(tmp_path / ".tensaku", there)
    assert cli(*words, "-C", tmp_path, "--json").json["outside"] == []
    monkeypatch.setattr("tensaku.plan.command.processor", lambda: "AMD EPYC")  # the folder was carried elsewhere
    assert cli(*words, "-C", tmp_path, "--json").json["outside"] == ["another processor"]

    for off, said in ((0.4, "slower processor"), (2.5, "faster processor")):  # rented machines hide their names
        monkeypatch.setattr("tensaku.models.products.speed", lambda off=off: Speed(off * speed, 1.0, 0.0))
        assert cli(*words, "--json").json["outside"] == [said]


def test_a_run_says_on_which_processor_it_was(road: Path) -> None:
    run = next(run for run in sealed_runs(road / ".tensaku") if run.kind == "tune")
    assert run.processor == (processor() or "")
    elsewhere = replace(run, processor="another")
    constants = fit([replace(run, processor="the one")])
    assert error_of(elsewhere, constants).outside == ("another processor",)
    assert error_of(replace(run, processor=""), constants).outside == ()  # not kept by an earlier version
    assert "別のプロセッサー＊" in str(cells(error_of(elsewhere, constants)._asdict(), ja=True))


def test_what_is_drafted_is_planned_here_and_said_to_be_outside_the_band(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    speed = constants_of(None)[0]["serve"].gflops_seen[0]
    monkeypatch.setattr("tensaku.models.products.speed", lambda: Speed(speed, speed, 0.0))
    monkeypatch.setattr("tensaku.plan.command.processor", lambda: "AMD EPYC")
    words = ("plan", "gemma-3-270m", "serve", "--gpu", "this-machine")  # one answer alone
    plain = cli(*words, "--json").json
    drafted = cli(*words, "-s", "serve.accepted=0.9", "--json").json
    assert drafted["peak"] == plain["peak"]
    assert drafted["outside"] == ["drafting"]
    assert plain["outside"] == []
    assert "had drafting: the bands do not cover this" in cli(*words, "-s", "serve.accepted=0.9").out
    assert "do not cover" not in cli(*words).out


def test_guesses_that_are_all_wrong_only_cost() -> None:
    constants, source = constants_of(None)
    model = describe("gemma-3-270m")
    times = [
        plan_here(model, "serve", Ask(serve=Load(accepted=share)), constants, source, 400.0).seconds
        for share in (0.0, 1e-9, 0.5, 1.0)
    ]
    assert times[1] > times[0] > times[2] > times[3]


def test_old_constants_say_nothing_of_what_they_saw() -> None:
    told = Constants((1.0, 0.0, 1.0), {}, 4, 0.1, 0.2, ("lora",)).plain()
    assert Constants.read(told).outside(("lora", "full"), {}, {}) == ("full",)
    del told["seen"]
    assert Constants.read(told).outside(("lora",), {}, {}) == ("lora",)


def test_the_room_for_keys_and_values_is_bounded() -> None:
    model = describe("gemma-3-270m")
    asked = OwnServing("int8", 8, 2048, 1, 10, 10)
    assert serving_sizes(model, asked._replace(memory=1e6))["keys and values"] == 1e6
    assert serving_sizes(model, asked._replace(memory=1e15)) == serving_sizes(model, asked)


def test_what_an_earlier_version_noted_is_still_shown(tmp_path: Path) -> None:
    from tensaku.plan.runs import noted

    row = Error("tune-1", "tune", 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, "2026-11-24")._asdict()
    old = {key: value for key, value in row.items() if key not in ("traits", "outside")}
    (tmp_path / "plan-errors.jsonl").write_text(json.dumps(old) + "\n", encoding="utf-8")
    assert noted(tmp_path) == [{**old, "traits": [], "outside": []}]
    assert "tune-1" in error_page(noted(tmp_path), "shipped")


def test_constants_of_tiny_models_say_that_a_large_one_is_beyond_them() -> None:
    """Four tiny trainings had a band of a fifth, and their constants gave Gemma less than its weights within that."""
    model = describe("gemma-3-270m")
    runs = [
        Measured(
            f"tiny {n}",
            "tune",
            {"weights": 1e6 * n},
            {"products": 1e9 * n},
            100.0,
            0,
            0.1 * n,
            600.0 - n,
            "",
            ("lora",),
        )
        for n in range(1, 6)
    ]
    constants, errors = calibrate(runs)
    assert all(error.outside in ((), ("less memory", "less work"), ("more memory", "more work")) for error in errors)
    found = plan_here(model, "lora", Ask(), constants, "here", 100.0)
    assert found.peak >= sum(found.parts.values())
    assert found.outside == ("more memory", "more work")
    assert "more memory, more work: the bands do not cover this" in "\n".join(found.lines())
