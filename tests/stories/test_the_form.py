"""The form: what it shows of Kayran, whatever Kayran does, and what saving it sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.notifications import PARAMETERS
from bot.sandbox.cast import ADMIN, BOARD, OTHER_TEAM, SCANS, SECOND_ADMIN
from bot.sandbox.kayran import PROFILE, REPORTS, UPDATE
from bot.slack import form, words
from tests.odd_answers import NASTY_REASON, refuse
from tests.stage import Stage
from tests.standins import texts

UNREPORTED = set(PARAMETERS) - set(REPORTS.values())


def set_flags(stage: Stage, *on: str) -> None:
    """Exactly these on, in Kayran itself."""
    for parameter in PARAMETERS:
        stage.kayran.set_flag(parameter, parameter in on)


class TestWhatItShows:
    """The ticks, and where they come from."""

    def test_the_six_that_kayran_reports(self, stage: Stage) -> None:
        """They are ticked as they are; the three it does not report are to be chosen, with one reason."""
        set_flags(stage, "mailQueue", "mailDelete", "mailCompleted")

        stage.open_form()

        assert stage.ticked() == {"mailQueue", "mailDelete"}
        assert stage.unchosen() == UNREPORTED
        assert "Read from Kayran just now." in stage.form_texts()
        assert stage.form_texts().count("Kayran doesn't report these, so choose.") == 1

    def test_what_was_last_set_here(self, stage: Stage) -> None:
        """What Kayran doesn't report is ticked as last applied from here, by whom and when."""
        stage.change(SECOND_ADMIN, mailPause=True, mailStop=True)

        stage.open_form()

        assert stage.ticked() == {"mailPause", "mailStop"}
        assert stage.to_choose() == set()
        said = stage.form_texts()
        assert "except Pause, Unpause and Completed" in said
        assert f"as <@{SECOND_ADMIN}> last set them here, <!date^" in said

    def test_what_is_not_certain_is_not_known(self, brisk_stage: Stage) -> None:
        """After a change nobody is sure of, what it was to change is to be chosen again."""
        stage = brisk_stage
        stage.change(mailPause=True)
        stage.kayran.next("500", function=UPDATE)
        stage.change(mailPause=False)

        stage.open_form()

        assert stage.unchosen() == {"mailPause"}


class TestKayranDoesNotSay:
    """The form opens all the same, and says what the matter is."""

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            ("hang", "Kayran didn't answer in time"),
            ("500", "Kayran's answer can't be read"),
            ("refuse-connections", "Kayran can't be reached"),
        ],
    )
    def test_kayran_fails(self, stage: Stage, answer: str, told: str) -> None:
        """Nothing is ticked, all nine are to be chosen, and it says why, in time."""
        set_flags(stage, *PARAMETERS)
        stage.kayran.next(answer, times=5, function=PROFILE)

        stage.open_form()

        assert stage.ticked() == set()
        assert stage.unchosen() == set(PARAMETERS)
        assert told in stage.form_texts()
        assert words.choose(PARAMETERS, silent=True) in stage.form_texts()
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


