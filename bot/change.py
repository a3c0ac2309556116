"""A change, and what is known around it: values alone.

``Request`` is what somebody asks for, ``Change`` what is on record of it; ``CurrentState`` is what is true
now, and where that comes from.
"""

from dataclasses import dataclass, field
from enum import Enum

from bot.errors import KayranError, Obstacle
from bot.notifications import Flags

ENDED = "change %(change)s by %(user)s in %(channel)s (%(what)s): %(how)s"


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
    REQUEST = "request"
    UNDO = "undo"
    TRY_AGAIN = "try_again"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a request and the change that comes of it have in common.

    Attributes:
        request_key: what makes it this request and no other: the same form sent twice with the same
            ticks, or the same button pressed twice, is one change.
        team: the id of the Slack workspace it was asked for in.
        user: the id of the Slack user who asked.
        role: the workspace role that let them.
        wanted: all nine, as they are to be; none is not known, but where it is older than one of them.
        channel: the id of the channel it was asked for in.
        thread: the ``ts`` of the thread's parent, where it was asked for in a thread.
        origin_change: the id of the change this one undoes or tries again.
        request_id: the id of the request that this grants, of somebody who may not.
        mailbox: the name of the Kayran key's mailbox, where the bot has more than one.
    """

    request_key: str
    team: str
    user: str
    role: str
    wanted: Flags
    channel: str
    thread: str | None
    origin: Origin = Origin.FORM
    origin_change: int | None = None
    request_id: int | None = None
    mailbox: str = ""


@dataclass(frozen=True, kw_only=True)
class Request(Asked):
    """A change somebody asks for.

    Attributes:
        shown: what the form showed as true when it was made.
        based_on: the number of the newest change the form knew of; 0 where there was none.
        even_if_unchanged: whether all nine are to be sent also where nothing would change.
    """

    shown: Flags
    based_on: int
    even_if_unchanged: bool = False


@dataclass(frozen=True, kw_only=True)
class Change(Asked):
    """A change on record. Times are seconds since 1970, UTC.

    Attributes:
        number: its place among the accepted changes of its Kayran account, from 1, without gaps.
        asked_at: when it was accepted.
        before: what was known to be set when it was accepted, from what its form showed if need be.
        found: what reading back showed afterwards.
        reason: Kayran's own words where it refused; what stood in the way where it failed or is
            unsure. Foreign text.
        superseded_by: the number of the change that superseded it.
        tries: how often it was claimed to be sent.
        parent_ts: the message its thread hangs on, once posted.
        post_error: Slack's error code, where the channel did not take the bot's message.
        reply_ts: the result's message, once posted; empty where a ``response_url`` took it.
        reply_channel: where that message stands.
    """

    id: int
    account: str
    number: int
    asked_at: float
    before: Flags
    outcome: Outcome | None = None
    closed_at: float | None = None
    found: Flags = field(default_factory=Flags.unknown)
    reason: str | None = None
    superseded_by: int | None = None
    tries: int = 0
    parent_ts: str | None = None
    post_error: str | None = None
    reply_ts: str | None = None
    reply_channel: str | None = None

    @property
    def came_to_nothing(self) -> bool:
        """Whether it is certain that it changed nothing."""
        return self.outcome in (Outcome.REFUSED, Outcome.FAILED, Outcome.SUPERSEDED)

    @property
    def is_of_another_key(self) -> bool:
        """Whether it was given up because the bot's Kayran key was replaced."""
        given_up = self.outcome in (Outcome.FAILED, Outcome.UNSURE)
        return given_up and self.reason == Obstacle.OTHER_KEY.value

    @property
    def is_direct(self) -> bool:
        """Whether it was asked for in no channel, and is reported to the person directly."""
        return self.channel == self.user

    @property
    def ids(self) -> dict[str, object]:
        """What the log names it by: its number, its id in the store, who asked for it and where."""
        return {"change": self.number, "id": self.id, "user": self.user, "channel": self.channel}

    def ended(self, how: str) -> dict[str, object]:
        """What the log says of how it ended; ``ENDED`` is the sentence."""
        what = ", ".join(f"{p} {'on' if v else 'off'}" for p, v in self.choices().items())
        return self.ids | {"what": what or "all nine again", "how": how}

    @property
    def contradicted(self) -> tuple[str, ...]:
        """The parameters that reading back showed otherwise than they were sent."""
        return self.found.contradicting(self.wanted)

    def leaves(self) -> Flags:
        """What is known of Kayran once this change is the newest that counts.

        Where reading back contradicts it, who knows what became of what Kayran doesn't report.
        """
        if self.outcome is Outcome.UNSURE:
            kept = {p: v for p, v in self.wanted if self.before[p] is v}
            return self.found.over(Flags.of(kept))
        return self.found if self.contradicted else self.may_leave()

    def may_leave(self) -> Flags:
        """The same, but that a change which nobody is sure of counts as applied."""
        return self.found.over(self.wanted)

    def asks_for(self) -> tuple[str, ...]:
        """The parameters it would set to something else than was known before."""
        return self.before.differing(self.wanted)

    def choices(self) -> dict[str, bool]:
        """What it chose, of what was otherwise or not known before."""
        return {p: v for p, v in self.wanted.known.items() if self.before[p] is not v}

    def undo_choices(self) -> dict[str, bool]:
        """What undoing it chooses: what was known before. What was not known stays as it is."""
        return {p: v for p, v in self.before.known.items() if self.wanted[p] is not v}

    def not_undone(self) -> tuple[str, ...]:
        """The parameters that it set and that undoing it can't put back: they were not known before."""
        return tuple(p for p in self.asks_for() if self.before[p] is None)


