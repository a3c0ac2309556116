"""What the environment says: every setting of the bot, read once at the doors, checked and frozen.

``load`` is for the doors: it lays the environment over a ``.env`` file. ``Settings.from_env`` takes
a plain mapping, so that tests and the sandbox need no environment at all. Whatever is missing or
wrong is said in one go, each fault a sentence with where to find the right value.

Warning: no sentence made here may hold a value that was read. People paste the signing secret
where the port belongs.
"""

from __future__ import annotations

import io
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

# Left out of typeshed, as it is of the documentation; requests builds on it too.
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from dotenv.parser import Binding, parse_stream

from bot.access import Role
from bot.errors import SettingsError

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Variable:
    """One variable of the environment.

    Attributes:
        where: where its right value is found, as a sentence for whoever has none or a wrong one.
        needed: when it has to be set; empty where never.
        default: what holds where it is not set; empty where nothing does.
    """

    name: str
    where: str
    needed: str = ""
    default: str = ""


SLACK_BOT_TOKEN = Variable(
    "SLACK_BOT_TOKEN",
    'Copy it from your app\'s page at https://api.slack.com/apps, "OAuth & Permissions", "Bot User '
    'OAuth Token"; it begins with xoxb-.',
    needed="always",
)
SLACK_SIGNING_SECRET = Variable(
    "SLACK_SIGNING_SECRET",
    'Copy it from your app\'s page at https://api.slack.com/apps, "Basic Information", "App '
    'Credentials", "Signing Secret".',
    needed="over HTTP",
)
SLACK_APP_TOKEN = Variable(
    "SLACK_APP_TOKEN",
    'Make one on your app\'s page at https://api.slack.com/apps, "Basic Information", "App-Level '
    'Tokens", with the scope connections:write; it begins with xapp-.',
    needed="over Socket Mode",
)
KAYRAN_API_KEY = Variable(
    "KAYRAN_API_KEY",
    'Copy it from Kayran, "Profile", as a user whose role is Admin.',
    needed="always",
)
KAYRAN_API_URL = Variable(
    "KAYRAN_API_URL",
    "Write an https:// address such as Kayran's own, https://api.kayran.live, or leave it out for "
    "that one.",
    default="https://api.kayran.live",
)
ALLOWED_ROLES = Variable(
    "ALLOWED_ROLES",
    "Write one or more of primary_owner, owner, admin and member with commas between them, or leave "
    "it out for admin,owner,primary_owner.",
    default="admin,owner,primary_owner",
)
DATABASE_URL = Variable(
    "DATABASE_URL",
    "Write sqlite:///FILE.db or postgresql://USER:PASSWORD@HOST:5432/DATABASE, as your database's "
    "host shows it, or leave it out for sqlite:///kayran-notify.db.",
    default="sqlite:///kayran-notify.db",
)
SLACK_API_URL = Variable(
    "SLACK_API_URL",
    "Leave it out for Slack's own, https://slack.com/api/; only a stand-in for Slack needs another.",
    default="https://slack.com/api/",
)
PORT = Variable("PORT", "Write a number from 1 to 65535, or leave it out for 3000.", default="3000")
LOG_LEVEL = Variable(
    "LOG_LEVEL",
    "Write DEBUG, INFO, WARNING, ERROR or CRITICAL, or leave it out for INFO.",
    default="INFO",
)

VARIABLES: tuple[Variable, ...] = (
    SLACK_BOT_TOKEN,
    SLACK_SIGNING_SECRET,
    SLACK_APP_TOKEN,
    KAYRAN_API_KEY,
    KAYRAN_API_URL,
    ALLOWED_ROLES,
    DATABASE_URL,
    SLACK_API_URL,
    PORT,
    LOG_LEVEL,
)
"""The bot's own variables, in the order of the README's table."""

# The usual variables for proxies and certificates; beside these, nothing changes what the bot does.

_PROXY_WHERE = "Write http://HOST:PORT, or leave it out for no proxy."
HTTPS_PROXY = Variable("HTTPS_PROXY", _PROXY_WHERE)
HTTP_PROXY = Variable("HTTP_PROXY", _PROXY_WHERE)
ALL_PROXY = Variable("ALL_PROXY", _PROXY_WHERE)
NO_PROXY = Variable("NO_PROXY", "Write host names with commas between them, or * for all.")
_CERTIFICATES_WHERE = "Give the path of a file of certificates in PEM format, or leave it out."
REQUESTS_CA_BUNDLE = Variable("REQUESTS_CA_BUNDLE", _CERTIFICATES_WHERE)
SSL_CERT_FILE = Variable("SSL_CERT_FILE", _CERTIFICATES_WHERE)

