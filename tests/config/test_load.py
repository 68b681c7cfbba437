"""A task file is read whole, and every fault in it is named at once, each with its line."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from tensaku.config import Section, load
from tensaku.errors import ConfigError


class Source(Section):
    """Where rows come from."""

    source: str
    """The reader."""
    path: Path
    """The file."""


class Tune(Section):
    """How to teach."""

    method: Literal["lora", "qlora", "full"] = "lora"
    """The way."""
    epochs: float = 2.0
    """Passes."""
    rank: int = 8
    """Width."""
    resume: bool = True
    """Go on."""
    since: datetime.date | None = None
    """A day."""


class Task(Section):
    """The job."""

    name: str
    """What it is called."""


class Sources(Section):
    """All sources."""

    use: tuple[Source, ...] = ()
    """Each."""
    named: dict[str, Source] = {}  # noqa: RUF012 - pydantic copies it
    """By name."""
    either: str | Source | None = None
    """A union."""
    extra: dict[str, Any] = {}  # noqa: RUF012
    """Anything."""


class Spec(Section):
    """The whole file."""

    task: Task
    """Job."""
    sources: Sources = Sources()
    """In."""
    tune: Tune = Tune()
    """Teach."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tensaku.toml"


def faults(file: Path, text: str, *overrides: str) -> list[str]:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, Spec, overrides)
    assert str(file) in str(caught.value)
    return caught.value.faults


def test_a_right_file(file: Path) -> None:
    file.write_text(
        '[task]\nname = "月次コメント"\n[[sources.use]]\nsource = "jsonl"\npath = "a/b.jsonl"\n'
        "[tune]\nepochs = 1\nsince = 2026-10-31\n",
        encoding="utf-8",
    )
    spec = load(file, Spec)
    assert spec.task.name == "月次コメント"
    assert spec.sources.use == (Source(source="jsonl", path=Path("a/b.jsonl")),)
    assert (spec.tune.epochs, type(spec.tune.epochs)) == (1.0, float)
    assert spec.tune.since == datetime.date(2026, 10, 31)


def test_windows_line_ends_and_byte_order_mark(file: Path) -> None:
    file.write_bytes('\ufeff[task]\r\nname = "x"\r\n'.encode())
    assert load(file, Spec).task.name == "x"
    file.write_bytes('\ufeff[task]\r\nname = "x"\r\n\r\nnmae = 1\r\n'.encode())
    with pytest.raises(ConfigError, match="line 4: unknown key"):
        load(file, Spec)


def test_all_faults_at_once_in_the_order_of_the_file(file: Path) -> None:
    text = """
[tsak]          # line 2
x = 1
[tune]
method = "lroa"
epochs = "1"
rank = 1.5
epocs = 3
resume = 1
since = "soon"
"""
    assert faults(file, text) == [
        "the key 'task' is missing",
        "line 2: unknown key 'tsak'; did you mean 'task'?",
        "line 5: tune.method: must be one of 'lora', 'qlora' or 'full', not the text 'lroa'; did you mean 'lora'?",
        "line 6: tune.epochs: must be a number, not the text '1'",
        "line 7: tune.rank: must be a whole number, not 1.5",
        "line 8: unknown key 'tune.epocs'; did you mean 'epochs'?",
        "line 9: tune.resume: must be true or false, not 1",
        "line 10: tune.since: must be a date, as in 2026-10-31, not the text 'soon'",
    ]


def test_lines_inside_lists_and_inline_tables(file: Path) -> None:
    text = """task = { name = "x", nmae = 1 }
sources.use = [
  { source = "a", path = "b" },  # { "[
  # a comment
  { source = "a",   pth = "b" },
]
sources.named."wei.rd" = { source = 1, path = "x" }
"""
    assert faults(file, text) == [
        "line 1: unknown key 'task.nmae'; did you mean 'name'?",
        "line 5: the key 'sources.use.1.path' is missing",
        "line 5: unknown key 'sources.use.1.pth'; did you mean 'path'?",
        "line 7: sources.named.wei.rd.source: must be text in quotes, not 1",
    ]


def test_lines_inside_arrays_of_tables(file: Path) -> None:
    text = '[task]\nname = "x"\n[[sources.use]]\nsource = "a"\npath = "b"\n[[sources.use]]\nsource = "a"\npath = 2\n'
    assert faults(file, text) == ["line 8: sources.use.1.path: must be text in quotes, not 2"]


