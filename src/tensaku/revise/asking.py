"""From a draft to a revision: what the model is asked, the answer as it comes, the facts guard's word on it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tensaku.engines.protocol import Engine, Piece, Request, Stream
from tensaku.errors import EngineError, UsageError
from tensaku.records import Message, Revision
from tensaku.retrieve import Examples, Guides
from tensaku.revise.question import ROOM, language_of, messages, question, stops
from tensaku.text import Names, Required, StyleRule, compare

__all__ = [
    "LONGEST_DRAFT",
    "DraftText",
    "Job",
    "Revising",
    "check_draft",
    "check_month",
    "revise_many",
    "start",
]

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
    the texts, for those who show them. With `examples`, every question quotes past pairs, as many of them as the
    engine's context holds. With `guides`, it also tells what the house's rules and terms say of the draft.
    `facts_safe`: where the engine can, no number is written that does not stand in the question. `style` and `required`
    are the house's rules, for those who check a text by them. `choices` are the only answers that may be given, where
    the engine can hold them; numbers are then none but theirs.
    """

    instruction: str
    adapter: str | None = None
    names: Names = field(default_factory=dict)
    language: str = "ja"
    max_tokens: int = 512
    provenance: Mapping[str, str] = field(default_factory=dict)
    examples: Examples | None = None
    guides: Guides | None = None
    facts_safe: bool = True
    style: Sequence[StyleRule] = ()
    required: Sequence[Required] = ()
    choices: Sequence[str] = ()


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

    def __init__(
        self, stream: Stream, engine: Engine, job: Job, draft: DraftText, more: Mapping[str, str] | None = None
    ) -> None:
        self._stream, self._engine, self._job, self._draft = stream, engine, job, draft
        self._more = more or {}
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
        provenance = {**self._engine.identity(self._job.adapter), **self._job.provenance, **self._more}
        return Revision(self._draft.text, text, verdict, self._stream.finish, self._stream.usage, provenance)


def start(engine: Engine, job: Job, draft: DraftText, *, temperature: float = 0.0, seed: int | None = None) -> Revising:
    """Ask for one revision; returns at once. `temperature` above 0 draws it, equal for equal `seed`s.

    Raises:
        UsageError: the draft is empty or too long, or its month is not written `YYYY-MM`.
    """
    check_draft(draft.text)
    check_month(draft.as_of)
    longest = min(job.max_tokens, len(draft.text) + ROOM)
    asked, more = _asked(engine, job, draft, longest)
    stop = () if job.examples is None else stops(job.examples, language_of(job.instruction))
    known = question(draft.text, draft.fund, draft.section, draft.as_of, language_of(job.instruction))
    can = getattr(engine, "can", ())
    choices = tuple(job.choices) if "choices" in can else ()
    request = Request(
        asked,
        adapter=job.adapter,
        max_tokens=longest,
        stop=stop,
        prediction=None if job.choices else draft.text,
        temperature=temperature,
        seed=seed,
        facts=known if job.facts_safe and not job.choices and "facts" in can else None,
        choices=choices,
    )
    return Revising(engine.submit(request), engine, job, draft, more)


def _asked(engine: Engine, job: Job, draft: DraftText, longest: int) -> tuple[tuple[Message, ...], dict[str, str]]:
    """The question, and how many examples and guides it holds: as many as leave room for an answer of `longest`.

    Where there is not room for all, guides go first, the least like the draft before the others.
    """
    ask = partial(messages, job.instruction, draft.text, fund=draft.fund, section=draft.section, as_of=draft.as_of)
    quoted = job.examples.nearest(draft.text, draft.section, draft.fund) if job.examples else []
    guides = job.guides.called_for(draft.text) if job.guides else []
    while True:
        asked = ask(examples=quoted, guides=guides)
        if not (quoted or guides) or engine.measure(asked) + longest <= engine.context:
            break
        if guides:
            guides = guides[:-1]
        elif job.examples is not None:
            quoted = job.examples.without_farthest(quoted)
    told = {"examples": str(len(quoted))} if job.examples is not None else {}
    return asked, told | ({"guides": str(len(guides))} if job.guides is not None else {})


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
