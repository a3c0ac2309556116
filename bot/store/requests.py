"""Requests of people who may not: recorded, and ended once."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.asking import GOOD_FOR_SECONDS, OPEN_AT_MOST, Ask, Ending
from bot.store.outbox import GIVEN_UP_SECONDS
from bot.store.rows import Leasing, find_requests
from bot.store.tables import accounts, requests

_HAS_NOT_ENDED = requests.c.ending.is_(None)
_EXPIRES_AT = requests.c.asked_at + GOOD_FOR_SECONDS


class RequestStore(Leasing):
    """What becomes of requests. Every method raises ``StoreUnavailable``."""

    def ask(self, ask: Ask) -> Ask | None:
        """Record a request; ``None`` where this person has as many open ones as they may."""
        values = {name: value for name, value in vars(ask).items() if name != "id"}
        with self._database.writing() as connection:
            # One after the other, so that each counts those before it.
            every = sa.select(accounts.c.account).order_by(accounts.c.account)
            connection.execute(every.with_for_update())
            theirs = find_requests(connection, _HAS_NOT_ENDED, requests.c.user == ask.user)
            if len(theirs) >= OPEN_AT_MOST:
                return None
            now = self._database.now(connection)
            values |= {"wanted": ask.wanted.encode(), "asked_at": now}
            values["deliver_at"] = now + self._lease
            recorded = connection.execute(requests.insert().values(values))
            (request_id,) = recorded.inserted_primary_key or (0,)
            return find_requests(connection, requests.c.id == request_id)[0]

    def open_requests(self) -> Sequence[Ask]:
        """Those that have not ended, oldest first."""
        with self._database.reading() as connection:
            return find_requests(connection, _HAS_NOT_ENDED)

    def due(self) -> Sequence[int]:
        """The ids of those whose message has to be posted or brought up to date."""
        with self._database.reading() as connection:
            is_due = requests.c.deliver_at <= self._database.now(connection)
            return list(connection.scalars(sa.select(requests.c.id).where(is_due)))

    def claim(self, request_id: int) -> Ask | None:
        """Lease one whose message is due, expired by now or not; ``None`` where it is not due.

        What Slack does not take is due again when the lease ends, for a day.
        """
        this = requests.c.id == request_id
        with self._database.writing() as connection:
            now = self._database.now(connection)
            since = sa.func.coalesce(requests.c.closed_at, requests.c.asked_at)
            is_new = since > now - GIVEN_UP_SECONDS
            again = sa.case((is_new, now + self._lease), (_HAS_NOT_ENDED, _EXPIRES_AT))
            if not _update(connection, this & (requests.c.deliver_at <= now), deliver_at=again):
                return None
            if find_requests(connection, this)[0].expires_at <= now:
                end(connection, request_id, Ending.EXPIRED, now, deliver_at=now + self._lease)
            return find_requests(connection, this)[0]

    def delivered(self, request_id: int, message_ts: str) -> None:
        """Put on record where its message stands, as it should be; while it is open, until it expires."""
        due = sa.case((_HAS_NOT_ENDED, _EXPIRES_AT))
        with self._database.writing() as connection:
            this = requests.c.id == request_id
            _update(connection, this, message_ts=message_ts, deliver_at=due)

    def end(
        self, request_id: int, ending: Ending, by: str | None = None, remark: str = ""
    ) -> Ask | None:
        """End a request; ``None`` where it has ended already."""
        with self._database.writing() as connection:
            now = self._database.now(connection)
            due = None if ending is Ending.NOT_POSTED else now + self._lease
            told = {"decided_by": by, "remark": remark, "deliver_at": due}
            if not end(connection, request_id, ending, now, **told):
                return None
            return find_requests(connection, requests.c.id == request_id)[0]


def end(
    connection: sa.Connection, request_id: int, ending: Ending, now: float, **more: Any
) -> bool:
    """End a request; whether it had not ended already. A change that grants it brings its message up to
    date.
    """
    this = (requests.c.id == request_id) & _HAS_NOT_ENDED
    ended = {"ending": ending.value, "closed_at": now, "deliver_at": None}
    return bool(_update(connection, this, **ended | more))


def reopen(connection: sa.Connection, request_id: int) -> None:
    """Open a request again: the change that granted it came to nothing."""
    this = requests.c.id == request_id
    _update(connection, this, ending=None, closed_at=None, decided_by=None, deliver_at=_EXPIRES_AT)


def _update(connection: sa.Connection, which: sa.ColumnElement[bool], **values: Any) -> int:
    return connection.execute(requests.update().where(which).values(**values)).rowcount
