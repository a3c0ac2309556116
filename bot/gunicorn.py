"""How gunicorn serves the bot: ``gunicorn --config python:bot.gunicorn 'bot.wsgi:create_app()'``.

What is set here can be set otherwise on gunicorn's command line.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import time
from concurrent.futures import Future
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from bot import doors

RECEIVE_SECONDS = 5.0
"""How long a request may take to come in: Slack sends each in one go, and waits 3 s for its ack."""


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no annotations
    """gunicorn's threads, and a limit to how long a client may keep one waiting for a request.

    Without it, as many connections as there are threads, each with half a request and nothing more,
    keep everybody else out for good. gunicorn itself waits for the first byte alone, and leaves slow
    clients to a proxy before it (https://docs.gunicorn.org/en/stable/deploy.html).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # By connection, until when its request has to be in. The main thread's alone.
        self._coming_in: dict[TConn, float] = {}

    def enqueue_req(self, conn: TConn) -> None:
        """A request begins to come in."""
        self._coming_in[conn] = time.monotonic() + RECEIVE_SECONDS
        super().enqueue_req(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """It was answered, or given up."""
        self._coming_in.pop(conn, None)
        super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Once a second at least: end what is late."""
        super().murder_pending()
        now = time.monotonic()
        for conn in [conn for conn, until in self._coming_in.items() if until < now]:
            del self._coming_in[conn]
            # Whoever reads finds the end. What has come in whole is answered all the same.
            with contextlib.suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)


workers = 1
worker_class = Worker
# A submit holds a thread while Slack and Kayran are asked, 2 s at most; an ack must find one free.
threads = 64
# Within the 30 s a host such as Heroku grants. It is the limit for all of what follows.
graceful_timeout = 24
FINISH_SECONDS = 14.0
"""For what is in hand behind the acks. Before that it takes up to 6 s until the last request is answered,
or hung up on; after it, up to 3 s where the database is away.
"""
loglevel = "warning"
# Nothing here talks to it, and it is left behind in the home folder.
control_socket_disable = True


def on_starting(_server: Any) -> None:
    """In the first process, before any other: settings that can't be used end it with status 2.

    It imports the settings alone: whatever it imports, each serving process takes a copy of.
    """
    doors.read_settings(os.environ, over_http=True)


def post_fork(_server: Any, _worker: Any) -> None:
    """In each serving process, before it imports the bot: nothing of that is ever garbage, and to look
    for some in between takes a tenth of the start.
    """
    gc.disable()


def post_worker_init(_worker: Any) -> None:
    """In each serving process, when it is ready: what is there by now stays, and need not be looked
    through again and again.
    """
    gc.freeze()
    gc.enable()


def worker_exit(_server: Any, worker: Any) -> None:
    """In each serving process, when it has taken its last request."""
    bot = getattr(worker, "wsgi", None)
    if bot is not None:
        bot.close(FINISH_SECONDS)