def test_a_fault_in_a_union_stands_where_it_was_written(file: Path) -> None:
    text = '[task]\nname = "x"\n\n[sources.either]\nsource = "a"\n'
    found = faults(file, text)
    assert "line 4: the key 'sources.either.path' is missing" in found


def test_a_key_in_the_wrong_table_is_led_home(file: Path) -> None:
    assert faults(file, 'epochs = 1\n[task]\nname = "x"\n') == [
        "line 1: unknown key 'epochs'; it belongs at 'tune.epochs'"
    ]


def test_overrides_win_and_are_typed(file: Path) -> None:
    file.write_text('[task]\nname = "x"\n[[sources.use]]\nsource = "a"\npath = "b"\n')
    spec = load(
        file,
        Spec,
        [
            "tune.epochs=1",
            "tune.method=full",
            'task.name = "a = b"',
            "tune.since=2026-01-31",
            "sources.use.0.path=c",
            'sources.extra."a.b"={x = [1, 2]}',
        ],
    )
    assert spec.tune == Tune(epochs=1.0, method="full", since=datetime.date(2026, 1, 31))
    assert spec.task.name == "a = b"
    assert spec.sources.use[0].path == Path("c")
    assert spec.sources.extra == {"a.b": {"x": [1, 2]}}


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("tune.epochs", "must be KEY=VALUE, as in tune.epochs=1"),
        ("=1", "must be KEY=VALUE"),
        ("tune..epochs=1", "'tune..epochs' is not a key"),
        ("a b=1", "'a b' is not a key"),
        ("x]\n[y=1", "is not a key"),
        ("tune.epochs=[1", "'[1' is not a TOML value"),
        ("tune.epochs=1\ntune.rank=2", "is not a TOML value|must be one value"),
        ("tune.epochs=", "'' is not a TOML value"),
        ("tune.epochs=abc", "tune.epochs: must be a number, not the text 'abc'"),
        ("tune.epocs=1", "unknown key 'tune.epocs'; did you mean 'epochs'?"),
        ("task.name.x=1", "task.name is no table"),
        ("sources.use.7.path=x", "sources.use is a list of 1: give a position from 0 to 0, not '7'"),
        ("sources.use.first.path=x", "give a position"),
    ],
)
def test_a_wrong_override_is_named(file: Path, override: str, fault: str) -> None:
    text = '[task]\nname = "x"\n[[sources.use]]\nsource = "a"\npath = "b"\n'
    [found] = faults(file, text, override)
    assert found.startswith("override ")
    assert any(part in found for part in fault.split("|")), found


def test_faults_of_file_and_overrides_come_together(file: Path) -> None:
    found = faults(file, '[task]\nname = "x"\nfoo = 1\n', "tune.rank=x", "bad")
    assert len(found) == 3


def test_no_such_file(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no such file. Make one with: tensaku new DIR"):
        load(file, Spec)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, Spec)


def test_not_utf8(file: Path) -> None:
    file.write_bytes('[task]\nname = "月次"\n'.encode("cp932"))
    with pytest.raises(ConfigError, match=r"line 2: byte 0x8c is not UTF-8. Save the file as UTF-8"):
        load(file, Spec)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[task\nname = 1\n", "line 1, column 6: not TOML: Expected ']'"),
        ('[task]\nname = "x\n', "line 2, column 10: not TOML: Illegal character"),
        ('a = """\nx\n\n', "line 2, end of the file: not TOML: Unterminated string"),
        ("[task]\nname = 1\nname = 2\n", "not TOML: Cannot overwrite a value"),
    ],
)
def test_not_toml(file: Path, text: str, fault: str) -> None:
    [found] = faults(file, text)
    assert fault in found


def test_an_empty_file(file: Path) -> None:
    assert faults(file, "") == ["the key 'task' is missing"]


def test_validators_speak_for_themselves(file: Path) -> None:
    import pydantic

    class Picky(Section):
        """Picks."""

        n: int = pydantic.Field(1, ge=1, le=5)
        """A number."""
        even: int = 2
        """Another."""

        @pydantic.field_validator("even")
        @classmethod
        def _is_even(cls, value: int) -> int:
            if value % 2:
                raise ValueError("must be even.")
            return value

    file.write_text("n = 9\neven = 3\n")
    with pytest.raises(ConfigError) as caught:
        load(file, Picky)
    assert caught.value.faults == [
        "line 1: n: must be less than or equal to 5, not 9",
        "line 2: even: must be even",
    ]


def test_a_section_is_frozen() -> None:
    import pydantic

    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Tune().epochs = 3  # type: ignore[misc]
