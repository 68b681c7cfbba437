"""What the second line does about a model at the desk: the calls of the command line, on what was seen and once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time

from sqlalchemy.orm import Session

from tensaku.desk.frame import Form
from tensaku.desk.rights import PersonalLedger
from tensaku.errors import NotFound, UsageError
from tensaku.govern.approval import approve
from tensaku.govern.barriers import Barriers
from tensaku.govern.findings import add_exception, add_finding
from tensaku.govern.inventory import override_rating
from tensaku.ledger import Conditions, Ledger
from tensaku.ledger.obstacles import mark_of

__all__ = ["ACTS", "DECISIONS", "Mistake", "SeenLedger", "Superseded"]

DECISIONS = ("approve", "reject", "withdraw")
"""Acts of an approver; the others are everybody's of the second line."""


class Superseded(UsageError):
    """Something was entered about the model after the page was read; nothing was done."""


class Mistake(Exception):
    """A field of the form that says nothing or nothing that can be read; `word` names the message."""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(word)


class SeenLedger(PersonalLedger):
    """The ledger of a person who acts on what they have seen of a model.

    Whatever is written is held, in the very transaction, against the mark that the page bore: of two who press at once,
    and of a button that is pressed twice, the first counts, and the second is told.
    """

    def __init__(self, ledger: Ledger, name: str, barriers: Barriers | None, ref: str, mark: str) -> None:
        super().__init__(ledger, name, barriers)
        self._ref, self._mark = ref, mark

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with super()._write() as session:
            if mark_of(session, self._ref) != self._mark:
                what = f"something was entered about {self._ref} after this page was read, so nothing was done"
                raise Superseded(what, where=self.where, fix="Look at it as it stands now, and decide then")
            yield session


def _said(form: Form, name: str) -> str:
    """A reason that has to be given."""
    text = _text(form, name)
    if not text:
        raise Mistake("apv_fault_reason")
    return text


def _text(form: Form, name: str) -> str:
    return form.one(name).replace("\r\n", "\n").strip()


def end_of(text: str) -> datetime | None:
    """The end of a day as this machine's clock has it; None: none is named.

    Raises:
        Mistake: it is no day, or one that is over.
    """
    if not text.strip():
        return None
    try:
        found = datetime.combine(date.fromisoformat(text.strip()), time(23, 59, 59)).astimezone()
    except (ValueError, OverflowError):
        raise Mistake("apv_fault_day") from None
    if found <= datetime.now().astimezone():
        raise Mistake("apv_fault_past")
    return found


def _until(form: Form, name: str) -> datetime:
    found = end_of(form.one(name))
    if found is None:
        raise Mistake("apv_fault_day")
    return found


def _whole(text: str, least: int, most: int) -> int | None:
    if not text.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()) or not least <= int(text) <= most:
        raise Mistake("apv_fault_number")
    return int(text)


def _approve(own: SeenLedger, me: str, ref: str, form: Form) -> None:
    percent = _whole(form.one("share"), 1, 99)
    tasks = tuple(dict.fromkeys(name for name in re.split(r"[\s,、，]+", form.one("tasks")) if name))
    bound = Conditions(
        tasks,
        _whole(form.one("requests"), 1, 999_999_999),
        end_of(form.one("until")),
        _text(form, "override"),
        _text(form, "change"),
    )
    share = percent / 100 if percent is not None else None
    approve(own, ref, me, "approved", _text(form, "note"), share=share, conditions=bound)


def _reject(own: SeenLedger, me: str, ref: str, form: Form) -> None:
    approve(own, ref, me, "rejected", _said(form, "note"))


def _withdraw(own: SeenLedger, me: str, ref: str, form: Form) -> None:
    approve(own, ref, me, "withdrawn", _said(form, "note"))


def _finding(own: SeenLedger, me: str, ref: str, form: Form) -> None:
    add_finding(own, ref, _said(form, "text"), form.one("severity"), _until(form, "due"), me)


def _close(own: SeenLedger, me: str, ref: str, form: Form) -> None:
    name = form.one("finding")
    held = own.standing("finding").get(name)
    if held is None or held.content.get("about") != ref:
        raise NotFound("finding", name, where=own.where)
    own.end_filing("finding", name, _said(form, "reason"), me)


def _except(own: SeenLedger, me: str, ref: str, form: Form) -> None:
    add_exception(own, ref, form.one("rule"), _said(form, "reason"), _until(form, "until"), me)


def _end(own: SeenLedger, me: str, ref: str, form: Form) -> None:
    own.end_filing("exception", f"{ref}:{form.one('rule')}", _said(form, "reason"), me)


def _rate(own: SeenLedger, me: str, ref: str, form: Form) -> None:
    override_rating(own, ref, form.one("rating"), _said(form, "reason"), me)


ACTS: Mapping[str, Callable[[SeenLedger, str, str, Form], None]] = {
    "approve": _approve,
    "reject": _reject,
    "withdraw": _withdraw,
    "finding": _finding,
    "close": _close,
    "except": _except,
    "end": _end,
    "rate": _rate,
}
"""What may be done, by the name that the form says."""
