"""The record: the same verbs, held against SQLite and PostgreSQL by the same tests."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bot.changes import Asker, Denial, Ending, Origin, Outcome, Place, Recorded
from bot.errors import RecordsAway
from bot.notifications import PARAMETERS, Flags, Preferences
from bot.records import PAUSES_SECONDS, TOLD_WITHIN_SECONDS, Leases, Records, connect
from tests.records_rig import (
    ACCOUNT,
    AT_FIRST,
    LEASES,
    NOTHING_YET,
    Clock,
    Line,
    accepted,
    claimed,
    closed,
    found,
    opened,
    request,
)

ALL_OFF = Preferences.of(()).as_flags()


@pytest.fixture
def clock() -> Clock:
    """The time, which a test lets pass."""
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that nothing is on record in, once of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    url: str = request.getfixturevalue("emptied_postgres_url")
    return url


@pytest.fixture
def emptied_postgres_url(kept_postgres_url: str) -> str:
    """PostgreSQL, with the tables there and empty."""
    with opened(kept_postgres_url) as records, records._engine.begin() as connection:
        tables = "accounts, changes, attempts, denials"
        connection.execute(sa.text(f"TRUNCATE {tables} RESTART IDENTITY"))
    return kept_postgres_url


@pytest.fixture
def records(database_url: str, clock: Clock) -> Iterator[Records]:
    """An empty record, as one process holds it."""
    with opened(database_url, clock, LEASES, "one") as one:
        yield one


@pytest.fixture
def others(database_url: str, clock: Clock, records: Records) -> Iterator[Records]:
    """The same record, as another process holds it."""
    with opened(database_url, clock, LEASES, "other") as other:
        yield other


# What is known of an account


def test_nothing_is_known_of_an_account_at_first(records: Records) -> None:
    """Where nothing was accepted, no change counts and the number is 0."""
    outlook = records.outlook(ACCOUNT, "form-1")

    assert (outlook.newest, outlook.same_form, outlook.number) == (None, None, 0)
    assert outlook.knows() == Flags.unknown()


def test_the_newest_change_on_its_way_counts(records: Records) -> None:
    """What was accepted last is the newest, before anything became of it."""
    accepted(records, "form-1")
    second = accepted(records, "form-2", "mailStop")

    outlook = records.outlook(ACCOUNT, "form-1")

    assert outlook.newest == second
    assert outlook.underway
    assert outlook.same_form is not None
    assert outlook.same_form.number == 1


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (Outcome.APPLIED, True),
        (Outcome.UNSURE, True),
        (Outcome.REFUSED, False),
        (Outcome.FAILED, False),
    ],
)
def test_what_can_have_set_nothing_does_not_count(
    records: Records, outcome: Outcome, counts: bool
) -> None:
    """A change that was refused or failed leaves the one before it the newest."""
    first = closed(records, "form-1")
    second = closed(records, "form-2", outcome=outcome)

    newest = records.outlook(ACCOUNT).newest

    assert newest is not None
    assert newest.id == (second.id if counts else first.id)


def test_another_account_is_another_story(records: Records) -> None:
    """What one account has on record, the other knows nothing of, its numbers included."""
    accepted(records, "form-1")

    recorded = records.accept("another", request("form-2"), Flags.unknown(), NOTHING_YET)

    assert recorded is not None
    assert recorded.change.number == 1
    assert records.outlook("a third").newest is None


# Accepting


def test_what_was_asked_is_on_record_as_it_was_asked(records: Records, clock: Clock) -> None:
    """Everything about a request comes back, with what was known before and when."""
    first = closed(records, "form-1", "mailStop")
    asked = request(
        "undo.1",
        "mailPause",
        "mailDelete",
        asker=Asker("T0OTHER", "U0OWNER", "primary_owner"),
        place=Place("C0LOBBY", "1700000000.000100", "sealed"),
        origin=Origin.UNDO,
        origin_change=first.id,
    )
    before = Flags.of({"mailStop": True, "mailPause": False})
    clock.forward(7)

    recorded = records.accept(ACCOUNT, asked, before, records.outlook(ACCOUNT))

    assert recorded is not None
    change = found(records, recorded.change.id)
    assert change == recorded.change
    assert change.number == 2
    assert (change.form, change.asker, change.place) == ("undo.1", asked.asker, asked.place)
    assert (change.wanted, change.before) == (asked.wanted, before)
    assert (change.origin, change.origin_change) == (Origin.UNDO, first.id)
    assert change.asked_at == AT_FIRST + 7
    assert (change.outcome, change.tries, change.parent_ts, change.reply_ts) == (
        None,
        0,
        None,
        None,
    )


def test_numbers_have_no_gap(records: Records, others: Records) -> None:
    """Each accepted change gets the next number, whichever process records it."""
    numbers = [
        accepted(r, f"form-{r is others}-{n}").number for n in range(3) for r in (records, others)
    ]

    assert numbers == [1, 2, 3, 4, 5, 6]


def test_the_same_form_is_one_change(records: Records, others: Records) -> None:
    """A form that was sent twice brings back its first change, and records nothing."""
    first = accepted(records, "form-1", "mailStop")
    accepted(records, "form-2")

    again = others.accept(ACCOUNT, request("form-1", "mailStop"), Flags.unknown(), NOTHING_YET)

    assert again == Recorded(first, again=True)
    assert records.outlook(ACCOUNT).number == 2


def test_nothing_is_accepted_when_something_was_accepted_meanwhile(records: Records) -> None:
    """An account that has moved on since it was looked at takes nothing, and no number is used up."""
    outlook = records.outlook(ACCOUNT)
    accepted(records, "form-1")

    refused = records.accept(ACCOUNT, request("form-2"), Flags.unknown(), outlook)

    assert refused is None
    assert accepted(records, "form-3").number == 2


def test_nothing_is_accepted_when_the_newest_change_has_ended_meanwhile(records: Records) -> None:
    """How the newest change ended is part of what has to be the same still."""
    accepted(records, "form-1")
    outlook = records.outlook(ACCOUNT)
    records.close(claimed(records), Ending(Outcome.APPLIED))

    assert records.accept(ACCOUNT, request("form-2"), Flags.unknown(), outlook) is None


def test_a_request_that_can_not_be_recorded_uses_up_no_number(records: Records) -> None:
    """Number and row are one transaction: both are there, or neither is."""
    impossible = request("form-1", origin_change=4711)
    with pytest.raises(sa.exc.IntegrityError):
        records.accept(ACCOUNT, impossible, Flags.unknown(), NOTHING_YET)

    assert accepted(records, "form-2").number == 1


def test_of_two_at_the_same_instant_one_is_accepted(records: Records, others: Records) -> None:
    """Of many that saw the same and ask at once, one is recorded and the others are not."""
    together = threading.Barrier(8)

    def ask(number: int) -> Recorded | None:
        together.wait()
        process = others if number % 2 else records
        return process.accept(ACCOUNT, request(f"form-{number}"), ALL_OFF, NOTHING_YET)

    with ThreadPoolExecutor(8) as people:
        outcomes = list(people.map(ask, range(8)))

    assert sum(outcome is not None for outcome in outcomes) == 1
    assert records.outlook(ACCOUNT).number == 1


def test_the_same_form_at_the_same_instant_is_one_change(records: Records, others: Records) -> None:
    """However often a form is sent at once, it is one change, and everyone gets that one."""
    together = threading.Barrier(8)

    def send(number: int) -> Recorded | None:
        together.wait()
        process = others if number % 2 else records
        return process.accept(ACCOUNT, request("form-1"), ALL_OFF, NOTHING_YET)

    with ThreadPoolExecutor(8) as clicks:
        outcomes = list(clicks.map(send, range(8)))

    assert {outcome.change.number for outcome in outcomes if outcome} == {1}
    assert [outcome.again for outcome in outcomes if outcome].count(False) == 1
    assert None not in outcomes


# Taking a change up


def test_there_is_nothing_to_claim_at_first(records: Records) -> None:
    """An account with no open change has nothing to carry out."""
    assert records.claim(ACCOUNT) is None


def test_a_claim_is_one_process_s_alone(records: Records, others: Records) -> None:
    """While one has the lease nobody gets another claim, not even for a newer change."""
    change = accepted(records)

    claim = claimed(records)
    accepted(records, "form-2")

    assert claim.change == replace(change, tries=1)
    assert claim.superseded == ()
    assert others.claim(ACCOUNT) is None
    assert records.claim(ACCOUNT) is None


def test_a_lease_outlives_its_process_by_its_own_length(
    records: Records, others: Records, clock: Clock
) -> None:
    """When the lease has run out another process takes the change up, and it counts as a new try."""
    first = accepted(records)
    claimed(records)

    clock.forward(LEASES.send - 0.1)
    assert others.claim(ACCOUNT) is None
    clock.forward(0.1)
    taken_up = claimed(others)

    assert (taken_up.change.id, taken_up.change.tries) == (first.id, 2)
    assert records.claim(ACCOUNT) is None


def test_the_newest_change_overtakes_those_that_were_never_sent(records: Records) -> None:
    """Only the newest is sent; the others are closed as superseded by it, and have that to tell."""
    first, second, third = (accepted(records, f"form-{n}") for n in (1, 2, 3))
    for change in (first, second, third):
        records.announced(change.id, parent_ts="1.000001")

    claim = claimed(records)

    assert claim.change.id == third.id
    assert claim.superseded == (first.id, second.id)
    for change in (first, second):
        overtaken = found(records, change.id)
        assert (overtaken.outcome, overtaken.superseded_by) == (Outcome.SUPERSEDED, 3)
        assert (overtaken.tries, overtaken.closed_at) == (0, AT_FIRST)
    assert set(records.due(9)) == {first.id, second.id}


def test_what_may_have_been_sent_is_sent_again_before_anything_newer(
    records: Records, others: Records, clock: Clock
) -> None:
    """A try that was cut short comes first; what came between it and the newest is superseded."""
    first = accepted(records, "form-1")
    claimed(records)
    second, third = accepted(records, "form-2"), accepted(records, "form-3")
    clock.forward(LEASES.send)

    again = claimed(others)
    others.close(again, Ending(Outcome.APPLIED))
    then = claimed(others)

    assert (again.change.id, again.superseded) == (first.id, (second.id,))
    assert (then.change.id, then.superseded) == (third.id, ())
    assert found(records, second.id).superseded_by == 3


def test_each_account_has_a_lease_of_its_own(records: Records) -> None:
    """A call that hangs for one account holds up no other."""
    accepted(records)
    claimed(records)
    records.accept("another", request("form-2"), Flags.unknown(), NOTHING_YET)

    assert records.claim("another") is not None


def test_each_try_is_on_record(records: Records, others: Records, clock: Clock) -> None:
    """When a change was taken up, by whom, and how that ended, is kept for every try."""
    accepted(records)
    claimed(records)
    clock.forward(LEASES.send)
    claim = claimed(others)
    clock.forward(2)
    others.close(claim, Ending(Outcome.UNSURE))

    (entry,) = records.history()
    tries = [(t["holder"], t["started_at"], t["ended_at"], t["outcome"]) for t in entry.attempts]

    assert tries == [
        ("one", AT_FIRST, None, None),
        ("other", AT_FIRST + 30, AT_FIRST + 32, "unsure"),
    ]


# Closing it


def test_how_a_change_ended_is_on_record_and_due_to_be_told(records: Records, clock: Clock) -> None:
    """The ending is kept whole, the lease is free again, and there is something to tell."""
    change = accepted(records)
    records.announced(change.id, parent_ts="1.000001")
    claim = claimed(records)
    shown = Flags.of({"mailStop": True, "mailQueue": False})
    clock.forward(3)

    records.close(claim, Ending(Outcome.UNSURE, "timed out", shown))

    change = found(records, change.id)
    assert (change.outcome, change.reason, change.found) == (Outcome.UNSURE, "timed out", shown)
    assert change.closed_at == AT_FIRST + 3
    assert records.due(9) == [change.id]
    assert claimed_after(records).number == 2


def claimed_after(records: Records) -> Any:
    """The change that a process gets to claim next."""
    accepted(records, "form-next")
    return claimed(records).change


def test_a_lease_that_has_run_out_unnoticed_is_still_good_to_close_with(
    records: Records, clock: Clock
) -> None:
    """Where nobody has taken the change since, how a late try ended counts."""
    accepted(records)
    claim = claimed(records)
    clock.forward(LEASES.send + 5)

    records.close(claim, Ending(Outcome.APPLIED))

    assert found(records, claim.change.id).outcome is Outcome.APPLIED


def test_who_has_lost_the_lease_has_no_say(records: Records, others: Records, clock: Clock) -> None:
    """While another process may be sending the change, a stalled one's "nothing was sent" is void."""
    accepted(records)
    stalled = claimed(records)
    clock.forward(LEASES.send)
    taken_up = claimed(others)

    records.close(stalled, Ending(Outcome.FAILED, "unreachable"))
    meanwhile = found(records, stalled.change.id)
    held = records.claim(ACCOUNT)
    others.close(taken_up, Ending(Outcome.APPLIED))

    assert meanwhile.outcome is None
    assert held is None
    assert found(records, stalled.change.id).outcome is Outcome.APPLIED


