"""Whatever Kayran does, the thread says what is true, tells no secret, and the bot serves on."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import logs
from bot.change import Change, Outcome
from bot.changes import READ_BACK_SECONDS
from bot.kayran import Limits
from bot.sandbox.cast import ADMIN, BOARD, MEMBER, SCANS
from bot.sandbox.kayran import UPDATE, React
from bot.sandbox.messages import Message
from bot.slack.receipt import UNDO_ACTION_ID
from tests.odd_answers import NASTY_REASON, ODD, busy, hang_applied, refuse
from tests.proxy import Trouble
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
    ("unreachable", [], Outcome.FAILED, "Kayran can't be reached"),
]

LINES: list[tuple[Trouble | bytes, Outcome, str]] = [
    ("drip-body", Outcome.APPLIED, f"Kayran didn't answer in time, {READ_BACK}"),
    (b"\x00\xff<!channel>\r\n\r\n<html>", Outcome.UNSURE, "Kayran's answer can't be read"),
]
"""What may happen below HTTP."""

PARENTS = {
    Outcome.APPLIED: "✅ Applied.",
    Outcome.REFUSED: "❌ Kayran refused: ",
    Outcome.FAILED: "❌ Not sent: ",
    Outcome.UNSURE: "⚠️ Not certain whether it took effect.",
}


def told_of(stage: Stage, *answers: str | React, **ticks: bool) -> Message:
    """The result of a change that Kayran answers so; with no answer at all it can't be reached."""
    stage.open_form()
    for answer in answers:
        stage.kayran.next(answer, function=UPDATE)
    if not answers:
        stage.kayran.refuse_connections()
    stage.save(ADMIN, **ticks)
    assert stage.slack.modal(ADMIN) is None
    [result] = stage.wait_for(stage.results, "the result")
    return result


def recorded(stage: Stage) -> Change:
    """The first change on record."""
    with stage.store() as store:
        change = store.change(1)
    assert change is not None
    return change


def secrets_of(stage: Stage) -> list[str]:
    """What may stand nowhere: the three from the settings."""
    names = ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "KAYRAN_API_KEY")
    return [stage.environ[name] for name in names]


def everything_said(stage: Stage) -> Iterator[tuple[str, str]]:
    """All that left the bot for Slack, and all that people see, each with a name."""
    for call in stage.slack.calls:
        yield f"the call {call.method}", json.dumps(call.arguments, ensure_ascii=False)
    workspace = stage.slack.workspace
    for channel in list(workspace.channels):
        for message in workspace.messages(channel):
            yield "a message", json.dumps([message.text, message.blocks], ensure_ascii=False)
    for user in (ADMIN, MEMBER):
        for private in workspace.ephemerals(user):
            yield "a private word", json.dumps([private.text, private.blocks], ensure_ascii=False)
        modal = stage.slack.modal(user)
        yield "a form", json.dumps(modal.view, ensure_ascii=False) if modal else ""


def files_of(stage: Stage) -> Iterator[tuple[str, bytes]]:
    """The database, byte by byte."""
    path = Path(stage.environ["DATABASE_URL"].removeprefix("sqlite:///"))
    for file in path.parent.glob(f"{path.name}*"):
        yield file.name, file.read_bytes()


def assert_no_secret_anywhere(stage: Stage, log: io.StringIO) -> None:
    """No secret in anything said, logged or kept; nor did the log need its mask."""
    assert stage.slack.secrets
    for secret in [*secrets_of(stage), *stage.slack.secrets]:
        for what, said in everything_said(stage):
            # A ``response_url`` is kept in Slack's own form, and nowhere else.
            kept = METADATA.sub("", said) if secret in stage.slack.secrets else said
            assert secret not in kept, what
        for name, content in files_of(stage):
            assert secret.encode() not in content, name
        assert secret not in log.getvalue()
    assert logs.MASK not in log.getvalue()


