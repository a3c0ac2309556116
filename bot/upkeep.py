"""What is taken up again: at start, and every few seconds.

Whatever is on record and not closed is sent; whatever is closed and not told is told. So a change
outlives the process that accepted it, and Slack or the database being away.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.errors import RecordsAway, RecordsTooNew
from bot.work import Busy, Pool

log = logging.getLogger(__name__)

EVERY_SECONDS = 3.0
DUE_AT_MOST = 16
ROUNDS_AFTERWARDS = 3
"""After the record was out of reach, for how many rounds' time nothing is taken up. Other processes may
still hold answers of Slack's that they could not put on record: what they have told would be told twice.
"""


class Ledger(Protocol):
    """What upkeep needs of the record. Every verb raises ``RecordsAway``."""

    @property
    def is_ready(self) -> bool:
        """Whether its schema is known to be right."""

    def prepare(self) -> None:
        """Bring its schema up to date."""

    def open_accounts(self) -> Sequence[str]:
        """The accounts with a change that is not closed."""

    def due(self, at_most: int) -> Sequence[int]:
        """The changes that have something to tell."""


@dataclass(frozen=True)
class Round:
    """What one round of upkeep does, and with what."""

    account: str
    ledger: Ledger
    find_out_team: Callable[[], None]
    note_what_is_owed: Callable[[], None]
    carry_out: Callable[[], None]
    give_up: Callable[[str], None]
    tell: Callable[[int], None]
    work: Pool

    def go(self, *, take_up: bool = True) -> None:
        """Go round once.

        Args:
            take_up: whether what is found is taken up, or only looked for.

        Raises:
            RecordsAway: when the record is out of reach.
            RecordsTooNew: when a newer release has been at it.
        """
        self.find_out_team()
        if not self.ledger.is_ready:
            self.ledger.prepare()
        self.note_what_is_owed()
        is_open = self.ledger.open_accounts()
        due = self.ledger.due(DUE_AT_MOST)
        if take_up:
            self._hand_over(is_open, due)

    def _hand_over(self, is_open: Sequence[str], due: Sequence[int]) -> None:
        try:
            for account in is_open:
                if account == self.account:
                    self.work.submit(self.carry_out)
                else:
                    self.work.submit(self.give_up, account)
            for change_id in due:
                self.work.submit(self.tell, change_id)
        except Busy:
            # Those at work are doing it already, or will find it next time.
            return


class Upkeep:
    """Goes round every few seconds on a thread of its own.

    Args:
        round_: what to do.
        every: seconds between two rounds, give or take a quarter, so that several processes that
            start together don't keep step.
    """

    def __init__(self, round_: Round, every: float = EVERY_SECONDS) -> None:
        self._round = round_
        self._every = every
        self._chance = random.Random()  # noqa: S311 (no secret)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_going, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin; the first round is at once."""
        self._thread.start()

    def stop(self, within: float) -> None:
        """End after the round that is being gone, for which to wait so many seconds at most."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=within)

    def _keep_going(self) -> None:
        was_away = False
        # What goes wrong round after round is said once.
        said = ""
        taken_up_from = time.monotonic()
        while not self._stopping.is_set():
            try:
                self._round.go(take_up=not was_away and time.monotonic() >= taken_up_from)
            except RecordsAway as away:
                if not was_away:
                    log.warning("the record is out of reach (%s); trying again", away)
                was_away = True
            except RecordsTooNew as too_new:
                if str(too_new) != said:
                    log.error("the record was written by a newer release: %s", too_new)  # noqa: TRY400 (the sentence says it all)
                said = str(too_new)
            except Exception as error:
                # Whatever it is, what is on record must not depend on it never happening.
                if repr(error) != said:
                    log.exception("a round of upkeep failed; the next ones follow")
                said = repr(error)
            else:
                said = ""
                if was_away:
                    log.info("the record is back")
                    taken_up_from = time.monotonic() + ROUNDS_AFTERWARDS * self._every
                was_away = False
            self._stopping.wait(self._every * self._chance.uniform(0.75, 1.25))