def test_an_ending_is_never_overwritten(records: Records, others: Records, clock: Clock) -> None:
    """What the process that took a change over put on record stands, whatever the first says later."""
    accepted(records)
    stalled = claimed(records)
    clock.forward(LEASES.send)
    others.close(claimed(others), Ending(Outcome.APPLIED))

    records.close(stalled, Ending(Outcome.FAILED, "unreachable"))

    change = found(records, stalled.change.id)
    assert (change.outcome, change.reason) == (Outcome.APPLIED, None)


def test_any_reason_can_be_kept(records: Records) -> None:
    """What JSON can carry and a database can't, a NUL or half a character, keeps no change open."""
    accepted(records)

    records.close(claimed(records), Ending(Outcome.REFUSED, "No\x00 \ud83d way ✓"))

    change = found(records, 1)
    assert change.outcome is Outcome.REFUSED
    assert change.reason == "No\N{REPLACEMENT CHARACTER} ? way ✓"


def test_closing_and_claiming_at_once_never_lock_each_other_out(
    database_url: str, records: Records
) -> None:
    """Processes whose leases run out all the time still take the locks in one order."""
    with contextlib.ExitStack() as processes:
        many = [
            processes.enter_context(opened(database_url, None, Leases(0, 0), f"process {n}"))
            for n in range(4)
        ]
        accepted(records)

        def fight(process: Records) -> None:
            for _ in range(25):
                claim = process.claim(ACCOUNT)
                if claim is not None:
                    process.close(claim, Ending(Outcome.UNSURE))
                with contextlib.suppress(AssertionError):
                    accepted(process, f"{process} {time.monotonic_ns()}")

        with ThreadPoolExecutor(4) as threads:
            fights = [threads.submit(fight, process) for process in many]

        assert [fought.exception() for fought in fights] == [None] * 4


