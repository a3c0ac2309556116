"""Changes and the outbox: the same promises, held against SQLite and PostgreSQL by the same tests."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.change import Change, Denial, Origin, Outcome
from bot.changes import Accepted, Result
from bot.errors import StoreUnavailable
from bot.notifications import PARAMETERS, Flags
from bot.store.outbox import GIVEN_UP_SECONDS, PAUSES_SECONDS
from tests.samples import ACCOUNT, ALL_OFF, request
from tests.store_rig import AT_FIRST, LEASES, NOTHING_YET, Clock, Process, execute, select, started


@pytest.fixture
def clock() -> Clock:
    """The time, which a test lets pass."""
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that nothing is on record in, once of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    url: str = request.getfixturevalue("kept_postgres_url")
    with started(url):
        pass
    execute(url, "TRUNCATE accounts, changes, denials RESTART IDENTITY")
    return url


@pytest.fixture
def here(database_url: str, clock: Clock) -> Iterator[Process]:
    """A process on an empty database."""
    with started(database_url, clock) as one:
        yield one


@pytest.fixture
def other(database_url: str, clock: Clock, here: Process) -> Iterator[Process]:
    """Another process on the same database."""
    with started(database_url, clock) as another:
        yield another


# What is known of an account


def test_the_newest_change_on_its_way_counts(here: Process) -> None:
    """What was accepted last is the newest, before anything became of it; at first there is nothing."""
    assert here.store.recorded_state(ACCOUNT, "form-1") == NOTHING_YET
    first, second = here.accepted("form-1"), here.accepted("form-2", "mailStop")

    state = here.store.recorded_state(ACCOUNT, "form-1")

    assert (state.newest, state.same_request, state.underway) == (second, first, True)


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (Outcome.APPLIED, True),
        (Outcome.UNSURE, True),
        (Outcome.REFUSED, False),
        (Outcome.FAILED, False),
    ],
)
def test_only_what_may_have_set_something_counts(
    here: Process, outcome: Outcome, counts: bool
) -> None:
    """A change that was refused or failed leaves the one before it the newest."""
    first, second = here.closed("form-1"), here.closed("form-2", outcome)

    assert here.store.recorded_state(ACCOUNT).newest == (second if counts else first)


def test_each_account_has_numbers_and_a_lease_of_its_own(here: Process) -> None:
    """What is on record of one account, or hangs there, is nothing to another."""
    here.accepted("form-1")
    here.claimed()

    recorded = here.store.accept("another", request("form-2"), ALL_OFF, NOTHING_YET)

    assert recorded is not None
    assert recorded.change.number == 1
    assert here.store.claim("another") is not None
    assert set(here.store.open_accounts()) == {ACCOUNT, "another"}
    assert here.store.recorded_state("a third").newest is None


def test_since_brings_what_counts_oldest_first(here: Process) -> None:
    """Newer changes that counted, and no more than the latest five."""
    here.closed("form-1")
    applied = here.closed("form-2")
    here.closed("form-3", Outcome.REFUSED)
    unsure = here.closed("form-4", Outcome.UNSURE)
    assert list(here.store.since(ACCOUNT, 1)) == [applied, unsure]

    underway = [here.accepted(f"form-{n}") for n in (5, 6, 7, 8)]

    assert list(here.store.since(ACCOUNT, 1)) == [unsure, *underway]
    assert list(here.store.since(ACCOUNT, 5)) == underway[1:]


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.FAILED, Outcome.UNSURE])
def test_since_brings_a_basis_that_was_not_applied(here: Process, outcome: Outcome) -> None:
    """A form may have shown a change on its way that was then refused: its reader has to know."""
    here.closed("form-1")
    refused = here.closed("form-2", outcome)

    assert list(here.store.since(ACCOUNT, 2)) == [refused]
    assert list(here.store.since(ACCOUNT, 1))[:1] == (
        [refused] if outcome is Outcome.UNSURE else []
    )


# Accepting


def test_a_request_is_on_record_as_it_was_asked(here: Process, clock: Clock) -> None:
    """Everything about a request comes back, with what was known before and when."""
    first = here.closed("form-1")
    asked = request(
        "undo.1", "mailPause", *PARAMETERS[:2], thread="1.000100", origin_change=first.id
    )
    before = Flags.of({p: (True, False, None)[n % 3] for n, p in enumerate(PARAMETERS)})
    clock.forward(7)

    recorded = here.store.accept(ACCOUNT, asked, before, here.store.recorded_state(ACCOUNT))

    assert recorded is not None
    change = here.found(recorded.change.id)
    assert change == recorded.change
    for name in ("request_key", "team", "user", "role", "channel", "thread", "wanted", "origin"):
        assert getattr(change, name) == getattr(asked, name), name
    assert (change.number, change.before, change.origin_change) == (2, before, first.id)
    assert (change.asked_at, change.outcome, change.tries) == (AT_FIRST + 7, None, 0)


def test_nothing_is_accepted_when_the_account_has_moved_on(here: Process) -> None:
    """A newer change, or the end of the newest, turns a request away, and no number is used up."""
    here.accepted("form-1")
    before_it_ended = here.store.recorded_state(ACCOUNT)
    here.store.close(here.claimed(), Result(Outcome.APPLIED))

    for state in (NOTHING_YET, before_it_ended):
        assert here.store.accept(ACCOUNT, request("form-2"), ALL_OFF, state) is None
    assert here.accepted("form-3").number == 2


def test_a_request_that_can_not_be_recorded_uses_up_no_number(here: Process) -> None:
    """Number and row are one transaction: both are there, or neither is."""
    with pytest.raises(StoreUnavailable):
        here.store.accept(ACCOUNT, request("form-1", origin_change=4711), ALL_OFF, NOTHING_YET)

    assert here.accepted("form-2").number == 1


@pytest.mark.parametrize("key", ["the same", "each its own {}"])
def test_of_many_at_the_same_instant_one_is_recorded(
    here: Process, other: Process, key: str
) -> None:
    """Of requests that saw the same state one is recorded; the same request gets that one back."""
    here.closed("form-1")
    seen, together = here.store.recorded_state(ACCOUNT), threading.Barrier(8)

    def ask(number: int) -> Accepted | None:
        together.wait()
        process = other if number % 2 else here
        return process.store.accept(ACCOUNT, request(key.format(number)), ALL_OFF, seen)

    with ThreadPoolExecutor(8) as people:
        accepted = [outcome for outcome in people.map(ask, range(8)) if outcome]

    assert [outcome.again for outcome in accepted].count(False) == 1
    assert len(accepted) == (8 if key == "the same" else 1)
    assert {outcome.change.number for outcome in accepted} == {2}


def test_of_one_button_s_proposals_one_is_recorded(here: Process) -> None:
    """Whoever is later gets the change that the button has made already."""
    origin = here.closed("form-1")
    undo: dict[str, Any] = {"origin": Origin.UNDO, "origin_change": origin.id}
    first = here.accepted("form-2", **undo)

    second = here.store.accept(
        ACCOUNT, request("form-3", **undo), ALL_OFF, here.store.recorded_state(ACCOUNT)
    )

    assert second == Accepted(first, again=True)


# Claiming and closing


def test_a_claim_is_one_process_s_alone(here: Process, other: Process, clock: Clock) -> None:
    """Nobody else gets one until the lease has run out; then it counts as a new try."""
    assert here.store.claim(ACCOUNT) is None
    change = here.accepted()
    claim = here.claimed()
    here.accepted("form-2")

    assert (claim.change, claim.superseded) == (replace(change, tries=1), ())
    assert here.store.claim(ACCOUNT) is None
    clock.forward(LEASES.send - 0.1)
    assert other.store.claim(ACCOUNT) is None
    clock.forward(0.1)
    assert other.claimed().change == replace(change, tries=2)


def test_a_lease_from_the_future_is_none(here: Process, other: Process, clock: Clock) -> None:
    """Where the clock was set back, what a process left behind is taken up at once all the same."""
    here.accepted()
    here.claimed()
    here.outbox.claim_delivery(1)

    clock.forward(-3600)

    assert other.store.claim(ACCOUNT) is not None
    assert other.outbox.pending(9) == [1]
    assert other.outbox.claim_delivery(1) is not None


def test_what_was_never_sent_is_superseded_by_the_newest(here: Process) -> None:
    """Only the newest is sent; the others are closed, and that is to be reported."""
    first, second, third = (here.accepted(f"form-{n}") for n in (1, 2, 3))

    claim = here.claimed()

    assert (claim.change.id, claim.superseded) == (third.id, (first.id, second.id))
    for change in (first, second):
        ended = here.found(change.id)
        assert (ended.outcome, ended.superseded_by) == (Outcome.SUPERSEDED, 3)
        assert (ended.tries, ended.closed_at) == (0, AT_FIRST)
    assert {first.id, second.id} <= set(here.outbox.pending(9))


def test_what_may_have_been_sent_is_sent_again_before_anything_newer(
    here: Process, other: Process, clock: Clock
) -> None:
    """A try that was cut short comes first; what came between it and the newest is superseded."""
    first = here.accepted("form-1")
    here.claimed()
    second, third = here.accepted("form-2"), here.accepted("form-3")
    clock.forward(LEASES.send)

    again = other.claimed()
    other.store.close(again, Result(Outcome.APPLIED))
    then = other.claimed()

    assert (again.change.id, again.superseded) == (first.id, (second.id,))
    assert (then.change.id, then.superseded) == (third.id, ())


def test_how_a_change_ended_is_on_record(here: Process, clock: Clock) -> None:
    """The result is kept whole, the lease is free again, and there is something to report."""
    change = here.accepted()
    here.outbox.posted(change.id, parent_ts="1.000001")
    claim = here.claimed()
    shown = Flags.of({"mailStop": True, "mailQueue": False})
    clock.forward(3)

    here.store.close(claim, Result(Outcome.UNSURE, "timed out", shown))

    change = here.found(change.id)
    assert (change.outcome, change.reason, change.found) == (Outcome.UNSURE, "timed out", shown)
    assert change.closed_at == AT_FIRST + 3
    assert here.outbox.pending(9) == [change.id]
    assert here.store.open_accounts() == []
    assert here.accepted("form-2").id == here.claimed().change.id


def test_who_has_lost_the_lease_closes_nothing(here: Process, other: Process, clock: Clock) -> None:
    """A stalled process's result is void, before the other one's and after."""
    here.accepted()
    stalled = here.claimed()
    clock.forward(LEASES.send)
    claim = other.claimed()

    here.store.close(stalled, Result(Outcome.FAILED, "unreachable"))
    assert here.found(1).outcome is None
    assert here.store.claim(ACCOUNT) is None
    other.store.close(claim, Result(Outcome.APPLIED))
    here.store.close(stalled, Result(Outcome.FAILED, "unreachable"))

    assert (here.found(1).outcome, here.found(1).reason) == (Outcome.APPLIED, None)


# The outbox


def test_a_delivery_is_one_process_s_alone(here: Process, other: Process, clock: Clock) -> None:
    """An accepted change is pending; the process that claims it keeps it for as long as the lease."""
    change = here.accepted()
    assert other.outbox.pending(9) == [change.id]

    claimed = other.outbox.claim_delivery(change.id)

    assert claimed == change
    clock.forward(LEASES.deliver - 0.1)
    assert (here.outbox.claim_delivery(change.id), here.outbox.pending(9)) == (None, [])
    clock.forward(0.1)
    assert here.outbox.pending(9) == [change.id]
    assert here.outbox.claim_delivery(change.id) is not None


def test_of_many_that_claim_a_delivery_at_once_one_gets_it(database_url: str) -> None:
    """What one process reports, no other reports beside it, whoever looked at the clock first."""
    with started(database_url) as one, started(database_url) as another:
        ids = [one.accepted(f"form-{number}").id for number in range(20)]
        together = threading.Barrier(8)

        def claim(number: int) -> list[int]:
            process, mine = (another if number % 2 else one), []
            for change_id in ids:
                together.wait()
                if process.outbox.claim_delivery(change_id) is not None:
                    mine.append(change_id)
            return mine

        with ThreadPoolExecutor(8) as threads:
            claims = list(threads.map(claim, range(8)))

    assert sorted(itertools.chain(*claims)) == ids


def test_after_its_parent_nothing_is_pending_until_it_has_ended(here: Process) -> None:
    """The message it hangs on is kept; the result is pending when there is one."""
    change = here.accepted()
    here.outbox.claim_delivery(change.id)

    posted = here.outbox.posted(change.id, parent_ts="1.000001")

    assert (posted.parent_ts, posted.post_error) == ("1.000001", None)
    assert here.outbox.claim_delivery(change.id) is None
    here.store.close(here.claimed(), Result(Outcome.APPLIED))
    assert here.outbox.claim_delivery(change.id) is not None


def test_each_step_renews_the_lease(here: Process, other: Process, clock: Clock) -> None:
    """Where the change has ended, the process that posts its parent and its reply stays at it."""
    change = here.closed()
    here.outbox.claim_delivery(change.id)
    elsewhere = {"reply_ts": "", "reply_channel": "D0", "post_error": "is_archived"}
    in_thread = {"reply_ts": "1.000002", "reply_channel": "C0SCANS"}
    errors = []
    for step in ({"parent_ts": "1.000001"}, in_thread, elsewhere):
        clock.forward(LEASES.deliver - 1)
        errors.append(here.outbox.posted(change.id, **step).post_error)
    clock.forward(LEASES.deliver - 1)

    assert other.outbox.claim_delivery(change.id) is None
    clock.forward(1)
    claimed = other.outbox.claim_delivery(change.id)
    assert claimed is not None
    assert (claimed.reply_ts, claimed.reply_channel) == ("", "D0")
    assert errors == [None, None, "is_archived"]


def test_what_is_delivered_is_pending_no_more(
    database_url: str, here: Process, clock: Clock
) -> None:
    """Nothing is pending any more, and the time is kept."""
    change = here.closed()
    here.outbox.claim_delivery(change.id)
    clock.forward(4)

    here.outbox.delivered(change.id)

    assert select(database_url, "SELECT delivered_at FROM changes") == [(AT_FIRST + 4,)]
    clock.forward(GIVEN_UP_SECONDS)
    assert here.outbox.pending(9) == []


def test_pauses_between_tries_grow(here: Process, clock: Clock) -> None:
    """Each is twice the one before, up to the longest; what Slack asks for is granted up to there."""
    change = here.accepted()
    first, longest = PAUSES_SECONDS
    pauses = []
    for _ in range(12):
        assert here.outbox.claim_delivery(change.id) is not None
        pause = here.outbox.postpone(change.id)
        assert pause is not None
        clock.forward(pause - 0.1)
        assert here.outbox.pending(9) == []
        clock.forward(0.1)
        pauses.append(pause)

    assert pauses[:4] == [first, 2 * first, 4 * first, 8 * first]
    assert (pauses[-1], pauses) == (longest, sorted(pauses))
    later = here.accepted("form-2")
    assert here.outbox.postpone(later.id, 77.0) == 77.0
    assert here.outbox.postpone(later.id, 9999.0) == longest


def test_a_pause_goes_on_when_the_change_ends(here: Process, clock: Clock) -> None:
    """Slack may have asked for it."""
    change = here.accepted()
    here.outbox.postpone(change.id, 77.0)

    here.store.close(here.claimed(), Result(Outcome.APPLIED))

    clock.forward(76.9)
    assert here.outbox.pending(9) == []
    clock.forward(0.1)
    assert here.outbox.pending(9) == [change.id]


def test_after_a_day_delivery_is_given_up(database_url: str, here: Process, clock: Clock) -> None:
    """The day begins anew with the result, and the record says when it was over."""
    change = here.accepted()
    clock.forward(GIVEN_UP_SECONDS + 1)
    assert here.outbox.postpone(change.id) is None
    assert here.outbox.pending(9) == []

    here.store.close(here.claimed(), Result(Outcome.APPLIED))
    assert here.outbox.pending(9) == [change.id]
    clock.forward(GIVEN_UP_SECONDS)
    assert here.outbox.postpone(change.id) is not None
    clock.forward(1)
    assert here.outbox.postpone(change.id) is None
    assert select(database_url, "SELECT given_up_at FROM changes") == [(clock.now,)]


def test_the_first_follow_up_of_a_change_is_found(here: Process) -> None:
    """A change knows the first one that its button made."""
    change = here.closed()
    assert here.store.follow_up(change.id) is None

    undo = here.accepted("undo.1", origin_change=change.id)
    here.accepted("form-2", origin_change=change.id)

    assert here.outbox.follow_up(change.id) == here.store.follow_up(change.id) == undo
    assert here.outbox.change(undo.id) == undo


# Looking back


def test_what_is_latest_comes_a_page_at_a_time(here: Process, clock: Clock) -> None:
    """Changes and denials in one order, newest first, each once."""
    for n in range(3):
        here.accepted(f"form-{n}")
        clock.forward(0.000001)
        here.store.deny(Denial("T0EXAMPLE", f"U{n}", None, "guest", "command", None))
        clock.forward(0.000001)

    pages = [here.store.latest(2)]
    while pages[-1]:
        pages.append(here.store.latest(2, before=pages[-1][-1].asked_at))

    found = [each for page in pages for each in page]
    assert [(type(each).__name__, each.id) for each in found] == [
        (kind, n) for n in (3, 2, 1) for kind in ("Denial", "Change")
    ]
    assert found == list(here.store.latest(9))


def test_what_is_latest_of_one_account(here: Process) -> None:
    """Another account's changes are left out; a denial is of none, and is not."""
    here.accepted("form-1")
    here.store.accept("another", request("form-2"), ALL_OFF, NOTHING_YET)
    here.store.deny(Denial("T0EXAMPLE", "U0MEMBER", "member", "role not allowed", "command", "C1"))

    found = here.store.latest(9, ACCOUNT)

    assert {each.account if isinstance(each, Change) else each.user for each in found} == {
        ACCOUNT,
        "U0MEMBER",
    }
    assert len(here.store.latest(9)) == 3
