"""The story of one change, on a store of its own and with a Kayran that lives in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from bot.change import ENDED, Change, KayranReport, Outcome
from bot.changes import LATE_SECONDS, SENT_AT_MOST, Accepted, Changes, Conflict, Unchanged
from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, Refused
from bot.notifications import PARAMETERS, Flags
from tests.samples import ACCOUNT, ALL_OFF, change, request
from tests.store_rig import LEASES, NOTHING_YET, Clock, Process, Watched, started

REPORTED = ("mailQueue", "mailSchedule", "mailStatus", "mailStop", "mailAborted", "mailDelete")
"""What Kayran documents to report; Pause, Unpause and Completed it does not."""


class _Kayran:
    """Kayran, with flags that are set.

    Attributes:
        sending: called after each call that sets.
        applies: whether it does what it is sent.
        failure: what a call that sets ends with, if anything.
        is_silent: whether asking brings no answer.
    """

    def __init__(self) -> None:
        self.flags = ALL_OFF
        self.sent: list[Flags] = []
        self.sending: Callable[[], object] = lambda: None
        self.applies = True
        self.failure: BaseException | None = None
        self.is_silent = False
        self.reports: Sequence[str] = REPORTED

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


class Scene:
    """The story, and everything around it."""

    def __init__(self, here: Process, clock: Clock) -> None:
        self.here, self.clock = here, clock
        self.store: Any = Watched(here.store)
        self.kayran = _Kayran()
        self.delivered: list[int] = []
        self.now = 0.0
        deliver, monotonic = self.delivered.append, lambda: self.now
        self.changes = Changes(
            self.store, self.kayran, ACCOUNT, deliver, pauses=(0, 0), clock=monotonic
        )

    def submit(self, key: str, *on: str, **fields: Any) -> Accepted | Conflict | Unchanged:
        """Send a form; what is not said is as ``samples.request`` has it."""
        recorded = self.changes.recorded_state(key)
        return self.changes.submit(request(key, *on, **fields), recorded, self.changes.read(1.0))

    def accepted(self, key: str, *on: str, **fields: Any) -> Change:
        """Send a form that is accepted."""
        saved = self.submit(key, *on, **fields)
        assert isinstance(saved, Accepted)
        return saved.change

    def ended(self, *on: str, failure: BaseException | None = None) -> Change:
        """Send a form that shows what is true, also where it changes nothing, and carry it out."""
        number = len(self.here.recorded()) + 1
        self.kayran.failure, self.kayran.applies = failure, failure is None
        newest = self.here.store.recorded_state(ACCOUNT).number
        shown = {"shown": self.kayran.flags, "based_on": newest, "even_if_unchanged": True}
        self.accepted(f"form-{number}", *on, **shown)
        self.changes.carry_out()
        self.kayran.failure, self.kayran.applies = None, True
        return self.here.found(number)

    def cut_short(self, times: int, account: str = ACCOUNT) -> None:
        """Have other processes claim what is open so often, and die before it was closed."""
        for _ in range(times):
            assert self.here.store.claim(account) is not None
            self.clock.forward(LEASES.send)


@pytest.fixture
def scene(record: str) -> Iterator[Scene]:
    """A story that has not begun."""
    clock = Clock()
    with started(record, clock) as here:
        yield Scene(here, clock)


# May it be accepted?


def test_what_its_form_showed_stands(scene: Scene) -> None:
    """A form that shows what is true is accepted, with what is known as what was before."""
    scene.kayran.flags = Flags.only(["mailStop"])
    shown = Flags.of({p: scene.kayran.flags[p] for p in REPORTED})

    change = scene.accepted("form-1", "mailPause", shown=shown)

    assert (change.number, change.before) == (1, shown)
    assert change.asks_for() == ("mailPause", "mailUnpause", "mailCompleted", "mailStop")


def test_what_its_form_did_not_show_is_not_overwritten(scene: Scene) -> None:
    """An edit in Kayran, or another change, which is named: nothing is recorded."""
    scene.kayran.flags = Flags.only(["mailStop"])
    edited = scene.submit("form-1", "mailPause")
    scene.kayran.flags = ALL_OFF
    theirs = scene.ended("mailCompleted")
    changed = scene.submit("form-9", "mailPause")

    assert isinstance(edited, Conflict)
    assert (edited.current.flags["mailStop"], edited.since) == (True, [])
    assert isinstance(changed, Conflict)
    assert (changed.current.flags["mailCompleted"], changed.since) == (True, [theirs])
    assert scene.here.recorded() == [theirs]


def test_what_its_form_showed_was_there_before(scene: Scene) -> None:
    """Also where Kayran was edited since the last change, and says nothing at the save: an undo goes back to
    what the form showed, and what the record alone would take for nothing new is sent.
    """
    scene.ended("mailStop", "mailDelete")
    shown = scene.kayran.flags = Flags.only(["mailAborted"])
    scene.kayran.is_silent = True

    change = scene.accepted("form-9", "mailStop", "mailDelete", shown=shown, based_on=1)

    assert change.before == shown
    assert change.asks_for() == ("mailStop", "mailAborted", "mailDelete")


def test_a_change_on_its_way_counts(scene: Scene) -> None:
    """What was accepted counts before it has reached Kayran; whoever saw it on its way may save."""
    theirs = scene.accepted("form-1", "mailStop")

    unseen = scene.submit("form-2", "mailPause")
    seen = scene.accepted("form-3", "mailStop", "mailPause", shown=theirs.leaves(), based_on=1)

    assert isinstance(unseen, Conflict)
    assert unseen.since == [theirs]
    assert seen.before == theirs.leaves()


@pytest.mark.parametrize(
    ("on", "failure"),
    [
        ([], None),
        (["mailStop"], Refused("no")),
        (["mailStop"], NotSent(Obstacle.UNREACHABLE)),
    ],
)
def test_a_change_that_left_what_the_form_showed_is_no_conflict(
    scene: Scene, on: Sequence[str], failure: KayranError | None
) -> None:
    """Whoever saved the same, or was refused, or failed, is in nobody's way."""
    scene.ended(*on, failure=failure)

    assert scene.accepted("form-9", "mailPause").number == 2