_TOKEN_KINDS = {
    # What Slack's prefixes stand for: https://docs.slack.dev/authentication/tokens
    "xoxb-": "a bot token",
    "xoxp-": "a user token",
    "xapp-": "an app-level token",
    "xoxe": "a configuration or rotating token",
    "xwfp-": "a workflow token",
}
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_PORT_NUMBER = re.compile(r"[0-9]{1,5}")
_HIGHEST_PORT = 65535
_SHORTEST_MASKED_PASSWORD = 8
_HOST_NAME = re.compile(r"[\w-]+(\.[\w-]+)*\.?")
_HARMLESS_WORD = re.compile(r"[A-Za-z_-]{1,24}")


@dataclass(frozen=True)
class Settings:
    """Everything the bot is told from outside.

    Attributes:
        slack_bot_token: ``xoxb-…``.
        slack_signing_secret: what Slack signs its requests with; ``None`` where Socket Mode needs none.
        slack_app_token: ``xapp-…`` for Socket Mode; ``None`` over HTTP.
        kayran_api_key: of a Kayran user whose role is Admin.
        kayran_api_url: the base of Kayran's routes, without a slash at its end; https, or loopback.
        allowed_roles: the workspace roles that may, at least one.
        database_url: an SQLAlchemy URL, ``sqlite:///…`` (a file) or ``postgresql+psycopg://…``.
        slack_api_url: the base of Slack's methods, with a slash at its end; https, or loopback.
        port: where HTTP is served, 1 to 65535.
        log_level: one of ``logging``'s five names, in capitals.
        ca_bundle: a file of certificates to trust instead of the built-in ones, where one is named.
        https_proxy: ``http[s]://[user:password@]host:port`` for https and wss; see ``proxy_for``.
        http_proxy: the same for http.
        no_proxy: the hosts that are reached directly, as ``NO_PROXY`` lists them.
    """

    slack_bot_token: str
    slack_signing_secret: str | None
    slack_app_token: str | None
    kayran_api_key: str
    kayran_api_url: str
    allowed_roles: frozenset[Role]
    database_url: str
    slack_api_url: str
    port: int
    log_level: str
    ca_bundle: str | None
    https_proxy: str | None
    http_proxy: str | None
    no_proxy: str | None

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, over_http: bool = False) -> Settings:
        """The settings a mapping of variables holds; what else is in it changes nothing.

        Space around a value is no part of it, and a blank value is no value. Only a blank
        ``ALLOWED_ROLES`` is a fault: someone meant to let nobody in, or everybody.

        Args:
            environ: the variables.
            over_http: whether Slack reaches the bot over HTTP also where there is an app-level token,
                as it does behind gunicorn.

        Raises:
            SettingsError: when anything is missing or wrong, with all of it.
        """
        reading = _Reading(environ)
        reading.check_the_way_in(over_http=over_http)
        settings = cls(
            slack_bot_token=reading.secret(SLACK_BOT_TOKEN, "xoxb-", needed=True) or "",
            slack_signing_secret=reading.secret(SLACK_SIGNING_SECRET),
            slack_app_token=reading.secret(SLACK_APP_TOKEN, "xapp-"),
            kayran_api_key=reading.secret(KAYRAN_API_KEY, needed=True) or "",
            kayran_api_url=reading.setting(KAYRAN_API_URL, _base_url),
            allowed_roles=reading.setting(ALLOWED_ROLES, _roles, blank_counts=True),
            database_url=reading.setting(DATABASE_URL, _database_url),
            slack_api_url=reading.setting(SLACK_API_URL, _base_url) + "/",
            port=reading.setting(PORT, _port),
            log_level=reading.setting(LOG_LEVEL, _log_level),
            ca_bundle=reading.ca_bundle(),
            https_proxy=reading.proxy(HTTPS_PROXY),
            http_proxy=reading.proxy(HTTP_PROXY),
            no_proxy=reading.in_either_case(NO_PROXY),
        )
        if reading.faults:
            # A fault of ALL_PROXY is met once for https and once for http.
            raise SettingsError(tuple(dict.fromkeys(reading.faults)))
        return settings

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that may stand in no log line and no message.

        Passwords of the database and of proxies are among them from 8 characters on; shorter ones
        are words like ``test`` that logs are full of, and are masked where an address holds them.
        """
        tokens = (
            self.slack_bot_token,
            self.slack_signing_secret,
            self.slack_app_token,
            self.kayran_api_key,
        )
        passwords = [
            urlsplit(url).password
            for url in (self.database_url, self.https_proxy, self.http_proxy)
            if url
        ]
        spellings = [
            each for password in passwords if password for each in (password, unquote(password))
        ]
        return (
            *(token for token in tokens if token),
            *dict.fromkeys(each for each in spellings if len(each) >= _SHORTEST_MASKED_PASSWORD),
        )

    def proxy_for(self, url: str) -> str | None:
        """The proxy through which this address is reached; ``None`` where it is reached directly.

        This machine's own addresses are always reached directly, and so is what ``NO_PROXY`` names: a
        host, a domain with everything below it, or ``*``, read as Python's own ``urllib`` reads it.
        """
        parts = urlsplit(url)
        proxy = self.https_proxy if parts.scheme in {"https", "wss"} else self.http_proxy
        if proxy is None or _is_loopback(parts.hostname or ""):
            return None
        host = parts.netloc.rpartition("@")[2]
        if self.no_proxy and proxy_bypass_environment(host, {"no": self.no_proxy}):
            return None
        return proxy

    def __repr__(self) -> str:
        """Every field, with what is secret masked: this ends up in logs and tracebacks."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        shown = ", ".join(f"{name}={_masked(name, value)!r}" for name, value in values.items())
        return f"{type(self).__name__}({shown})"


