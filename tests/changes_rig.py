"""What the tests of a change's story share: a store and a Kayran that live in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.change import Change, Denial, KayranReport, Outcome, RecordedState, Request
from bot.changes import Accepted, Changes, Claim, Conflict, Result, Unchanged
from bot.errors import NoClearAnswer, Obstacle, StoreUnavailable
from bot.notifications import Flags
from tests.samples import ACCOUNT, ALL_OFF, change, request

REPORTED = ("mailQueue", "mailSchedule", "mailStatus", "mailStop", "mailAborted", "mailDelete")
"""What Kayran documents to report; Pause, Unpause and Completed it does not."""
COUNTING = (None, Outcome.APPLIED, Outcome.UNSURE)


@dataclass
class _Store:
    """A store that forgets everything with its process.

    Attributes:
        changes: oldest first; a change's number, and its id, is its place, from 1.
        meanwhile: called once, before the next request is recorded, as if by somebody else.
        claiming: called before each claim.
        leased: whether a process has the lease.
        away: how many of the next calls of a method find the database away.
    """

    changes: list[Change] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None
    claiming: Callable[[], object] = lambda: None
    leased: bool = False
    away: dict[str, int] = field(default_factory=dict)

    def recorded_state(self, _account: str, request_key: str | None = None) -> RecordedState:
        counting = [c for c in self.changes if c.outcome in COUNTING]
        same = [c for c in self.changes if c.request_key == request_key]
        return RecordedState(counting[-1] if counting else None, same[0] if same else None)

    def accept(
        self, account: str, request: Request, before: Flags, expected: RecordedState
    ) -> Accepted | None:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        if self.recorded_state(account).version != expected.version:
            return None
        number = len(self.changes) + 1
        recorded = change(id=number, number=number, before=before)
        key, wanted = request.request_key, request.wanted
        recorded = replace(recorded, request_key=key, wanted=wanted)
        self.changes.append(recorded)
        return Accepted(recorded)

    def change(self, change_id: int) -> Change | None:
        return self.changes[change_id - 1]

    def follow_up(self, _change_id: int) -> Change | None:
        return None

    def since(self, _account: str, number: int) -> Sequence[Change]:
        return [c for c in self.changes if c.number > number and c.outcome in COUNTING]

    def claim(self, _account: str) -> Claim | None:
        self.claiming()
        self._fail_if_away("claim")
        waiting = [c for c in self.changes if c.outcome is None]
        if not waiting or self.leased:
            return None
        self.leased = True
        for superseded in waiting[:-1]:
            self.put(replace(superseded, outcome=Outcome.SUPERSEDED))
        chosen = self.put(replace(waiting[-1], tries=waiting[-1].tries + 1))
        return Claim(chosen, tuple(c.id for c in waiting[:-1]))

    def close(self, claim: Claim, result: Result) -> None:
        self._fail_if_away("close")
        self.leased = False
        outcome, reason, found = result.outcome, result.reason, result.found
        self.put(replace(claim.change, outcome=outcome, reason=reason, found=found))

    def deny(self, denial: Denial) -> None:
        raise AssertionError(denial)

    def latest(self, *_: object, **__: object) -> Sequence[Change]:
        raise AssertionError("looking back is no part of a change's story")

    last_changes = latest

    def put(self, changed: Change) -> Change:
        """A change as it is from now on."""
        self.changes[changed.number - 1] = changed
        return changed

    def _fail_if_away(self, method: str) -> None:
        if self.away.get(method):
            self.away[method] -= 1
            raise StoreUnavailable("away")


@dataclass
class _Kayran:
    """Kayran, with flags that are set.

    Attributes:
        sending: called after each call that sets.
        applies: whether it does what it is sent.
        failure: what a call that sets ends with, if anything.
        is_silent: whether asking brings no answer.
    """

    flags: Flags = ALL_OFF
    sent: list[Flags] = field(default_factory=list)
    sending: Callable[[], object] = lambda: None
    applies: bool = True
    failure: BaseException | None = None
    is_silent: bool = False
    reports: Sequence[str] = REPORTED

    def update_mail_notify(self, wanted: Flags) -> None:
        self.sent.append(wanted)
        if self.applies:
            self.flags = wanted.settled()
        self.sending()
        if self.failure is not None:
            raise self.failure

    def get_user_profile(self, within: float) -> KayranReport:
        assert within > 0
        if self.is_silent:
            raise NoClearAnswer(Obstacle.TIMED_OUT)
        return KayranReport(Flags.of({p: self.flags[p] for p in self.reports}))


@dataclass
class Scene:
    """The story, and everything around it."""

    store: _Store = field(default_factory=_Store)
    kayran: _Kayran = field(default_factory=_Kayran)
    delivered: list[int] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        deliver = self.delivered.append
        self.changes = Changes(
            self.store, self.kayran, ACCOUNT, deliver, pauses=(0, 0), clock=lambda: self.now
        )

    def submit(
        self, key: str, *on: str, insists: bool = False, **fields: Any
    ) -> Accepted | Conflict | Unchanged:
        """Send a form; what is not said is as ``samples.request`` has it."""
        recorded, report = self.changes.recorded_state(key), self.changes.read(1.0)
        asked = replace(request(key, *on, **fields), even_if_unchanged=insists)
        return self.changes.submit(asked, recorded, report)

    def accepted(self, key: str, *on: str, insists: bool = False, **fields: Any) -> Change:
        """Send a form that is accepted."""
        saved = self.submit(key, *on, insists=insists, **fields)
        assert isinstance(saved, Accepted)
        return saved.change

    def ended(self, *on: str, failure: BaseException | None = None) -> Change:
        """Send a form that shows what is true, also where it changes nothing, and carry it out."""
        number = len(self.store.changes) + 1
        self.kayran.failure, self.kayran.applies = failure, failure is None
        newest = self.store.recorded_state(ACCOUNT).number
        shown = {"shown": self.kayran.flags, "based_on": newest}
        self.accepted(f"form-{number}", *on, insists=True, **shown)
        self.changes.carry_out()
        self.kayran.failure, self.kayran.applies = None, True
        return self.store.changes[number - 1]