def test_a_change_that_may_have_taken_effect_is_a_conflict(scene: Scene) -> None:
    """Nobody overwrites unseen what is not certain; whoever has seen it may."""
    scene.kayran.is_silent = True
    unsure = scene.ended("mailCompleted", failure=NoClearAnswer(Obstacle.TIMED_OUT))

    saved = scene.submit("form-8", "mailPause")

    assert isinstance(saved, Conflict)
    assert saved.since == [unsure]
    assert scene.accepted("form-9", "mailPause", based_on=unsure.number).number == 2


def test_a_form_that_showed_what_then_was_refused_is_a_conflict(scene: Scene) -> None:
    """What was on its way when the form was made, and did not arrive, is not true any more."""
    scene.ended()
    on_its_way = scene.accepted("form-2", "mailCompleted", based_on=1)
    scene.kayran.failure, scene.kayran.applies = Refused("no"), False
    scene.changes.carry_out()

    saved = scene.submit("form-3", "mailPause", shown=on_its_way.leaves(), based_on=2)

    assert isinstance(saved, Conflict)
    assert saved.current.flags["mailCompleted"] is False


@pytest.mark.parametrize(
    ("set_now", "saved"),
    [(["mailPause"], Accepted), ([], Conflict), (["mailPause", "mailStop"], Conflict)],
)
def test_what_was_chosen_without_being_seen(
    scene: Scene, set_now: Sequence[str], saved: type
) -> None:
    """Where the form showed nothing, what is known by now has to be what was chosen."""
    scene.kayran.reports = PARAMETERS
    scene.kayran.flags = Flags.only(set_now)
    shown = Flags.of({p: False for p in PARAMETERS if p != "mailPause"})

    assert isinstance(scene.submit("form-1", "mailPause", "mailQueue", shown=shown), saved)


