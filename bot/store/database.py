"""The database: SQLite where nothing is set up, PostgreSQL where several processes share one.

``Database`` hands out connections, each in one transaction. Whatever goes wrong in there is
``StoreUnavailable``: drivers have many classes for a database that can't do what is asked of it (lost
privileges, a full disk, a pooler, an encoding, a missing file), and all of them mean the same to
whoever asked.
"""

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.errors import StoreError, StoreUnavailable, StoreUnusable
from bot.store import migrations

log = logging.getLogger(__name__)

WAIT_SECONDS = 2
"""How long to wait for PostgreSQL: to connect, for a lock, for a statement. Slack waits 3 s for a save."""
SQLITE_SECONDS = 1.5
"""How long to wait for other processes to let this one write."""
POOL_SECONDS = 1.0
"""How long to wait for a connection, on top of that."""
CONNECTIONS = 8
"""At most, for one process: small plans of hosts allow 20 to PostgreSQL in all."""
HEARTBEAT_SECONDS = 5.0
ERROR_CHARACTERS = 200

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_READ_ONLY_TRANSACTION = "25006"
_UNDEFINED_TABLE = "42P01"


class Database:
    """Connections to the database, and whether it can be used.

    Args:
        url: an SQLAlchemy URL of SQLite, or of PostgreSQL with psycopg. Nothing is opened yet.
        clock: seconds since 1970; ``None`` for the server's clock, on which machines with different
            clocks agree, or this machine's with SQLite.
        ticks: seconds that never go back, for the pause between heartbeats.
        mode: how a file is opened, in SQLite's own parameters; see ``sqlite_engine``.

    Attributes:
        is_ready: whether the schema is known to be this release's; ``prepare`` sees to it.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] | None = None,
        ticks: Callable[[], float] = time.monotonic,
        mode: str = "mode=rw",
    ) -> None:
        self._path = sqlite_path(url)
        if self._path is None:
            self._reader = self._writer = postgres_engine(url)
        else:
            # SQLite lets one writer in at a time. Within a process they wait for one connection, one
            # after the other: at the file they would sleep in growing steps, and some for too long.
            self._reader = sqlite_engine(url, mode=mode)
            self._writer = sqlite_engine(url, mode=mode, begin="BEGIN IMMEDIATE", connections=1)
        self._file: tuple[int, int] | None = None
        self._clock = clock if clock or self._path is None else time.time
        self._ticks = ticks
        self._healthy_until = 0.0
        self.is_ready = False
        self._errors: set[str] = set()

    def prepare(self) -> None:
        """Bring the schema up to this release's; one process does it while the others wait.

        Raises:
            StoreUnavailable: when that is not possible now.
            StoreUnusable: when a newer release has been here, or the database is not in UTF-8.
        """
        with self._transaction(writes=False, prepared=False) as connection:
            if self._path is None:
                _require_utf8(connection)
            is_current = migrations.is_current(connection)
        if not is_current:
            with self._transaction(writes=True, prepared=False) as connection:
                if self._path is None:
                    # A step over many rows may take its time, and so may those who wait for it.
                    limit(connection, 0)
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(7261640)"))
                migrations.upgrade(connection)
        self.is_ready = True

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A connection in a transaction that only reads.

        Raises:
            StoreUnavailable: when anything goes wrong, here or in what is done with the connection.
        """
        return self._transaction(writes=False)

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """A connection in a transaction that is committed in the end.

        Raises:
            StoreUnavailable: when anything goes wrong, here or in what is done with the connection.
        """
        return self._transaction(writes=True)

    def now(self, connection: sa.Connection) -> float:
        """Seconds since 1970."""
        if self._clock is not None:
            return self._clock()
        query = sa.text("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(connection.scalar(query) or 0.0)

    def heartbeat(self) -> None:
        """Commit a row, to know what a save would meet; at most every 5 s while all goes well.

        Raises:
            StoreUnavailable: when it could not be committed.
        """
        if self.is_ready and self._ticks() < self._healthy_until:
            return
        # Inserting and updating need different privileges; this needs both, as a save does.
        beat = sa.text(
            "INSERT INTO heartbeat (id, beat_at) VALUES (1, :now) "
            "ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at"
        )
        with self.writing() as connection:
            connection.execute(beat, {"now": self.now(connection)})
        self._healthy_until = self._ticks() + HEARTBEAT_SECONDS

    def try_out(self) -> str | None:
        """Write, and roll back: whether a start and a save would be possible, with nothing changed.

        Returns:
            The schema's version; ``None`` where there is none yet, or no file.

        Raises:
            StoreUnavailable: when it can't be reached or written to.
            StoreUnusable: as ``prepare`` does.
        """
        if self._path and not self._path.exists() and os.access(self._path.parent, os.W_OK):
            return None
        with self._transaction(writes=True, prepared=False) as connection:
            if self._path is None:
                _require_utf8(connection)
            version = migrations.schema_version(connection)
            write = "CREATE TABLE kayran_notify_trial (id INTEGER)"
            if migrations.is_current(connection):
                write = "INSERT INTO heartbeat (id, beat_at) VALUES (0, 0)"
            connection.exec_driver_sql(write)
            connection.rollback()
        return version

    def close(self) -> None:
        """Close every connection that nobody is using."""
        self._reader.dispose()
        self._writer.dispose()

    def __str__(self) -> str:
        """Where it is, without a password."""
        return self._reader.url.render_as_string() if self._path is None else str(self._path)

    @contextlib.contextmanager
    def _transaction(self, *, writes: bool, prepared: bool = True) -> Iterator[sa.Connection]:
        if prepared and not self.is_ready:
            raise StoreUnavailable("its schema has not been checked yet")
        try:
            file = self._require_file()
            with (self._writer if writes else self._reader).begin() as connection:
                self._file = file
                yield connection
        except StoreError:
            raise
        except Exception as error:
            if _sqlstate(error) == _UNDEFINED_TABLE:
                self.is_ready = False
            self._healthy_until = 0.0
            text = explain(error)
            # Once, until something was written: reading may go on while writing can't.
            if text not in self._errors:
                log.error("the database can't be used: %s", text)  # noqa: TRY400 (the driver's words say it)
                self._errors.add(text)
            raise StoreUnavailable(text) from error
        if writes and self._errors:
            log.info("the database can be written again")
            self._errors.clear()

    def _require_file(self) -> tuple[int, int] | None:
        """The database's file, where it is one, as the system knows it. Nothing is written to a file that
        was removed, for it would be gone with it, or to another that took its place.
        """
        if self._path is None:
            return None
        if self._file is None:
            # SQLite would make a new one readable for everybody.
            self._path.touch(0o600)
        status = self._path.stat()
        file = (status.st_dev, status.st_ino)
        if self._file not in (None, file):
            raise OSError(f"{self._path} was replaced while the bot was running; start it again")
        return file


def sqlite_engine(
    url: str, *, mode: str = "mode=rw", begin: str = "BEGIN", connections: int = CONNECTIONS
) -> sa.Engine:
    """An engine for a file; nothing is opened yet.

    Args:
        url: its SQLAlchemy URL.
        mode: SQLite's own parameters (https://www.sqlite.org/uri.html): no file is made.
        begin: how a transaction begins. A writer's says so: halfway, SQLite would turn it away without
            waiting.
        connections: how many at most.
    """
    path = sqlite_path(url)
    file = sa.make_url(url).set(database=path.as_uri() if path else None)
    engine = sa.create_engine(
        file.update_query_string(f"uri=true&{mode}"),
        # What stands in a statement has no place in an error's text.
        hide_parameters=True,
        connect_args={"timeout": SQLITE_SECONDS},
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
    )

    def set_up(connection: Any, _record: object) -> None:
        # Python's own idea of when a transaction begins is in the way of the one given:
        # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
        connection.isolation_level = None
        # What is committed survives a power cut.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        # KiB, for each connection; by itself it would take eight times as much.
        connection.execute("PRAGMA cache_size=-256")
        if mode == "mode=rw":
            _switch_to_wal(connection)

    sa.event.listen(engine, "connect", set_up)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def postgres_engine(url: str) -> sa.Engine:
    """An engine for a server, reached directly or through a pooler; nothing is opened yet."""
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        connect_args={
            "connect_timeout": WAIT_SECONDS,
            "tcp_user_timeout": WAIT_SECONDS * 1000,
            # A database in SQL_ASCII would hand out bytes.
            "client_encoding": "utf8",
            # Poolers give each transaction another session, which knows no statement of the last.
            "prepare_threshold": None,
        },
    )
    # Poolers refuse the startup parameter that would set limits for the whole session.
    sa.event.listen(engine, "begin", lambda connection: limit(connection, WAIT_SECONDS))
    sa.event.listen(engine, "handle_error", _leave_read_only_server)
    return engine


