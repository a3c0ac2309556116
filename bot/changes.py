"""The story of one change: what is true now, may this be accepted, carry it out, say how it ended.

Everything outside is handed in: the record that keeps what was asked (``Ledger``), Kayran
(``Account``), and what to do once something can be told (``tell``). Nothing here knows Slack,
SQL or HTTP.

Three rules hold it together:

- What a person is told is accepted is on record first.
- Nobody overwrites what they did not see: a change is accepted only while what its form showed
  still stands.
- Calls to Kayran for one account happen one at a time and in the order of the changes' numbers,
  whichever process makes them; the record's lease sees to it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, RecordsAway, Refused
from bot.notifications import PARAMETERS, Flags, Preferences

log = logging.getLogger(__name__)

LATE_SECONDS = 3.0
"""A claim that the database took longer than this to grant is not used: what is left of its lease may
not last for a whole attempt."""

READ_BACK_SECONDS = 5.0
"""How long reading back after a change may take: with the call's own 20 s it stays under the
30 s a whole attempt may last."""


class Outcome(Enum):
    """How a change ended; the values are what the record keeps."""

    APPLIED = "applied"
    """Kayran said so, or reading back showed it."""
    REFUSED = "refused"
    """Kayran said no, and gave a reason."""
    FAILED = "failed"
    """Nothing was sent."""
    UNSURE = "unsure"
    """It was sent, no clear answer came, and reading back did not settle it."""
    SUPERSEDED = "superseded"
    """A newer change was accepted before this one was sent."""


class Origin(Enum):
    """How a change came to be asked for; the values are what the record keeps."""

    FORM = "form"
    UNDO = "undo"
    TRY_AGAIN = "try_again"


@dataclass(frozen=True)
class Place:
    """Where in Slack a change was asked for.

    Attributes:
        channel: the channel's id.
        thread: the ``ts`` of the thread's parent, where it was asked for in a thread.
        reply_url: the ``response_url``, sealed; only ``bot/slack`` can open it.
    """

    channel: str
    thread: str | None = None
    reply_url: str | None = None


@dataclass(frozen=True)
class Asker:
    """Who asked: Slack's ids, and the workspace role that let them."""

    team: str
    user: str
    role: str


@dataclass(frozen=True)
class Request:
    """A change somebody asks for.

    Attributes:
        form: what makes it this request and no other: the same form sent twice with the same
            ticks, or the same button pressed twice, is one change.
        shown: what the form showed as true when it was made.
        based_on: the number of the newest change the form knew of; 0 where there was none.
        origin_change: the id of the change this one undoes or tries again.
    """

    form: str
    asker: Asker
    place: Place
    wanted: Preferences
    shown: Flags
    based_on: int
    origin: Origin = Origin.FORM
    origin_change: int | None = None


@dataclass(frozen=True)
class Change:
    """A change on record. Times are seconds since 1970, UTC.

    Attributes:
        number: its place among the accepted changes of its Kayran account, from 1, without gaps.
        before: what was known to be set when it was accepted, from what its form showed if need be.
        found: what reading back showed afterwards.
        reason: Kayran's own words where it refused; what stood in the way where it failed or is
            unsure. Foreign text.
        superseded_by: the number of the change that overtook it.
        tries: how often it was taken up to be sent.
        parent_ts: the message its thread hangs on, once posted.
        closed_to_us: Slack's error code, where the channel would not take the bot's message.
        reply_ts: the result's message, once posted; empty where a ``response_url`` took it.
        reply_channel: where that message stands.
    """

    id: int
    account: str
    number: int
    form: str
    asked_at: float
    asker: Asker
    place: Place
    origin: Origin
    origin_change: int | None
    before: Flags
    wanted: Preferences
    outcome: Outcome | None = None
    closed_at: float | None = None
    found: Flags = field(default_factory=Flags.unknown)
    reason: str | None = None
    superseded_by: int | None = None
    tries: int = 0
    parent_ts: str | None = None
    closed_to_us: str | None = None
    reply_ts: str | None = None
    reply_channel: str | None = None

    @property
    def is_of_another_key(self) -> bool:
        """Whether it was given up because the bot's Kayran key was replaced."""
        given_up = self.outcome in (Outcome.FAILED, Outcome.UNSURE)
        return given_up and self.reason == Obstacle.OTHER_KEY.value

    def leaves(self) -> Flags:
        """What is known of Kayran once this change is the newest that counts."""
        if self.outcome is Outcome.UNSURE:
            kept = {p: v for p, v in self.wanted.as_flags() if self.before[p] is v}
            return self.found.over(Flags.of(kept))
        return self.may_leave()

    def may_leave(self) -> Flags:
        """The same, but that a change which nobody is sure of counts as applied."""
        return self.found.over(self.wanted.as_flags())

    def undone(self) -> Preferences:
        """What undoing it sets: what its form showed before, with nothing ticked that was not known."""
        return self.before.ticks()

    def ticked_otherwise(self) -> tuple[str, ...]:
        """The parameters that its form showed one way, and that were saved the other."""
        return self.undone().as_flags().differing(self.wanted.as_flags())

    def asks_for(self) -> tuple[str, ...]:
        """The parameters it would set to something else than was known before."""
        return self.before.differing(self.wanted.as_flags())


