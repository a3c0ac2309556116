"""The form: what it shows of Kayran, whatever Kayran does, and what saving it sends."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.notifications import NOTIFICATIONS, PARAMETERS
from bot.sandbox.cast import ADMIN, BOARD, OTHER_TEAM, SCANS, SECOND_ADMIN
from bot.sandbox.kayran import PROFILE, REPORTS, UPDATE
from bot.slack import form, words
from tests.odd_answers import NASTY_REASON, ODD, refuse
from tests.stage import Stage
from tests.standins import Fault
from tests.test_form import NINE

REPORTED = {n.parameter for n in NOTIFICATIONS if n.parameter in REPORTS.values()}
UNREPORTED = set(PARAMETERS) - REPORTED
NINE_KEYS = {n.read_back[0]: n.parameter for n in NOTIFICATIONS}


def set_flags(stage: Stage, *on: str) -> None:
    """Exactly these on, in Kayran itself."""
    for parameter in PARAMETERS:
        stage.kayran.set_flag(parameter, parameter in on)


def not_known(stage: Stage) -> set[str]:
    """The parameters whose boxes say that they are not known."""
    modal = stage.slack.modal(ADMIN)
    assert modal is not None
    return {
        option["value"]
        for block in modal.blocks
        for option in block.get("element", {}).get("options", [])
        if words.not_known_now() in option["description"]["text"]
    }


class TestWhatItShows:
    """The ticks, and where they come from."""

    def test_the_nine_in_their_groups(self, stage: Stage) -> None:
        """What Slack shows is Kayran's nine, by name and description, in the order of a scan's life."""
        stage.kayran.reports = NINE_KEYS
        modal = stage.open_form()

        shown = {
            block["label"]["text"]: {
                option["value"]: (option["text"]["text"], option["description"]["text"])
                for option in block["element"]["options"]
            }
            for block in modal.blocks
            if block["type"] == "input"
        }
        assert shown == NINE

    def test_it_is_ticked_as_kayran_reports(self, stage: Stage) -> None:
        """Of what Kayran reports, what is on is ticked; what it doesn't report is not, and says so."""
        set_flags(stage, "mailQueue", "mailDelete", "mailCompleted")

        stage.open_form()

        assert stage.ticked() == {"mailQueue", "mailDelete"}
        assert not_known(stage) == UNREPORTED
        said = stage.form_texts()
        assert "Kayran has just reported Queue, Schedule, Status, Stop, Aborted and Delete." in said
        assert "Not known, and shown not ticked: Pause, Unpause and Completed." in said

    def test_a_kayran_that_reports_all_nine(self, stage: Stage) -> None:
        """A server that sends more than is documented is read."""
        stage.kayran.reports = NINE_KEYS
        set_flags(stage, "mailPause", "mailCompleted")

        stage.open_form()

        assert stage.ticked() == {"mailPause", "mailCompleted"}
        assert not_known(stage) == set()
        assert "The ticks show what Kayran has set now." in stage.form_texts()

    def test_a_kayran_that_reports_less(self, stage: Stage) -> None:
        """A missing key is not known, and not off."""
        stage.kayran.reports = {"onStop": "mailStop"}
        set_flags(stage, *PARAMETERS)

        stage.open_form()

        assert stage.ticked() == {"mailStop"}
        assert not_known(stage) == set(PARAMETERS) - {"mailStop"}

    @pytest.mark.parametrize("value", ["true", True, 1, "on", None, ["True"]], ids=repr)
    def test_an_odd_value_is_not_known(self, stage: Stage, value: object) -> None:
        """Only Kayran's own ``"True"`` and ``"False"`` are taken for either."""
        set_flags(stage, "mailStop", "mailQueue")
        stage.kayran.reported_as = {"onStop": value}

        stage.open_form()

        assert stage.ticked() == {"mailQueue"}
        assert not_known(stage) == UNREPORTED | {"mailStop"}

    def test_a_kayran_that_contradicts_itself(self, stage: Stage) -> None:
        """Two keys for one flag that say different things leave it not known."""
        stage.kayran.reported_as = {"onUnpause": "True", "onResume": "False"}

        stage.open_form()

        assert "mailUnpause" in not_known(stage)

    def test_what_was_last_set_here(self, stage: Stage) -> None:
        """What Kayran doesn't report is ticked as last applied from here, by whom and when."""
        stage.change(SECOND_ADMIN, mailPause=True, mailStop=True)

        stage.open_form()

        assert stage.ticked() == {"mailPause", "mailStop"}
        assert not_known(stage) == set()
        said = stage.form_texts()
        assert f"Shown as last set here by <@{SECOND_ADMIN}>, <!date^" in said
        assert "since Kayran does not say: Pause, Unpause and Completed." in said

    def test_whose_mailbox_it_is(self, stage: Stage) -> None:
        """The mailbox is recognisable to who knows it, and readable to nobody."""
        modal = stage.open_form()

        assert "*s…y@example.com*" in stage.form_texts()
        assert "security@" not in json.dumps(modal.view, ensure_ascii=False)

    @pytest.mark.parametrize(
        "mailbox",
        [NASTY_REASON, "a@" + "b" * 5000, "\u202e\x00\ud800@x", "*_~`<!channel>@<https://x|y>", ""],
        ids=["nasty", "long", "unseen", "markup", "empty"],
    )
    def test_a_nasty_mailbox(self, stage: Stage, mailbox: str) -> None:
        """Whatever Kayran calls the mailbox, the form opens and pings nobody."""
        stage.kayran.email = mailbox.replace("\ud800", "")

        stage.open_form()

        assert "<!channel>" not in stage.form_texts()
        assert "<https" not in stage.form_texts()
        assert words.sets_all_nine() in stage.form_texts()


