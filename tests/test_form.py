"""The form: what is built of what is true, what Slack would say to it, and what is read back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.access import Reason
from bot.changes import Change, Conflict, CurrentState, KayranReport, Origin, Outcome, RecordedState
from bot.errors import NoClearAnswer, NotSent, Obstacle, Refused
from bot.notifications import PARAMETERS, Flags
from bot.sandbox import blocks
from bot.sandbox.modals import Modal
from bot.slack import form
from bot.slack.form import METADATA, Proposal, UnreadableForm
from bot.slack.payloads import Call
from tests import block_kit
from tests.odd_answers import NASTY_REASON
from tests.samples import ACCOUNT, ALL_OFF, FLAGS, change
from tests.standins import holders

FEWER = hypothesis_settings(max_examples=40)
"""For what takes a few milliseconds to draw and to build."""

NINE = {
    "When a scan starts": {
        "mailQueue": ("Queue", "A queued scan was started"),
        "mailSchedule": ("Schedule", "A scheduled scan was started"),
    },
    "While a scan runs": {
        "mailPause": ("Pause", "A scan was paused"),
        "mailUnpause": ("Unpause", "A paused scan was resumed"),
        "mailStatus": ("Status", "A scan had its status changed"),
    },
    "When a scan ends": {
        "mailCompleted": ("Completed", "A scan completed"),
        "mailStop": ("Stop", "A scan was stopped"),
        "mailAborted": ("Aborted", "A scan was aborted"),
        "mailDelete": ("Delete", "A scan was deleted"),
    },
}
"""What the form has to offer, written down once more: from Kayran's pages, not from the code."""

CALL = Call(
    user="U0ADMIN",
    team="T0EXAMPLE",
    channel="C0SCANS",
    thread="1700000000.000100",
    response_url="https://hooks.slack.com/commands/T0EXAMPLE/1/x",
)
TICKS = st.dictionaries(st.sampled_from(PARAMETERS), st.booleans())
CHANGES = st.builds(
    lambda wanted, **fields: change(user="U0OTHER", wanted=wanted.ticks(), **fields),
    wanted=FLAGS,
    before=FLAGS,
    found=FLAGS,
    outcome=st.sampled_from([None, *Outcome]),
    origin=st.sampled_from(Origin),
)
STATES = st.builds(
    CurrentState,
    recorded=st.builds(RecordedState, newest=st.none() | CHANGES),
    report=st.builds(
        KayranReport,
        flags=FLAGS,
        mailbox=st.none() | st.emails() | st.text(max_size=400),
        trouble=st.sampled_from(
            [
                None,
                Refused(NASTY_REASON),
                NotSent(Obstacle.UNREACHABLE),
                *map(NoClearAnswer, Obstacle),
            ]
        ),
    ),
)


def state(flags: Flags | dict[str, bool] | None = None, **report: Any) -> CurrentState:
    """Nothing on record, and Kayran reports these flags."""
    flags = flags if isinstance(flags, Flags) else Flags.of(flags or {})
    return CurrentState(RecordedState(None), KayranReport(flags, **report))


def built(current: CurrentState, call: Call = CALL) -> dict[str, Any]:
    """The form as it would go over the wire."""
    view: dict[str, Any] = json.loads(json.dumps(form.build(current, ACCOUNT, call).to_dict()))
    return view


def submitted(view: dict[str, Any], **ticks: bool) -> dict[str, Any]:
    """What Slack sends when the form is submitted, with these boxes ticked or unticked before."""
    modal = Modal("V1", "U0ADMIN", view, "1")
    for parameter, on in ticks.items():
        for block_id, action_id in holders(modal, parameter):
            held = {*blocks.values_of(modal.state[block_id][action_id]), parameter}
            modal.choose(block_id, action_id, [one for one in held if on or one != parameter])
    return {
        "type": "view_submission",
        "user": {"id": "U0ADMIN"},
        "team": {"id": "T0EXAMPLE"},
        "view": {**modal.view, "id": "V1", "state": {"values": modal.state}},
    }


def parsed(view: dict[str, Any], **ticks: bool) -> form.Submission:
    """The same, as it is read."""
    return form.parse(submitted(view, **ticks), ACCOUNT)


