"""Whatever Kayran does, the thread says what is true, tells no secret, and the bot serves on."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import logs
from bot.change import Outcome
from bot.changes import READ_BACK_SECONDS
from bot.kayran import Limits
from bot.sandbox.cast import ADMIN, BOARD, MEMBER
from bot.sandbox.kayran import UNREACHABLE, UPDATE, React
from bot.sandbox.messages import Ephemeral, Message
from bot.slack.receipt import UNDO_ACTION_ID
from tests.odd_answers import NASTY_REASON, ODD, busy, hang_applied, refuse
from tests.stage import Stage
from tests.stage import stage as a_stage
from tests.standins import Fault
from tests.stories.conftest import BRISK

METADATA = re.compile(r'"private_metadata": "(\\.|[^"\\])*"')
TOLD_WITHIN = 45.0
"""Seconds in which a result has to be in the thread."""

Case = tuple[str, list[str | React], Outcome, str]
READ_BACK = "but reading back shows the change."
CASES: list[Case] = [
    ("refuses", [refuse(NASTY_REASON)], Outcome.REFUSED, "`Not valid &lt;!channel"),
    ("500", ["500"], Outcome.UNSURE, "Kayran's answer can't be read"),
    ("502", [ODD["502"]], Outcome.APPLIED, "checked in Kayran"),
    ("503, always", [busy(503, 0)] * 9, Outcome.UNSURE, "Kayran's answer can't be read"),
    ("429, a minute", [busy(429, 60)], Outcome.UNSURE, "Kayran's answer can't be read"),
    ("hang", ["hang"], Outcome.UNSURE, "Kayran didn't answer in time"),
    ("hang, applied", [hang_applied], Outcome.APPLIED, READ_BACK),
    ("drop", ["drop"], Outcome.APPLIED, "checked in Kayran"),
    ("drop, always", ["drop"] * 9, Outcome.APPLIED, READ_BACK),
    ("drop before, always", [ODD["drop before"]] * 9, Outcome.UNSURE, "the line to Kayran broke"),
    ("oversize", [ODD["oversize"]], Outcome.APPLIED, READ_BACK),
    ("redirect", [ODD["redirect"]], Outcome.UNSURE, "Kayran pointed to another address"),
    ("half", [ODD["half"]], Outcome.APPLIED, READ_BACK),
    ("unreachable", [UNREACHABLE], Outcome.FAILED, "Kayran can't be reached"),
]
PARENTS = {
    Outcome.APPLIED: "✅ Applied.",
    Outcome.REFUSED: "❌ Kayran refused: ",
    Outcome.FAILED: "❌ Not sent: ",
    Outcome.UNSURE: "⚠️ Not certain whether it took effect.",
}
RAW = ("<!channel", "<!here", "<script", "<html", "<!DOCTYPE", "<https", "<@U0ADMIN> <")
"""What would ping, link or mislead, were it shown as it came."""


def everything_said(stage: Stage) -> Iterator[tuple[str, str]]:
    """All that left the bot for Slack, and all that people see, each with a name."""
    for call in stage.slack.calls:
        yield f"the call {call.method}", json.dumps(call.arguments, ensure_ascii=False)
    workspace = stage.slack.workspace
    seen: list[Message | Ephemeral] = []
    seen += [m for channel in list(workspace.channels) for m in workspace.messages(channel)]
    seen += [e for user in (ADMIN, MEMBER) for e in workspace.ephemerals(user)]
    for told in seen:
        yield "a message", json.dumps([told.text, told.blocks], ensure_ascii=False)
    for modal in filter(None, map(stage.slack.modal, (ADMIN, MEMBER))):
        yield "a form", json.dumps(modal.view, ensure_ascii=False)


def assert_no_secret_anywhere(stage: Stage, log: io.StringIO) -> None:
    """No secret in anything said, logged or kept, byte by byte; nor did the log need its mask."""
    names = ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "KAYRAN_API_KEY")
    path = Path(stage.environ["DATABASE_URL"].removeprefix("sqlite:///"))
    assert stage.slack.secrets
    for secret in [*(stage.environ[name] for name in names), *stage.slack.secrets]:
        for what, said in everything_said(stage):
            # A ``response_url`` is kept in Slack's own form, and nowhere else.
            kept = METADATA.sub("", said) if secret in stage.slack.secrets else said
            assert secret not in kept, what
        for file in path.parent.glob(f"{path.name}*"):
            assert secret.encode() not in file.read_bytes(), file
        assert secret not in log.getvalue()
    assert logs.MASK not in log.getvalue()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_every_answer_of_kayrans(log: io.StringIO, brisk_stage: Stage, case: Case) -> None:
    """What is said is true, harmless and tells no secret; afterwards the bot serves."""
    stage = brisk_stage
    _, answers, outcome, told = case
    stage.open_form()
    for answer in answers:
        stage.kayran.next(answer, function=UPDATE)
    stage.save(mailStop=True, mailPause=True)
    result = stage.result()
    stage.have_all_told()
    [parent] = stage.parents()

    assert told in result.text
    assert PARENTS[outcome] in parent.text
    assert stage.recorded()[0].outcome is outcome
    took_effect = stage.kayran.flags["mailStop"]
    if outcome is Outcome.APPLIED:
        assert took_effect
        assert "*Stop* is on, checked in Kayran." in result.text
        assert "*Pause* is on: Kayran took it, but doesn't report Pause" in result.text
    else:
        assert "checked in" not in result.text
        assert "Try again" in result.text
    if outcome in (Outcome.REFUSED, Outcome.FAILED):
        assert not took_effect
        assert "Nothing changed." in result.text
    assert [what for what, said in everything_said(stage) if any(raw in said for raw in RAW)] == []
    assert_no_secret_anywhere(stage, log)
    stage.kayran.clear()
    stage.kayran.release()
    assert "*Delete* is on" in stage.change(mailDelete=True).text


def test_a_result_is_there_in_time() -> None:
    """The longest a call and reading back can take is well within what people are promised."""
    assert Limits().total + READ_BACK_SECONDS < TOLD_WITHIN - 10


def test_a_walk_with_everything_tells_no_secret(log: io.StringIO, environ: dict[str, str]) -> None:
    """Denials, private answers, undo, trouble at Slack's: no secret in anything said, logged or kept."""
    planted = {
        **environ,
        "SLACK_BOT_TOKEN": "xoxb-planted-7f3a",
        "SLACK_SIGNING_SECRET": "planted-secret-55c1",
        "KAYRAN_API_KEY": "planted/key+9d2e",
    }
    with a_stage(planted, BRISK) as stage:
        stage.open_form(MEMBER)
        stage.press(stage.change(mailStop=True), UNDO_ACTION_ID)
        stage.result(2)
        reason = f"the key {planted['KAYRAN_API_KEY']} is not valid"
        stage.kayran.next(refuse(reason), function=UPDATE)
        stage.open_form(ADMIN, BOARD)
        stage.save(mailDelete=True)
        stage.eventually(lambda: "refused" in stage.told(), "a private result")
        stage.slack.faults.next("users.info", Fault.error("user_not_found"))
        stage.open_form(MEMBER)

        assert_no_secret_anywhere(stage, log)
        assert "the key … is not valid" in stage.told()


def test_an_error_nobody_foresaw_is_in_the_log(log: io.StringIO, brisk_stage: Stage) -> None:
    """A change that can't be carried out for a mistake of the bot's own does not fail in silence."""
    stage = brisk_stage
    stage.open_form()
    with stage.database() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER made_up BEFORE UPDATE OF tries ON changes "
            "BEGIN SELECT RAISE(ABORT, 'made-up mistake'); END"
        )
    stage.save(mailStop=True)
    stage.eventually(lambda: "ERROR bot." in log.getvalue(), "an error in the log")

    assert stage.sent_to_kayran() == []
    with stage.database() as connection:
        connection.exec_driver_sql("DROP TRIGGER made_up")
    assert "*Stop* is on, checked in Kayran." in stage.result().text
