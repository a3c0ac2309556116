"""The story of one change, with a record and a Kayran that live in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.changes import (
    LATE_SECONDS,
    Asker,
    Change,
    Changes,
    Claim,
    Ending,
    Origin,
    Outcome,
    Outlook,
    Overtaken,
    Place,
    Reading,
    Recorded,
    Request,
    Standing,
)
from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, RecordsAway, Refused
from bot.notifications import PARAMETERS, Flags, Preferences
from tests.records_rig import ACCOUNT, request

REPORTED = ("mailQueue", "mailSchedule", "mailStatus", "mailStop", "mailAborted", "mailDelete")
"""What Kayran documents to report; Pause, Unpause and Completed it does not."""
ALL_OFF = Flags.of(dict.fromkeys(PARAMETERS, False))


class Ledger:
    """A record that forgets everything with its process.

    Attributes:
        changes: oldest first; the number is the place, from 1.
        meanwhile: called just before the next request is recorded, as if by somebody else.
    """

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.leased = False

    def outlook(self, account: str, form: str | None = None) -> Outlook:  # noqa: ARG002 (the verb's)
        """What is known of the account now."""
        counting = [c for c in self.changes if c.outcome in COUNTING]
        same = [c for c in self.changes if c.form == form]
        return Outlook(counting[-1] if counting else None, same[0] if same else None)

    def accept(
        self, account: str, request: Request, before: Flags, expected: Outlook
    ) -> Recorded | None:
        """Record the request, unless something has happened."""
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        if self.outlook(account).state != expected.state:
            return None
        self.changes.append(change(len(self.changes) + 1, request, before))
        return Recorded(self.changes[-1])

    def since(self, account: str, number: int) -> Sequence[Change]:  # noqa: ARG002 (the verb's)
        """What came after, as far as it counts."""
        return [c for c in self.changes if c.number > number and c.outcome in COUNTING]

    def claim(self, account: str) -> Claim | None:  # noqa: ARG002 (the verb's)
        """The newest open change; older ones are superseded by it."""
        waiting = [c for c in self.changes if c.outcome is None]
        if not waiting or self.leased:
            return None
        self.leased = True
        for overtaken in waiting[:-1]:
            self.put(replace(overtaken, outcome=Outcome.SUPERSEDED))
        chosen = replace(waiting[-1], tries=waiting[-1].tries + 1)
        self.put(chosen)
        return Claim(chosen, chosen.number, tuple(c.id for c in waiting[:-1]))

    def close(self, claim: Claim, ending: Ending) -> None:
        """Note how it ended."""
        self.leased = False
        self.put(
            replace(claim.change, outcome=ending.outcome, reason=ending.reason, found=ending.found)
        )

    def put(self, changed: Change) -> None:
        """A change as it is from now on."""
        self.changes[changed.number - 1] = changed


COUNTING = (None, Outcome.APPLIED, Outcome.UNSURE)


@dataclass(frozen=True)
class Profile:
    """What Kayran says."""

    email: str | None
    flags: Flags


class Kayran:
    """Kayran, with flags that are set.

    Attributes:
        flags: what is set.
        sent: what it was sent, in that order.
        applies: whether it does what it is sent.
        failure: what a call that sets ends with, if anything.
        is_silent: whether asking brings no answer.
        reports: what it tells of.
    """

    def __init__(self) -> None:
        self.flags = ALL_OFF
        self.sent: list[Preferences] = []
        self.applies = True
        self.failure: Exception | None = None
        self.is_silent = False
        self.reports: Sequence[str] = REPORTED

    def update_mail_notify(self, preferences: Preferences) -> None:
        """Set all nine."""
        self.sent.append(preferences)
        if self.applies:
            self.flags = preferences.as_flags()
        if self.failure is not None:
            raise self.failure

    def get_user_profile(self, within: float) -> Profile:  # noqa: ARG002 (the verb's)
        """Tell of what is set."""
        if self.is_silent:
            raise NoClearAnswer(Obstacle.TIMED_OUT)
        return Profile("sam@example.com", Flags.of({p: self.flags[p] for p in self.reports}))


@dataclass
class Stage:
    """The story, and everything it is told with."""

    ledger: Ledger = field(default_factory=Ledger)
    kayran: Kayran = field(default_factory=Kayran)
    told: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.changes = Changes(
            self.ledger, self.kayran, ACCOUNT, self.told.append, lambda: self.times.pop(0)
        )
        self.times += [0.0] * 100

    def submit(self, form: str, *on: str, shown: Flags = ALL_OFF, based_on: int = 0) -> object:
        """Send a form."""
        asked = request(form, *on, shown=shown, based_on=based_on)
        outlook = self.changes.outlook(form)
        return self.changes.submit(asked, outlook, self.changes.read(1.0))

    def accepted(self, form: str, *on: str, shown: Flags = ALL_OFF, based_on: int = 0) -> Change:
        """Send a form that is accepted."""
        result = self.submit(form, *on, shown=shown, based_on=based_on)
        assert isinstance(result, Recorded)
        return result.change

    def ended(self, *on: str, failure: Exception | None = None) -> Change:
        """Send a form that shows what is true, and carry it out."""
        newest = self.ledger.outlook(ACCOUNT)
        known = self.kayran.flags
        number = len(self.ledger.changes) + 1
        self.kayran.failure, self.kayran.applies = failure, failure is None
        self.accepted(f"form-{number}", *on, shown=known, based_on=newest.number)
        self.changes.carry_out()
        self.kayran.failure, self.kayran.applies = None, True
        return self.ledger.changes[number - 1]


@pytest.fixture
def stage() -> Stage:
    """A story that has not begun."""
    return Stage()


def change(number: int, request: Request, before: Flags) -> Change:
    """What a record makes of a request."""
    return Change(
        id=number,
        account=ACCOUNT,
        number=number,
        form=request.form,
        asked_at=0.0,
        asker=request.asker,
        place=request.place,
        origin=request.origin,
        origin_change=request.origin_change,
        before=before,
        wanted=request.wanted,
    )


def some_change(*on: str, before: Flags = ALL_OFF, **more: object) -> Change:
    """A change, with whatever is to be different about it."""
    asked = Request(
        "form", Asker("T", "U", "admin"), Place("C"), Preferences.of(on), before, 0, Origin.FORM
    )
    return replace(change(1, asked, before), **more)  # type: ignore[arg-type]  # whatever it is


# May it be accepted?


def test_what_its_form_showed_stands(stage: Stage) -> None:
    """A form that shows what is true is accepted, with what is known as what was before."""
    stage.kayran.flags = Preferences.of(["mailStop"]).as_flags()
    shown = Flags.of({p: stage.kayran.flags[p] for p in REPORTED})

    change = stage.accepted("form-1", "mailPause", shown=shown)

    assert (change.number, change.before) == (1, shown)
    assert change.asks_for() == ("mailPause", "mailUnpause", "mailCompleted", "mailStop")


def test_somebody_has_changed_it_in_kayran(stage: Stage) -> None:
    """What Kayran reports otherwise than the form showed brings the form back, and saves nothing."""
    stage.kayran.flags = Preferences.of(["mailStop"]).as_flags()

    result = stage.submit("form-1", "mailPause")

    assert isinstance(result, Overtaken)
    assert result.standing.flags["mailStop"] is True
    assert result.since == []
    assert stage.ledger.changes == []


def test_somebody_has_saved_something_else(stage: Stage) -> None:
    """A change that was accepted since and differs brings the form back, with that change."""
    theirs = stage.ended("mailCompleted")

    result = stage.submit("form-9", "mailPause")

    assert isinstance(result, Overtaken)
    assert result.since == [theirs]
    assert result.standing.flags["mailCompleted"] is True


def test_somebody_s_change_is_on_its_way(stage: Stage) -> None:
    """What was accepted counts before it has reached Kayran, whatever Kayran still says."""
    theirs = stage.accepted("form-1", "mailStop")

    result = stage.submit("form-2", "mailPause")

    assert isinstance(result, Overtaken)
    assert result.since == [theirs]
    assert result.standing.flags["mailStop"] is True


def test_who_saw_the_change_on_its_way_may_save(stage: Stage) -> None:
    """A form that showed what the change on its way sets stands, though Kayran does not say so yet."""
    theirs = stage.accepted("form-1", "mailStop")
    shown = theirs.leaves()

    mine = stage.accepted("form-2", "mailStop", "mailPause", shown=shown, based_on=theirs.number)

    assert mine.number == 2
    assert mine.before == shown


def test_somebody_has_saved_the_same(stage: Stage) -> None:
    """A change since that leaves what the form showed is no reason to come back."""
    stage.ended()

    assert stage.accepted("form-9", "mailPause").number == 2


@pytest.mark.parametrize("failure", [Refused("no"), NotSent(Obstacle.UNREACHABLE)])
def test_a_change_that_came_to_nothing_is_no_reason(stage: Stage, failure: Exception) -> None:
    """A refused or failed change in between brings nothing back."""
    stage.ended("mailStop", failure=failure)

    assert stage.accepted("form-9", "mailPause").number == 2


def test_a_change_that_may_have_taken_effect_is_a_reason(stage: Stage) -> None:
    """Nobody overwrites unseen what is not certain: the form comes back, once."""
    stage.kayran.is_silent = True
    unsure = stage.ended("mailCompleted", failure=NoClearAnswer(Obstacle.TIMED_OUT))

    result = stage.submit("form-8", "mailPause")

    assert unsure.outcome is Outcome.UNSURE
    assert isinstance(result, Overtaken)
    assert result.since == [unsure]
    assert stage.accepted("form-9", "mailPause", based_on=unsure.number).number == 2


def test_a_form_that_showed_what_then_was_refused_comes_back(stage: Stage) -> None:
    """What was on its way when the form was made, and did not arrive, is not true any more."""
    stage.ended()
    underway = stage.accepted("form-2", "mailCompleted", based_on=1)
    shown = underway.leaves()
    stage.kayran.failure, stage.kayran.applies = Refused("no"), False
    stage.changes.carry_out()

    result = stage.submit("form-3", "mailCompleted", "mailPause", shown=shown, based_on=2)

    assert isinstance(result, Overtaken)
    assert result.standing.flags["mailCompleted"] is False


def test_what_is_not_known_is_shown_not_ticked(stage: Stage) -> None:
    """A flag the form did not know, it showed as off: off is what it may turn out to be, on is not."""
    stage.kayran.reports = PARAMETERS
    unknown = Flags.of(dict.fromkeys(REPORTED, False))

    assert isinstance(stage.submit("form-1", "mailStop", shown=unknown), Recorded)
    stage.changes.carry_out()
    stage.kayran.flags = Preferences.of(["mailStop", "mailPause"]).as_flags()
    shown = Flags.of({p: p == "mailStop" for p in REPORTED})
    assert isinstance(stage.submit("form-2", shown=shown, based_on=1), Overtaken)


def test_kayran_being_silent_keeps_nobody_from_saving(stage: Stage) -> None:
    """Where Kayran says nothing the record alone decides, and what the form knew counts as before."""
    stage.kayran.is_silent = True
    shown = Flags.of({"mailDelete": False})

    assert stage.accepted("form-1", "mailStop", shown=shown).before == shown


def test_the_same_form_again_is_the_same_change(stage: Stage) -> None:
    """What was sent twice is one change, also when it would be out of date by now."""
    first = stage.accepted("form-1", "mailStop")

    again = stage.submit("form-1", "mailStop")

    assert again == Recorded(first, again=True)


def test_the_record_moved_while_kayran_was_asked(stage: Stage) -> None:
    """Who comes second at the same instant is looked at again, and gets the form back."""
    stage.ledger.meanwhile = lambda: stage.accepted("form-1", "mailStop")

    result = stage.submit("form-2", "mailPause")

    assert isinstance(result, Overtaken)
    assert [c.form for c in stage.ledger.changes] == ["form-1"]


def test_what_kayran_said_before_the_record_moved_is_no_news(stage: Stage) -> None:
    """An answer of Kayran's that is older than the record contradicts nobody."""
    underway = stage.accepted("form-1", "mailStop")
    stage.ledger.meanwhile = stage.changes.carry_out

    mine = stage.accepted("form-2", "mailStop", "mailPause", shown=underway.leaves(), based_on=1)

    assert mine.number == 2
    assert mine.before == underway.leaves()