def inputs(view: dict[str, Any]) -> list[dict[str, Any]]:
    """The form's groups of checkboxes."""
    return [block for block in view["blocks"] if block["type"] == "input"]


def texts(view: dict[str, Any]) -> str:
    """What the form says, apart from its boxes."""
    return "\n".join(block_kit.texts([b for b in view["blocks"] if b["type"] != "input"]))


# What is built


def test_nine_boxes_in_three_groups() -> None:
    """Each stands where it belongs, named and described, its value the parameter; none need be ticked."""
    view = built(state(ALL_OFF))

    offered = {
        block["label"]["text"]: {
            option["value"]: (option["text"]["text"], option["description"]["text"])
            for option in block["element"]["options"]
        }
        for block in inputs(view)
    }
    assert offered == NINE
    assert [list(group) for group in offered.values()] == [list(g) for g in NINE.values()]
    assert all(block["optional"] is True for block in inputs(view))


@given(flags=FLAGS)
def test_the_ticks_are_what_is_known(flags: Flags) -> None:
    """A box is ticked when it is known to be on, and what is not known says so."""
    elements = [block["element"] for block in inputs(built(state(flags)))]

    ticked = {o["value"] for element in elements for o in element.get("initial_options", [])}
    assert ticked == {p for p, value in flags if value}
    for option in (o for element in elements for o in element["options"]):
        said = option["description"]["text"]
        assert said.endswith(" (not known now)") == (flags[option["value"]] is None)


@given(current=STATES)
def test_slack_takes_every_form(current: CurrentState) -> None:
    """It is within the limits, and nothing of Kayran's becomes a mention or a link."""
    view = built(current)

    assert block_kit.complaints("view", view) == []
    assert "<" not in texts(view).replace("<@U0OTHER>", "").replace("<!date^", "")


def test_no_two_forms_have_the_same_ids() -> None:
    """With the same block ids Slack would keep old ticks and ignore new ones."""
    ids = [block["block_id"] for _ in range(5) for block in inputs(built(state()))]

    assert len(set(ids)) == len(ids) == 15


@pytest.mark.parametrize(
    "view", [form.loading("x"), form.answer("Words."), form.refusal(Reason.GUEST, "No.")]
)
def test_a_form_without_boxes(view: Any) -> None:
    """What only says something can't be submitted, carries nothing, and is what Slack takes."""
    as_sent = view.to_dict()

    assert block_kit.complaints("view", as_sent) == []
    assert not {"submit", "private_metadata"} & as_sent.keys()


SET_HERE = change("mailStop", user="U0OTHER", number=3, outcome=Outcome.APPLIED)
ON_ITS_WAY = change("mailStop", user="U0OTHER", number=3)


@pytest.mark.parametrize(
    ("current", "said"),
    [
        (state(ALL_OFF), "The ticks show what Kayran has set now."),
        (state({"mailStop": True}), "Kayran has just reported Stop."),
        (state({"mailStop": True}), "Not known, and shown not ticked: Queue, Schedule, Pause,"),
        (
            CurrentState(RecordedState(SET_HERE), KayranReport(Flags.of({"mailStop": True}))),
            "as last set here by <@U0OTHER>, <!date^1700000000^",
        ),
        (
            state(trouble=NoClearAnswer(Obstacle.TIMED_OUT)),
            "could not be asked what is set now: Kayran did not answer in time.",
        ),
        (
            CurrentState(RecordedState(ON_ITS_WAY), KayranReport(ALL_OFF)),
            "Change 3 by <@U0OTHER> is on its way",
        ),
        (state(mailbox="security@example.com"), "*s…y@example.com*"),
    ],
)
def test_where_the_ticks_come_from(current: CurrentState, said: str) -> None:
    """Each source is named; and whose mailbox it is, masked."""
    view = built(current)

    assert said in texts(view)
    assert "security@" not in json.dumps(view)


# What is read back


