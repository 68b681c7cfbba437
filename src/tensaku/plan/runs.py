"""Runs that were measured: those of a benchmark's file, and what is sealed in a workspace."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from tensaku.engines.resolve import CONTEXT, PRECISION, SLOTS
from tensaku.errors import UsageError
from tensaku.plan.anatomy import Anatomy, anatomy_from
from tensaku.plan.calibrate import Constants, Error, Measured, error_of
from tensaku.plan.headers import describe
from tensaku.plan.own import (
    KNOWN,
    OwnServing,
    OwnTraining,
    serving_sizes,
    serving_work,
    training_sizes,
    training_work,
    traits_of,
)
from tensaku.plan.said import Said
from tensaku.plan.tables import table
from tensaku.store import Artifact, Store

__all__ = ["constants_of", "errors_so_far", "measured_case", "note_runs", "noted", "read_runs", "sealed_runs",
           "write_constants"]  # fmt: skip

CONSTANTS, NOTES = "machine.json", "plan-errors.jsonl"


def measured_case(name: str, row: Mapping[str, Any]) -> Measured:
    """A row of a benchmark's file: `case` (what was asked), `config` (the model's), `measured`, `date`.

    Raises:
        UsageError: it is not such a row.
    """
    try:
        case, found = row["case"], row["measured"]
        anatomy = anatomy_from(row["config"], name=case["model"], source=name)
        if row.get("stored_bits"):
            bits = float(row["stored_bits"])
            anatomy = _held_in(anatomy, bits)
        asked: OwnTraining | OwnServing
        if case["what"] == "tune":
            each = case["prompt"] + case["completion"] - 1
            asked = OwnTraining(
                case["method"], case["batch"], case["prefix"], each, case["completion"], case.get("rank", 16),
                case.get("layers", 0),
            )  # fmt: skip
            sizes, work, words = training_sizes(anatomy, asked), training_work(anatomy, asked), 0
        else:
            turn = found["whole"].index(min(found["whole"]))
            prompts, answers = found["prompts"][turn], found["tokens"][turn] / case["at_once"]
            asked = OwnServing(
                case["precision"], case["slots"], case["context"], case["at_once"], round(sum(prompts) / len(prompts)),
                round(answers),
            )  # fmt: skip
            sizes, work, words = serving_sizes(anatomy, asked), serving_work(anatomy, asked), anatomy.vocabulary
        return Measured(
            name, case["what"], sizes, work, float(found["gflops"]), words, _fastest(found),
            float(found["peak_mb"]), str(row.get("date", "")), traits_of(asked), str(row.get("processor", "")),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
        raise UsageError(f"the measured run {name!r} is damaged ({error!r})") from None


def _fastest(found: Mapping[str, Any]) -> float:
    """Of a run's repetitions the fastest: what else the machine does only slows. The first one warms up."""
    return float(min(found["all_seconds"][1:] if "all_seconds" in found else found["whole"]))


def _held_in(anatomy: Anatomy, bits: float) -> Anatomy:
    pieces = tuple(piece._replace(bits=32.0 if piece.part == "small" else bits) for piece in anatomy.pieces)
    return replace(anatomy, pieces=pieces)