flags = st.builds(
    lambda values: Flags(tuple(values)),
    st.lists(st.sampled_from([True, False, None]), min_size=9, max_size=9),
)
newest = st.none() | st.builds(
    lambda wanted, before, found, outcome: replace(
        some_change(), wanted=wanted.ticks(), before=before, found=found, outcome=outcome
    ),
    flags,
    flags,
    flags,
    st.sampled_from(COUNTING),
)


@given(shown=flags, reported=flags, newest=newest, based_on=st.sampled_from([0, 1]))
def test_nobody_saves_over_what_they_did_not_see(
    shown: Flags, reported: Flags, newest: Change | None, based_on: int
) -> None:
    """Whatever is known, what is accepted was shown as it is; and a form that was just made stands."""
    standing = Standing(Outlook(newest), Reading(reported))

    if not standing.contradicts(shown, based_on):
        seen = standing.reported
        if newest is not None and based_on != newest.number:
            seen = standing.flags
        assert all(value in (None, bool(shown[p])) for p, value in seen)
    assert not standing.contradicts(standing.flags, standing.outlook.number)


# Carrying it out


def test_kayran_takes_it(stage: Stage) -> None:
    """All nine are sent, what Kayran shows afterwards is noted, and there is something to tell."""
    change = stage.ended("mailStop", "mailCompleted")

    assert stage.kayran.sent == [Preferences.of(["mailStop", "mailCompleted"])]
    assert (change.outcome, change.reason) == (Outcome.APPLIED, None)
    assert change.found == Flags.of({p: p == "mailStop" for p in REPORTED})
    assert stage.told == [change.id]


