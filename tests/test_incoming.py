"""The parser of what Slack sends: sound payloads come out as values, all else is ``NotSlacks``."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import incoming
from bot.slack.incoming import Call, NotSlacks, Press

FORM = "application/x-www-form-urlencoded"

COMMAND = {
    "command": "/kayran-notify",
    "text": "",
    "user_id": "U0ADMIN",
    "team_id": "T0EXAMPLE",
    "channel_id": "C0SCANS",
    "trigger_id": "1.2.3",
    "response_url": "http://127.0.0.1:9/commands/T/1/x",
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
        "response_url": "http://127.0.0.1:9/actions/T/1/x",
        "actions": [{"type": "button", "action_id": "undo_change", "value": "7"}],
        **fields,
    }


SOUND = [
    COMMAND,
    button(),
    {"type": "view_submission", "user": {"id": "U"}, "view": {"type": "modal", "callback_id": "x"}},
    {"type": "view_closed", "user": {"id": "U"}, "view": {"type": "modal", "callback_id": "x"}},
    {"type": "shortcut", "user": {"id": "U"}, "callback_id": "x"},
    {"type": "message_action", "user": {"id": "U"}, "callback_id": "x"},
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
    assert incoming.body(as_form(payload), FORM) == payload
    as_json = json.dumps(payload).encode()
    assert incoming.body(as_json, "application/json; charset=utf-8") == payload
    assert incoming.body(as_json, "Application/JSON") == payload


@pytest.mark.parametrize("word", ["payload", "payload=", "the payload of", "payload%3D{}"])
def test_the_word_payload_in_a_text(word: str) -> None:
    """Only a field of that name holds a payload; the word in what somebody typed is a word."""
    typed = {**COMMAND, "text": word}

    assert incoming.body(as_form(typed), FORM) == typed


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"=",
        b"payload=",
        b"payload={",
        b"payload=[]",
        b"payload=null",
        b"payload=7",
        b"payload={}",
        b"payload=%FF",
        b"payload=" + b"[" * 100_000,
        b"payload=" + b'{"a":' * 100_000,
        b"payload=" + b"1" * 10_000,
        b"\xff\xfe",
        b"a=b",
        b"&".join(b"a%d=1" % n for n in range(300)),
        b"command=/kayran-notify&user_id=U0ADMIN",
        b"command=&user_id=U0ADMIN&channel_id=C0SCANS",
        b"ssl_check=2",
    ],
)
def test_a_body_without_a_payload(raw: bytes) -> None:
    """A form that holds nothing of Slack's is refused."""
    with pytest.raises(NotSlacks):
        incoming.body(raw, FORM)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b"{", b"NaN", b"[" * 100_000, b"a=b"])
def test_json_without_a_payload(raw: bytes) -> None:
    """The same of a JSON body."""
    with pytest.raises(NotSlacks):
        incoming.body(raw, "application/json")


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "dialog_submission"},
        {"type": 7, "user": {"id": "U"}},
        {"type": ["block_actions"]},
        {"type": "block_actions", "user": {"id": "U"}},
        button(actions=[]),
        button(actions={}),
        button(actions=[7]),
        button(actions=[{}]),
        button(user="U0ADMIN"),
        button(user={}),
        button(team=[]),
        button(channel=7),
        button(container=[]),
        {"type": "view_submission", "user": {"id": "U"}},
        {"type": "view_submission", "user": {"id": "U"}, "view": "V1"},
        {"type": "view_submission", "user": {"id": "U"}, "view": {"type": "modal"}},
        {"type": "shortcut", "user": {"id": "U"}},
        {"type": "event_callback", "event": []},
        {"type": "event_callback", "event": {"type": "x"}, "authorizations": {}},
        {"type": "event_callback", "event": {"type": "x"}, "authorizations": ["A"]},
        {"type": "url_verification"},
    ],
    ids=repr,
)
def test_a_payload_of_no_kind(payload: dict[str, Any]) -> None:
    """What lacks the bones of its kind, or is of none, is refused."""
    with pytest.raises(NotSlacks):
        incoming.check(payload)


def test_a_command() -> None:
    """Who, where, and what it takes to answer."""
    call = incoming.command(COMMAND)

    assert call == Call(
        user="U0ADMIN",
        team="T0EXAMPLE",
        channel="C0SCANS",
        trigger="1.2.3",
        reply_url="http://127.0.0.1:9/commands/T/1/x",
        thread=None,
    )


