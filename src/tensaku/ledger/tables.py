"""The tables. Types are those that SQLite and PostgreSQL share; migrations make the schema, never these classes."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

__all__ = [
    "Answered",
    "ApiKey",
    "Approval",
    "Assignment",
    "Bulk",
    "BulkItem",
    "Changed",
    "Choice",
    "Comparison",
    "Decided",
    "Deployment",
    "Draft",
    "DropRuling",
    "Edge",
    "Failures",
    "Filed",
    "Final",
    "Head",
    "HeadingWord",
    "Log",
    "Opinion",
    "Person",
    "Question",
    "Release",
    "Report",
    "Review",
    "Revised",
    "Rollout",
    "Row",
    "Seen",
    "SignedIn",
    "Topic",
    "TopicReview",
    "UtcTime",
    "Voted",
    "Work",
]


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a zone: it would be read back as UTC and be wrong."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment, with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Row(DeclarativeBase):
    """Base of the tables."""


def person_key(**more: Any) -> Mapped[str]:
    """A column that names a person."""
    return mapped_column(String(64), ForeignKey("people.name"), **more)


def salt() -> Mapped[str | None]:
    """A column that makes the digest in the log a commitment: without the salt, the digest tells nothing of the text.

    Erasing a row takes its salt with it. Rows written before there were salts have none.
    """
    return mapped_column(String(32), default=lambda: secrets.token_hex(16))


class Person(Row):
    """Who signs: the name is the key, for it stands in the log for ever."""

    __tablename__ = "people"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    display: Mapped[str] = mapped_column(String(200))
    roles: Mapped[list[str]] = mapped_column(JSON)
    active: Mapped[bool] = mapped_column(Boolean)
    password: Mapped[str | None] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(UtcTime)
    once: Mapped[bool | None] = mapped_column(Boolean)
    scopes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))


class SignedIn(Row):
    """A session of a signed-in person; of the browser's token only its SHA-256 is kept."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = person_key(index=True)
    how: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(UtcTime)
    seen: Mapped[datetime] = mapped_column(UtcTime)
    expires: Mapped[datetime] = mapped_column(UtcTime)
    ended: Mapped[datetime | None] = mapped_column(UtcTime)


