"""Requests of people who may not: recorded, and ended once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.asking import OPEN_AT_MOST, Ask, Ending
from bot.store.rows import Leasing, find_requests
from bot.store.tables import accounts, requests

_HAS_NOT_ENDED = requests.c.ending.is_(None)


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
            values |= {"wanted": ask.wanted.encode(), "asked_at": self._database.now(connection)}
            recorded = connection.execute(requests.insert().values(values))
            (request_id,) = recorded.inserted_primary_key or (0,)
            return find_requests(connection, requests.c.id == request_id)[0]

    def open_requests(self) -> Sequence[Ask]:
        """Those that have not ended, oldest first."""
        with self._database.reading() as connection:
            return find_requests(connection, _HAS_NOT_ENDED)

    def posted(self, request_id: int, message_ts: str) -> None:
        """Put on record where its message stands."""
        with self._database.writing() as connection:
            _update(connection, requests.c.id == request_id, message_ts=message_ts)

    def end(
        self, request_id: int, ending: Ending, by: str | None = None, remark: str = ""
    ) -> Ask | None:
        """End a request; ``None`` where it has ended already."""
        this = requests.c.id == request_id
        with self._database.writing() as connection:
            now = self._database.now(connection)
            ended = end(connection, request_id, ending, now, decided_by=by, remark=remark)
            return find_requests(connection, this)[0] if ended else None


def end(
    connection: sa.Connection, request_id: int, ending: Ending, now: float, **more: str | None
) -> bool:
    """End a request; whether it had not ended already."""
    this = (requests.c.id == request_id) & _HAS_NOT_ENDED
    return bool(_update(connection, this, ending=ending.value, closed_at=now, **more))


def reopen(connection: sa.Connection, request_id: int) -> None:
    """Open a request again: the change that granted it came to nothing."""
    this = requests.c.id == request_id
    _update(connection, this, ending=None, closed_at=None, decided_by=None)


def _update(connection: sa.Connection, which: sa.ColumnElement[bool], **values: Any) -> int:
    return connection.execute(requests.update().where(which).values(**values)).rowcount