@dataclass(frozen=True)
class Outlook:
    """What the record knows of an account at one moment.

    Attributes:
        newest: the newest change that counts: applied, unsure, or still on its way.
        same_form: the change that the form asked about has already made, if it has.
    """

    newest: Change | None
    same_form: Change | None = None

    @property
    def number(self) -> int:
        """The newest counting change's number; 0 where there is none."""
        return self.newest.number if self.newest else 0

    @property
    def state(self) -> tuple[int, Outcome | None]:
        """What has to be the same still when a change is recorded."""
        return (self.number, self.newest.outcome if self.newest else None)

    @property
    def underway(self) -> bool:
        """Whether the newest change has not ended yet: what Kayran says now is about to change."""
        return self.newest is not None and self.newest.outcome is None

    def knows(self) -> Flags:
        """What the record alone says is set."""
        return self.newest.leaves() if self.newest else Flags.unknown()

    def may_hold(self) -> Flags:
        """What may be set, as far as the record goes: also what is not certain to have been."""
        return self.newest.may_leave() if self.newest else Flags.unknown()


@dataclass(frozen=True)
class Reading:
    """What asking Kayran brought: its report, or what stood in the way.

    Attributes:
        reported: what Kayran says is set; nothing known where it did not say.
        mailbox: the e-mail address of the key's owner, unmasked. Foreign text.
        trouble: why nothing was reported, where nothing was.
    """

    reported: Flags = field(default_factory=Flags.unknown)
    mailbox: str | None = None
    trouble: KayranError | None = None


@dataclass(frozen=True)
class Standing:
    """What is true now, as far as it can be known, and where that comes from."""

    outlook: Outlook
    reading: Reading

    @property
    def reported(self) -> Flags:
        """What Kayran's own report settles: nothing, while a change is on its way."""
        return Flags.unknown() if self.outlook.underway else self.reading.reported

    @property
    def flags(self) -> Flags:
        """Kayran's report where there is one, else what was last set from here."""
        return self.reported.over(self.outlook.knows())

    def contradicts(self, shown: Flags, based_on: int) -> bool:
        """Whether somebody who saw ``shown`` would overwrite something they did not see.

        What a form shows as not known, it shows not ticked. Where nothing was accepted since, the
        record has nothing to add to what the form already showed, and only Kayran's report counts.
        A change since that may or may not have taken effect counts as if it had.
        """
        now = self.reported
        if self.outlook.number != based_on:
            now = now.over(self.outlook.may_hold())
        return any(value is not None and value is not bool(shown[p]) for p, value in now)


@dataclass(frozen=True)
class Recorded:
    """It is on record, and will be carried out and told.

    Attributes:
        again: whether the same form had been sent before; the change is that first one.
    """

    change: Change
    again: bool = False


@dataclass(frozen=True)
class Overtaken:
    """What its form showed no longer stands.

    Attributes:
        standing: what is true now.
        since: what happened on record since the form was made, oldest first, the latest few: the
            changes accepted since, and the one the form was based on where it was not applied.
    """

    standing: Standing
    since: Sequence[Change]


@dataclass(frozen=True)
class Claim:
    """The right to carry out one change, for a time.

    Attributes:
        attempt: the number under which this try is on record.
        superseded: the ids of changes that were closed because this one overtook them.
    """

    change: Change
    attempt: int
    superseded: tuple[int, ...]