def test_a_save_that_changes_nothing_records_nothing(scene: Scene) -> None:
    """It says what is true; all nine are sent all the same for whoever insists."""
    saved = scene.submit("form-1")

    assert isinstance(saved, Unchanged)
    assert (saved.current.flags["mailStop"], scene.here.recorded()) == (False, [])
    assert scene.accepted("form-1", even_if_unchanged=True).asks_for() == ()


def test_to_choose_what_is_not_known_is_a_change(scene: Scene) -> None:
    """A flag that nobody knew is set, whichever way it was chosen, and what was before stays not known."""
    shown = Flags.of(dict.fromkeys(REPORTED, False))

    change = scene.accepted("form-1", "mailPause", shown=shown)

    assert change.before == shown
    assert change.choices() == {"mailPause": True, "mailUnpause": False, "mailCompleted": False}


def test_a_silent_kayran_keeps_nobody_from_saving(scene: Scene) -> None:
    """Where Kayran says nothing the store alone decides, and what the form knew is what was before."""
    scene.kayran.is_silent = True
    shown = Flags.of({"mailDelete": False})

    assert scene.accepted("form-1", "mailStop", shown=shown).before == shown


def test_the_same_request_again_is_the_same_change(scene: Scene) -> None:
    """What was sent twice is one change, also when the first was carried out in between."""
    asked, recorded = request("form-1", "mailStop"), scene.changes.recorded_state("form-1")
    first = scene.ended("mailStop")

    again = scene.submit("form-1", "mailStop")
    at_once = scene.changes.submit(asked, recorded, scene.changes.read(1.0))

    assert again == at_once == Accepted(first, again=True)


def test_a_report_that_is_older_than_the_record_is_no_news(scene: Scene) -> None:
    """What Kayran said before the record moved contradicts nobody."""
    on_its_way = scene.accepted("form-1", "mailStop")

    def carry_out(method: str) -> None:
        if method == "accept":
            scene.store.before = lambda _: None
            scene.changes.carry_out()

    scene.store.before = carry_out
    mine = scene.accepted("form-2", "mailPause", shown=on_its_way.leaves(), based_on=1)

    assert mine.before == on_its_way.leaves()


# Carrying it out


@pytest.mark.parametrize(
    ("is_silent", "found"),
    [(False, Flags.of({p: p == "mailStop" for p in REPORTED})), (True, Flags.unknown())],
)
def test_kayran_takes_it(scene: Scene, is_silent: bool, found: Flags) -> None:
    """All nine are sent, and it is applied, because Kayran said so; what reading back shows is kept."""
    scene.kayran.is_silent = is_silent

    change = scene.ended("mailStop", "mailCompleted")

    assert scene.kayran.sent == [Flags.only(["mailStop", "mailCompleted"])]
    assert (change.outcome, change.reason, change.found) == (Outcome.APPLIED, None, found)
    assert scene.delivered == [change.id]


@pytest.mark.parametrize(
    ("failure", "outcome", "reason"),
    [
        (Refused("Not valid token"), Outcome.REFUSED, "Not valid token"),
        (NotSent(Obstacle.UNTRUSTED), Outcome.FAILED, "untrusted"),
        (NoClearAnswer(Obstacle.DROPPED), Outcome.UNSURE, "dropped"),
        (ZeroDivisionError(), Outcome.UNSURE, Obstacle.UNEXPECTED.value),
    ],
)
def test_kayran_does_not_take_it(
    scene: Scene, failure: Exception, outcome: Outcome, reason: str
) -> None:
    """A no, nothing sent, and nobody knows are told apart, each with its reason."""
    change = scene.ended("mailStop", failure=failure)

    assert (change.outcome, change.reason) == (outcome, reason)
    assert scene.delivered == [change.id]


def test_a_no_that_reading_back_contradicts(scene: Scene) -> None:
    """One of the vendor's pages prints an error in an example of success: what shows counts."""
    scene.kayran.failure = Refused("Update")
    scene.accepted("form-1", "mailStop", shown=scene.kayran.flags)

    scene.changes.carry_out()

    [change] = scene.here.recorded()
    assert (change.outcome, change.reason) == (Outcome.APPLIED, "Update")


