"""The form: what is built of what is true, what Slack would say to it, and what is read back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.change import Change, CurrentState, KayranReport, Origin, Outcome, RecordedState
from bot.changes import Conflict
from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, Refused
from bot.notifications import NOTIFICATIONS, PARAMETERS, Flags
from bot.sandbox import blocks
from bot.sandbox.modals import Modal
from bot.slack import form, words
from bot.slack.form import METADATA, Basis, Submission, UnreadableForm
from bot.slack.payloads import Call
from tests import block_kit
from tests.odd_answers import NASTY_REASON
from tests.samples import ACCOUNT, ALL_OFF, FLAGS, PREFERENCES, change

FEWER = hypothesis_settings(max_examples=40)
"""For what takes a few milliseconds to draw and to build."""

CALL = Call(
    user="U0ADMIN",
    team="T0EXAMPLE",
    channel="C0SCANS",
    thread="1700000000.000100",
    response_url="https://hooks.slack.com/commands/T0EXAMPLE/1/x",
)
ONE: dict[str, str] = {}
TWO = {ACCOUNT: "staging", "another": "production"}
TIMED_OUT = NoClearAnswer(Obstacle.TIMED_OUT)
SIX = Flags.of(dict.fromkeys(set(PARAMETERS) - {"mailPause", "mailUnpause", "mailCompleted"}, True))
CHOICES = st.dictionaries(st.sampled_from(PARAMETERS), st.booleans())
CHANGES = st.builds(
    change,
    user=st.just("U0OTHER"),
    wanted=PREFERENCES,
    before=FLAGS,
    found=FLAGS,
    outcome=st.sampled_from([None, *Outcome]),
    origin=st.sampled_from(Origin),
    superseded_by=st.just(9),
)
OF_READING = [o for o in Obstacle if o not in (Obstacle.UNEXPECTED, Obstacle.OTHER_KEY)]
TROUBLES = [
    None,
    Refused(NASTY_REASON),
    NotSent(Obstacle.UNREACHABLE),
    *map(NoClearAnswer, OF_READING),
]
STATES = st.builds(
    CurrentState,
    recorded=st.builds(RecordedState, newest=st.none() | CHANGES),
    report=st.builds(KayranReport, trouble=st.sampled_from(TROUBLES))
    | st.builds(KayranReport, FLAGS, st.none() | st.emails() | st.text(max_size=400)),
)
SET_HERE = change("mailStop", user="U0OTHER", number=3, outcome=Outcome.APPLIED)
ON_ITS_WAY = change("mailStop", user="U0OTHER", number=3)
NOT_SURE = change("mailStop", user="U0OTHER", number=3, outcome=Outcome.UNSURE)
EXCEPT, WHAT = "except Pause, Unpause and Completed", "This is what <@U0OTHER> last set here"
WHEN = "<!date^1700000000^{date_short_pretty} at {time}|2023-11-14 22:13 UTC>"


def state(flags: Flags = ALL_OFF, newest: Change | None = None, **report: Any) -> CurrentState:
    """Kayran reports these flags, and this is the newest change on record."""
    return CurrentState(RecordedState(newest), KayranReport(flags, **report))


def as_sent(view: Any) -> dict[str, Any]:
    """A view as it goes over the wire."""
    sent: dict[str, Any] = json.loads(json.dumps(view.to_dict()))
    return sent


def built(
    current: CurrentState,
    mailboxes: Mapping[str, str] = ONE,
    choices: Mapping[str, bool] | None = None,
    top: Sequence[str] = (),
) -> dict[str, Any]:
    """A new form."""
    basis = Basis.of(current, ACCOUNT, CALL)
    return as_sent(form.build(basis, current, mailboxes, choices, top))


def submitted(view: dict[str, Any], choices: Mapping[str, bool] | None = None) -> dict[str, Any]:
    """What Slack sends when these boxes were ticked or unticked and these buttons chosen."""
    modal = Modal("V1", "U0ADMIN", view, "1")
    for parameter, on in (choices or {}).items():
        for block, element in blocks.elements(modal.blocks):
            ids, there = (block["block_id"], element["action_id"]), blocks.options_of(element)
            if parameter in there:
                others = set(blocks.values_of(modal.state[ids[0]][ids[1]])) - {parameter}
                modal.choose(*ids, [*others, *[parameter][:on]])
            elif f"{parameter}=on" in there:
                modal.choose(*ids, [f"{parameter}={'on' if on else 'off'}"])
    return {
        "type": "view_submission",
        "user": {"id": "U0ADMIN"},
        "team": {"id": "T0EXAMPLE"},
        "view": {**modal.view, "id": "V1", "state": {"values": modal.state}},
    }


def parsed(view: dict[str, Any], choices: Mapping[str, bool] | None = None) -> Submission:
    """The same, as it is read."""
    return form.parse(submitted(view, choices), TWO)


def inputs(view: dict[str, Any]) -> list[dict[str, Any]]:
    """The form's inputs."""
    return [block for block in view["blocks"] if block["type"] == "input"]