@dataclass(frozen=True)
class Ending:
    """How a try at a change ended."""

    outcome: Outcome
    reason: str | None = None
    found: Flags = field(default_factory=Flags.unknown)


@dataclass(frozen=True)
class Denial:
    """Somebody was told no.

    Attributes:
        step: where: at the command, the submit, or a button.
    """

    team: str | None
    user: str | None
    role: str | None
    reason: str
    step: str
    channel: str | None


@dataclass(frozen=True)
class Due:
    """A change that may have something new to tell, leased to whoever was handed this.

    Attributes:
        used_by: the change that this one's button made, where somebody used it.
    """

    change: Change
    used_by: Change | None = None


class Ledger(Protocol):
    """What the story needs of the record. Every verb raises ``RecordsAway`` when it is out of reach."""

    def outlook(self, account: str, form: str | None = None) -> Outlook:
        """What is known of the account now."""

    def accept(
        self, account: str, request: Request, before: Flags, expected: Outlook
    ) -> Recorded | None:
        """Record the request under the next number, unless the account is no longer as expected.

        A form that is already on record brings back its change.
        """

    def since(self, account: str, number: int) -> Sequence[Change]:
        """The latest few changes with a higher number that count, and the one with this number
        where it ended otherwise than applied; oldest first.
        """

    def claim(self, account: str) -> Claim | None:
        """The next change to carry out, leased; ``None`` where there is none or another has the lease."""

    def close(self, claim: Claim, ending: Ending) -> None:
        """Put on record how it ended, and give the lease back."""


class Profile(Protocol):
    """What Kayran says of the key's owner."""

    @property
    def email(self) -> str | None:
        """The mailbox."""

    @property
    def flags(self) -> Flags:
        """What is set, where it says so."""


class Account(Protocol):
    """What the story needs of Kayran. Both raise ``KayranError``."""

    def update_mail_notify(self, preferences: Preferences) -> None:
        """Set all nine."""

    def get_user_profile(self, within: float) -> Profile:
        """Ask what is set now, for so many seconds at most."""


