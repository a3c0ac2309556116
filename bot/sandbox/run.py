"""``python -m bot sandbox``: the whole thing on one machine, with no account anywhere.

The real bot runs as a child process, with secrets made up for this run and a database in a folder
of its own, beside stand-ins for Slack and Kayran; a page on loopback shows what people would see.
When it ends, by Ctrl-C, SIGTERM or a closed terminal, all of it ends, and nothing is left behind.
"""

import errno
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
import webbrowser
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from bot.sandbox.control import Control
from bot.sandbox.kayran import KayranStandIn
from bot.sandbox.manifest import read_manifest
from bot.sandbox.process import BotProcess
from bot.sandbox.slack import SlackStandIn
from bot.sandbox.wire import Wire

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder, where ``bot`` is imported from."""

READY_LIMIT = 30.0
"""Seconds the bot may take to start."""

POLL = 0.05
"""Seconds between two looks at whether it has."""

PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
)
"""What the bot gets of the person's own environment: no proxy, no token, nothing else that steers it."""


def main(port: int, open_browser: bool) -> int:
    """Run the sandbox until it is told to end. From the main thread alone: it listens to signals.

    Args:
        port: of the page, on 127.0.0.1; 0 for any free one.
        open_browser: show the page in the person's browser, where there is one.

    Returns:
        The exit status: 0 when it was told to end, 1 when it could not start.
    """
    # A signal handler may put into this kind of queue at any moment; ``threading.Event`` could be
    # in the middle of being waited for, by the very thread the handler interrupts.
    end: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: end.put(got))
    sys.unraisablehook = _unless_a_page_is_gone
    with ExitStack() as stack:
        bot, control = _assemble(stack)
        try:
            control.start(port)
        except OSError as error:
            _show(_port_error(port, error))
            return 1
        bot.start()
        deadline = time.monotonic() + READY_LIMIT
        while end.empty() and not bot.ready:
            if not bot.running or time.monotonic() > deadline:
                _show("The bot could not be started.")
                return 1
            time.sleep(POLL)
        if end.empty():
            print(f"The sandbox is open at {control.url}\nCtrl-C ends it.", flush=True)  # noqa: T201 (what a command line is for)
            if open_browser and _has_a_screen(os.environ):
                webbrowser.open(control.url)
        end.get()
    return 0


def environment(
    own: Mapping[str, str], slack: SlackStandIn, kayran: KayranStandIn, api_keys: Mapping[str, str]
) -> dict[str, str]:
    """The bot's environment: where the stand-ins are, and little of the person's own.

    Args:
        own: the person's.
        slack: started.
        kayran: started.
        api_keys: Kayran's, by variable.
    """
    return {
        **{name: own[name] for name in PASSED_ON if name in own},
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "SLACK_API_URL": slack.api_url,
        **api_keys,
        "KAYRAN_API_URL": kayran.url,
        "LOG_LEVEL": "INFO",
    }


def _assemble(stack: ExitStack) -> tuple[BotProcess, Control]:
    """The stand-ins, started; the bot and the page, not yet. The stack ends them, the last first."""
    # Beside the bot's database nothing is in this folder, so no ``.env`` of the person's is read.
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kayran-notify-")))
    wire = Wire()
    api_key, dev_key = (f"made-up-{secrets.token_hex(16)}" for _ in range(2))
    api_keys = {"KAYRAN_API_KEY": api_key, "KAYRAN_API_KEY_DEV": dev_key}
    kayran = stack.enter_context(KayranStandIn(api_key, wire, more={"dev": dev_key}))
    slack = stack.enter_context(
        SlackStandIn(
            bot_token=f"xoxb-made-up-{secrets.token_hex(12)}",
            signing_secret=secrets.token_hex(16),
            wire=wire,
        )
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    slack.events_url = f"http://127.0.0.1:{port}/slack/events"
    environ = environment(os.environ, slack, kayran, api_keys) | {
        "PORT": str(port),
        "DATABASE_URL": f"sqlite:///{folder / 'records.db'}",
    }
    bot = BotProcess(environ, folder, changed=wire.touch, show=_show)
    manifest = read_manifest((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    control = Control(slack, kayran, bot, manifest)
    stack.callback(control.stop)
    stack.callback(bot.kill)
    return bot, control


def _unless_a_page_is_gone(unraisable: "sys.UnraisableHookArgs") -> None:
    """From Python 3.13 on, cheroot's files say when a page was closed before their last bytes were sent."""
    if not isinstance(unraisable.exc_value, OSError):
        sys.__unraisablehook__(unraisable)


def _port_error(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is taken by another program. Choose another one: "
            f"python -m bot sandbox --port {port + 1}"
        )
    return f"Port {port} can't be used: {error.strerror}."


def _has_a_screen(environ: Mapping[str, str]) -> bool:
    """Whether a browser would be a window: without one, it would take over the terminal."""
    return sys.platform == "darwin" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & environ.keys())


def _show(line: str) -> None:
    """Tell what is wrong, or might be."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 (as above)
