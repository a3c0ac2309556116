"""The bot for a WSGI server of your own: ``bot.wsgi:create_app`` makes the application.

One process with many threads: a save holds one of them for up to 2 s.
"""

import os

from bot import entry
from bot.app import Bot, assemble
from bot.errors import SettingsError, StoreUnusable


def create_app() -> Bot:
    """A bot that is running, as a WSGI application."""
    bot = assemble(entry.read_settings(os.environ, over_http=True))
    try:
        bot.start()
    except (SettingsError, StoreUnusable) as error:
        entry.say(error)
        raise SystemExit(entry.WRONG_SETTINGS) from error
    return bot
