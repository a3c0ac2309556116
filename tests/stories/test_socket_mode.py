"""The same walk over Socket Mode: two connections that come back, and how the process begins and ends."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import signal
import socket
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from bot.app import assemble
from bot.sandbox.cast import ADMIN, SCANS
from bot.settings import Settings
from bot.slack import words
from bot.socket_mode import SocketMode
from tests.odd_answers import slow
from tests.socket_stand_in import SocketStandIn
from tests.stage import QUICK, Stage, outside
from tests.standins import Fault
from tests.stories.child import bot_process, free_port, health
from tests.test_web import ask

# slack_sdk leaves the sockets of connections that were replaced to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

ROOT = Path(__file__).parents[2]
OPEN = "apps.connections.open"


class Linked(Stage):
    """A stage whose Slack has a socket to the bot."""

    sockets: SocketStandIn

    def is_acked(self) -> bool:
        """Whether a command is answered in time."""
        return self.slack.command(ADMIN, SCANS, "help").error is None


@pytest.fixture
def linked(environ: dict[str, str]) -> Iterator[Linked]:
    """The stand-ins, with nothing connected; without a signing secret, which sockets have no use for."""
    own = {**environ, "SLACK_SIGNING_SECRET": "", "SLACK_APP_TOKEN": "xapp-made-up"}
    with outside(own) as played, SocketStandIn() as sockets:
        played.slack.link = sockets
        stage = Linked(played.slack, played.kayran, played.environ)
        stage.sockets = sockets
        yield stage
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextlib.contextmanager
def here(linked: Linked, apart: float = 0.05) -> Iterator[Callable[[], None]]:
    """The bot in this process, which takes little time for anything; what ends its connections."""
    settings = Settings.from_env(linked.environ)
    bot = assemble(settings, QUICK)
    bot.start()
    link = SocketMode(bot.bolt, settings, apart=apart, ping=0.5, pause=0.1)
    serving = threading.Thread(target=link.serve)
    serving.start()

    def end() -> None:
        link.stop()
        serving.join()

    try:
        linked.sockets.wait_for_connections(2 if apart < 1 else 1)
        yield end
    finally:
        end()
        bot.close(10)


# The connections


def test_the_walk(linked: Linked, tmp_path: Path) -> None:
    """From the command to the thread, and Undo, without a single HTTP request to the bot."""
    with bot_process(linked.environ, tmp_path):
        linked.sockets.wait_for_connections(1, 20)
        result = linked.change(mailStop=True)
        linked.press(result, "undo_change")
        undone = linked.result(2)

    assert "*Stop* is on, checked in Kayran." in result.text
    assert "*Stop* is off, checked in Kayran." in undone.text
    assert [sent["mailStop"] for sent in linked.sent_to_kayran()] == ["on", "off"]


def test_an_answer_in_the_acknowledgement(linked: Linked) -> None:
    """What a form turns into goes back over the socket."""
    view = {"type": "modal", "callback_id": "of_an_older_release", "private_metadata": "{}"}
    payload = {"type": "view_submission", "user": {"id": ADMIN}, "view": {**view, "id": "V1"}}
    with here(linked):
        delivery = linked.slack.send("interactive", payload, "view_submission")

    assert words.OLDER_RELEASE in json.loads(delivery.body)["view"]["blocks"][0]["text"]["text"]


def test_refreshed_connections(linked: Linked, log: io.StringIO) -> None:
    """Slack has both connections replaced at once: every command is acked in time, and the log says why."""
    with here(linked):
        linked.sockets.refresh()
        linked.sockets.wait_for_connections(2)
        deliveries = [linked.slack.command(ADMIN, SCANS, "help") for _ in range(20)]

    # Where the new lines are not read until the old ones have been silent for 3 s, it is 2 s and more.
    assert all(delivery.error is None and delivery.seconds < 1.5 for delivery in deliveries)
    assert log.getvalue().count("Slack asks for a new connection (refresh_requested)") == 2


def test_a_broken_connection(linked: Linked) -> None:
    """The other one serves meanwhile, and it comes back."""
    with here(linked):
        linked.sockets.drop_one()

        assert all(linked.is_acked() for _ in range(10))
        linked.sockets.wait_for_connections(3, 20, ever=True)
        assert linked.is_acked()


def test_connections_that_are_ended_at_once(linked: Linked) -> None:
    """Slack takes no more of them: each is asked for after a longer pause than the one before."""
    linked.sockets.turns_away = True
    with here(linked, apart=60):
        linked.slack.wait_for_call(OPEN, n=5)

    asked = [call.at for call in linked.slack.calls_of(OPEN)]
    pauses = [later - earlier for earlier, later in pairwise(asked[:5])]
    assert all(pause >= least for pause, least in zip(pauses, (0.1, 0.2, 0.4, 0.8), strict=True))


def test_what_is_being_answered_while_it_closes(linked: Linked) -> None:
    """A submit that waits for who this is, for 2 s at most, is acked before the connections are closed."""
    with here(linked) as end, ThreadPoolExecutor() as other:
        linked.open_form()
        asked = len(linked.slack.calls_of("users.info"))
        linked.slack.faults.next("users.info", Fault.hang())
        saving = other.submit(linked.save, mailStop=True)
        linked.slack.wait_for_call("users.info", n=asked + 1)
        end()

        assert saving.result().error is None
        assert linked.slack.command(ADMIN, SCANS).error is not None


@pytest.mark.parametrize("no_proxy", ["", ".slack.com"])
def test_a_proxy(linked: Linked, tmp_path: Path, no_proxy: str) -> None:
    """Sockets go through the proxy, but for what ``NO_PROXY`` names."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(20)
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        own = {**linked.environ, "HTTPS_PROXY": address, "NO_PROXY": no_proxy}
        with bot_process(own, tmp_path):
            if no_proxy:
                linked.sockets.wait_for_connections(1, 20)
            else:
                with proxy.accept()[0] as line:
                    assert line.recv(100).startswith(b"CONNECT 127.0.0.1:")


