"""The record: accounts, changes, attempts, denials."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the four tables."""
    op.create_table(
        "accounts",
        sa.Column("account", sa.String(64), primary_key=True),
        sa.Column("last_number", sa.Integer, nullable=False),
        sa.Column("lease_attempt", _Id),
        sa.Column("lease_until", sa.Double),
    )
    op.create_table(
        "changes",
        sa.Column("id", _Id, primary_key=True, autoincrement=True),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("form", sa.String(255), nullable=False, unique=True),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.Column("team_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("channel_id", sa.String(64), nullable=False),
        sa.Column("thread_ts", sa.String(32)),
        sa.Column("reply_url", sa.Text),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("origin_change", _Id, sa.ForeignKey("changes.id")),
        sa.Column("before", sa.String(9), nullable=False),
        sa.Column("wanted", sa.String(9), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("closed_at", sa.Double),
        sa.Column("found", sa.String(9)),
        sa.Column("reason", sa.Text),
        sa.Column("superseded_by", sa.Integer),
        sa.Column("parent_ts", sa.String(32)),
        sa.Column("closed_to_us", sa.String(64)),
        sa.Column("reply_ts", sa.String(32)),
        sa.Column("reply_channel", sa.String(64)),
        sa.Column("told_at", sa.Double),
        sa.Column("given_up_at", sa.Double),
        sa.Column("tell_due_at", sa.Double),
        sa.Column("tell_until", sa.Double),
        sa.Column("tell_tries", sa.Integer, nullable=False),
        sa.UniqueConstraint("account", "number", name="changes_account_number"),
    )
    op.create_index("changes_asked_at", "changes", ["asked_at"])
    op.create_index("changes_origin", "changes", ["origin_change"])
    is_open = sa.text("outcome IS NULL")
    op.create_index(
        "changes_open",
        "changes",
        ["account", "number"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    is_due = sa.text("tell_due_at IS NOT NULL")
    op.create_index(
        "changes_due", "changes", ["tell_due_at"], sqlite_where=is_due, postgresql_where=is_due
    )
    op.create_table(
        "attempts",
        sa.Column("id", _Id, primary_key=True, autoincrement=True),
        sa.Column("change_id", _Id, sa.ForeignKey("changes.id"), nullable=False, index=True),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("outcome", sa.String(16)),
        sa.Column("holder", sa.String(128), nullable=False),
    )
    op.create_table(
        "denials",
        sa.Column("id", _Id, primary_key=True, autoincrement=True),
        sa.Column("asked_at", sa.Double, nullable=False, index=True),
        sa.Column("team_id", sa.String(64)),
        sa.Column("user_id", sa.String(64)),
        sa.Column("role", sa.String(32)),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("channel_id", sa.String(64)),
    )
