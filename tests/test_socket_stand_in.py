"""Socket Mode's stand-in: connections, envelopes and acknowledgements."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from bot.sandbox.slack import SlackStandIn
from bot.sandbox.workspace import ADMIN, BANNER, SCANS
from tests.fake_bot import Json, button, form
from tests.socket_stand_in import SocketStandIn


class App:
    """An app with one connection.

    Attributes:
        messages: what came, the hello first.
        answer: the acknowledgement's payload for each envelope.
        ended: set when the connection is closed.
    """

    def __init__(self, address: str) -> None:
        self.messages: list[Json] = []
        self.answer: Callable[[Json], Json | None] = lambda _: None
        self.ended = threading.Event()
        self._address = address

    @property
    def envelopes(self) -> list[Json]:
        """What was sent to be acknowledged."""
        return [message for message in self.messages if "envelope_id" in message]

    @contextlib.contextmanager
    def connected(self) -> Iterator[App]:
        """Hold the connection, for a while."""
        with connect(self._address, compression=None, close_timeout=1) as line:
            thread = threading.Thread(target=self._read, args=(line,))
            thread.start()
            yield self
        thread.join(5)

    def _read(self, line: ClientConnection) -> None:
        try:
            for text in line:
                self._take(line, json.loads(text))
        except ConnectionClosed:
            pass  # A line that breaks ends like one that is closed.
        finally:
            self.ended.set()

    def _take(self, line: ClientConnection, message: Json) -> None:
        self.messages.append(message)
        if "envelope_id" in message:
            payload = self.answer(message)
            acknowledgement = {"envelope_id": message["envelope_id"]}
            line.send(json.dumps(acknowledgement | ({"payload": payload} if payload else {})))


def url(slack: SlackStandIn) -> str:
    """An address for one connection."""
    client = WebClient(base_url=slack.api_url)
    return str(client.apps_connections_open(app_token=slack.app_token)["url"])


@pytest.fixture
def sockets() -> Iterator[SocketStandIn]:
    """Slack's end of the sockets."""
    with SocketStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def slack(sockets: SocketStandIn) -> Iterator[SlackStandIn]:
    """Slack, which sends over sockets."""
    with SlackStandIn(ack_limit=0.3) as stand_in:
        stand_in.link = sockets
        yield stand_in


@pytest.fixture
def app(slack: SlackStandIn, sockets: SocketStandIn) -> Iterator[App]:
    """An app with a connection open."""
    with App(url(slack)).connected() as connected:
        sockets.wait_for_connections(1)
        yield connected


def test_an_address_is_for_one_connection(slack: SlackStandIn) -> None:
    """The first connection is greeted; a second one to the same address is turned away."""
    address = url(slack)
    with connect(address, compression=None) as line:
        hello = json.loads(line.recv(timeout=5))

    assert hello["type"] == "hello"
    assert hello["num_connections"] == 1
    with pytest.raises(InvalidStatus), connect(address, compression=None):
        pass


def test_only_the_app_token_opens_a_connection(slack: SlackStandIn) -> None:
    """The bot's token is of the wrong kind, and with Socket Mode switched off there is no address."""
    client = WebClient(base_url=slack.api_url)
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        client.apps_connections_open(app_token=slack.bot_token)
    slack.link = None

    with pytest.raises(SlackApiError, match="socket_mode_disabled"):
        client.apps_connections_open(app_token=slack.app_token)


def test_a_command_goes_over_the_socket(
    slack: SlackStandIn, sockets: SocketStandIn, app: App
) -> None:
    """The envelope carries the same fields as over HTTP; a bare acknowledgement is enough."""
    delivery = slack.command(ADMIN, SCANS, "payload")
    envelope = app.envelopes[0]

    assert (delivery.status, delivery.body, delivery.error) == (200, "", None)
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
    assert envelope["payload"]["command"] == "/kayran-notify"
    assert envelope["payload"]["text"] == "payload"
    assert sockets.acknowledgements == [{"envelope_id": envelope["envelope_id"]}]


def test_an_acknowledgement_may_carry_an_answer(slack: SlackStandIn, app: App) -> None:
    """Text for a command is shown to its person; errors for a submit stand beside their inputs."""
    app.answer = lambda _: {"text": "Hello"}
    slack.command(ADMIN, SCANS)
    slack.workspace.open_view(slack.workspace.new_trigger(ADMIN), form())
    app.answer = lambda _: {"response_action": "errors", "errors": {"b": "No."}}
    slack.submit(ADMIN)
    modal = slack.modal(ADMIN)

    assert [each.text for each in slack.workspace.ephemerals(ADMIN)] == ["Hello"]
    assert modal is not None
    assert modal.errors == {"b": "No."}
    assert app.envelopes[-1]["type"] == "interactive"