def test_kayran_takes_it_and_says_no_more(stage: Stage) -> None:
    """Where reading back brings nothing, it is applied all the same: Kayran said so."""
    stage.kayran.is_silent = True

    change = stage.ended("mailStop")

    assert (change.outcome, change.found) == (Outcome.APPLIED, Flags.unknown())


@pytest.mark.parametrize(
    ("failure", "outcome", "reason"),
    [
        (Refused("Not valid token"), Outcome.REFUSED, "Not valid token"),
        (NotSent(Obstacle.UNTRUSTED), Outcome.FAILED, "untrusted"),
        (NoClearAnswer(Obstacle.DROPPED), Outcome.UNSURE, "dropped"),
    ],
)
def test_kayran_does_not_take_it(
    stage: Stage, failure: KayranError, outcome: Outcome, reason: str
) -> None:
    """The first try tells a no, nothing sent, and no clear answer apart, each with its reason."""
    change = stage.ended("mailStop", failure=failure)

    assert (change.outcome, change.reason) == (outcome, reason)
    assert stage.told == [change.id]


def test_reading_back_settles_what_was_not_clear(stage: Stage) -> None:
    """A flag that is seen to have changed shows that all nine were taken."""
    stage.accepted("form-1", "mailStop", "mailCompleted")
    stage.kayran.failure = NoClearAnswer(Obstacle.DROPPED)

    stage.changes.carry_out()

    (change,) = stage.ledger.changes
    assert (change.outcome, change.reason) == (Outcome.APPLIED, "dropped")