# What happened since


def test_what_counts_since_a_number_oldest_first(records: Records) -> None:
    """Newer changes that counted, without those that came to nothing."""
    closed(records, "form-1")
    applied = closed(records, "form-2")
    closed(records, "form-3", outcome=Outcome.REFUSED)
    unsure = closed(records, "form-4", outcome=Outcome.UNSURE)
    underway = accepted(records, "form-5")

    since = records.since(ACCOUNT, 1)

    assert [change.id for change in since] == [applied.id, unsure.id, underway.id]


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.FAILED, Outcome.UNSURE])
def test_a_basis_that_was_not_applied_is_part_of_what_happened(
    records: Records, outcome: Outcome
) -> None:
    """A form may have shown a change on its way that was then refused: that is news to its reader."""
    closed(records, "form-1")
    refused = closed(records, "form-2", outcome=outcome)

    assert [change.id for change in records.since(ACCOUNT, 2)] == [refused.id]
    assert records.since(ACCOUNT, 3) == []


def test_only_the_latest_few_are_told_of(records: Records) -> None:
    """After a long absence the latest five say enough."""
    changes = [accepted(records, f"form-{n}") for n in range(8)]

    assert [c.number for c in records.since(ACCOUNT, 0)] == [c.number for c in changes[-5:]]


