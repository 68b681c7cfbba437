"""Outputs laid out to be read blind, two by two, and what people said of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema to this version."""
    op.create_table(
        "comparisons",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("exam", sa.String(64), nullable=False),
        sa.Column("item", sa.String(200), nullable=False),
        sa.Column("fund", sa.String(200), nullable=False),
        sa.Column("section", sa.String(64), nullable=False),
        sa.Column("as_of", sa.String(7), nullable=False),
        sa.Column("draft", sa.Text(), nullable=False),
        sa.Column("one", sa.String(200), nullable=False),
        sa.Column("one_text", sa.Text(), nullable=False),
        sa.Column("two", sa.String(200), nullable=False),
        sa.Column("two_text", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.UniqueConstraint("exam", "item", "one", "two", "digest", name="uq_comparisons"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "votes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("comparison_id", sa.Integer(), sa.ForeignKey("comparisons.id"), nullable=False),
        sa.Column("shown_left", sa.String(8), nullable=False),
        sa.Column("winner", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("shown_left IN ('one', 'two')", name="ck_votes_left"),
        sa.CheckConstraint("winner IN ('left', 'right', 'tie')", name="ck_votes_winner"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_votes_comparison_id", "votes", ["comparison_id"])


def downgrade() -> None:
    """Take this version's tables away, with the comparisons and votes in them."""
    for table in ("votes", "comparisons"):
        op.drop_table(table)
