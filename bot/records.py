"""What was asked, decided and done: the bot's record, in SQLite or PostgreSQL.

Rows are only ever added to: a change gains its ending, its messages and the time it was told; no
fact is overwritten, none deleted, and no secret is kept (a ``response_url`` only sealed). Every
lock and every order that matters is here, so that several processes on one database behave as one:

- ``accounts`` has one row for each Kayran account. Whoever records a change locks it, and numbers
  come from it. It also holds the lease of whoever is calling Kayran for the account.
- ``changes`` has one row for each accepted change; who is telling it in Slack is a lease too.
- ``attempts`` has one row for each time a change was taken up to be sent.
- ``denials`` has one row for each time somebody was told no.

Times are seconds since 1970, UTC, by the database's clock where it is a server, so that machines
with different clocks agree on when a lease ends.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from bot.changes import (
    Asker,
    Change,
    Claim,
    Denial,
    Due,
    Ending,
    Origin,
    Outcome,
    Outlook,
    Place,
    Recorded,
    Request,
)
from bot.errors import RecordsAway, RecordsTooNew
from bot.notifications import Flags

SCHEMA_HEAD = "0001"
"""The newest step in ``bot/migrations/versions``."""

TOLD_WITHIN_SECONDS = 24 * 3600.0
"""How long a report that can't be delivered is tried."""
PAUSES_SECONDS = (5.0, 3600.0)
"""The first pause between two tries to deliver a report, doubled each time, and the longest."""
DATABASE_SECONDS = 2
"""How long to wait for the database before calling it away: a submit has 3 s in all."""
TURN_SECONDS = 1.0
"""With SQLite, how long to wait for this process's turn to write; the rest of ``DATABASE_SECONDS``
is for the other processes'."""
_SQLITE_MILLISECONDS = int((DATABASE_SECONDS - TURN_SECONDS) * 1000)
_LOOK_AGAIN_MILLISECONDS = 10
CONNECTIONS = 8
"""To PostgreSQL, for one process: small plans of hosts allow 20 in all."""
SINCE_AT_MOST = 5
WORDS_AT_MOST = 200
"""Of a driver's error, for the log."""

_metadata = sa.MetaData()
"""What queries are made of. Indexes are made by the steps in ``bot/migrations`` alone: no query names
one, and to have PostgreSQL's here would import its dialect into bots that keep their record in SQLite.
"""
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

accounts = sa.Table(
    "accounts",
    _metadata,
    sa.Column("account", sa.String(64), primary_key=True),
    sa.Column("last_number", sa.Integer, nullable=False),
    sa.Column("lease_attempt", _Id),
    sa.Column("lease_until", sa.Double),
)