@pytest.mark.parametrize(
    ("wanted", "set_now", "outcome"),
    [
        (["mailStop", "mailCompleted"], ["mailStop"], Outcome.APPLIED),
        (["mailStop"], [], Outcome.UNSURE),
        (["mailCompleted"], ["mailCompleted"], Outcome.UNSURE),
        (["mailStop", "mailDelete"], ["mailStop"], Outcome.UNSURE),
        (["mailStatus"], ["mailStatus"], Outcome.UNSURE),
    ],
    ids=["one changed", "none did", "not reported", "another did not", "not known before"],
)
def test_reading_back_settles_what_was_not_clear(
    scene: Scene, wanted: Sequence[str], set_now: Sequence[str], outcome: Outcome
) -> None:
    """One flag seen to have changed shows that all nine were taken, unless another one was not."""
    scene.kayran.is_silent = True
    shown = Flags.of({p: False for p in REPORTED if p != "mailStatus"})
    scene.accepted("form-1", *wanted, shown=shown)
    scene.kayran.is_silent = False
    scene.kayran.failure, scene.kayran.applies = NoClearAnswer(Obstacle.DROPPED), False
    scene.kayran.flags = Flags.only(set_now)

    scene.changes.carry_out()

    assert scene.here.found(1).outcome is outcome


@pytest.mark.parametrize("failure", [NotSent(Obstacle.UNREACHABLE), Refused("Not valid token")])
@pytest.mark.parametrize(
    ("set_now", "outcome"), [(["mailStop"], Outcome.APPLIED), ([], Outcome.UNSURE)]
)
def test_a_try_after_one_that_was_cut_short(
    scene: Scene, failure: KayranError, set_now: Sequence[str], outcome: Outcome
) -> None:
    """It never says that nothing was changed: the earlier try may have been applied, and may show."""
    scene.accepted("form-1", "mailStop")
    scene.cut_short(1)
    scene.kayran.failure, scene.kayran.applies = failure, False
    scene.kayran.flags = Flags.only(set_now)

    scene.changes.carry_out()

    assert scene.here.found(1).outcome is outcome


@pytest.mark.parametrize(("claimed_before", "sent"), [(SENT_AT_MOST - 1, 1), (SENT_AT_MOST, 0)])
def test_it_is_not_sent_without_end(scene: Scene, claimed_before: int, sent: int) -> None:
    """What was claimed that often already is settled by reading back alone."""
    wanted = scene.accepted("form-1", "mailStop")
    scene.cut_short(claimed_before)
    scene.kayran.flags = wanted.wanted

    scene.changes.carry_out()

    assert len(scene.kayran.sent) == sent
    assert scene.here.found(1).outcome is Outcome.APPLIED
    assert scene.delivered == [1]


def test_what_was_superseded_is_delivered_before_anything_is_sent(scene: Scene) -> None:
    """Whoever asked for it need not wait for the newer change to end."""
    first = scene.accepted("form-1", "mailStop")
    scene.accepted("form-2", "mailPause", shown=first.leaves(), based_on=1)
    delivered_by_then: list[int] = []
    scene.kayran.sending = lambda: delivered_by_then.extend(scene.delivered)

    scene.changes.carry_out()

    assert delivered_by_then == [first.id]
    assert scene.kayran.sent == [Flags.only(["mailPause"])]


def test_a_claim_that_was_granted_too_late_is_not_used(scene: Scene) -> None:
    """Its lease may be another's by the time it is sent; what it superseded is delivered all the same."""
    first = scene.accepted("form-1", "mailStop")
    scene.accepted("form-2", "mailPause", shown=first.leaves(), based_on=1)

    def hold_up(_: str) -> None:
        scene.now += LATE_SECONDS + 0.1

    scene.store.before = hold_up
    scene.changes.carry_out()

    assert scene.kayran.sent == []
    assert [c.outcome for c in scene.here.recorded()] == [Outcome.SUPERSEDED, None]
    assert scene.delivered == [first.id]


