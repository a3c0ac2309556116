"""What every door does first: read the settings, set up the log, keep the environment from libraries."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from pathlib import Path

from bot import logs
from bot.errors import SettingsError
from bot.settings import VARIABLES, Settings, as_message, load

WRONG_SETTINGS = 2
"""The exit status where the settings can't be used."""
APP_LOAD_ERROR = 4
"""A worker's exit status that tells gunicorn that to start another one is no use."""


def read_settings(environ: MutableMapping[str, str], *, over_http: bool = False) -> Settings:
    """The settings of this process; it ends with status 2 and a message where they can't be used.

    Args:
        environ: the process's own, and what libraries are not to find is taken out of it.
        over_http: whether the door is HTTP, whatever else is set.
    """
    try:
        settings = load(environ, Path(".env"), over_http=over_http)
    except SettingsError as error:
        say(as_message(error))
        raise SystemExit(WRONG_SETTINGS) from None
    logs.set_up(settings.log_level, settings.secrets)
    _keep_from_libraries(environ, settings)
    return settings


def say(sentence: object) -> None:
    """Tell whoever starts the bot something that keeps it from starting."""
    print(sentence, file=sys.stderr)  # noqa: T201 (read by a person, not kept as a log)


def _keep_from_libraries(environ: MutableMapping[str, str], settings: Settings) -> None:
    """Let no library find settings of its own.

    SLACK_CLIENT_ID and SLACK_CLIENT_SECRET would make Bolt ignore the bot token.
    """
    own = {variable.name for variable in VARIABLES}
    for name in [name for name in environ if name.startswith("SLACK_")]:
        if name not in own:
            del environ[name]
    if settings.ca_bundle is not None:
        # The one way to tell websocket-client, which Socket Mode's socket is made with.
        environ["SSL_CERT_FILE"] = settings.ca_bundle
