"""The parser of what Slack sends: sound payloads come out as values, all else is ``NotFromSlack``."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.slack import payloads
from bot.slack.payloads import Call, NotFromSlack

COMMAND = {
    "command": "/kayran-notify",
    "text": "",
    "user_id": "U0ADMIN",
    "team_id": "T0EXAMPLE",
    "channel_id": "C0SCANS",
    "trigger_id": "1.2.3",
    "response_url": "https://hooks.slack.com/commands/T/1/x",
}


def button(**fields: Any) -> dict[str, Any]:
    """A press of a button in a message, as Slack sends it."""
    return {
        "type": "block_actions",
        "user": {"id": "U0ADMIN", "team_id": "T0EXAMPLE"},
        "team": {"id": "T0EXAMPLE"},
        "container": {
            "type": "message",
            "message_ts": "1700000000.000200",
            "channel_id": "C0SCANS",
            "is_ephemeral": False,
            "thread_ts": "1700000000.000100",
        },
        "channel": {"id": "C0SCANS", "name": "scans"},
        "message": {"ts": "1700000000.000200", "thread_ts": "1700000000.000100"},
        "trigger_id": "1.2.3",
        "response_url": "https://hooks.slack.com/actions/T/1/x",
        "actions": [{"type": "button", "action_id": "undo_change", "value": "7"}],
        **fields,
    }


SOUND = [
    COMMAND,
    button(),
    {"type": "view_submission", "user": {"id": "U"}, "view": {"type": "modal", "callback_id": "x"}},
    {"type": "view_closed", "user": {"id": "U"}, "view": {"type": "modal", "callback_id": "x"}},
    {"type": "shortcut", "user": {"id": "U"}, "callback_id": "x"},
    {"type": "message_action", "user": {"id": "U"}, "callback_id": "x", "channel": {"id": "C"}},
    {"type": "event_callback", "event": {"type": "app_home_opened"}},
    {"type": "url_verification", "challenge": "x"},
    {"ssl_check": "1", "token": "x"},
]


def as_form(payload: dict[str, Any]) -> bytes:
    """A payload in a form body, the way its kind travels."""
    if "type" in payload:
        return urlencode({"payload": json.dumps(payload)}).encode()
    return urlencode(payload).encode()


@pytest.mark.parametrize("payload", SOUND, ids=lambda payload: payload.get("type", "form"))
def test_every_kind_slack_sends_is_read(payload: dict[str, Any]) -> None:
    """Each comes out as it went in, as a form; those with a type as JSON too."""
    assert payloads.body(as_form(payload)) == payload
    assert "type" not in payload or payloads.body(json.dumps(payload).encode()) == payload


def test_the_word_payload_in_a_text() -> None:
    """Only a field of that name holds a payload; the word in what somebody typed is a word."""
    typed = {**COMMAND, "text": "the payload=%7B%7D of it"}

    assert payloads.body(as_form(typed)) == typed


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b"payload={",
        b"payload=" + b"[" * 100_000,
        b"\xff\xfe",
        b'{"type": 7}',
        b"command=/kayran-notify&user_id=U0ADMIN",
        b"ssl_check=2",
    ],
)
def test_a_body_without_a_payload(raw: bytes) -> None:
    """A body that holds nothing of Slack's is refused."""
    with pytest.raises(NotFromSlack):
        payloads.body(raw)


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "dialog_submission"},
        {"type": ["block_actions"]},
        {"type": "block_actions", "user": {"id": "U"}},
        button(actions=[{}]),
        button(user="U0ADMIN"),
        {"type": "view_submission", "user": {"id": "U"}},
        {"type": "view_submission", "user": {"id": "U"}, "view": {"type": "modal"}},
        {"type": "shortcut", "user": {"id": "U"}},
        {"type": "message_action", "user": {"id": "U"}, "callback_id": "x"},
        {"type": "event_callback", "event": []},
    ],
    ids=repr,
)
def test_a_payload_of_no_kind(payload: dict[str, Any]) -> None:
    """What lacks something its kind can't be without, or is of none, is refused."""
    with pytest.raises(NotFromSlack):
        payloads.check(payload)


def test_a_command() -> None:
    """Who, where, what was typed, and what it takes to answer."""
    assert payloads.command({**COMMAND, "text": "on aborted"}) == Call(
        user="U0ADMIN",
        team="T0EXAMPLE",
        channel="C0SCANS",
        trigger="1.2.3",
        response_url="https://hooks.slack.com/commands/T/1/x",
        text="on aborted",
    )