class TestKayranDoesNotSay:
    """The form opens all the same, and says what the matter is."""

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            ("hang", "Kayran did not answer in time"),
            ("refuse", "it refused with the words “Not valid token”"),
            ("500", "what Kayran answered is not what its API documents"),
            ("html", "what Kayran answered is not what its API documents"),
            ("another function's", "what Kayran answered is not what its API documents"),
            ("error as a string", "what Kayran answered is not what its API documents"),
            ("half", "what Kayran answered is not what its API documents"),
            ("oversize", "Kayran's answer was too long to be one"),
            ("redirect", "Kayran pointed to another address, where the bot sends no key"),
            ("drop before", "the line was cut before Kayran had answered"),
            ("refuse-connections", "no connection to Kayran could be made"),
        ],
    )
    def test_kayran_fails(self, stage: Stage, answer: str, told: str) -> None:
        """Nothing is ticked, all nine are said to be not known, and it says why."""
        set_flags(stage, *PARAMETERS)
        stage.kayran.next(ODD.get(answer, answer), times=5, function=PROFILE)

        modal = stage.open_form()

        assert modal.view.get("submit") is not None
        assert stage.ticked() == set()
        assert not_known(stage) == set(PARAMETERS)
        assert f"Kayran could not be asked what is set now: {told}." in stage.form_texts()
        assert "<!DOCTYPE" not in stage.form_texts()
        opened = stage.slack.wait_for_call("views.open")
        filled = stage.slack.wait_for_call("views.update")
        assert filled.at - opened.at < 2.5

    def test_kayran_refuses_in_nasty_words(self, stage: Stage) -> None:
        """Its words stand in the form cut, escaped, and between quotation marks."""
        stage.kayran.next(refuse(f"{NASTY_REASON}\n\u202e{'x' * 900}"), function=PROFILE)

        stage.open_form()

        said = stage.form_texts()
        assert "“Not valid &lt;!channel&gt; &lt;@U0ADMIN&gt;" in said
        assert not any(odd in said for odd in ("<!channel>", "<@U0ADMIN>", "`", "\u202e"))
        assert "x" * 200 not in said

    def test_what_is_on_record_is_shown_when_kayran_is_silent(self, stage: Stage) -> None:
        """Then all nine are as last set from here, and said to be."""
        stage.change(ADMIN, mailStop=True, mailPause=True)
        stage.kayran.next("500", function=PROFILE)

        stage.open_form()

        assert stage.ticked() == {"mailStop", "mailPause"}
        assert "as last set here by" in stage.form_texts()
        assert not_known(stage) == set()

    def test_saving_what_nobody_knew(self, stage: Stage) -> None:
        """A form opened while Kayran was silent is saved once Kayran agrees with what it showed."""
        stage.kayran.next("500", function=PROFILE)
        stage.open_form()

        delivery = stage.save(ADMIN, mailStop=True)

        assert delivery.error is None
        assert stage.slack.modal(ADMIN) is None
        stage.wait_for(stage.results, "the result")
        assert stage.kayran.flags["mailStop"] is True

    def test_saving_blindly_is_no_saving(self, stage: Stage) -> None:
        """A form opened while Kayran was silent comes back once Kayran says that something was on."""
        set_flags(stage, "mailDelete")
        stage.kayran.next("500", function=PROFILE)
        stage.open_form()

        stage.save(ADMIN, mailStop=True)

        assert stage.ticked() == {"mailDelete", "mailStop"}
        assert words.came_back() in stage.form_texts()
        assert stage.sent_to_kayran() == []


