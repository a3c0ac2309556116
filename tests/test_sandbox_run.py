"""The sandbox as a whole: the bot's process, and one command that starts everything and ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from bot.sandbox.kayran import KayranStandIn
from bot.sandbox.process import BotProcess
from bot.sandbox.run import ROOT, environment
from bot.sandbox.slack import SlackStandIn

FAKE_BOT = """
import http.server, os, signal, sys, time

if sys.argv[1:] == ["history", "--json"]:
    print('{"number": 1}')
    print("a sentence")
    print('[2]')
    print('{"number": 2}')
    sys.exit(int(os.environ.get("HISTORY_STATUS", "0")))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            print("Traceback: I died", flush=True)
            os._exit(3)
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


if os.environ.get("STUBBORN"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.environ.get("CHILD"):
    child = os.fork()
    if not child:
        time.sleep(60)
    print("WARNING", child, flush=True)
print("2026-01-01 INFO bot: quiet", flush=True)
print("2026-01-01 WARNING bot: loud", flush=True)
print("  and its second line", flush=True)
print("2026-01-01 INFO bot: quiet again", flush=True)
if os.environ.get("BROKEN"):
    sys.exit("settings are missing")
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

Start = Callable[..., BotProcess]


class Heard:
    """Lines that were shown, and waiting for one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._came = threading.Condition()

    def __call__(self, line: str) -> None:
        """Hear a line."""
        with self._came:
            self.lines.append(line)
            self._came.notify_all()

    def wait_for(self, line: str) -> bool:
        """Wait until a line was heard."""
        with self._came:
            return self._came.wait_for(lambda: line in self.lines, timeout=5)


@pytest.fixture
def heard() -> Heard:
    """What was shown."""
    return Heard()


@pytest.fixture
def start(tmp_path: Path, heard: Heard) -> Iterator[Start]:
    """Starts a fake bot, with more of an environment if need be; ends it with the test."""
    script = tmp_path / "fake_bot.py"
    script.write_text(FAKE_BOT)
    started: list[BotProcess] = []

    def start_one(**more: str) -> BotProcess:
        port = free_port()
        bot = BotProcess(
            {"PORT": str(port), **more},
            tmp_path,
            port,
            show=heard,
            serve=(sys.executable, "-I", str(script)),
            history=(sys.executable, "-I", str(script), "history", "--json"),
        )
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


def is_alive(pid: int) -> bool:
    """Whether a process, and not only what is left of one, is there."""
    if not Path("/proc/self/stat").exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return True
        return False
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_a_process_gets_ready_and_ends(start: Start) -> None:
    """It is ready once /healthz answers, ends when it is asked to, and can be started again."""
    bot = start()
    assert bot.wait_until_ready(10)
    pid = bot.pid
    assert (bot.running, bot.ready, bot.starts) == (True, True, 1)
    assert pid is not None

    with pytest.raises(RuntimeError, match="running already"):
        bot.start()
    bot.stop()
    assert (bot.running, bot.ready, bot.pid, is_alive(pid)) == (False, False, None, False)

    bot.start()
    assert bot.wait_until_ready(10)
    assert bot.starts == 2


def test_killing_takes_the_children_too(start: Start, heard: Heard) -> None:
    """The whole process group is gone at once, a server's workers included."""
    bot = start(CHILD="1")
    assert bot.wait_until_ready(10)
    child = int(heard.lines[0].split()[-1])
    assert is_alive(child)

    bot.kill()
    assert bot.running is False
    assert is_gone(child)


def test_only_warnings_are_shown(start: Start, heard: Heard) -> None:
    """Lines from WARNING on are shown, with what goes on below them; the others are not."""
    bot = start()
    assert bot.wait_until_ready(10)
    bot.stop()

    assert heard.lines == ["bot: 2026-01-01 WARNING bot: loud", "bot:   and its second line"]


def test_a_bot_that_dies_tells_why(start: Start, heard: Heard) -> None:
    """When it ends by itself its last lines are shown, quiet ones too."""
    bot = start(BROKEN="1")

    assert not bot.wait_until_ready(10)
    assert heard.wait_for("bot: settings are missing")
    assert "The bot has ended by itself, with status 1. Its last lines:" in heard.lines
    assert "bot: 2026-01-01 INFO bot: quiet again" in heard.lines
    assert bot.running is False


def test_its_history_is_read_line_by_line(start: Start) -> None:
    """Every JSON object is a row; without such a command there are no rows."""
    assert start().history() == [{"number": 1}, {"number": 2}]
    assert start(HISTORY_STATUS="2").history() == []


def test_the_bot_gets_a_clean_environment() -> None:
    """The stand-ins' addresses and made-up secrets; no token, proxy or setting of the person's own."""
    own = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "SLACK_APP_TOKEN": "xapp-mine",
        "SLACK_BOT_TOKEN": "xoxb-mine",
        "SLACK_CLIENT_ID": "1",
        "KAYRAN_API_KEY": "mine",
        "ALLOWED_ROLES": "member",
        "HTTPS_PROXY": "http://proxy.example",
        "http_proxy": "http://proxy.example",
        "PYTHONPATH": "/elsewhere",
    }
    with SlackStandIn() as slack, KayranStandIn("made-up-key") as kayran:
        given = environment(own, slack, kayran, "made-up-key")
        addresses = (slack.api_url, kayran.url)

    assert given == {
        "PATH": "/bin",
        "HOME": "/home/me",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "SLACK_API_URL": addresses[0],
        "KAYRAN_API_KEY": "made-up-key",
        "KAYRAN_API_URL": addresses[1],
        "LOG_LEVEL": "INFO",
    }


def is_gone(pid: int, seconds: float = 5) -> bool:
    """Whether a process came to its end in time; a killed one takes a moment."""
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


SANDBOX = "import sys; from bot.sandbox.run import main; sys.exit(main(int(sys.argv[1]), False))"


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_command_starts_everything_and_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    """The page is there with a ready bot; told to end, nothing is left: no process, no folder."""
    # What a person has lying about steers nothing.
    (tmp_path / ".env").write_text("SLACK_APP_TOKEN=xapp-mine\nKAYRAN_API_URL=https://x.example\n")
    with sandbox(0, tmp_path, SLACK_APP_TOKEN="xapp-mine", HTTP_PROXY="http://x.example") as run:
        assert run.stdout is not None
        assert run.stderr is not None
        told = run.stdout.readline().split()
        state = requests.get(f"{told[-1]}state", timeout=5).json()
        page = requests.get(told[-1], timeout=5)
        folders = [each.name for each in tmp_path.iterdir() if each.is_dir()]
        run.send_signal(number)
        status = run.wait(10)
        errors = run.stderr.read()

    assert " ".join(told[:-1]) == "The sandbox is open at"
    assert (state["bot"]["running"], state["bot"]["ready"], state["bot"]["starts"]) == (
        True,
        True,
        1,
    )
    assert page.headers["content-type"].startswith("text/html")
    assert [name.startswith("kayran-notify-") for name in folders] == [True]
    assert (status, errors) == (0, "")
    assert not is_alive(state["bot"]["pid"])
    assert [each.name for each in tmp_path.iterdir()] == [".env"]


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """With a sentence that says what to do, an exit status of 1, and nothing left behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with sandbox(port, tmp_path) as run:
            said, errors = run.communicate(timeout=10)

    assert run.returncode == 1
    assert said == ""
    assert errors == (
        f"Port {port} is taken by another program. Choose another one: "
        f"python -m bot sandbox --port {port + 1}\n"
    )
    assert list(tmp_path.iterdir()) == []
