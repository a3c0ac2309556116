"""The form: what is built of what is true, what Slack would say to it, and what is read back."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.access import Reason
from bot.changes import (
    Asker,
    Change,
    Origin,
    Outcome,
    Outlook,
    Overtaken,
    Place,
    Reading,
    Standing,
)
from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, Refused
from bot.notifications import PARAMETERS, Flags, Preferences
from bot.sandbox import block_kit
from bot.sandbox.kayran import NASTY_REASON
from bot.sandbox.modals import initial_state, with_ids
from bot.slack import form, words
from bot.slack.form import Proposal, Submission, UnreadableForm

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

HERE = Place("C0SCANS", "1700000000.000100", "sealed")

FLAGS = st.lists(st.sampled_from([True, False, None]), min_size=9, max_size=9).map(
    lambda values: Flags(tuple(values))
)
PREFERENCES = st.sets(st.sampled_from(PARAMETERS)).map(Preferences.of)
TROUBLES: list[KayranError | None] = [
    None,
    Refused(NASTY_REASON),
    NotSent(Obstacle.UNREACHABLE),
    *(NoClearAnswer(obstacle) for obstacle in Obstacle),
]


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """A change on record, of any outcome."""
    return Change(
        id=draw(st.integers(1, 2**40)),
        account="made-up",
        number=draw(st.integers(1, 2**31)),
        form="made-up",
        asked_at=draw(st.floats(0, 4e9)),
        asker=Asker("T0EXAMPLE", "U0OTHER", "admin"),
        place=HERE,
        origin=draw(st.sampled_from(Origin)),
        origin_change=None,
        before=draw(FLAGS),
        wanted=draw(PREFERENCES),
        outcome=draw(st.sampled_from([None, *Outcome])),
        found=draw(FLAGS),
    )


READINGS = st.builds(
    Reading,
    reported=FLAGS,
    mailbox=st.one_of(st.none(), st.emails(), st.text(max_size=400)),
    trouble=st.sampled_from(TROUBLES),
)
STANDINGS = st.builds(
    Standing, outlook=st.builds(Outlook, newest=st.one_of(st.none(), changes())), reading=READINGS
)


def standing(flags: dict[str, bool] | None = None, **reading: Any) -> Standing:
    """Nothing on record, and Kayran reports these flags."""
    return Standing(Outlook(None), Reading(Flags.of(flags or {}), **reading))


def submitted(view: dict[str, Any], **values: bool) -> dict[str, Any]:
    """What Slack sends when the form is submitted, with these boxes ticked or unticked before."""
    shown = with_ids(view)
    state = initial_state(shown)
    for block in shown["blocks"]:
        if block["type"] == "input":
            held = state[block["block_id"]][block["element"]["action_id"]]
            on = {o["value"]: True for o in held["selected_options"]} | values
            held["selected_options"] = [
                option for option in block["element"]["options"] if on.get(option["value"])
            ]
    return {
        "type": "view_submission",
        "user": {"id": "U0ADMIN"},
        "team": {"id": "T0EXAMPLE"},
        "view": {**shown, "id": "V1", "state": {"values": state}},
    }


def built(at: Standing, place: Place = HERE) -> dict[str, Any]:
    """The form as it would go over the wire."""
    view: dict[str, Any] = json.loads(json.dumps(form.build(at, place).to_dict()))
    return view


def inputs(view: dict[str, Any]) -> list[dict[str, Any]]:
    """The form's groups of checkboxes."""
    return [block for block in view["blocks"] if block["type"] == "input"]


def texts(view: dict[str, Any]) -> str:
    """What the form says, apart from its boxes."""
    others = [block for block in view["blocks"] if block["type"] != "input"]
    return "\n".join(block_kit.texts(others))


def test_nine_boxes_in_three_groups() -> None:
    """Each group and box stands where it belongs, named and described, its value the parameter."""
    view = built(standing(dict.fromkeys(PARAMETERS, False)))

    offered = {
        block["label"]["text"]: {
            option["value"]: (option["text"]["text"], option["description"]["text"])
            for option in block["element"]["options"]
        }
        for block in inputs(view)
    }

    assert offered == NINE
    assert [list(group) for group in offered.values()] == [list(g) for g in NINE.values()]


def test_none_ticked_may_be_submitted() -> None:
    """Every group is optional: Slack's client lets none ticked pass."""
    assert all(block["optional"] is True for block in inputs(built(standing())))