@FEWER
@given(current=STATES, ticks=TICKS)
def test_what_is_ticked_is_what_is_asked_for(current: CurrentState, ticks: dict[str, bool]) -> None:
    """Every box is on or off as the person left it, and the form remembers what it was based on."""
    read = parsed(built(current), **ticks)

    assert (read.user, read.team) == ("U0ADMIN", "T0EXAMPLE")
    assert read.wanted == current.flags.ticks().with_(ticks)
    assert read.own_changes.keys() == {
        p for p, v in ticks.items() if v is not bool(current.flags[p])
    }
    basis = read.basis
    assert (basis.shown, basis.based_on) == (current.flags, current.recorded.number)
    assert (basis.account, basis.origin, basis.origin_change) == (ACCOUNT, Origin.FORM, None)
    assert (basis.channel, basis.thread, basis.response_url) == (
        CALL.channel,
        CALL.thread,
        CALL.response_url,
    )


def test_the_same_form_with_the_same_ticks_is_the_same_request() -> None:
    """Sent twice it has one key; with other ticks, or as another form, another."""
    view, other = built(state()), built(state())
    keys = [
        parsed(view, mailStop=True).request_key,
        parsed(view, mailStop=True).request_key,
        parsed(view).request_key,
        parsed(other, mailStop=True).request_key,
    ]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert all(len(key) <= 255 for key in keys)


def test_an_error_hangs_on_the_first_input() -> None:
    """Slack shows it there."""
    view = built(state())

    assert parsed(view).first_input == inputs(view)[0]["block_id"]


def test_a_response_url_that_is_too_long_is_left_out() -> None:
    """Slack takes so many characters; the form is worth more than the address."""
    long = "https://hooks.slack.com/commands/" + "x" * METADATA
    view = built(state(), Call("U0ADMIN", "T0EXAMPLE", "C0SCANS", response_url=long))

    assert len(view["private_metadata"]) <= METADATA
    assert parsed(view).basis.response_url is None
    assert parsed(view).basis.channel == "C0SCANS"


# What comes back, and what is proposed


@FEWER
@given(current=STATES, since=st.lists(CHANGES, max_size=5), ticks=TICKS)
def test_a_form_that_comes_back(
    current: CurrentState, since: list[Change], ticks: dict[str, bool]
) -> None:
    """It shows what is true now with the person's own ticks laid over it, under new ids, and fits."""
    first = built(state({"mailStop": True, "mailQueue": False}))
    sent = parsed(first, **ticks)

    view = form.build_again(sent, Conflict(current, since)).to_dict()

    assert block_kit.complaints("view", view) == []
    read = parsed(view)
    assert read.wanted == current.flags.ticks().with_(sent.own_changes)
    assert (read.basis.shown, read.basis.based_on) == (current.flags, current.recorded.number)
    assert read.basis.response_url == sent.basis.response_url
    assert {b["block_id"] for b in inputs(view)}.isdisjoint(b["block_id"] for b in inputs(first))


@pytest.mark.parametrize(
    ("before", "now", "outcome", "said"),
    [
        ({"mailStop": False}, {"mailStop": True}, Outcome.APPLIED, "_on_: Stop off → on"),
        ({"mailStop": False}, {}, None, "_on_, on its way: Stop off → on"),
        ({"mailStop": True}, {"mailStop": False}, Outcome.REFUSED, "_on_: did not take effect"),
        (
            {"mailStop": True},
            {"mailStop": False},
            Outcome.UNSURE,
            "_on_: not certain whether it took effect (Stop off → on)",
        ),
        # Edited away again in Kayran, or edited beside it.
        (
            {"mailStop": True},
            {"mailStop": False},
            Outcome.APPLIED,
            "• In Kayran itself: Stop on → off",
        ),
        (
            {"mailStop": False, "mailQueue": False},
            {"mailStop": True, "mailQueue": True},
            Outcome.APPLIED,
            "• In Kayran itself: Queue off → on",
        ),
    ],
)
def test_what_a_form_that_comes_back_says(
    before: dict[str, bool], now: dict[str, bool], outcome: Outcome | None, said: str
) -> None:
    """Whose change it was, when, and which box from what to what; or that it was in Kayran itself."""
    theirs = change("mailStop", user="U0OTHER", number=3, outcome=outcome)
    current = CurrentState(RecordedState(theirs), KayranReport(Flags.of(now)))

    told = texts(
        form.build_again(parsed(built(state(before))), Conflict(current, [theirs])).to_dict()
    )

    who = "• Change 3 by <@U0OTHER>, <!date^1700000000^{date_short_pretty} at {time}|2023-11-14 22:13 UTC>"
    assert said.replace("_on_", who) in told


