"""The server that hosts run: what it does with clients that Slack is none of."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import gunicorn
from bot.sandbox.cast import ADMIN, SCANS
from tests.stage import Stage
from tests.stories.child import WEB, Real, outside

HEAD = b"POST /slack/events HTTP/1.1\r\nHost: bot\r\n"


@pytest.fixture
def served(environ: dict[str, str], tmp_path: Path) -> Iterator[Stage]:
    """The bot as the Procfile's first line serves it, with nothing in its home folder."""
    with outside({**environ, "HOME": str(tmp_path)}) as stage:
        web = Real(stage.environ, tmp_path / "log", ("sh", "-c", f"exec {WEB}"))
        try:
            stage.slack.events_url = f"{web.url}/slack/events"
            yield stage
        finally:
            web.kill()


@pytest.mark.parametrize(
    "half",
    [HEAD, HEAD + b"Content-Length: 10\r\n\r\n12", b"POST /slack/eve"],
    ids=["no end of the head", "no end of the body", "no end of the first line"],
)
def test_half_a_request_keeps_nobody_out(served: Stage, half: bytes) -> None:
    """As many of them as there are threads, and then some, are hung up on, and Slack is served."""
    with contextlib.ExitStack() as lines:
        for _ in range(gunicorn.threads + 16):
            lines.enter_context(line_to(served)).sendall(half)
        served.eventually(
            lambda: served.slack.command(ADMIN, SCANS).error is None, "an ack", seconds=30
        )


def test_a_request_that_stops_halfway_is_unsigned(served: Stage) -> None:
    """What has come in by then is judged like anything else: a 4xx."""
    with line_to(served) as line:
        line.sendall(HEAD + b"Content-Length: 10\r\n\r\n12")
        line.settimeout(30)

        assert line.recv(100).startswith(b"HTTP/1.1 401 ")


def test_it_leaves_nothing_in_the_home_folder(served: Stage, tmp_path: Path) -> None:
    """No socket to control it by, and nothing else but the bot's own record and log."""
    served.open_form()

    assert {path.name.partition(".")[0] for path in tmp_path.iterdir()} <= {"log", "records"}


def line_to(stage: Stage) -> socket.socket:
    """A connection of one's own to the server."""
    port = int(stage.slack.events_url.split(":")[2].partition("/")[0])
    return socket.create_connection(("127.0.0.1", port))
