"""From a row of an outside file to a `Pair`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tensaku.records import Pair
from tensaku.text.months import parse_month

__all__ = ["LABELS", "Fault", "Mapper", "fingerprint"]

TEXTS = ("draft", "final")
LABELS = ("manager", "fund", "section")
NEEDED = (*TEXTS, "as_of", *LABELS)
FREE = ("id", "family")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Fault(NamedTuple):
    """Why a row makes no pair. `missing` is true if the row has no such column at all."""

    reason: str
    field: str
    detail: str
    missing: bool = False


class Mapper:
    """Makes pairs of the rows of one file.

    Args:
        columns: field of a pair -> name of the column that holds it; a field not named here has its own name.
        fill: field -> the value that it has in every row of this file.
        values: field -> value as written -> value to take instead.
    """

    def __init__(
        self,
        columns: Mapping[str, str] | None = None,
        fill: Mapping[str, str] | None = None,
        values: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        columns, fill = columns or {}, fill or {}
        self.fill = dict(fill)
        self.values = values or {}
        self.columns = {field: columns.get(field, field) for field in (*NEEDED, *FREE) if field not in fill}

    def pair(self, values: Mapping[str, Any], source: str) -> Pair | Fault:
        """The pair in `values`; `source` names file and line."""
        for field in NEEDED:
            if field not in self.fill and self.columns[field] not in values:
                return Fault("missing-field", self.columns[field], f"there is no {self.columns[field]!r}", missing=True)
        taken: dict[str, Any] = {field: values.get(column) for field, column in self.columns.items()} | self.fill
        for field, instead in self.values.items():
            taken[field] = instead.get(str(taken[field]).strip(), taken[field])
        fault = self._fault(taken)
        if fault is not None:
            return fault
        mark = fingerprint(values)
        month = parse_month(taken["as_of"]) or ""
        texts = {field: taken[field] or "" for field in TEXTS}
        labels = {field: _label(taken.get(field)) for field in (*LABELS, *FREE)}
        labels["id"] = labels["id"] or f"row-{hashlib.sha256(f'{source}{mark}'.encode()).hexdigest()[:12]}"
        labels["family"] = labels["family"] or f"{labels['fund']}/{labels['section']}/{month}"
        told: dict[str, Any] = {**texts, **labels}
        return Pair(**told, as_of=month, source=f"{source}#{mark}")

    def _fault(self, taken: Mapping[str, Any]) -> Fault | None:
        """What is wrong with the values of one row, the worst first."""
        for field in (*TEXTS, *LABELS, *FREE):
            value, column = taken.get(field), self.columns.get(field, field)
            whole = isinstance(value, int) and not isinstance(value, bool) and field not in TEXTS
            if value is not None and not isinstance(value, str) and not whole:
                return Fault(
                    "wrong-type", column, f"in {column!r} a {type(value).__name__} stands where a text is wanted"
                )
            if isinstance(value, str) and _SURROGATE.search(value):
                return Fault("lone-surrogate", column, f"{column!r} holds half a character (a lone surrogate)")
            if field in LABELS and not _label(value):
                return Fault("empty-field", column, f"there is no value in {column!r}")
        if parse_month(taken["as_of"]) is None:
            column = self.columns.get("as_of", "as_of")
            return Fault("bad-as-of", column, f"{column!r} is {taken['as_of']!r}, which names no month; write 2026-09")
        return None


def _label(value: str | int | None) -> str:
    return "" if value is None else str(value).strip()


def fingerprint(values: Mapping[str, Any]) -> str:
    """Twelve hex digits of the SHA-256 of a row's values, whatever the order of its columns."""
    written = json.dumps(values, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:12]
