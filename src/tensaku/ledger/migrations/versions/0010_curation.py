"""What people said of pairs that curation had set aside; topics of made-up pairs, and what was said of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema to this version."""
    op.create_table(
        "drop_rulings",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("row", sa.String(500), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("pool", sa.String(128), nullable=False),
        sa.Column("fund", sa.String(200), nullable=False),
        sa.Column("kept", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_drop_rulings_row", "drop_rulings", ["row", "reason"])
    op.create_table(
        "topics",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("draft", sa.Text(), nullable=False),
        sa.Column("final", sa.Text(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("kind IN ('skill', 'knowledge')", name="ck_topics_kind"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "topic_reviews",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("topic_id", sa.Integer(), sa.ForeignKey("topics.id"), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("verdict IN ('approved', 'rejected', 'retired')", name="ck_topic_reviews_verdict"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_topic_reviews_topic", "topic_reviews", ["topic_id"])


def downgrade() -> None:
    """Take this version's tables away, with what people said in them."""
    for table in ("topic_reviews", "topics", "drop_rulings"):
        op.drop_table(table)
