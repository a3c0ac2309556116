"""The words after ``/kayran-notify``: what answers them, to whom, and that only a save changes anything."""

from __future__ import annotations

import itertools

import pytest

from bot.notifications import NOTIFICATIONS
from bot.sandbox.cast import (
    ADMIN,
    DEACTIVATED_ADMIN,
    FOREIGN_ADMIN,
    GUEST,
    MEMBER,
    OTHER_BOT,
    OWNER,
    SCANS,
    SECOND_ADMIN,
    STRANGER,
    TEAM_DOMAIN,
)
from bot.sandbox.kayran import UPDATE
from bot.sandbox.messages import Ephemeral
from bot.slack.opening import OPEN_FORM_ACTION_ID
from bot.slack.receipt import UNDO_ACTION_ID
from tests.stage import Stage
from tests.standins import Fault, texts, ticked

MAY_NOT = [MEMBER, GUEST, DEACTIVATED_ADMIN, OTHER_BOT, STRANGER, FOREIGN_ADMIN]
REPORTED = {n.parameter for n in NOTIFICATIONS} - {"mailCompleted", "mailPause", "mailUnpause"}
WORDS = ["status", "history", "on aborted", "off queue", "only stop", "all", "none", "on", "abortd"]


def typed(stage: Stage, text: str, user: str = ADMIN) -> Ephemeral:
    """What only this person is answered, once they are."""
    before = len(stage.slack.workspace.ephemerals(user))
    delivery = stage.slack.command(user, SCANS, text)
    assert delivery.error is None, delivery
    return stage.wait_for(
        lambda: next(iter(stage.slack.workspace.ephemerals(user)[before:]), None), "an answer"
    )


def proposed(stage: Stage, text: str, user: str = ADMIN) -> str:
    """What the form says that these words open."""
    before = stage.slack.modal(user)
    assert stage.slack.command(user, SCANS, text).error is None
    stage.wait_for(lambda: stage.loaded(user, before), "the form")
    return stage.form_texts(user)


class TestWhoMay:
    """Decided afresh for each; ``help`` alone answers everybody."""

    @pytest.mark.parametrize("text", WORDS)
    def test_whoever_may_not(self, stage: Stage, text: str) -> None:
        """They are told so, alone; Kayran is asked nothing, and it is on record."""
        for user in MAY_NOT:
            assert stage.slack.command(user, SCANS, text).error is None
        stage.eventually(lambda: len(stage.denials()) == len(MAY_NOT), "the denials")

        def told(user: str) -> str:
            modal = stage.slack.modal(user)
            return "\n".join([*stage.private_words(user), *(texts(modal) if modal else [])])

        for user in MAY_NOT:
            stage.wait_for(lambda user=user: "Ask one of them." in told(user), "the no")  # type: ignore[misc]
        assert {row["user_id"] for row in stage.denials()} == set(MAY_NOT)
        assert {row["step"] for row in stage.denials()} == {"command"}
        assert stage.kayran.calls == []

    @pytest.mark.parametrize("text", ["help", " HELP ", "?", "help me"])
    @pytest.mark.parametrize("user", [ADMIN, *MAY_NOT])
    def test_help(self, stage: Stage, user: str, text: str) -> None:
        """It says who may, what can be typed and whom to ask; nobody is asked anything for it."""
        answer = typed(stage, text, user).text

        assert answer.startswith("Workspace admins and owners can choose")
        assert "`status`" in answer
        assert "ask whoever runs the bot" in answer
        assert stage.slack.calls_of("users.info") == []
        assert (stage.kayran.calls, stage.denials()) == ([], [])


class TestStatus:
    """What is set, where that comes from, and who set it last."""

    def test_before_anything_was_changed(self, stage: Stage) -> None:
        """What Kayran says, and whose mailbox it is, masked."""
        stage.kayran.set_flag("mailStop", True)

        answer = typed(stage, "status")

        assert "…" in answer.text.splitlines()[0]
        assert "On: Stop.\nOff: Queue, Schedule, Status, Aborted and Delete." in answer.text
        assert "Not known: Pause, Unpause and Completed." in answer.text
        assert answer.text.count("Read from Kayran just now") == 1
        assert stage.results() == stage.parents() == []

    def test_after_a_change_and_another_outside(self, stage: Stage) -> None:
        """The last change made here, by whom, and what is otherwise by now."""
        stage.open_form(OWNER)
        stage.choose(OWNER, mailCompleted=True, mailPause=False, mailUnpause=False)
        stage.save(OWNER, mailStop=True)
        stage.wait_for(stage.results, "the result")
        assert "Changed outside Slack" not in typed(stage, "status").text
        stage.kayran.set_flag("mailQueue", True)

        answer = typed(stage, "status").text

        assert "On: Queue, Completed and Stop." in answer
        assert "Changed outside Slack since the last change made here: *Queue* on." in answer
        assert f"change 1: <@{OWNER}> turned *Stop* on" in answer
        assert "✅ Applied." in answer