def test_reading_back_what_was_so_before_settles_nothing(stage: Stage) -> None:
    """Where no reported flag was to change, what Kayran reports proves nothing."""
    change = stage.ended("mailCompleted", failure=NoClearAnswer(Obstacle.DROPPED))

    assert change.outcome is Outcome.UNSURE
    assert change.found == Flags.of(dict.fromkeys(REPORTED, False))


def test_reading_back_something_else_settles_nothing(stage: Stage) -> None:
    """A flag that is as it was sent proves nothing while another is not."""
    stage.accepted("form-1", "mailStop", "mailDelete")
    stage.kayran.failure, stage.kayran.applies = NoClearAnswer(Obstacle.DROPPED), False
    stage.kayran.flags = Preferences.of(["mailStop"]).as_flags()

    stage.changes.carry_out()

    assert stage.ledger.changes[0].outcome is Outcome.UNSURE


@pytest.mark.parametrize("failure", [NotSent(Obstacle.UNREACHABLE), Refused("Not valid token")])
@pytest.mark.parametrize(("earlier", "outcome"), [(True, Outcome.APPLIED), (False, Outcome.UNSURE)])
def test_a_try_after_one_that_was_cut_short(
    stage: Stage, failure: KayranError, earlier: bool, outcome: Outcome
) -> None:
    """It never says that nothing was changed: the earlier try may have been applied, and may show."""
    change = stage.accepted("form-1", "mailStop")
    stage.ledger.put(replace(change, tries=1))
    stage.kayran.failure, stage.kayran.applies = failure, False
    if earlier:
        stage.kayran.flags = change.wanted.as_flags()

    stage.changes.carry_out()

    assert stage.ledger.changes[0].outcome is outcome


