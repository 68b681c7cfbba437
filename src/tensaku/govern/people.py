"""Who might do what at a moment in the past, as the log tells it: rows say only how things stand now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tensaku.ledger import Ledger, LogEntry, PersonRow
from tensaku.ledger.rows import OTHER_NAMES

__all__ = ["people_at"]


def people_at(ledger: Ledger, at: datetime, entries: Sequence[LogEntry] | None = None) -> list[PersonRow]:
    """The people whom the ledger knew at a moment, with the roles, bounds and standing they had then, by name.

    Args:
        ledger: whose.
        at: the moment, with a time zone.
        entries: its log, if it was read already.

    Raises:
        UsageError: the log is not for who asks to read.
    """
    until = at.astimezone(UTC).isoformat()
    now = {row.name: row for row in ledger.people()}
    then: dict[str, PersonRow] = {}
    for entry in ledger.log() if entries is None else entries:
        kind, _, name = entry.subject.partition(":")
        if kind != "person" or name not in now or entry.at > until:
            continue
        if entry.what == "person.added":
            roles = _roles(entry.detail.get("roles", now[name].roles))
            then[name] = replace(now[name], roles=roles, active=True, scopes=tuple(entry.detail.get("scopes", ())))
        elif name in then and entry.what == "person.roles":
            then[name] = replace(then[name], roles=_roles(entry.detail["after"]))
        elif name in then and entry.what == "person.active":
            then[name] = replace(then[name], active=bool(entry.detail["active"]))
        elif name in then and entry.what == "person.scopes":
            then[name] = replace(then[name], scopes=tuple(entry.detail["after"]))
    return [then[name] for name in sorted(then)]


def _roles(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(OTHER_NAMES.get(name, name) for name in names)
