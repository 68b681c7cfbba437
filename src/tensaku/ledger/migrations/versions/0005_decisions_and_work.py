"""Decisions change by change, work in progress, choices between candidates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema to this version."""
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("draft_id", sa.Integer(), sa.ForeignKey("drafts.id"), nullable=False),
        sa.Column("revision_id", sa.Integer(), sa.ForeignKey("revisions.id")),
        sa.Column("change", sa.String(64), nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("decision", sa.String(8), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "decision IN ('accepted', 'rejected', 'altered', 'marked', 'open')", name="ck_decisions_decision"
        ),
        sa.CheckConstraint(
            "reason IN ('', 'style', 'fact', 'tone', 'compliance', 'other')", name="ck_decisions_reason"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_draft_id", "decisions", ["draft_id"])
    op.create_table(
        "work",
        sa.Column("draft_id", sa.Integer(), sa.ForeignKey("drafts.id"), primary_key=True),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("revision_id", sa.Integer(), sa.ForeignKey("revisions.id")),
        sa.Column("based_on", sa.Integer(), sa.ForeignKey("finals.id")),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_table(
        "choices",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("draft_id", sa.Integer(), sa.ForeignKey("drafts.id"), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("chosen", sa.Integer(), sa.ForeignKey("revisions.id"), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_choices_draft_id", "choices", ["draft_id"])


def downgrade() -> None:
    """Take this version's tables away, with the decisions, work in progress and choices in them."""
    for table in ("choices", "work", "decisions"):
        op.drop_table(table)
