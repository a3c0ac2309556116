"""What a row of ``changes`` or ``requests`` means, and how rows are found and changed."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from bot.asking import Ask, Ending
from bot.change import Change, Denial, Origin, Outcome
from bot.notifications import Flags
from bot.store.database import Database
from bot.store.tables import changes, denials, requests


class Leasing:
    """What each part of the store is: each method is one transaction.

    Args:
        database: where it is kept.
        lease: seconds for which other processes leave alone what this one has claimed.
    """

    def __init__(self, database: Database, lease: float) -> None:
        self._database = database
        self._lease = lease

    def change(self, change_id: int | None) -> Change | None:
        """One change; none of no id."""
        if change_id is None:
            return None
        with self._database.reading() as connection:
            return find_first(connection, changes.c.id == change_id)

    def follow_up(self, change_id: int) -> Change | None:
        """The change that a button of this one made, if one was used."""
        with self._database.reading() as connection:
            return find_first(connection, changes.c.origin_change == change_id)

    def request(self, request_id: int | None) -> Ask | None:
        """A request of somebody who may not; none of no id."""
        if request_id is None:
            return None
        with self._database.reading() as connection:
            return next(iter(find_requests(connection, requests.c.id == request_id)), None)

    def _is_free(self, until: sa.ColumnElement[float], now: float) -> sa.ColumnElement[bool]:
        """Whether nobody has a lease that ends at ``until``.

        One that ends later than it can have been taken for was taken before the clock was set back.
        """
        return sa.or_(until.is_(None), until <= now, until > now + self._lease)


def find(
    connection: sa.Connection,
    *which: sa.ColumnElement[bool],
    order_by: sa.ColumnElement[Any] = changes.c.id,
    limit: int | None = None,
) -> list[Change]:
    """The changes that fit."""
    query = sa.select(changes).where(*which).order_by(order_by).limit(limit)
    return [to_change(row) for row in connection.execute(query).mappings()]


def find_first(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> Change | None:
    """The first change that fits."""
    return next(iter(find(connection, *which, limit=1)), None)


def find_requests(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> list[Ask]:
    """The requests that fit, oldest first."""
    query = sa.select(requests).where(*which).order_by(requests.c.id)
    return [_to_ask(row) for row in connection.execute(query).mappings()]


def update_change(connection: sa.Connection, change_id: int, **values: Any) -> Change:
    """Set these columns of a change that is known to be there; the change as it is then."""
    this = changes.c.id == change_id
    connection.execute(changes.update().where(this).values(**values))
    return find(connection, this)[0]


def to_change(row: Mapping[Any, Any]) -> Change:
    """A row of ``changes``."""
    values = _values(Change, changes, row)
    found, outcome = values["found"], values["outcome"]
    converted = {
        "origin": Origin(values["origin"]),
        "before": Flags.decode(values["before"]),
        "wanted": Flags.decode(values["wanted"]),
        "outcome": Outcome(outcome) if outcome else None,
        "found": Flags.decode(found) if found else Flags.unknown(),
    }
    return Change(**values | converted)


def to_denial(row: Mapping[Any, Any]) -> Denial:
    """A row of ``denials``."""
    return Denial(**_values(Denial, denials, row))


def _to_ask(row: Mapping[Any, Any]) -> Ask:
    values = _values(Ask, requests, row)
    values["wanted"] = Flags.decode(values["wanted"])
    return Ask(**values | {"ending": Ending(values["ending"]) if values["ending"] else None})


def _values(made: type, table: sa.Table, row: Mapping[Any, Any]) -> dict[str, Any]:
    return {field.name: row[table.c[field.name]] for field in fields(made)}