@given(flags=FLAGS)
def test_the_ticks_are_what_kayran_reports(flags: Flags) -> None:
    """A box is ticked when it is known to be on, and what is not known says so."""
    view = built(Standing(Outlook(None), Reading(flags)))

    options = {o["value"]: o for block in inputs(view) for o in block["element"]["options"]}
    ticked = {
        o["value"] for block in inputs(view) for o in block["element"].get("initial_options", [])
    }

    assert ticked == {p for p, value in flags if value}
    for parameter, value in flags:
        said = options[parameter]["description"]["text"]
        assert said.endswith(" (not known now)") == (value is None)


@given(at=STANDINGS)
def test_slack_takes_every_form(at: Standing) -> None:
    """Whatever is true, and whatever Kayran's words and mailbox are, the form is within the limits."""
    assert block_kit.view_complaints(built(at)) == []


@given(at=STANDINGS)
def test_a_form_pings_nobody_but_names_who_changed_things(at: Standing) -> None:
    """Nothing of Kayran's becomes a mention or a link."""
    said = texts(built(at))

    rest = said.replace("<@U0OTHER>", "").replace("<!date^", "")
    assert "<" not in rest


@FEWER
@given(
    at=STANDINGS,
    place=st.builds(Place, st.just("C1"), st.just("1.2"), st.text("ab=_", max_size=900)),
)
def test_what_is_built_is_read_back(at: Standing, place: Place) -> None:
    """A form submitted as it came asks for what it showed ticked, and remembers what it was based on."""
    read = form.parse(
        submitted(built(at, Place(place.channel, place.thread, place.reply_url or None)))
    )

    assert read.wanted == at.flags.ticks()
    assert read.own_changes == {}
    assert read.basis.shown == at.flags
    assert read.basis.based_on == at.outlook.number
    assert read.basis.place.channel == "C1"
    assert read.basis.origin is Origin.FORM


@FEWER
@given(at=STANDINGS, ticks=st.dictionaries(st.sampled_from(PARAMETERS), st.booleans()))
def test_what_is_ticked_is_what_is_asked_for(at: Standing, ticks: dict[str, bool]) -> None:
    """Every box is on or off as the person left it."""
    read = form.parse(submitted(built(at), **ticks))

    assert read.wanted == at.flags.ticks().with_(ticks)
    assert set(read.own_changes) == {p for p, on in ticks.items() if on is not bool(at.flags[p])}


def test_no_two_forms_have_the_same_ids() -> None:
    """With the same block ids Slack would keep old ticks and ignore new ones."""
    forms = [built(standing()) for _ in range(5)]
    ids = [block["block_id"] for view in forms for block in inputs(view)]

    assert len(set(ids)) == len(ids) == 15


def test_the_same_form_with_the_same_ticks_is_the_same_request() -> None:
    """Sent twice it has one key; with other ticks, or as another form, another."""
    view, other = built(standing()), built(standing())

    keys = [
        form.parse(body).key
        for body in (
            submitted(view, mailStop=True),
            submitted(view, mailStop=True),
            submitted(view),
            submitted(other, mailStop=True),
        )
    ]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert all(len(key) <= 255 for key in keys)


@FEWER
@given(
    at=STANDINGS,
    since=st.lists(changes(), max_size=5),
    origin=st.sampled_from(Origin),
    ticks=st.dictionaries(st.sampled_from(PARAMETERS), st.booleans()),
)
def test_a_form_that_comes_back(
    at: Standing, since: list[Change], origin: Origin, ticks: dict[str, bool]
) -> None:
    """It shows what is true now with the person's own ticks laid over it, under new ids, and fits."""
    first = built(standing({"mailStop": True, "mailQueue": False}))
    sent = form.parse(submitted(first, **ticks))

    view = form.build_again(sent, Overtaken(at, since)).to_dict()
    read = form.parse(submitted(view))

    assert block_kit.view_complaints(view) == []
    assert read.wanted == at.flags.ticks().with_(sent.own_changes)
    assert read.basis.shown == at.flags
    assert read.basis.based_on == at.outlook.number
    assert read.basis.place == sent.basis.place
    assert {b["block_id"] for b in inputs(view)}.isdisjoint(b["block_id"] for b in inputs(first))


