"""Keys with slow hashes and limits; which release answers; what was answered to whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema to this version."""
    with op.batch_alter_table("api_keys", table_kwargs={"sqlite_autoincrement": True}) as keys:
        keys.drop_constraint("uq_api_keys_hash", type_="unique")
        keys.alter_column("hash", type_=sa.String(200), existing_type=sa.String(64), existing_nullable=False)
        keys.add_column(sa.Column("limits", sa.JSON()))
        keys.create_unique_constraint("uq_api_keys_prefix", ["prefix"])
    op.create_table(
        "rollouts",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("champion", sa.String(64), sa.ForeignKey("releases.ref"), nullable=False),
        sa.Column("challenger", sa.String(64), sa.ForeignKey("releases.ref")),
        sa.Column("share", sa.Float()),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("before", sa.Integer(), sa.ForeignKey("rollouts.id")),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("event IN ('approved', 'deployed', 'rolled-back')", name="ck_rollouts_event"),
        sa.CheckConstraint("share IS NULL OR (share > 0 AND share < 1)", name="ck_rollouts_share"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "answers",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("door", sa.String(32), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("release", sa.String(200), nullable=False),
        sa.Column("arm", sa.String(16), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=False),
        sa.Column("key", sa.Integer(), sa.ForeignKey("api_keys.id")),
        sa.Column("prompt_sha256", sa.String(64)),
        sa.Column("answer_sha256", sa.String(64)),
        sa.Column("prompt", sa.Text()),
        sa.Column("answer", sa.Text()),
        sa.Column("finish", sa.String(16), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("by", sa.String(64), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_answers_release", "answers", ["release"])
    op.create_index("ix_answers_at", "answers", ["at"])


def downgrade() -> None:
    """Take this version's tables away; keys, whose longer hashes the older form cannot hold, go too."""
    op.drop_table("answers")
    op.drop_table("rollouts")
    op.execute("DELETE FROM api_keys")
    with op.batch_alter_table("api_keys", table_kwargs={"sqlite_autoincrement": True}) as keys:
        keys.drop_constraint("uq_api_keys_prefix", type_="unique")
        keys.drop_column("limits")
        keys.alter_column("hash", type_=sa.String(64), existing_type=sa.String(200), existing_nullable=False)
        keys.create_unique_constraint("uq_api_keys_hash", ["hash"])