def assert_nothing_raw(stage: Stage) -> None:
    """No HTML and no ping of Kayran's in anything that is shown."""
    for what, said in everything_said(stage):
        for odd in (
            "<!channel",
            "<!here",
            "<script",
            "<html",
            "<!DOCTYPE",
            "<https",
            "<@U0ADMIN> <",
        ):
            assert odd not in (said or ""), f"{odd} in {what}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_every_answer_of_kayrans(log: io.StringIO, brisk_stage: Stage, case: Case) -> None:
    """What is said is true, harmless and tells no secret; afterwards the bot serves."""
    stage = brisk_stage
    _, answers, outcome, told = case
    result = told_of(stage, *answers, mailStop=True, mailPause=True)
    assert_told_well(stage, log, result, outcome, told)


@pytest.mark.parametrize(("trouble", "outcome", "told"), LINES, ids=str)
def test_every_trouble_of_the_line(
    log: io.StringIO, environ: dict[str, str], trouble: Any, outcome: Outcome, told: str
) -> None:
    """The same, where what comes is not even an HTTP answer, or not all of it."""
    with a_stage(environ, BRISK, with_proxy=True) as stage:
        assert stage.proxy is not None
        stage.proxy.next(trouble, on=UPDATE.encode())
        result = told_of(stage, "ok", mailStop=True, mailPause=True)
        assert_told_well(stage, log, result, outcome, told)


def assert_told_well(
    stage: Stage, log: io.StringIO, result: Message, outcome: Outcome, told: str
) -> None:
    """The result and the parent say what is so, nothing raw and no secret; and the bot serves on."""
    stage.eventually(stage.all_is_told, "everything to be told")
    [parent] = stage.parents()

    assert told in result.text
    assert PARENTS[outcome] in parent.text
    assert recorded(stage).outcome is outcome
    took_effect = stage.kayran.flags["mailStop"]
    if outcome is Outcome.APPLIED:
        assert took_effect
        assert "*Stop* is on, checked in Kayran." in result.text
        assert "*Pause* is on: Kayran took it, but doesn't report Pause" in result.text
    if outcome in (Outcome.REFUSED, Outcome.FAILED):
        assert not took_effect
        assert "Nothing changed." in result.text
    if outcome is not Outcome.APPLIED:
        assert "checked in" not in result.text
        assert "Try again" in result.text
    assert_nothing_raw(stage)
    assert_no_secret_anywhere(stage, log)
    stage.kayran.clear()
    stage.kayran.release()
    assert "*Delete* is on" in stage.change(ADMIN, mailDelete=True).text


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
        first = stage.change(ADMIN, SCANS, mailStop=True)
        stage.press(first, UNDO_ACTION_ID)
        stage.wait_for(lambda: stage.results()[1:], "the undo")
        reason = f"the key {planted['KAYRAN_API_KEY']} is not valid"
        stage.kayran.next(refuse(reason), function=UPDATE)
        stage.open_form(ADMIN, BOARD)
        stage.save(ADMIN, mailDelete=True)
        stage.wait_for(lambda: "refused" in "".join(stage.private_words()), "a private result")
        stage.slack.faults.next("users.info", Fault.error("user_not_found"))
        stage.open_form(MEMBER)

        assert_no_secret_anywhere(stage, log)
        assert "the key … is not valid" in stage.private_words()[-1]


def test_an_error_nobody_foresaw_is_in_the_log(log: io.StringIO, brisk_stage: Stage) -> None:
    """A change that can't be carried out for a mistake of the bot's own does not fail in silence."""
    stage = brisk_stage
    stage.open_form()
    with stage.database() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER made_up BEFORE UPDATE OF tries ON changes "
            "BEGIN SELECT RAISE(ABORT, 'made-up mistake'); END"
        )
    stage.save(ADMIN, mailStop=True)
    stage.eventually(lambda: "ERROR bot." in log.getvalue(), "an error in the log")

    assert stage.sent_to_kayran() == []
    with stage.database() as connection:
        connection.exec_driver_sql("DROP TRIGGER made_up")
    [result] = stage.wait_for(stage.results, "the result, once it is mended")
    assert "*Stop* is on, checked in Kayran." in result.text