# Telling it in Slack


def test_an_accepted_change_is_due_to_be_announced(records: Records, others: Records) -> None:
    """Whoever comes by finds it, and one of them gets the right to tell it."""
    change = accepted(records)

    assert others.due(9) == [change.id]
    due = others.claim_telling(change.id)

    assert due is not None
    assert (due.change, due.used_by) == (change, None)
    assert records.claim_telling(change.id) is None
    assert records.due(9) == []


def test_the_right_to_tell_outlives_its_process_by_its_own_length(
    records: Records, others: Records, clock: Clock
) -> None:
    """When the lease has run out, another process finds the change due and gets it."""
    change = accepted(records)
    records.claim_telling(change.id)

    clock.forward(LEASES.tell - 0.1)
    assert others.claim_telling(change.id) is None
    clock.forward(0.1)

    assert others.due(9) == [change.id]
    assert others.claim_telling(change.id) is not None


def test_once_announced_nothing_is_due_until_it_has_ended(records: Records) -> None:
    """The thread hangs where it is noted; the result is due when there is one."""
    change = accepted(records)
    records.claim_telling(change.id)

    announced = records.announced(change.id, parent_ts="1.000001")

    assert (announced.parent_ts, announced.closed_to_us) == ("1.000001", None)
    assert records.due(9) == []
    assert records.claim_telling(change.id) is None
    records.close(claimed(records), Ending(Outcome.APPLIED))
    assert records.claim_telling(change.id) is not None