def test_what_nobody_foresaw_leaves_it_not_certain(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of our own ends the change, so that it is not sent for ever, and is in the log."""
    with caplog.at_level(logging.ERROR):
        change = stage.ended("mailStop", failure=ZeroDivisionError("nobody foresaw it"))

    assert (change.outcome, change.reason) == (Outcome.UNSURE, Obstacle.UNFORESEEN.value)
    assert "nobody foresaw it" in caplog.text
    assert stage.told == [change.id]


def test_what_is_left_of_another_key_is_closed(stage: Stage) -> None:
    """Nothing is sent with a key it was not meant for: never sent has failed, else nobody knows."""
    stage.accepted("form-1", "mailStop")
    stage.changes.give_up("another")
    sent = stage.accepted("form-2", "mailStop")
    stage.ledger.put(replace(sent, tries=1))
    stage.changes.give_up("another")

    assert [c.outcome for c in stage.ledger.changes] == [Outcome.FAILED, Outcome.UNSURE]
    assert {c.reason for c in stage.ledger.changes} == {Obstacle.OTHER_KEY.value}
    assert stage.kayran.sent == []
    assert stage.told == [1, 2]


def test_who_is_to_stop_takes_nothing_up(stage: Stage) -> None:
    """What is open stays on record when the process is about to end."""
    stage.accepted("form-1", "mailStop")
    stage.changes.stop()

    stage.changes.carry_out()

    assert stage.kayran.sent == []
    assert stage.ledger.changes[0].outcome is None


def test_all_that_is_open_is_carried_out(stage: Stage) -> None:
    """One after the other until nothing is left, also what was accepted in between."""
    first = stage.accepted("form-1", "mailStop")
    kayran = stage.kayran

    def accept_another() -> None:
        stage.accepted("form-2", "mailPause", shown=first.leaves(), based_on=1)

    @dataclass
    class Meanwhile:
        def update_mail_notify(self, preferences: Preferences) -> None:
            kayran.update_mail_notify(preferences)
            if len(kayran.sent) == 1:
                accept_another()

        def get_user_profile(self, within: float) -> Profile:
            return kayran.get_user_profile(within)

    Changes(stage.ledger, Meanwhile(), ACCOUNT, stage.told.append).carry_out()

    assert [c.outcome for c in stage.ledger.changes] == [Outcome.APPLIED, Outcome.APPLIED]
    assert kayran.sent == [first.wanted, Preferences.of(["mailPause"])]
    assert stage.told == [1, 2]


def test_what_was_overtaken_is_told_before_anything_is_sent(stage: Stage) -> None:
    """Whoever asked for a change that is superseded need not wait for the newer one to end."""
    first = stage.accepted("form-1", "mailStop")
    stage.accepted("form-2", "mailPause", shown=first.leaves(), based_on=1)
    stage.kayran.failure = KeyboardInterrupt()  # type: ignore[assignment]  # it ends here
    with pytest.raises(KeyboardInterrupt):
        stage.changes.carry_out()

    assert stage.told == [first.id]


def test_where_another_has_the_lease_nothing_is_done(stage: Stage) -> None:
    """What somebody else is carrying out is left to them."""
    stage.accepted("form-1", "mailStop")
    stage.ledger.leased = True

    stage.changes.carry_out()

    assert stage.kayran.sent == []


def test_a_claim_that_took_too_long_is_not_used(stage: Stage) -> None:
    """A process that was held up while it claimed sends nothing: its lease may be another's by then."""
    stage.accepted("form-1", "mailStop")
    stage.times[:0] = [100.0, 100.0 + LATE_SECONDS + 0.1]

    stage.changes.carry_out()

    assert stage.kayran.sent == []
    assert stage.ledger.changes[0].outcome is None


def test_a_record_that_is_away_stops_it(stage: Stage) -> None:
    """Where how it ended can't be noted nothing is told; the change stays open for later."""

    class Away(Ledger):
        def close(self, claim: Claim, ending: Ending) -> None:  # noqa: ARG002 (the verb's)
            raise RecordsAway

    away = Away()
    away.changes = [some_change("mailStop")]
    with pytest.raises(RecordsAway):
        Changes(away, stage.kayran, ACCOUNT, stage.told.append).carry_out()

    assert stage.told == []
    assert away.changes[0].outcome is None


def test_how_it_ended_is_owed_to_the_record(stage: Stage) -> None:
    """What is known is noted when the record is back, and not found out by another call."""

    class Away(Ledger):
        away = True

        def close(self, claim: Claim, ending: Ending) -> None:
            if self.away:
                raise RecordsAway
            super().close(claim, ending)

    ledger = Away()
    ledger.changes = [some_change("mailStop")]
    changes = Changes(ledger, stage.kayran, ACCOUNT, stage.told.append)
    for owing in (changes.carry_out, changes.carry_out, changes.note_what_is_owed):
        with pytest.raises(RecordsAway):
            owing()
    ledger.away = False

    changes.note_what_is_owed()
    changes.carry_out()
    ledger.away = True
    changes.note_what_is_owed()

    assert ledger.changes[0].outcome is Outcome.APPLIED
    assert len(stage.kayran.sent) == 1


# What a change leaves behind


def test_an_applied_change_leaves_what_was_found_over_what_was_sent() -> None:
    """Where Kayran shows something else than it was sent, that is what is true."""
    change = some_change(
        "mailStop", "mailPause", outcome=Outcome.APPLIED, found=Flags.of({"mailStop": False})
    )

    assert change.leaves()["mailStop"] is False
    assert change.leaves()["mailPause"] is True
    assert change.leaves()["mailDelete"] is False


def test_an_unsure_change_leaves_unknown_what_it_was_to_change() -> None:
    """What it was to leave alone is as before; what it was to change is known only where found."""
    change = some_change(
        "mailStop", "mailPause", outcome=Outcome.UNSURE, found=Flags.of({"mailStop": True})
    )

    assert change.leaves()["mailStop"] is True
    assert change.leaves()["mailPause"] is None
    assert change.leaves()["mailDelete"] is False
    assert change.may_leave()["mailPause"] is True


def test_undoing_goes_back_to_what_the_form_showed() -> None:
    """What was not known before was shown not ticked, and that is what an undo sets."""
    before = Flags.of({"mailStop": True, "mailPause": None, "mailDelete": False})
    change = some_change("mailPause", "mailDelete", before=before)

    assert change.undone() == Preferences.of(["mailStop"])


@given(known=flags, found=flags, wanted=flags)
def test_undoing_what_was_applied_is_known_to_change_something_or_nothing(
    known: Flags, found: Flags, wanted: Flags
) -> None:
    """A change asks for what differs from before; where nothing does, undoing changes nothing."""
    change = replace(some_change(before=known, found=found), wanted=wanted.ticks())

    assert all(known[p] is not change.wanted[p] for p in change.asks_for())
    if not change.asks_for():
        assert change.undone() == change.wanted
