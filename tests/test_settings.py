"""The settings: what is taken, what is refused, and that no refusal says a secret aloud."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from bot.access import Role
from bot.errors import SettingsError
from bot.settings import (
    KAYRAN_API_KEY,
    SLACK_APP_TOKEN,
    SLACK_BOT_TOKEN,
    SLACK_SIGNING_SECRET,
    VARIABLES,
    Settings,
    as_message,
    load,
)

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
PROXY = "http://proxy.example:3128"


def faults_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with these variables."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ)
    return caught.value.faults


def outcome_of(environ: Mapping[str, str]) -> Settings | SettingsError:
    """The settings, or what keeps them from being."""
    try:
        return Settings.from_env(environ)
    except SettingsError as error:
        return error


def fault_of(environ: Mapping[str, str], **changed: str) -> str:
    """The one thing that is wrong with these variables once they are changed so."""
    (fault,) = faults_of({**environ, **changed})
    return fault


def test_the_least(environ: dict[str, str]) -> None:
    """The three secrets of HTTP are enough; everything else has the contract's default."""
    del environ["DATABASE_URL"]

    settings = Settings.from_env(environ)

    assert dataclasses.asdict(settings) == {
        "slack_bot_token": "xoxb-made-up-bot-token",
        "slack_signing_secret": "made-up-signing-secret",
        "slack_app_token": None,
        "kayran_api_key": "made-up-kayran-key",
        "kayran_api_url": "https://api.kayran.live",
        "allowed_roles": frozenset({Role.ADMIN, Role.OWNER, Role.PRIMARY_OWNER}),
        "database_url": "sqlite:///kayran-notify.db",
        "slack_api_url": "https://slack.com/api/",
        "port": 3000,
        "log_level": "INFO",
        "ca_bundle": None,
        "https_proxy": None,
        "http_proxy": None,
        "no_proxy": None,
    }


def test_socket_mode_needs_no_signing_secret(environ: dict[str, str]) -> None:
    """With an app-level token the signing secret may be missing."""
    del environ["SLACK_SIGNING_SECRET"]
    environ["SLACK_APP_TOKEN"] = "xapp-1-A1-2-made-up"

    settings = Settings.from_env(environ)

    assert settings.slack_app_token == "xapp-1-A1-2-made-up"
    assert settings.slack_signing_secret is None


def test_space_around_a_value(environ: dict[str, str]) -> None:
    """Space and line breaks around a value, as pasting leaves them, are no part of it."""
    padded = {name: f" \t{value}\r\n" for name, value in environ.items()}

    assert Settings.from_env(padded) == Settings.from_env(environ)


def test_blank_is_unset(environ: dict[str, str]) -> None:
    """A blank variable is a variable that is not set, whichever it is but ALLOWED_ROLES."""
    others = {variable.name for variable in VARIABLES} - {"ALLOWED_ROLES"} - environ.keys()
    blanks = dict.fromkeys([*others, "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"], " ")

    assert Settings.from_env({**environ, **blanks}) == Settings.from_env(environ)


def test_nothing_else_changes_anything(environ: dict[str, str]) -> None:
    """Variables that Bolt, requests or others would read are nothing to the settings."""
    others = {
        "SLACK_CLIENT_ID": "1.2",
        "SLACK_CLIENT_SECRET": "no",
        "CURL_CA_BUNDLE": "/nowhere",
        "FTP_PROXY": "no",
        "slack_bot_token": "no",
    }

    assert Settings.from_env({**environ, **others}) == Settings.from_env(environ)


