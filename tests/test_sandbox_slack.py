"""The stand-in for Slack: the rules it keeps that stories don't show, and those they stand on."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from bot.sandbox.cast import (
    ADMIN,
    ANNOUNCEMENTS,
    ARCHIVED,
    BOARD,
    DM,
    LOBBY,
    SCANS,
)
from bot.sandbox.loopback import Reply
from bot.sandbox.modals import BANNER, Modal
from bot.sandbox.workspace import SCOPES
from tests.fake_bot import Clock, FakeBot, button, form
from tests.standins import Slack

TOKEN, SECRET = "xoxb-the-token", "the-signing-secret"


@pytest.fixture
def clock() -> Clock:
    """The stand-in's clock."""
    return Clock()


@pytest.fixture
def bot() -> Iterator[FakeBot]:
    """A bot that takes everything and does nothing."""
    with FakeBot().serving() as fake:
        yield fake


@pytest.fixture
def slack(clock: Clock, bot: FakeBot) -> Iterator[Slack]:
    """Slack, with a bot to send to, and a third of a second for its answers."""
    stand_in = Slack(bot_token=TOKEN, signing_secret=SECRET, clock=clock)
    stand_in.ack_limit = 0.3
    with stand_in:
        stand_in.events_url = bot.url
        yield stand_in


@pytest.fixture
def client(slack: Slack) -> WebClient:
    """Slack's own client."""
    return WebClient(TOKEN, base_url=slack.api_url)


def opened(slack: Slack, client: WebClient, view: dict[str, Any] | None = None) -> Modal:
    """The form, open on the admin's screen."""
    client.views_open(trigger_id=slack.workspace.new_trigger(ADMIN), view=view or form())
    modal = slack.modal(ADMIN)
    assert modal is not None
    return modal


def held(modal: Modal) -> Any:
    """What is ticked in the form's boxes."""
    [element] = modal.state.values()
    return [one["value"] for one in element["a"]["selected_options"]]


