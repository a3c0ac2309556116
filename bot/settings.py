"""The settings: read once from the environment and a ``.env`` file, checked, and frozen.

``Settings.from_env`` takes a plain mapping, so that tests and the sandbox need no environment. Everything missing or wrong is reported at once, each fault in a
sentence that ends with where to find the right value.

Warning: no sentence made here may quote a value that was read. People paste the signing secret
where the port belongs.
"""

from __future__ import annotations

import io
import os
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# Left out of typeshed, as it is of the documentation; requests builds on it too.
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import sqlalchemy as sa
from dotenv.parser import parse_stream

from bot.access import Role
from bot.errors import SettingsError
from bot.notifications import RESERVED

SHORTEST_MASKED_PASSWORD = 8
_HIGHEST_PORT = 65535
KAYRAN_API_URLS = {"kayran": "https://api.kayran.live", "cytrix": "https://api.cytrix.io"}
"""The styles of Kayran's API, and where each is (https://kayran.live, "API";
https://github.com/Cytrixio/CytrixMCP)."""
_FURTHER_KEY = "KAYRAN_API_KEY_"
# What may stand in an address unescaped: https://datatracker.ietf.org/doc/html/rfc3986#appendix-A
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<user>[\w.~%!$&()*+,;=:-]+@)?(?P<host>[\w-]+(\.[\w-]+)*\.?|\[[\da-f:.]+\])"
    r"(:(?P<port>[1-9]\d{0,4}))?(?P<path>/[\w.~%!$&()*+,;=:@/-]*)?",
    re.IGNORECASE,
)
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|\[?::1\]?", re.IGNORECASE)


class _Wrong(ValueError):
    """A value can't be used; the text goes after the variable's name and never quotes the value."""


def _secret(text: str, prefix: str = "") -> str:
    """A token of one kind, or, with no prefix, a secret that is none of Slack's tokens."""
    if not re.fullmatch(r"[!#-&(-_a-~]+", text):
        raise _Wrong("has a space, a quotation mark or a character in it that is not plain ASCII")
    if prefix and (not text.startswith(prefix) or text == prefix):
        raise _Wrong(f"is not a token that begins with {prefix}")
    if not prefix and text.startswith(("xox", "xapp-")):
        raise _Wrong("holds one of Slack's tokens, which belongs elsewhere")
    return text


def _base_url(text: str) -> str:
    """An address that routes are added to, without a slash at its end: https, or loopback."""
    url = _ADDRESS.fullmatch(text)
    if url is None or url["user"] or int(url["port"] or 1) > _HIGHEST_PORT:
        raise _Wrong("is not an https:// address with nothing in it but a host, a port and a path")
    if url["scheme"].lower() == "http" and not _LOOPBACK.fullmatch(url["host"]):
        raise _Wrong("begins with http://, which is only for this machine's own addresses")
    return urlsplit(text).geturl().rstrip("/")


def _slack_url(text: str) -> str:
    return f"{_base_url(text)}/"


def _proxy(text: str) -> str:
    """A proxy as ``scheme://[user:password@]host[:port]``; without a scheme it is one over http."""
    text = text.rstrip("/") if "://" in text else f"http://{text}"
    url = _ADDRESS.fullmatch(text)
    if url is None or url["path"] or int(url["port"] or 1) > _HIGHEST_PORT:
        raise _Wrong("is not the address of an HTTP proxy; in a password, @ is written %40")
    return text


def _database_url(text: str) -> str:
    """A database that SQLAlchemy reaches with the drivers the bot has, and that outlives the process.

    What may stand in a URL: https://docs.sqlalchemy.org/en/20/core/engines.html#database-urls
    """
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        # The cause may quote the value.
        raise _Wrong("can't be read as an address") from None
    kind = url.drivername.lower()
    if kind not in {"sqlite", "postgres", "postgresql", "postgresql+psycopg"}:
        raise _Wrong("begins with neither sqlite:/// nor postgresql://")
    if not text.isprintable() or "@" in (url.host or ""):
        raise _Wrong("has an unescaped character in it; in a password, @ is written %40")
    if kind != "sqlite":
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    file = url.database or ":memory:"
    if url.host or url.query or file.startswith((":memory:", "file:")):
        raise _Wrong("is not sqlite:/// and a file's path; memory would forget what was accepted")
    # Unlike pathlib, os.access answers also where the name is too long or the folder is closed.
    if not os.access(f"{Path(file).parent}/.", os.F_OK):
        raise _Wrong("names a file in a folder that does not exist; ~ is not understood here")
    return f"sqlite:///{file}"


