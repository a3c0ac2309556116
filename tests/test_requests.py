"""Requests: their rules, their form, and what the store keeps of them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.asking import OPEN_AT_MOST, TEXT_AT_MOST, Ask, Ending
from bot.change import Change, CurrentState, KayranReport, Outcome, RecordedState
from bot.changes import Result
from bot.errors import NoClearAnswer, Obstacle
from bot.history import print_history
from bot.notifications import Flags
from bot.slack import request_form
from bot.slack.form import UnreadableForm
from tests import samples
from tests.samples import ACCOUNT
from tests.store_rig import AT_FIRST, Clock, Process, started

WANTED = Flags.of({"mailStop": False, "mailAborted": True})
ASK = Ask(ACCOUNT, "", "U0MEMBER", "C0SCANS", None, WANTED, "Why not", "U0OWNER")
MET = Flags.of({"mailStop": False, "mailAborted": True, "mailQueue": True})
SET_HERE = samples.change("mailAborted", outcome=Outcome.APPLIED)
SILENT = NoClearAnswer(Obstacle.TIMED_OUT)


@pytest.mark.parametrize(
    ("newest", "report", "is_met"),
    [
        (None, KayranReport(MET), True),
        (None, KayranReport(Flags.of({"mailStop": False})), False),
        (None, KayranReport(Flags.of({"mailStop": True, "mailAborted": True})), False),
        (SET_HERE, KayranReport(), True),
        (SET_HERE, KayranReport(trouble=SILENT), False),
        (samples.change("mailAborted"), KayranReport(MET), False),
    ],
)
def test_when_a_request_is_met(newest: Change | None, report: KayranReport, is_met: bool) -> None:
    """When all of it is known to be so: asked of Kayran, and with nothing on its way."""
    assert ASK.is_met_by(CurrentState(RecordedState(newest), report)) is is_met


@pytest.mark.parametrize(
    ("on", "otherwise"),
    [
        (["mailAborted"], {}),
        ([], {"mailAborted": False}),
        (["mailAborted", "mailStop"], {"mailStop": True}),
        (["mailAborted", "mailQueue"], {"mailQueue": True}),
    ],
)
def test_what_is_not_as_asked(on: list[str], otherwise: dict[str, bool]) -> None:
    """What was asked for and is set otherwise, and what was set without being asked for."""
    assert ASK.not_as_asked(samples.change(*on)) == otherwise


def accounts(mailbox: str = "") -> Any:
    """The accounts as the form needs them."""
    return {ACCOUNT: SimpleNamespace(mailbox=mailbox), "other": SimpleNamespace(mailbox="dev")}


def submitted(ask: Ask, **chosen: Any) -> dict[str, Any]:
    """What Slack sends of a form as it was built, with other inputs where given."""
    view = request_form.build(ask, "Top", {ACCOUNT: "default", "other": "dev"}).to_dict()
    name = json.loads(view["private_metadata"])["form"]
    held = {
        "on": {"selected_options": [{"value": p} for p, v in ask.wanted if v]},
        "off": {"selected_options": [{"value": p} for p, v in ask.wanted if v is False]},
        "why": {"value": ask.why or None},
        "notify": {"selected_user": ask.notify},
        "mailbox": {"selected_option": {"value": "other"}},
        **chosen,
    }
    values = {f"{each}.{name}": {"made-up": state} for each, state in held.items()}
    return {"user": {"id": ask.user}, "view": {**view, "state": {"values": values}}}


def test_what_is_sent_is_what_was_chosen() -> None:
    """The form takes a request there and back, and the mailbox is the one chosen in it."""
    ask, errors = request_form.parse(submitted(ASK), accounts())

    assert (ask, errors) == (replace(ASK, account="other", mailbox="dev"), {})


def test_what_is_filled_in_already() -> None:
    """What somebody typed after the command, or the form that comes back, is chosen in it."""
    view = request_form.build(ASK, "Top", {ACCOUNT: "default", "other": "dev"}).to_dict()
    on, off, why, notify, mailbox = (block["element"] for block in view["blocks"][1:])

    assert [o["value"] for o in on["initial_options"]] == ["mailAborted"]
    assert [o["value"] for o in off["initial_options"]] == ["mailStop"]
    assert (why["initial_value"], notify["initial_user"]) == ("Why not", "U0OWNER")
    assert mailbox["initial_option"] in mailbox["options"]
    assert [block["optional"] for block in view["blocks"][1:]] == [True, True, True, True, False]


@pytest.mark.parametrize(
    "chosen",
    [
        {"on": {"selected_options": [{"value": "mailTenth"}]}},
        {"on": None},
        {"mailbox": {"selected_option": {"value": "a-third"}}},
        {"channel": {"selected_conversation": "everywhere"}},
        {"why": {"value": 1}},
    ],
)
def test_what_no_form_of_ours_sends(chosen: dict[str, Any]) -> None:
    """It is no form of this release."""
    with pytest.raises(UnreadableForm):
        request_form.parse(submitted(ASK, **chosen), accounts())


def test_why_is_one_short_line() -> None:
    """Whatever is sent: controls and half surrogates too, which a database would not take."""
    body = submitted(ASK, why={"value": "a\0b\ud800c\nd" + "e" * 400})

    ask, _ = request_form.parse(body, accounts())

    assert ask.why == "a b c d" + "e" * (TEXT_AT_MOST - 7)


@pytest.fixture
def here(database_url: str) -> Iterator[Process]:
    """A process on an empty database."""
    with started(database_url, Clock()) as one:
        yield one


def asked(here: Process) -> Ask:
    """A request on record."""
    recorded = here.requests.ask(ASK)
    assert recorded is not None
    return recorded


def test_it_is_kept_as_it_was_asked(here: Process) -> None:
    """With its id and the time, then with its message and who ended it, once."""
    ask = asked(here)
    here.requests.delivered(ask.id, "1.000001")
    declined = here.requests.end(ask.id, Ending.DECLINED, "U0ADMIN", "No")

    assert ask == replace(ASK, id=1, asked_at=AT_FIRST)
    assert declined == here.requests.request(1)
    ended: dict[str, Any] = {"ending": Ending.DECLINED, "decided_by": "U0ADMIN", "remark": "No"}
    assert declined == replace(ask, message_ts="1.000001", **ended)
    assert here.requests.end(ask.id, Ending.WITHDRAWN, "U0MEMBER") is None
    assert here.requests.request(1) == declined
    assert here.requests.request(2) is None


def test_three_are_open_at_most_where_many_are_asked_at_once(here: Process) -> None:
    """Each counts those before it."""
    here.accepted()
    with ThreadPoolExecutor(6) as people:
        for person in ("U0FIRST", "U0SECOND", "U0THIRD", "U0FOURTH"):
            at_once = list(people.map(here.requests.ask, [replace(ASK, user=person)] * 6))

            assert len([ask for ask in at_once if ask]) == OPEN_AT_MOST


def test_a_change_grants_it_once(here: Process) -> None:
    """The change that is accepted first closes it; another one is nobody's."""
    ask = asked(here)
    first = here.accepted("first", request_id=ask.id)
    second = here.accepted("second", request_id=ask.id, user="U0OWNER")
    granted = here.requests.request(ask.id)

    assert (first.request_id, second.request_id) == (ask.id, None)
    assert granted is not None
    assert (granted.ending, granted.decided_by) == (Ending.GRANTED, "U0ADMIN")


