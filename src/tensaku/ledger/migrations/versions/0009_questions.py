"""What was asked of the documents, what was answered from which passages, and what people thought of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema to this version."""
    op.create_table(
        "questions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("conversation", sa.String(64), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("found", sa.Boolean(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("index", sa.String(64), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_questions_conversation", "questions", ["conversation"])
    op.create_table(
        "opinions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("question_id", sa.Integer(), sa.ForeignKey("questions.id"), nullable=False),
        sa.Column("verdict", sa.String(8), nullable=False),
        sa.Column("correction", sa.Text(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("verdict IN ('up', 'down')", name="ck_opinions_verdict"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_opinions_question", "opinions", ["question_id"])


def downgrade() -> None:
    """Take this version's tables away, with the questions and opinions in them."""
    for table in ("opinions", "questions"):
        op.drop_table(table)