class TestOnlyWhatSomebodyChose:
    """Not known is never off: what nobody knows is chosen, or not saved."""

    def test_slacks_own_check(self, stage: Stage) -> None:
        """A choice that is missing keeps Slack from sending the form at all."""
        modal = stage.open_form()

        delivery = stage.save(leave=True, mailAborted=True, mailPause=False)

        assert delivery.error == "required"
        assert len(modal.errors) == len(UNREPORTED - {"mailPause"})
        assert stage.sent_to_kayran() == []

    def test_past_slacks_check(self, stage: Stage) -> None:
        """A form that gets here all the same comes back with an error at each choice, as it was left."""
        modal = stage.open_form()
        stage.choose(leave=True, mailAborted=True, mailPause=True)

        delivery = stage.slack.submit(ADMIN, stage.slack.submission(ADMIN))

        assert delivery.error is None
        missing = {key.partition(".")[0] for key in modal.errors}
        assert missing == UNREPORTED - {"mailPause"}
        assert set(modal.errors.values()) == {words.CHOOSE_ONE}
        assert stage.ticked() == {"mailAborted", "mailPause"}
        assert stage.sent_to_kayran() == []

    def test_all_nine_on_and_kayran_is_slow(self, stage: Stage) -> None:
        """Nine choices and the reason; asking Kayran again keeps what was chosen by then, and the rest is
        as Kayran has it.
        """
        set_flags(stage, *PARAMETERS)
        stage.kayran.next("hang", function=PROFILE)
        before = stage.open_form()
        assert stage.save(leave=True).error == "required"
        assert stage.unchosen() == set(PARAMETERS)
        assert "Kayran didn't answer in time" in stage.form_texts()
        stage.choose(leave=True, mailStop=False, mailPause=True)

        stage.slack.press_in_modal(ADMIN, form.ASK_AGAIN_ACTION_ID)
        stage.wait_for(lambda: stage.to_choose() == UNREPORTED, "the form to be built anew")

        assert stage.modal() is before
        assert stage.ticked() == set(REPORTS.values()) - {"mailStop"} | {"mailPause"}
        assert stage.unchosen() == {"mailUnpause", "mailCompleted"}
        assert stage.save(mailUnpause=True, mailCompleted=True).error is None
        stage.wait_for(stage.results, "the result")
        assert {p for p, on in stage.kayran.flags.items() if not on} == {"mailStop"}

    def test_what_one_wants_is_all_that_is_touched(self, stage: Stage) -> None:
        """With Completed on in Kayran, unreported, whoever ticks Aborted alone has to say what becomes of
        it; the channel hears what was set without being known, and Undo leaves that as it is.
        """
        set_flags(stage, "mailCompleted")
        stage.open_form()
        assert stage.save(leave=True, mailAborted=True).error == "required"

        stage.save(mailCompleted=True)
        [result] = stage.wait_for(stage.results, "the result")
        [parent] = stage.parents()

        assert "*Aborted* on" in parent.text
        assert "*Completed* on (not known before)" in parent.text
        assert "*Pause* and *Unpause* off" in parent.text
        assert "*Completed* is on: Kayran took it, but doesn't report Pause, Unpause" in result.text
        stage.press(result, "undo_change")
        [_, undone] = stage.wait_for(lambda: stage.results()[1:] and stage.results(), "the undo")
        assert stage.kayran.flags == {p: p == "mailCompleted" for p in PARAMETERS}
        assert "*Completed* stays on: what they were before isn't known." in undone.text
        assert "*Pause* and *Unpause* stay off" in undone.text

    def test_saving_what_nobody_knew(self, stage: Stage) -> None:
        """A form opened while Kayran was silent is saved once Kayran agrees with what was chosen."""
        stage.kayran.next("500", function=PROFILE)
        stage.open_form()

        stage.save(ADMIN)

        assert stage.slack.modal(ADMIN) is None
        stage.wait_for(stage.results, "the result")

    def test_choosing_blindly(self, stage: Stage) -> None:
        """It comes back once Kayran says otherwise than was chosen, and says where."""
        set_flags(stage, "mailDelete")
        stage.kayran.next("500", function=PROFILE)
        stage.open_form()

        stage.save(ADMIN, mailStop=True)

        assert words.CAME_BACK in stage.form_texts()
        elsewhere = {"mailStop": False, "mailDelete": True}
        assert words.changed_in_kayran(elsewhere) in stage.form_texts()
        assert stage.sent_to_kayran() == []

    def test_a_role_lost_before_asking_again(self, stage: Stage) -> None:
        """Whoever may no longer is shown nothing of what Kayran says by then."""
        stage.kayran.next("500", function=PROFILE)
        stage.open_form()
        stage.slack.workspace.people[ADMIN].update(is_admin=False)

        stage.slack.press_in_modal(ADMIN, form.ASK_AGAIN_ACTION_ID)
        stage.wait_for(lambda: "You're a member." in stage.form_texts(), "the refusal")

        assert "@example.com" not in stage.form_texts()
        assert [denial["step"] for denial in stage.denials()] == ["form"]


class TestNothingToChange:
    """A save that changes nothing sends, posts and records nothing, unless somebody wants it."""

    def nothing(self, stage: Stage) -> None:
        """Save a form as it came, with all nine known."""
        stage.change(mailPause=True)
        stage.kayran.set_flag("mailPause", False)  # Unreported: nobody here knows.
        stage.open_form()
        assert stage.slack.submit(ADMIN).error is None

    def test_it_says_so(self, stage: Stage) -> None:
        """The form turns into that, and that is all."""
        self.nothing(stage)

        assert words.NOTHING_TO_CHANGE in stage.form_texts()
        assert len(stage.sent_to_kayran()) == 1
        assert len(stage.parents()) == 1
        with stage.store() as store:
            assert store.change(2) is None

    def test_send_anyway(self, stage: Stage) -> None:
        """All nine are sent as they were shown, and told as any change; there is nothing to undo."""
        self.nothing(stage)

        stage.slack.press_in_modal(ADMIN, form.SEND_ANYWAY_ACTION_ID)
        [_, result] = stage.wait_for(lambda: stage.results()[1:] and stage.results(), "the result")

        stage.eventually(stage.all_is_told, "everything to be told")
        assert words.SENT_ANYWAY in stage.form_texts()
        assert stage.kayran.flags["mailPause"] is True
        assert "sent all nine again as they were" in stage.parents()[1].text
        assert "All nine were sent again as they were." in result.text
        assert words.UNDO not in texts(result)

    def test_send_anyway_too_late(self, stage: Stage) -> None:
        """What was changed meanwhile is not overwritten unseen: the form comes back."""
        self.nothing(stage)
        stage.change(SECOND_ADMIN, mailDelete=True)

        stage.slack.press_in_modal(ADMIN, form.SEND_ANYWAY_ACTION_ID)
        stage.wait_for(lambda: words.CAME_BACK in stage.form_texts(), "the form")

        assert stage.ticked() == {"mailPause", "mailDelete"}
        assert len(stage.sent_to_kayran()) == 2


