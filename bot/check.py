"""``python -m bot check``: whether everything is as the bot needs it, a line for each thing.

Nothing is changed anywhere: of Slack and Kayran things are asked that only read, and what is written
to the database is rolled back. What can't be looked at because something else is broken is left out:
what is said to be wrong is what has to be mended.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import mktime_tz, parsedate_tz
from itertools import chain
from typing import Any, NamedTuple, TextIO

from bot.app import kayran_session, slack_connections
from bot.errors import KayranError, Refused, SettingsError, StoreError
from bot.kayran import STYLES, Kayran
from bot.logs import masking
from bot.settings import Settings, not_accepted
from bot.slack import words
from bot.slack.client import FAILED, PooledWebClient, error_code, patient
from bot.socket_mode import REFUSED
from bot.store import Database
from bot.store.database import sqlite_path
from bot.store.migrations import NEWEST

REQUIRED_SCOPES = {"commands", "chat:write", "users:read"}
OPTIONAL_SCOPES = {"chat:write.public"}
"""What ``manifest.yml`` asks for; whoever installs the app may leave the optional one out."""
OTHER_ROLES = {"user", "private user", "privateuser", "viewer"}
"""Kayran's, but for Admin, in small letters (https://github.com/Cytrixio/CytrixMCP)."""
FAR_OFF_SECONDS = 60
"""How far off this machine's clock may be: the bot refuses signatures that are 300 s old."""
ANSWER_SECONDS = 5
AS_IT_IS = "mode=rw&cache=private"
"""How a file is opened: with the bot's own mode it would be switched to a log beside it, for good."""

# What is said.
SETTINGS = "All that is needed is set, for {}."
NO_ANSWER = "{} gives no good answer at {} ({}). Check {}, and HTTPS_PROXY behind a proxy."
SLACK = "The bot is {} in the workspace {}, {}."
SCOPES = "As manifest.yml asks."
SCOPES_MISSING = 'Missing: {}. Add it under "OAuth & Permissions", and install the app again.'
SCOPES_LEFT_OUT = "Left out: {}, which is optional: the bot posts where it is invited."
SCOPES_TOO_MANY = "Granted and not needed: {}."
CLOCK = "This machine's is {} s off Slack's. Set it where that is more than {} s."
SOCKET_MODE = "Slack opens connections for SLACK_APP_TOKEN."
KAYRAN = "The e-mails go to {}, whose role is {}."
ROLE_UNTOLD = "not told"
KAYRAN_REFUSES = 'Kayran refuses the key ({:.100}). Copy it again; "API Status" there has to be on.'
OTHER_STYLE = "Kayran answers in its other style: set KAYRAN_API_STYLE={} and KAYRAN_API_URL={}."
NO_ADMIN = "The key is of {}, who is no Admin ({:.100}). Use the key of one who is."
DATABASE = "{} can be written to. Its schema is {}."
DATABASE_OLDER = "{} can be written to. The next start brings its schema, {}, up to date."
DATABASE_NEW = "There is nothing at {} yet; it will be made at the first start."
DATABASE_AWAY = "DATABASE_URL leads to {}, which can't be used: {}"
DATABASE_LOST = "Heroku drops files such as {} at every restart. Use its PostgreSQL."


class Check(NamedTuple):
    """How one thing is.

    Attributes:
        name: what was looked at.
        ok: whether it is as it has to be.
        said: what was found, and what to do where that is wrong.
    """

    name: str
    ok: bool
    said: str


def examine(load: Callable[[], Settings], *, on_heroku: bool) -> Iterator[Check]:
    """Look at one thing after another.

    Args:
        load: gives the settings, or raises what is wrong with them; nothing else is looked at then.
        on_heroku: whether files are lost when the process ends.
    """
    try:
        settings = load()
    except SettingsError as error:
        yield from (Check("settings", False, fault) for fault in error.faults)
        return
    way = "HTTP" if settings.slack_app_token is None else "Socket Mode"
    yield Check("settings", True, SETTINGS.format(way))
    # Slack's, Kayran's and the driver's own words are among what is said.
    clean = masking(settings.secrets)
    for found in chain(_slack(settings), _kayran(settings), _database(settings, on_heroku)):
        yield found._replace(said=clean(found.said))


def print_checks(checks: Iterable[Check], as_json: bool, out: TextIO) -> int:
    """Print each as soon as it is known, or all of them as one JSON object.

    Returns:
        The exit status: 0 when all is well, else 1.
    """
    done = []
    for found in checks:
        done.append(found._asdict())
        if not as_json:
            out.write(f"{'✓' if found.ok else '✗'} {found.name}: {found.said}\n")
    listed = {"ok": all(each["ok"] for each in done), "checks": done}
    if as_json:
        out.write(f"{json.dumps(listed)}\n")
    return 0 if listed["ok"] else 1