def test_a_button_in_a_thread() -> None:
    """It carries the thread it is in, and its value as it came."""
    assert payloads.interaction(button()) == Call(
        user="U0ADMIN",
        team="T0EXAMPLE",
        channel="C0SCANS",
        trigger="1.2.3",
        response_url="https://hooks.slack.com/actions/T/1/x",
        thread="1700000000.000100",
        text="7",
    )


@pytest.mark.parametrize(
    ("container", "message", "thread"),
    [
        ({"message_ts": "17.2", "thread_ts": "17.1"}, {}, "17.1"),
        ({"message_ts": "17.2"}, {"ts": "17.2", "thread_ts": "17.1"}, "17.1"),
        ({"message_ts": "17.2"}, {}, "17.2"),
        ({"message_ts": "17.2", "is_ephemeral": True}, {}, None),
        ({"message_ts": "17.2", "is_ephemeral": True, "thread_ts": "17.1"}, {}, "17.1"),
        ({"message_ts": "17.2", "thread_ts": "<!channel>"}, {}, "17.2"),
        ({"message_ts": "\u0661\u0667.\u0662"}, {"thread_ts": ["17.2"]}, None),
    ],
)
def test_the_thread_of_a_button(
    container: dict[str, Any], message: dict[str, Any], thread: str | None
) -> None:
    """The thread it is in, else the one that can hang on its message; nothing hangs on an ephemeral."""
    payload = button(container={"channel_id": "C0SCANS", **container}, message=message)

    assert payloads.interaction(payload).thread == thread


@pytest.mark.parametrize("value", [None, 7, [], ""])
def test_a_value_that_is_no_text_is_empty(value: object) -> None:
    """A button's value is text or nothing."""
    payload = button(actions=[{"action_id": "undo_change", "value": value}])

    assert payloads.interaction(payload).text == ""


@pytest.mark.parametrize(("kind", "modal"), [("modal", "V1"), ("home", None)])
def test_a_menu_wherever_it_was(kind: str, modal: str | None) -> None:
    """Of a press in a modal it is known in which; what else is missing is nothing to stop at."""
    payload = button(channel=None, response_url=None, view={"id": "V1", "type": kind})

    call = payloads.interaction(payload)

    assert (call.user, call.channel) == ("U0ADMIN", "U0ADMIN")
    assert (call.response_url, call.form) == (None, modal)


@pytest.mark.parametrize(
    ("message", "thread"),
    [
        ({"ts": "17.2"}, "17.2"),
        ({"ts": "17.2", "thread_ts": "17.1"}, "17.1"),
        ({"ts": "<!channel>"}, None),
    ],
)
def test_a_shortcut_on_a_message(message: dict[str, Any], thread: str | None) -> None:
    """It is of the thread that the message is in, or that can hang on it."""
    payload = button(type="message_action", container=None, message=message)

    call = payloads.interaction(payload)

    assert (call.channel, call.thread) == ("C0SCANS", thread)
    assert call.response_url == "https://hooks.slack.com/actions/T/1/x"


def test_a_shortcut_from_anywhere() -> None:
    """It has no channel: the person's own id takes its place."""
    call = payloads.interaction(SOUND[4])

    assert (call.channel, call.thread) == ("U", None)


@pytest.mark.parametrize(
    ("value", "row"),
    [
        ("7", 7),
        ("", None),
        ("-1", None),
        ("\u0661", None),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
    ],
)
def test_the_id_of_a_button(value: str, row: int | None) -> None:
    """A value is an id where it is a number that the database can hold."""
    payload = button(actions=[{"action_id": "undo_change", "value": value}])

    assert payloads.interaction(payload).number == row


@pytest.mark.parametrize(
    ("body", "team"),
    [
        ({"team": {"id": "T1"}, "user": {"id": "U1", "team_id": "T2"}}, "T1"),
        ({"team": None, "user": {"id": "U1", "team_id": "T2"}}, "T2"),
        ({"user": {"id": "U1"}}, None),
        ({"team": {"id": 7}, "user": "U1"}, None),
        ({"team": []}, None),
        ({"team": "T1"}, None),
    ],
)
def test_the_team_of_a_payload(body: dict[str, Any], team: str | None) -> None:
    """It is the app's team where it is named, else the person's; anything odd is none."""
    assert payloads.team_of(body) == team
