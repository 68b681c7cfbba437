"""Equal work has equal keys; different work has different keys."""

from __future__ import annotations

import datetime
import enum
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tensaku.config import Section
from tensaku.store.keys import canonical, key_of, plain

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))
tables = st.dictionaries(st.text(), values, max_size=5)


def shuffled(value: Any, draw: Any) -> Any:
    """The same value with the keys of every table in another order, and tuples for lists."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], draw) for key in draw(st.permutations(list(value)))}
    return tuple(shuffled(inner, draw) for inner in value) if isinstance(value, list) else value


@settings(max_examples=50)
@given(tables, st.data())
def test_order_of_keys_does_not_matter(table: dict[str, Any], data: st.DataObject) -> None:
    assert key_of("s", 1, table, {}) == key_of("s", 1, shuffled(table, data.draw), {})


@given(values)
def test_the_text_gives_the_value_back(value: Any) -> None:
    # So two values that differ never share a text, hence not a key either.
    back = json.loads(canonical(value))
    assert repr(back) == repr(plain(value)) or canonical(back) == canonical(value)
    assert back == plain(value)


@given(values, values)
def test_different_values_have_different_keys(one: Any, two: Any) -> None:
    assume(canonical(one) != canonical(two))
    assert key_of("s", 1, {"v": one}, {}) != key_of("s", 1, {"v": two}, {})


@pytest.mark.parametrize(
    ("one", "two"),
    [(1, True), (1, "1"), (1, 1.0), (0, None), ("", None), ([], {}), ("é", "e\u0301"), ("Ａ", "A"), ([1, 2], [2, 1])],
)
def test_values_that_look_alike_are_told_apart(one: Any, two: Any) -> None:
    assert canonical(one) != canonical(two)


class Colour(enum.Enum):
    RED = "red"


class Inner(Section):
    """Inside."""

    path: Path = Path("a/b")
    """A path."""


class Outer(Section):
    """Outside."""

    inner: Inner = Inner()
    """A section."""
    day: datetime.date = datetime.date(2026, 10, 31)
    """A day."""
    colour: Colour = Colour.RED
    """An enum."""
    names: frozenset[str] = frozenset({"b", "a"})
    """A set."""
    table: dict[str, tuple[int, ...]] = {"x": (1, 2)}  # noqa: RUF012 - pydantic copies it
    """A table."""


def test_a_section_counts_by_value() -> None:
    assert plain(Outer()) == {
        "inner": {"path": "a/b"},
        "day": "2026-10-31",
        "colour": "red",
        "names": ["a", "b"],
        "table": {"x": [1, 2]},
    }
    assert canonical(Outer()) == canonical(Outer(inner=Inner(path=Path("a/b"))))


def test_numpy_scalars_are_numbers() -> None:
    assert plain({"a": np.float64(0.5), "b": np.int64(3), "c": np.bool_(True)}) == {"a": 0.5, "b": 3, "c": True}


@pytest.mark.parametrize("value", [object(), {1: 2}, b"x", np.zeros(3), {"a": [object()]}, float("nan"), "\udc00"])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        plain(value)


def test_keys_do_not_change_between_versions_of_tensaku() -> None:
    """Sealed results of old must be found again: this figure may only change together with SCHEMA."""
    assert key_of("tune", 1, {"epochs": 2.0, "name": "値"}, {}) == PINNED


PINNED = "43dafaf111cd6b788e9086fa2e4f5dd749c758fe662a5bf616cf1449e8e6851a"
