"""The settings: what is taken, what is refused, and that no refusal says a secret aloud."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from bot.access import Role
from bot.errors import SettingsError
from bot.settings import VARIABLES, Settings, database_url

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
PROXY = "http://proxy.example:3128"
OTHERS = ["HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"]


def faults_of(environ: Mapping[str, str], dotenv: Path | None = None) -> tuple[str, ...]:
    """What is wrong with these variables, and with this file."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ, dotenv=dotenv)
    return caught.value.faults


def test_the_least(environ: dict[str, str]) -> None:
    """The three secrets of HTTP are enough; everything else has the contract's default."""
    del environ["DATABASE_URL"]

    assert dataclasses.asdict(Settings.from_env(environ)) == {
        "slack_bot_token": "xoxb-made-up-bot-token",
        "slack_signing_secret": "made-up-signing-secret",
        "slack_app_token": None,
        "kayran_api_keys": {"default": "made-up-kayran-key"},
        "kayran_api_style": "kayran",
        "kayran_api_url": "https://api.kayran.live",
        "allowed_roles": frozenset({Role.ADMIN, Role.OWNER, Role.PRIMARY_OWNER}),
        "database_url": "sqlite:///kayran-notify.db",
        "slack_api_url": "https://slack.com/api/",
        "port": 3000,
        "log_level": "INFO",
        "log_format": "text",
        "metrics": False,
        "ca_bundle": None,
        "https_proxy": None,
        "no_proxy": None,
    }


def test_space_and_blanks(environ: dict[str, str]) -> None:
    """Space around a value is no part of it, a blank value is none, and other variables are nothing."""
    padded = {name: f" \t{value}\r\n" for name, value in environ.items()}
    blanks = dict.fromkeys({each.name for each in VARIABLES} | set(OTHERS), " ")
    del blanks["ALLOWED_ROLES"]
    others = {"SLACK_CLIENT_ID": "1.2", "CURL_CA_BUNDLE": "/no", "slack_bot_token": "no"}

    assert Settings.from_env({**blanks, **others, **padded}) == Settings.from_env(environ)


@pytest.mark.parametrize(
    ("variable", "written", "taken"),
    [
        ("ALLOWED_ROLES", "member", {Role.MEMBER}),
        ("ALLOWED_ROLES", " Admin ,admin,,OWNER,", {Role.ADMIN, Role.OWNER}),
        ("KAYRAN_API_URL", "HTTPS://api.example:8443/v1//", "https://api.example:8443/v1"),
        ("KAYRAN_API_URL", "http://LocalHost:3999/", "http://LocalHost:3999"),
        ("SLACK_API_URL", "http://[::1]:3999", "http://[::1]:3999/"),
        ("PORT", "65535", 65535),
        ("LOG_LEVEL", "warning", "WARNING"),
        ("LOG_FORMAT", "JSON", "json"),
        ("METRICS", "On", True),
        ("DATABASE_URL", "sqlite:////tmp/my records~.db", "sqlite:////tmp/my records~.db"),
        ("DATABASE_URL", "postgres://u:p%40ss@h:5432/d", "postgresql+psycopg://u:p%40ss@h:5432/d"),
        ("DATABASE_URL", "POSTGRES://u:p#/~@h/d", "postgresql+psycopg://u:p%23%2F~@h/d"),
        ("DATABASE_URL", "postgresql://h/d?a=b&c=d", "postgresql+psycopg://h/d?a=b&c=d"),
        ("DATABASE_URL", "postgresql+psycopg://[::1]:5/d", "postgresql+psycopg://[::1]:5/d"),
    ],
)
def test_taken(environ: dict[str, str], variable: str, written: str, taken: object) -> None:
    """Every usual spelling is understood, and what it becomes is one."""
    settings = Settings.from_env({**environ, variable: written})

    assert getattr(settings, variable.lower()) == taken
    assert sa.make_url(settings.database_url).render_as_string(False) == settings.database_url


def test_every_default_is_sound(environ: dict[str, str]) -> None:
    """The defaults that the README's table shows are values the settings take."""
    defaults = {each.name: each.default for each in VARIABLES if each.default}
    bare = {name: value for name, value in environ.items() if name not in defaults}

    assert Settings.from_env({**bare, **defaults}) == Settings.from_env(bare)


