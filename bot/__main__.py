"""The command line: ``python -m bot`` serves, ``python -m bot sandbox`` tries it out."""

from __future__ import annotations

import argparse
import datetime as dt
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

SANDBOX_PORT = 3999
ANSWER_SECONDS = 4.0
"""After SIGTERM, for what Slack is waiting for: it waits 3 s."""
FINISH_SECONDS = 18.0
"""The same for what is in hand behind that; hosts such as Heroku grant 30 s in all."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="Choose in Slack which scan events Kayran sends an e-mail about.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser(
        "serve",
        help="serve, as without a command: over Socket Mode when SLACK_APP_TOKEN is set, "
        "else over HTTP on $PORT",
    )
    sandbox = commands.add_parser(
        "sandbox", help="try the whole of it on this machine, with no accounts"
    )
    sandbox.add_argument(
        "--port", type=_port, default=SANDBOX_PORT, help="of the page; 0 for any that is free"
    )
    sandbox.add_argument("--no-open", action="store_true", help="open no browser")
    history = commands.add_parser(
        "history", help="print what was asked, decided and done, oldest first"
    )
    history.add_argument("--json", action="store_true", help="a JSON object on each line")
    history.add_argument(
        "--since",
        type=_moment,
        default=0.0,
        metavar="TIME",
        help="such as 2026-11-23, or 2026-11-23T14:02",
    )
    history.add_argument("--limit", type=_count, metavar="N", help="the latest N alone")
    chosen = parser.parse_args(arguments)
    if chosen.command == "history":
        return _print_history(chosen.since, chosen.limit, as_json=chosen.json)
    if chosen.command == "sandbox":
        # The stand-ins are of no use to a bot that serves.
        from bot.sandbox.run import main as run_sandbox  # noqa: PLC0415

        return run_sandbox(chosen.port, not chosen.no_open)
    return _serve()


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _moment(text: str) -> float:
    try:
        # Python 3.10 does not read the Z that other tools write for UTC.
        moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a date or a time such as 2026-11-23T14:02 (UTC)"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.timezone.utc)).timestamp()


def _print_history(since: float, limit: int | None, *, as_json: bool) -> int:
    from bot import doors, history  # noqa: PLC0415
    from bot.errors import RecordsError  # noqa: PLC0415
    from bot.records import Records, connect  # noqa: PLC0415

    records = Records(connect(doors.read_settings(os.environ).database_url), "history")
    lines = history.as_json_lines if as_json else history.as_table
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Kayran's words may be in letters that a terminal does not have.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        for line in lines(records.history(since, limit)):
            print(line)  # noqa: T201 (what was asked for)
        sys.stdout.flush()
    except RecordsError as error:
        doors.say(history.out_of_reach(error))
        return 1
    except BrokenPipeError:
        # Whoever reads has seen enough; Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        records.close_connections()
    return 0


def _serve() -> int:
    # What is wrong in the settings is said before anything that takes long to import.
    from bot import doors  # noqa: PLC0415

    settings = doors.read_settings(os.environ)
    if settings.slack_app_token is None:
        return _serve_http(settings.port)
    return _serve_socket(settings)


def _serve_http(port: int) -> int:
    from gunicorn.app.base import BaseApplication  # noqa: PLC0415

    from bot import doors  # noqa: PLC0415
    from bot import gunicorn as server  # noqa: PLC0415

    class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no annotations
        """gunicorn as ``bot.gunicorn`` sets it up, on the port that the settings name."""

        def load_config(self) -> None:
            """Take nothing from the command line or gunicorn's own variables."""
            for name, value in vars(server).items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)
            self.cfg.set("bind", [f"0.0.0.0:{port}"])

        def load(self) -> Any:
            """In each serving process."""
            from bot import wsgi  # noqa: PLC0415

            return wsgi.create_app()

    first_process = os.getpid()
    try:
        Server().run()
    except SystemExit as ended:
        if os.getpid() != first_process:
            # A worker, which gunicorn forks in there: to the first process its status means something.
            raise
        # A worker that could not start has said why.
        return doors.WRONG_SETTINGS if ended.code == doors.APP_LOAD_ERROR else _status(ended)
    return 0


def _serve_socket(settings: Any) -> int:
    from bot import doors  # noqa: PLC0415
    from bot.app import assemble  # noqa: PLC0415
    from bot.errors import RecordsTooNew  # noqa: PLC0415
    from bot.slack.callers import TokenNotAccepted  # noqa: PLC0415
    from bot.slack.socket import AppTokenNotAccepted  # noqa: PLC0415

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    bot = assemble(settings)
    try:
        bot.start()
        link = bot.link()
        link.connect(stopping)
    except (TokenNotAccepted, AppTokenNotAccepted, RecordsTooNew) as error:
        doors.say(error)
        bot.close(0)
        return doors.WRONG_SETTINGS
    # A signal that comes right as a wait begins is only looked at when the wait ends.
    while not stopping.wait(1.0):
        pass
    link.close(ANSWER_SECONDS)
    if not bot.close(FINISH_SECONDS):
        # Python would wait for what is unfinished; it is on record, and taken up at the next start.
        sys.stderr.flush()
        os._exit(0)
    return 0


def _status(ended: SystemExit) -> int:
    return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


if __name__ == "__main__":
    sys.exit(main())
