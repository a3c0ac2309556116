"""How gunicorn serves the bot: ``gunicorn --config python:bot.gunicorn 'bot.wsgi:create_app()'``.

What is set here can be set otherwise on gunicorn's command line.
"""

from __future__ import annotations

import os
from typing import Any

from bot import doors

workers = 1
worker_class = "gthread"
# A submit holds a thread while Slack and Kayran are asked, 2 s at most; an ack must find one free.
threads = 64
# Within the 30 s a host such as Heroku grants: 3 s for what is being answered, then the rest.
graceful_timeout = 24
FINISH_SECONDS = 18.0
loglevel = "warning"


def on_starting(_server: Any) -> None:
    """In the first process, before any other: settings that can't be used end it with status 2.

    It imports no more than that takes: what it has in memory, those that serve would only copy.
    """
    doors.read_settings(os.environ)


def worker_exit(_server: Any, worker: Any) -> None:
    """In each serving process, when it has taken its last request."""
    bot = getattr(worker, "wsgi", None)
    if bot is not None:
        bot.close(FINISH_SECONDS)