def test_who_announces_a_change_that_has_ended_goes_on_telling(
    records: Records, others: Records, clock: Clock
) -> None:
    """The lease is kept, and begins anew, for the steps that follow at once."""
    change = accepted(records)
    records.claim_telling(change.id)
    records.close(claimed(records), Ending(Outcome.APPLIED))
    clock.forward(LEASES.tell - 1)

    announced = records.announced(change.id, closed_to_us="not_in_channel")
    clock.forward(LEASES.tell - 1)

    assert (announced.outcome, announced.closed_to_us) == (Outcome.APPLIED, "not_in_channel")
    assert others.claim_telling(change.id) is None
    clock.forward(1)
    assert others.claim_telling(change.id) is not None


def test_where_the_result_was_told_is_noted(
    records: Records, others: Records, clock: Clock
) -> None:
    """The reply's place is kept and the lease begins anew: the parent message is still to follow."""
    change = closed(records)
    records.claim_telling(change.id)
    clock.forward(LEASES.tell - 1)

    records.replied(change.id, ts="1.000002", channel="D0APP", closed_to_us="is_archived")
    clock.forward(LEASES.tell - 1)

    change = found(records, change.id)
    assert (change.reply_ts, change.reply_channel) == ("1.000002", "D0APP")
    assert change.closed_to_us == "is_archived"
    assert others.claim_telling(change.id) is None


def test_a_reply_where_it_belongs_leaves_the_reason_alone(records: Records) -> None:
    """Only where the channel was closed is there a reason to note."""
    change = closed(records)

    records.replied(change.id, ts="1.000002", channel="C0SCANS")

    assert found(records, change.id).closed_to_us is None


def test_a_telling_can_be_let_go(records: Records, others: Records) -> None:
    """What is due stays due, and somebody else may tell it at once."""
    change = closed(records)
    records.claim_telling(change.id)

    records.let_go(change.id)

    assert others.due(9) == [change.id]
    assert others.claim_telling(change.id) is not None


def test_what_is_told_is_done(records: Records, clock: Clock) -> None:
    """Nothing is due any more, the time is kept, and the ``response_url`` is forgotten."""
    accepted(records, place=Place("C0SCANS", None, "sealed"))
    records.close(claimed(records), Ending(Outcome.APPLIED))
    records.claim_telling(1)
    clock.forward(4)

    records.told(1)

    (entry,) = records.history()
    assert entry.row["told_at"] == AT_FIRST + 4
    assert found(records, 1).place == Place("C0SCANS", None, None)
    clock.forward(TOLD_WITHIN_SECONDS)
    assert records.due(9) == []


def test_a_report_that_can_not_be_delivered_is_tried_after_growing_pauses(
    records: Records, clock: Clock
) -> None:
    """Each pause is twice the one before, up to the longest."""
    change = accepted(records)
    first, longest = PAUSES_SECONDS
    pauses = []
    for _ in range(12):
        assert records.claim_telling(change.id) is not None
        pause = records.put_off(change.id)
        assert pause is not None
        clock.forward(pause - 0.1)
        assert records.due(9) == []
        clock.forward(0.1)
        pauses.append(pause)

    assert pauses[:4] == [first, 2 * first, 4 * first, 8 * first]
    assert pauses[-1] == longest
    assert pauses == sorted(pauses)


def test_slack_s_own_wish_for_a_pause_is_granted(records: Records) -> None:
    """Where Slack asks for a longer pause than would be made, it is made."""
    change = accepted(records)

    assert records.put_off(change.id, 77.0) == 77.0