@pytest.mark.parametrize(
    ("written", "roles"),
    [
        ("member", {Role.MEMBER}),
        (" Admin ,OWNER", {Role.ADMIN, Role.OWNER}),
        ("admin,admin,,primary_owner,", {Role.ADMIN, Role.PRIMARY_OWNER}),
    ],
)
def test_roles(environ: dict[str, str], written: str, roles: set[Role]) -> None:
    """Roles are words with commas between them, in any case, with space, twice or not."""
    settings = Settings.from_env({**environ, "ALLOWED_ROLES": written})

    assert settings.allowed_roles == roles


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("sqlite:////var/lib/kayran.db", "sqlite:////var/lib/kayran.db"),
        ("sqlite+pysqlite:///kayran.db?timeout=5", "sqlite:///kayran.db?timeout=5"),
        ("sqlite:///./my records.db", "sqlite:///./my records.db"),
        ("postgres://u:p%40ss@h:5432/d", "postgresql+psycopg://u:p%40ss@h:5432/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+psycopg://h/d?sslmode=require"),
        ("postgresql+psycopg://u@[::1]:5433/d", "postgresql+psycopg://u@[::1]:5433/d"),
        ("POSTGRES://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
    ],
)
def test_databases(environ: dict[str, str], written: str, taken: str) -> None:
    """Heroku's postgres:// and every usual spelling become a URL SQLAlchemy reads as meant."""
    settings = Settings.from_env({**environ, "DATABASE_URL": written})

    assert settings.database_url == taken
    assert sa.make_url(taken).render_as_string(hide_password=False) == taken


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("https://api.example", "https://api.example"),
        ("HTTPS://api.example:8443/v1//", "https://api.example:8443/v1"),
        ("http://localhost:3999/", "http://localhost:3999"),
        ("http://127.0.0.2:1/api", "http://127.0.0.2:1/api"),
        ("http://[::1]:3999", "http://[::1]:3999"),
    ],
)
def test_addresses(environ: dict[str, str], written: str, taken: str) -> None:
    """Kayran's base ends without a slash and Slack's with one, however they were written."""
    settings = Settings.from_env({**environ, "KAYRAN_API_URL": written, "SLACK_API_URL": written})

    assert settings.kayran_api_url == taken
    assert settings.slack_api_url == f"{taken}/"


def test_port_and_log_level(environ: dict[str, str]) -> None:
    """A port is a number, and a log level may be written small."""
    settings = Settings.from_env({**environ, "PORT": "65535", "LOG_LEVEL": "warning"})

    assert settings.port == 65535
    assert settings.log_level == "WARNING"