@FEWER
@given(at=STANDINGS, change=changes(), origin=st.sampled_from([Origin.UNDO, Origin.TRY_AGAIN]))
def test_a_proposal(at: Standing, change: Change, origin: Origin) -> None:
    """It is ticked as proposed, shows what is true as its basis, and says whose button it was."""
    proposal = Proposal(origin, change, change.undone())

    view = form.build_proposal(at, HERE, proposal).to_dict()
    read = form.parse(submitted(view))

    assert block_kit.view_complaints(view) == []
    assert read.wanted == change.undone()
    assert read.basis.shown == at.flags
    assert (read.basis.origin, read.basis.origin_change) == (origin, change.id)
    assert f"change {change.number}" in texts(view)


@pytest.mark.parametrize(
    "view", [form.loading(), form.answer("Words."), form.refusal(Reason.GUEST, "No.")]
)
def test_a_form_without_boxes(view: Any) -> None:
    """What only says something can't be submitted, carries nothing, and is what Slack takes."""
    as_sent = view.to_dict()

    assert block_kit.view_complaints(as_sent) == []
    assert "submit" not in as_sent
    assert "private_metadata" not in as_sent


class TestWhereTheTicksComeFrom:
    """The lines above the boxes."""

    def test_all_nine_from_kayran(self) -> None:
        """A Kayran that reports all nine is named as the one source."""
        said = texts(built(standing(dict.fromkeys(PARAMETERS, True))))

        assert "The ticks show what Kayran has set now." in said
        assert "not known" not in said.lower()

    def test_some_from_kayran_some_from_nowhere(self) -> None:
        """What Kayran reports and what nobody knows are told apart."""
        said = texts(built(standing({"mailStop": True})))

        assert "Kayran has just reported Stop." in said
        assert "Not known, and shown not ticked: Queue, Schedule, Pause," in said

    def test_the_rest_from_the_record(self) -> None:
        """What Kayran does not report is as last set from here, by whom and when."""
        newest = applied(Preferences.of(PARAMETERS))
        said = texts(built(Standing(Outlook(newest), Reading(Flags.of({"mailStop": True})))))

        assert "as last set here by <@U0OTHER>, <!date^1700000000^" in said
        assert (
            "since Kayran does not say: Queue, Schedule, Pause, Unpause, Status, Completed, Aborted "
            "and Delete." in said
        )

    def test_a_silent_kayran(self) -> None:
        """Where Kayran could not be asked, it says why."""
        said = texts(built(standing(trouble=NoClearAnswer(Obstacle.TIMED_OUT))))

        assert "could not be asked what is set now: Kayran did not answer in time." in said

    def test_a_change_that_is_on_its_way(self) -> None:
        """While a change is on its way the ticks show what it sets, whatever Kayran says."""
        newest = applied(Preferences.of(["mailStop"]), outcome=None)
        at = Standing(Outlook(newest), Reading(Flags.of({"mailStop": False, "mailQueue": True})))
        view = built(at)

        assert "Change 3 by <@U0OTHER> is on its way" in texts(view)
        assert form.parse(submitted(view)).wanted == Preferences.of(["mailStop"])

    def test_whose_mailbox_it_is(self) -> None:
        """The mailbox is shown masked, nowhere whole."""
        view = built(standing(mailbox="security@example.com"))
        shown = next(b["text"] for b in view["blocks"] if "@example.com" in b["text"]["text"])
        assert shown["verbatim"], "Slack would make a link of half an address"

        assert "*s…y@example.com*" in texts(view)
        assert "security@" not in json.dumps(view)

    def test_that_saving_sets_all_nine(self) -> None:
        """The form says what saving does to what is not ticked."""
        assert words.sets_all_nine() in texts(built(standing()))


def applied(wanted: Preferences, outcome: Outcome | None = Outcome.APPLIED) -> Change:
    """Change 3, by somebody else."""
    return Change(
        id=3,
        account="made-up",
        number=3,
        form="made-up",
        asked_at=1_700_000_000.0,
        asker=Asker("T0EXAMPLE", "U0OTHER", "admin"),
        place=HERE,
        origin=Origin.FORM,
        origin_change=None,
        before=Flags.unknown(),
        wanted=wanted,
        outcome=outcome,
    )