def test_after_a_day_it_is_given_up_on_record(records: Records, clock: Clock) -> None:
    """A result that could not be delivered for a day is due no more, and the record says so."""
    change = closed(records)
    clock.forward(TOLD_WITHIN_SECONDS)
    still_tried = records.put_off(change.id)
    clock.forward(1)

    given_up = records.put_off(change.id)

    (entry,) = records.history()
    assert still_tried is not None
    assert given_up is None
    assert entry.row["given_up_at"] == AT_FIRST + TOLD_WITHIN_SECONDS + 1
    clock.forward(TOLD_WITHIN_SECONDS)
    assert records.due(9) == []


def test_the_day_begins_when_there_is_something_to_tell(records: Records, clock: Clock) -> None:
    """What ended only now is tried for a whole day from now."""
    change = accepted(records)
    clock.forward(TOLD_WITHIN_SECONDS + 1)
    records.close(claimed(records), Ending(Outcome.APPLIED))

    assert records.put_off(change.id) is not None


def test_what_was_given_up_as_an_announcement_is_due_again_when_it_has_ended(
    records: Records, clock: Clock
) -> None:
    """That a change is on its way may go untold; how it ended is tried all the same."""
    change = accepted(records)
    clock.forward(TOLD_WITHIN_SECONDS + 1)
    assert records.put_off(change.id) is None

    records.close(claimed(records), Ending(Outcome.APPLIED))

    assert records.due(9) == [change.id]


def test_only_so_many_are_handed_out_the_longest_due_first(records: Records, clock: Clock) -> None:
    """Whoever looks for what is due gets the oldest, and no more than asked for."""
    for number in range(4):
        accepted(records, f"form-{number}")
        clock.forward(1)

    assert records.due(3) == [1, 2, 3]


def test_whoever_used_a_button_is_found(records: Records) -> None:
    """A change knows the first one that its button made, and telling it brings that along."""
    change = closed(records)
    assert records.made_from(change.id) is None

    undo = accepted(records, "undo.1", origin=Origin.UNDO, origin_change=change.id)
    accepted(records, "form-2", origin=Origin.UNDO, origin_change=change.id)
    due = records.claim_telling(change.id)

    assert records.made_from(change.id) == undo
    assert due is not None
    assert due.used_by == undo


def test_accounts_with_something_open_are_found(records: Records) -> None:
    """Each account with an open change once, and none where everything has ended."""
    assert records.open_accounts() == []
    closed(records, "form-1")
    assert records.open_accounts() == []
    accepted(records, "form-2")
    accepted(records, "form-3")

    assert records.open_accounts() == [ACCOUNT]


# History


def test_history_tells_changes_and_denials_in_order(records: Records, clock: Clock) -> None:
    """Who was told no stands between the changes, in the order things were asked."""
    accepted(records, "form-1")
    clock.forward(1)
    records.deny(
        Denial("T0EXAMPLE", "U0MEMBER", "member", "role not allowed", "command", "C0SCANS")
    )
    clock.forward(1)
    accepted(records, "form-2")

    entries = list(records.history())

    assert [entry.table for entry in entries] == ["changes", "denials", "changes"]
    denial = {name: entries[1].row[name] for name in ("user_id", "role", "reason", "step")}
    assert denial == {
        "user_id": "U0MEMBER",
        "role": "member",
        "reason": "role not allowed",
        "step": "command",
    }


def test_history_can_be_cut(records: Records, clock: Clock) -> None:
    """From a moment on, or the latest few."""
    for number in range(5):
        accepted(records, f"form-{number}")
        clock.forward(10)

    assert [e.row["number"] for e in records.history(since=AT_FIRST + 20)] == [3, 4, 5]
    assert [e.row["number"] for e in records.history(limit=2)] == [4, 5]


def test_who_was_denied_may_be_nobody_known(records: Records) -> None:
    """A denial is kept also where Slack said neither who nor where."""
    records.deny(Denial(None, None, None, "no answer", "submit", None))

    (entry,) = records.history()

    assert entry.row["user_id"] is None


# Length