def _roles(text: str) -> frozenset[Role]:
    words = {word.strip().lower() for word in text.split(",")} - {""}
    if not words:
        raise _Wrong("is set, and names no role")
    if not words <= {role.value for role in Role}:
        raise _Wrong("has a word in it that is no role")
    return frozenset(Role(word) for word in words)


def _one_of(words: Iterable[str], text: str) -> str:
    """One of these words, as it is written here."""
    for word in words:
        if text.lower() == word.lower():
            return word
    raise _Wrong("is none of the words that it can be")


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= _HIGHEST_PORT:
        raise _Wrong("is not a port number")
    return int(text)


def _certificates(path: str) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (OSError, ValueError):
        raise _Wrong("does not name a file of certificates that can be read") from None
    return path


@dataclass(frozen=True)
class Variable:
    """One variable of the environment.

    Attributes:
        parse: makes a field's value of the text, or raises what is wrong with it.
        where: where its right value is found, as a sentence for whoever has none or a wrong one.
        needed: when it has to be set; empty where never.
        default: what holds where it is not set; empty where nothing does.
    """

    name: str
    parse: Callable[[str], object]
    where: str
    needed: str = ""
    default: str = ""


def _choice(name: str, *words: str) -> Variable:
    """One of these words; the first where nothing is set."""
    where = f"Write {', '.join(words[:-1])} or {words[-1]}, or leave it out."
    return Variable(name, partial(_one_of, words), where, default=words[0])


_APP = "https://api.slack.com/apps, your app"
_BOT_TOKEN = f'Copy it from {_APP}, "OAuth & Permissions", "Bot User OAuth Token".'
_SIGNING_SECRET = f'Copy it from {_APP}, "Basic Information", "App Credentials", "Signing Secret".'
_APP_TOKEN = f'Make one at {_APP}, "Basic Information", "App-Level Tokens", with connections:write.'
_API_KEY = 'Copy it from Kayran, "Profile", as a user whose role is Admin.'
_ROLES = "Write some of primary_owner, owner, admin, member with commas between, or leave it out."
_DATABASE = (
    "Write sqlite:///FILE.db or postgresql://USER:PASSWORD@HOST:5432/DATABASE, or leave it out."
)
_ONLY_A_STAND_IN = (
    "Leave it out for Slack's own, https://slack.com/api/; only a stand-in needs another."
)
DATABASE_URL = Variable(
    "DATABASE_URL", _database_url, _DATABASE, default="sqlite:///kayran-notify.db"
)
VARIABLES = (
    Variable("SLACK_BOT_TOKEN", partial(_secret, prefix="xoxb-"), _BOT_TOKEN, "always"),
    Variable("SLACK_SIGNING_SECRET", _secret, _SIGNING_SECRET, "over HTTP"),
    Variable("SLACK_APP_TOKEN", partial(_secret, prefix="xapp-"), _APP_TOKEN, "over Socket Mode"),
    Variable("KAYRAN_API_KEY", _secret, _API_KEY, "always"),
    _choice("KAYRAN_API_STYLE", *KAYRAN_API_URLS),
    Variable("KAYRAN_API_URL", _base_url, "Write an https:// address, or leave it out."),
    Variable("ALLOWED_ROLES", _roles, _ROLES, default="admin,owner,primary_owner"),
    DATABASE_URL,
    Variable("SLACK_API_URL", _slack_url, _ONLY_A_STAND_IN, default="https://slack.com/api/"),
    Variable("PORT", _port, "Write a number from 1 to 65535, or leave it out.", default="3000"),
    _choice("LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL"),
    _choice("LOG_FORMAT", "text", "json"),
    _choice("METRICS", "off", "on"),
)
"""The bot's own variables, in the order of the README's table; each names a field of ``Settings``."""

# The usual variables for a proxy and certificates.
_HTTPS_PROXY = Variable("HTTPS_PROXY", _proxy, "Write http://HOST:PORT, or leave it out.")
_A_FILE = "Give the path of a file of certificates in PEM format, or leave it out."
_REQUESTS_CA_BUNDLE = Variable("REQUESTS_CA_BUNDLE", _certificates, _A_FILE)
_SSL_CERT_FILE = Variable("SSL_CERT_FILE", _certificates, _A_FILE)