def test_certificates(environ: dict[str, str], tmp_path: Path) -> None:
    """REQUESTS_CA_BUNDLE goes before SSL_CERT_FILE, which may then be anything."""
    file = tmp_path / "ca.pem"
    file.write_bytes(Path(DEFAULT_CA_BUNDLE_PATH).read_bytes())

    both = {"REQUESTS_CA_BUNDLE": str(file), "SSL_CERT_FILE": "/nowhere"}
    assert Settings.from_env({**environ, **both}).ca_bundle == str(file)
    assert Settings.from_env({**environ, "SSL_CERT_FILE": str(file)}).ca_bundle == str(file)


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        ("SLACK_BOT_TOKEN", "", "is missing"),
        ("SLACK_BOT_TOKEN", "xapp-1-A1-planted", "holds an app-level token (xapp-)"),
        ("SLACK_BOT_TOKEN", "xoxp-1-planted", "holds a user token (xoxp-)"),
        ("SLACK_BOT_TOKEN", SIGNING_SECRET, "does not begin with xoxb-"),
        ("SLACK_BOT_TOKEN", "XOXB-1-planted", "does not begin with xoxb-"),
        ("SLACK_BOT_TOKEN", "xoxb-", "ends where it should begin"),
        ("SLACK_BOT_TOKEN", "xoxb-1 planted", "has a space or a line break in it"),
        ("SLACK_BOT_TOKEN", "xoxb-1\nplanted", "has a space or a line break in it"),
        ("SLACK_BOT_TOKEN", '"xoxb-1-planted"', "has a quotation mark in it"),
        ("SLACK_BOT_TOKEN", "xoxb-1-planted…", "not plain ASCII"),
        ("SLACK_BOT_TOKEN", "xoxb-1-planted\x1b", "not plain ASCII"),
        ("SLACK_APP_TOKEN", "xoxb-1-planted", "holds a bot token (xoxb-)"),
        ("SLACK_APP_TOKEN", "planted", "does not begin with xapp-"),
        ("SLACK_SIGNING_SECRET", "xoxb-1-planted", "holds a bot token (xoxb-)"),
        ("SLACK_SIGNING_SECRET", "two words", "has a space or a line break in it"),
        ("KAYRAN_API_KEY", "", "is missing"),
        ("KAYRAN_API_KEY", "xapp-1-planted", "holds an app-level token (xapp-)"),
        ("KAYRAN_API_KEY", "'planted'", "has a quotation mark in it"),
        ("KAYRAN_API_URL", "http://api.example", "begins with http://, which is only for this"),
        ("KAYRAN_API_URL", "http://localhost.evil.example", "begins with http://"),
        ("KAYRAN_API_URL", "http://127.0.0.1@evil.example", "has a user name or a password"),
        ("KAYRAN_API_URL", "ftp://api.example", "begins with neither https:// nor http://"),
        ("KAYRAN_API_URL", "api.example", "begins with neither https:// nor http://"),
        ("KAYRAN_API_URL", "https://u:planted@api.example", "has a user name or a password"),
        ("KAYRAN_API_URL", "https://api.example?key=planted", "has a query or a fragment"),
        ("KAYRAN_API_URL", "https://api.example/#", "has a query or a fragment"),
        ("KAYRAN_API_URL", "https://", "does not name a host"),
        ("KAYRAN_API_URL", "https://:443", "does not name a host"),
        ("KAYRAN_API_URL", "https://a..b", "does not name a host"),
        ("KAYRAN_API_URL", "https://api.example:planted", "can't be read as an address"),
        ("KAYRAN_API_URL", "https://[planted", "can't be read as an address"),
        ("KAYRAN_API_URL", "https://api.example:0", "port 0"),
        ("KAYRAN_API_URL", "https://api.exa mple", "has a space"),
        ("KAYRAN_API_URL", "https://api.example\\evil", "a backslash in it"),
        ("KAYRAN_API_URL", "https://api.exa\tmple", "line break or another character"),
        ("SLACK_API_URL", "http://slack.com/api/", "begins with http://"),
        ("SLACK_API_URL", "https:///api/", "does not name a host"),
        ("ALLOWED_ROLES", "admin,guest", 'has "guest" in it, which is no role'),
        ("ALLOWED_ROLES", f"admin,{SIGNING_SECRET}", "has a word in it, which is no role"),
        ("ALLOWED_ROLES", "admin owner", "is no role"),
        ("ALLOWED_ROLES", ",", "is set, and names no role"),
        ("ALLOWED_ROLES", "", "is set, and names no role"),
        (
            "DATABASE_URL",
            "mysql://u:planted@h/d",
            "begins with neither sqlite:// nor postgresql",
        ),
        ("DATABASE_URL", "sqlite:kayran.db", "begins with neither sqlite:// nor postgresql"),
        ("DATABASE_URL", "kayran.db", "begins with neither sqlite:// nor postgresql"),
        ("DATABASE_URL", "sqlite://kayran.db", "has two slashes"),
        ("DATABASE_URL", "sqlite://", "names a database in memory"),
        ("DATABASE_URL", "sqlite:///", "names a database in memory"),
        ("DATABASE_URL", "sqlite:///:memory:", "names a database in memory"),
        ("DATABASE_URL", "sqlite:///file:x?mode=memory&uri=true", "names a database in memory"),
        ("DATABASE_URL", "sqlite:///file:x?uri=true", "gives its file as file:"),
        ("DATABASE_URL", "sqlite:////nowhere/kayran.db", "in a folder that does not exist"),
        ("DATABASE_URL", "sqlite+aiosqlite:///kayran.db", "names a driver"),
        ("DATABASE_URL", "postgresql+psycopg2://h/d", "names a driver other than psycopg"),
        ("DATABASE_URL", "postgresql://u:planted@h:x/d", "can't be read as an address"),
        ("DATABASE_URL", "postgresql://u:pl@nted@h/d", "has more than one @ in it"),
        ("DATABASE_URL", "postgresql://u:planted#@h/d", "can't be read as an address"),
        ("DATABASE_URL", "postgresql://u:p@h/d#planted", "has a # in it"),
        ("PORT", "0", "is not a port number"),
        ("PORT", "65536", "is not a port number"),
        ("PORT", "-1", "is not a port number"),
        ("PORT", "8080.5", "is not a port number"),
        ("PORT", "٣٠٠٠", "is not a port number"),
        ("PORT", SIGNING_SECRET, "is not a port number"),
        ("LOG_LEVEL", "verbose", "is not a log level"),
        ("HTTPS_PROXY", "socks5://u:planted@proxy.example", "begins with neither https:// nor"),
        ("https_proxy", "http://", "does not name a host"),
        ("HTTPS_PROXY", "http://proxy.example/path", "has a path in it"),
        ("ALL_PROXY", "http://proxy.example:x", "can't be read as an address"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "names a file that can't be read"),
        ("REQUESTS_CA_BUNDLE", "/", "names a file that can't be read"),
        ("REQUESTS_CA_BUNDLE", dataclasses.__file__, "names a file with no certificate in it"),
    ],
)
def test_one_fault(environ: dict[str, str], variable: str, value: str, what: str) -> None:
    """A wrong value is named by its variable, with what is wrong and what to do, unquoted."""
    fault = fault_of(environ, **{variable: value})

    assert fault.startswith(f"{variable.upper()} ")
    assert what in fault
    assert re.search(r"\. [A-Z].*\.$", fault), "no second sentence saying what to do"
    assert "planted" not in fault
    assert SIGNING_SECRET not in fault