def test_a_button_in_a_thread() -> None:
    """It carries the thread it is in, and its value as it came."""
    press = incoming.press(button())

    assert press == Press(
        Call(
            user="U0ADMIN",
            team="T0EXAMPLE",
            channel="C0SCANS",
            trigger="1.2.3",
            reply_url="http://127.0.0.1:9/actions/T/1/x",
            thread="1700000000.000100",
        ),
        value="7",
        only_visible_to_you=False,
    )


@pytest.mark.parametrize(
    ("container", "message", "thread"),
    [
        ({"message_ts": "17.2", "thread_ts": "17.1"}, {}, "17.1"),
        ({"message_ts": "17.2"}, {"ts": "17.2", "thread_ts": "17.1"}, "17.1"),
        ({"message_ts": "17.2"}, {}, "17.2"),
        ({}, {"ts": "17.2"}, "17.2"),
        ({"message_ts": "17.2", "is_ephemeral": True}, {}, None),
        ({"message_ts": "17.2", "is_ephemeral": True, "thread_ts": "17.1"}, {}, "17.1"),
        ({"message_ts": "17.2", "thread_ts": "<!channel>"}, {}, "17.2"),
        ({"message_ts": 17.2}, {"ts": ["17.2"]}, None),
        ({"message_ts": "\u0661\u0667.\u0662"}, {}, None),
    ],
)
def test_the_thread_of_a_button(
    container: dict[str, Any], message: dict[str, Any], thread: str | None
) -> None:
    """The thread it is in, else the one that can hang on its message; nothing hangs on an ephemeral."""
    payload = button(container={"channel_id": "C0SCANS", **container}, message=message)

    assert incoming.press(payload).call.thread == thread


@pytest.mark.parametrize("value", [None, 7, [], {"a": 1}, ""])
def test_a_value_that_is_no_text_is_empty(value: object) -> None:
    """A button's value is text or nothing."""
    payload = button(actions=[{"action_id": "undo_change", "value": value}])

    assert incoming.press(payload).value == ""


def test_a_button_in_no_channel() -> None:
    """A press that is in no conversation is not of a button in a message."""
    with pytest.raises(NotSlacks):
        incoming.press(button(container={"type": "view", "view_id": "V1"}, channel=None))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=10,
)
FIELDS = sorted({name for payload in [*SOUND, button()] for name in payload})
PAYLOADS = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), JSON),
    st.builds(
        lambda sound, odd: {**sound, **odd},
        st.sampled_from(SOUND),
        st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3),
    ),
)


@given(
    raw=st.binary() | st.text().map(str.encode),
    content_type=st.sampled_from([FORM, "application/json", "", "x"]),
)
def test_any_body_is_a_payload_or_not_slacks(raw: bytes, content_type: str) -> None:
    """Nothing that is posted makes the parser fail in another way."""
    with contextlib.suppress(NotSlacks):
        assert isinstance(incoming.body(raw, content_type), dict)


@given(payload=PAYLOADS)
def test_what_is_checked_can_be_read(payload: dict[str, Any]) -> None:
    """A payload that passed is a call or a press, or it is said not to be Slack's."""
    with contextlib.suppress(NotSlacks):
        checked = incoming.check(payload)
        if "actions" in checked and checked.get("type") == "block_actions":
            press = incoming.press(checked)
            assert press.call.user
            assert isinstance(press.value, str)
        if (
            "command" in checked
            and checked.get("type") is None
            and not incoming.is_ssl_check(checked)
        ):
            assert incoming.command(checked).channel


@pytest.mark.parametrize(
    ("body", "team"),
    [
        ({"team": {"id": "T1"}, "user": {"id": "U1", "team_id": "T2"}}, "T1"),
        ({"team": None, "user": {"id": "U1", "team_id": "T2"}}, "T2"),
        ({"user": {"id": "U1"}}, None),
        ({"team": {"id": 7}, "user": "U1"}, None),
        ({"team": "T1"}, None),
    ],
)
def test_the_team_of_a_payload(body: dict[str, Any], team: str | None) -> None:
    """It is the app's team where it is named, else the person's; anything odd is none."""
    assert incoming.team_of(body) == team