def load(environ: Mapping[str, str], dotenv: Path, *, over_http: bool = False) -> Settings:
    """The settings as the environment and a ``.env`` file give them together.

    The environment wins. What it sets to nothing is unset, whatever the file says, so that
    ``SLACK_APP_TOKEN= python -m bot`` serves over HTTP for once. A ``$`` in the file is a ``$``.

    Args:
        environ: the environment.
        dotenv: the file, UTF-8; where there is none, the environment is all there is.
        over_http: as ``Settings.from_env`` takes it.

    Raises:
        SettingsError: when anything is missing or wrong in either, with all of it; for a file that
            can't be read at all, with that alone.
    """
    bindings = _read_dotenv(dotenv)
    written = {each.key: each.value for each in bindings if each.key and each.value is not None}
    faults = tuple(
        f"{dotenv.name} can't be understood at line {_line_number(each)}. Write NAME=value, one to a "
        "line, and close every quotation mark."
        for each in bindings
        if each.error
    )
    try:
        settings = Settings.from_env({**written, **environ}, over_http=over_http)
    except SettingsError as error:
        raise SettingsError((*faults, *error.faults)) from None
    if faults:
        raise SettingsError(faults)
    return settings


def as_message(error: SettingsError) -> str:
    """What a person reads who started the bot with settings it can't use: every fault, and the way on.

    Where nothing at all was set, that is also how to try the bot without any account.
    """
    lines = ["The bot can't start: something is missing from its settings, or wrong in them."]
    lines += [f"- {fault}" for fault in error.faults]
    lines.append(
        "Set what is named here in the environment, or in a file named .env in the folder the bot is "
        "started from; .env.example lists every variable."
    )
    if _NOTHING_IS_SET.issubset(error.faults):
        lines.append(
            "To try the bot first, with no account and nothing to set: python -m bot sandbox"
        )
    return "\n".join(lines)


def _missing(variable: Variable) -> str:
    return f"{variable.name} is missing. {variable.where}"


_NO_WAY_IN = (
    "SLACK_APP_TOKEN and SLACK_SIGNING_SECRET are both missing, and one of them has to say how "
    "Slack reaches the bot. For Socket Mode, set SLACK_APP_TOKEN. "
    f"{SLACK_APP_TOKEN.where} Over HTTP, set SLACK_SIGNING_SECRET. {SLACK_SIGNING_SECRET.where}"
)
_NO_WAY_IN_OVER_HTTP = (
    "SLACK_SIGNING_SECRET is missing, and over HTTP, which gunicorn serves, there is no way in without "
    f"it. {SLACK_SIGNING_SECRET.where} For Socket Mode, start python -m bot instead."
)
_NOTHING_IS_SET = frozenset({_missing(SLACK_BOT_TOKEN), _NO_WAY_IN, _missing(KAYRAN_API_KEY)})


class _Wrong(ValueError):  # noqa: N818 (it reads on: "PORT", wrong, "is not a port number")
    """A value can't be used; the text goes after the variable's name and never quotes the value."""