def test_what_could_not_be_closed(scene: Scene) -> None:
    """It is tried a few times, and Kayran is not called again to find out how it ended. Then it is left to
    recovery: nothing is reported that is not on record, and once the lease has run out it is done again.
    """
    scene.store.away = ["close"] * 2
    noted = scene.ended("mailStop")
    calls, delivered = len(scene.kayran.sent), list(scene.delivered)
    scene.store.away = ["close"] * 3
    left = scene.ended("mailPause")

    assert (noted.outcome, calls, delivered) == (Outcome.APPLIED, 1, [1])
    assert (left.outcome, scene.delivered) == (None, [1])
    scene.clock.forward(LEASES.send)
    scene.changes.carry_out()
    assert scene.here.found(2).outcome is Outcome.APPLIED
    assert (len(scene.kayran.sent), scene.delivered) == (3, [1, 2])


@pytest.mark.parametrize(("claimed_before", "outcome"), [(0, Outcome.FAILED), (1, Outcome.UNSURE)])
def test_what_is_left_of_another_key_is_closed(
    scene: Scene, claimed_before: int, outcome: Outcome
) -> None:
    """Nothing is sent with a key it was not meant for: never sent, it has failed, else nobody knows."""
    scene.here.store.accept("another", request("form-1", "mailStop"), ALL_OFF, NOTHING_YET)
    scene.cut_short(claimed_before, "another")

    scene.changes.close_for_replaced_key("another")

    (closed,) = scene.here.recorded()
    assert (closed.outcome, closed.is_of_another_key) == (outcome, True)
    assert (scene.kayran.sent, scene.delivered) == ([], [1])


# What a change leaves behind


@pytest.mark.parametrize(
    ("outcome", "found", "left"),
    [
        (Outcome.APPLIED, {}, {"mailStop": True, "mailPause": True, "mailDelete": False}),
        (Outcome.APPLIED, {"mailStop": True}, {"mailStop": True, "mailPause": True}),
        # Reading back contradicts it: who knows what became of the rest.
        (Outcome.APPLIED, {"mailStop": False}, {"mailStop": False, "mailPause": None}),
        (Outcome.APPLIED, {"mailQueue": True}, {"mailStop": None, "mailQueue": True}),
        # What it was to leave alone is as before; the rest is known only where found.
        (Outcome.UNSURE, {}, {"mailStop": None, "mailPause": None, "mailDelete": False}),
        (Outcome.UNSURE, {"mailStop": True}, {"mailStop": True, "mailPause": None}),
    ],
)
def test_what_a_change_leaves(
    outcome: Outcome, found: dict[str, bool], left: dict[str, bool | None]
) -> None:
    """What was found, and of the rest no more than can be known; not certain is as good as applied
    where nobody is to overwrite it unseen.
    """
    ended = change("mailStop", "mailPause", outcome=outcome, found=Flags.of(found))

    assert {p: ended.leaves()[p] for p in left} == left
    assert ended.may_leave() == Flags.of(found).over(ended.wanted)


def test_undoing_goes_back_to_what_was_known() -> None:
    """What was not known before can't be put back, and what was not changed is left alone."""
    before = Flags.of({"mailStop": True, "mailDelete": False, "mailQueue": True})
    some = change("mailPause", "mailDelete", "mailQueue", before=before)

    assert some.undo_choices() == {"mailStop": True, "mailDelete": False}
    assert set(some.not_undone()) == set(PARAMETERS) - {"mailStop", "mailDelete", "mailQueue"}


@pytest.mark.parametrize(
    ("on", "what"),
    [(["mailStop", "mailDelete"], "mailStop on, mailDelete on"), ([], "all nine again")],
)
def test_a_change_in_the_log(on: Sequence[str], what: str) -> None:
    """Its number, who, where and what, in one line."""
    line = ENDED % change(*on).ended("applied")

    assert line == f"change 7 by U0ADMIN in C0SCANS ({what}): applied"
