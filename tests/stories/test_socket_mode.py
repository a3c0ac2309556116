"""The same walk over Socket Mode: the bot as a process, its socket, and how it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.sandbox.cast import ADMIN, MEMBER, SCANS
from bot.sandbox.faults import Fault
from bot.sandbox.kayran import KayranStandIn
from bot.sandbox.slack import SlackStandIn
from bot.sandbox.wire import Wire
from tests.records_rig import Line
from tests.socket_stand_in import SocketStandIn
from tests.stage import Stage, _texts

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def worker(environ: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """``python -m bot`` with an app-level token, in a folder of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bot"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def socket_environ(environ: dict[str, str]) -> dict[str, str]:
    """Without a signing secret, which Socket Mode has no use for."""
    return {
        **{k: v for k, v in environ.items() if k != "SLACK_SIGNING_SECRET"},
        "SLACK_APP_TOKEN": "xapp-made-up-app-token",
    }


class Linked(Stage):
    """A stage whose bot is a process on the other end of a socket."""

    sockets: SocketStandIn
    process: subprocess.Popen[str]


@pytest.fixture
def linked(socket_environ: dict[str, str], tmp_path: Path) -> Iterator[Linked]:
    """The bot as a process, connected."""
    wire = Wire()
    slack = SlackStandIn(
        bot_token=socket_environ["SLACK_BOT_TOKEN"],
        app_token=socket_environ["SLACK_APP_TOKEN"],
        wire=wire,
    )
    kayran = KayranStandIn(socket_environ["KAYRAN_API_KEY"], wire)
    with slack, kayran, SocketStandIn() as sockets:
        slack.link = sockets
        environ = {**socket_environ, "SLACK_API_URL": slack.api_url, "KAYRAN_API_URL": kayran.url}
        with worker(environ, tmp_path) as process:
            sockets.wait_for_connections(1, seconds=20)
            played = Linked(slack, kayran, None, "", environ)  # type: ignore[arg-type]  # it is elsewhere
            played.sockets, played.process = sockets, process
            yield played


def test_the_walk(linked: Linked) -> None:
    """From the command to the thread, and Undo, without a single HTTP request to the bot."""
    result = linked.change(mailStop=True, mailDelete=True)
    linked.press(result, "undo_change")
    undone = linked.wait_for(lambda: linked.results()[1:], "the undo's result")

    assert "*Change 1 is applied.*" in result.text
    assert "*Change 2 is applied.*" in undone[0].text
    assert linked.sent_to_kayran()[0]["mailStop"] == "on"
    assert linked.sent_to_kayran()[1]["mailStop"] == "off"


def test_a_refusal(linked: Linked) -> None:
    """Who may not is told so in the form, and Kayran hears nothing of it."""
    modal = linked.open_form(MEMBER)

    assert "You may not change" in "\n".join(_texts(modal.view))
    assert linked.kayran.calls == []


def test_the_word_payload(linked: Linked) -> None:
    """Text that Bolt's own reading stumbles over over HTTP is no trouble here either."""
    delivery = linked.slack.command(ADMIN, SCANS, "payload=1")

    assert delivery.error is None
    linked.wait_for(lambda: linked.slack.modal(ADMIN), "the form")


def test_a_refreshed_socket(linked: Linked) -> None:
    """While Slack has a connection replaced by a new one, every command is answered in time."""
    linked.sockets.disconnect("warning")
    deliveries = [linked.slack.command(ADMIN, SCANS, "help") for _ in range(20)]
    linked.sockets.wait_for_connections(2, seconds=15, ever=True)
    deliveries += [linked.slack.command(ADMIN, SCANS, "help") for _ in range(20)]
    modal = linked.open_form()

    assert [delivery.error for delivery in deliveries] == [None] * 40
    assert modal.view["callback_id"] == "kayran_notify_form"


def test_a_broken_socket(linked: Linked) -> None:
    """A line that breaks without a word is made anew."""
    linked.sockets.drop()
    linked.sockets.wait_for_connections(2, seconds=25, ever=True)

    assert linked.open_form().view["callback_id"] == "kayran_notify_form"


def test_a_lost_socket_while_slack_gives_no_other(linked: Linked) -> None:
    """Slack is asked again after a pause, and no address is used twice."""
    linked.slack.faults.next("apps.connections.open", Fault.http(500), 2)
    linked.sockets.drop()
    linked.sockets.wait_for_connections(2, seconds=45, ever=True)

    assert len(linked.slack.calls_of("apps.connections.open")) == 1 + 2 + 1
    assert linked.sockets.turned_away == 0
    assert linked.open_form().view["callback_id"] == "kayran_notify_form"


def test_a_new_socket_that_leads_nowhere(linked: Linked) -> None:
    """Where the address that Slack gives for a new connection does not answer, the old one serves on; and
    when that breaks, the next address is tried.
    """
    with nowhere() as address:
        linked.slack.link = Detour(linked.sockets, [address])
        linked.sockets.disconnect("warning")
        linked.slack.wait_for_call("apps.connections.open", n=2)
        deliveries = [linked.slack.command(ADMIN, SCANS, "help") for _ in range(20)]
        linked.sockets.drop()
        linked.sockets.wait_for_connections(2, seconds=45, ever=True)

    assert [delivery.error for delivery in deliveries] == [None] * 20
    assert linked.open_form().view["callback_id"] == "kayran_notify_form"


