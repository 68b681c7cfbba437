"""Votes between two candidates, read from a table: who stood left, who right, which was better, or neither."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tensaku.errors import DataError, UsageError

__all__ = ["Ballots", "Columns", "Vote", "Winner", "read_votes", "win_rates"]

Winner = Literal["left", "right", "tie"]

_SAID: Mapping[str, Winner] = {
    **dict.fromkeys(("left", "1", "a", "左"), "left"),
    **dict.fromkeys(("right", "2", "b", "右"), "right"),
    **dict.fromkeys(("tie", "3", "0", "draw", "both", "引き分け", "同じ"), "tie"),
}
"""What may stand in the column `winner`, beside the name of the candidate."""


class Vote(NamedTuple):
    """One vote. `item` is what both answered, `by` who judged, `weight` how many such votes this one stands for."""

    left: str
    right: str
    winner: Winner
    item: str = ""
    by: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a table of votes are called.

    Either `left`, `right` and `winner` (left, right, tie; 1, 2, 3; or the winner's name); or, where `loser` is named,
    `winner` and `loser` hold the two names and there are no ties.
    """

    left: str = "left"
    right: str = "right"
    winner: str = "winner"
    loser: str = ""
    item: str = "item"
    by: str = "by"
    count: str = "count"


@dataclass(frozen=True, slots=True)
class Ballots:
    """Votes that count, and those set aside: by reason how many, and each with its line."""

    votes: tuple[Vote, ...]
    dropped: Counter[str] = field(default_factory=Counter)
    aside: tuple[tuple[int, str, str], ...] = ()


def read_votes(path: Path, columns: Columns | None = None) -> Ballots:
    """Read votes from a .csv or .jsonl file. A line that is no vote is set aside with its reason, never guessed.

    Raises:
        DataError: the file cannot be read, lacks a column, or holds no vote at all.
    """
    columns = columns or Columns()
    votes: list[Vote] = []
    aside: list[tuple[int, str, str]] = []
    for number, row in _rows(path, columns):
        made = _vote(row, columns)
        if isinstance(made, str):
            aside.append((number, made, json.dumps(row, ensure_ascii=False)[:200]))
        elif made is not None:
            votes.append(made)
    dropped = Counter(reason for _, reason, _ in aside)
    if not votes:
        told = "; ".join(f"{n} {reason}" for reason, n in dropped.items())
        raise DataError(f"there is no vote in it{f' ({told})' if told else ''}", file=path, fix="See docs/evaluate.md")
    return Ballots(tuple(votes), dropped, tuple(aside))


def _rows(path: Path, columns: Columns) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every line with its number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"it cannot be read: {error}", file=path, fix="Give a .csv or .jsonl file in UTF-8") from None
    if path.suffix == ".csv":
        rows = csv.DictReader(text.splitlines())
        _need(path, rows.fieldnames or (), columns)
        yield from ((rows.line_num, {str(k): v or "" for k, v in row.items()}) for row in rows)
    elif path.suffix == ".jsonl":
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield number, _object(path, number, line)
    else:
        raise DataError("this is no table of votes", file=path, fix="Give a .csv or .jsonl file")


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"this is no JSON: {error.msg}", file=path, line=number, fix="Write one object a line"
        ) from None
    if not isinstance(found, dict):
        raise DataError("this is no object", file=path, line=number, fix="Write one object a line")
    return found


def _need(path: Path, names: Sequence[str], columns: Columns) -> None:
    wanted = (columns.winner, columns.loser) if columns.loser else (columns.left, columns.right, columns.winner)
    missing = [name for name in wanted if name not in names]
    if missing:
        what = f"there is no column {' and no column '.join(map(repr, missing))}"
        fix = f"It has {', '.join(names) or 'none'}: say which is which with --left, --right, --winner, --loser"
        raise DataError(what, file=path, fix=fix)


def _vote(row: Mapping[str, Any], columns: Columns) -> Vote | str | None:
    """The vote of a line, or why it is none; None for one that counts nothing."""

    def said(name: str) -> str:
        value = row.get(name)
        return "" if value is None else str(value).strip()

    try:
        weight = float(said(columns.count) or 1.0)
    except ValueError:
        return "count is no number"
    if not math.isfinite(weight) or weight < 0:
        return "count is no number from 0 up"
    item, by = said(columns.item), said(columns.by)
    if columns.loser:
        left, right, winner = said(columns.winner), said(columns.loser), "left"
    else:
        left, right, winner = said(columns.left), said(columns.right), said(columns.winner)
    if not left or not right:
        return "a candidate has no name"
    if left == right:
        return "both candidates are the same"
    decided = _decided(winner, left, right)
    if decided is None:
        return "winner is neither of the two and no tie"
    return Vote(left, right, decided, item, by, weight) if weight else None


def _decided(said: str, left: str, right: str) -> Winner | None:
    named: dict[str, Winner] = {left: "left", right: "right"}
    return named.get(said) or _SAID.get(said.lower())


def win_rates(votes: Sequence[Vote]) -> dict[str, float]:
    """Each candidate's share of its votes that it won, 0 to 1; a tie is half a win for both.

    Raises:
        UsageError: there is no vote.
    """
    if not votes:
        raise UsageError("there are no votes", fix="Let people or a judge compare outputs first")
    won: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for vote in votes:
        left = {"left": 1.0, "right": 0.0, "tie": 0.5}[vote.winner]
        for name, share in ((vote.left, left), (vote.right, 1.0 - left)):
            won[name] += vote.weight * share  # type: ignore[assignment]
            held[name] += vote.weight  # type: ignore[assignment]
    return {name: won[name] / held[name] for name in held}
