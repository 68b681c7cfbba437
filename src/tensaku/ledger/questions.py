"""Questions put to the documents, their answers, and what people thought of them: food for the next round of tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import select

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.rows import SYSTEM
from tensaku.ledger.transactions import Transactions, clean, columns, storable

__all__ = ["OpinionRow", "QuestionRow", "Questions"]

_LONGEST = 4000
"""Characters of a question or a correction."""


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question with its answer; `sources` are what it cites, `index` is what was searched."""

    id: int
    conversation: str
    question: str
    answer: str
    found: bool
    sources: tuple[str, ...]
    index: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OpinionRow:
    """What somebody thought of an answer, and how it should have read."""

    id: int
    question_id: int
    verdict: Literal["up", "down"]
    correction: str
    by: str
    at: datetime


class Questions(Transactions):
    """Questions and opinions. Neither is ever changed: a second opinion is a second row."""

    def add_question(
        self,
        conversation: str,
        question: str,
        answer: str,
        *,
        found: bool,
        sources: Sequence[str] = (),
        index: str = "",
        by: str = SYSTEM,
    ) -> QuestionRow:
        """Record a question with its answer.

        Raises:
            NotFound: no such person.
            UsageError: the question is empty or too long, or a text cannot be stored.
        """
        made = tables.Question(
            conversation=clean(conversation, "conversation", limit=64),
            question=clean(question, "question", limit=_LONGEST),
            answer=storable(answer, "answer"),
            found=found,
            sources=list(sources),
            index=index,
            by=by,
            at=datetime.now(UTC),
        )
        with self._write() as session:
            self._person(session, by)
            session.add(made)
            session.flush()
            append(session, by, "question.answered", f"question:{made.id}", {"digest": digest(columns(made))})
            return _question(made)

    def add_opinion(self, question: int, verdict: str, correction: str = "", *, by: str = SYSTEM) -> OpinionRow:
        """Record what somebody thinks of an answer: "up" or "down", and how it should read.

        Raises:
            NotFound: no such question or person.
            UsageError: another verdict, or a correction that is too long or cannot be stored.
        """
        if verdict not in ("up", "down"):
            raise UsageError(f"{verdict!r} is no verdict", fix="Say up or down")
        if len(correction) > _LONGEST:
            what = f"the correction has {len(correction)} characters"
            raise UsageError(what, fix=f"At most {_LONGEST} are kept")
        storable(correction, "correction")
        with self._write() as session:
            self._person(session, by)
            self._one(session, tables.Question, question, "question")
            made = tables.Opinion(
                question_id=question, verdict=verdict, correction=correction.strip(), by=by, at=datetime.now(UTC)
            )
            session.add(made)
            session.flush()
            detail = {"question": question, "verdict": verdict, "digest": digest(columns(made))}
            append(session, by, "opinion.given", f"opinion:{made.id}", detail)
            return _opinion(made)

    def questions(self, *, after: int = 0, limit: int | None = None) -> list[QuestionRow]:
        """The questions in order, from the one after number `after`, at most `limit`."""
        query = select(tables.Question).where(tables.Question.id > after).order_by(tables.Question.id).limit(limit)
        with self._read() as session:
            return [_question(row) for row in session.scalars(query)]

    def opinions(self, question: int | None = None) -> list[OpinionRow]:
        """The opinions in order, of one question or of all."""
        query = select(tables.Opinion).order_by(tables.Opinion.id)
        if question is not None:
            query = query.where(tables.Opinion.question_id == question)
        with self._read() as session:
            return [_opinion(row) for row in session.scalars(query)]


def _question(row: tables.Question) -> QuestionRow:
    told = (row.id, row.conversation, row.question, row.answer, row.found, tuple(row.sources), row.index)
    return QuestionRow(*told, by=row.by, at=row.at)


def _opinion(row: tables.Opinion) -> OpinionRow:
    verdict: Literal["up", "down"] = "up" if row.verdict == "up" else "down"
    return OpinionRow(row.id, row.question_id, verdict, row.correction, row.by, row.at)
