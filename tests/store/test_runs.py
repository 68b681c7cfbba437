"""A run gives the sealed result, or makes it; every failure is one clear error and leaves nothing half-made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tensaku.config import Section
from tensaku.errors import DataError, GateError, NotFound, StageError, UsageError
from tensaku.machine import processor
from tensaku.store import Artifact, Bench, SilentReporter, SourceFile, Store, stage


class Knobs(Section):
    """Settings of the stages below."""

    n: int = 1
    """A number."""
    rate: float = 0.5
    """Another."""


CALLS: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    CALLS.clear()


@stage(version=1)
def read_rows(bench: Bench, cfg: Knobs, *, rows: SourceFile) -> None:
    CALLS.append("read-rows")
    (bench.path / "inner").mkdir(exist_ok=True)
    (bench.path / "inner" / "rows.txt").write_bytes(rows.path.read_bytes() * cfg.n)
    bench.facts["rows"] = cfg.n
    bench.facts["where"] = {"a": [1, 2.5, "三", None, True]}


@stage(version=1)
def measure(bench: Bench, cfg: Knobs, *, base: Artifact, more: dict[str, Artifact]) -> None:
    CALLS.append("measure")
    (bench.path / "out.txt").write_text(base.file("inner/rows.txt").read_text() + ",".join(more))


def fails(error: BaseException) -> Any:
    @stage(version=1, name="fails")
    def work(bench: Bench, cfg: Knobs) -> None:
        (bench.path / "half.txt").write_text("half")
        raise error

    return work


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


@pytest.fixture
def rows(tmp_path: Path) -> SourceFile:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n")
    return SourceFile(path)


def test_the_work_is_done_once(store: Store, rows: SourceFile) -> None:
    first = store.run(read_rows, Knobs(), rows=rows)
    second = Store(store.root, SilentReporter()).run(read_rows, Knobs(), rows=SourceFile(rows.path))
    assert first == second
    assert CALLS == ["read-rows"]


@pytest.mark.parametrize("change", ["config", "content", "version", "name"])
def test_whatever_decides_the_result_changes_its_key(store: Store, rows: SourceFile, change: str) -> None:
    first = store.run(read_rows, Knobs(), rows=rows)
    again: Any = read_rows
    if change == "content":
        rows.path.write_text("a,c\n")
    elif change == "version":
        again = stage(version=2, name="read-rows")(read_rows._work)
    elif change == "name":
        again = stage(version=1, name="other")(read_rows._work)
    second = store.run(again, Knobs(n=2 if change == "config" else 1), rows=SourceFile(rows.path))
    assert second.key != first.key
    assert len(CALLS) == 2


def test_a_source_file_counts_by_content_not_by_place(store: Store, rows: SourceFile, tmp_path: Path) -> None:
    first = store.run(read_rows, Knobs(), rows=rows)
    elsewhere = tmp_path / "other.csv"
    elsewhere.write_bytes(rows.path.read_bytes())
    assert store.run(read_rows, Knobs(), rows=SourceFile(elsewhere)) == first


def test_the_manifest_says_what_it_is(store: Store, rows: SourceFile) -> None:
    made = store.run(read_rows, Knobs(n=3), rows=rows)
    manifest = made.manifest
    assert made.ref == f"read-rows-{made.key[:12]}"
    assert made.path == store.root / "artifacts" / made.ref
    assert (manifest["schema"], manifest["stage"], manifest["version"]) == (1, "read-rows", 1)
    assert manifest["config"] == {"n": 3, "rate": 0.5}
    assert manifest["inputs"] == {"rows": {"ref": f"file:{rows.path}", "key": rows.key}}
    assert made.facts == {"rows": 3, "where": {"a": [1, 2.5, "三", None, True]}}
    assert manifest["files"]["inner/rows.txt"]["bytes"] == 12
    assert len(manifest["files"]["inner/rows.txt"]["sha256"]) == 64
    assert manifest["started"] <= manifest["ended"]
    assert manifest["ended"].endswith("+00:00")
    assert manifest["host"]["cpus"] >= 1
    assert manifest["host"]["processor"] == processor()
    assert manifest["tensaku"]


def test_a_sealed_result_is_read_only_and_leaves_no_scratch(store: Store, rows: SourceFile) -> None:
    made = store.run(read_rows, Knobs(), rows=rows)
    for path in made.path.rglob("*"):
        assert path.is_dir() or path.stat().st_mode & 0o222 == 0, path
    assert list((store.root / "scratch").iterdir()) == []
    assert list((store.root / "locks").iterdir()) == []


def test_an_artifact_gives_its_files_by_name(store: Store, rows: SourceFile) -> None:
    made = store.run(read_rows, Knobs(), rows=rows)
    assert made.file("inner/rows.txt").read_text() == "a,b\n"
    with pytest.raises(NotFound, match=r"no file 'inner/row.txt'. Did you mean inner/rows.txt\?"):
        made.file("inner/row.txt")


def test_has_does_no_work(store: Store, rows: SourceFile) -> None:
    assert not store.has(read_rows, Knobs(), rows=rows)
    assert not store.root.exists()
    store.run(read_rows, Knobs(), rows=rows)
    assert store.has(read_rows, Knobs(), rows=rows)


def test_inputs_in_a_table_are_told_apart(store: Store, rows: SourceFile) -> None:
    base = store.run(read_rows, Knobs(), rows=rows)
    first = store.run(measure, Knobs(), base=base, more={"x": base})
    second = store.run(measure, Knobs(), base=base, more={"y": base})
    assert first.key != second.key
    assert first.inputs == {"base": base.ref, "more.x": base.ref}


def test_a_missing_source_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nope.csv: there is no such file"):
        store.run(read_rows, Knobs(), rows=SourceFile(tmp_path / "nope.csv"))
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        store.run(read_rows, Knobs(), rows=SourceFile(tmp_path))
    assert not store.root.exists()


def test_a_source_that_changes_under_the_work_is_refused(store: Store, rows: SourceFile) -> None:
    @stage(version=1)
    def meddles(bench: Bench, cfg: Knobs, *, rows: SourceFile) -> None:
        rows.path.write_text("changed while it was read")

    with pytest.raises(UsageError, match="'rows' was changed while"):
        store.run(meddles, Knobs(), rows=rows)
    assert store.list() == []


def test_a_usage_error_of_a_stage_passes_through(store: Store) -> None:
    mine = DataError("not JSON", file="x.jsonl", line=3)
    with pytest.raises(DataError) as caught:
        store.run(fails(mine), Knobs())
    assert caught.value is mine
    refused = GateError("beats-draft", measured="1", wanted="5")
    with pytest.raises(GateError):
        store.run(fails(refused), Knobs())
    assert store.list() == []


def test_any_other_failure_names_the_scratch_folder(store: Store) -> None:
    with pytest.raises(StageError, match="fails: ZeroDivisionError: by nothing") as caught:
        store.run(fails(ZeroDivisionError("by nothing")), Knobs())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.scratch is not None
    assert str(caught.value.scratch) in str(caught.value)
    assert (caught.value.scratch / "half.txt").read_text() == "half"
    assert store.list() == []


def test_ctrl_c_passes_through_and_keeps_the_scratch(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        store.run(fails(KeyboardInterrupt()), Knobs())
    assert [path.name for path in (store.root / "scratch").glob("fails-*/half.txt")] == ["half.txt"]
    assert list((store.root / "locks").iterdir()) == []


def test_a_stage_goes_on_from_its_own_checkpoints(store: Store) -> None:
    broken = [True]

    @stage(version=1)
    def trains(bench: Bench, cfg: Knobs) -> None:
        checkpoint = bench.aside / "step.txt"
        done = int(checkpoint.read_text()) if checkpoint.exists() else 0
        for step in range(done, 10):
            if broken[0] and step == 6:
                raise RuntimeError("power cut")
            CALLS.append(str(step))
            checkpoint.write_text(str(step + 1))
        (bench.path / "weights").write_text("ten")

    with pytest.raises(StageError):
        store.run(trains, Knobs())
    broken[0] = False
    made = store.run(trains, Knobs())
    assert [str(n) for n in range(10)] == CALLS
    assert made.files == ["weights"], "checkpoints set aside are not sealed"
    assert list((store.root / "scratch").iterdir()) == []


def test_what_was_sealed_but_not_put_in_place_is_not_worked_again(store: Store, rows: SourceFile) -> None:
    made = store.run(read_rows, Knobs(), rows=rows)
    made.path.rename(store.root / "scratch" / made.ref)  # as a run leaves it that is killed before its last step
    assert store.run(read_rows, Knobs(), rows=rows) == made
    assert CALLS == ["read-rows"]


def test_what_was_half_sealed_is_worked_again(store: Store, rows: SourceFile) -> None:
    made = store.run(read_rows, Knobs(), rows=rows)
    scratch = store.root / "scratch" / made.ref
    made.path.rename(scratch)
    (scratch / "inner" / "rows.txt").chmod(0o644)
    (scratch / "inner" / "rows.txt").write_text("torn")
    again = store.run(read_rows, Knobs(), rows=rows)
    assert CALLS == ["read-rows"] * 2
    assert store.verify(again.ref) == []
    assert again.file("inner/rows.txt").read_text() == "a,b\n"


def test_facts_that_cannot_be_kept_are_named(store: Store) -> None:
    for value, why in ((float("nan"), "not a finite number"), (object(), "object cannot be written"), ("\ud800", "")):

        @stage(version=1)
        def boasts(bench: Bench, cfg: Knobs, value: Any = value) -> None:
            bench.facts["loss"] = value

        with pytest.raises(StageError, match=f"the fact 'loss' cannot be kept: .*{why}"):
            store.run(boasts, Knobs())


def test_a_stage_may_not_leave_what_cannot_be_sealed(store: Store) -> None:
    @stage(version=1)
    def links(bench: Bench, cfg: Knobs) -> None:
        target = bench.path / "link"
        if cfg.n == 1:
            target.unlink(missing_ok=True)
            target.symlink_to("/etc/hostname")
        elif cfg.n == 2:
            (bench.path / "dir").symlink_to("/etc")
        elif cfg.n == 3:
            os.mkfifo(target)
        else:
            (bench.path / "manifest.json").write_text("{}")

    for n, why in ((1, "link is neither"), (2, "dir is neither"), (3, "link is neither"), (4, "manifest.json")):
        with pytest.raises(StageError, match=why):
            store.run(links, Knobs(n=n))
    assert store.list() == []


def test_a_setting_that_cannot_be_kept_is_refused_before_work(store: Store, rows: SourceFile) -> None:
    unchecked = Knobs.model_construct(**{**Knobs().model_dump(), "rate": float("inf")})
    with pytest.raises(UsageError, match="read-rows cannot be kept: inf is not a finite number"):
        store.run(read_rows, unchecked, rows=rows)
    assert CALLS == []


def test_stage_names() -> None:
    assert (read_rows.stage_name, read_rows.stage_version) == ("read-rows", 1)
    assert repr(read_rows) == "<stage read-rows version 1>"
    with pytest.raises(ValueError, match="is no name for a stage"):
        stage(version=1, name="Not a name")(lambda: None)
    with pytest.raises(ValueError, match="must be 1 or more"):
        stage(version=0, name="x")(lambda: None)
