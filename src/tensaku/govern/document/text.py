"""How figures are written, and sentences with figures in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tensaku.govern.document.parts import Cell, Line

__all__ = ["UNKNOWN", "interval_of", "number", "percent", "pieces", "signed"]

UNKNOWN = "—"
"""What stands where nothing was measured or said."""


def number(value: Any) -> str:
    """A figure as it is read: thousands set apart, no more than four decimals; a dash where there is none."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) >= 1e-3 or value == 0 else f"{value:.3g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(number, value)) or UNKNOWN
    return f"{value:,}" if isinstance(value, int) else str(value)


def percent(share: float) -> str:
    """A share of 0 to 1 in percent with one decimal."""
    return f"{100 * share:.1f} %"


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+.2f}"


def interval_of(facts: Mapping[str, Any], scorer: str, row: str) -> tuple[float, float] | None:
    """The 95 % interval of a scorer's figure for a row of the evaluation, if it was measured."""
    for name in (scorer, scorer.replace("_", "-")):
        ends = facts.get("intervals", {}).get(name, {}).get(row)
        if ends and any(ends):
            return float(ends[0]), float(ends[1])
    return None


def pieces(sentence: str, **values: Cell) -> Line:
    """A sentence with `{name}` in it, in pieces, so that each value keeps its source."""
    found: list[Cell] = []
    for piece in re.split(r"(\{\w+\})", sentence):
        if piece.startswith("{") and piece[1:-1] in values:
            found.append(values[piece[1:-1]])
        elif piece:
            found.append(piece)
    return tuple(found)
