"""The door gunicorn opens."""

from __future__ import annotations

import os

from bot import doors
from bot.app import Bot, assemble
from bot.errors import RecordsTooNew
from bot.slack.callers import TokenNotAccepted

APP_LOAD_ERROR = 4
"""The exit status that tells gunicorn that to start another worker is no use."""


def check_settings() -> None:
    """End the process with status 2 and a message where its settings can't be used."""
    doors.read_settings(os.environ)


def create_app() -> Bot:
    """A bot that is running, as a WSGI application."""
    bot = assemble(doors.read_settings(os.environ))
    try:
        bot.start()
    except (TokenNotAccepted, RecordsTooNew) as error:
        doors.say(error)
        raise SystemExit(APP_LOAD_ERROR) from error
    return bot
