"""The reference page comes from the sections themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from tensaku.config import Section, explain


class Gate(Section):
    """One condition."""

    gate: str
    """Which check | rule."""
    by: float = 5.0
    """How far above,
    in points."""


class Inner(Section):
    """Inside."""

    path: Path | None = None
    """Where."""


class Spec(Section):
    """The whole file."""

    name: str
    """What it is called."""
    method: Literal["lora", "full"] = "lora"
    """The way."""
    sizes: tuple[int, ...] = (1, 2)
    """Some."""
    need: tuple[Gate, ...] = (Gate(gate="x"),)
    """All must hold."""
    ways: dict[str, list[bool]] = pydantic.Field(default_factory=dict)
    """By name."""
    free: Any = None
    """Anything."""
    bounded: Annotated[int, pydantic.Field(ge=1)] = 3
    """At least one."""
    inner: Inner = Inner()
    """Not shown: a table speaks for itself."""


def test_the_page() -> None:
    assert (
        explain(Spec)
        == """\
The whole file.

| key | type | default | meaning |
| --- | --- | --- | --- |
| `name` | text | required | What it is called. |
| `method` | `"lora"` or `"full"` | `"lora"` | The way. |
| `sizes` | list of whole number | `[1, 2]` | Some. |
| `need` | list of table | `[{"gate": "x", "by": 5.0}]` | All must hold. |
| `ways` | table of list of true or false | `{}` | By name. |
| `free` | any value |  | Anything. |
| `bounded` | whole number | `3` | At least one. |

## [[need]]

One condition.

| key | type | default | meaning |
| --- | --- | --- | --- |
| `gate` | text | required | Which check \\| rule. |
| `by` | number | `5.0` | How far above, in points. |

## [inner]

Inside.

| key | type | default | meaning |
| --- | --- | --- | --- |
| `path` | path or nothing |  | Where. |
"""
    )
