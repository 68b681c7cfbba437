"""Salts, conditions of approvals, filings of governance, and lineage for fast questions.

One way only: the log holds digests that the salts are part of, and without them every row written
since would look tampered with.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema to this version."""
    for name in ("drafts", "revisions", "finals", "changes", "answers"):
        op.add_column(name, sa.Column("salt", sa.String(32)))
    with op.batch_alter_table("approvals", table_kwargs={"sqlite_autoincrement": True}) as approvals:
        approvals.drop_constraint("ck_approvals_decision", type_="check")
        approvals.alter_column("decision", type_=sa.String(16), existing_type=sa.String(8), existing_nullable=False)
        approvals.add_column(sa.Column("conditions", sa.JSON()))
        approvals.create_check_constraint("ck_approvals_decision", "decision IN ('approved', 'rejected', 'withdrawn')")
    op.create_table(
        "filings",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_filings_subject", "filings", ["kind", "subject"])
    op.create_table(
        "lineage",
        sa.Column("child", sa.String(128), primary_key=True),
        sa.Column("parent", sa.String(1024), primary_key=True),
    )
    op.create_index("ix_lineage_parent", "lineage", ["parent"])
    op.create_table(
        "lessons_seen",
        sa.Column("lessons", sa.String(64), primary_key=True),
        sa.Column("pair", sa.String(200), primary_key=True),
        sa.Column("document", sa.String(1024), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
    )
    op.create_index("ix_lessons_seen_pair", "lessons_seen", ["pair"])
    op.create_index("ix_lessons_seen_document", "lessons_seen", ["document"])
    op.create_index("ix_lessons_seen_person", "lessons_seen", ["person"])
