"""Deployments of releases, and API keys of people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema to this version."""
    op.create_table(
        "deployments",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("release", sa.String(64), sa.ForeignKey("releases.ref"), nullable=False),
        sa.Column("event", sa.String(8), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("trial", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("event IN ('started', 'stopped')", name="ck_deployments_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deployments_release", "deployments", ["release"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("person", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("expires", MOMENT),
        sa.Column("revoked", MOMENT),
        sa.UniqueConstraint("hash", name="uq_api_keys_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_keys_person", "api_keys", ["person"])


def downgrade() -> None:
    """Take this version's tables away."""
    op.drop_table("api_keys")
    op.drop_table("deployments")