class TestWhatItSends:
    """Nine of nine, exactly."""

    @pytest.mark.parametrize(
        "on",
        [(), ("mailStop",), PARAMETERS, ("mailPause", "mailUnpause", "mailCompleted")],
        ids=["none", "one", "all", "the three"],
    )
    def test_exactly_nine_parameters(self, stage: Stage, on: tuple[str, ...]) -> None:
        """Every name is there, each ``on`` or ``off``, with the key and nothing else."""
        stage.change(ADMIN, SCANS, **{parameter: parameter in on for parameter in PARAMETERS})

        [call] = stage.kayran.calls_of(UPDATE)
        assert call.parameters == {p: "on" if p in on else "off" for p in PARAMETERS}
        assert call.key_ok
        assert call.headers["content-type"] == "application/json"
        assert call.result == "applied"
        assert stage.kayran.flags == {p: p in on for p in PARAMETERS}

    def test_none_ticked_is_a_legal_answer(self, stage: Stage) -> None:
        """Slack's client sends a form with no box ticked, and the bot takes it, with a warning."""
        set_flags(stage, "mailStop", "mailQueue")
        result = stage.change(ADMIN, mailStop=False, mailQueue=False)

        assert set(stage.sent_to_kayran()[0].values()) == {"off"}
        assert words.all_off() in result.text

    def test_a_form_saved_as_it_came(self, stage: Stage) -> None:
        """Saving sets all nine also where nothing was touched."""
        set_flags(stage, "mailStop")
        stage.change(ADMIN, mailPause=True)
        set_flags(stage, "mailStop", "mailPause")

        result = stage.change(ADMIN)

        sent = stage.sent_to_kayran()
        assert sent[0] == sent[1]
        assert "Nothing differs from what was known before" in result.text


