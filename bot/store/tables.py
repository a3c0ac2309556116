"""The tables, as queries see them.

- ``accounts`` has one row for each Kayran account. Whoever records a change locks it, and numbers
  come from it. It also holds the lease of the process that is calling Kayran for the account.
- ``changes`` has one row for each accepted change, with the lease of the process that is delivering
  its messages to Slack.
- ``requests`` has one row for each time somebody who may not asked for a change.
- ``denials`` has one row for each time somebody was told no.
- ``heartbeat`` has one row, written to see whether the database takes anything.

Rows of the first four are only ever added to: no fact is overwritten, none deleted, and no secret is
kept. Times are seconds since 1970, UTC.
"""

import sqlalchemy as sa

metadata = sa.MetaData()
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# SQLite holds nobody to a length, and can't change it.
_Flags = sa.String(32).with_variant(sa.String(9), "sqlite")

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("account", sa.String(64), primary_key=True),
    sa.Column("last_number", sa.Integer, nullable=False),
    sa.Column("lease_until", sa.Double),
)

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("account", sa.String(64), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("request_key", sa.String(255), nullable=False, unique=True),
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("team_id", sa.String(64), nullable=False, key="team"),
    sa.Column("user_id", sa.String(64), nullable=False, key="user"),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("channel_id", sa.String(64), nullable=False, key="channel"),
    sa.Column("thread_ts", sa.String(32), key="thread"),
    sa.Column("origin", sa.String(16), nullable=False),
    sa.Column("origin_change", _Id, sa.ForeignKey("changes.id")),
    sa.Column("request_id", sa.Integer),
    sa.Column("before", _Flags, nullable=False),
    sa.Column("wanted", _Flags, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("outcome", sa.String(16)),
    sa.Column("closed_at", sa.Double),
    sa.Column("found", _Flags),
    sa.Column("reason", sa.Text),
    sa.Column("superseded_by", sa.Integer),
    sa.Column("parent_ts", sa.String(32)),
    sa.Column("post_error", sa.String(64)),
    sa.Column("reply_ts", sa.String(32)),
    sa.Column("reply_channel", sa.String(64)),
    sa.Column("delivered_at", sa.Double),
    sa.Column("given_up_at", sa.Double),
    sa.Column("deliver_at", sa.Double),
    sa.Column("delivery_lease_until", sa.Double),
    sa.Column("delivery_tries", sa.Integer, nullable=False, default=0),
    sa.Column("mailbox", sa.String(32), nullable=False, server_default=""),
    sa.UniqueConstraint("account", "number", name="changes_account_number"),
)

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False, key="user"),
    sa.Column("channel_id", sa.String(64), nullable=False, key="channel"),
    sa.Column("thread_ts", sa.String(32), key="thread"),
    sa.Column("account", sa.String(64), nullable=False),
    sa.Column("mailbox", sa.String(64), nullable=False),
    sa.Column("wanted", _Flags, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("notify", sa.String(64)),
    sa.Column("message_ts", sa.String(32)),
    sa.Column("outcome", sa.String(16), key="ending"),
    sa.Column("closed_at", sa.Double),
    sa.Column("decided_by", sa.String(64)),
    sa.Column("remark", sa.Text, nullable=False),
    sa.Column("deliver_at", sa.Double),
)

denials = sa.Table(
    "denials",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("team_id", sa.String(64), key="team"),
    sa.Column("user_id", sa.String(64), key="user"),
    sa.Column("role", sa.String(32)),
    sa.Column("reason", sa.String(64), nullable=False),
    sa.Column("step", sa.String(16), nullable=False),
    sa.Column("channel_id", sa.String(64), key="channel"),
)

heartbeat = sa.Table(
    "heartbeat",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("beat_at", sa.Double, nullable=False),
)

INDEXES = (
    "changes_asked_at ON changes (asked_at)",
    "changes_origin ON changes (origin_change)",
    "changes_open ON changes (account, number) WHERE outcome IS NULL",
    "changes_due ON changes (deliver_at) WHERE deliver_at IS NOT NULL",
    "ix_denials_asked_at ON denials (asked_at)",
    "requests_open ON requests (asked_at) WHERE outcome IS NULL",
    "requests_due ON requests (deliver_at) WHERE deliver_at IS NOT NULL",
)
"""What follows ``CREATE INDEX``. As SQLAlchemy's own, the partial ones would load PostgreSQL's dialect in
bots that use SQLite."""
