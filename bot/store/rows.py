"""What a row of ``changes`` means, and how rows are found and changed: for ``changes`` and ``outbox``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from bot.changes import Change, Origin, Outcome
from bot.notifications import Flags
from bot.store.database import Database
from bot.store.tables import changes


class Leasing:
    """What both halves of the store are: each method is one transaction.

    Args:
        database: where it is kept.
        lease: seconds for which other processes leave alone what this one has claimed.
    """

    def __init__(self, database: Database, lease: float) -> None:
        self._database = database
        self._lease = lease

    def change(self, change_id: int) -> Change | None:
        """One change."""
        with self._database.reading() as connection:
            return find_first(connection, changes.c.id == change_id)

    def follow_up(self, change_id: int) -> Change | None:
        """The change that a button of this one made, if one was used."""
        with self._database.reading() as connection:
            return find_first(connection, changes.c.origin_change == change_id)

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
    return [_to_change(row) for row in connection.execute(query).mappings()]


def find_first(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> Change | None:
    """The first change that fits."""
    return next(iter(find(connection, *which, limit=1)), None)


def update_change(connection: sa.Connection, change_id: int, **values: Any) -> Change:
    """Set these columns of a change that is known to be there; the change as it is then."""
    this = changes.c.id == change_id
    connection.execute(changes.update().where(this).values(**values))
    return find(connection, this)[0]


def _to_change(row: Mapping[Any, Any]) -> Change:
    same = {field.name: row[field.name] for field in fields(Change) if field.name in row}
    converted = {
        "team": row["team_id"],
        "user": row["user_id"],
        "channel": row["channel_id"],
        "thread": row["thread_ts"],
        "origin": Origin(row["origin"]),
        "before": Flags.decode(row["before"]),
        "wanted": Flags.decode(row["wanted"]).settled(),
        "outcome": Outcome(row["outcome"]) if row["outcome"] else None,
        "found": Flags.decode(row["found"]) if row["found"] else Flags.unknown(),
    }
    return Change(**{**same, **converted})
