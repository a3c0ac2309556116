"""The outbox: which changes have something to report in Slack, and which process is reporting it.

Its columns stand on the change itself, so that what is accepted or closed is pending in the same
transaction. ``deliver_at`` says from when, 0 for at once; it is empty where there is nothing to report.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.change import Change
from bot.store.rows import Leasing, find_first, update_change
from bot.store.tables import changes

GIVEN_UP_SECONDS = 24 * 3600.0
"""How long delivery is tried."""
PAUSES_SECONDS = (5.0, 3600.0)
"""The first pause between two tries, doubled each time, and the longest."""


class Outbox(Leasing):
    """Implements ``bot.slack.delivery.Outbox``.

    Its lease is counted anew from each step, and longer than the longest: 8 s for a ``response_url``,
    then a post's two tries of 11 s each, connecting included, and the 6 s that may lie between them.
    """

    def pending(self, at_most: int) -> Sequence[int]:
        """The ids of changes that can be claimed for delivery, those that wait longest first."""
        query = sa.select(changes.c.id).order_by(changes.c.deliver_at, changes.c.id).limit(at_most)
        with self._database.reading() as connection:
            is_pending = self._is_pending(self._database.now(connection))
            return list(connection.scalars(query.where(is_pending)))

    def left(self) -> int:
        """How many changes have something to report, due or not."""
        query = sa.select(sa.func.count()).where(changes.c.deliver_at.is_not(None))
        with self._database.reading() as connection:
            return connection.scalar(query) or 0

    def claim_delivery(self, change_id: int) -> Change | None:
        """Lease one change, where it is pending and no other process has it."""
        this = changes.c.id == change_id
        with self._database.writing() as connection:
            # The clock is asked once the change is locked: a lease taken while waiting for that would
            # seem to end too late.
            connection.execute(sa.select(changes.c.id).where(this).with_for_update())
            now = self._database.now(connection)
            take = changes.update().where(this, self._is_pending(now))
            taken = connection.execute(take.values(delivery_lease_until=now + self._lease))
            return find_first(connection, this) if taken.rowcount else None

    def posted(self, change_id: int, **where: str | None) -> Change:
        """Put on record where one of its messages stands, or why there is none.

        Where the change has not ended yet, there is nothing more to report, and the lease is given
        back; where it has, the lease is renewed for what is left.

        Args:
            change_id: the change that is reported.
            where: ``parent_ts``, ``post_error``, ``reply_ts``, ``reply_channel``.
        """
        ended = changes.c.outcome.is_not(None)
        with self._database.writing() as connection:
            until = sa.case((ended, self._database.now(connection) + self._lease))
            due = sa.case((ended, changes.c.deliver_at))
            return update_change(
                connection, change_id, deliver_at=due, delivery_lease_until=until, **where
            )

    def delivered(self, change_id: int) -> None:
        """Put on record that everything about this change has been reported."""
        done = {"deliver_at": None, "delivery_lease_until": None}
        with self._database.writing() as connection:
            now = self._database.now(connection)
            update_change(connection, change_id, delivered_at=now, **done)

    def postpone(self, change_id: int, at_least: float = 0.0) -> float | None:
        """Give the lease back after a try that failed, to be tried again after a growing pause.

        Args:
            change_id: the change whose delivery failed.
            at_least: seconds that Slack asked to wait.

        Returns:
            The pause in seconds; ``None`` where it has been tried for a day and is given up.
        """
        since = sa.func.coalesce(changes.c.closed_at, changes.c.asked_at)
        query = sa.select(changes.c.delivery_tries, since).where(changes.c.id == change_id)
        with self._database.writing() as connection:
            now = self._database.now(connection)
            tries, began = connection.execute(query).one()
            first, longest = PAUSES_SECONDS
            pause: float = min(longest, max(at_least, first * 2 ** min(tries, 20)))
            gives_up = now - began > GIVEN_UP_SECONDS
            update_change(
                connection,
                change_id,
                delivery_lease_until=None,
                delivery_tries=tries + 1,
                deliver_at=None if gives_up else now + pause,
                given_up_at=now if gives_up else None,
            )
            return None if gives_up else pause

    def _is_pending(self, now: float) -> sa.ColumnElement[bool]:
        """Due, and leased to nobody. No pause is longer than the longest: where it seems to be, the
        clock was set back.
        """
        at = changes.c.deliver_at
        due = sa.or_(at <= now, at > now + PAUSES_SECONDS[1])
        free = self._is_free(changes.c.delivery_lease_until, now)
        return sa.and_(at.is_not(None), due, free)