def beside_the_nine(view: dict[str, Any]) -> str:
    """What the form says apart from its nine notifications: headings and buttons too."""
    rest = [b if b["type"] != "input" else b["label"] for b in view["blocks"]]
    choices = {f"{n.label}: {n.description}" for n in NOTIFICATIONS}
    buttons = [view["title"], view["submit"], view["close"]]
    return "\n".join(text for text in block_kit.texts([*rest, *buttons]) if text not in choices)


# What is built


def test_what_is_known_is_a_checkbox() -> None:
    """In its group, in a few words, its value Kayran's parameter; none need be ticked."""
    view = built(state(ALL_OFF.with_({"mailStop": True})))

    assert [(b["label"]["text"], b["optional"]) for b in inputs(view)] == [
        ("When a scan starts", True),
        ("While a scan runs", True),
        ("When a scan ends", True),
    ]
    offered = [option for block in inputs(view) for option in block["element"]["options"]]
    assert {option["text"]["type"] for option in offered} == {"mrkdwn"}
    assert [(o["value"], o["text"]["text"]) for o in offered] == [
        ("mailQueue", "*Queue*  a queued scan starts"),
        ("mailSchedule", "*Schedule*  a scheduled scan starts"),
        ("mailPause", "*Pause*  a scan is paused"),
        ("mailUnpause", "*Unpause*  a paused scan resumes"),
        ("mailStatus", "*Status*  a scan's status changes"),
        ("mailCompleted", "*Completed*  a scan completes"),
        ("mailStop", "*Stop*  a scan is stopped"),
        ("mailAborted", "*Aborted*  a scan is aborted"),
        ("mailDelete", "*Delete*  a scan is deleted"),
    ]
    assert not any("description" in option for option in offered)


@given(flags=FLAGS, choices=CHOICES)
def test_what_is_not_known_has_to_be_chosen(flags: Flags, choices: dict[str, bool]) -> None:
    """Each is an input of its own, On or Off, that can't be left out; neither is chosen by the bot."""
    ticked, chosen = set(), {}
    for block in inputs(built(state(flags), choices=choices)):
        element = block["element"]
        if element["type"] == "checkboxes":
            assert all(flags[option["value"]] is not None for option in element["options"])
            ticked |= {option["value"] for option in element.get("initial_options", [])}
        else:
            on, off = (option["value"] for option in element["options"])
            parameter = on.partition("=")[0]
            assert (element["type"], on, off) == (
                "radio_buttons",
                f"{parameter}=on",
                f"{parameter}=off",
            )
            assert not block.get("optional", False)
            chosen[parameter] = element.get("initial_option", {}).get("value")

    meant = {True: "=on", False: "=off"}
    assert ticked == {p for p, value in flags if value is not None and choices.get(p, value)}
    assert chosen == {
        p: p + meant[choices[p]] if p in choices else None for p, v in flags if v is None
    }