class TestForeignChanges:
    """What a form that came back says of what changed."""

    def lines(self, before: dict[str, bool], now: dict[str, bool], *since: Change) -> str:
        """The form that comes back to somebody who saw ``before``."""
        sent = form.parse(submitted(built(standing(before))))
        at = Standing(Outlook(since[-1] if since else None), Reading(Flags.of(now)))
        return texts(form.build_again(sent, Overtaken(at, since)).to_dict())

    def test_somebody_elses_change(self) -> None:
        """It says who, when, and which box from what to what."""
        change = self.change({"mailStop": False}, ["mailStop"])

        said = self.lines({"mailStop": False}, {"mailStop": True}, change)

        assert "• Change 3 by <@U0OTHER>, <!date^1700000000^" in said
        assert ": Stop off → on\n" in f"{said}\n"
        assert "In Kayran itself" not in said

    def test_an_edit_in_kayran(self) -> None:
        """What changed with nobody's change is said to be of Kayran itself."""
        said = self.lines({"mailStop": False, "mailQueue": True}, {"mailStop": True})

        assert "• In Kayran itself: Stop off → on" in said
        assert "Queue" not in said.partition("In Kayran itself")[2].partition("\n")[0]

    def test_a_change_and_an_edit(self) -> None:
        """Each is told by its own line."""
        change = self.change({"mailStop": False, "mailQueue": False}, ["mailStop"])

        said = self.lines(
            {"mailStop": False, "mailQueue": False}, {"mailStop": True, "mailQueue": True}, change
        )

        assert ": Stop off → on\n" in said
        assert "• In Kayran itself: Queue off → on" in said

    def test_a_change_undone_in_kayran(self) -> None:
        """A change that was edited away again in Kayran leaves nothing to lay at its door."""
        change = self.change({"mailStop": False}, ["mailStop"])

        said = self.lines({"mailStop": True}, {"mailStop": False}, change)

        assert "• In Kayran itself: Stop on → off" in said

    def test_a_change_on_its_way(self) -> None:
        """It is said to be on its way."""
        change = self.change({"mailStop": False}, ["mailStop"], outcome=None)

        assert ", on its way: Stop off → on" in self.lines({"mailStop": False}, {}, change)

    @pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.FAILED])
    def test_a_change_that_fell_through(self, outcome: Outcome) -> None:
        """What a form was based on and did not happen is said not to have taken effect."""
        change = self.change({"mailStop": False}, ["mailStop"], outcome=outcome)

        said = self.lines({"mailStop": True}, {"mailStop": False}, change)

        assert ": did not take effect" in said
        assert "In Kayran itself" not in said

    @pytest.mark.parametrize("seen", [None, Outcome.UNSURE])
    def test_a_change_that_nobody_is_sure_of(self, seen: Outcome | None) -> None:
        """It is news to who saw it on its way, and not to who knew; to neither is it an edit in Kayran."""
        on_its_way = self.change({"mailStop": False}, ["mailStop"], outcome=seen)
        unsure = self.change({"mailStop": False}, ["mailStop"], outcome=Outcome.UNSURE)
        seen_then = Reading(Flags.of({"mailStop": False, "mailQueue": False}))
        sent = form.parse(submitted(built(Standing(Outlook(on_its_way), seen_then))))
        at = Standing(Outlook(unsure), Reading(Flags.of({"mailStop": False, "mailQueue": True})))

        said = texts(form.build_again(sent, Overtaken(at, [unsure])).to_dict())

        assert (": not certain whether it took effect (Stop off → on)" in said) is (seen is None)
        assert "In Kayran itself: Queue off → on" in said
        assert "Stop on → off" not in said

    def change(
        self, before: dict[str, bool], on: list[str], outcome: Outcome | None = Outcome.APPLIED
    ) -> Change:
        """Somebody else's, with all else off and known to be."""
        whole = dict.fromkeys(PARAMETERS, False) | before
        base = applied(Preferences.of(on), outcome)
        return Change(**{**base.__dict__, "before": Flags.of(whole)})


