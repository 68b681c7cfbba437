"""What the API answered to whom, with as much of the texts as the task's policy allows."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime

from sqlalchemy import func, select

from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.rollouts import check_limits
from tensaku.ledger.rows import SYSTEM, AnswerRow, NewAnswer, Policy
from tensaku.ledger.transactions import Transactions, columns
from tensaku.records import Usage

__all__ = ["Answers"]


def answer_of(row: tables.Answered) -> AnswerRow:
    """The answer as handed out."""
    return AnswerRow(
        id=row.id,
        door=row.door,
        model=row.model,
        release=row.release,
        arm=row.arm,
        provenance=dict(row.provenance),
        key=row.key,
        prompt_sha256=row.prompt_sha256,
        answer_sha256=row.answer_sha256,
        prompt=row.prompt,
        answer=row.answer,
        finish=row.finish,
        usage=Usage(row.prompt_tokens, row.completion_tokens),
        seconds=row.seconds,
        by=row.by,
        at=row.at,
    )


class Answers(Transactions):
    """Answers of the API."""

    def add_answer(self, new: NewAnswer, policy: Policy, by: str = SYSTEM) -> AnswerRow:
        """Record an answer; under the policy "none" everything but texts and hashes.

        Raises:
            NotFound: no such person.
            NotCovered: the approval of its release does not cover one more, or ended while it was being written.
        """
        made = tables.Answered(
            door=new.door,
            model=new.model,
            release=new.release,
            arm=new.arm,
            provenance=dict(new.provenance),
            key=new.key,
            finish=new.finish,
            prompt_tokens=new.usage.prompt,
            completion_tokens=new.usage.completion,
            seconds=round(new.seconds, 3),
            by=by,
            at=datetime.now(UTC),
        )
        if policy != "none":
            made.prompt_sha256, made.answer_sha256 = _sha256(new.prompt), _sha256(new.answer)
        if policy == "full":
            made.prompt, made.answer = _storable(new.prompt), _storable(new.answer)
        with self._write() as session:
            self._person(session, by)
            if new.release and new.provenance.get("trial") != "yes":
                check_limits(session, new.release, self.where)
            session.add(made)
            session.flush()
            detail = {"release": new.release, "arm": new.arm, "digest": digest(columns(made))}
            append(session, by, "answer.given", f"answer:{made.id}", detail)
            return answer_of(made)

    def answers(self, *, after: int = 0, limit: int | None = None) -> list[AnswerRow]:
        """The answers in order, from the one after number `after`, at most `limit`."""
        query = select(tables.Answered).where(tables.Answered.id > after).order_by(tables.Answered.id).limit(limit)
        with self._read() as session:
            return [answer_of(row) for row in session.scalars(query)]

    def answer_counts(self, after: datetime, until: datetime) -> Counter[str]:
        """How many answers and revisions each release gave between two moments."""
        found: Counter[str] = Counter()
        with self._read() as session:
            for table in (tables.Answered, tables.Revised):
                counted = select(table.release, func.count()).where(table.at > after, table.at <= until)
                for release, n in session.execute(counted.group_by(table.release)):
                    found[release] += n
        return found


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _storable(text: str) -> str:
    """The text with what no database keeps made visible: the hash beside it is that of the text itself."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")