def limit(connection: sa.Connection, seconds: int) -> None:
    """How long locks and statements may take in this transaction of PostgreSQL; 0 for ever."""
    value = f"'{seconds}s', true"
    connection.exec_driver_sql(
        f"SELECT set_config('lock_timeout', {value}), set_config('statement_timeout', {value})"
    )


def sqlite_path(url: str) -> Path | None:
    """The database's file; ``None`` where it is a server."""
    parts = sa.make_url(url)
    is_file = parts.get_backend_name() == "sqlite"
    return Path(parts.database or "").absolute() if is_file else None


def explain(error: BaseException) -> str:
    """The driver's own words with their SQLSTATE, in one line, without a statement or its values."""
    cause = getattr(error, "orig", None) or error
    said = getattr(getattr(cause, "diag", None), "message_primary", None) or str(cause)
    title = f"{type(cause).__name__} {_sqlstate(cause) or ''}".strip()
    return f"{title}: {' '.join(said.split())}"[:ERROR_CHARACTERS]


def _sqlstate(error: BaseException) -> str | None:
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None)


def _require_utf8(connection: sa.Connection) -> None:
    encoding = connection.scalar(sa.text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise StoreUnusable(
            f"The database keeps text as {encoding}, which does not take every name and answer. Make "
            "one with ENCODING 'UTF8' TEMPLATE template0, and set DATABASE_URL to it."
        )


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Readers don't wait for the writer then. Of two processes that switch a new file, one is turned away
    at once, whatever its time-out.
    """
    until = time.monotonic() + SQLITE_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode=WAL")
            return
        time.sleep(0.005)


def _leave_read_only_server(context: sa.engine.ExceptionContext) -> None:
    """After a failover, sessions may still lead to the old server: they are all replaced."""
    if _sqlstate(context.original_exception) == _READ_ONLY_TRANSACTION:
        context.is_disconnect = True