def _slack(settings: Settings) -> Iterator[Check]:
    """The bot token and its workspace; then its scopes, the clock and the app-level token."""
    url, pool = settings.slack_api_url, slack_connections(settings)
    client = PooledWebClient(pool, settings.slack_bot_token, url, ANSWER_SECONDS, patient())
    answer, fault = _ask("SLACK_BOT_TOKEN", url, client.auth_test)
    said = SLACK.format(*(answer.get(name) for name in ("user", "team", "url")))
    yield Check("slack", not fault, fault or said)
    if not answer:
        return
    header = answer.headers.get("x-oauth-scopes")
    if header and not fault:
        yield _scopes({scope.strip() for scope in header[0].split(",")} - {""})
    told = parsedate_tz(answer.headers.get("date", [""])[0])
    off = abs(round(time.time() - mktime_tz(told))) if told else 0
    yield Check("clock", off <= FAR_OFF_SECONDS, CLOCK.format(off, FAR_OFF_SECONDS))
    if (token := settings.slack_app_token) is not None:
        _, fault = _ask("SLACK_APP_TOKEN", url, client.apps_connections_open, app_token=token)
        yield Check("socket mode", not fault, fault or SOCKET_MODE)


def _ask(variable: str, url: str, call: Callable[..., Any], **token: str) -> tuple[Any, str]:
    """Slack's answer, nothing where Slack itself is in trouble, and what is said of a fault."""
    try:
        return call(**token), ""
    except FAILED as error:
        # Where that is none of Slack's codes, the SDK quotes what came.
        answer, why = getattr(error, "response", {}), error_code(error).partition(":")[0]
    if why in REFUSED:
        return answer, str(not_accepted(variable, why))
    return {}, NO_ANSWER.format("Slack", url, why, "SLACK_API_URL")


def _scopes(granted: set[str]) -> Check:
    differing = {
        SCOPES_MISSING: REQUIRED_SCOPES - granted,
        SCOPES_LEFT_OUT: OPTIONAL_SCOPES - granted,
        SCOPES_TOO_MANY: granted - REQUIRED_SCOPES - OPTIONAL_SCOPES,
    }
    said = [text.format(", ".join(sorted(scopes))) for text, scopes in differing.items() if scopes]
    return Check("scopes", granted >= REQUIRED_SCOPES, " ".join(said) or SCOPES)


def _kayran(settings: Settings) -> Iterator[Check]:
    """Each key, and whose it is."""
    url = settings.kayran_api_url
    with contextlib.closing(kayran_session(settings)) as session, ThreadPoolExecutor() as executor:
        for name, key in settings.kayran_api_keys.items():
            clients = {
                style: Kayran(session, key, replace(how, base_url=url), executor)
                for style, how in STYLES.items()
            }
            ok, said = _mailbox(clients.pop(settings.kayran_api_style), clients, url)
            yield Check("kayran" if name == "default" else f"kayran {name}", ok, said)


def _mailbox(kayran: Kayran, others: Mapping[str, Kayran], url: str) -> tuple[bool, str]:
    """Whether a key is good, and what is said of it."""
    try:
        report = kayran.get_user_profile(ANSWER_SECONDS)
    except KayranError as error:
        for style, other in others.items():
            with contextlib.suppress(KayranError):
                other.get_user_profile(ANSWER_SECONDS)
                return False, OTHER_STYLE.format(style, url)
        if isinstance(error, Refused):
            return False, KAYRAN_REFUSES.format(error.reason)
        return False, NO_ANSWER.format("Kayran", url, error, "KAYRAN_API_URL")
    email = report.mailbox or ""
    try:
        role = (email and kayran.get_role(email, ANSWER_SECONDS)) or ROLE_UNTOLD
        is_other = role.lower() in OTHER_ROLES
    except KayranError as error:
        # What is not the answer to this call says nothing of the key.
        role, is_other = getattr(error, "reason", ROLE_UNTOLD), isinstance(error, Refused)
    return not is_other, (NO_ADMIN if is_other else KAYRAN).format(words.masked(email), role)


def _database(settings: Settings, on_heroku: bool) -> Iterator[Check]:
    database = Database(settings.database_url, mode=AS_IT_IS)
    try:
        version = database.try_out()
        ok = not (on_heroku and sqlite_path(settings.database_url))
        said = {None: DATABASE_NEW, NEWEST: DATABASE}.get(version, DATABASE_OLDER)
        said = (said if ok else DATABASE_LOST).format(database, version)
    except StoreError as error:
        ok, said = False, DATABASE_AWAY.format(database, error)
    database.close()
    yield Check("database", ok, said)