class TestWhatItCarries:
    """``private_metadata`` goes through other hands: no secret in it, and no authority."""

    def tampered(self, stage: Stage, **carried: object) -> dict[str, Any]:
        """What Slack would send if the form's metadata were changed on the way."""
        payload = stage.slack.submission(ADMIN)
        metadata = json.loads(payload["view"]["private_metadata"])
        payload["view"]["private_metadata"] = json.dumps(metadata | carried)
        return payload

    def test_no_secret_in_clear(self, stage: Stage) -> None:
        """Neither key nor token."""
        modal = stage.open_form()
        metadata = modal.view["private_metadata"]

        assert stage.environ["KAYRAN_API_KEY"] not in metadata
        assert stage.environ["SLACK_BOT_TOKEN"] not in metadata
        assert len(metadata) < 3000

    def test_it_lets_nobody_in(self, stage: Stage) -> None:
        """Whatever it carries, whoever submits is decided on by Slack's word alone."""
        stage.open_form()
        stage.slack.workspace.people[ADMIN].update(is_admin=False)
        payload = self.tampered(stage, user=SECOND_ADMIN, role="primary_owner", allowed=True)

        stage.slack.submit(ADMIN, payload)

        assert "You are a member." in stage.form_texts()
        assert stage.sent_to_kayran() == []

    @pytest.mark.parametrize(
        "carried",
        [{"shown": "x"}, {"number": "1"}, {"channel": ""}, {"form": None}, {"origin": "root"}],
        ids=repr,
    )
    def test_metadata_of_another_shape(self, stage: Stage, carried: dict[str, object]) -> None:
        """It is taken for a form of an older release, and nothing is sent."""
        stage.open_form()

        delivery = stage.slack.submit(ADMIN, self.tampered(stage, **carried))

        assert delivery.error is None
        assert words.older_release() in stage.form_texts()
        assert stage.sent_to_kayran() == []

    def test_an_address_that_is_not_slacks(self, stage: Stage) -> None:
        """It is never posted to: the result goes another way."""
        stage.open_form(ADMIN, BOARD)
        stage.slack.tick(ADMIN, mailStop=True)
        elsewhere = f"{stage.kayran.url}/somewhere"
        stage.slack.submit(ADMIN, self.tampered(stage, response_url=elsewhere))
        dm = stage.slack.workspace.app_dm(ADMIN).id
        told = stage.wait_for(lambda: stage.slack.workspace.messages(dm), "a direct message")

        assert "is applied" in told[0].text
        assert stage.slack.calls_of("response_url") == []

    @pytest.mark.parametrize(
        "carried",
        [
            {"number": 10**30},
            {"number": -1},
            {"origin_change": 999, "origin": "undo"},
            {"origin_change": 10**30, "origin": "undo"},
            {"form": "x" * 2000},
            {"channel": "C" * 2000},
            {"thread": "no such thread"},
        ],
        ids=lambda carried: str(carried)[:40],
    )
    def test_metadata_that_lies(self, stage: Stage, carried: dict[str, object]) -> None:
        """However it lies, Slack gets an answer that it can use, and the bot serves on."""
        stage.open_form()
        stage.slack.tick(ADMIN, mailStop=True)

        delivery = stage.slack.submit(ADMIN, self.tampered(stage, **carried))
        modal = stage.slack.modal(ADMIN)

        assert delivery.status == 200
        assert modal is None or modal.banner is None
        stage.slack.close(ADMIN)
        assert "applied" in stage.change(SECOND_ADMIN, mailQueue=True).text

    def test_another_teams_submit(self, stage: Stage) -> None:
        """A form that is sent from another team is refused, and nobody is asked about."""
        stage.open_form()
        asked = len(stage.slack.calls_of("users.info"))

        stage.slack.submit(ADMIN, {"team": {"id": OTHER_TEAM, "domain": "elsewhere"}})

        assert "Your account belongs to another workspace." in stage.form_texts()
        assert len(stage.slack.calls_of("users.info")) == asked
        assert stage.sent_to_kayran() == []

    def test_the_team_where_slack_names_none(self, stage: Stage) -> None:
        """Where ``team`` is null the person's own counts, which is this one."""
        stage.open_form()

        delivery = stage.slack.submit(ADMIN, {"team": None})

        assert delivery.error is None
        assert stage.slack.modal(ADMIN) is None


class TestFormsOfOlderReleases:
    """What this release does not know gets a sentence, not an error."""

    @pytest.mark.parametrize("callback_id", ["kayran_form_v0", form.ANSWER_CALLBACK_ID, "x" * 255])
    def test_a_form_of_another_name(self, stage: Stage, callback_id: str) -> None:
        """Its answer takes the form's place."""
        stage.open_form()
        payload = stage.slack.submission(ADMIN)
        payload["view"]["callback_id"] = callback_id

        delivery = stage.slack.submit(ADMIN, payload)

        assert delivery.error is None
        assert words.older_release() in stage.form_texts()

    def test_a_form_with_other_boxes(self, stage: Stage) -> None:
        """A form of this name with boxes of an older release is not guessed at."""
        stage.open_form()
        payload = stage.slack.submission(ADMIN)
        payload["view"]["state"]["values"] = {"all": {"ticks": {"selected_options": []}}}

        delivery = stage.slack.submit(ADMIN, payload)

        assert delivery.error is None
        assert words.older_release() in stage.form_texts()
        assert stage.sent_to_kayran() == []

    def test_a_form_without_blocks(self, stage: Stage) -> None:
        """Odd as it is, it gets an answer."""
        stage.open_form()
        payload = stage.slack.submission(ADMIN)
        payload["view"]["blocks"] = []
        stage.slack.faults.next("users.info", Fault.error("user_not_found"))
        body = urlencode({"payload": json.dumps(payload)}).encode()

        delivery = stage.slack.deliver(body)

        assert delivery.status == 200
        assert stage.sent_to_kayran() == []