def test_a_button_goes_over_the_socket(slack: SlackStandIn, app: App) -> None:
    """Its envelope takes no answer."""
    message = slack.workspace.post({"channel": SCANS, "text": "x", "blocks": [button()]})
    slack.press(ADMIN, SCANS, message.ts, "undo")

    assert app.envelopes[0]["payload"]["actions"][0]["action_id"] == "undo"
    assert app.envelopes[0]["accepts_response_payload"] is False


def test_no_acknowledgement_in_time_is_a_timeout(
    slack: SlackStandIn, sockets: SocketStandIn, app: App
) -> None:
    """After the limit a submit shows the banner; what comes later is noted and changes nothing."""
    released = threading.Event()

    def late(_: Json) -> None:
        released.wait(5)

    app.answer = late
    slack.workspace.open_view(slack.workspace.new_trigger(ADMIN), form())
    delivery = slack.submit(ADMIN)
    modal = slack.modal(ADMIN)
    released.set()
    app.answer = lambda _: None
    slack.command(ADMIN, SCANS)

    assert (delivery.status, delivery.error) == (None, "operation_timeout")
    assert modal is not None
    assert modal.banner == BANNER
    assert len(sockets.acknowledgements) == 2


def test_without_a_connection_nothing_can_be_sent(
    slack: SlackStandIn, sockets: SocketStandIn
) -> None:
    """An app that isn't connected fails its commands."""
    delivery = slack.command(ADMIN, SCANS)

    assert delivery.error == "dispatch_failed"
    assert sockets.connections == 0


@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "link_disabled"])
def test_clients_are_asked_to_reconnect(
    slack: SlackStandIn, sockets: SocketStandIn, app: App, reason: str
) -> None:
    """A disconnect is announced with its reason, and may come with the end of the line."""
    sockets.disconnect(reason)
    still_open = slack.command(ADMIN, SCANS).error is None
    sockets.disconnect(reason, close=True)
    ended = app.ended.wait(5)
    with App(url(slack)).connected():
        sockets.wait_for_connections(2, ever=True)

    assert [message["type"] for message in app.messages] == [
        "hello",
        "disconnect",
        "slash_commands",
        "disconnect",
    ]
    assert app.messages[1]["reason"] == reason
    assert (still_open, ended, sockets.welcomed) == (True, True, 2)


def test_lines_break(slack: SlackStandIn, sockets: SocketStandIn, app: App) -> None:
    """A dropped line ends without a word, and nothing can be sent over it."""
    sockets.drop()

    assert app.ended.wait(5)
    assert [message["type"] for message in app.messages] == ["hello"]
    assert slack.command(ADMIN, SCANS).error == "dispatch_failed"


def test_connections_take_turns(slack: SlackStandIn, sockets: SocketStandIn, app: App) -> None:
    """With two connections, each payload goes to one of them, in turns."""
    with App(url(slack)).connected() as other:
        sockets.wait_for_connections(2)
        for _ in range(4):
            slack.command(ADMIN, SCANS)

    assert (len(app.envelopes), len(other.envelopes)) == (2, 2)


def test_clients_answer_pings(sockets: SocketStandIn, app: App) -> None:
    """A connection that is alive answers a ping."""
    assert sockets.ping()


def test_the_sdk_understands_what_is_sent(slack: SlackStandIn, sockets: SocketStandIn) -> None:
    """The SDK's own client connects, and its acknowledgements are understood."""

    def take(client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        answer = {"text": f"{request.type} {request.payload['text']}"}
        client.send_socket_mode_response(
            SocketModeResponse(envelope_id=request.envelope_id, payload=answer)
        )

    client = SocketModeClient(slack.app_token, web_client=WebClient(base_url=slack.api_url))
    client.socket_mode_request_listeners.append(take)
    client.connect()
    sockets.wait_for_connections(1)
    delivery = slack.command(ADMIN, SCANS, "hello")
    client.close()

    assert delivery.error is None
    assert [each.text for each in slack.workspace.ephemerals(ADMIN)] == ["slash_commands hello"]
