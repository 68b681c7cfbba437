"""The list of drafts: which there are, what may be filtered by, where each one stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tensaku.ledger import DraftRow, Ledger
from tensaku.revise import SECTIONS

__all__ = ["Board", "Filters", "read_board", "state_of"]

State = Literal["todo", "revised", "saved"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list shows; None is all. `month` is `YYYY-MM`."""

    month: str | None = None
    fund: str | None = None
    manager: str | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """One reading of the list. `months` come newest first: the first is "this month".

    `drafts` are ordered by fund, section as a report has them, and manager.
    """

    filters: Filters
    drafts: tuple[DraftRow, ...]
    months: tuple[str, ...]
    funds: tuple[str, ...]
    managers: tuple[str, ...]

    @property
    def counts(self) -> dict[State, int]:
        """How many drafts of the list stand where."""
        states = [state_of(draft) for draft in self.drafts]
        return {"todo": states.count("todo"), "revised": states.count("revised"), "saved": states.count("saved")}


def state_of(draft: DraftRow) -> State:
    """Where a draft stands: nothing done, revised by a model, saved by a writer."""
    if draft.finals:
        return "saved"
    return "revised" if draft.revisions else "todo"


def read_board(ledger: Ledger, filters: Filters | None) -> Board:
    """Read the list; without filters, that of the newest month. Blocks."""
    everything = ledger.drafts()
    months = tuple(sorted({d.as_of for d in everything}, reverse=True))
    if filters is None:
        filters = Filters(month=months[0] if months else None)
    of_month = [d for d in everything if filters.month in (None, d.as_of)]
    shown = [d for d in of_month if filters.fund in (None, d.fund) and filters.manager in (None, d.manager)]
    order = list(SECTIONS["ja"])
    shown.sort(key=lambda d: (d.fund, order.index(d.section) if d.section in order else len(order), d.manager, d.id))
    return Board(
        filters,
        tuple(shown),
        months,
        tuple(sorted({d.fund for d in of_month})),
        tuple(sorted({d.manager for d in of_month})),
    )
