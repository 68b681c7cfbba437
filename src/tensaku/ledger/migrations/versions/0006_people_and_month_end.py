"""Sign-in and rights of people; who has which draft until when; reviews by a second person; asking in bulk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema to this version."""
    with op.batch_alter_table("people") as people:
        people.add_column(sa.Column("once", sa.Boolean()))
        people.add_column(sa.Column("scopes", sa.JSON()))
    _sign_in()
    _month_end()
    _bulk()


def downgrade() -> None:
    """Take this version's tables away, with what is in them; what was drafted, saved and logged stays."""
    for table in ("bulk_items", "bulks", "reviews", "assignments", "sign_in_failures", "sessions"):
        op.drop_table(table)
    with op.batch_alter_table("people") as people:
        people.drop_column("scopes")
        people.drop_column("once")


def _person(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey("people.name")
    return sa.Column(name, sa.String(64), key, nullable=nullable, primary_key=primary_key)


def _sign_in() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        _person("person"),
        sa.Column("how", sa.String(16), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("seen", MOMENT, nullable=False),
        sa.Column("expires", MOMENT, nullable=False),
        sa.Column("ended", MOMENT),
    )
    op.create_index("ix_sessions_person", "sessions", ["person"])
    op.create_table(
        "sign_in_failures",
        _person("person", primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("until", MOMENT),
    )


def _month_end() -> None:
    op.create_table(
        "assignments",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("draft_id", sa.Integer(), sa.ForeignKey("drafts.id"), nullable=False),
        _person("person", nullable=True),
        sa.Column("due", sa.String(10)),
        _person("by"),
        sa.Column("at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_assignments_draft_id", "assignments", ["draft_id"])
    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("final_id", sa.Integer(), sa.ForeignKey("finals.id"), nullable=False),
        sa.Column("decision", sa.String(8), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        _person("by"),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("decision IN ('approved', 'returned', 'comment')", name="ck_reviews_decision"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reviews_final_id", "reviews", ["final_id"])


def _bulk() -> None:
    op.create_table(
        "bulks",
        sa.Column("id", sa.Integer(), primary_key=True),
        _person("by"),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("ended", MOMENT),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "bulk_items",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("bulk_id", sa.Integer(), sa.ForeignKey("bulks.id"), nullable=False),
        sa.Column("draft_id", sa.Integer(), sa.ForeignKey("drafts.id"), nullable=False),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("revision_id", sa.Integer(), sa.ForeignKey("revisions.id")),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'done', 'failed', 'cancelled')", name="ck_bulk_items_state"),
        sa.UniqueConstraint("bulk_id", "draft_id", name="uq_bulk_items_draft"),
        sqlite_autoincrement=True,
    )
    for column in ("bulk_id", "draft_id", "state"):
        op.create_index(f"ix_bulk_items_{column}", "bulk_items", [column])
