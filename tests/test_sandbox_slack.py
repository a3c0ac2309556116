"""The stand-in for Slack: the rules it keeps that stories stand on and don't show.

Signatures, scopes, membership and archives, and where a message may go are met in every story.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.sandbox.cast import ADMIN, BOARD, SCANS
from bot.sandbox.loopback import Reply
from bot.sandbox.modals import BANNER, Modal
from tests.fake_bot import FakeBot, button, form
from tests.standins import Slack
from tests.store_rig import Clock


@pytest.fixture
def clock() -> Clock:
    """The stand-in's clock."""
    return Clock()


@pytest.fixture
def bot() -> Iterator[FakeBot]:
    """A bot that takes everything and does nothing."""
    with FakeBot() as fake:
        yield fake


@pytest.fixture
def slack(clock: Clock, bot: FakeBot) -> Iterator[Slack]:
    """Slack, with a bot to send to, and a third of a second for its answers."""
    with Slack(clock=clock) as stand_in:
        stand_in.ack_limit = 0.3
        stand_in.events_url = f"{bot.url}/slack/events"
        yield stand_in


@pytest.fixture
def client(slack: Slack) -> WebClient:
    """Slack's own client."""
    return WebClient(slack.bot_token, base_url=slack.api_url)


def opened(slack: Slack, client: WebClient) -> Modal:
    """The form, open on the admin's screen."""
    client.views_open(trigger_id=slack.workspace.new_trigger(ADMIN), view=form())
    modal = slack.modal(ADMIN)
    assert modal is not None
    return modal


@pytest.mark.parametrize("length", [b"x", b"-1", b"", b"1e3"])
def test_a_length_that_is_no_number(
    slack: Slack, length: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused, and nothing is printed."""
    with socket.create_connection(("127.0.0.1", slack.port)) as line:
        line.sendall(b"POST /api/auth.test HTTP/1.1\r\nContent-Length: %s\r\n\r\n" % length)

        assert line.recv(1000).startswith(b"HTTP/1.1 411")
    assert capsys.readouterr().err == ""


def test_an_update(slack: Slack, client: WebClient) -> None:
    """It replaces everything: text alone drops the blocks, and brings the label "(edited)"."""
    ts = client.chat_postMessage(channel=SCANS, text="Old", blocks=[button()])["ts"]
    client.chat_update(channel=SCANS, ts=ts, text="New", blocks=[button("redo")])
    message = slack.workspace.message(SCANS, ts)
    assert (message.text, message.edits, message.edited) == ("New", ["Old"], False)
    client.chat_update(channel=SCANS, ts=ts, text="Newer")

    assert (message.blocks, message.edited) == ([], True)
    with pytest.raises(SlackApiError, match="msg_too_long"):
        client.chat_update(channel=SCANS, ts=ts, text="x" * 4001)


def test_triggers(slack: Slack, client: WebClient, clock: Clock) -> None:
    """They are good for three seconds and one use; a view that is refused costs none."""
    used, expired = slack.workspace.new_trigger(ADMIN), slack.workspace.new_trigger(ADMIN)
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        client.views_open(trigger_id=used, view={"type": "modal"})
    clock.forward(3)
    client.views_open(trigger_id=used, view=form())
    clock.forward(0.1)

    for trigger, error in ((used, "exchanged"), (expired, "expired"), ("1.2.3", "invalid")):
        with pytest.raises(SlackApiError, match=f"{error}_trigger_id"):
            client.views_open(trigger_id=trigger, view=form())


def test_what_was_ticked_stays(slack: Slack, client: WebClient) -> None:
    """Under the same ids it stays through an update; new ids begin with what they say."""

    def held() -> list[str]:
        [element] = modal.state.values()
        return [one["value"] for one in element["a"]["selected_options"]]

    modal = opened(slack, client)
    slack.choose(ADMIN, "b", "a", ["three", "two"])
    client.views_update(view_id=modal.id, view=form(ticked=("one",)))
    assert held() == ["two", "three"]
    client.views_update(view_id=modal.id, view=form("new", ticked=("one",)))

    assert held() == ["one"]


def test_a_stale_hash(slack: Slack, client: WebClient) -> None:
    """A view that has changed since is not overwritten."""
    modal = opened(slack, client)
    stale = modal.hash
    client.views_update(view_id=modal.id, view=form(), hash=stale)

    with pytest.raises(SlackApiError, match="hash_conflict"):
        client.views_update(view_id=modal.id, view=form(), hash=stale)


@pytest.mark.parametrize(
    "answer",
    [
        Reply.json([]),
        Reply.json({"response_action": "errors", "errors": {"words": "No input."}}),
        Reply.json({"response_action": "errors", "errors": {}}),
        Reply.json({"response_action": "update"}),
        Reply.json({"response_action": "explode"}),
        Reply(200, b"words"),
        Reply(500),
        None,
    ],
    ids=str,
)
def test_an_answer_slack_can_not_use(
    slack: Slack, client: WebClient, bot: FakeBot, answer: Reply | None
) -> None:
    """The form stays, with Slack's banner, and can be submitted again; late is as good as never."""
    modal = opened(slack, client)
    late = threading.Event()
    bot.reply = lambda _: answer or Reply(200 + late.wait(2))
    delivery = slack.submit(ADMIN)
    assert (delivery.error is None, modal.banner) == (False, BANNER)
    late.set()
    bot.reply = lambda _: Reply()
    slack.submit(ADMIN)

    assert slack.modal(ADMIN) is None


def test_a_response_url_lives_half_an_hour(slack: Slack, clock: Clock) -> None:
    """Then it has expired."""
    key = slack.new_response_url(ADMIN, BOARD).partition("/response/")[2]
    text: dict[str, Any] = {"text": "Words"}
    clock.forward(30 * 60)
    in_time = slack.carry_out("response_url", None, text, key)
    clock.forward(1)
    late = slack.carry_out("response_url", None, text, key)

    assert [reply.status for reply in (in_time, late) if reply] == [200, 404]


def test_a_command_that_is_not_taken(slack: Slack, bot: FakeBot) -> None:
    """Whoever typed it reads Slack's own words for it."""
    bot.reply = lambda _: Reply(500)
    slack.command(ADMIN, SCANS)

    [told] = slack.workspace.ephemerals(ADMIN)
    assert told.text == '/kayran-notify failed with the error "dispatch_failed"'
