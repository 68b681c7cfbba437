"""The taxonomy that made-up pairs are about: topics that people propose, and another person's word on each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from tensaku.errors import UsageError
from tensaku.ledger import tables
from tensaku.ledger.chain import append, digest
from tensaku.ledger.transactions import Transactions, clean, columns, storable

__all__ = ["NewTopic", "TopicRow", "TopicState", "TopicVerdict", "Topics"]

TopicVerdict = Literal["approved", "rejected", "retired"]
TopicState = Literal["proposed", "approved", "rejected", "retired"]
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A skill ("what a writer does to a draft") or a piece of knowledge ("what comments speak of"), in a sentence or
    two; `draft` and `final`, which may be empty together, show it."""

    kind: Literal["skill", "knowledge"]
    name: str
    says: str
    draft: str = ""
    final: str = ""


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A topic with the newest word on it."""

    id: int
    kind: str
    name: str
    says: str
    draft: str
    final: str
    by: str
    at: datetime
    state: TopicState
    reviewed_by: str
    note: str


class Topics(Transactions):
    """Topics and reviews. Neither is ever changed: whoever wants another wording proposes another topic."""

    def add_topic(self, new: NewTopic, *, by: str) -> TopicRow:
        """Propose a topic.

        Raises:
            NotFound: no such person.
            UsageError: a text is missing, too long or cannot be stored, or a topic of that name stands or waits.
        """
        if new.kind not in ("skill", "knowledge"):
            raise UsageError(f"{new.kind!r} is no kind of topic", fix="Say skill or knowledge")
        if bool(new.draft.strip()) != bool(new.final.strip()):
            raise UsageError("an example needs both its draft and its final", fix="Write both, or neither")
        made = tables.Topic(
            kind=new.kind,
            name=clean(new.name, "name", limit=100).strip(),
            says=clean(new.says, "description", limit=_LONGEST),
            draft=_text(new.draft, "draft"),
            final=_text(new.final, "final"),
            by=by,
            at=datetime.now(UTC),
        )
        with self._write() as session:
            self._person(session, by)
            if any(row.name == made.name and row.state in ("proposed", "approved") for row in _rows(session)):
                raise UsageError(f"there is a topic {made.name!r}", fix="Give it another name, or retire the older one")
            session.add(made)
            session.flush()
            append(session, by, "topic.proposed", f"topic:{made.id}", {"digest": digest(columns(made))})
            return _row(made, None)

    def review_topic(self, topic: int, verdict: TopicVerdict, *, by: str, note: str = "") -> TopicRow:
        """Approve or reject a topic that waits, or retire an approved one.

        Raises:
            NotFound: no such topic or person.
            UsageError: the person proposed it, or it does not stand so that this could be said of it.
        """
        if verdict not in get_args(TopicVerdict):
            raise UsageError(f"{verdict!r} is no verdict", fix=f"Say {' or '.join(get_args(TopicVerdict))}")
        with self._write() as session:
            self._person(session, by)
            held = self._one(session, tables.Topic, topic, "topic")
            state = next(row.state for row in _rows(session) if row.id == topic)
            if verdict != "retired" and held.by == by:
                raise UsageError("whoever proposed a topic cannot decide on it", fix="Ask another person")
            if state != ("approved" if verdict == "retired" else "proposed"):
                raise UsageError(f"the topic is {state} already", fix="Load the page again")
            said = tables.TopicReview(
                topic_id=topic, verdict=verdict, note=_text(note, "note"), by=by, at=datetime.now(UTC)
            )
            session.add(said)
            session.flush()
            detail = {"topic": topic, "verdict": verdict, "digest": digest(columns(said))}
            append(session, by, "topic.reviewed", f"topic-review:{said.id}", detail)
            return _row(held, said)

    def topics(self) -> list[TopicRow]:
        """Every topic in the order in which they were proposed."""
        with self._read() as session:
            return _rows(session)


def _text(text: str, what: str) -> str:
    if len(text) > _LONGEST:
        raise UsageError(f"the {what} has {len(text)} characters", fix=f"At most {_LONGEST} are kept")
    return storable(text, what)


def _rows(session: Session) -> list[TopicRow]:
    said = {row.topic_id: row for row in session.scalars(select(tables.TopicReview).order_by(tables.TopicReview.id))}
    return [_row(row, said.get(row.id)) for row in session.scalars(select(tables.Topic).order_by(tables.Topic.id))]


def _row(row: tables.Topic, said: tables.TopicReview | None) -> TopicRow:
    state: TopicState = "proposed" if said is None else said.verdict  # type: ignore[assignment]
    told = (row.id, row.kind, row.name, row.says, row.draft, row.final, row.by, row.at, state)
    return TopicRow(*told, said.by if said else "", said.note if said else "")