def test_certificates(environ: dict[str, str], tmp_path: Path) -> None:
    """REQUESTS_CA_BUNDLE goes before SSL_CERT_FILE, which may then be anything."""
    file = str(tmp_path / "ca.pem")
    Path(file).write_bytes(Path(DEFAULT_CA_BUNDLE_PATH).read_bytes())
    both = {"REQUESTS_CA_BUNDLE": file, "SSL_CERT_FILE": "/nowhere"}

    assert Settings.from_env({**environ, **both}).ca_bundle == file
    assert Settings.from_env({**environ, "SSL_CERT_FILE": file}).ca_bundle == file


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        ("SLACK_BOT_TOKEN", "", "is missing"),
        ("SLACK_BOT_TOKEN", "xapp-1-A1-planted", "is not a token that begins with xoxb-"),
        ("SLACK_BOT_TOKEN", "xoxb-1 planted", "has a space"),
        ("SLACK_BOT_TOKEN", '"xoxb-1-planted"', "a quotation mark"),
        ("SLACK_APP_TOKEN", "xoxb-1-planted", "is not a token that begins with xapp-"),
        ("SLACK_SIGNING_SECRET", "xoxb-1-planted", "holds one of Slack's tokens"),
        ("KAYRAN_API_KEY", "", "is missing"),
        ("KAYRAN_API_URL", "http://api.example", "begins with http://, which is only for this"),
        ("KAYRAN_API_URL", "http://localhost.evil.example", "begins with http://"),
        ("KAYRAN_API_URL", "http://127.0.0.1@evil.example", "is not an https:// address"),
        ("KAYRAN_API_URL", "https://u:planted@api.example", "is not an https:// address"),
        ("KAYRAN_API_URL", "https://api.example?key=planted", "is not an https:// address"),
        ("KAYRAN_API_URL", "https://api.example:65536", "is not an https:// address"),
        ("KAYRAN_API_URL", "https://api.exa\tmple", "is not an https:// address"),
        ("ALLOWED_ROLES", f"admin,{SIGNING_SECRET}", "has a word in it that is no role"),
        ("ALLOWED_ROLES", "", "is set, and names no role"),
        ("DATABASE_URL", "mysql://u:planted@h/d", "begins with neither sqlite:/// nor postgresql"),
        ("DATABASE_URL", "sqlite://kayran.db", "is not sqlite:/// and a file's path"),
        ("DATABASE_URL", "sqlite:///:memory:", "memory would forget"),
        ("DATABASE_URL", "sqlite:///file:x?mode=memory&uri=true", "memory would forget"),
        ("DATABASE_URL", "sqlite:///file:kayran.db", "and a file's path"),
        ("DATABASE_URL", "sqlite:///kayran.db?isolation_level=x", "and a file's path"),
        ("DATABASE_URL", "sqlite:////nowhere/kayran.db", "in a folder that does not exist"),
        ("DATABASE_URL", f"sqlite:///{'planted' * 99}/k.db", "in a folder that does not exist"),
        ("DATABASE_URL", "sqlite:///~/kayran.db", "~ is not understood here"),
        ("DATABASE_URL", "postgresql://u:planted@h:planted/d", "can't be read as an address"),
        ("DATABASE_URL", "postgresql://u:pl@nted@h/d", "@ is written %40"),
        ("PORT", "65536", "is not a port number"),
        ("PORT", "٣٠٠٠", "is not a port number"),
        ("LOG_LEVEL", "verbose", "is none of the words that it can be"),
        ("METRICS", "yes", "is none of the words that it can be"),
        ("HTTPS_PROXY", "socks5://u:planted@proxy.example", "is not the address of an HTTP proxy"),
        ("https_proxy", "http://proxy.example/path", "is not the address of an HTTP proxy"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "does not name a file of certificates"),
        ("REQUESTS_CA_BUNDLE", dataclasses.__file__, "does not name a file of certificates"),
    ],
)
def test_one_fault(environ: dict[str, str], variable: str, value: str, what: str) -> None:
    """A wrong value is named by its variable, with what is wrong and what to do, unquoted."""
    (fault,) = faults_of({**environ, variable: value})

    assert fault.startswith(f"{variable.upper()} ")
    assert what in fault
    assert re.search(r"\. [A-Z].*\.$", fault), "no second sentence saying what to do"
    assert "planted" not in fault
    assert SIGNING_SECRET not in fault