@FEWER
@given(current=STATES, theirs=CHANGES, origin=st.sampled_from([Origin.UNDO, Origin.TRY_AGAIN]))
def test_a_proposal(current: CurrentState, theirs: Change, origin: Origin) -> None:
    """It is ticked as proposed, shows what is true as its basis, and says whose button it was."""
    proposal = Proposal(origin, theirs, theirs.undone())

    view = form.build_proposal(current, ACCOUNT, CALL, proposal).to_dict()

    assert block_kit.complaints("view", view) == []
    read = parsed(view)
    assert (read.wanted, read.basis.shown) == (theirs.undone(), current.flags)
    assert (read.basis.origin, read.basis.origin_change) == (origin, theirs.id)
    assert f"change {theirs.number}" in texts(view)


# What is not a form of this release


def broken(*where: str, to: object) -> dict[str, Any]:
    """A sound submit, with one place in it changed."""
    body: dict[str, Any] = submitted(built(state()))
    place: Any = body
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = to
    return body


@pytest.mark.parametrize(
    "where",
    [
        ("view",),
        ("user",),
        ("user", "id"),
        ("view", "state", "values"),
        ("view", "private_metadata"),
    ],
    ids=".".join,
)
@pytest.mark.parametrize("to", [None, [], {}, 7, ""], ids=repr)
def test_a_part_is_missing_or_odd(where: tuple[str, ...], to: object) -> None:
    """Nothing is made up for it."""
    with pytest.raises(UnreadableForm):
        form.parse(broken(*where, to=to), ACCOUNT)


@pytest.mark.parametrize("chosen", ["mailEverything", "MAILQUEUE", "mailQueue", "", 7, [], None])
def test_an_option_that_was_not_offered(chosen: object) -> None:
    """Only Kayran's nine names are taken, each from its own group."""
    body = submitted(built(state()))
    last = list(body["view"]["state"]["values"].values())[-1]
    last[form.TICKS_ACTION_ID]["selected_options"] = [{"value": chosen}]

    with pytest.raises(UnreadableForm):
        form.parse(body, ACCOUNT)


def test_a_group_is_missing() -> None:
    """A group that was not sent is not a group with nothing ticked."""
    body = submitted(built(state()))
    body["view"]["state"]["values"].popitem()

    with pytest.raises(UnreadableForm):
        form.parse(body, ACCOUNT)


@pytest.mark.parametrize(
    "carried",
    [
        {"form": ""},
        {"form": 7},
        {"account": "another"},
        {"account": None},
        {"channel": None},
        {"channel": "U0ADMIN"},
        {"channel": "C0SCANS\n"},
        {"channel": "c0scans"},
        {"thread": 17.5},
        {"thread": "now"},
        {"thread": "<!channel>"},
        {"response_url": {}},
        {"response_url": ""},
        {"shown": "11111111"},
        {"shown": "11111111x"},
        {"number": "1"},
        {"number": True},
        {"number": -1},
        {"number": 1 << 63},
        {"origin": "somewhere"},
        {"origin": ["form"]},
        {"origin_change": "1"},
        {"filling": "x" * METADATA},
    ],
    ids=lambda carried: repr(carried)[:40],
)
def test_metadata_is_checked_like_any_payload(carried: dict[str, object]) -> None:
    """What is in it came from outside, however it got there."""
    body = submitted(built(state()))
    metadata = json.loads(body["view"]["private_metadata"])
    assert form.parse(body, ACCOUNT).basis.form == metadata["form"]

    body["view"]["private_metadata"] = json.dumps(metadata | carried)

    with pytest.raises(UnreadableForm):
        form.parse(body, ACCOUNT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@FEWER
@given(
    body=st.dictionaries(st.text(max_size=9), JSON),
    metadata=JSON | st.sampled_from(["[" * 2900, "{", "null", "NaN"]),
)
def test_anything_at_all(body: dict[str, Any], metadata: Any) -> None:
    """Whatever comes is a form, or ``UnreadableForm``; nothing else is raised."""
    for each in (body, broken("view", "private_metadata", to=metadata)):
        with pytest.raises(UnreadableForm):
            form.parse(each, ACCOUNT)
