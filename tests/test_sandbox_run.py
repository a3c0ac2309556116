"""The sandbox as a whole: the bot's process, and one command that starts everything and ends it."""

from __future__ import annotations

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

from bot.notifications import PARAMETERS
from bot.sandbox.cast import ADMIN
from bot.sandbox.kayran import KayranStandIn
from bot.sandbox.process import BotProcess
from bot.sandbox.run import ROOT, environment
from bot.sandbox.slack import SlackStandIn
from bot.sandbox.wire import Wire
from tests.browser.person import Sandbox, end, sandbox_running
from tests.stories.child import free_port

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

Start = Callable[..., BotProcess]


class Heard(Wire):
    """What a process tells; something to wait on."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def show(self, line: str) -> None:
        """Hear a line."""
        self.lines.append(line)
        self.touch()


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
    assert heard.wait_for(lambda: bot.ready, 10)
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
    assert heard.wait_for(lambda: bot.ready, 10)
    assert bot.starts == 2
    assert not any("ended by itself" in line for line in heard.lines)


def test_killing_takes_the_children_too(start: Start, heard: Heard) -> None:
    """The whole process group is gone at once."""
    bot = start(CHILD="1")
    assert heard.wait_for(lambda: bot.ready, 10)
    child = int(heard.lines[0].split()[-1])
    bot.kill()

    assert goes(child)


def test_a_bot_that_dies_tells_why(start: Start, heard: Heard) -> None:
    """When it ends by itself its last lines are shown, quiet ones too."""
    bot = start(BROKEN="1")

    assert heard.wait_for(lambda: "bot: settings are missing" in heard.lines, 10)
    assert "The bot has ended by itself, with status 1. Its last lines:" in heard.lines
    assert "bot: 2026-01-01 INFO bot: quiet again" in heard.lines
    assert bot.running is False


def test_the_bot_gets_a_clean_environment() -> None:
    """The stand-ins' addresses and made-up secrets; no token, proxy or setting of the person's own."""
    kept = {"PATH": "/bin", "HOME": "/home/me"}
    own = {"SLACK_APP_TOKEN": "xapp-mine", "KAYRAN_API_KEY": "mine", "ALLOWED_ROLES": "member"}
    steering = {"https_proxy": "http://proxy.example", "PYTHONPATH": "/elsewhere"}
    slack, kayran = SlackStandIn(), KayranStandIn("made-up-key")
    keys = {"KAYRAN_API_KEY": "made-up-key", "KAYRAN_API_KEY_DEV": "another"}
    given = environment({**kept, **own, **steering}, slack, kayran, keys)

    assert given == {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "SLACK_API_URL": slack.api_url,
        **keys,
        "KAYRAN_API_URL": kayran.url,
        "LOG_LEVEL": "INFO",
    }


def bots_process(sandbox: Sandbox) -> int:
    """The id of the bot's process, which is ready as soon as the sandbox says that it is open."""
    shown = re.search(r"Running, process (\d+)", sandbox.region("bot"))
    assert shown is not None
    return int(shown[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_command_starts_everything_and_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    """The page is there with a ready bot; told to end, nothing is left: no process, no folder. A page that
    was closed is no news for the terminal.
    """
    # What a person has lying about steers nothing.
    (tmp_path / ".env").write_text("SLACK_APP_TOKEN=xapp-mine\nKAYRAN_API_URL=https://x.example\n")
    own = {"SLACK_APP_TOKEN": "xapp-mine", "HTTP_PROXY": "http://x.example"}
    with sandbox_running(tmp_path, **own) as sandbox:
        pid = bots_process(sandbox)
        folders = [each.name for each in (tmp_path / "temporary").iterdir()]
        with requests.get(f"{sandbox.url}events", {"as": ADMIN}, stream=True, timeout=9) as page:
            page.raw.read1(1)
        for name in PARAMETERS:
            sandbox.do("flag", name=name, mailbox="default", on="on")
        status = end(sandbox.process, number)

    assert [name.startswith("kayran-notify-") for name in folders] == [True]
    assert (status, (tmp_path / "sandbox.log").read_text()) == (0, "")
    assert goes(pid)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_bot_ends_with_a_sandbox_that_is_killed(tmp_path: Path) -> None:
    """Even kill -9 leaves no bot behind."""
    with sandbox_running(tmp_path) as sandbox:
        pid = bots_process(sandbox)
        sandbox.process.kill()

    assert goes(pid)


def test_a_taken_port_is_told() -> None:
    """With a sentence that says what to do, and an exit status of 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "bot", "sandbox", "--no-open", "--port", str(port)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"Port {port} is taken by another program. Choose another one: "
        f"python -m bot sandbox --port {port + 1}\n"
    )