def test_no_verb_looks_through_all_of_history(records: Records, clock: Clock) -> None:
    """Whatever is asked while somebody waits is found by an index, however long the history is."""
    closed(records, "form-1")
    change = accepted(records, "form-2", "mailStop")
    asked: list[tuple[str, Any]] = []

    def remember(_connection: object, _cursor: object, sql: str, values: Any, *_: object) -> None:
        asked.append((sql, values))

    engine = records._engine
    sa.event.listen(engine, "before_cursor_execute", remember)
    for verb in VERBS.values():
        verb(records)
    clock.forward(LEASES.send)
    for number in (3, 4):
        accepted(records, f"form-{number}", origin=Origin.UNDO, origin_change=change.id)
    records.close(claimed(records), Ending(Outcome.APPLIED))
    sa.event.remove(engine, "before_cursor_execute", remember)

    found_by_hand = [sql for sql, values in asked if looks_at_every_row(engine, sql, values)]
    assert len(asked) > len(VERBS)
    assert found_by_hand == []


def looks_at_every_row(engine: sa.Engine, sql: str, values: Any) -> bool:
    """Whether the database has no index for it; the ones over open or due changes are short."""
    if not sql.startswith(("SELECT", "UPDATE")) or "accounts" in sql:
        # An account's row is one of a few.
        return False
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
            steps = [str(row[-1]) for row in plan]
            return any(s.startswith("SCAN") and "USING" not in s for s in steps)
        # Of tables as small as a test's, PostgreSQL would rather read everything.
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = connection.exec_driver_sql(f"EXPLAIN {sql}", values).all()
        return any("Seq Scan" in str(row[0]) for row in plan)


# Being away


VERBS: dict[str, Callable[[Records], object]] = {
    "outlook": lambda r: r.outlook(ACCOUNT, "form-1"),
    "change": lambda r: r.change(1),
    "made_from": lambda r: r.made_from(1),
    "since": lambda r: r.since(ACCOUNT, 0),
    "accept": lambda r: r.accept(ACCOUNT, request("form-9"), ALL_OFF, NOTHING_YET),
    "claim": lambda r: r.claim(ACCOUNT),
    "due": lambda r: r.due(9),
    "open_accounts": lambda r: r.open_accounts(),
    "claim_telling": lambda r: r.claim_telling(1),
    "announced": lambda r: r.announced(1, parent_ts="1.000001"),
    "replied": lambda r: r.replied(1, ts="1.000002", channel="C0SCANS"),
    "told": lambda r: r.told(1),
    "let_go": lambda r: r.let_go(1),
    "put_off": lambda r: r.put_off(1),
    "deny": lambda r: r.deny(Denial(None, None, None, "no answer", "submit", None)),
    "ping": lambda r: r.ping(),
}
WRITING = (
    "accept claim claim_telling announced replied told let_go put_off deny ping".split()  # noqa: SIM905 (a list of words)
)


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_is_of_use_before_the_record_is_ready(verb: str, tmp_path: Path) -> None:
    """Until the schema is known to be right, the record is away."""
    records = Records(connect(f"sqlite:///{tmp_path}/records.db"), "test")

    with pytest.raises(RecordsAway):
        VERBS[verb](records)


def test_a_server_that_is_gone_and_comes_back(postgres_url: str) -> None:
    """Cut off, every verb says so in time for a submit; afterwards all is as it was."""
    with (
        contextlib.closing(line_to(postgres_url)) as line,
        opened(through(line, postgres_url)) as records,
    ):
        change = accepted(records)

        line.cut()
        for verb in VERBS.values():
            began = time.monotonic()
            with pytest.raises(RecordsAway):
                verb(records)
            assert time.monotonic() - began < 2.9
        line.mend()

        assert found(records, change.id) == change
        assert records.claim(ACCOUNT) is not None


def test_a_line_that_was_cut_while_nobody_used_it(postgres_url: str) -> None:
    """A server that was started anew between two calls is nothing that anybody notices."""
    with (
        contextlib.closing(line_to(postgres_url)) as line,
        opened(through(line, postgres_url)) as records,
    ):
        change = accepted(records)

        line.cut()
        line.mend()

        assert found(records, change.id) == change


@pytest.mark.parametrize("verb", ["outlook", "accept", "ping"])
def test_a_server_that_stands_still_is_away(verb: str, postgres_url: str) -> None:
    """A line that is up, with nobody behind it, holds nobody up for longer than a submit has."""
    with (
        contextlib.closing(line_to(postgres_url)) as line,
        opened(through(line, postgres_url)) as records,
    ):
        records.ping()

        line.freeze()
        for _ in range(2):
            # The first has a line to be frozen, the second has to make one.
            began = time.monotonic()
            with pytest.raises(RecordsAway):
                VERBS[verb](records)
            assert time.monotonic() - began < 2.9
        line.mend()

        VERBS[verb](records)