@given(
    current=STATES,
    mailboxes=st.sampled_from([ONE, TWO]),
    choices=CHOICES,
    origin=st.sampled_from([Origin.UNDO, Origin.TRY_AGAIN]),
    since=st.lists(CHANGES, max_size=6),
)
def test_slack_takes_every_form(
    current: CurrentState,
    mailboxes: Mapping[str, str],
    choices: dict[str, bool],
    origin: Origin,
    since: list[Change],
) -> None:
    """It is within the limits, and nothing of Kayran's becomes a mention or a link."""
    view = built(current, mailboxes, choices, words.proposal(origin, change("mailStop"), since))

    assert block_kit.complaints("view", view) == []
    said = beside_the_nine(view).replace("<@U0OTHER>", "").replace("<@U0ADMIN>", "")
    assert "<" not in said.replace("<!date^", "").replace("<#C0SCANS>", "")


@pytest.mark.parametrize("newest", [None, SET_HERE, NOT_SURE, ON_ITS_WAY])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_form_is_in_few_words(newest: Change | None, trouble: KayranError | None) -> None:
    """At most 60 beside the nine, where anything is known: headings, title and buttons too."""
    current = state(Flags.unknown(), newest, trouble=trouble) if trouble else state(SIX, newest)
    said = re.sub(r"<!date[^>]*>", "today at 17:50", beside_the_nine(built(current)))
    unquoted = re.sub(r"“[^”]*”|\*[^*]*@[^*]*\*", "so", said)

    assert newest is None or len(unquoted.split()) <= 60


@pytest.mark.parametrize("view", [form.loading("x"), form.answer("Words.")])
def test_a_form_without_inputs(view: Any) -> None:
    """What only says something can't be submitted, carries nothing, and is what Slack takes."""
    sent = as_sent(view)

    assert block_kit.complaints("view", sent) == []
    assert not {"submit", "private_metadata"} & sent.keys()


@pytest.mark.parametrize(
    ("current", "said"),
    [
        (state(), ["Read from Kayran just now."]),
        (state(SIX), ["Read from Kayran just now.", "Kayran doesn't report these, so choose."]),
        (
            state(SIX, SET_HERE),
            [f"Read from Kayran just now, {EXCEPT}: as <@U0OTHER> last set them here, {WHEN}."],
        ),
        (
            state(Flags.unknown(), SET_HERE, trouble=TIMED_OUT),
            [f"Kayran didn't answer in time. {WHAT}, {WHEN}; it may have changed since."],
        ),
        (
            state(Flags.unknown(), NOT_SURE, trouble=TIMED_OUT),
            ["Not known, so choose:"],
        ),
        (
            state(Flags.unknown(), trouble=Refused("No <!channel> `x`")),
            [
                "Kayran refused: “No &lt;!channel&gt; 'x'”, and nothing is known from here.",
                "None of these is known, so choose all nine.",
            ],
        ),
        (state(ALL_OFF, ON_ITS_WAY), ["As <@U0OTHER> is setting them right now (change 3)."]),
        (state(mailbox="security@example.com"), ["E-mails go to *s…y@example.com*."]),
        (state(), ["Save sets all nine. The result goes to the thread."]),
    ],
)
def test_what_the_form_says(current: CurrentState, said: list[str]) -> None:
    """Whose mailbox it is, masked; where what it shows comes from; and where the result goes."""
    view = built(current)

    assert set(said) <= set(beside_the_nine(view).splitlines())
    assert "security@" not in json.dumps(view)


@FEWER
@given(current=STATES)
def test_there_is_a_choice_of_mailboxes_where_there_are_several(current: CurrentState) -> None:
    """It begins with the form's own; a proposal is of one mailbox and doesn't follow to another."""
    several = submitted(built(current, TWO))
    one = form.parse(several, TWO)
    (held,) = [
        h for h in several["view"]["state"]["values"].values() if form.MAILBOX_ACTION_ID in h
    ]
    held[form.MAILBOX_ACTION_ID]["selected_option"]["value"] = "another"
    other = form.parse(several, TWO)
    proposal = replace(one.basis, origin=Origin.UNDO, origin_change=70)

    assert form.MAILBOX_ACTION_ID not in json.dumps(built(current))
    assert (one.account, other.account, other.basis.account) == (ACCOUNT, "another", ACCOUNT)
    assert proposal.anew(current, ACCOUNT).origin_change == 70
    moved = proposal.anew(current, "another")
    assert (moved.account, moved.origin, moved.origin_change) == ("another", Origin.FORM, None)
    with pytest.raises(UnreadableForm):
        form.parse(several, [ACCOUNT])


