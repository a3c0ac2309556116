"""Reading the history: the database is opened to be read, and nothing is made or changed."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.errors import StoreUnusable
from bot.store import database, migrations
from bot.store.tables import changes, denials, requests


def read_history(
    database_url: str, since: float = 0.0, limit: int | None = None
) -> list[dict[str, Any]]:
    """The rows of ``changes``, ``denials`` and ``requests``, in the order they were asked.

    Args:
        database_url: an SQLAlchemy URL.
        since: only what was asked from then on, seconds since 1970.
        limit: only the latest so many.

    Returns:
        For each its columns, and ``kind``: ``change``, ``denial`` or ``request``; a request's ``number`` is
        its id.

    Raises:
        StoreUnusable: when there is no such file, its schema is not this release's, or the database
            does not answer.
    """
    path = database.sqlite_path(database_url)
    if path is None:
        engine = database.postgres_engine(database_url)
    elif path.exists():
        # Where no bot has it open there is no log beside it, and none is to be made.
        log = Path(f"{path}-wal")
        mode = "mode=ro" if log.exists() else "mode=ro&immutable=1"
        engine = database.sqlite_engine(database_url, mode=mode)
    else:
        raise StoreUnusable(f"There is no record at {path}. Check DATABASE_URL.")
    try:
        with engine.begin() as connection:
            if path is None:
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
                database.limit(connection, 0)
            return _rows(connection, since, limit)
    except StoreUnusable:
        raise
    except Exception as error:
        said = f"The database does not answer ({database.explain(error)}). Check DATABASE_URL."
        raise StoreUnusable(said) from error
    finally:
        engine.dispose()


def _rows(connection: sa.Connection, since: float, limit: int | None) -> list[dict[str, Any]]:
    if migrations.schema_version(connection) != migrations.NEWEST:
        raise StoreUnusable(
            "The database is empty, or of an older release. Start the bot once, then try again."
        )
    rows: list[dict[str, Any]] = []
    for table, kind in ((changes, "change"), (denials, "denial"), (requests, "request")):
        query = sa.select(table).where(table.c.asked_at >= since)
        latest = query.order_by(table.c.asked_at.desc(), table.c.id.desc()).limit(limit)
        rows += ({"kind": kind, **row} for row in connection.execute(latest).mappings())
    for row in rows:
        if row["kind"] == "request":
            row["number"] = row["id"]
    return sorted(rows, key=lambda row: (row["asked_at"], row["id"]))[-(limit or len(rows)) :]
