"""What the story of a change asks of the store: record it, claim it, close it.

Every lock and every order that matters is in the database, so that several processes on one behave
as one: whoever records, claims or closes a change locks its account's row first.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from bot.asking import Ending
from bot.change import Change, Denial, Outcome, RecordedState, Request
from bot.changes import Accepted, Claim, Result
from bot.notifications import Flags
from bot.store import requests
from bot.store.rows import Leasing, find, find_first, to_change, to_denial, update_change
from bot.store.tables import accounts, changes, denials

SINCE_AT_MOST = 5

_COUNTS = sa.or_(
    changes.c.outcome.is_(None),
    changes.c.outcome.in_([Outcome.APPLIED.value, Outcome.UNSURE.value]),
)
"""A change that may have set something, or still may."""


class ChangeStore(Leasing):
    """Implements ``bot.changes.Store``, and what else is asked of changes and denials.

    Its lease is longer than the longest attempt, so that two never overlap, and short enough that a
    process that dies holds nobody up for a minute.
    """

    def recorded_state(self, account: str, request_key: str | None = None) -> RecordedState:
        """What is known of the account now, and what the request has already made."""
        with self._database.reading() as connection:
            this = changes.c.request_key == request_key
            same = find_first(connection, this) if request_key else None
            return RecordedState(_newest(connection, account), same)

    def since(self, account: str, number: int) -> Sequence[Change]:
        """The latest few changes with a higher number that count, and the one with this number
        where it ended otherwise than applied; oldest first.
        """
        its, newest_first = changes.c, changes.c.number.desc()
        newer = (its.number > number) & _COUNTS
        # A change that has not ended has no outcome, and is left out.
        not_applied = (its.number == number) & (its.outcome != Outcome.APPLIED.value)
        # The lower bound keeps the database from looking through all of history.
        these = (its.account == account) & (its.number >= number) & (newer | not_applied)
        with self._database.reading() as connection:
            return find(connection, these, order_by=newest_first, limit=SINCE_AT_MOST)[::-1]

    def last_changes(self, account: str, at_most: int) -> Sequence[Change]:
        """The latest changes, however they ended; newest first."""
        newest_first = changes.c.number.desc()
        this = changes.c.account == account
        with self._database.reading() as connection:
            return find(connection, this, order_by=newest_first, limit=at_most)

    def open_accounts(self) -> Sequence[str]:
        """The accounts that have a change on record and not closed."""
        query = sa.select(changes.c.account).where(changes.c.outcome.is_(None)).distinct()
        with self._database.reading() as connection:
            return list(connection.scalars(query))

    def accept(
        self, account: str, request: Request, before: Flags, expected: RecordedState
    ) -> Accepted | None:
        """Record the request under the next number, unless the account is no longer as expected.

        A request that is already on record brings back its change, and one of a button that was used the
        change that the button made.
        """
        with self._database.writing() as connection:
            number = _lock_account(connection, account) + 1
            this = changes.c.request_key == request.request_key
            # Of one button's proposals, one is saved.
            follow_up = changes.c.origin_change == (request.origin_change or 0)
            same = find_first(connection, this | follow_up)
            if same is not None:
                return Accepted(same, again=True)
            if RecordedState(_newest(connection, account)).version != expected.version:
                return None
            now, asked, by = self._database.now(connection), request.request_id, request.user
            if asked and not requests.end(connection, asked, Ending.GRANTED, now, decided_by=by):
                # Somebody was faster by a moment: it is a change all the same, and nobody's request.
                asked = None
            values = {name: value for name, value in vars(request).items() if name in changes.c}
            values |= {
                "account": account,
                "number": number,
                "asked_at": now,
                "origin": request.origin.value,
                "request_id": asked,
                "before": before.encode(),
                "wanted": request.wanted.encode(),
                "deliver_at": 0,
            }
            connection.execute(changes.insert().values(values))
            _update_account(connection, account, last_number=number)
            return Accepted(find(connection, this)[0])

    def claim(self, account: str) -> Claim | None:
        """The next change to carry out, leased; ``None`` where there is none or another has the lease.

        Changes that the newest has superseded before they were ever sent are closed. What was sent, or
        may have been, is sent again before anything newer, so that the order stays.
        """
        with self._database.writing() as connection:
            _lock_account(connection, account)
            now = self._database.now(connection)
            is_open = sa.and_(changes.c.account == account, changes.c.outcome.is_(None))
            waiting = find(connection, is_open, order_by=changes.c.number)
            free = sa.select(self._is_free(accounts.c.lease_until, now))
            if not waiting or not connection.scalar(free.where(accounts.c.account == account)):
                return None
            newest = waiting[-1]
            chosen = next((change for change in waiting if change.tries), newest)
            superseded = [change.id for change in waiting[:-1] if not change.tries]
            for change_id in superseded:
                ended = {"outcome": Outcome.SUPERSEDED.value, "superseded_by": newest.number}
                _close_change(connection, change_id, now, ended)
            _update_account(connection, account, lease_until=now + self._lease)
            change = update_change(connection, chosen.id, tries=chosen.tries + 1)
            return Claim(change, tuple(superseded))

    def close(self, claim: Claim, result: Result) -> None:
        """Put on record how it ended, and give the lease back.

        Where the lease had run out and another process has claimed the change since, nothing is: that
        process may be sending still, and its result counts.
        """
        change = claim.change
        is_claimed = changes.c.outcome.is_(None) & (changes.c.tries == change.tries)
        outcome, found = result.outcome.value, result.found.encode()
        with self._database.writing() as connection:
            _lock_account(connection, change.account)
            if find_first(connection, changes.c.id == change.id, is_claimed) is not None:
                _update_account(connection, change.account, lease_until=None)
                ended = {"outcome": outcome, "reason": result.reason, "found": found}
                _close_change(connection, change.id, self._database.now(connection), ended)

    def deny(self, denial: Denial) -> None:
        """Put on record that somebody was told no."""
        with self._database.writing() as connection:
            values = {**vars(denial), "asked_at": self._database.now(connection)}
            del values["id"]
            connection.execute(denials.insert().values(values))

    def latest(
        self, at_most: int, account: str = "", before: float | None = None
    ) -> Sequence[Change | Denial]:
        """The latest changes, of one account or all, and denials, asked before a moment; newest first."""
        found: list[Change | Denial] = []
        with self._database.reading() as connection:
            for table, read in ((changes, to_change), (denials, to_denial)):
                asked_at = table.c.asked_at
                query = sa.select(table).order_by(asked_at.desc()).limit(at_most)
                if before is not None:
                    query = query.where(asked_at < before)
                if account and table is changes:
                    query = query.where(changes.c.account == account)
                found += map(read, connection.execute(query).mappings())
        return sorted(found, key=lambda each: each.asked_at, reverse=True)[:at_most]


def _lock_account(connection: sa.Connection, account: str) -> int:
    """Lock the account's row until the transaction ends; the last number given out."""
    insert = (
        "INSERT INTO accounts (account, last_number) VALUES (:account, 0) ON CONFLICT DO NOTHING"
    )
    connection.execute(sa.text(insert), {"account": account})
    query = sa.select(accounts.c.last_number).where(accounts.c.account == account)
    return int(connection.scalar(query.with_for_update()) or 0)


def _update_account(connection: sa.Connection, account: str, **values: float | None) -> None:
    connection.execute(accounts.update().where(accounts.c.account == account).values(**values))


def _close_change(
    connection: sa.Connection, change_id: int, now: float, ended: Mapping[str, Any]
) -> None:
    # A pause that delivery is in goes on: Slack may have asked for it.
    due = sa.func.coalesce(changes.c.deliver_at, 0)
    change = update_change(connection, change_id, closed_at=now, deliver_at=due, **ended)
    if change.request_id and change.came_to_nothing:
        requests.reopen(connection, change.request_id)


def _newest(connection: sa.Connection, account: str) -> Change | None:
    this = changes.c.account == account
    newest = find(connection, this, _COUNTS, order_by=changes.c.number.desc(), limit=1)
    return newest[0] if newest else None