class _Reading:
    """One reading of the environment, which remembers what was wrong and reads on."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def text(self, variable: Variable) -> str:
        """The value without the space around it; empty where it is not set."""
        return self._environ.get(variable.name, "").strip()

    def setting(
        self, variable: Variable, parse: Callable[[str], _Value], *, blank_counts: bool = False
    ) -> _Value:
        """The parsed value of a variable that has a default."""
        text = self.text(variable)
        if text or (blank_counts and variable.name in self._environ):
            try:
                return parse(text)
            except _Wrong as wrong:
                self._fault(variable, wrong)
        return parse(variable.default)

    def secret(self, variable: Variable, prefix: str = "", *, needed: bool = False) -> str | None:
        """A token, a key or a secret; ``None`` where it is not set or can't be used."""
        text = self.text(variable)
        if not text:
            if needed:
                self.faults.append(_missing(variable))
            return None
        try:
            return _secret(text, prefix)
        except _Wrong as wrong:
            self._fault(variable, wrong)
            return None

    def check_the_way_in(self, *, over_http: bool) -> None:
        """Without a signing secret there is none over HTTP, and without an app-level token none else."""
        if self.text(SLACK_SIGNING_SECRET):
            return
        if not self.text(SLACK_APP_TOKEN):
            self.faults.append(_NO_WAY_IN)
        elif over_http:
            self.faults.append(_NO_WAY_IN_OVER_HTTP)

    def ca_bundle(self) -> str | None:
        """The file of certificates; ``requests``'s own variable is the more particular one."""
        for variable in (REQUESTS_CA_BUNDLE, SSL_CERT_FILE):
            path = self.text(variable)
            if path:
                try:
                    return _certificates(path)
                except _Wrong as wrong:
                    self._fault(variable, wrong)
                    return None
        return None

    def proxy(self, variable: Variable) -> str | None:
        """The proxy of one scheme, or the one for all schemes."""
        for each in (variable, ALL_PROXY):
            text = self.in_either_case(each)
            if text:
                try:
                    return _proxy(text)
                except _Wrong as wrong:
                    self._fault(each, wrong)
                    return None
        return None

    def in_either_case(self, variable: Variable) -> str | None:
        """A proxy variable's value: lower case goes first, as with curl and Python's own ``urllib``."""
        for name in (variable.name.lower(), variable.name):
            if name in self._environ:
                return self._environ[name].strip() or None
        return None

    def _fault(self, variable: Variable, wrong: _Wrong) -> None:
        self.faults.append(f"{variable.name} {wrong}. {variable.where}")


def _secret(text: str, prefix: str) -> str:
    """A token of one kind, or, with no prefix, a secret that is no token at all."""
    if any(character.isspace() for character in text):
        raise _Wrong("has a space or a line break in it")
    if any(character in "\"'`" for character in text):
        raise _Wrong("has a quotation mark in it")
    if not (text.isascii() and text.isprintable()):
        raise _Wrong("has a character in it that is not plain ASCII")
    for other, kind in _TOKEN_KINDS.items():
        if other != prefix and text.startswith(other):
            raise _Wrong(f"holds {kind} ({other})")
    if not text.startswith(prefix):
        raise _Wrong(f"does not begin with {prefix}")
    if text == prefix:
        raise _Wrong(f"ends where it should begin, after {prefix}")
    return text


def _base_url(text: str) -> str:
    """An address that routes are added to, without a slash at its end: https, or this machine."""
    parts = _address(text, schemes={"https", "http"})
    if "@" in parts.netloc:
        raise _Wrong("has a user name or a password in it")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise _Wrong("begins with http://, which is only for this machine's own addresses")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _proxy(text: str) -> str:
    """A proxy as ``scheme://[user:password@]host:port``; a bare ``host:port`` is one over http."""
    parts = _address(text if "://" in text else f"http://{text}", schemes={"https", "http"})
    if parts.path.strip("/"):
        raise _Wrong("has a path in it")
    port = "" if parts.port else (":443" if parts.scheme == "https" else ":80")
    return f"{parts.scheme}://{parts.netloc.rstrip(':')}{port}"


def _address(text: str, schemes: Iterable[str]) -> SplitResult:
    """A web address with a host, and neither query nor fragment."""
    if any(character in " \"'`\\" for character in text):
        raise _Wrong("has a space, a quotation mark or a backslash in it")
    parts = _split(text)
    if parts.scheme not in schemes:
        raise _Wrong("begins with neither https:// nor http://")
    if "?" in text or "#" in text:
        raise _Wrong("has a query or a fragment in it (what begins with ? or #)")
    if not _is_host(parts.hostname or ""):
        raise _Wrong("does not name a host")
    return parts