def test_all_at_once() -> None:
    """Every fault is said, in the order of the settings table, none of them twice."""
    wrong = {variable.name: "no good" for variable in VARIABLES}

    faults = faults_of({**wrong, "ALL_PROXY": "no good", "SSL_CERT_FILE": "no good"})

    assert [fault.split()[0] for fault in faults] == [
        *(variable.name for variable in VARIABLES),
        "SSL_CERT_FILE",
        "ALL_PROXY",
    ]


def test_no_way_in(environ: dict[str, str]) -> None:
    """With neither an app-level token nor a signing secret, both ways in are explained."""
    fault = fault_of(environ, SLACK_SIGNING_SECRET="")

    assert SLACK_APP_TOKEN.where in fault
    assert SLACK_SIGNING_SECRET.where in fault


def test_a_wrong_app_token_does_not_ask_for_the_other_way_in(environ: dict[str, str]) -> None:
    """Whoever set an app-level token meant Socket Mode, even where the token is wrong."""
    fault = fault_of(environ, SLACK_SIGNING_SECRET="", SLACK_APP_TOKEN="xoxb-1-planted")

    assert fault.startswith("SLACK_APP_TOKEN holds a bot token")


@hypothesis_settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from([*(v.name for v in VARIABLES), "HTTPS_PROXY", "SSL_CERT_FILE"]),
    value=st.one_of(
        st.text(max_size=40),
        st.from_regex(r"(https?|postgres|sqlite|xoxb-)[:/@a-z0-9%#?\[\].-]{0,30}", fullmatch=True),
    ),
)
def test_anything_at_all(name: str, value: str) -> None:
    """Whatever stands in a variable, the settings are good or every fault is a sentence."""
    sound = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s", "KAYRAN_API_KEY": "k"}
    planted = f"{value}-hush-hush-2f1c"

    for each in (value, planted):
        outcome = outcome_of({**sound, name: each})

        if isinstance(outcome, Settings):
            sa.make_url(outcome.database_url)
        else:
            assert all(fault.endswith(".") for fault in outcome.faults)
            assert "hush-hush-2f1c" not in as_message(outcome)


def test_nothing_set() -> None:
    """With nothing set at all, the message has every missing value and the sandbox."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"PATH": "/bin", "SLACK_BOT_TOKEN": " "})
    message = as_message(caught.value)

    for variable in (SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET, SLACK_APP_TOKEN, KAYRAN_API_KEY):
        assert variable.name in message
        assert variable.where in message
    assert "python -m bot sandbox" in message


def test_something_set(environ: dict[str, str]) -> None:
    """Whoever has set something is past the sandbox: the message names the fault, line by line."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({**environ, "SLACK_BOT_TOKEN": "", "PORT": "x"})
    lines = as_message(caught.value).splitlines()

    assert [line.split()[1] for line in lines if line.startswith("- ")] == [
        "SLACK_BOT_TOKEN",
        "PORT",
    ]
    assert "sandbox" not in as_message(caught.value)