@dataclass(frozen=True)
class RecordedState:
    """What the store knows of an account at one moment.

    Attributes:
        newest: the newest change that counts: applied, unsure, or still on its way.
        same_request: the change that the request asked about has already made, if it has.
    """

    newest: Change | None
    same_request: Change | None = None

    @property
    def number(self) -> int:
        """The newest counting change's number; 0 where there is none."""
        return self.newest.number if self.newest else 0

    @property
    def version(self) -> tuple[int, Outcome | None]:
        """What has to be the same still when a change is recorded."""
        return (self.number, self.newest.outcome if self.newest else None)

    @property
    def underway(self) -> bool:
        """Whether the newest change has not ended yet: what Kayran says now is about to change."""
        return self.newest is not None and self.newest.outcome is None

    def knows(self) -> Flags:
        """What the store alone says is set."""
        return self.newest.leaves() if self.newest else Flags.unknown()

    def may_hold(self) -> Flags:
        """What may be set, as far as the store goes: also what is not certain to have been."""
        return self.newest.may_leave() if self.newest else Flags.unknown()


@dataclass(frozen=True)
class KayranReport:
    """What asking Kayran brought: its report, or what stood in the way.

    Attributes:
        flags: what Kayran says is set; nothing known where it did not say.
        mailbox: the e-mail address of the key's owner, unmasked. Foreign text.
        trouble: why nothing was reported, where nothing was.
    """

    flags: Flags = field(default_factory=Flags.unknown)
    mailbox: str | None = None
    trouble: KayranError | None = None


@dataclass(frozen=True)
class CurrentState:
    """What is true now, as far as it can be known, and where that comes from."""

    recorded: RecordedState
    report: KayranReport

    @property
    def reported(self) -> Flags:
        """What Kayran's own report settles: nothing, while a change is on its way."""
        return Flags.unknown() if self.recorded.underway else self.report.flags

    @property
    def flags(self) -> Flags:
        """Kayran's report where there is one, else what was last set from here."""
        return self.reported.over(self.recorded.knows())

    def contradicts(self, request: Request) -> bool:
        """Whether the request would overwrite something its form did not show.

        Where nothing was accepted since, the store has nothing to add to what the form already
        showed, and only Kayran's report counts. A change since that may or may not have taken
        effect counts as if it had. What the form showed as not known was chosen without being seen:
        there, what is known by now must be what was chosen.
        """
        now = self.reported
        if self.recorded.number != request.based_on:
            now = now.over(self.recorded.may_hold())
        seen = request.shown.over(request.wanted)
        return bool(now.contradicting(seen))


@dataclass(frozen=True)
class Denial:
    """Somebody was told no.

    Attributes:
        step: where: at the command, a shortcut, the submit, or a button.
        id: its own in the store, once it is on record.
        asked_at: when, in seconds since 1970, UTC.
    """

    team: str | None
    user: str | None
    role: str | None
    reason: str
    step: str
    channel: str | None
    id: int = 0
    asked_at: float = 0.0
