"""The one road from a draft to a revision: instruction, engine, facts guard. Every door of the house takes it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tensaku.engines.protocol import Engine, Piece, Request, Stream
from tensaku.errors import EngineError, UsageError
from tensaku.records import Message, Revision
from tensaku.text import Names, compare

__all__ = [
    "LONGEST_DRAFT",
    "SECTIONS",
    "DraftText",
    "Job",
    "Revising",
    "check_draft",
    "check_month",
    "messages",
    "revise_many",
    "start",
]

#: Section ids and what a reader calls them, by language.
SECTIONS: Mapping[str, Mapping[str, str]] = {
    "ja": {"market": "市場動向", "performance": "運用状況", "outlook": "見通しと方針"},
    "en": {"market": "Market", "performance": "Performance", "outlook": "Outlook and policy"},
}

_ANSWER = {"ja": "公表文", "en": "Comment"}

LONGEST_DRAFT = 20_000
"""Most characters of one draft: far beyond any comment, and little enough to tokenise without a wait."""


@dataclass(frozen=True, slots=True)
class DraftText:
    """A draft with what the model is told about it. `as_of` is `YYYY-MM`; `section` one of `SECTIONS` or free."""

    text: str
    fund: str
    section: str
    as_of: str


@dataclass(frozen=True, slots=True)
class Job:
    """How a desk revises: the same instruction in training, evaluation and serving.

    `provenance` goes into every revision beside what the engine says of itself. `max_tokens` bounds an answer; it is
    further bounded by the draft's own length, since a revision is not much longer than its draft. `language` is that of
    the texts, for those who show them.
    """

    instruction: str
    adapter: str | None = None
    names: Names = field(default_factory=dict)
    language: str = "ja"
    max_tokens: int = 512
    provenance: Mapping[str, str] = field(default_factory=dict)


def messages(instruction: str, draft: str, *, fund: str, section: str, as_of: str) -> tuple[Message, ...]:
    """What the model is asked: the instruction; fund, section and month; the draft; where the comment begins."""
    language = _language_of(instruction)
    named = SECTIONS[language].get(section, section)
    asked = f"{fund} {named} {_month(as_of, language)}\n{draft}\n{_ANSWER[language]}:"
    return Message("system", instruction.strip()), Message("user", asked)


def _language_of(instruction: str) -> str:
    """Japanese if the instruction has a kana. Nothing else may decide: training, evaluation and serving must agree."""
    return "ja" if any("\u3041" <= c <= "\u30ff" for c in instruction) else "en"


def _month(as_of: str, language: str) -> str:
    year, _, month = as_of.partition("-")
    if language == "ja" and year.isdigit() and month.isdigit():
        return f"{int(year)}年{int(month)}月"
    return as_of


def check_draft(text: str) -> None:
    """Refuse a draft that no model can revise.

    Raises:
        UsageError: it is empty, or longer than `LONGEST_DRAFT` characters.
    """
    if not text.strip():
        raise UsageError("the draft is empty", where="draft", fix="Paste or pick a draft first")
    if len(text) > LONGEST_DRAFT:
        what = f"the draft has {len(text):,} characters; {LONGEST_DRAFT:,} is the most that one draft may have"
        raise UsageError(what, where="draft", fix="Split it into its sections and revise them one by one")


def check_month(as_of: str) -> None:
    """Refuse a month that is not written `YYYY-MM`; an empty one says that the month is not known.

    Raises:
        UsageError: it is written in another way.
    """
    if as_of and re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", as_of) is None:
        raise UsageError(f"the month is {as_of!r}", where="draft", fix="Write it as 2026-10")


class Revising:
    """One revision on its way. Iterate for its pieces; `result()` when they have ended."""

    def __init__(self, stream: Stream, engine: Engine, job: Job, draft: DraftText) -> None:
        self._stream, self._engine, self._job, self._draft = stream, engine, job, draft
        self._parts: list[str] = []

    def __iter__(self) -> Iterator[Piece]:
        for piece in self._stream:
            self._parts.append(piece.text)
            yield piece

    def cancel(self) -> None:
        """End it at the model's next step."""
        self._stream.cancel()

    def result(self) -> Revision:
        """The finished revision with the guard's verdict; reads what is left of the answer first.

        Raises:
            EngineError: the model failed.
        """
        for _ in self:
            pass
        if self._stream.finish is None or self._stream.usage is None:
            raise EngineError("the answer ended without saying how", retryable=True)
        text = "".join(self._parts).strip()
        verdict = compare(self._draft.text, text, self._job.names, as_of=self._draft.as_of)
        provenance = {**self._engine.identity(self._job.adapter), **self._job.provenance}
        return Revision(self._draft.text, text, verdict, self._stream.finish, self._stream.usage, provenance)


def start(engine: Engine, job: Job, draft: DraftText) -> Revising:
    """Ask for one revision; returns at once.

    Raises:
        UsageError: the draft is empty or too long, or its month is not written `YYYY-MM`.
    """
    check_draft(draft.text)
    check_month(draft.as_of)
    asked = messages(
        job.instruction,
        draft.text,
        fund=draft.fund,
        section=draft.section,
        as_of=draft.as_of,
    )
    longest = min(job.max_tokens, len(draft.text) + 32)
    request = Request(asked, adapter=job.adapter, max_tokens=longest, prediction=draft.text)
    return Revising(engine.submit(request), engine, job, draft)


def revise_many(engine: Engine, job: Job, drafts: Iterable[DraftText], *, at_once: int = 8) -> Iterator[Revision]:
    """Revise `drafts`, `at_once` of them together; results in the order of the drafts.

    Raises:
        UsageError: a draft is empty or too long (those before it are given first).
        EngineError: the model failed.
    """
    waiting = iter(drafts)
    running: deque[Revising] = deque()
    refused: UsageError | None = None
    try:
        while True:
            try:
                while refused is None and len(running) < at_once and (draft := next(waiting, None)) is not None:
                    running.append(start(engine, job, draft))
            except UsageError as error:
                refused = error  # its turn comes when those before it have been given
            if not running:
                break
            revision = running[0].result()  # it stays among those to cancel until it has ended
            running.popleft()
            yield revision
        if refused is not None:
            raise refused
    finally:
        for left in running:
            left.cancel()