def test_repr(environ: dict[str, str]) -> None:
    """Neither repr nor str shows a token, a key or a password."""
    environ |= {
        "SLACK_APP_TOKEN": "xapp-1-planted",
        "DATABASE_URL": "postgres://me:pg-planted@h/d",
        "HTTPS_PROXY": "http://me:proxy-planted@proxy.example:3128",
    }
    settings = Settings.from_env(environ)

    for shown in (repr(settings), str(settings), f"{settings}"):
        assert "planted" not in shown
        assert "made-up" not in shown
        assert "proxy.example:3128" in shown
        assert "port=3000" in shown


def test_what_has_to_be_masked(environ: dict[str, str]) -> None:
    """Every token and key is a secret, and so is a password, as written and as meant."""
    environ |= {
        "SLACK_APP_TOKEN": "xapp-1-planted",
        "DATABASE_URL": "postgres://me:p%40ssw%40rd@h/d",
        "HTTPS_PROXY": "http://me:short@proxy.example:3128",
    }

    assert Settings.from_env(environ).secrets == (
        "xoxb-made-up-bot-token",
        "made-up-signing-secret",
        "xapp-1-planted",
        "made-up-kayran-key",
        "p%40ssw%40rd",
        "p@ssw@rd",
    )


def test_over_socket_mode(environ: dict[str, str]) -> None:
    """A secret that is not set is none."""
    environ |= {"SLACK_APP_TOKEN": "xapp-1-planted", "SLACK_SIGNING_SECRET": ""}

    assert None not in Settings.from_env(environ).secrets
    assert "" not in Settings.from_env(environ).secrets


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "https://slack.com/api/", None),
        ({"HTTPS_PROXY": PROXY}, "https://slack.com/api/", PROXY),
        ({"https_proxy": PROXY}, "wss://wss-primary.slack.com/link/", PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://no"}, "https://slack.com/", PROXY),
        ({"https_proxy": "", "HTTPS_PROXY": PROXY}, "https://slack.com/", None),
        ({"HTTP_PROXY": PROXY}, "https://slack.com/", None),
        ({"HTTP_PROXY": PROXY}, "http://kayran.example/", PROXY),
        ({"ALL_PROXY": PROXY}, "https://slack.com/", PROXY),
        (
            {"ALL_PROXY": PROXY, "HTTPS_PROXY": "http://other:1"},
            "https://a.example",
            "http://other:1",
        ),
        ({"HTTPS_PROXY": "proxy.example"}, "https://a.example", "http://proxy.example:80"),
        (
            {"HTTPS_PROXY": "https://u:p@p.example/"},
            "https://a.example",
            "https://u:p@p.example:443",
        ),
        ({"HTTPS_PROXY": "http://[::1]:8080"}, "https://a.example", "http://[::1]:8080"),
        ({"HTTPS_PROXY": PROXY}, "https://127.0.0.1:3000/", None),
        ({"HTTP_PROXY": PROXY}, "http://localhost:3000/", None),
        ({"HTTP_PROXY": PROXY}, "http://[::1]:3000/", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, "https://slack.com/", None),
        (
            {"HTTPS_PROXY": PROXY, "NO_PROXY": "a.example, slack.com"},
            "https://slack.com/",
            None,
        ),
        (
            {"HTTPS_PROXY": PROXY, "no_proxy": ".slack.com"},
            "https://hooks.slack.com:443/",
            None,
        ),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "slack.com"}, "https://noslack.com/", PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "a.example:8443"}, "https://a.example:8443/", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "a.example:8443"}, "https://a.example/", PROXY),
    ],
)
def test_proxy_for(
    environ: dict[str, str], variables: dict[str, str], url: str, proxy: str | None
) -> None:
    """The proxy of the scheme, unless NO_PROXY or this machine's own address goes without."""
    assert Settings.from_env({**environ, **variables}).proxy_for(url) == proxy


