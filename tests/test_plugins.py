"""Five doors: a part is found by name, and its settings are checked before any work starts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from tensaku import plugins
from tensaku.errors import NotFound, UsageError
from tensaku.plugins import Door, NamedFile, Part


@pytest.fixture
def door() -> Door[Callable[..., Any]]:
    door: Door[Callable[..., Any]] = Door("gate")

    @door.register("beats-draft")
    def beats_draft(report: str, *, scorer: Literal["bleu", "chrf"] = "bleu", by: float) -> str:
        return f"{report} {scorer} {by}"

    @door.register("facts-kept")
    class FactsKept:
        def __init__(self, at_least: float = 1.0, paths: tuple[Path, ...] = ()) -> None:
            self.at_least, self.paths = at_least, paths

    @door.register("anything")
    def anything(**settings: Any) -> dict[str, Any]:
        return settings

    return door


def test_the_five_doors() -> None:
    doors = (plugins.sources, plugins.steps, plugins.scorers, plugins.engines, plugins.gates)
    assert [door.kind for door in doors] == ["source", "step", "scorer", "engine", "gate"]
    assert [door.group for door in doors] == [f"tensaku.{d.kind}s" for d in doors]


def test_a_part_is_built_and_called(door: Door[Callable[..., Any]]) -> None:
    part = door.build({"gate": "beats-draft", "by": 5})
    assert isinstance(part, Part)
    assert (part.name, part.args) == ("beats-draft", {"by": 5.0})
    assert part("report") == "report bleu 5.0"


def test_a_class_is_a_part_too(door: Door[Callable[..., Any]]) -> None:
    part = door.build({"gate": "facts-kept", "paths": ["a", "b"]})
    assert part().paths == (Path("a"), Path("b"))
    assert door.build({"gate": "anything", "x": [1]})() == {"x": [1]}


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ({"gate": "beats-draft", "buy": 5.0}, r"gate 'beats-draft': unknown setting 'buy'. Did you mean 'by'\?"),
        ({"gate": "beats-draft", "zzz": 5.0}, r"unknown setting 'zzz'. It takes: "),
        ({"gate": "beats-draft"}, "gate 'beats-draft': the setting 'by' is missing"),
        ({"gate": "beats-draft", "by": "5"}, "by must be a number, not the text '5'"),
        ({"gate": "beats-draft", "by": 5, "scorer": "blue"}, "scorer must be one of .*did you mean 'bleu'"),
        ({"gate": "facts-kept", "at_least": True}, "at_least must be a number, not true"),
        ({"gate": 3}, r'names no gate. Write \{ gate = "NAME" \}'),
        ({"scorer": "bleu"}, "names no gate"),
        ({}, "names no gate"),
    ],
)
def test_wrong_settings_are_named_before_work(
    door: Door[Callable[..., Any]], use: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        door.build(use)


def test_an_unknown_name_gets_the_nearest(door: Door[Callable[..., Any]]) -> None:
    with pytest.raises(NotFound, match=r"no gate 'beats-drafts'. Did you mean beats-draft\?"):
        door.build({"gate": "beats-drafts"})


def test_one_name_one_part(door: Door[Callable[..., Any]]) -> None:
    with pytest.raises(UsageError, match="two parts want to be the gate 'anything'"):
        door.register("anything")(lambda: None)


def test_a_module_read_twice_is_no_rival(door: Door[Callable[..., Any]]) -> None:
    def make() -> Callable[[], int]:
        def part() -> int:
            return 1

        return part

    door.register("twice")(make())
    door.register("twice")(make())


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package that offers parts by entry points."""
    (tmp_path / "outside_parts.py").write_text("def good(*, n: int = 1):\n    return n\n\ndef rival():\n    return 2\n")
    (tmp_path / "outside_broken.py").write_text("import not_there_at_all\n")
    for name, points in {
        "outside": "our-gate = outside_parts:good\nbroken = outside_broken:x\nlost = outside_parts:nothing\n"
        "contested = outside_parts:good\n",
        "other": "contested = outside_parts:rival\n",
    }.items():
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tensaku.gates]\n{points}")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("outside_parts", "outside_broken"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("package")
def test_parts_of_other_packages_come_in_by_entry_point(door: Door[Callable[..., Any]]) -> None:
    assert door.build({"gate": "our-gate", "n": 3})() == 3
    assert "our-gate" in door.names()
    with pytest.raises(NotFound, match="Did you mean our-gate"):
        door.get("our-gat")


@pytest.mark.usefixtures("package")
def test_a_broken_package_is_named(door: Door[Callable[..., Any]]) -> None:
    with pytest.raises(UsageError, match="outside_broken:x: the gate 'broken' cannot be loaded: ModuleNotFoundError"):
        door.get("broken")
    with pytest.raises(UsageError, match="cannot be loaded: AttributeError"):
        door.get("lost")
    with pytest.raises(UsageError, match="two packages offer the gate 'contested'"):
        door.get("contested")


def test_a_setting_that_names_a_file_is_known_as_one(door: Door[Callable[..., Any]]) -> None:
    @door.register("reads")
    def reads(text: str, /, *, exam: NamedFile, more: NamedFile = "", note: str = "") -> None:
        """Reads files."""

    assert door.files({"gate": "reads", "exam": "a.jsonl", "note": "b.jsonl"}) == {"exam": "a.jsonl"}
    assert door.files({"gate": "reads", "exam": "a", "more": "b"}) == {"exam": "a", "more": "b"}
    assert door.files({"gate": "beats-draft", "by": 2.0}) == door.files({"gate": "anything", "exam": "a"}) == {}
    with pytest.raises(UsageError, match="'exam' is missing"):
        door.files({"gate": "reads"})
    with pytest.raises(UsageError, match="exam"):
        door.files({"gate": "reads", "exam": 3})