# What is read back


@FEWER
@given(current=STATES, mailboxes=st.sampled_from([ONE, TWO]), choices=CHOICES)
def test_what_is_chosen_is_what_is_asked_for(
    current: CurrentState, mailboxes: Mapping[str, str], choices: dict[str, bool]
) -> None:
    """Every box and button as the person left it, what is missing by its input, and the form's basis."""
    view = built(current, mailboxes)
    read = parsed(view, choices)

    known = {p: v for p, v in current.flags if v is not None}
    assert (read.user, read.team, read.account) == ("U0ADMIN", "T0EXAMPLE", ACCOUNT)
    assert read.choices == known | choices
    assert read.own_changes == {p: v for p, v in choices.items() if v is not current.flags[p]}
    assert list(read.missing.values()) == [p for p in PARAMETERS if p not in read.choices]
    assert set(read.missing) <= {block["block_id"] for block in inputs(view)}
    assert read.first_input == inputs(view)[0]["block_id"]
    if not read.missing:
        assert dict(read.wanted) == read.choices
    expected = Basis.of(current, ACCOUNT, CALL)
    assert replace(read.basis, form="") == replace(expected, form="")


def test_the_same_form_with_the_same_choices_is_the_same_request() -> None:
    """Sent twice it has one key; with other choices, or as another form, another."""
    view, other = built(state()), built(state())
    stop = {"mailStop": True}
    keys = [
        parsed(v, c).request_key for v, c in [(view, stop), (view, stop), (view, {}), (other, stop)]
    ]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert all(len(key) <= 255 for key in keys)


def test_a_response_url_that_is_too_long_is_left_out() -> None:
    """Slack takes so many characters; the form is worth more than the address."""
    basis = Basis.of(state(), ACCOUNT, replace(CALL, response_url="https://x/" + "x" * METADATA))

    read = parsed(as_sent(form.build(basis, state(), ONE)))

    assert read.basis == replace(basis, response_url=None)


@given(flags=PREFERENCES)
def test_a_form_that_changes_nothing(flags: Flags) -> None:
    """It says so, and Send anyway asks for all nine as they are."""
    basis = Basis.of(state(flags), ACCOUNT, CALL)
    view = as_sent(form.unchanged(basis))
    body = submitted(view)
    read = form.parse(body, TWO)

    assert block_kit.complaints("view", view) == []
    assert view["blocks"][0]["text"]["text"].startswith("*Nothing to change.*")
    ((_, button),) = blocks.elements(view["blocks"])
    assert (button["text"]["text"], button["action_id"]) == (
        "Send anyway",
        form.SEND_ANYWAY_ACTION_ID,
    )
    assert (read.wanted, read.basis, read.account) == (flags, basis, ACCOUNT)


# What comes back


@FEWER
@given(current=STATES, since=st.lists(CHANGES, max_size=5), choices=CHOICES)
def test_a_form_that_comes_back(
    current: CurrentState, since: list[Change], choices: dict[str, bool]
) -> None:
    """It shows what is true now with the person's own choices laid over it, under new ids, and fits."""
    first = built(state(Flags.of({"mailStop": True, "mailQueue": False})))
    sent = parsed(first, choices)

    view = as_sent(form.build_again(sent, Conflict(current, since), ONE))

    assert block_kit.complaints("view", view) == []
    read, now = parsed(view), {p: v for p, v in current.flags if v is not None}
    assert read.choices == now | sent.own_changes
    expected = replace(Basis.of(current, ACCOUNT, CALL), form=read.basis.form)
    assert read.basis == expected
    assert {b["block_id"] for b in inputs(view)}.isdisjoint(b["block_id"] for b in inputs(first))


WHO, ON, OFF = "• <@U0OTHER>", Flags.of({"mailStop": True}), Flags.of({"mailStop": False})