def test_a_socks_proxy_nobody_uses(environ: dict[str, str]) -> None:
    """A desktop that sets all three proxies is fine: its SOCKS proxy is not ours to use."""
    desktop = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "ALL_PROXY": "socks://proxy.example"}

    assert Settings.from_env({**environ, **desktop}).proxy_for("https://slack.com/") == PROXY


def test_the_environment_wins(environ: dict[str, str], tmp_path: Path) -> None:
    """What both set is the environment's, even where it sets it to nothing."""
    file = tmp_path / ".env"
    file.write_text("PORT=1\nLOG_LEVEL=debug\nSLACK_APP_TOKEN=xapp-1-file\n", encoding="utf-8")

    settings = load({**environ, "PORT": "2", "SLACK_APP_TOKEN": ""}, file)

    assert settings.port == 2
    assert settings.log_level == "DEBUG"
    assert settings.slack_app_token is None


def test_what_a_file_may_hold(environ: dict[str, str], tmp_path: Path) -> None:
    """Quotes, comments, export, a byte order mark and Windows' line ends are read; $ stays."""
    del environ["KAYRAN_API_KEY"], environ["SLACK_BOT_TOKEN"]
    file = tmp_path / ".env"
    file.write_bytes(
        b"\xef\xbb\xbfexport KAYRAN_API_KEY='pa$word${HOME}'\r\n\r\n"
        b'# Slack\r\nSLACK_BOT_TOKEN = "xoxb-1" # the bot\r\nEMPTY\r\n'
    )

    settings = load(environ, file)

    assert settings.kayran_api_key == "pa$word${HOME}"
    assert settings.slack_bot_token == "xoxb-1"


def test_no_file(environ: dict[str, str], tmp_path: Path) -> None:
    """Where there is no file, the environment is all there is."""
    assert load(environ, tmp_path / ".env") == Settings.from_env(environ)


def test_a_line_that_is_none(environ: dict[str, str], tmp_path: Path) -> None:
    """Lines that can't be understood are named by number, beside what else is wrong."""
    file = tmp_path / ".env"
    file.write_text("A=1\n\n\nB='planted\nPORT=planted\n", encoding="utf-8")

    with pytest.raises(SettingsError) as caught:
        load(environ, file)

    assert len(caught.value.faults) == 2
    assert caught.value.faults[0].startswith(".env can't be understood at line 4. ")
    assert caught.value.faults[1].startswith("PORT is not a port number. ")
    assert "planted" not in as_message(caught.value)


def test_only_a_line_that_is_none(environ: dict[str, str], tmp_path: Path) -> None:
    """A line that can't be understood is a fault even where nothing else is wrong."""
    file = tmp_path / ".env"
    file.write_text("two words = 1\n", encoding="utf-8")

    with pytest.raises(SettingsError, match="line 1"):
        load(environ, file)


def test_not_text(environ: dict[str, str], tmp_path: Path) -> None:
    """A file in another encoding is one fault, and no traceback."""
    file = tmp_path / ".env"
    file.write_bytes("KAYRAN_API_KEY=planted".encode("utf-16"))

    with pytest.raises(SettingsError) as caught:
        load(environ, file)

    assert caught.value.faults == (
        ".env is not a text file in UTF-8. Save it as UTF-8, or write it anew.",
    )


def test_not_readable(environ: dict[str, str], tmp_path: Path) -> None:
    """What can't be opened, such as the folder Docker makes for a missing file, is one fault."""
    folder = tmp_path / ".env"
    folder.mkdir()

    with pytest.raises(SettingsError, match=r"\.env can't be read: Is a directory\."):
        load(environ, folder)


def test_every_default_is_sound(environ: dict[str, str]) -> None:
    """The defaults that the table shows are values the settings take."""
    written = {variable.name: variable.default for variable in VARIABLES if variable.default}
    bare = {name: value for name, value in environ.items() if name not in written}

    assert len(written) == 6
    assert Settings.from_env({**bare, **written}) == Settings.from_env(bare)