@dataclass(frozen=True)
class Settings:
    """Everything the bot is told from outside. ``repr`` leaves out what is, or may hold, a secret.

    Attributes:
        slack_bot_token: ``xoxb-…``.
        slack_signing_secret: what Slack signs its requests with; ``None`` where Socket Mode needs none.
        slack_app_token: ``xapp-…`` for Socket Mode; ``None`` over HTTP.
        kayran_api_keys: of Kayran users whose role is Admin, by what their mailboxes are called;
            ``default`` first.
        kayran_api_style: which of the two ways of calling Kayran's API, ``kayran`` or ``cytrix``.
        kayran_api_url: the base of Kayran's routes, without a slash at its end; https, or loopback.
        allowed_roles: the workspace roles that may, at least one.
        database_url: an SQLAlchemy URL, ``sqlite:///…`` (a file) or ``postgresql+psycopg://…``.
        slack_api_url: the base of Slack's methods, with a slash at its end; https, or loopback.
        port: where HTTP is served, 1 to 65535.
        log_level: one of ``logging``'s five names, in capitals.
        log_format: how a line of the log is written, ``text`` or ``json``.
        metrics: whether ``/metrics`` is served.
        ca_bundle: a file of certificates to trust instead of the built-in ones, where one is named.
        https_proxy: ``http[s]://[user:password@]host[:port]``; see ``proxy_for``.
        no_proxy: the hosts that are reached directly, as ``NO_PROXY`` lists them.
    """

    slack_bot_token: str = field(repr=False)
    slack_signing_secret: str | None = field(repr=False)
    slack_app_token: str | None = field(repr=False)
    kayran_api_keys: Mapping[str, str] = field(repr=False)
    kayran_api_style: str
    kayran_api_url: str
    allowed_roles: frozenset[Role]
    database_url: str = field(repr=False)
    slack_api_url: str
    port: int
    log_level: str
    log_format: str
    metrics: bool
    ca_bundle: str | None
    https_proxy: str | None = field(repr=False)
    no_proxy: str | None

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str], *, dotenv: Path | None = None, over_http: bool = False
    ) -> Settings:
        """The settings in a mapping of variables and a ``.env`` file; nothing else in them counts.

        Space around a value is no part of it, and a blank value is no value. Only a blank
        ``ALLOWED_ROLES`` is a fault: someone meant to let nobody in, or everybody.

        The mapping wins over the file. What it sets to nothing is unset, whatever the file says, so
        that ``SLACK_APP_TOKEN= python -m bot`` serves over HTTP for once. A ``$`` in the file is a
        ``$``.

        Args:
            environ: the variables.
            dotenv: the file, UTF-8; it need not exist.
            over_http: Slack reaches the bot over HTTP, also where there is an app-level token.

        Raises:
            SettingsError: when anything is missing or wrong in either, with all of it.
        """
        environ, faults = _with_dotenv(environ, dotenv)
        unset = {each for each in VARIABLES if not environ.get(each.name, "").strip()}
        ways_in = {"over HTTP"} if over_http else {"over HTTP", "over Socket Mode"}
        has_a_way_in = not ways_in <= {each.needed for each in unset}
        needed = {"always"} if has_a_way_in else {"always", *ways_in}
        faults += [
            f"{each.name} is missing, needed {each.needed}. {each.where}"
            for each in VARIABLES
            if each in unset and each.needed in needed
        ]
        values = {each.name.lower(): _read(each, environ, faults) for each in VARIABLES}
        style_url = KAYRAN_API_URLS.get(values["kayran_api_style"])
        values["kayran_api_keys"] = _keys(values.pop("kayran_api_key"), environ, faults)
        values["kayran_api_url"] = values["kayran_api_url"] or style_url
        values["metrics"] = values["metrics"] == "on"
        files = (_read(each, environ, faults) for each in (_REQUESTS_CA_BUNDLE, _SSL_CERT_FILE))
        values["ca_bundle"] = next(filter(None, files), None)
        # Lower case goes first, as with curl and Python's own urllib.
        names = ("HTTPS_PROXY", "NO_PROXY")
        proxies = {name: environ.get(name.lower(), environ.get(name, "")) for name in names}
        values["https_proxy"] = _read(_HTTPS_PROXY, proxies, faults)
        values["no_proxy"] = proxies["NO_PROXY"].strip() or None
        if faults:
            raise SettingsError(tuple(faults))
        return cls(**values)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that may stand in no log line and no message.

        Passwords of the database and of proxies are among them from 8 characters on; shorter ones
        are words like ``test`` that logs are full of, and are masked where an address holds them.
        """
        urls = (self.database_url, self.https_proxy)
        passwords = (sa.make_url(url).password or "" for url in urls if url)
        long_enough = [each for each in passwords if len(each) >= SHORTEST_MASKED_PASSWORD]
        tokens = (self.slack_bot_token, self.slack_signing_secret, self.slack_app_token)
        return (*filter(None, tokens), *self.kayran_api_keys.values(), *long_enough)

    def proxy_for(self, url: str) -> str | None:
        """The proxy through which an https or wss address is reached; ``None`` where it is reached directly.

        This machine's own addresses are always reached directly, and so is what ``NO_PROXY`` names: a
        host, a domain with everything below it, or ``*``, read as Python's own ``urllib`` reads it.
        """
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        if _LOOPBACK.fullmatch(parts.hostname or "") or (
            self.no_proxy and proxy_bypass_environment(host, {"no": self.no_proxy})
        ):
            return None
        return self.https_proxy


def database_url(environ: Mapping[str, str], dotenv: Path) -> str:
    """``DATABASE_URL`` alone, for what needs nothing but the database.

    Raises:
        SettingsError: when it is wrong, or a line of the file can't be read.
    """
    environ, faults = _with_dotenv(environ, dotenv)
    url: str = _read(DATABASE_URL, environ, faults)
    if faults:
        raise SettingsError(tuple(faults))
    return url


def not_accepted(name: str, code: str) -> SettingsError:
    """What is raised for a token that Slack does not accept, by its variable's name and Slack's code."""
    where = next(each.where for each in VARIABLES if each.name == name)
    return SettingsError((f"Slack does not accept {name} ({code}). {where}",))


def as_message(error: SettingsError) -> str:
    """Every fault and the way on, for a person who started the bot with settings it can't use."""
    faults = "".join(f"- {fault}\n" for fault in error.faults)
    return (
        f"The bot can't start: something is missing from its settings, or wrong in them.\n{faults}"
        "Set what is named here in the environment, or in a file named .env in the folder the bot is "
        "started from; .env.example lists every variable.\n"
        "To try the bot first, with no account and nothing to set: python -m bot sandbox"
    )


