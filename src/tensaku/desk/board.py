"""The list of drafts: which there are, what may be filtered by, where each one stands, what is late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from tensaku.ledger import DraftRow, Ledger, Standing
from tensaku.revise import SECTIONS

__all__ = ["STATES", "Board", "Filters", "State", "read_board", "state_of", "usual_due"]

State = Literal["todo", "revised", "review", "returned", "saved"]
STATES: tuple[State, ...] = ("todo", "revised", "review", "returned", "saved")
"""Nothing done, revised by a model, waiting for a second person, sent back by that person, final."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list shows; None is all. `month` is `YYYY-MM`."""

    month: str | None = None
    fund: str | None = None
    manager: str | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """One reading of the list. `months` come newest first: the first is "this month".

    `drafts` are ordered by fund, section as a report has them, and manager. With `review`, a final needs the approval
    of a second person before it is one.
    """

    filters: Filters
    drafts: tuple[DraftRow, ...]
    months: tuple[str, ...]
    funds: tuple[str, ...]
    managers: tuple[str, ...]
    standings: Mapping[int, Standing] = field(default_factory=dict)
    review: bool = False

    def state(self, draft: DraftRow) -> State:
        """Where a draft of the list stands."""
        return state_of(draft, self.standings.get(draft.id), review=self.review)

    def word(self, state: State) -> str:
        """The key of what a state is called: what is saved is final only where nobody else has to look at it."""
        return "final_state" if state == "saved" and self.review else state

    @property
    def counts(self) -> dict[State, int]:
        """How many drafts of the list stand where."""
        states = [self.state(draft) for draft in self.drafts]
        return {state: states.count(state) for state in STATES}


def state_of(draft: DraftRow, standing: Standing | None = None, *, review: bool = False) -> State:
    """Where a draft stands; `review`: a final counts once a second person has approved it."""
    if not draft.finals:
        return "revised" if draft.revisions else "todo"
    if not review or (standing is not None and standing.review == "approved"):
        return "saved"
    return "returned" if standing is not None and standing.review == "returned" else "review"


def usual_due(as_of: str, due_day: int) -> date | None:
    """The day on which comments of a month are due: day `due_day` of the month that follows; 0: no such day."""
    if not due_day:
        return None
    year, month = int(as_of[:4]), int(as_of[5:])
    return date(year + month // 12, month % 12 + 1, due_day)


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
        ledger.standings() if ledger.review else {},
        ledger.review,
    )
