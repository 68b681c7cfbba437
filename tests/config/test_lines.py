"""The line index agrees with what tomllib reads."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.config.lines import Loc, line_index


def locations(value: Any, at: Loc = ()) -> set[Loc]:
    """Every key and list position of a value that tomllib read."""
    found: set[Loc] = {at} if at else set()
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= locations(inner, (*at, key))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            found |= locations(inner, (*at, n))
    return found


TRICKY = '''# [comment]
a.b."c.d" = 1 # = [
'lit.eral' = 'x # "y'
s = "q\\" # [ ]"
m = """
[not.a.table] "" # x
k = 1 \\"""
"""
l = \'\'\'
it's [x]
\'\'\'
d = 1979-05-27 07:32:00Z
n = [ [1, 2],
      # between
      ["]", '}'], { x = { y = [ { z = 1 } ] } },
]
e = {}
f = []
[t . "u v" ]
x = +1_000
[[arr]]
a = 1
[[arr.inner]]
b = 2
[[arr.inner]]
b = 3
[arr.inner.deep]
c = inf
[[arr]]
a = 4
[t2]
'''


def test_every_key_of_a_tricky_file_has_its_line() -> None:
    index = line_index(TRICKY)
    lines = TRICKY.splitlines()
    assert locations(tomllib.loads(TRICKY)) <= set(index)
    for loc, start in {
        ("a", "b", "c.d"): "a.b.",
        ("lit.eral",): "'lit",
        ("l",): "l = ",
        ("d",): "d = ",
        ("n", 1): "      [",
        ("n", 2, "x", "y", 0, "z"): "      [",
        ("t", "u v", "x"): "x = ",
        ("arr", 0, "inner", 1, "b"): "b = 3",
        ("arr", 0, "inner", 1, "deep", "c"): "c = ",
        ("arr", 1, "a"): "a = 4",
        ("t2",): "[t2]",
    }.items():
        assert lines[index[loc] - 1].startswith(start), loc


@pytest.mark.parametrize("text", ["", "\n\n", "# only", 'a = """"quoted""""', "a = ''''x'''' ", 'a = """x\\\n  y"""'])
def test_corners(text: str) -> None:
    assert locations(tomllib.loads(text)) <= set(line_index(text))


keys = st.text(min_size=1, max_size=4)
scalars = st.integers(-9, 9) | st.booleans() | st.text(max_size=6)
tables = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=12
)


def written(value: Any) -> str:
    """A value as TOML, all on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {written(inner)}" for key, inner in value.items()) + "}"
    return str(value)


def quoted(text: str) -> str:
    return '"' + "".join(c if c.isalnum() or c in " #[]{}=,'." else f"\\U{ord(c):08x}" for c in text) + '"'


@given(st.dictionaries(keys.filter(lambda k: k.isprintable()), tables, max_size=4))
def test_any_file_is_indexed(data: dict[str, Any]) -> None:
    text = "".join(f"{quoted(key)} = {written(value)}\n" for key, value in data.items())
    assert tomllib.loads(text) == data
    index = line_index(text)
    assert locations(data) <= set(index)
    for n, key in enumerate(data):
        assert {line for loc, line in index.items() if loc[0] == key} == {n + 1}
