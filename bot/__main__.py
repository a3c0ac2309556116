"""The command line: ``python -m bot`` serves, ``check`` looks beforehand, ``sandbox`` tries it out."""

import argparse
import datetime as dt
import gc
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bot import __version__

SANDBOX_PORT = 3999
FINISH_SECONDS = 16.0
"""After SIGTERM, for what is in hand behind the answers Slack waits for, which take up to 5 s, and up to
3 s more where the database is away; hosts such as Heroku grant 30 s in all."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="Choose in Slack which scan events Kayran sends an e-mail about.",
    )
    parser.add_argument("--version", action="version", version=f"kayran-notify {__version__}")
    parser.set_defaults(run=_serve, http=False, host="")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(run.__name__.removeprefix("_"), help=text)
        added.set_defaults(run=run)
        return added

    serve = command(
        _serve, "serve, as without a command: Socket Mode with SLACK_APP_TOKEN, else HTTP"
    )
    serve.add_argument("--http", action="store_true", help="serve HTTP on $PORT whatever is set")
    serve.add_argument("--host", default="", help="where to serve HTTP; else on every address")
    sandbox = command(_sandbox, "try the whole of it on this machine, with no accounts")
    port = partial(_number, 0, 65535)
    sandbox.add_argument("--port", type=port, default=SANDBOX_PORT, help="0 for any that is free")
    sandbox.add_argument("--no-open", action="store_true", help="open no browser")
    check = command(_check, "look whether the bot would work, changing nothing")
    check.add_argument("--json", action="store_true", help="one JSON object")
    history = command(_history, "print what was asked, decided and done, oldest first")
    history.add_argument("--json", action="store_true", help="a JSON object on each line")
    since = "such as 2026-11-23, or 2026-11-23T14:02"
    history.add_argument("--since", type=_moment, default=0.0, metavar="TIME", help=since)
    limit = partial(_number, 1, 1_000_000)
    history.add_argument("--limit", type=limit, metavar="N", help="the latest N alone")
    command(_manifest, "print the app's manifest as JSON, for the Slack CLI")
    chosen = parser.parse_args(arguments)
    status: int = chosen.run(chosen)
    return status


def _number(least: int, most: int, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
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


def _history(chosen: argparse.Namespace) -> int:
    from bot import entry
    from bot.errors import SettingsError
    from bot.history import print_history
    from bot.settings import as_message, database_url

    _end_as_others_do()
    try:
        url = database_url(os.environ, Path(".env"))
    except SettingsError as error:
        entry.say(as_message(error))
        return entry.WRONG_SETTINGS
    return print_history(url, chosen.since, chosen.limit, chosen.json, sys.stdout)


def _check(chosen: argparse.Namespace) -> int:
    from bot import check, entry

    _end_as_others_do()
    # Whatever is wrong, the check says in its own words.
    logging.disable(logging.ERROR)
    found = check.examine(partial(entry.load_settings, os.environ), on_heroku="DYNO" in os.environ)
    return check.print_checks(found, chosen.json, sys.stdout)


def _end_as_others_do() -> None:
    """Print in any encoding, and end without a word when whoever reads has seen enough, or on Ctrl-C."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Kayran's words may be in letters that a terminal does not have.
        sys.stdout.reconfigure(errors="backslashreplace")
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _manifest(_chosen: argparse.Namespace) -> int:
    import json

    import yaml

    _end_as_others_do()
    manifest = Path(__file__).parents[1] / "manifest.yml"
    json.dump(yaml.safe_load(manifest.read_text(encoding="utf-8")), sys.stdout)
    return 0


def _sandbox(chosen: argparse.Namespace) -> int:
    # The stand-ins are of no use to a bot that serves.
    from bot.sandbox.run import main as run_sandbox

    return run_sandbox(chosen.port, not chosen.no_open)


def _serve(chosen: argparse.Namespace) -> int:
    # Before anything that takes long to import: a container's first process is deaf to SIGTERM until then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    from bot import entry

    # What is imported now is never garbage; to look for some in between takes a tenth of the start.
    gc.disable()
    # What is wrong in the settings is said before the rest is imported.
    settings = entry.read_settings(os.environ, over_http=chosen.http)
    from bot import web
    from bot.app import assemble
    from bot.errors import SettingsError, StoreUnusable

    bot, status = assemble(settings), 0
    try:
        bot.start()
        gc.freeze()
        gc.enable()
        if chosen.http or settings.slack_app_token is None:
            web.server(bot, settings.port, chosen.host)()
        else:
            # What HTTP has no use for takes up memory, and time at the start.
            from bot.socket_mode import SocketMode

            link = SocketMode(bot.bolt, settings)
            if settings.metrics:
                bot.link_trouble = link.trouble
                serve = web.server(bot, settings.port, chosen.host)
                threading.Thread(target=serve, daemon=True).start()
            link.serve()
    except (SettingsError, StoreUnusable) as error:
        entry.say(error)
        status = entry.WRONG_SETTINGS
    except SystemExit:
        pass
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    bot.close(FINISH_SECONDS)
    # Python would wait for threads that are unfinished; what they do is on record, for the next start.
    os._exit(status)


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