@pytest.mark.parametrize("outcome", Outcome)
def test_a_change_that_comes_to_nothing_opens_it_again(here: Process, outcome: Outcome) -> None:
    """Where it is certain; what may have taken effect has used the request."""
    ask = asked(here)
    here.accepted(request_id=ask.id)
    if outcome is Outcome.SUPERSEDED:
        here.accepted("another")
        here.claimed()
    else:
        here.store.close(here.claimed(), Result(outcome))
    nothing = outcome not in (Outcome.APPLIED, Outcome.UNSURE)

    assert (here.requests.request(ask.id) == ask) is nothing
    assert bool(here.requests.open_requests()) is nothing


def test_the_history_tells_of_it(here: Process, database_url: str) -> None:
    """With who asked, for what, and who decided."""
    here.requests.end(asked(here).id, Ending.DECLINED, "U0ADMIN")
    asked(here)
    lines, table = io.StringIO(), io.StringIO()
    print_history(database_url, 0.0, None, True, lines)
    print_history(database_url, 0.0, None, False, table)
    first, second = (json.loads(line) for line in lines.getvalue().splitlines())

    assert (first["kind"], first["number"], first["outcome"]) == ("request", 1, "declined")
    assert (first["user_id"], first["decided_by"]) == ("U0MEMBER", "U0ADMIN")
    assert first["wanted"] == dict(WANTED)
    assert (second["number"], second["outcome"]) == (2, None)
    assert "Stop ? > off, Aborted ? > on; declined by U0ADMIN\n" in table.getvalue()
    assert "Stop ? > off, Aborted ? > on; open\n" in table.getvalue()