class Changes:
    """The bot's one way to change Kayran's notifications, for one Kayran account.

    Args:
        account: the account's name in the record.
        tell: called with a change's id whenever there may be something new to tell about it.
        clock: seconds that never go back, also while this process is held up.
    """

    def __init__(
        self,
        ledger: Ledger,
        kayran: Account,
        account: str,
        tell: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._kayran = kayran
        self._account = account
        self._tell = tell
        self._clock = clock
        self._stopping = False
        self._unnoted: list[tuple[Claim, Ending]] = []
        self._noting = threading.Lock()

    def outlook(self, form: str | None = None) -> Outlook:
        """What the record knows now. Ask it before asking Kayran, so that an answer of Kayran's
        that is older than the record is never taken for news.
        """
        return self._ledger.outlook(self._account, form)

    def read(self, within: float) -> Reading:
        """Ask Kayran what is set now, for so many seconds at most; trouble is in the answer."""
        try:
            profile = self._kayran.get_user_profile(within)
        except KayranError as trouble:
            return Reading(trouble=trouble)
        return Reading(profile.flags, profile.email)

    def submit(self, request: Request, outlook: Outlook, reading: Reading) -> Recorded | Overtaken:
        """Record a change, if what its form showed still stands.

        Args:
            request: what is asked for.
            outlook: what the record knew, taken before ``reading``.
            reading: what Kayran says is set.

        Raises:
            RecordsAway: when the record is out of reach; nothing was recorded then.
        """
        while True:
            if outlook.same_form is not None:
                return Recorded(outlook.same_form, again=True)
            standing = Standing(outlook, reading)
            if standing.contradicts(request.shown, request.based_on):
                # Sent twice at once, it may be the first of the two that was carried out since.
                same = self.outlook(request.form).same_form
                return Recorded(same, again=True) if same else self._overtaken(request, standing)
            # What can't be known now, the form knew: nothing speaks against what it showed.
            before = standing.flags.over(request.shown)
            recorded = self._ledger.accept(self._account, request, before, outlook)
            if recorded is not None:
                return recorded
            # The record moved while Kayran was asked: its report may be of before that.
            outlook, reading = self.outlook(request.form), Reading()

    def _overtaken(self, request: Request, standing: Standing) -> Overtaken:
        return Overtaken(standing, self._ledger.since(self._account, request.based_on))

    def carry_out(self) -> None:
        """Carry out whatever is on record and open, one after the other, until nothing is left to do
        here: all done, or another has the lease.

        Raises:
            RecordsAway: when the record is out of reach; what is open stays open and is taken up later.
        """
        self.note_what_is_owed()
        while claim := self._claim(self._account):
            for overtaken in claim.superseded:
                self._tell(overtaken)
            ending = self._attempt(claim.change)
            self._close(claim, ending)
            log.info(
                "change %s (number %s): %s",
                claim.change.id,
                claim.change.number,
                ending.outcome.value,
            )
            self._tell(claim.change.id)

    def give_up(self, account: str) -> None:
        """Close, and have told, what is open for another account: the bot's key was replaced.

        Raises:
            RecordsAway: when the record is out of reach.
        """
        while claim := self._claim(account):
            for overtaken in claim.superseded:
                self._tell(overtaken)
            outcome = Outcome.FAILED if claim.change.tries == 1 else Outcome.UNSURE
            self._close(claim, Ending(outcome, Obstacle.OTHER_KEY.value))
            log.warning("change %s is of another Kayran key: %s", claim.change.id, outcome.value)
            self._tell(claim.change.id)

    def note_what_is_owed(self) -> None:
        """Put on record how changes ended while the record was out of reach.

        Raises:
            RecordsAway: when it still is.
        """
        with self._noting:
            while self._unnoted:
                self._ledger.close(*self._unnoted[0])
                del self._unnoted[0]

    def stop(self) -> None:
        """Take nothing up any more; what is being sent is sent."""
        self._stopping = True

    def _claim(self, account: str) -> Claim | None:
        if self._stopping:
            return None
        asked_at = self._clock()
        claim = self._ledger.claim(account)
        if claim is not None and self._clock() - asked_at > LATE_SECONDS:
            log.warning("change %s: claimed too late to be sent; it waits", claim.change.id)
            return None
        return claim

    def _close(self, claim: Claim, ending: Ending) -> None:
        """Put on record how it ended; where that fails, it is owed: to find it out again would take
        another call, over whatever was set in Kayran itself in the meantime.
        """
        try:
            self._ledger.close(claim, ending)
        except RecordsAway:
            self._unnoted.append((claim, ending))
            raise

    def _attempt(self, change: Change) -> Ending:
        try:
            self._kayran.update_mail_notify(change.wanted)
        except Refused as refused:
            return self._unless_cut_short(change, Ending(Outcome.REFUSED, refused.reason))
        except NotSent as not_sent:
            ending = Ending(Outcome.FAILED, not_sent.obstacle.value)
            return self._unless_cut_short(change, ending)
        except NoClearAnswer as unclear:
            return self._settle(change, unclear.obstacle.value)
        except Exception:
            # Nobody foresaw it, so nobody knows what was sent; and to leave the change open would
            # send it again and again.
            log.exception("change %s: sending it ended with an error", change.id)
            return self._settle(change, Obstacle.UNFORESEEN.value)
        return Ending(Outcome.APPLIED, found=self._read_back())

    def _unless_cut_short(self, change: Change, ending: Ending) -> Ending:
        """That nothing was changed is certain of a first try alone: an earlier one, cut short with
        its process, may have been applied.
        """
        return ending if change.tries == 1 else self._settle(change, ending.reason)

    def _settle(self, change: Change, reason: str | None) -> Ending:
        """After no clear answer: what reading back shows of what the change was to change.

        The call sets all nine at once, so one flag seen to have changed settles them all.
        """
        found = self._read_back()
        changed = [p for p in change.asks_for() if change.before[p] is not None]
        arrived = any(found[p] is change.wanted[p] for p in changed)
        strays = any(found[p] is (not change.wanted[p]) for p in PARAMETERS)
        outcome = Outcome.APPLIED if arrived and not strays else Outcome.UNSURE
        return Ending(outcome, reason, found)

    def _read_back(self) -> Flags:
        return self.read(READ_BACK_SECONDS).reported