@pytest.mark.parametrize(
    ("before", "now", "outcome", "said"),
    [
        (OFF, ON, Outcome.APPLIED, [f"{WHO} turned *Stop* on."]),
        (OFF, Flags.unknown(), None, [f"{WHO} is turning *Stop* on."]),
        (ON, OFF, Outcome.REFUSED, [f"{WHO} wanted to turn *Stop* on. It didn't take effect."]),
        (
            ON,
            OFF,
            Outcome.UNSURE,
            [f"{WHO} wanted to turn *Stop* on. Whether it took effect isn't certain."],
        ),
        # Edited away again in Kayran, or edited beside it.
        (ON, OFF, Outcome.APPLIED, [f"{WHO} turned *Stop* on.", "• In Kayran, *Stop* is off now."]),
        (
            OFF.with_({"mailQueue": False}),
            ON.with_({"mailQueue": True}),
            Outcome.APPLIED,
            [f"{WHO} turned *Stop* on.", "• In Kayran, *Queue* is on now."],
        ),
    ],
)
def test_what_a_form_that_comes_back_says(
    before: Flags, now: Flags, outcome: Outcome | None, said: list[str]
) -> None:
    """Who did what, or that it was in Kayran itself; nothing that was on the form already."""
    theirs = change("mailStop", user="U0OTHER", number=3, outcome=outcome)
    sent = parsed(built(state(before)))

    view = as_sent(form.build_again(sent, Conflict(state(now, theirs), [theirs]), ONE))

    first, *rest = view["blocks"][0]["text"]["text"].splitlines()
    assert first.startswith("*Not saved: something changed meanwhile.*")
    assert rest == said


# What is not a form of this release


def broken(*where: str, to: object) -> dict[str, Any]:
    """A sound submit, with one place in it changed."""
    body: dict[str, Any] = submitted(built(state(SIX)))
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
        form.parse(broken(*where, to=to), TWO)


@pytest.mark.parametrize("value", ["mailEverything", "mailQueue", "mailStop=on", "", 7, [], None])
@pytest.mark.parametrize("chosen", ["boxes", "buttons"])
def test_what_was_not_offered(chosen: str, value: object) -> None:
    """Only Kayran's nine names are taken, each from its own input."""
    body = submitted(built(state(SIX)))
    held = list(body["view"]["state"]["values"].values())
    if chosen == "boxes":
        held[2][form.TICKS_ACTION_ID]["selected_options"] = [{"value": value}]
    else:
        held[-1][form.CHOICE_ACTION_ID]["selected_option"] = {"value": value}

    with pytest.raises(UnreadableForm):
        form.parse(body, TWO)


@pytest.mark.parametrize("place", range(3))
def test_a_group_is_missing(place: int) -> None:
    """A group that was not sent is not a group with nothing ticked."""
    values = (body := submitted(built(state(SIX))))["view"]["state"]["values"]
    del values[list(values)[place]]

    with pytest.raises(UnreadableForm):
        form.parse(body, TWO)


@pytest.mark.parametrize(
    "carried",
    [
        {"form": ""},
        {"account": "a third"},
        {"channel": "U0OTHER"},
        {"channel": "C0SCANS\n"},
        {"thread": "<!channel>"},
        {"response_url": {}},
        {"shown": "11111111x"},
        {"based_on": "1"},
        {"based_on": True},
        {"based_on": -1},
        {"based_on": 1 << 63},
        {"origin": "somewhere"},
        {"origin_change": "1"},
        {"filling": "x" * METADATA},
    ],
    ids=lambda carried: repr(carried)[:40],
)
def test_metadata_is_checked_like_any_payload(carried: dict[str, object]) -> None:
    """What is in it came from outside, however it got there."""
    body = submitted(built(state()))
    metadata = json.loads(body["view"]["private_metadata"])
    assert form.parse(body, TWO).basis.form == metadata["form"]

    body["view"]["private_metadata"] = json.dumps(metadata | carried)

    with pytest.raises(UnreadableForm):
        form.parse(body, TWO)