changes = sa.Table(
    "changes",
    _metadata,
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

attempts = sa.Table(
    "attempts",
    _metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("change_id", _Id, sa.ForeignKey("changes.id"), nullable=False),
    sa.Column("started_at", sa.Double, nullable=False),
    sa.Column("ended_at", sa.Double),
    sa.Column("outcome", sa.String(16)),
    sa.Column("holder", sa.String(128), nullable=False),
)

denials = sa.Table(
    "denials",
    _metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("team_id", sa.String(64)),
    sa.Column("user_id", sa.String(64)),
    sa.Column("role", sa.String(32)),
    sa.Column("reason", sa.String(64), nullable=False),
    sa.Column("step", sa.String(16), nullable=False),
    sa.Column("channel_id", sa.String(64)),
)

_COUNTS = sa.or_(
    changes.c.outcome.is_(None),
    changes.c.outcome.in_([Outcome.APPLIED.value, Outcome.UNSURE.value]),
)
"""A change that may have set something, or still may."""


@dataclass(frozen=True)
class Entry:
    """A row of the history.

    Attributes:
        table: ``changes`` or ``denials``.
        asked_at: when it was asked, seconds since 1970.
        row: its columns.
        attempts: of a change, each time it was taken up, as rows.
    """

    table: str
    asked_at: float
    row: Mapping[str, Any]
    attempts: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Leases:
    """How long a right lasts that a process takes, in seconds, should the process die with it.

    Attributes:
        send: the right to call Kayran. Longer than the longest attempt, so that two never overlap,
            and short enough that a stalled process holds nobody up for a minute.
        tell: the right to tell a change in Slack, renewed at each step. Longer than the longest
            step: 8 s for a ``response_url``, then a post's two tries of 11 s each, connecting
            included, and the 6 s that may lie between them.
    """

    send: float = 30.0
    tell: float = 40.0


class Records:
    """The verbs. Each is one transaction; each raises ``RecordsAway`` when the database does not
    answer, and has changed nothing then.

    Args:
        engine: from ``connect``.
        holder: this process's name in the record of attempts.
        leases: how long the leases last.
        clock: seconds since 1970; ``None`` for the database's own, or this machine's with SQLite.
    """

    def __init__(
        self,
        engine: sa.Engine,
        holder: str,
        leases: Leases = Leases(),
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._engine = engine
        self._writer = engine.execution_options(begin="IMMEDIATE")
        self._holder = holder
        self._leases = leases
        self._clock = clock
        self._ready = False
        self._is_server = engine.dialect.name != "sqlite"
        # SQLite lets one writer in at a time, and those who wait sleep in growing steps: within
        # a process, waiting for each other costs a twentieth of that.
        self._one_writer = threading.Lock()

    # Getting ready

    def prepare(self) -> None:
        """Bring the schema up to this release's; one process does it while the others wait.

        Raises:
            RecordsTooNew: when a newer release has been here.
        """
        try:
            with _translated():
                with self._engine.begin() as connection:
                    version = self._schema_version(connection)
                if version != SCHEMA_HEAD:
                    self._upgrade()
        except exc.ProgrammingError as error:
            # Most often a user who may not create tables (PostgreSQL from 15 on grants that to nobody):
            # whoever runs the database can mend it while the bot waits.
            raise RecordsAway(_what_it_says(error)) from error
        self._ready = True

    @property
    def is_ready(self) -> bool:
        """Whether ``prepare`` has been through."""
        return self._ready

    def _upgrade(self) -> None:
        # Slow to import, and needed only when there is something to do.
        from bot.migrations import upgrade  # noqa: PLC0415

        with self._turn(), self._writer.begin() as connection:
            if self._is_server:
                # Those who wait here, and a step over many rows, may take their time; and on a
                # connection that is used for nothing else.
                connection.detach()
                line: Any = connection.connection.dbapi_connection
                line.answers_within = None
                connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
                connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7261640)"))
            upgrade(connection)

    def _schema_version(self, connection: sa.Connection) -> str | None:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        if version is not None and version > SCHEMA_HEAD:
            raise RecordsTooNew(
                f"The database was written by a newer release of the bot (schema {version}; this "
                f"release knows {SCHEMA_HEAD}). Start that release, or set DATABASE_URL to another one."
            )
        return version

    def ping(self) -> None:
        """Ask the database for as little as shows that it answers, has the tables and can be
        written to.
        """
        row = sa.select(accounts.c.account).limit(1).with_for_update(skip_locked=True)
        with self._writing() as connection:
            connection.execute(row)

    def close_connections(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    # One change's story

    def outlook(self, account: str, form: str | None = None) -> Outlook:
        """What is known of the account now, and what the form has already made."""
        with self._reading() as connection:
            newest = self._newest(connection, account)
            same = self._one(connection, changes.c.form == form) if form else None
        return Outlook(newest, same)

    def change(self, change_id: int) -> Change | None:
        """One change, whole."""
        with self._reading() as connection:
            return self._one(connection, changes.c.id == change_id)

    def made_from(self, change_id: int) -> Change | None:
        """The change that a button of this one made, if one was used."""
        with self._reading() as connection:
            return self._used_by(connection, change_id)

    def since(self, account: str, number: int) -> Sequence[Change]:
        """The latest few changes with a higher number that count, and the one with this number
        where it ended otherwise than applied; oldest first.
        """
        newer = sa.and_(changes.c.number > number, _COUNTS)
        not_applied = sa.and_(
            changes.c.number == number,
            changes.c.outcome.is_not(None),
            changes.c.outcome != Outcome.APPLIED.value,
        )
        query = (
            sa.select(changes)
            # The lower bound is for the database: without it, it would look through all of history.
            .where(changes.c.account == account, changes.c.number >= number)
            .where(sa.or_(newer, not_applied))
            .order_by(changes.c.number.desc())
            .limit(SINCE_AT_MOST)
        )
        with self._reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [_change(row) for row in reversed(rows)]

    def accept(
        self, account: str, request: Request, before: Flags, expected: Outlook
    ) -> Recorded | None:
        """Record the request under the account's next number, leased to this process for telling.

        Returns:
            The change; or ``None``, with nothing recorded, where the account is no longer as
            expected. A form that is already on record brings back its change.
        """
        with self._writing() as connection:
            number = self._lock_account(connection, account) + 1
            same = self._one(connection, changes.c.form == request.form)
            if same is not None:
                return Recorded(same, again=True)
            if Outlook(self._newest(connection, account)).state != expected.state:
                return None
            now = self._now(connection)
            inserted = connection.execute(
                changes.insert().values(
                    **_request_columns(request),
                    account=account,
                    number=number,
                    asked_at=now,
                    before=before.encode(),
                    tries=0,
                    tell_tries=0,
                    tell_due_at=now,
                )
            )
            connection.execute(
                accounts.update().where(accounts.c.account == account).values(last_number=number)
            )
            return Recorded(self._get(connection, _new_id(inserted)))

    def claim(self, account: str) -> Claim | None:
        """Lease the account to send its next change, unless somebody has the lease.

        What the newest change has overtaken before it was ever sent is closed as superseded. What
        was sent, or may have been, is sent again before anything newer: a whole overwrite does no
        harm twice, and the order stays.
        """
        with self._writing() as connection:
            self._lock_account(connection, account)
            now = self._now(connection)
            waiting = self._open_changes(connection, account)
            if not waiting or not self._lease_is_free(connection, account, now):
                return None
            newest = waiting[-1]
            chosen = next(c for c in waiting if c.tries > 0 or c is newest)
            overtaken = [c for c in waiting if c.number < newest.number and c.tries == 0]
            self._supersede(connection, overtaken, newest, now)
            attempt = self._start_attempt(connection, chosen, now)
            taken_up = self._get(connection, chosen.id)
        return Claim(taken_up, attempt, tuple(c.id for c in overtaken))

    def close(self, claim: Claim, ending: Ending) -> None:
        """Put on record how it ended, and give the lease back.

        Where the lease had run out and another process has taken it since, that one's word counts:
        it may be sending still.
        """
        with self._writing() as connection:
            now = self._now(connection)
            connection.execute(
                attempts.update()
                .where(attempts.c.id == claim.attempt)
                .values(ended_at=now, outcome=ending.outcome.value)
            )
            # The account's row before the change's, as everywhere: two that lock the same rows in
            # another order lock each other out.
            given_back = connection.execute(
                accounts.update()
                .where(
                    accounts.c.account == claim.change.account,
                    accounts.c.lease_attempt == claim.attempt,
                )
                .values(lease_attempt=None, lease_until=None)
            )
            if given_back.rowcount == 0:
                return
            connection.execute(
                changes.update()
                .where(changes.c.id == claim.change.id)
                .values(
                    outcome=ending.outcome.value,
                    reason=_storable(ending.reason),
                    found=ending.found.encode(),
                    closed_at=now,
                    tell_due_at=_unless_put_off(now),
                )
            )

    # Telling it in Slack

    def due(self, at_most: int) -> Sequence[int]:
        """The ids of changes that have something to tell which nobody is telling."""
        with self._reading() as connection:
            now = self._now(connection)
            query = (
                sa.select(changes.c.id)
                .where(changes.c.tell_due_at <= now, _free(changes.c.tell_until, now))
                .order_by(changes.c.tell_due_at)
                .limit(at_most)
            )
            return list(connection.scalars(query))

    def open_accounts(self) -> Sequence[str]:
        """The accounts that have a change on record and not closed."""
        with self._reading() as connection:
            query = sa.select(changes.c.account).where(changes.c.outcome.is_(None)).distinct()
            return list(connection.scalars(query))

    def claim_telling(self, change_id: int) -> Due | None:
        """Lease the telling of one change, where something is due and nobody is at it."""
        with self._writing() as connection:
            now = self._now(connection)
            claimed = connection.execute(
                changes.update()
                .where(
                    changes.c.id == change_id,
                    changes.c.tell_due_at <= now,
                    _free(changes.c.tell_until, now),
                )
                .values(tell_until=now + self._leases.tell)
            )
            if claimed.rowcount == 0:
                return None
            return Due(self._get(connection, change_id), self._used_by(connection, change_id))

    def announced(
        self, change_id: int, *, parent_ts: str | None = None, closed_to_us: str | None = None
    ) -> Change:
        """Put on record where the change's thread hangs, or why it has none.

        Where the change has not ended yet, nothing more is due and the lease is given back; where
        it has, the lease is kept for telling how.
        """
        with self._writing() as connection:
            renewed = self._now(connection) + self._leases.tell
            connection.execute(
                changes.update()
                .where(changes.c.id == change_id)
                .values(parent_ts=parent_ts, closed_to_us=closed_to_us, tell_until=renewed)
            )
            connection.execute(
                changes.update()
                .where(changes.c.id == change_id, changes.c.outcome.is_(None))
                .values(tell_due_at=None, tell_until=None)
            )
            return self._get(connection, change_id)

    def replied(
        self, change_id: int, *, ts: str, channel: str, closed_to_us: str | None = None
    ) -> None:
        """Put on record where the result was told; ``ts`` is empty where a ``response_url`` took it."""
        values: dict[str, Any] = {"reply_ts": ts, "reply_channel": channel}
        if closed_to_us is not None:
            values["closed_to_us"] = closed_to_us
        with self._writing() as connection:
            values["tell_until"] = self._now(connection) + self._leases.tell
            connection.execute(changes.update().where(changes.c.id == change_id).values(**values))

    def told(self, change_id: int) -> None:
        """Put on record that everything about this change has been told; forget its ``response_url``."""
        with self._writing() as connection:
            now = self._now(connection)
            connection.execute(
                changes.update()
                .where(changes.c.id == change_id)
                .values(told_at=now, tell_due_at=None, tell_until=None, reply_url=None)
            )

    def let_go(self, change_id: int) -> None:
        """Give the lease back; what is due stays due, and whoever comes by tells it."""
        with self._writing() as connection:
            connection.execute(
                changes.update().where(changes.c.id == change_id).values(tell_until=None)
            )

    def put_off(self, change_id: int, at_least: float = 0.0) -> float | None:
        """Give the lease back after a try that failed, to be tried again after a growing pause.

        Args:
            change_id: the change whose telling failed.
            at_least: seconds that Slack asked to wait.

        Returns:
            The pause in seconds; or ``None`` where it has been tried for a day and is given up.
        """
        with self._writing() as connection:
            now = self._now(connection)
            row = connection.execute(
                sa.select(changes.c.tell_tries, changes.c.asked_at, changes.c.closed_at).where(
                    changes.c.id == change_id
                )
            ).one()
            first, longest = PAUSES_SECONDS
            pause = max(at_least, min(longest, first * 2 ** min(row.tell_tries, 20)))
            values: dict[str, Any] = {"tell_until": None, "tell_tries": row.tell_tries + 1}
            if now - (row.closed_at or row.asked_at) > TOLD_WITHIN_SECONDS:
                values |= {"given_up_at": now, "tell_due_at": None}
            else:
                values |= {"tell_due_at": now + pause}
            connection.execute(changes.update().where(changes.c.id == change_id).values(**values))
        return None if "given_up_at" in values else pause

    # Who was told no

    def deny(self, denial: Denial) -> None:
        """Put on record that somebody was told no."""
        with self._writing() as connection:
            connection.execute(
                denials.insert().values(
                    asked_at=self._now(connection),
                    team_id=denial.team,
                    user_id=denial.user,
                    role=denial.role,
                    reason=denial.reason,
                    step=denial.step,
                    channel_id=denial.channel,
                )
            )

    # Looking back

    def history(self, since: float = 0.0, limit: int | None = None) -> Iterator[Entry]:
        """What was asked, decided and done, oldest first.

        Args:
            since: only what was asked from then on, seconds since 1970.
            limit: only the latest so many.

        Raises:
            RecordsAway: when the database does not answer, also halfway.
        """
        with (
            _translated(),
            self._engine.connect() as connection,
            contextlib.ExitStack() as until_read,
        ):
            if self._schema_version(connection) is None:
                return
            tables = [
                until_read.enter_context(
                    contextlib.closing(self._entries(connection, table, since, limit))
                )
                for table in (changes, denials)
            ]
            if limit is None:
                yield from heapq.merge(*tables, key=_asked_at)
            else:
                newest_first = heapq.merge(*tables, key=_asked_at, reverse=True)
                yield from reversed(list(itertools.islice(newest_first, limit)))

    def _entries(
        self, connection: sa.Connection, table: sa.Table, since: float, latest: int | None = None
    ) -> Generator[Entry, None, None]:
        """The rows of one table; the latest so many newest first, or all of them oldest first."""
        query = sa.select(table).where(table.c.asked_at >= since)
        if latest is None:
            query = query.order_by(table.c.asked_at, table.c.id)
        else:
            query = query.order_by(table.c.asked_at.desc(), table.c.id.desc()).limit(latest)
        with connection.execute(query, execution_options={"yield_per": 500}) as result:
            for rows in result.mappings().partitions():
                tries = self._attempts_of(connection, [row["id"] for row in rows], table)
                for row in rows:
                    yield Entry(table.name, row["asked_at"], dict(row), tries.get(row["id"], ()))

    def _attempts_of(
        self, connection: sa.Connection, ids: Sequence[int], table: sa.Table
    ) -> Mapping[int, Sequence[Mapping[str, Any]]]:
        if table is not changes:
            return {}
        query = sa.select(attempts).where(attempts.c.change_id.in_(ids)).order_by(attempts.c.id)
        found: dict[int, list[Mapping[str, Any]]] = {}
        for row in connection.execute(query).mappings():
            found.setdefault(row["change_id"], []).append(dict(row))
        return found

    # Inside a transaction

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        self._check_ready()
        with _translated(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        self._check_ready()
        with self._turn(), _translated(), self._writer.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if self._is_server:
            yield
            return
        if not self._one_writer.acquire(timeout=TURN_SECONDS):
            raise RecordsAway("no turn to write")
        try:
            yield
        finally:
            self._one_writer.release()

    def _check_ready(self) -> None:
        if not self._ready:
            raise RecordsAway("not prepared yet")

    def _now(self, connection: sa.Connection) -> float:
        if self._clock is not None:
            return self._clock()
        if not self._is_server:
            return time.time()
        now = connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())::float8"))
        return float(now)

    def _lock_account(self, connection: sa.Connection, account: str) -> int:
        """Hold the account's row until the transaction ends; the last number given out."""
        query = (
            sa.select(accounts.c.last_number).where(accounts.c.account == account).with_for_update()
        )
        last = connection.scalar(query)
        if last is None:
            self._add_account(connection, account)
            last = connection.scalar(query)
        return int(last)  # type: ignore[arg-type]  # just added

    def _add_account(self, connection: sa.Connection, account: str) -> None:
        insert = sa.text(
            "INSERT INTO accounts (account, last_number) VALUES (:account, 0) ON CONFLICT DO NOTHING"
        )
        connection.execute(insert, {"account": account})

    def _lease_is_free(self, connection: sa.Connection, account: str, now: float) -> bool:
        free = sa.select(_free(accounts.c.lease_until, now)).where(accounts.c.account == account)
        return bool(connection.scalar(free))

    def _open_changes(self, connection: sa.Connection, account: str) -> Sequence[Change]:
        query = (
            sa.select(changes)
            .where(changes.c.account == account, changes.c.outcome.is_(None))
            .order_by(changes.c.number)
        )
        return [_change(row) for row in connection.execute(query).mappings()]

    def _supersede(
        self, connection: sa.Connection, overtaken: Sequence[Change], by: Change, now: float
    ) -> None:
        if not overtaken:
            return
        connection.execute(
            changes.update()
            .where(changes.c.id.in_([c.id for c in overtaken]))
            .values(
                outcome=Outcome.SUPERSEDED.value,
                superseded_by=by.number,
                closed_at=now,
                tell_due_at=_unless_put_off(now),
            )
        )

    def _start_attempt(self, connection: sa.Connection, change: Change, now: float) -> int:
        attempt = _new_id(
            connection.execute(
                attempts.insert().values(change_id=change.id, started_at=now, holder=self._holder)
            )
        )
        connection.execute(
            changes.update().where(changes.c.id == change.id).values(tries=changes.c.tries + 1)
        )
        connection.execute(
            accounts.update()
            .where(accounts.c.account == change.account)
            .values(lease_attempt=attempt, lease_until=now + self._leases.send)
        )
        return attempt

    def _newest(self, connection: sa.Connection, account: str) -> Change | None:
        query = (
            sa.select(changes)
            .where(changes.c.account == account, _COUNTS)
            .order_by(changes.c.number.desc())
            .limit(1)
        )
        row = connection.execute(query).mappings().first()
        return _change(row) if row else None

    def _used_by(self, connection: sa.Connection, change_id: int) -> Change | None:
        query = (
            sa.select(changes)
            .where(changes.c.origin_change == change_id)
            .order_by(changes.c.id)
            .limit(1)
        )
        row = connection.execute(query).mappings().first()
        return _change(row) if row else None

    def _get(self, connection: sa.Connection, change_id: int) -> Change:
        """A change that is known to be there."""
        query = sa.select(changes).where(changes.c.id == change_id)
        return _change(connection.execute(query).mappings().one())

    def _one(self, connection: sa.Connection, which: sa.ColumnElement[bool]) -> Change | None:
        row = connection.execute(sa.select(changes).where(which)).mappings().first()
        return _change(row) if row else None


def connect(database_url: str) -> sa.Engine:
    """An engine for ``Records``; nothing is opened yet.

    Args:
        database_url: a SQLAlchemy URL of SQLite, or of PostgreSQL with psycopg.
    """
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            connect_args={"timeout": _SQLITE_MILLISECONDS / 1000},
            pool_timeout=DATABASE_SECONDS,
        )
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    # A server that is gone, or a lock that somebody keeps, is noticed within the time a submit has.
    milliseconds = DATABASE_SECONDS * 1000
    engine = sa.create_engine(
        url,
        # What stands in a statement has no place in an error's text.
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=DATABASE_SECONDS,
        connect_args={
            "connect_timeout": DATABASE_SECONDS,
            "tcp_user_timeout": milliseconds,
            "options": f"-c lock_timeout={milliseconds} -c statement_timeout={milliseconds}",
        },
    )
    sa.event.listen(engine, "do_connect", _connect_to_server)
    return engine


def _connect_to_server(
    _dialect: object, _record: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    # The driver is of no use, and slow to import, where the database is SQLite.
    from bot.postgres_line import PostgresLine  # noqa: PLC0415

    line = PostgresLine.connect(*args, **kwargs)
    # The server's own limits come first: they leave the line as it is.
    line.answers_within = DATABASE_SECONDS + 0.5
    return line


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Python's own idea of when a transaction begins is in the way of BEGIN IMMEDIATE.
    connection.isolation_level = None
    # WAL: readers don't wait for the writer. FULL: what is committed survives a power cut. Of two that
    # switch to it at once one is turned away, whatever SQLite has been told of waiting.
    _patiently(connection, "PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    # Who means to write says so at the start: to find out halfway is too late to wait for a turn.
    if connection.get_execution_options().get("begin") == "IMMEDIATE":
        _begin_to_write(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_to_write(connection: sa.Connection) -> None:
    """Begin when the other processes let us.

    SQLite's own way to wait looks again after 1, 2, 5, 10 and more ms, up to 100: whoever has waited
    long is the least likely to be next. Here everyone looks as often.
    """
    line: Any = connection.connection.dbapi_connection
    line.execute(f"PRAGMA busy_timeout = {_LOOK_AGAIN_MILLISECONDS}")
    try:
        _patiently(line, "BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        # For SQLAlchemy to say what the matter is.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        line.execute(f"PRAGMA busy_timeout = {_SQLITE_MILLISECONDS}")


def _patiently(line: sqlite3.Connection, statement: str) -> None:
    """Execute it as soon as the other processes let us, within the time that is theirs.

    Raises:
        sqlite3.OperationalError: when they don't, or something else is the matter.
    """
    until = time.monotonic() + DATABASE_SECONDS - TURN_SECONDS
    while True:
        try:
            line.execute(statement)
        except sqlite3.OperationalError as error:  # noqa: PERF203 (what the loop is for)
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.001)
        else:
            return


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Whatever says that the database does not answer, or not now, becomes ``RecordsAway``."""
    try:
        yield
    except (exc.IntegrityError, exc.DataError, exc.ProgrammingError):
        # A mistake of ours, which trying again later does not mend.
        raise
    except (exc.DBAPIError, exc.TimeoutError, TimeoutError) as error:
        raise RecordsAway(_what_it_says(error)) from error


def _what_it_says(error: Exception) -> str:
    """The driver's own words, so that whoever runs the bot can tell a typing error from a server that
    is down; the first line alone, for the statement and its values have no place in a log.
    """
    cause = error.__cause__ or error
    said = (str(cause).splitlines() or [""])[0].strip()
    return f"{type(cause).__name__}: {said[:WORDS_AT_MOST]}" if said else type(cause).__name__


def _unless_put_off(now: float) -> sa.ColumnElement[float]:
    """Now; later where telling was put off: Slack may have asked for it."""
    return sa.case((changes.c.tell_due_at > now, changes.c.tell_due_at), else_=now)


def _free(until: sa.ColumnElement[Any], now: float) -> sa.ColumnElement[bool]:
    """A lease that nobody has, or whose time is up."""
    return sa.or_(until.is_(None), until <= now)


def _asked_at(entry: Entry) -> float:
    return entry.asked_at


def _storable(foreign: str | None) -> str | None:
    """Foreign text as any database keeps it: PostgreSQL takes no NUL, and none takes half a
    surrogate pair; JSON can carry both.
    """
    if foreign is None:
        return None
    return foreign.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _new_id(inserted: sa.CursorResult[Any]) -> int:
    return int((inserted.inserted_primary_key or (0,))[0])


def _request_columns(request: Request) -> dict[str, Any]:
    return {
        "form": request.form,
        "team_id": request.asker.team,
        "user_id": request.asker.user,
        "role": request.asker.role,
        "channel_id": request.place.channel,
        "thread_ts": request.place.thread,
        "reply_url": request.place.reply_url,
        "origin": request.origin.value,
        "origin_change": request.origin_change,
        "wanted": request.wanted.as_flags().encode(),
    }


def _change(row: Mapping[Any, Any]) -> Change:
    return Change(
        id=row["id"],
        account=row["account"],
        number=row["number"],
        form=row["form"],
        asked_at=row["asked_at"],
        asker=Asker(row["team_id"], row["user_id"], row["role"]),
        place=Place(row["channel_id"], row["thread_ts"], row["reply_url"]),
        origin=Origin(row["origin"]),
        origin_change=row["origin_change"],
        before=Flags.decode(row["before"]),
        wanted=Flags.decode(row["wanted"]).ticks(),
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        closed_at=row["closed_at"],
        found=Flags.decode(row["found"]) if row["found"] else Flags.unknown(),
        reason=row["reason"],
        superseded_by=row["superseded_by"],
        tries=row["tries"],
        parent_ts=row["parent_ts"],
        closed_to_us=row["closed_to_us"],
        reply_ts=row["reply_ts"],
        reply_channel=row["reply_channel"],
    )
