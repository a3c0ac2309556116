"""The sandbox as a whole: the bot's process, and one command that starts everything and ends it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from bot.sandbox.kayran import KayranStandIn
from bot.sandbox.process import BotProcess
from bot.sandbox.run import ROOT, environment
from bot.sandbox.slack import SlackStandIn
from bot.sandbox.wire import Wire

FAKE_BOT = """
import http.server, os, sys, time
from bot.sandbox.process import end_with_stdin

end_with_stdin()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass

if "CHILD" in os.environ:
    child = os.fork()
    if not child:
        time.sleep(60)
    print("WARNING", child, flush=True)
print("2026-01-01 INFO bot: quiet", flush=True)
print("2026-01-01 WARNING bot: loud", flush=True)
print("  and its second line", flush=True)
print("2026-01-01 INFO bot: quiet again", flush=True)
if "BROKEN" in os.environ:
    sys.exit("settings are missing")
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

SANDBOX = "import sys; from bot.sandbox.run import main; sys.exit(main(int(sys.argv[1]), False))"

Start = Callable[..., BotProcess]


class Heard(Wire):
    """What a process tells; waits for something to become so, looking whenever something changes."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def show(self, line: str) -> None:
        """Hear a line."""
        self.lines.append(line)
        self.touch()

    def wait_until(self, so: Callable[[], bool]) -> bool:
        """Wait until something is so."""
        return self.wait_for(so, 10)


@pytest.fixture
def heard() -> Heard:
    """What was told."""
    return Heard()


@pytest.fixture
def start(tmp_path: Path, heard: Heard) -> Iterator[Start]:
    """Starts a fake bot, with more of an environment if need be; kills it with the test."""
    script = tmp_path / "fake_bot.py"
    script.write_text(FAKE_BOT)
    started: list[BotProcess] = []

    def start_one(**more: str) -> BotProcess:
        environ = {"PORT": str(free_port()), "PYTHONPATH": str(ROOT), **more}
        command = (sys.executable, str(script))
        bot = BotProcess(environ, tmp_path, heard.touch, heard.show, command)
        started.append(bot)
        bot.start()
        return bot

    yield start_one
    for bot in started:
        bot.kill()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def goes(pid: int) -> bool:
    """Whether a process comes to its end in time; what is left of one for its parent doesn't count."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        state = subprocess.run(
            ("ps", "-o", "stat=", "-p", str(pid)), capture_output=True, text=True, check=False
        ).stdout.strip()
        if state[:1] in ("", "Z"):
            return True
        time.sleep(0.02)
    return False


def test_a_process_gets_ready_is_killed_and_started_again(start: Start, heard: Heard) -> None:
    """It is ready once /healthz answers, and only its warnings are shown; a second start or kill does
    nothing.
    """
    bot = start()
    assert heard.wait_until(lambda: bot.ready)
    assert heard.lines == ["bot: 2026-01-01 WARNING bot: loud", "bot:   and its second line"]
    pid = bot.pid
    bot.start()
    assert (bot.starts, bot.pid, bot.killed_at) == (1, pid, None)

    bot.kill()
    killed_at = bot.killed_at
    bot.kill()
    assert (bot.running, bot.ready, bot.pid) == (False, False, None)
    assert killed_at is not None
    assert killed_at == bot.killed_at

    bot.start()
    assert heard.wait_until(lambda: bot.ready)
    assert bot.starts == 2
    assert not any("ended by itself" in line for line in heard.lines)


def test_killing_takes_the_children_too(start: Start, heard: Heard) -> None:
    """The whole process group is gone at once."""
    bot = start(CHILD="1")
    assert heard.wait_until(lambda: bot.ready)
    child = int(heard.lines[0].split()[-1])
    bot.kill()

    assert goes(child)


def test_a_bot_that_dies_tells_why(start: Start, heard: Heard) -> None:
    """When it ends by itself its last lines are shown, quiet ones too."""
    bot = start(BROKEN="1")

    assert heard.wait_until(lambda: "bot: settings are missing" in heard.lines)
    assert "The bot has ended by itself, with status 1. Its last lines:" in heard.lines
    assert "bot: 2026-01-01 INFO bot: quiet again" in heard.lines
    assert bot.running is False


def test_the_bot_gets_a_clean_environment() -> None:
    """The stand-ins' addresses and made-up secrets; no token, proxy or setting of the person's own."""
    own = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "SLACK_APP_TOKEN": "xapp-mine",
        "SLACK_BOT_TOKEN": "xoxb-mine",
        "KAYRAN_API_KEY": "mine",
        "ALLOWED_ROLES": "member",
        "https_proxy": "http://proxy.example",
        "PYTHONPATH": "/elsewhere",
    }
    with SlackStandIn() as slack, KayranStandIn("made-up-key") as kayran:
        keys = {"KAYRAN_API_KEY": "made-up-key", "KAYRAN_API_KEY_DEV": "another"}
        given = environment(own, slack, kayran, keys)
        addresses = (slack.api_url, kayran.url)

    assert given == {
        "PATH": "/bin",
        "HOME": "/home/me",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "SLACK_API_URL": addresses[0],
        **keys,
        "KAYRAN_API_URL": addresses[1],
        "LOG_LEVEL": "INFO",
    }


@contextlib.contextmanager
def sandbox(port: int, folder: Path, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """The sandbox in a process of its own, with its temporary folders in one of ours."""
    own = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT), **environ}
    with subprocess.Popen(
        [sys.executable, "-c", SANDBOX, str(port)],
        env=own,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def bots_process(run: subprocess.Popen[str]) -> int:
    """The id of the bot's process, as the page tells it as soon as it is said to be there."""
    assert run.stdout is not None
    told = run.stdout.readline()
    assert told.startswith("The sandbox is open at http://127.0.0.1:")
    page = requests.get(told.split()[-1], timeout=5)
    shown = re.search(r"Running, process (\d+)", page.text)
    assert shown is not None
    return int(shown[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_command_starts_everything_and_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    """The page is there with a ready bot; told to end, nothing is left: no process, no folder."""
    # What a person has lying about steers nothing.
    (tmp_path / ".env").write_text("SLACK_APP_TOKEN=xapp-mine\nKAYRAN_API_URL=https://x.example\n")
    with sandbox(0, tmp_path, SLACK_APP_TOKEN="xapp-mine", HTTP_PROXY="http://x.example") as run:
        pid = bots_process(run)
        folders = [each.name for each in tmp_path.iterdir() if each.is_dir()]
        run.send_signal(number)
        _, errors = run.communicate(timeout=10)

    assert [name.startswith("kayran-notify-") for name in folders] == [True]
    assert (run.returncode, errors) == (0, "")
    assert goes(pid)
    assert [each.name for each in tmp_path.iterdir()] == [".env"]


def test_the_bot_ends_with_a_sandbox_that_is_killed(tmp_path: Path) -> None:
    """Even kill -9 leaves no bot behind."""
    with sandbox(0, tmp_path) as run:
        pid = bots_process(run)
        run.kill()

    assert goes(pid)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """With a sentence that says what to do, an exit status of 1, and nothing left behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with sandbox(port, tmp_path) as run:
            said, errors = run.communicate(timeout=10)

    assert (run.returncode, said) == (1, "")
    assert errors == (
        f"Port {port} is taken by another program. Choose another one: "
        f"python -m bot sandbox --port {port + 1}\n"
    )
    assert list(tmp_path.iterdir()) == []