def _keys(key: str | None, environ: Mapping[str, str], faults: list[str]) -> Mapping[str, str]:
    """The API keys by what their mailboxes are called: ``KAYRAN_API_KEY_DEV`` is ``dev``'s."""
    keys = {"default": key or ""}
    for variable in sorted(name for name in environ if name.startswith(_FURTHER_KEY)):
        name = variable.removeprefix(_FURTHER_KEY).lower()
        where = "Name it after its mailbox, with letters and digits, such as KAYRAN_API_KEY_DEV."
        if not re.fullmatch(r"[a-z0-9]{1,20}", name) or name in {*RESERVED, "default"}:
            faults.append(
                f"A variable that begins with {_FURTHER_KEY} has a name of no use. {where}"
            )
            continue
        further = _read(Variable(variable, _secret, "Copy it from Kayran."), environ, faults)
        if further in keys.values():
            faults.append(f"{variable} holds a key that is given twice. Give each mailbox its own.")
        elif further:
            keys[name] = further
    return keys


def _read(variable: Variable, environ: Mapping[str, str], faults: list[str]) -> Any:
    """The value of one variable; ``None`` where it has none, or a wrong one, which is a fault."""
    text = environ.get(variable.name, variable.default).strip()
    if not text and variable.parse is not _roles:
        text = variable.default
        if not text:
            return None
    try:
        return variable.parse(text)
    except _Wrong as wrong:
        faults.append(f"{variable.name} {wrong}. {variable.where}")
        return None


def _with_dotenv(
    environ: Mapping[str, str], path: Path | None
) -> tuple[Mapping[str, str], list[str]]:
    """The environment laid over a ``.env`` file, and what is wrong with the file."""
    try:
        text = path.read_text(encoding="utf-8") if path and path.exists() else ""
    except (OSError, UnicodeError):
        return environ, [".env can't be read. Make it a text file in UTF-8 that the bot may open."]
    bindings = list(parse_stream(io.StringIO(text)))
    written = {each.key: each.value for each in bindings if each.key and each.value is not None}
    faults = [
        f".env can't be understood at line {each.original.line} or just after it. Write NAME=value, one "
        "to a line, and close every quotation mark."
        for each in bindings
        if each.error
    ]
    return {**written, **environ}, faults