def test_all_at_once() -> None:
    """Every fault is said, in the order of the settings table."""
    names = [*(each.name for each in VARIABLES), "SSL_CERT_FILE", "HTTPS_PROXY"]

    assert [each.split()[0] for each in faults_of(dict.fromkeys(names, "no g"))] == names


def test_ways_in(environ: dict[str, str]) -> None:
    """An app-level token stands in for the signing secret, but over HTTP; one of them there must be."""
    socket_mode = {**environ, "SLACK_SIGNING_SECRET": "", "SLACK_APP_TOKEN": "xapp-1-made-up"}

    settings = Settings.from_env(socket_mode)
    with pytest.raises(
        SettingsError, match=r"^SLACK_SIGNING_SECRET is missing, needed over HTTP. "
    ):
        Settings.from_env(socket_mode, over_http=True)
    over_http, over_sockets = faults_of({**environ, "SLACK_SIGNING_SECRET": ""})
    (wrong,) = faults_of({**socket_mode, "SLACK_APP_TOKEN": "xoxb-1"})

    assert (settings.slack_app_token, settings.slack_signing_secret) == ("xapp-1-made-up", None)
    assert '"Signing Secret"' in over_http
    assert over_sockets.startswith("SLACK_APP_TOKEN is missing, needed over Socket Mode. ")
    assert wrong.startswith("SLACK_APP_TOKEN is not")


def test_what_is_secret(environ: dict[str, str]) -> None:
    """Tokens, keys, and passwords from 8 characters on are secrets, and ``repr`` has none of them."""
    settings = Settings.from_env(
        {
            **environ,
            "SLACK_APP_TOKEN": "xapp-1-made-up",
            "DATABASE_URL": "postgres://me:p%40ssw%40rd@h/d",
            "HTTPS_PROXY": "http://me:long-enough@proxy.example",
        }
    )
    short = Settings.from_env({**environ, "HTTPS_PROXY": "http://me:short@proxy.example"})
    tokens = {"xoxb-made-up-bot-token", "made-up-signing-secret", "xapp-1-made-up"}

    assert set(settings.secrets) == {*tokens, "made-up-kayran-key", "p@ssw@rd", "long-enough"}
    assert "short" not in short.secrets
    assert not re.search(r"made-up|ssw|short|long-enough", f"{settings!r} {short!r}")
    assert "port=3000" in repr(settings)


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "https://slack.com/api/", None),
        ({"HTTPS_PROXY": PROXY}, "https://slack.com/api/", PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://no"}, "wss://wss.slack.com/", PROXY),
        ({"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY}, "https://slack.com/", None),
        ({"HTTPS_PROXY": "p.example:80"}, "https://a.example", "http://p.example:80"),
        ({"HTTPS_PROXY": "https://u:p@p.io/"}, "https://a.example", "https://u:p@p.io"),
        ({"HTTPS_PROXY": PROXY}, "https://127.0.0.1:3000/", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, "https://slack.com/", None),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "a, .slack.com"}, "https://hooks.slack.com/", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "slack.com"}, "https://noslack.com/", PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "a.example:84"}, "https://a.example:84/", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "a.example:84"}, "https://a.example/", PROXY),
    ],
)
def test_proxy_for(
    environ: dict[str, str], variables: dict[str, str], url: str, proxy: str | None
) -> None:
    """HTTPS_PROXY, unless NO_PROXY names the host, or it is this machine's own."""
    assert Settings.from_env({**environ, **variables}).proxy_for(url) == proxy


def test_a_dotenv_file(environ: dict[str, str], tmp_path: Path) -> None:
    """Quotes, comments, export, a byte order mark and Windows' line ends are read; $ stays."""
    del environ["KAYRAN_API_KEY"], environ["SLACK_BOT_TOKEN"]
    file = tmp_path / ".env"
    file.write_bytes(
        b"\xef\xbb\xbfexport KAYRAN_API_KEY='pa$word${HOME}'\r\n\r\n"
        b'# Slack\r\nSLACK_BOT_TOKEN = "xoxb-1" # the bot\r\nEMPTY\r\n'
    )

    settings = Settings.from_env(environ, dotenv=file)

    assert (settings.kayran_api_keys["default"], settings.slack_bot_token) == (
        "pa$word${HOME}",
        "xoxb-1",
    )
    assert Settings.from_env(environ | {"KAYRAN_API_KEY": "k"}, dotenv=file).kayran_api_keys == {
        "default": "k"
    }
    assert len(faults_of(environ | {"SLACK_BOT_TOKEN": ""}, file)) == 1