def test_a_server_that_only_reads_is_away(postgres_url: str) -> None:
    """A database that takes nothing can't serve, and whoever asks after its health is told so."""
    with opened(postgres_url) as records:
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as server:
            name = server.info.dbname
            server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        records.close_connections()

        with pytest.raises(RecordsAway):
            records.ping()


@contextlib.contextmanager
def locked(tmp_path: Path) -> Iterator[None]:
    """Somebody else keeps the SQLite file's lock for writing."""
    with contextlib.closing(
        sqlite3.connect(tmp_path / "records.db", isolation_level=None)
    ) as somebody:
        somebody.execute("BEGIN EXCLUSIVE")
        yield
        somebody.execute("ROLLBACK")


def test_a_file_that_somebody_keeps_locked(tmp_path: Path) -> None:
    """What writes says so in time for a submit, however many wait; what reads goes on."""
    with opened(f"sqlite:///{tmp_path}/records.db") as records:
        change = accepted(records)

        def wait(verb: str) -> float:
            began = time.monotonic()
            with pytest.raises(RecordsAway):
                VERBS[verb](records)
            return time.monotonic() - began

        with locked(tmp_path):
            with ThreadPoolExecutor(len(WRITING)) as threads:
                waits = list(threads.map(wait, WRITING))
            assert found(records, change.id) == change
        assert max(waits) < 2.9
        assert records.claim(ACCOUNT) is not None


def test_a_folder_that_is_gone_and_comes_back(tmp_path: Path) -> None:
    """Without its folder the record is away; with it, all is as it was."""
    folder = tmp_path / "here"
    folder.mkdir()
    with opened(f"sqlite:///{folder}/records.db") as records:
        change = accepted(records)
        records.close_connections()

        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(RecordsAway):
            records.ping()
        (tmp_path / "elsewhere").rename(folder)

        assert found(records, change.id) == change


def test_what_is_away_says_nothing_of_what_was_asked(tmp_path: Path) -> None:
    """The statement and its values have no place in a log."""
    with opened(f"sqlite:///{tmp_path}/records.db") as records, locked(tmp_path):
        asked = request("form-1", place=Place("C0SCANS", None, "sealed-secret"))
        with pytest.raises(RecordsAway) as away:
            records.accept(ACCOUNT, asked, ALL_OFF, NOTHING_YET)

    assert str(away.value) == "OperationalError: database is locked"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////nowhere/at/all/records.db", "unable to open database file"),
        ("sqlite:///{folder}/no-database.db", "file is not a database"),
        ("postgresql+psycopg://me:pass-word@127.0.0.1:1/records", "Connection refused"),
    ],
)
def test_what_is_away_says_what_the_matter_is(tmp_path: Path, url: str, said: str) -> None:
    """A typing error in its address can be told from a server that is down; no password is told."""
    (tmp_path / "no-database.db").write_text("something else altogether, and long enough\n" * 50)
    records = Records(connect(url.format(folder=tmp_path)), "test")
    try:
        with pytest.raises(RecordsAway) as away:
            records.prepare()
    finally:
        records.close_connections()

    assert said in str(away.value)
    assert "\n" not in str(away.value)
    assert "pass-word" not in str(away.value)


def line_to(postgres_url: str) -> Line:
    """A line to PostgreSQL that can be cut."""
    url = sa.make_url(postgres_url)
    return Line(str(url.host), int(url.port or 5432))


def through(line: Line, postgres_url: str) -> str:
    """The same database, by way of the line."""
    url = sa.make_url(postgres_url).set(port=line.port)
    return url.render_as_string(hide_password=False)


def test_flags_of_all_kinds_come_back(records: Records) -> None:
    """On, off and not known are three things, for each of the nine."""
    before = Flags.of({p: (True, False, None)[n % 3] for n, p in enumerate(PARAMETERS)})
    outlook = records.outlook(ACCOUNT)

    recorded = records.accept(ACCOUNT, request("form-1", *PARAMETERS), before, outlook)

    assert recorded is not None
    assert found(records, recorded.change.id).before == before
    assert found(records, recorded.change.id).wanted == Preferences.of(PARAMETERS)