class TestProposals:
    """Words that open the form with something laid over what is true."""

    def test_the_form_opens_with_it(self, stage: Stage) -> None:
        """It says what is proposed, on top, and nothing is sent before Save."""
        stage.kayran.set_flag("mailStop", True)
        first = proposed(stage, "on Aborted, mailStop")

        assert first.splitlines()[1] == "Proposed: *Aborted* off → on."
        assert stage.ticked() == {"mailStop", "mailAborted"}
        assert stage.sent_to_kayran() == []
        stage.choose(mailCompleted=False, mailPause=False, mailUnpause=False)
        assert stage.slack.submit(ADMIN).error is None
        [result] = stage.wait_for(stage.results, "the result")
        assert "*Aborted* is on, checked in Kayran." in result.text
        assert {p for p, on in stage.kayran.flags.items() if on} == {"mailStop", "mailAborted"}

    @pytest.mark.parametrize(
        ("text", "chosen"),
        [
            ("off stop", set()),
            (
                "only delete pause",
                {"mailDelete", "mailCompleted=off", "mailPause=on", "mailUnpause=off"},
            ),
            ("all", {*REPORTED, "mailCompleted=on", "mailPause=on", "mailUnpause=on"}),
            ("NONE", {"mailCompleted=off", "mailPause=off", "mailUnpause=off"}),
        ],
    )
    def test_what_is_chosen_then(self, stage: Stage, text: str, chosen: set[str]) -> None:
        """What is not named stays as it is; for ``only``, ``all`` and ``none`` all nine are named."""
        stage.kayran.set_flag("mailStop", True)

        said = proposed(stage, text)

        modal = stage.slack.modal(ADMIN)
        assert modal is not None
        assert ticked(modal) == chosen
        assert said.count("Proposed: ") == 1

    @pytest.mark.parametrize(
        ("text", "nearest"),
        [("on abortd", "aborted"), ("statsu", "status"), ("on", "on aborted"), ("payload", None)],
    )
    def test_what_can_not_be_read(self, stage: Stage, text: str, nearest: str | None) -> None:
        """The nearest that can, and help; nothing is opened and nothing asked of Kayran."""
        answer = typed(stage, text).text

        assert ("nearest" in answer) is (nearest is not None)
        assert f"`{nearest}`" in answer or nearest is None
        assert "`/kayran-notify help`" in answer
        assert stage.slack.calls_of("views.open") == []
        assert stage.kayran.calls == []

    def test_slack_does_not_open_it(self, stage: Stage) -> None:
        """The button that stands in its place opens it as it was typed."""
        stage.slack.faults.next("views.open", Fault.error("expired_trigger_id"))
        answer = typed(stage, "on aborted")

        stage.slack.press_ephemeral(ADMIN, answer.id, OPEN_FORM_ACTION_ID)
        stage.wait_for(stage.loaded, "the form")

        assert "Proposed: *Aborted* off → on." in stage.form_texts()


class TestHistory:
    """The last ten changes and denials, for those who may."""

    def test_nothing_yet(self, stage: Stage) -> None:
        """That is said too."""
        assert typed(stage, "history").text == "Nothing is on record yet."

    def test_what_it_tells(self, stage: Stage) -> None:
        """Who, what, how it ended, whether it was undone and where; newest first."""
        stage.open_form()
        stage.choose(mailCompleted=True, mailPause=False, mailUnpause=False)
        stage.save(ADMIN, mailStop=True)
        first = stage.wait_for(stage.results, "the result")[0]
        stage.press(first, UNDO_ACTION_ID, OWNER)
        stage.wait_for(lambda: len(stage.results()) == 2, "the undo")
        stage.kayran.next("refuse", function=UPDATE)
        stage.change(SECOND_ADMIN, mailDelete=True)
        typed(stage, "status", MEMBER)

        denied, refused, undo, undone = texts(typed(stage, "history"))[:4]

        assert denied.endswith(f"<@{MEMBER}> was told no (role not allowed, member).")
        assert (
            f"change 3: <@{SECOND_ADMIN}> wanted to turn *Delete* on. ❌ Kayran refused" in refused
        )
        assert f"change 2: <@{OWNER}> turned *Stop* off" in undo
        assert f"change 1: <@{ADMIN}> turned *Stop* on" in undone
        assert f"↩️ Undone by <@{OWNER}> (change 2)." in undone
        parent = stage.parents()[0].ts.replace(".", "")
        link = f"<https://{TEAM_DOMAIN}.slack.com/archives/{SCANS}/p{parent}|Thread>"
        assert link in undone
        assert link in undo

    def test_older_ones(self, stage: Stage) -> None:
        """Ten at a time; the button brings those before, and is gone from the last page."""
        for user in [MEMBER, *[GUEST] * 10]:
            typed(stage, "status", user)
        page = typed(stage, "history")
        *lines, last = texts(page)
        [older] = [b["elements"][0] for b in page.blocks if b["type"] == "actions"]

        stage.slack.press_ephemeral(ADMIN, page.id, older["action_id"])
        before = stage.wait_for(lambda: stage.slack.workspace.ephemerals(ADMIN)[1:], "the rest")

        assert (len(lines), last) == (10, "Older")
        assert all(f"<@{GUEST}>" in line for line in lines)
        [line] = texts(before[0])
        assert f"<@{MEMBER}>" in line

    def test_older_ones_for_whoever_may_no_longer(self, stage: Stage) -> None:
        """The button asks again who it is."""
        for _ in itertools.repeat(None, 11):
            typed(stage, "status", MEMBER)
        page = typed(stage, "history")
        stage.slack.workspace.people[ADMIN].update(is_admin=False)
        [action_id] = [b["elements"][0]["action_id"] for b in page.blocks if b["type"] == "actions"]

        stage.slack.press_ephemeral(ADMIN, page.id, action_id)

        stage.wait_for(lambda: "Ask one of them." in stage.private_words(ADMIN)[-1], "the no")
        assert stage.denials()[-1]["step"] == "history"