class Failures(Row):
    """Wrong passwords of a person since the last right one, and until when no password is looked at."""

    __tablename__ = "sign_in_failures"
    person: Mapped[str] = person_key(primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    until: Mapped[datetime | None] = mapped_column(UtcTime)


class Assignment(Row):
    """Who has a draft, and until when (`YYYY-MM-DD`); the newest counts."""

    __tablename__ = "assignments"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    draft_id: Mapped[int] = mapped_column(ForeignKey("drafts.id"), index=True)
    person: Mapped[str | None] = mapped_column(String(64), ForeignKey("people.name"))
    due: Mapped[str | None] = mapped_column(String(10))
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Review(Row):
    """What a second person said of a final."""

    __tablename__ = "reviews"
    __table_args__ = (
        CheckConstraint("decision IN ('approved', 'returned', 'comment')", name="ck_reviews_decision"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    final_id: Mapped[int] = mapped_column(ForeignKey("finals.id"), index=True)
    decision: Mapped[str] = mapped_column(String(8))
    note: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Bulk(Row):
    """Drafts that the model is asked about in the background."""

    __tablename__ = "bulks"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)
    ended: Mapped[datetime | None] = mapped_column(UtcTime)


class BulkItem(Row):
    """One draft of a bulk; it leaves `waiting` in the transaction that keeps its revision."""

    __tablename__ = "bulk_items"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'done', 'failed', 'cancelled')", name="ck_bulk_items_state"),
        UniqueConstraint("bulk_id", "draft_id", name="uq_bulk_items_draft"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    bulk_id: Mapped[int] = mapped_column(ForeignKey("bulks.id"), index=True)
    draft_id: Mapped[int] = mapped_column(ForeignKey("drafts.id"), index=True)
    state: Mapped[str] = mapped_column(String(9), index=True)
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revisions.id"))
    fault: Mapped[str] = mapped_column(Text)


class Draft(Row):
    """A draft as it came in."""

    __tablename__ = "drafts"
    __table_args__ = (Index("ix_drafts_month", "as_of", "fund", "manager"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    manager: Mapped[str] = mapped_column(String(200))
    fund: Mapped[str] = mapped_column(String(200))
    section: Mapped[str] = mapped_column(String(64))
    as_of: Mapped[str] = mapped_column(String(7))
    origin: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)
    salt: Mapped[str | None] = salt()


class Report(Row):
    """A report that an outside manager sent: what was read in it, and where it stands."""

    __tablename__ = "reports"
    __table_args__ = (
        CheckConstraint("state IN ('filed', 'inbox', 'set-aside')", name="ck_reports_state"),
        UniqueConstraint("sha256", name="uq_reports_sha256"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), index=True)
    manager: Mapped[str] = mapped_column(String(200))
    fund: Mapped[str] = mapped_column(String(200))
    as_of: Mapped[str] = mapped_column(String(7))
    reasons: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    parts: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    note: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class HeadingWord(Row):
    """Which section a manager means by a heading. `section` is "-" for one that belongs to none."""

    __tablename__ = "heading_words"
    __table_args__ = (
        UniqueConstraint("manager", "folded", name="uq_heading_words"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    manager: Mapped[str] = mapped_column(String(200))
    folded: Mapped[str] = mapped_column(String(200))
    heading: Mapped[str] = mapped_column(String(200))
    section: Mapped[str] = mapped_column(String(64))
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Revised(Row):
    """A model's revision of a draft."""

    __tablename__ = "revisions"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    draft_id: Mapped[int] = mapped_column(ForeignKey("drafts.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    verdict: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    finish: Mapped[str] = mapped_column(String(16))
    prompt_tokens: Mapped[int] = mapped_column(Integer)
    completion_tokens: Mapped[int] = mapped_column(Integer)
    provenance: Mapped[dict[str, str]] = mapped_column(JSON)
    release: Mapped[str] = mapped_column(String(64), index=True)
    trial: Mapped[bool] = mapped_column(Boolean)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)
    salt: Mapped[str | None] = salt()


class Final(Row):
    """A final text, with the final it was written over."""

    __tablename__ = "finals"
    # Two finals can never follow the same one, whatever the code does: the history of a draft is a line, not a tree.
    __table_args__ = (UniqueConstraint("draft_id", "based_on", name="uq_finals_line"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    draft_id: Mapped[int] = mapped_column(ForeignKey("drafts.id"), index=True)
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revisions.id"))
    based_on: Mapped[int | None] = mapped_column(ForeignKey("finals.id"))
    text: Mapped[str] = mapped_column(Text)
    verdict: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    reasons: Mapped[dict[str, str]] = mapped_column(JSON)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    salt: Mapped[str | None] = salt()


class Changed(Row):
    """One change between two of the three texts of a final."""

    __tablename__ = "changes"
    __table_args__ = (
        CheckConstraint(
            "between_texts IN ('draft-revision', 'revision-final', 'draft-final')", name="ck_changes_between"
        ),
        CheckConstraint("decision IN ('accepted', 'rejected', 'altered')", name="ck_changes_decision"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    final_id: Mapped[int] = mapped_column(ForeignKey("finals.id"), index=True)
    between_texts: Mapped[str] = mapped_column(String(16))
    change: Mapped[str] = mapped_column(String(64))
    op: Mapped[str] = mapped_column(String(8))
    old: Mapped[str] = mapped_column(Text)
    new: Mapped[str] = mapped_column(Text)
    old_start: Mapped[int] = mapped_column(Integer)
    old_end: Mapped[int] = mapped_column(Integer)
    new_start: Mapped[int] = mapped_column(Integer)
    new_end: Mapped[int] = mapped_column(Integer)
    decision: Mapped[str | None] = mapped_column(String(8))
    salt: Mapped[str | None] = salt()


class Decided(Row):
    """What a writer said of one change, at that moment; the newest of a change counts."""

    __tablename__ = "decisions"
    __table_args__ = (
        CheckConstraint(
            "decision IN ('accepted', 'rejected', 'altered', 'marked', 'open')", name="ck_decisions_decision"
        ),
        CheckConstraint("reason IN ('', 'style', 'fact', 'tone', 'compliance', 'other')", name="ck_decisions_reason"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    draft_id: Mapped[int] = mapped_column(ForeignKey("drafts.id"), index=True)
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revisions.id"))
    change: Mapped[str] = mapped_column(String(64))
    old: Mapped[str] = mapped_column(Text)
    new: Mapped[str] = mapped_column(Text)
    decision: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Work(Row):
    """What a person has written of a comment and not saved yet: the one table whose rows are written over."""

    __tablename__ = "work"
    draft_id: Mapped[int] = mapped_column(ForeignKey("drafts.id"), primary_key=True)
    by: Mapped[str] = person_key(primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revisions.id"))
    based_on: Mapped[int | None] = mapped_column(ForeignKey("finals.id"))
    reasons: Mapped[dict[str, str]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcTime)


class Choice(Row):
    """Which of several revisions a writer chose; `shown` are their numbers in the order in which they stood."""

    __tablename__ = "choices"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    draft_id: Mapped[int] = mapped_column(ForeignKey("drafts.id"), index=True)
    shown: Mapped[list[int]] = mapped_column(JSON)
    chosen: Mapped[int] = mapped_column(ForeignKey("revisions.id"))
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Release(Row):
    """A release candidate; where it stands is told by its approvals."""

    __tablename__ = "releases"
    ref: Mapped[str] = mapped_column(String(64), primary_key=True)
    tuned_by: Mapped[str] = person_key()
    summary: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcTime)


class Approval(Row):
    """A decision on a release."""

    __tablename__ = "approvals"
    __table_args__ = (
        CheckConstraint("decision IN ('approved', 'rejected', 'withdrawn')", name="ck_approvals_decision"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    release: Mapped[str] = mapped_column(ForeignKey("releases.ref"), index=True)
    by: Mapped[str] = person_key()
    decision: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    conditions: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class Deployment(Row):
    """A release that began or ceased to answer somewhere."""

    __tablename__ = "deployments"
    __table_args__ = (
        CheckConstraint("event IN ('started', 'stopped')", name="ck_deployments_event"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    release: Mapped[str] = mapped_column(ForeignKey("releases.ref"), index=True)
    event: Mapped[str] = mapped_column(String(8))
    place: Mapped[str] = mapped_column(Text)
    trial: Mapped[bool] = mapped_column(Boolean)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class ApiKey(Row):
    """A key of a person. `prefix` finds it; of the whole only an Argon2 hash is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("prefix", name="uq_api_keys_prefix"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    person: Mapped[str] = person_key(index=True)
    label: Mapped[str] = mapped_column(String(200))
    prefix: Mapped[str] = mapped_column(String(16))
    hash: Mapped[str] = mapped_column(String(200))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    limits: Mapped[dict[str, int] | None] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcTime)
    expires: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked: Mapped[datetime | None] = mapped_column(UtcTime)


class Rollout(Row):
    """Which release answers from this moment on, and which one is tried on a share of the questions.

    `before` is the rollout that stands again when this one is undone.
    """

    __tablename__ = "rollouts"
    __table_args__ = (
        CheckConstraint("event IN ('approved', 'deployed', 'rolled-back')", name="ck_rollouts_event"),
        CheckConstraint("share IS NULL OR (share > 0 AND share < 1)", name="ck_rollouts_share"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    champion: Mapped[str] = mapped_column(ForeignKey("releases.ref"))
    challenger: Mapped[str | None] = mapped_column(ForeignKey("releases.ref"))
    share: Mapped[float | None] = mapped_column(Float)
    event: Mapped[str] = mapped_column(String(16))
    before: Mapped[int | None] = mapped_column(ForeignKey("rollouts.id"))
    note: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Answered(Row):
    """One answer that the API gave. Texts and hashes are there as the task's policy says."""

    __tablename__ = "answers"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    door: Mapped[str] = mapped_column(String(32))
    model: Mapped[str] = mapped_column(String(200))
    release: Mapped[str] = mapped_column(String(200), index=True)
    arm: Mapped[str] = mapped_column(String(16))
    provenance: Mapped[dict[str, str]] = mapped_column(JSON)
    key: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id"))
    prompt_sha256: Mapped[str | None] = mapped_column(String(64))
    answer_sha256: Mapped[str | None] = mapped_column(String(64))
    prompt: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(Text)
    finish: Mapped[str] = mapped_column(String(16))
    prompt_tokens: Mapped[int] = mapped_column(Integer)
    completion_tokens: Mapped[int] = mapped_column(Integer)
    seconds: Mapped[float] = mapped_column(Float)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    salt: Mapped[str | None] = salt()


class Filed(Row):
    """One act of governance: an inventory entry, a rating, a finding, an exception. The newest of a subject counts."""

    __tablename__ = "filings"
    __table_args__ = (Index("ix_filings_subject", "kind", "subject"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(128))
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Edge(Row):
    """`child` was made from `parent`. A copy of what the sealed artifacts say, kept for fast questions."""

    __tablename__ = "lineage"
    child: Mapped[str] = mapped_column(String(128), primary_key=True)
    parent: Mapped[str] = mapped_column(String(1024), primary_key=True, index=True)


class Seen(Row):
    """A pair among the lessons of an artifact. A copy too: `document` is its file and row, `person` who wrote it."""

    __tablename__ = "lessons_seen"
    lessons: Mapped[str] = mapped_column(String(64), primary_key=True)
    pair: Mapped[str] = mapped_column(String(200), primary_key=True, index=True)
    document: Mapped[str] = mapped_column(String(1024), index=True)
    person: Mapped[str] = mapped_column(String(200), index=True)


class Comparison(Row):
    """Two outputs for one draft, laid out to be read blind."""

    __tablename__ = "comparisons"
    __table_args__ = (
        UniqueConstraint("exam", "item", "one", "two", "digest", name="uq_comparisons"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    exam: Mapped[str] = mapped_column(String(64))
    item: Mapped[str] = mapped_column(String(200))
    fund: Mapped[str] = mapped_column(String(200))
    section: Mapped[str] = mapped_column(String(64))
    as_of: Mapped[str] = mapped_column(String(7))
    draft: Mapped[str] = mapped_column(Text)
    one: Mapped[str] = mapped_column(String(200))
    one_text: Mapped[str] = mapped_column(Text)
    two: Mapped[str] = mapped_column(String(200))
    two_text: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Voted(Row):
    """What a person said of a comparison: which side was better, or neither, and which output stood left."""

    __tablename__ = "votes"
    __table_args__ = (
        CheckConstraint("shown_left IN ('one', 'two')", name="ck_votes_left"),
        CheckConstraint("winner IN ('left', 'right', 'tie')", name="ck_votes_winner"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    comparison_id: Mapped[int] = mapped_column(ForeignKey("comparisons.id"), index=True)
    shown_left: Mapped[str] = mapped_column(String(8))
    winner: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Question(Row):
    """A question put to the documents, with its answer and what it cites."""

    __tablename__ = "questions"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    conversation: Mapped[str] = mapped_column(String(64), index=True)
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    found: Mapped[bool] = mapped_column(Boolean)
    sources: Mapped[list[str]] = mapped_column(JSON)
    index: Mapped[str] = mapped_column(String(64))
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Opinion(Row):
    """What somebody thought of an answer from the documents."""

    __tablename__ = "opinions"
    __table_args__ = (
        CheckConstraint("verdict IN ('up', 'down')", name="ck_opinions_verdict"),
        Index("ix_opinions_question", "question_id"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("questions.id"))
    verdict: Mapped[str] = mapped_column(String(8))
    correction: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class DropRuling(Row):
    """What somebody decided of a pair that curation had set aside."""

    __tablename__ = "drop_rulings"
    __table_args__ = (Index("ix_drop_rulings_row", "row", "reason"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    row: Mapped[str] = mapped_column(String(500))
    reason: Mapped[str] = mapped_column(String(64))
    pool: Mapped[str] = mapped_column(String(128))
    fund: Mapped[str] = mapped_column(String(200))
    kept: Mapped[bool] = mapped_column(Boolean)
    note: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Topic(Row):
    """A skill or a piece of knowledge that made-up pairs may be about, with a pair that shows it."""

    __tablename__ = "topics"
    __table_args__ = (
        CheckConstraint("kind IN ('skill', 'knowledge')", name="ck_topics_kind"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(100))
    says: Mapped[str] = mapped_column(Text)
    draft: Mapped[str] = mapped_column(Text)
    final: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class TopicReview(Row):
    """What another person said of a topic that was proposed."""

    __tablename__ = "topic_reviews"
    __table_args__ = (
        CheckConstraint("verdict IN ('approved', 'rejected', 'retired')", name="ck_topic_reviews_verdict"),
        Index("ix_topic_reviews_topic", "topic_id"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    topic_id: Mapped[int] = mapped_column(ForeignKey("topics.id"))
    verdict: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = person_key()
    at: Mapped[datetime] = mapped_column(UtcTime)


class Log(Row):
    """One entry of the hash chain. Moments and details are text: the hash covers their very characters."""

    __tablename__ = "log"
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(32))
    who: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(128))
    detail: Mapped[str] = mapped_column(Text)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class Head(Row):
    """The end of the chain, in one row: what every writing transaction locks first, and what shows a log cut short."""

    __tablename__ = "log_head"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(Integer)
    hash: Mapped[str] = mapped_column(String(64))
