"""Finding artifacts again: by name, by kin, by what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensaku.config import Section
from tensaku.errors import NotFound, UsageError
from tensaku.store import Artifact, Bench, Difference, SilentReporter, SourceFile, Store, stage


class Knobs(Section):
    """One setting, and one inside a list."""

    epochs: float = 2.0
    """Passes."""
    use: tuple[str, ...] = ()
    """Names."""


@stage(version=1)
def pool(bench: Bench, cfg: Knobs, *, rows: SourceFile) -> None:
    (bench.path / "rows").write_bytes(rows.path.read_bytes())
    bench.facts["rows"] = int(cfg.epochs)


@stage(version=1)
def tune(bench: Bench, cfg: Knobs, *, pool: Artifact) -> None:
    (bench.path / "weights").write_text(f"{cfg.epochs}")


@stage(version=1)
def evaluate(bench: Bench, cfg: Knobs, *, tuned: dict[str, Artifact], pool: Artifact) -> None:
    (bench.path / "report").write_text("report")


class Told(SilentReporter):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, Told())


@pytest.fixture
def family(store: Store, tmp_path: Path) -> list[Artifact]:
    """The pool, two tunings of it, and one report on both."""
    (tmp_path / "rows").write_text("rows")
    held = store.run(pool, Knobs(), rows=SourceFile(tmp_path / "rows"))
    one, two = (store.run(tune, Knobs(epochs=n), pool=held) for n in (1.0, 2.0))
    report = store.run(evaluate, Knobs(), tuned={"one": one, "two": two}, pool=held)
    return [held, one, two, report]


def test_get_by_ref_key_and_prefix(store: Store, family: list[Artifact]) -> None:
    held = family[0]
    for name in (held.ref, held.key, "pool", held.ref[:9], held.key[:8], f"pool-{held.key}", f"pool-{held.key[:20]}"):
        assert store.get(name) == held, name


def test_an_ambiguous_prefix_is_an_error(store: Store, family: list[Artifact]) -> None:
    with pytest.raises(UsageError, match=r"'tune' may mean any of tune-.*, tune-.*Give more of the name"):
        store.get("tune")


@pytest.mark.parametrize("name", ["pol-123", "", "../artifacts", "/", ".", "pool-zzz"])
def test_an_unknown_name_is_not_found(store: Store, family: list[Artifact], name: str) -> None:
    with pytest.raises(NotFound, match="no artifact"):
        store.get(name)


def test_a_near_miss_names_the_nearest(store: Store, family: list[Artifact]) -> None:
    with pytest.raises(NotFound, match=f"Did you mean {family[0].ref}"):
        store.get("pol" + family[0].ref[4:])


def test_an_almost_right_key_is_not_taken_for_it(store: Store, family: list[Artifact]) -> None:
    key = family[0].key
    wrong = key[:40] + ("0" if key[40] != "0" else "1") + key[41:]
    with pytest.raises(NotFound):
        store.get(wrong)


def test_nothing_made_yet(store: Store) -> None:
    assert store.list() == []
    with pytest.raises(NotFound, match="There is no artifact yet"):
        store.get("tune")


def test_list_is_in_order_and_by_stage(store: Store, family: list[Artifact]) -> None:
    assert store.list() == family
    assert store.list("tune") == family[1:3]
    assert store.list("tun") == []


def test_lineage_both_ways(store: Store, family: list[Artifact]) -> None:
    held, one, two, report = family
    assert store.lineage(report.ref) == [held, one, two, report]
    assert store.lineage(two.ref) == [held, two]
    assert store.descendants(held.ref) == [one, two, report]
    assert store.descendants(one.ref) == [report]
    assert store.descendants(report.ref) == []


def test_a_lineage_with_a_gap_says_so(store: Store, family: list[Artifact]) -> None:
    family[1].path.rename(store.root / "elsewhere")
    with pytest.raises(NotFound, match=family[1].ref):
        store.lineage(family[3].ref)


def test_diff_gives_config_first_then_facts(store: Store, family: list[Artifact], tmp_path: Path) -> None:
    other = store.run(pool, Knobs(epochs=5.0, use=("x",)), rows=SourceFile(tmp_path / "rows"))
    found = store.diff(family[0].ref, other.ref)
    assert found == [
        Difference("config.epochs", 2.0, 5.0, 3.0),
        Difference("config.use", [], ["x"]),
        Difference("facts.rows", 2, 5, 3),
    ]
    assert [d.where for d in store.diff(family[1].ref, family[2].ref)] == ["config.epochs", "files.weights"]
    assert store.diff(other.ref, other.ref) == []


def test_a_damaged_artifact_is_told_of_and_left_out(store: Store, family: list[Artifact]) -> None:
    manifest = family[1].path / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text("{")
    assert store.list() == [family[0], family[2], family[3]]
    assert isinstance(store.reporter, Told)
    assert [line for line in store.reporter.lines if "the manifest is damaged" not in line] == []
    assert len(store.reporter.lines) == 1


def test_foreign_folders_are_left_alone(store: Store, family: list[Artifact]) -> None:
    (store.artifacts / "notes").mkdir()
    (store.artifacts / "notes.txt").write_text("mine")
    (store.artifacts / "my-notes").mkdir()
    assert store.list() == family
    assert (store.artifacts / "my-notes").exists()
    (store.root / "scratch" / "mine").write_text("mine")
    store.run(tune, Knobs(epochs=9.0), pool=family[0])
    assert (store.root / "scratch" / "mine").read_text() == "mine"


def test_a_renamed_artifact_is_refused(store: Store, family: list[Artifact]) -> None:
    family[1].path.rename(store.artifacts / "tune-000000000000")
    with pytest.raises(UsageError, match=f"the folder holds {family[1].ref}"):
        store.get("tune-000000000000")
