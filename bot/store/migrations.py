"""The schema: made whole where there is none, brought up step by step where an older one stands.

What stands in ``tables`` is the newest schema. A step changes tables that a database already has to
match it; new tables need none, they are made where they are missing. A step is never edited after a
release. Whoever adds one takes the next number: the last is the schema's version.
"""

import logging
import re

import sqlalchemy as sa

from bot.errors import StoreUnusable
from bot.store.tables import INDEXES, metadata

log = logging.getLogger(__name__)

FIRST_RELEASE = "0001"
STEPS = {
    # Columns named for what they are, and no address kept. ``reply_url`` stays, empty: old versions
    # of SQLite can't drop a column. So do ``attempts`` and ``lease_attempt``, which nobody reads.
    "0002": (
        "ALTER TABLE changes RENAME COLUMN form TO request_key",
        "ALTER TABLE changes RENAME COLUMN closed_to_us TO post_error",
        "ALTER TABLE changes RENAME COLUMN tell_due_at TO deliver_at",
        "ALTER TABLE changes RENAME COLUMN tell_until TO delivery_lease_until",
        "ALTER TABLE changes RENAME COLUMN tell_tries TO delivery_tries",
        "ALTER TABLE changes RENAME COLUMN told_at TO delivered_at",
        "UPDATE changes SET reply_url = NULL",
        "ALTER TABLE changes ADD COLUMN mailbox VARCHAR(32) NOT NULL DEFAULT ''",
        "ALTER TABLE changes ADD COLUMN request_id INTEGER",
    ),
    # Room for a tenth notification, and requests that are told again.
    "0003": (
        "ALTER TABLE changes ALTER COLUMN before TYPE VARCHAR(32)",
        "ALTER TABLE changes ALTER COLUMN wanted TYPE VARCHAR(32)",
        "ALTER TABLE changes ALTER COLUMN found TYPE VARCHAR(32)",
        "ALTER TABLE requests ALTER COLUMN wanted TYPE VARCHAR(32)",
        "ALTER TABLE requests ADD COLUMN deliver_at DOUBLE PRECISION",
        "UPDATE requests SET deliver_at = 0 WHERE outcome IS NULL",
    ),
}
"""What brings a database from the version before to each of these."""
NEWEST = max(STEPS)

_versions = sa.Table(
    # Other programs may share the database: those that use Alembic keep theirs in alembic_version.
    "kayran_notify_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), primary_key=True),
)


def schema_version(connection: sa.Connection) -> str | None:
    """The schema's version; ``None`` where there is none.

    Raises:
        StoreUnusable: when it is a newer release's.
    """
    version: str | None = None
    tables = _tables(connection)
    if _versions.name in tables:
        version = connection.scalar(sa.select(_versions.c.version_num))
    elif {"accounts", "changes", "denials", "alembic_version"} <= tables:
        # The first release kept its version where programs that use Alembic keep theirs.
        query = sa.text("SELECT version_num FROM alembic_version WHERE version_num = :first")
        version = connection.scalar(query, {"first": FIRST_RELEASE})
    if version is not None and version > NEWEST:
        raise StoreUnusable(
            f"The database was written by a newer release of the bot (schema {version}; this "
            f"release knows {NEWEST}). Start that release, or set DATABASE_URL to another one."
        )
    return version


def is_current(connection: sa.Connection) -> bool:
    """Whether every table is there, as this release knows it."""
    return schema_version(connection) == NEWEST and set(metadata.tables) <= _tables(connection)


def upgrade(connection: sa.Connection) -> None:
    """Bring the schema up within the connection's transaction: all of it, or nothing."""
    if is_current(connection):
        # Another process has done it while this one waited for its turn.
        return
    version = schema_version(connection)
    there = _tables(connection)
    missing = set(metadata.tables) - there
    for number, statements in STEPS.items():
        if version is not None and version < number:
            for statement in statements:
                if _applies(connection, statement, there):
                    connection.exec_driver_sql(statement)
    if missing and version == NEWEST:
        log.error("tables were missing and are made again: %s", ", ".join(sorted(missing)))
    # A new schema is never made around another program's tables.
    metadata.create_all(connection, checkfirst=version is not None)
    _versions.create(connection, checkfirst=version is not None)
    for index in INDEXES:
        connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {index}")
    connection.execute(_versions.delete())
    connection.execute(_versions.insert().values(version_num=NEWEST))


def _applies(connection: sa.Connection, statement: str, there: set[str]) -> bool:
    """Whether a step is for this database: tables that are not there yet are made as they are to be, and
    SQLite holds no column to its length.
    """
    table = re.sub("ALTER TABLE |UPDATE ", "", statement).split()[0]
    return table in there and not (
        connection.dialect.name == "sqlite" and " ALTER COLUMN " in statement
    )


def _tables(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())