def _split(text: str) -> SplitResult:
    """The parts of an address, of whatever scheme."""
    if not text.isprintable():
        # urlsplit would drop tabs and line breaks without a word.
        raise _Wrong("has a line break or another character in it that no address has")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        # The cause quotes the value.
        raise _Wrong("can't be read as an address") from None
    if port == 0:
        raise _Wrong("has the port 0 in it, which is none")
    if parts.netloc.count("@") > 1:
        raise _Wrong("has more than one @ in it; in a password it is written %40")
    return parts


def _database_url(text: str) -> str:
    """A database SQLAlchemy reaches with the driver the bot has, and that outlives the process.

    What SQLAlchemy makes of a URL: https://docs.sqlalchemy.org/en/20/core/engines.html#database-urls
    """
    parts = _split(text)
    kind, _, driver = parts.scheme.partition("+")
    if "://" not in text or kind not in {"sqlite", "postgresql", "postgres"}:
        raise _Wrong("begins with neither sqlite:// nor postgresql://")
    if "#" in text:
        raise _Wrong("has a # in it; in a password it is written %23")
    if kind == "sqlite":
        return _sqlite_url(parts, driver)
    if driver not in {"", "psycopg"}:
        raise _Wrong("names a driver other than psycopg, the one the bot has; leave the driver out")
    return "postgresql+psycopg://" + text.partition("://")[2]


def _sqlite_url(parts: SplitResult, driver: str) -> str:
    file = parts.path[1:]
    if driver not in {"", "pysqlite"}:
        raise _Wrong("names a driver other than SQLite's own; leave the driver out")
    if parts.netloc:
        raise _Wrong("has two slashes before the file's name where there have to be three")
    if not file or ":memory:" in file or "mode=memory" in parts.query:
        raise _Wrong("names a database in memory, which would forget what was accepted")
    if file.startswith("file:"):
        raise _Wrong("gives its file as file:, where the path itself belongs")
    if not Path(file).parent.is_dir():
        raise _Wrong("names a file in a folder that does not exist")
    return f"sqlite:///{file}" + (f"?{parts.query}" if parts.query else "")


def _roles(text: str) -> frozenset[Role]:
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if not words:
        raise _Wrong("is set, and names no role")
    known = {role.value: role for role in Role}
    unknown = [word for word in words if word not in known]
    if unknown:
        # A word is said back only where it can't be a key that was pasted here.
        said_back = f'"{unknown[0]}"' if _HARMLESS_WORD.fullmatch(unknown[0]) else "a word"
        raise _Wrong(f"has {said_back} in it, which is no role")
    return frozenset(known[word] for word in words)


def _port(text: str) -> int:
    if not _PORT_NUMBER.fullmatch(text) or not 1 <= int(text) <= _HIGHEST_PORT:
        raise _Wrong("is not a port number")
    return int(text)


def _log_level(text: str) -> str:
    level = text.upper()
    if level not in _LOG_LEVELS:
        raise _Wrong("is not a log level")
    return level


def _certificates(path: str) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise _Wrong("names a file with no certificate in it") from None
    except (OSError, ValueError):
        raise _Wrong("names a file that can't be read") from None
    return path


def _is_host(host: str) -> bool:
    return _HOST_NAME.fullmatch(host) is not None or _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _masked(name: str, value: object) -> object:
    """A field's value as ``repr`` may show it."""
    if name in {"slack_bot_token", "slack_signing_secret", "slack_app_token", "kayran_api_key"}:
        return "***" if value else value
    if isinstance(value, str) and "://" in value:
        return re.sub(r"://.*@", "://***@", value)
    return value


def _read_dotenv(path: Path) -> list[Binding]:
    """What a ``.env`` file says, statement by statement; nothing where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        raise SettingsError(
            (f"{path.name} is not a text file in UTF-8. Save it as UTF-8, or write it anew.",)
        ) from None
    except OSError as error:
        raise SettingsError(
            (f"{path.name} can't be read: {error.strerror}. Make it a file the bot may read.",)
        ) from error
    return list(parse_stream(io.StringIO(text)))


def _line_number(binding: Binding) -> int:
    """Where a statement begins, not counting the blank lines python-dotenv puts before it."""
    statement = binding.original.string
    blank = statement[: len(statement) - len(statement.lstrip())]
    return binding.original.line + blank.count("\n")