class TestWhatIsNotAForm:
    """What comes back changed is not read as something it is not."""

    def broken(self, *where: str, to: object = None) -> dict[str, Any]:
        """A sound submit, with one place in it changed, or taken out."""
        body = copy.deepcopy(submitted(built(standing())))
        holder: Any = body
        for key in where[:-1]:
            holder = holder[key]
        if to is None:
            del holder[where[-1]]
        else:
            holder[where[-1]] = to
        return body

    @pytest.mark.parametrize(
        "where",
        [
            ("view",),
            ("user",),
            ("view", "state"),
            ("view", "state", "values"),
            ("view", "private_metadata"),
        ],
    )
    @pytest.mark.parametrize("to", [None, [], {}, 7, "", "[]", '"text"', "{}"], ids=repr)
    def test_a_part_is_missing_or_odd(self, where: tuple[str, ...], to: object) -> None:
        """Nothing is made up for it."""
        with pytest.raises(UnreadableForm):
            form.parse(self.broken(*where, to=to))

    @pytest.mark.parametrize("to", [None, [], {}, 7, "", True], ids=repr)
    def test_nobody_sent_it(self, to: object) -> None:
        """A form that says not whose it is belongs to nobody."""
        with pytest.raises(UnreadableForm):
            form.parse(self.broken("user", "id", to=to))

    def test_a_group_is_missing(self) -> None:
        """A group that was not sent is not a group with nothing ticked."""
        body = submitted(built(standing()))
        del body["view"]["state"]["values"][next(iter(body["view"]["state"]["values"]))]

        with pytest.raises(UnreadableForm):
            form.parse(body)

    @pytest.mark.parametrize(
        "value", ["mailEverything", "mailQueue ", "MAILQUEUE", "", 7, [], None]
    )
    def test_an_option_that_was_not_offered(self, value: object) -> None:
        """Only Kayran's nine names are taken, each from its own group."""
        body = submitted(built(standing()))
        for group in body["view"]["state"]["values"].values():
            group[form.TICKS_ACTION_ID]["selected_options"] = [{"value": value}]

        with pytest.raises(UnreadableForm):
            form.parse(body)

    def test_an_option_of_another_group(self) -> None:
        """A box ticked where it does not stand is none of the form's."""
        body = submitted(built(standing()))
        values = body["view"]["state"]["values"]
        last = list(values)[-1]
        values[last][form.TICKS_ACTION_ID]["selected_options"] = [{"value": "mailQueue"}]

        with pytest.raises(UnreadableForm):
            form.parse(body)

    @pytest.mark.parametrize(
        "carried",
        [
            {"form": ""},
            {"form": 7},
            {"channel": None},
            {"channel": ["C0SCANS"]},
            {"shown": "11111111"},
            {"shown": "11111111x"},
            {"shown": "1" * 4000},
            {"number": "1"},
            {"number": True},
            {"number": 1.5},
            {"origin": "somewhere"},
            {"origin": ["form"]},
            {"origin_change": "1"},
            {"thread": 17.5},
            {"reply_url": {}},
        ],
        ids=repr,
    )
    def test_metadata_that_was_tampered_with(self, carried: dict[str, object]) -> None:
        """Metadata of another shape is not read."""
        body = submitted(built(standing()))
        metadata = json.loads(body["view"]["private_metadata"])
        body["view"]["private_metadata"] = json.dumps(metadata | carried)

        with pytest.raises(UnreadableForm):
            form.parse(body)

    @pytest.mark.parametrize("metadata", ["[" * 2900, "{", "null", "1" * 5000, "\ud800", "NaN"])
    def test_metadata_that_is_no_metadata(self, metadata: str) -> None:
        """What can't be read at all is no form, however it fails."""
        with pytest.raises(UnreadableForm):
            form.parse(self.broken("view", "private_metadata", to=metadata))

    JSON = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
        max_leaves=12,
    )

    @FEWER
    @given(body=JSON, metadata=JSON, state=JSON)
    def test_anything_at_all(self, body: Any, metadata: Any, state: Any) -> None:
        """Whatever comes is a form, or ``UnreadableForm``; nothing else is raised."""
        view = {"private_metadata": json.dumps(metadata), "state": state}
        bodies = [body, {"user": {"id": "U1"}, "view": view}, self.broken("view", to=view)]

        for each in bodies:
            if isinstance(each, dict):
                with pytest.raises(UnreadableForm):
                    form.parse(each)


def test_where_an_error_can_hang() -> None:
    """On the first of the form's inputs."""
    view = built(standing())

    assert form.parse(submitted(view)).first_input == inputs(view)[0]["block_id"]


def test_the_key_of_a_submission_tells_its_ticks() -> None:
    """Two submissions that differ in one box have two keys."""
    basis = form.parse(submitted(built(standing()))).basis
    one, two = (
        Submission("U1", "T1", basis, Preferences.of(on)) for on in (["mailStop"], ["mailQueue"])
    )

    assert one.key != two.key