def read_runs(path: Path) -> list[Measured]:
    """The runs of a benchmark's file.

    Those of one day are of one machine: they share the middle of the speeds of a plain product measured with them: a
    single reading of a fifth of a second is off by a tenth and more when something else wakes up.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        pairs = list(rows.items())
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"measured runs cannot be read ({error})", where=path) from None
    runs = [measured_case(name, row) for name, row in pairs]
    days = {day: median(run.gflops for run in runs if run.date == day) for day in {run.date for run in runs}}
    return [replace(run, gflops=days[run.date]) for run in runs]


def sealed_runs(root: Path, *, but: Collection[str] = ()) -> list[Measured]:
    """The runs sealed below `root`: trainings, memory by their largest step, time by their usual one; and exams that
    our engine answered, a row of answers each, with what its drafting was found to save.

    Only those of the own core and engine that say enough of themselves, whose base is still there. Those
    whose names are in `but` are not even looked at.
    """
    store, found = Store(root), []
    for artifact in store.list("tune"):
        with suppress(KeyError, UsageError):
            if artifact.ref not in but and (run := _training(store, artifact)) is not None:
                found.append(run)
    for artifact in store.list("answers"):
        with suppress(KeyError, UsageError):
            found += _answering(store, artifact, but)
    return found


def _answering(store: Store, artifact: Artifact, but: Collection[str]) -> list[Measured]:
    facts, cfg = artifact.facts, artifact.config
    lines = artifact.file("costs.jsonl").read_text(encoding="utf-8").splitlines()
    told = {record["row"]: record for record in map(json.loads, lines)}
    named = {row: f"{artifact.ref} {row}" for row in ("base", "tuned")}
    adapter, base = (store.get(artifact.manifest["inputs"][name]["ref"]) for name in ("adapter", "base"))
    anatomy = describe(str(base.path))
    engine = dict(cfg["engine"])
    precision = engine.get("precision", PRECISION)
    if engine.pop("engine") != "native" or anatomy.family not in KNOWN or precision == "auto":
        return []  # "auto" does not say what was taken
    slots, context = engine.get("slots", SLOTS), engine.get("context") or min(CONTEXT, anatomy.context)
    room = engine.get("memory_mb")
    gflops, found = _gflops(adapter), []
    for row, name in named.items():
        record = told.get(row)
        whole = record is not None and record["answered"] == facts["answers"][row] and record["peak_mb"] is not None
        if name in but or record is None or not whole or (row == "tuned" and adapter.facts["form"] != "adapter"):
            continue
        count = record["answered"]
        mean = {key: record[key] / count for key in ("prompt", "completion", "accepted", "rejected", "cached")}
        asked = OwnServing(
            precision, slots, context, min(cfg["at_once"], slots, count),
            round(mean["prompt"] - mean["cached"]), round(mean["completion"]),
            int(row == "tuned"), adapter.config["rank"], mean["accepted"], mean["rejected"],
            None if room is None else float(room << 20),
        )  # fmt: skip
        rounds = count / asked.users
        work = {kind: rounds * value for kind, value in serving_work(anatomy, asked).items()}
        found.append(
            Measured(
                name, "serve", serving_sizes(anatomy, asked), work, gflops, anatomy.vocabulary, record["seconds"],
                float(record["peak_mb"]), str(artifact.manifest["ended"])[:10], traits_of(asked), _processor(artifact),
            )
        )  # fmt: skip
    return found


def _gflops(tuned: Artifact) -> float:
    """The speed of a plain product that a training found on its machine."""
    return float(max(value for name, value in tuned.facts["matrix_gflops_by"].items() if name != "bf16"))


def _training(store: Store, artifact: Artifact) -> Measured | None:
    facts, cfg = artifact.facts, artifact.config
    if (
        facts.get("core") != "own"
        or facts.get("method") not in ("lora", "qlora", "full")
        or cfg.get("processes", 1) > 1
    ):
        return None
    anatomy = describe(str(store.get(facts["base"]).path))
    if anatomy.family not in KNOWN:
        return None
    batch, (tokens, scored) = cfg["batch"], facts["largest_step"]
    shape = (facts["method"], batch, facts["prefix_tokens"])
    more = (cfg["rank"], cfg["layers"])
    usual = OwnTraining(*shape, max(1, round(facts["lesson_tokens"])), max(1, round(facts["scored_tokens"])), *more)
    largest = OwnTraining(*shape, max(1, -(-tokens // batch)), max(1, -(-scored // batch)), *more)
    return Measured(
        artifact.ref,
        "tune",
        training_sizes(anatomy, largest),
        training_work(anatomy, usual),
        _gflops(artifact),
        anatomy.vocabulary,
        facts["tune_seconds"] / facts["steps"],
        float(facts["peak_memory_mb"]),
        str(artifact.manifest["ended"])[:10],
        traits_of(usual),
        _processor(artifact),
    )


def _processor(artifact: Artifact) -> str:
    """What the processor that made it called itself; empty where an earlier version did not keep it."""
    return str(artifact.manifest.get("host", {}).get("processor") or "")


def constants_of(root: Path | None) -> tuple[dict[str, Constants], str]:
    """The constants in force, and where they are from: the workspace's own if it was calibrated, else the shipped ones.

    Raises:
        UsageError: the file is damaged.
    """
    if root is not None and (root / CONSTANTS).is_file():
        path = root / CONSTANTS
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            return {kind: Constants.read(values) for kind, values in told["constants"].items()}, str(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            fix = "Run: tensaku plan --calibrate"
            raise UsageError(f"the machine's constants cannot be read ({error!r})", where=path, fix=fix) from None
    told = table("machine")
    constants = {kind: Constants.read(values) for kind, values in told["constants"].items()}
    return constants, Said(
        f"shipped with Tensaku, measured {told['measured']} on {told['machine']}",
        f"Tensaku に同梱、{told['measured']} に {told['machine']} で計測",
    )


def write_constants(root: Path, constants: Mapping[str, Constants]) -> Path:
    """Keep the machine's constants in the workspace below `root`, in one piece."""
    path = root / CONSTANTS
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"constants": {k: c.plain() for k, c in constants.items()}}) + "\n", encoding="utf-8")
    new.replace(path)
    return path


def note_runs(root: Path) -> list[Error]:
    """Keep, for every sealed training and row of answers that has none yet, what the constants in force say of it
    beside what was measured.

    Returns what was added.
    """
    added = _not_noted(root, noted(root), constants_of(root)[0])
    if added:
        with (root / NOTES).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(error._asdict()) + "\n" for error in added)
    return added


def _not_noted(root: Path, rows: Sequence[Mapping[str, Any]], constants: Mapping[str, Constants]) -> list[Error]:
    known = {row["name"] for row in rows}
    return [error_of(run, constants[run.kind]) for run in sealed_runs(root, but=known) if run.kind in constants]


def errors_so_far(root: Path) -> tuple[list[dict[str, Any]], str]:
    """What `note_runs` would have kept by now, oldest first, and where the constants are from; nothing is written.

    Raises:
        UsageError: the workspace's constants are damaged.
    """
    rows, (constants, source) = noted(root), constants_of(root)
    return rows + [error._asdict() for error in _not_noted(root, rows, constants)], source


def noted(root: Path) -> list[dict[str, Any]]:
    """What `note_runs` has kept so far; a line that was cut off while it was written is left out."""
    path = root / NOTES
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    new: dict[str, Any] = {"traits": [], "outside": []}  # what earlier versions did not note
    whole = [new | row for row in rows if isinstance(row, dict)]
    return [row for row in whole if set(row) == set(Error._fields)]
