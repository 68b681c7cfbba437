"""The first schema: people, drafts, revisions, finals and their changes, releases, approvals, the log."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema to this version."""
    people = op.create_table(
        "people",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("display", sa.String(200), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("password", sa.String(200)),
        sa.Column("at", MOMENT, nullable=False),
    )
    system = {"name": "system", "display": "Tensaku", "roles": [], "active": True, "at": datetime.now(UTC)}
    op.bulk_insert(people, [system])
    _texts()
    _releases()
    _log()


def _texts() -> None:
    op.create_table(
        "drafts",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("manager", sa.String(200), nullable=False),
        sa.Column("fund", sa.String(200), nullable=False),
        sa.Column("section", sa.String(64), nullable=False),
        sa.Column("as_of", sa.String(7), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_drafts_month", "drafts", ["as_of", "fund", "manager"])
    op.create_table(
        "revisions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("draft_id", sa.Integer(), sa.ForeignKey("drafts.id"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=False),
        sa.Column("finish", sa.String(16), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=False),
        sa.Column("release", sa.String(64), nullable=False),
        sa.Column("trial", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_revisions_draft_id", "revisions", ["draft_id"])
    op.create_index("ix_revisions_release", "revisions", ["release"])
    op.create_table(
        "finals",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("draft_id", sa.Integer(), sa.ForeignKey("drafts.id"), nullable=False),
        sa.Column("revision_id", sa.Integer(), sa.ForeignKey("revisions.id")),
        sa.Column("based_on", sa.Integer(), sa.ForeignKey("finals.id")),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.UniqueConstraint("draft_id", "based_on", name="uq_finals_line"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_finals_draft_id", "finals", ["draft_id"])
    op.create_index("ix_finals_at", "finals", ["at"])
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("final_id", sa.Integer(), sa.ForeignKey("finals.id"), nullable=False),
        sa.Column("between_texts", sa.String(16), nullable=False),
        sa.Column("change", sa.String(64), nullable=False),
        sa.Column("op", sa.String(8), nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("old_start", sa.Integer(), nullable=False),
        sa.Column("old_end", sa.Integer(), nullable=False),
        sa.Column("new_start", sa.Integer(), nullable=False),
        sa.Column("new_end", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(8)),
        sa.CheckConstraint(
            "between_texts IN ('draft-revision', 'revision-final', 'draft-final')", name="ck_changes_between"
        ),
        sa.CheckConstraint("decision IN ('accepted', 'rejected', 'altered')", name="ck_changes_decision"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_final_id", "changes", ["final_id"])


def _releases() -> None:
    op.create_table(
        "releases",
        sa.Column("ref", sa.String(64), primary_key=True),
        sa.Column("tuned_by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("release", sa.String(64), sa.ForeignKey("releases.ref"), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("decision", sa.String(8), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("decision IN ('approved', 'rejected')", name="ck_approvals_decision"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_approvals_release", "approvals", ["release"])


def _log() -> None:
    op.create_table(
        "log",
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    head = op.create_table(
        "log_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": "0" * 64}])