def test_a_dotenv_file_that_is_none(environ: dict[str, str], tmp_path: Path) -> None:
    """What can't be read of the file is a fault beside the others, and nothing of it is quoted."""
    file = tmp_path / ".env"
    assert Settings.from_env(environ, dotenv=file) == Settings.from_env(environ)
    file.write_text("A=1\n\n\nB='planted\nPORT=planted\n", encoding="utf-8")
    faults = faults_of(environ, file)
    file.write_bytes("KAYRAN_API_KEY=planted".encode("utf-16"))
    (not_text,) = faults_of(environ, file)
    (a_folder,) = faults_of(environ, tmp_path)

    assert faults[0].startswith(".env can't be understood at line 2 or just after it. ")
    assert faults[1].startswith("PORT is not a port number. ")
    assert "planted" not in str(faults)
    assert not_text == a_folder
    assert not_text.startswith(".env can't be read. ")


def test_the_database_alone(tmp_path: Path) -> None:
    """What needs only the database asks for nothing else, and refuses what the bot would refuse."""
    file = tmp_path / ".env"
    file.write_text("DATABASE_URL=postgres://h/d\nPORT=no\n", encoding="utf-8")

    assert database_url({}, file) == "postgresql+psycopg://h/d"
    assert database_url({"DATABASE_URL": " "}, file) == "sqlite:///kayran-notify.db"
    with pytest.raises(SettingsError, match=r"^DATABASE_URL is not sqlite:///"):
        database_url({"DATABASE_URL": "sqlite://"}, file)


def test_further_keys(environ: dict[str, str]) -> None:
    """Each is for a mailbox called after its variable, in small letters; the default one comes first."""
    further = {"KAYRAN_API_KEY_DEV": "key-of-dev", "KAYRAN_API_KEY_QA2": "key-of-qa"}

    settings = Settings.from_env(environ | further)

    assert list(settings.kayran_api_keys.items()) == [
        ("default", environ["KAYRAN_API_KEY"]),
        ("dev", "key-of-dev"),
        ("qa2", "key-of-qa"),
    ]
    assert {"key-of-dev", "key-of-qa"} <= set(settings.secrets)
    assert "key-of-dev" not in repr(settings)


@pytest.mark.parametrize("name", ["ON", "STATUS", "QUEUE", "MAILQUEUE", "DEFAULT", "A_B", "", "É"])
def test_a_mailbox_that_can_not_be_called_so(environ: dict[str, str], name: str) -> None:
    """Its name stands after the command, where the command's words and the flags' names stand too."""
    with pytest.raises(SettingsError, match="has a name of no use"):
        Settings.from_env(environ | {f"KAYRAN_API_KEY_{name}": "another-key"})


def test_a_key_given_twice(environ: dict[str, str]) -> None:
    """One mailbox under two names would be two records of it."""
    with pytest.raises(SettingsError, match="KAYRAN_API_KEY_DEV holds a key that is given twice"):
        Settings.from_env(environ | {"KAYRAN_API_KEY_DEV": environ["KAYRAN_API_KEY"]})


@pytest.mark.parametrize(
    ("style", "url"),
    [("kayran", "https://api.kayran.live"), ("Cytrix", "https://api.cytrix.io")],
)
def test_styles_of_the_api(environ: dict[str, str], style: str, url: str) -> None:
    """Each has an address of its own, which KAYRAN_API_URL overrules."""
    chosen = environ | {"KAYRAN_API_STYLE": style}

    assert Settings.from_env(chosen).kayran_api_url == url
    own = Settings.from_env(chosen | {"KAYRAN_API_URL": "https://kayran.example/api/"})
    assert own.kayran_api_url == "https://kayran.example/api"


def test_no_style_of_the_api(environ: dict[str, str]) -> None:
    """A fault names the two."""
    with pytest.raises(SettingsError, match="Write kayran or cytrix"):
        Settings.from_env(environ | {"KAYRAN_API_STYLE": "v2"})
