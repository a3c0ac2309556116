"""The story of one change: what is true now, may this be accepted, carry it out, say how it ended.

Everything outside is handed in: the store that keeps what was asked (``Store``), Kayran
(``KayranApi``), and what to do once there is something to report (``deliver``). Nothing here knows
Slack, SQL or HTTP.

Four rules hold it together:

- What a person is told is accepted is on record first.
- What is not on record as done is done again: a whole overwrite does no harm twice.
- Nobody overwrites what they did not see: a change is accepted only while what its form showed
  still stands.
- Calls to Kayran for one account happen one at a time and in the order of the changes' numbers,
  whichever process makes them; the store's lease sees to it.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from bot.change import ENDED, Change, CurrentState, KayranReport, Outcome, RecordedState, Request
from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, Refused, StoreUnavailable
from bot.notifications import Flags
from bot.recovery import PAUSES_SECONDS, insist

log = logging.getLogger(__name__)

LATE_SECONDS = 3.0
"""A claim that the database took longer than this to grant is not used: what is left of its lease may
not last for a whole attempt."""

READ_SECONDS = 1.5
"""How long Kayran has to say what is set, while a person waits."""
READ_BACK_SECONDS = 5.0
"""How long reading back after a change may take: with the call's own 20 s it stays under the
30 s of a lease."""

SENT_AT_MOST = 10


@dataclass(frozen=True)
class Unchanged:
    """It would change nothing, so nothing was recorded.

    Attributes:
        current: what is true now.
    """

    current: CurrentState


@dataclass(frozen=True)
class Accepted:
    """It is on record, and will be carried out and reported.

    Attributes:
        again: whether the same request had been sent before; the change is that first one.
    """

    change: Change
    again: bool = False


@dataclass(frozen=True)
class Conflict:
    """What its form showed no longer stands.

    Attributes:
        current: what is true now.
        since: what happened on record since the form was made, oldest first, the latest few: the
            changes accepted since, and the one the form was based on where it was not applied.
    """

    current: CurrentState
    since: Sequence[Change]


@dataclass(frozen=True)
class Claim:
    """The right to carry out one change, for a time.

    Attributes:
        superseded: the ids of changes that were closed because this one superseded them.
    """

    change: Change
    superseded: tuple[int, ...]


@dataclass(frozen=True)
class Result:
    """How a try at a change ended."""

    outcome: Outcome
    reason: str | None = None
    found: Flags = field(default_factory=Flags.unknown)

    def in_a_line(self) -> str:
        """The outcome, and the reason where there is one: for the log."""
        return f"{self.outcome.value}, {self.reason}" if self.reason else self.outcome.value


class Store(Protocol):
    """What the story of a change needs of the store.

    Every method raises ``StoreUnavailable`` when the database can't do it, and has changed nothing
    then, as far as anybody can know.
    """

    def recorded_state(self, account: str, request_key: str | None = None) -> RecordedState:
        """What is known of the account now, and what the request has already made."""

    def accept(
        self, account: str, request: Request, before: Flags, expected: RecordedState
    ) -> Accepted | None:
        """Record the request under the next number, unless the account is no longer as expected.

        A request that is already on record brings back its change, and one of a button that was used the
        change that the button made.
        """

    def since(self, account: str, number: int) -> Sequence[Change]:
        """The latest few changes with a higher number that count, and the one with this number
        where it ended otherwise than applied; oldest first.
        """

    def claim(self, account: str) -> Claim | None:
        """The next change to carry out, leased; ``None`` where there is none or another has the lease."""

    def close(self, claim: Claim, result: Result) -> None:
        """Put on record how it ended, and give the lease back."""


class KayranApi(Protocol):
    """What the story needs of Kayran. Both raise ``KayranError``."""

    def update_mail_notify(self, wanted: Flags) -> None:
        """Set all nine."""

    def get_user_profile(self, within: float) -> KayranReport:
        """Ask what is set now, for so many seconds at most."""


@dataclass
class Changes:
    """The bot's one way to change Kayran's notifications, for one Kayran account.

    Attributes:
        account: the account's name in the store.
        mailbox: what people call it, where the bot has more than one.
        deliver: called with a change's id whenever there may be something new to report about it.
        ended: called with how a change ended, once that is on record.
        pauses: seconds between tries to put on record how a change ended, in all less than what a
            lease leaves after sending and reading back.
        clock: seconds that never go back, also while this process is held up.
        stopping: whether no new change is claimed.
    """

    store: Store
    kayran: KayranApi
    account: str
    deliver: Callable[[int], None]
    mailbox: str = ""
    ended: Callable[[Outcome], None] = lambda _: None
    pauses: Sequence[float] = PAUSES_SECONDS
    clock: Callable[[], float] = time.monotonic
    stopping: bool = False

    def recorded_state(self, request_key: str | None = None) -> RecordedState:
        """What the store knows now. Ask it before asking Kayran, so that an answer of Kayran's
        that is older than the record is never taken for news.
        """
        return self.store.recorded_state(self.account, request_key)

    def current_state(self, within: float = READ_SECONDS) -> CurrentState:
        """What is true now; Kayran has so many seconds to say what is set."""
        recorded = self.recorded_state()
        return CurrentState(recorded, self.read(within))

    def read(self, within: float = READ_SECONDS) -> KayranReport:
        """Ask Kayran what is set now, for so many seconds at most; trouble is in the answer."""
        try:
            return self.kayran.get_user_profile(within)
        except KayranError as trouble:
            return KayranReport(trouble=trouble)

    def submit(
        self, request: Request, recorded: RecordedState, report: KayranReport
    ) -> Accepted | Conflict | Unchanged:
        """Record a change, if what its form showed still stands and there is something to change.

        Args:
            request: what is asked for.
            recorded: what the store knew, taken before ``report``.
            report: what Kayran says is set.

        Raises:
            StoreUnavailable: when the database can't take it.
        """
        request = replace(request, mailbox=self.mailbox)
        while True:
            if recorded.same_request is not None:
                return Accepted(recorded.same_request, again=True)
            current = CurrentState(recorded, report)
            if current.contradicts(request):
                # Sent twice at once, it may be the first of the two that was carried out since.
                same = self.recorded_state(request.request_key).same_request
                if same is not None:
                    return Accepted(same, again=True)
                return Conflict(current, self.store.since(self.account, request.based_on))
            # What Kayran doesn't say now, the form knew better than the record: nothing that was
            # accepted since speaks against it, and it may have seen what was edited in Kayran.
            before = current.reported.over(request.shown).over(recorded.knows())
            if before == request.wanted and not request.even_if_unchanged:
                return Unchanged(current)
            accepted = self.store.accept(self.account, request, before, recorded)
            if accepted is not None:
                return accepted
            # The record moved while Kayran was asked: its report may be of before that.
            recorded, report = self.recorded_state(request.request_key), KayranReport()

    def carry_out(self) -> None:
        """Carry out whatever is on record and open, one after the other, until nothing is left to do
        here: all done, another process has the lease, or the store is away and recovery goes on.
        """
        with contextlib.suppress(StoreUnavailable):
            while claim := self._claim(self.account):
                result = self._attempt(claim.change)
                self._close(claim, result)
                log.info(ENDED, claim.change.ended(result.in_a_line()))

    def close_for_replaced_key(self, account: str) -> None:
        """Close what is open for another account: the bot's Kayran key was replaced."""
        with contextlib.suppress(StoreUnavailable):
            while claim := self._claim(account):
                outcome = Outcome.FAILED if claim.change.tries == 1 else Outcome.UNSURE
                self._close(claim, Result(outcome, Obstacle.OTHER_KEY.value))
                log.warning(ENDED, claim.change.ended(f"{outcome.value}, of another key"))

    def stop(self) -> None:
        """Stop claiming new changes; the one in flight completes."""
        self.stopping = True

    def _claim(self, account: str) -> Claim | None:
        if self.stopping:
            return None
        asked_at = self.clock()
        claim = self.store.claim(account)
        if claim is None:
            return None
        for superseded in claim.superseded:
            self.ended(Outcome.SUPERSEDED)
            self.deliver(superseded)
        if self.clock() - asked_at > LATE_SECONDS:
            log.warning("change %(id)s: claimed too late to be sent; it waits", claim.change.ids)
            return None
        return claim

    def _close(self, claim: Claim, result: Result) -> None:
        """Put on record how it ended; where that fails for good, recovery does it all again."""
        insist(lambda: self.store.close(claim, result), self.pauses)
        self.ended(result.outcome)
        self.deliver(claim.change.id)

    def _attempt(self, change: Change) -> Result:
        if change.tries > SENT_AT_MOST:
            # Whatever keeps its endings from being put on record, it is not sent without end.
            log.error("change %s was sent %s times and is not sent again", change.id, SENT_AT_MOST)
            return self._settle(change, Obstacle.UNEXPECTED.value)
        try:
            self.kayran.update_mail_notify(change.wanted)
        except Refused as refused:
            # A page of the vendor's prints "Error": 1 in a successful example: what shows counts.
            settled = self._settle(change, refused.reason)
            is_settled = settled.outcome is Outcome.APPLIED or change.tries > 1
            return settled if is_settled else Result(Outcome.REFUSED, refused.reason)
        except NotSent as not_sent:
            result = Result(Outcome.FAILED, not_sent.obstacle.value)
            return self._unless_cut_short(change, result)
        except NoClearAnswer as unclear:
            return self._settle(change, unclear.obstacle.value)
        except Exception:
            # Nobody knows what was sent; and to leave the change open would send it again and again.
            log.exception("change %(id)s: sending it ended with an unexpected error", change.ids)
            return self._settle(change, Obstacle.UNEXPECTED.value)
        return Result(Outcome.APPLIED, found=self._read_back())

    def _unless_cut_short(self, change: Change, result: Result) -> Result:
        """That nothing was changed is certain of a first try alone: an earlier one, cut short with
        its process, may have been applied.
        """
        return result if change.tries == 1 else self._settle(change, result.reason)

    def _settle(self, change: Change, reason: str | None) -> Result:
        """After no clear answer: what reading back shows of what the change was to change.

        The call sets all nine at once, so one flag seen to have changed settles them all.
        """
        found = self._read_back()
        changed = [p for p in change.asks_for() if change.before[p] is not None]
        arrived = any(found[p] is change.wanted[p] for p in changed)
        strays = found.contradicting(change.wanted)
        outcome = Outcome.APPLIED if arrived and not strays else Outcome.UNSURE
        return Result(outcome, reason, found)

    def _read_back(self) -> Flags:
        return self.read(READ_BACK_SECONDS).flags
