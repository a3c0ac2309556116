"""The door gunicorn opens."""

from __future__ import annotations

import os

from bot import doors
from bot.app import Bot, assemble
from bot.errors import RecordsTooNew
from bot.slack.callers import TokenNotAccepted


def create_app() -> Bot:
    """A bot that is running, as a WSGI application."""
    bot = assemble(doors.read_settings(os.environ, over_http=True))
    try:
        bot.start()
    except (TokenNotAccepted, RecordsTooNew) as error:
        doors.say(error)
        raise SystemExit(doors.APP_LOAD_ERROR) from error
    return bot
