"""What stories share: a stage to play on, and the log that is written meanwhile."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from bot import logs
from bot.app import Timing
from bot.kayran import Limits
from bot.settings import Settings
from tests.stage import Stage
from tests.stage import stage as a_stage

BRISK = Timing(
    kayran=Limits(connect=0.5, answer=0.4, total=1.6, pauses=(0.02, 0.04, 0.08)),
    recovery=0.2,
)
"""A Kayran that has failed sooner; everything else as it really is."""


@pytest.fixture
def environ(environ: dict[str, str], record: str) -> dict[str, str]:
    """The environment of a bot that has been started once before."""
    return environ | {"DATABASE_URL": record}


@pytest.fixture
def stage(environ: dict[str, str]) -> Iterator[Stage]:
    """The real bot between the two stand-ins."""
    with a_stage(environ) as stage:
        yield stage


@pytest.fixture
def brisk_stage(environ: dict[str, str]) -> Iterator[Stage]:
    """The same, for stories in which Kayran fails: it has less time to."""
    with a_stage(environ, BRISK) as stage:
        yield stage


@pytest.fixture
def log(environ: dict[str, str]) -> Iterator[io.StringIO]:
    """Stderr, with the log on it as the doors set it up, at DEBUG and with this bot's secrets.

    Afterwards logging is as it was: the doors set it up for a whole process, a story must not.
    """
    loggers = [logging.getLogger(name) for name in (None, "bot")]
    levels = [logger.level for logger in loggers]
    handlers, hooks = loggers[0].handlers, (sys.excepthook, threading.excepthook)
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        logs.set_up("DEBUG", Settings.from_env(environ).secrets)
    yield stderr
    loggers[0].handlers = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True
    sys.excepthook, threading.excepthook = hooks
