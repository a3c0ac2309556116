"""The words after ``/kayran-notify``: what answers them, to whom, and that only a save changes anything.

How they are read is in ``tests.test_commands``.
"""

from __future__ import annotations

import pytest

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
from tests.standins import Fault, buttons, texts

MAY_NOT = [MEMBER, GUEST, DEACTIVATED_ADMIN, OTHER_BOT, STRANGER, FOREIGN_ADMIN]
WORDS = ["status", "history", "on aborted", "off queue", "only stop", "all", "none", "on", "abortd"]


def typed(stage: Stage, text: str, user: str = ADMIN) -> Ephemeral:
    """What only this person is answered, once they are."""
    before = len(stage.slack.workspace.ephemerals(user))
    delivery = stage.slack.command(user, SCANS, text)
    assert delivery.error is None, delivery
    return stage.eventually(
        lambda: next(iter(stage.slack.workspace.ephemerals(user)[before:]), None), "an answer"
    )


# Who may is decided afresh for each; ``help`` alone answers everybody


@pytest.mark.parametrize("text", WORDS)
def test_whoever_may_not(stage: Stage, text: str) -> None:
    """They are told so, alone; Kayran is asked nothing, and it is on record."""
    for user in MAY_NOT:
        assert stage.slack.command(user, SCANS, text).error is None

    def told(user: str) -> str:
        modal = stage.slack.modal(user)
        return "\n".join([*stage.private_words(user), *(texts(modal) if modal else [])])

    stage.eventually(lambda: all("Ask one of them." in told(user) for user in MAY_NOT), "the noes")
    assert {(row["user_id"], row["step"]) for row in stage.denials()} == {
        (user, "command") for user in MAY_NOT
    }
    assert stage.kayran.calls == []


@pytest.mark.parametrize("text", ["help", " HELP ", "?", "help me"])
@pytest.mark.parametrize("user", [ADMIN, *MAY_NOT])
def test_help(stage: Stage, user: str, text: str) -> None:
    """It says who may, what can be typed and whom to ask; nobody is asked anything for it."""
    answer = typed(stage, text, user).text

    assert answer.startswith("Workspace admins and owners can choose")
    assert "`status`" in answer
    assert "ask whoever runs the bot" in answer
    assert stage.slack.calls_of("users.info") == []
    assert (stage.kayran.calls, stage.denials()) == ([], [])


# What is set, where that comes from, and who set it last


def test_status_before_anything_was_changed(stage: Stage) -> None:
    """What Kayran says, and whose mailbox it is, masked."""
    stage.kayran.set_flag("mailStop", True)

    answer = typed(stage, "status").text

    assert "…" in answer.splitlines()[0]
    assert "On: Stop.\nOff: Queue, Schedule, Status, Aborted and Delete." in answer
    assert "Not known: Pause, Unpause and Completed." in answer
    assert answer.count("Read from Kayran just now") == 1
    assert stage.results() == stage.parents() == []


def test_status_after_a_change_and_another_outside(stage: Stage) -> None:
    """The last change made here, by whom, and what is otherwise by now."""
    stage.change(OWNER, mailStop=True, mailCompleted=True)
    assert "Changed outside Slack" not in typed(stage, "status").text
    stage.kayran.set_flag("mailQueue", True)

    answer = typed(stage, "status").text

    assert "On: Queue, Completed and Stop." in answer
    assert "Changed outside Slack since the last change made here: *Queue* on." in answer
    assert f"change 1: <@{OWNER}> turned *Stop* on" in answer
    assert "✅ Applied." in answer


# Words that open the form with something laid over what is true


def test_a_proposal(stage: Stage) -> None:
    """The form says what is proposed, on top, and nothing is sent before Save."""
    stage.kayran.set_flag("mailStop", True)
    assert stage.slack.command(ADMIN, SCANS, "on Aborted, mailStop").error is None
    stage.form()

    assert stage.form_texts().splitlines()[1] == "Proposed: *Aborted* off → on."
    assert stage.ticked() == {"mailStop", "mailAborted"}
    assert stage.sent_to_kayran() == []
    assert stage.save().error is None
    assert "*Aborted* is on, checked in Kayran." in stage.result().text
    assert {p for p, on in stage.kayran.flags.items() if on} == {"mailStop", "mailAborted"}


@pytest.mark.parametrize(
    ("text", "nearest"), [("on abortd", "aborted"), ("on", "on aborted"), ("payload=x", None)]
)
def test_what_can_not_be_read(stage: Stage, text: str, nearest: str | None) -> None:
    """The nearest that can, and help; nothing is opened and nothing asked of Kayran."""
    answer = typed(stage, text).text

    assert ("nearest" in answer) is (nearest is not None)
    assert f"`{nearest or text}`" in answer
    assert "`/kayran-notify help`" in answer
    assert stage.slack.calls_of("views.open") == []
    assert stage.kayran.calls == []


def test_slack_does_not_open_it(stage: Stage) -> None:
    """The button that stands in its place opens it as it was typed."""
    stage.slack.faults.next("views.open", Fault.error("expired_trigger_id"))
    answer = typed(stage, "on aborted")

    stage.slack.press_ephemeral(ADMIN, answer.id, OPEN_FORM_ACTION_ID)
    stage.form()

    assert "Proposed: *Aborted* off → on." in stage.form_texts()


# The last ten changes and denials


def test_history(stage: Stage) -> None:
    """Who, what, how it ended, whether it was undone and where; newest first. Before anything is on
    record, that is said.
    """
    assert typed(stage, "history").text == "Nothing is on record yet."
    stage.press(stage.change(mailStop=True), UNDO_ACTION_ID, OWNER)
    stage.result(2)
    stage.kayran.next("refuse", function=UPDATE)
    stage.change(SECOND_ADMIN, mailDelete=True)
    stage.have_all_told()
    typed(stage, "status", MEMBER)

    denied, refused, undo, undone = texts(typed(stage, "history"))[:4]

    assert denied.endswith(f"<@{MEMBER}> was told no (role not allowed, member).")
    assert f"change 3: <@{SECOND_ADMIN}> wanted to turn *Delete* on. ❌ Kayran refused" in refused
    assert f"change 2: <@{OWNER}> turned *Stop* off" in undo
    assert f"change 1: <@{ADMIN}> turned *Stop* on" in undone
    assert f"↩️ Undone by <@{OWNER}> (change 2)." in undone
    parent = stage.parents()[0].ts.replace(".", "")
    link = f"<https://{TEAM_DOMAIN}.slack.com/archives/{SCANS}/p{parent}|Thread>"
    assert link in undone
    assert link in undo


def test_older_ones(stage: Stage) -> None:
    """Ten at a time; the button brings those before, is gone from the last page, and asks again who it is."""
    for user in [MEMBER, *[GUEST] * 10]:
        typed(stage, "status", user)
    page = typed(stage, "history")
    *lines, last = texts(page)
    [older] = buttons(page)

    stage.slack.press_ephemeral(ADMIN, page.id, older)
    [before] = stage.eventually(lambda: stage.slack.workspace.ephemerals(ADMIN)[1:], "the rest")
    stage.slack.workspace.people[ADMIN].update(is_admin=False)
    stage.slack.press_ephemeral(ADMIN, page.id, older)

    assert (len(lines), last) == (10, "Older")
    assert all(f"<@{GUEST}>" in line for line in lines)
    [line] = texts(before)
    assert f"<@{MEMBER}>" in line
    stage.eventually(lambda: "Ask one of them." in stage.told(), "the no")
    assert stage.denials()[-1]["step"] == "history"
