"""The past pairs that a prompt may quote, and which of them it quotes for a draft."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast, get_args

from tensaku.errors import DataError, UsageError
from tensaku.records import Pair, from_dict
from tensaku.retrieve.similar import Index, terms

__all__ = ["EXAMPLES", "ORDERS", "PROMPT", "Examples", "Order"]

Order = Literal["nearest-last", "nearest-first"]
ORDERS: tuple[Order, ...] = get_args(Order)

PROMPT, EXAMPLES = "prompt.json", "examples.jsonl"
"""The two files that a prompt is kept in: how many pairs it quotes and in which order; the pairs."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Pairs to quote from: the `k` most like a draft, in `order`.

    Likeness is BM25 (`Index`) of the drafts, with section and fund as one term each. Of a family, which has one final
    for several drafts, only the nearest pair is quoted: the others would say the same again.
    """

    pairs: tuple[Pair, ...]
    k: int
    order: Order = "nearest-last"

    @classmethod
    def load(cls, folder: Path) -> Examples:
        """What `prompt.json` and `examples.jsonl` in `folder` say.

        Raises:
            UsageError: one is missing, or is not what the method `prompt` leaves.
        """
        told = _json(folder / PROMPT)
        k, order = told.get("k"), told.get("order")
        if not isinstance(k, int) or isinstance(k, bool) or k < 0 or order not in ORDERS:
            what = f"k is {k!r} and order {order!r}; k must be a number from 0 and order one of {', '.join(ORDERS)}"
            raise UsageError(what, where=folder / PROMPT, fix="Tune again by the method prompt")
        return cls(tuple(_pairs(folder / EXAMPLES)), k, cast(Order, order))

    def nearest(self, draft: str, section: str, fund: str) -> list[Pair]:
        """The pairs to quote for a draft, in the order in which they are to stand: `k`, or as many as there are."""
        found: list[Pair] = []
        families: set[str] = set()
        for number in self._index.ranked(_question(draft, section, fund)) if self.k else ():
            pair = self.pairs[number]
            if pair.family not in families:
                families.add(pair.family)
                found.append(pair)
            if len(found) == self.k:
                break
        return found if self.order == "nearest-first" else found[::-1]

    def without_farthest(self, quoted: Sequence[Pair]) -> list[Pair]:
        """`quoted`, as `nearest` gave it, without the pair that is least like the draft."""
        return list(quoted[:-1] if self.order == "nearest-first" else quoted[1:])

    @cached_property
    def one_line(self) -> bool:
        """True if no final has more than one line."""
        return not any("\n" in pair.final.strip() for pair in self.pairs)

    @cached_property
    def _index(self) -> Index:
        return Index(_question(pair.draft, pair.section, pair.fund) for pair in self.pairs)


def _question(draft: str, section: str, fund: str) -> list[str]:
    return [*terms(draft), f"section:{section}", f"fund:{fund}"]


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no {path.name}", where=path.parent, fix="Tune by the method prompt") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"not readable as JSON ({error})", where=path, fix="Tune again") from None
    if not isinstance(found, dict):
        raise UsageError("not a JSON object", where=path, fix="Tune again by the method prompt")
    return found


def _pairs(path: Path) -> list[Pair]:
    found = []
    try:
        with path.open(encoding="utf-8") as file:  # a line may hold U+2028
            for number, line in enumerate(file, start=1):
                try:
                    found.append(from_dict(Pair, json.loads(line)))
                except (ValueError, TypeError, AttributeError) as error:
                    raise DataError(f"this is no pair ({error})", file=path, line=number, fix="Tune again") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the examples cannot be read ({error})", where=path, fix="Tune again") from None
    return found