def test_a_first_socket_that_leads_nowhere(socket_environ: dict[str, str], tmp_path: Path) -> None:
    """The bot does not wait for ever for an answer to its first connection either."""
    slack = SlackStandIn(
        bot_token=socket_environ["SLACK_BOT_TOKEN"], app_token=socket_environ["SLACK_APP_TOKEN"]
    )
    with slack, SocketStandIn() as sockets, nowhere() as address:
        slack.link = Detour(sockets, [address])
        with worker({**socket_environ, "SLACK_API_URL": slack.api_url}, tmp_path):
            sockets.wait_for_connections(1, seconds=45)


def test_a_socket_that_falls_silent(linked: Linked) -> None:
    """A line on which nothing arrives any more is noticed by the pings, and made anew."""
    url = urlsplit(linked.sockets.open_url())
    line = Line(str(url.hostname), int(url.port or 0))
    try:
        through = url._replace(netloc=f"{url.hostname}:{line.port}").geturl()
        linked.slack.link = Detour(linked.sockets, [through])
        linked.sockets.drop()
        linked.sockets.wait_for_connections(2, seconds=25, ever=True)
        line.freeze()
        linked.sockets.wait_for_connections(3, seconds=45, ever=True)
    finally:
        line.close()
    linked.eventually(lambda: linked.sockets.connections == 1, "the dead line to end")

    assert linked.open_form().view["callback_id"] == "kayran_notify_form"


class Detour:
    """The way to the sockets, but for the first few addresses that are given out."""

    def __init__(self, sockets: SocketStandIn, first: list[str]) -> None:
        self._sockets, self._first = sockets, first
        self.send = sockets.send

    def open_url(self) -> str:
        """The next address."""
        return self._first.pop(0) if self._first else self._sockets.open_url()


@contextlib.contextmanager
def nowhere() -> Iterator[str]:
    """An address that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/link/"


def test_an_older_releases_button_and_form(linked: Linked) -> None:
    """What this release does not know is acknowledged, with a sentence."""
    delivery = linked.slack.command(ADMIN, SCANS, command="/kayran-old")

    assert delivery.error is None
    assert "Its command is `/kayran-notify`" in delivery.body


def test_sigterm(linked: Linked) -> None:
    """On SIGTERM the change in hand is finished and told, and the process is gone within 25 s."""
    linked.kayran.next("slow", function="UpdateMailNotify", seconds=2.0)
    linked.open_form()
    linked.save(mailStop=True)
    linked.kayran.wait_for_call("UpdateMailNotify")
    began = time.monotonic()
    linked.process.send_signal(signal.SIGTERM)
    status = linked.process.wait(60)

    assert status == 0
    assert time.monotonic() - began < 25
    assert "*Change 1 is applied.*" in linked.results()[0].text


def test_sigterm_with_nothing_to_do(linked: Linked) -> None:
    """With nothing in hand the process goes at once."""
    began = time.monotonic()
    linked.process.send_signal(signal.SIGTERM)
    status = linked.process.wait(60)

    assert status == 0
    assert time.monotonic() - began < 10


def test_slack_away_at_the_start(socket_environ: dict[str, str], tmp_path: Path) -> None:
    """Where Slack is away when the bot starts, it waits, says so, and connects when Slack is back."""
    slack = SlackStandIn(
        bot_token=socket_environ["SLACK_BOT_TOKEN"], app_token=socket_environ["SLACK_APP_TOKEN"]
    )
    slack.start()
    environ = {**socket_environ, "SLACK_API_URL": slack.api_url}
    port = int(slack.api_url.split(":")[2].split("/")[0])
    slack.stop()
    with SocketStandIn() as sockets, worker(environ, tmp_path) as process:
        assert process.stderr is not None
        begins = re.compile("bot.slack.socket Slack can't be reached .*trying again")
        said = next((line for line in process.stderr if begins.search(line)), "")
        slack.link = sockets
        slack.start(port)
        try:
            sockets.wait_for_connections(1, seconds=15)
        finally:
            process.kill()
            slack.stop()

    assert said


@pytest.mark.parametrize("code", ["missing_scope", "token_revoked"])
def test_an_app_token_that_is_no_good_for_this(linked: Linked, tmp_path: Path, code: str) -> None:
    """The scope that is forgotten first of all ends the start with a sentence that names it."""
    linked.slack.faults.next("apps.connections.open", Fault.error(code))
    with worker(linked.environ, tmp_path) as process:
        said = process.communicate(timeout=30)[1]

    assert process.returncode == 2
    assert f"Slack does not accept SLACK_APP_TOKEN ({code})" in said
    assert "connections:write" in said


def test_an_app_token_slack_does_not_accept(linked: Linked, tmp_path: Path) -> None:
    """An app-level token that Slack refuses ends the start with status 2 and a sentence."""
    environ = {**linked.environ, "SLACK_APP_TOKEN": "xapp-of-another-app"}
    with worker(environ, tmp_path) as process:
        said = process.communicate(timeout=30)[1]

    assert process.returncode == 2
    assert "Slack does not accept SLACK_APP_TOKEN (invalid_auth)" in said
    assert "xapp-of-another-app" not in said
    assert "Traceback" not in said
