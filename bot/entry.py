"""What an entry point does first: read the settings, set up the log, clean the environment."""

import sys
from collections.abc import MutableMapping
from pathlib import Path

from bot import logs
from bot.errors import SettingsError
from bot.settings import VARIABLES, Settings, as_message

WRONG_SETTINGS = 2
"""The exit status where the settings can't be used."""
READ_BY_LIBRARIES = {
    # Taken from the settings alone; slack_sdk would use a proxy that NO_PROXY rules out.
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    # ssl.create_default_context writes the keys of every connection into this file.
    "SSLKEYLOGFILE",
    "WEBSOCKET_CLIENT_CA_BUNDLE",
    *("PROMETHEUS_MULTIPROC_DIR", "PROMETHEUS_DISABLE_CREATED_SERIES"),
}


def read_settings(environ: MutableMapping[str, str], *, over_http: bool = False) -> Settings:
    """``load_settings``; the process ends with status 2 and a message where they can't be used."""
    try:
        return load_settings(environ, over_http=over_http)
    except SettingsError as error:
        say(as_message(error))
        raise SystemExit(WRONG_SETTINGS) from None


def load_settings(environ: MutableMapping[str, str], *, over_http: bool = False) -> Settings:
    """The settings of this process.

    Args:
        environ: the process's own; what libraries must not find is taken out of it.
        over_http: HTTP is served, whatever else is set.

    Raises:
        SettingsError: when they can't be used.
    """
    settings = Settings.from_env(environ, dotenv=Path(".env"), over_http=over_http)
    logs.set_up(settings.log_level, settings.secrets, as_json=settings.log_format == "json")
    own = {variable.name for variable in VARIABLES}
    for name in list(environ):
        # SLACK_CLIENT_ID and SLACK_CLIENT_SECRET would make Bolt ignore the bot token.
        if name.upper() in READ_BY_LIBRARIES or (name.startswith("SLACK_") and name not in own):
            del environ[name]
    if settings.ca_bundle is not None:
        # For whatever makes a TLS context of its own.
        environ["SSL_CERT_FILE"] = settings.ca_bundle
    return settings


def say(sentence: object) -> None:
    """Tell whoever starts the bot what keeps it from starting."""
    print(sentence, file=sys.stderr)  # noqa: T201 (read by a person, not kept as a log)