class TestWhatItSends:
    """Nine of nine, exactly."""

    @pytest.mark.parametrize(
        "on", [(), PARAMETERS, ("mailStop", "mailPause")], ids=["none", "all", "some"]
    )
    def test_exactly_nine_parameters(self, stage: Stage, on: tuple[str, ...]) -> None:
        """Every name is there, each ``on`` or ``off``, with the key and nothing else."""
        set_flags(stage, "mailStop", "mailQueue")
        stage.change(ADMIN, SCANS, **{parameter: parameter in on for parameter in PARAMETERS})

        [call] = stage.kayran.calls_of(UPDATE)
        assert call.parameters == {p: "on" if p in on else "off" for p in PARAMETERS}
        assert call.key_ok
        assert call.headers["content-type"] == "application/json"
        assert call.result == "applied"
        assert ("Kayran sends no e-mails" in stage.results()[0].text) is not bool(on)


class TestWhatItCarries:
    """``private_metadata`` goes through other hands: no secret in it, and no authority."""

    def tampered(self, stage: Stage, **carried: object) -> dict[str, Any]:
        """What Slack would send if the form's metadata were changed on the way."""
        payload = stage.slack.submission(ADMIN)
        metadata = json.loads(payload["view"]["private_metadata"])
        payload["view"]["private_metadata"] = json.dumps(metadata | carried)
        return payload

    def test_it_lets_nobody_in(self, stage: Stage) -> None:
        """Whatever it carries, whoever submits is decided on by Slack's word alone."""
        stage.open_form()
        stage.choose()
        stage.slack.workspace.people[ADMIN].update(is_admin=False)
        payload = self.tampered(stage, user=SECOND_ADMIN, role="primary_owner", allowed=True)

        stage.slack.submit(ADMIN, payload)

        assert "You're a member." in stage.form_texts()
        assert stage.sent_to_kayran() == []

    def test_an_address_that_is_not_slacks(self, stage: Stage) -> None:
        """It is never posted to: the result goes another way."""
        stage.open_form(ADMIN, BOARD)
        stage.choose(ADMIN, mailStop=True)
        elsewhere = f"{stage.kayran.url}/somewhere"
        stage.slack.submit(ADMIN, self.tampered(stage, response_url=elsewhere))
        dm = stage.slack.workspace.app_dm(ADMIN).id
        told = stage.wait_for(lambda: stage.slack.workspace.messages(dm), "a direct message")

        assert "checked in Kayran" in told[0].text
        assert stage.slack.calls_of("response_url") == []

    @pytest.mark.parametrize(
        "carried",
        [
            {"number": 10**18},
            {"origin_change": 999, "origin": "undo"},
        ],
        ids=lambda carried: str(carried)[:40],
    )
    def test_metadata_that_lies(self, stage: Stage, carried: dict[str, object]) -> None:
        """However it lies, Slack gets an answer that it can use, and the bot serves on."""
        stage.open_form()
        stage.choose(ADMIN, mailStop=True)

        delivery = stage.slack.submit(ADMIN, self.tampered(stage, **carried))
        modal = stage.slack.modal(ADMIN)

        assert delivery.status == 200
        assert modal is None or modal.banner is None
        stage.slack.close(ADMIN)
        stage.change(SECOND_ADMIN, mailQueue=True)
        stage.wait_for(lambda: stage.kayran.flags["mailQueue"], "the next change")

    def test_another_teams_submit(self, stage: Stage) -> None:
        """A form that is sent from another team is refused, and nobody is asked about."""
        stage.open_form()
        stage.choose()
        asked = len(stage.slack.calls_of("users.info"))

        stage.slack.submit(ADMIN, {"team": {"id": OTHER_TEAM, "domain": "elsewhere"}})

        assert "Your account is from another workspace." in stage.form_texts()
        assert len(stage.slack.calls_of("users.info")) == asked
        assert stage.sent_to_kayran() == []


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
        assert words.OLDER_RELEASE in stage.form_texts()

    def test_a_form_without_the_newest_notification(self, stage: Stage) -> None:
        """It comes back with that one in it, and what was ticked is kept."""
        stage.open_form()
        stage.choose(ADMIN, mailStop=True)
        payload = stage.slack.submission(ADMIN)
        view = payload["view"]
        shown = json.loads(view["private_metadata"])["shown"]
        metadata = view["private_metadata"].replace(shown, shown[:-1])

        stage.slack.submit(ADMIN, {"view": {**view, "private_metadata": metadata}})

        assert words.CAME_BACK in stage.form_texts()
        assert stage.ticked(ADMIN) >= {"mailStop"}
        stage.save()
        [sent] = stage.wait_for(stage.sent_to_kayran, "the call")
        assert sent["mailStop"] == "on"

    def test_a_form_with_other_boxes(self, stage: Stage) -> None:
        """A form of this name with boxes of an older release is not guessed at."""
        stage.open_form()
        payload = stage.slack.submission(ADMIN)
        payload["view"]["state"]["values"] = {"all": {"ticks": {"selected_options": []}}}

        delivery = stage.slack.submit(ADMIN, payload)

        assert delivery.error is None
        assert words.OLDER_RELEASE in stage.form_texts()
        assert stage.sent_to_kayran() == []