# The process


@pytest.mark.parametrize("metrics", ["on", "off"])
def test_metrics_and_health(linked: Linked, tmp_path: Path, metrics: str) -> None:
    """Both are served where METRICS is on, and no payload is taken there; else nothing listens."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    if metrics == "on":
        linked.slack.faults.next(OPEN, Fault.http(500), None)
    with bot_process({**linked.environ, "METRICS": metrics, "PORT": str(port)}, tmp_path):
        if metrics == "off":
            linked.sockets.wait_for_connections(1, 20)
            assert health(url) is None
            return
        linked.eventually(lambda: health(url) == 503, "it to say that Slack is away", 20)
        linked.slack.faults.clear()
        linked.eventually(lambda: health(url) == 200, "it to be well")
        assert linked.is_acked()
        assert "\nkayran_notify_ack_seconds_count 1.0\n" in ask(url, "GET", "/metrics")[2]
        assert ask(url, "POST", "/slack/events")[0] == 404


def test_slack_away_at_the_start(linked: Linked, tmp_path: Path) -> None:
    """It says so, and connects when Slack is back."""
    linked.slack.faults.next(OPEN, Fault.http(500), None)
    with bot_process(linked.environ, tmp_path, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "bot.socket_mode" in line)
        linked.slack.faults.clear()
        linked.sockets.wait_for_connections(1, 20)

    assert "trying again in 1 s" in said


def test_sigterm_while_slack_has_it_wait(linked: Linked, tmp_path: Path) -> None:
    """Asked to wait a minute, it says so, and ends at once when it is asked to."""
    linked.slack.faults.next(OPEN, Fault.rate_limited(60), None)
    with bot_process(linked.environ, tmp_path, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "bot.socket_mode" in line)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == 0
        assert time.monotonic() - began < 10

    assert "Slack gives no socket (ratelimited); trying again in 60 s" in said


def test_sigterm(linked: Linked, tmp_path: Path) -> None:
    """The change in hand is finished and told, and the process is gone within 25 s."""
    with bot_process(linked.environ, tmp_path) as process:
        linked.sockets.wait_for_connections(1, 20)
        linked.kayran.next(slow(2.0), function="UpdateMailNotify")
        linked.open_form()
        linked.save(mailStop=True)
        linked.kayran.wait_for_call("UpdateMailNotify")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == 0
        assert time.monotonic() - began < 25

    assert "*Stop* is on, checked in Kayran." in linked.results()[0].text


@pytest.mark.parametrize("code", ["invalid_auth", "missing_scope", "token_revoked"])
def test_an_app_token_that_is_no_good_for_this(linked: Linked, tmp_path: Path, code: str) -> None:
    """It ends the start with status 2, and a sentence that names the scope it takes."""
    linked.slack.faults.next(OPEN, Fault.error(code))
    with bot_process(linked.environ, tmp_path, stderr=subprocess.PIPE) as process:
        said = process.communicate(timeout=30)[1]

    assert process.returncode == 2
    assert f"Slack does not accept SLACK_APP_TOKEN ({code})" in said
    assert "connections:write" in said
    assert linked.environ["SLACK_APP_TOKEN"] not in said
    assert "Traceback" not in said