class TestTheWebApi:
    """Which calls are taken."""

    @pytest.mark.parametrize(
        ("token", "method", "error"),
        [
            ("", "auth.test", "not_authed"),
            ("xoxb-another", "auth.test", "invalid_auth"),
            (TOKEN, "chat.delete", "unknown_method"),
        ],
    )
    def test_what_it_refuses(self, slack: Slack, token: str, method: str, error: str) -> None:
        """Every method takes the bot's token, and there are no others than the bot needs."""
        with pytest.raises(SlackApiError, match=error):
            WebClient(token, base_url=slack.api_url).api_call(method)

    def test_a_scope_that_was_not_granted(self, slack: Slack, client: WebClient) -> None:
        """Both what is needed and what there is is told."""
        slack.workspace.scopes = SCOPES - {"users:read"}

        with pytest.raises(SlackApiError) as error:
            client.users_info(user=ADMIN)

        assert error.value.response["error"] == "missing_scope"
        assert error.value.response["needed"] == "users:read"

    @pytest.mark.parametrize("length", [b"x", b"-1", b"", b"1e3"])
    def test_a_length_that_is_no_number(
        self, slack: Slack, length: bytes, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It is refused, and nothing is printed."""
        with socket.create_connection(("127.0.0.1", slack.port)) as line:
            line.sendall(b"POST /api/auth.test HTTP/1.1\r\nContent-Length: %s\r\n\r\n" % length)
            answer = line.recv(1000)

        assert answer.startswith(b"HTTP/1.1 411")
        assert capsys.readouterr().err == ""


class TestMessages:
    """Where the app may post, and what becomes of it."""

    @pytest.mark.parametrize(
        ("channel", "error"),
        [
            (SCANS, None),
            (LOBBY, None),
            (ADMIN, None),
            (BOARD, "channel_not_found"),
            (DM, "channel_not_found"),
            ("C0NOWHERE", "channel_not_found"),
            (ARCHIVED, "is_archived"),
            (ANNOUNCEMENTS, "restricted_action"),
        ],
    )
    def test_where_it_may(self, client: WebClient, channel: str, error: str | None) -> None:
        """Membership, archives and rights count, in that order."""
        try:
            answer = client.chat_postMessage(channel=channel, text="Words").data
        except SlackApiError as refused:
            answer = refused.response.data

        assert isinstance(answer, dict)
        assert answer.get("error") == error

    def test_without_the_public_scope(self, slack: Slack, client: WebClient) -> None:
        """In a public channel it has to be a member then."""
        slack.workspace.scopes = SCOPES - {"chat:write.public"}

        with pytest.raises(SlackApiError, match="not_in_channel"):
            client.chat_postMessage(channel=LOBBY, text="Words")

    def test_an_update(self, slack: Slack, client: WebClient) -> None:
        """It replaces everything: text alone drops the blocks, and brings the label "(edited)"."""
        ts = client.chat_postMessage(channel=SCANS, text="Old", blocks=[button()])["ts"]
        client.chat_update(channel=SCANS, ts=ts, text="New", blocks=[button("redo")])
        message = slack.workspace.message(SCANS, ts)
        assert (message.text, message.edits, message.edited) == ("New", ["Old"], False)
        client.chat_update(channel=SCANS, ts=ts, text="Newer")

        assert (message.blocks, message.edited) == ([], True)
        with pytest.raises(SlackApiError, match="msg_too_long"):
            client.chat_update(channel=SCANS, ts=ts, text="x" * 4001)
        said = slack.workspace.say(ADMIN, SCANS, "Mine")
        with pytest.raises(SlackApiError, match="cant_update_message"):
            client.chat_update(channel=SCANS, ts=said.ts, text="Yours")


class TestTriggers:
    """Three seconds, one use."""

    def test_once(self, slack: Slack, client: WebClient) -> None:
        """The second use is refused; so is a trigger that never was."""
        trigger = slack.workspace.new_trigger(ADMIN)
        client.views_open(trigger_id=trigger, view=form())

        with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
            client.views_open(trigger_id=trigger, view=form())
        with pytest.raises(SlackApiError, match="invalid_trigger_id"):
            client.views_open(trigger_id="1.2.3", view=form())

    @pytest.mark.parametrize("seconds", [3.0, 3.1])
    def test_in_time(self, slack: Slack, client: WebClient, clock: Clock, seconds: float) -> None:
        """After three seconds it has expired."""
        trigger = slack.workspace.new_trigger(ADMIN)
        clock.now += seconds
        if seconds <= 3.0:
            client.views_open(trigger_id=trigger, view=form())
            return
        with pytest.raises(SlackApiError, match="expired_trigger_id"):
            client.views_open(trigger_id=trigger, view=form())

    def test_a_view_that_is_refused(self, slack: Slack, client: WebClient) -> None:
        """It costs no trigger."""
        trigger = slack.workspace.new_trigger(ADMIN)
        with pytest.raises(SlackApiError, match="invalid_arguments"):
            client.views_open(trigger_id=trigger, view={"type": "modal"})

        client.views_open(trigger_id=trigger, view=form())


class TestViews:
    """What a view holds while it changes."""

    def test_what_was_ticked_stays(self, slack: Slack, client: WebClient) -> None:
        """Under the same ids it stays through an update; new ids begin with what they say."""
        modal = opened(slack, client)
        slack.choose(ADMIN, "b", "a", ["three", "two"])
        client.views_update(view_id=modal.id, view=form(ticked=("one",)))
        assert held(modal) == ["two", "three"]
        client.views_update(view_id=modal.id, view=form("new", ticked=("one",)))

        assert held(modal) == ["one"]

    def test_a_stale_hash(self, slack: Slack, client: WebClient) -> None:
        """A view that has changed since is not overwritten."""
        modal = opened(slack, client)
        stale = modal.hash
        client.views_update(view_id=modal.id, view=form(), hash=stale)

        with pytest.raises(SlackApiError, match="hash_conflict"):
            client.views_update(view_id=modal.id, view=form(), hash=stale)

    def test_a_view_that_was_closed(self, slack: Slack, client: WebClient) -> None:
        """It is not found any more, by neither of its names."""
        modal = opened(slack, client, form(external_id="mine"))
        client.views_update(external_id="mine", view=form(external_id="mine"))
        slack.close(ADMIN)

        for name in ({"view_id": modal.id}, {"external_id": "mine"}):
            with pytest.raises(SlackApiError, match="not_found"):
                client.views_update(view=form(), **name)


class TestSubmitting:
    """What goes out, and what an answer does."""

    def test_what_is_sent(self, slack: Slack, client: WebClient, bot: FakeBot) -> None:
        """The view with its state, who it was and their team; signed; and no channel."""
        modal = opened(slack, client, form(private_metadata="kept"))
        slack.choose(ADMIN, "b", "a", [])
        assert slack.submit(ADMIN).error is None

        [request] = bot.requests
        payload = bot.payload
        headers = request.headers
        signature = SignatureVerifier(SECRET).generate_signature(
            timestamp=headers["x-slack-request-timestamp"], body=request.body
        )
        assert headers["x-slack-signature"] == signature
        assert payload["type"] == "view_submission"
        assert payload["user"]["id"] == ADMIN
        assert payload["view"]["private_metadata"] == "kept"
        assert payload["view"]["hash"] == modal.hash
        assert payload["view"]["state"]["values"]["b"]["a"]["selected_options"] == []
        assert "channel" not in payload
        assert slack.modal(ADMIN) is None

    @pytest.mark.parametrize(
        "answer",
        [
            "words",
            [],
            {"response_action": "errors", "errors": {"words": "No input."}},
            {"response_action": "errors", "errors": {}},
            {"response_action": "update"},
            {"response_action": "explode"},
        ],
        ids=str,
    )
    def test_an_answer_slack_can_not_use(
        self, slack: Slack, client: WebClient, bot: FakeBot, answer: Any
    ) -> None:
        """The form stays, with Slack's banner, and can be submitted again."""
        modal = opened(slack, client)
        bot.answers(answer)
        delivery = slack.submit(ADMIN)
        assert (delivery.error, modal.banner) == ("dispatch_failed", BANNER)
        bot.answers("")
        slack.submit(ADMIN)

        assert slack.modal(ADMIN) is None

    def test_a_late_answer(self, slack: Slack, client: WebClient, bot: FakeBot) -> None:
        """It counts as none."""
        modal = opened(slack, client)
        wait = threading.Event()
        bot.answer = lambda _: Reply(200 + wait.wait(2))
        delivery = slack.submit(ADMIN)
        wait.set()

        assert (delivery.error, modal.banner) == ("operation_timeout", BANNER)


class TestResponseUrls:
    """Five times, half an hour, and no further."""

    def test_five_times(self, slack: Slack) -> None:
        """The sixth word is refused."""
        key = slack.new_response_url(ADMIN, BOARD).partition("/response/")[2]
        replies = [
            slack.carry_out("response_url", None, {"text": str(number)}, key) for number in range(6)
        ]

        assert [reply.status for reply in replies if reply] == [200] * 5 + [404]
        assert len(slack.workspace.ephemerals(ADMIN, BOARD)) == 5

    def test_half_an_hour(self, slack: Slack, clock: Clock) -> None:
        """Then it has expired."""
        key = slack.new_response_url(ADMIN, BOARD).partition("/response/")[2]
        clock.now += 30 * 60 + 1
        reply = slack.carry_out("response_url", None, {"text": "Late"}, key)

        assert reply is not None
        assert json.loads(reply.body)["error"] == "expired_url"


def test_a_command_that_is_not_taken(slack: Slack, bot: FakeBot) -> None:
    """Whoever typed it reads Slack's own words for it."""
    bot.answers("", 500)
    slack.command(ADMIN, SCANS)

    [told] = slack.workspace.ephemerals(ADMIN)
    assert told.text == '/kayran-notify failed with the error "dispatch_failed"'


def test_no_secret_is_in_the_log(slack: Slack, client: WebClient) -> None:
    """Tokens, the signing secret and response URLs are masked."""
    slack.command(ADMIN, SCANS)
    client.chat_postMessage(channel=SCANS, text=f"{TOKEN} {SECRET}")

    log = repr(slack.wire.entries)
    assert "kayran-notify" in log
    for secret in (TOKEN, SECRET, "/response/T0"):
        assert secret not in log
