"""Reports of outside managers, and what each of them calls its sections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema to this version."""
    op.create_table(
        "reports",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("manager", sa.String(200), nullable=False),
        sa.Column("fund", sa.String(200), nullable=False),
        sa.Column("as_of", sa.String(7), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("content", sa.JSON()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("state IN ('filed', 'inbox', 'set-aside')", name="ck_reports_state"),
        sa.UniqueConstraint("sha256", name="uq_reports_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reports_state", "reports", ["state"])
    op.create_table(
        "heading_words",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("manager", sa.String(200), nullable=False),
        sa.Column("folded", sa.String(200), nullable=False),
        sa.Column("heading", sa.String(200), nullable=False),
        sa.Column("section", sa.String(64), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.UniqueConstraint("manager", "folded", name="uq_heading_words"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Take this version's tables away, with the reports and headings in them."""
    for table in ("heading_words", "reports"):
        op.drop_table(table)
