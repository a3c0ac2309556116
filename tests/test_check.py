"""``python -m bot check``: each thing that is broken is named, and nothing else; nothing is changed."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from bot import __version__
from bot.check import OPTIONAL_SCOPES, REQUIRED_SCOPES, Check, examine, print_checks
from bot.sandbox.kayran import PROFILE, UNREACHABLE, USER, React, envelope
from bot.sandbox.workspace import SCOPES
from bot.settings import Settings
from bot.store.migrations import NEWEST
from tests.odd_answers import busy, instead, refuse
from tests.socket_stand_in import SocketStandIn
from tests.standins import Fault, Kayran, Slack
from tests.store_rig import execute, select, started
from tests.test_main import ROOT, run
from tests.test_migrations import make_first_release

KEY, DEV_KEY = "made-up-kayran-key", "made-up-key-of-dev"
ALL = ["settings", "slack", "scopes", "clock", "socket mode", "kayran", "kayran dev", "database"]


@dataclasses.dataclass
class World:
    """All that a bot needs, over Socket Mode, to be broken."""

    slack: Slack
    kayran: Kayran
    environ: dict[str, str]
    file: Path

    def check(self, *, on_heroku: bool = False) -> list[Check]:
        """What is found."""
        return list(examine(lambda: Settings.from_env(self.environ), on_heroku=on_heroku))


@pytest.fixture
def world(environ: dict[str, str], tmp_path: Path) -> Iterator[World]:
    """Everything as it has to be, with two mailboxes and no database yet."""
    slack = Slack(bot_token=environ["SLACK_BOT_TOKEN"])
    with slack, Kayran(KEY, more={"dev": DEV_KEY}) as kayran, SocketStandIn() as sockets:
        slack.link = sockets
        own = {"SLACK_APP_TOKEN": slack.app_token, "KAYRAN_API_KEY_DEV": DEV_KEY}
        there = {"SLACK_API_URL": slack.api_url, "KAYRAN_API_URL": kayran.url}
        yield World(slack, kayran, {**environ, **own, **there}, tmp_path / "records.db")


Change = Callable[[World], object]


def of(found: list[Check], name: str) -> str:
    """What is said of one thing."""
    return next(check.said for check in found if check.name == name)


def test_all_is_well(world: World, tmp_path: Path) -> None:
    """Every line is good and says what was found; nothing is made, set, opened or told."""
    found = world.check()
    out = io.StringIO()

    assert print_checks(found, False, out) == 0
    assert [check.name for check in found if check.ok] == ALL
    assert (
        of(found, "slack")
        == "The bot is kayran-notify in the workspace Example, https://example.slack.com/."
    )
    assert of(found, "kayran") == "The e-mails go to s…y@example.com, whose role is Admin."
    assert of(found, "kayran dev").startswith("The e-mails go to d…v@example.com")
    assert "made at the first start" in of(found, "database")
    assert list(tmp_path.iterdir()) == []
    assert [call.method for call in world.slack.calls] == ["auth.test", "apps.connections.open"]
    assert {call.function for call in world.kayran.calls} == {"GetUserProfile", USER}
    secrets = [
        world.environ[name] for name in world.environ if name.endswith(("_TOKEN", "_SECRET"))
    ]
    assert [each for each in (*secrets, KEY, DEV_KEY, "ticket") if each in out.getvalue()] == []


def setting(name: str, value: str) -> Change:
    """Break it by a setting."""
    return lambda world: world.environ.update({name: value})


def slack_says(method: str, fault: Fault) -> Change:
    """Break it by what Slack answers."""
    return lambda world: world.slack.faults.next(method, fault, times=None)


def grant(*scopes: str) -> Change:
    """Break it by what is granted."""
    return lambda world: setattr(world.slack.workspace, "scopes", frozenset(scopes))


def set_slacks_clock(seconds: float) -> Change:
    """Break it by the time it is at Slack."""
    return lambda world: setattr(world.slack, "clock", lambda: time.time() + seconds)


def kayran_says(answer: str | React, function: str = PROFILE) -> Change:
    """Break it by what Kayran answers."""
    return lambda world: world.kayran.next(answer, 99, function)


def speak(style: str) -> Change:
    """Break it by the style that Kayran understands."""
    return lambda world: setattr(world.kayran, "style", style)


def be(role: str) -> Change:
    """Break it by the role of the second key's owner."""
    return lambda world: setattr(world.kayran.by_key[DEV_KEY], "role", role)


def leave(*statements: str) -> Change:
    """Break it by what is done to a database that is ready."""

    def do(world: World) -> None:
        with started(world.environ["DATABASE_URL"]):
            execute(world.environ["DATABASE_URL"], *statements)

    return do


def leave_the_first_release(world: World) -> None:
    """A database that is to be brought up."""
    make_first_release(world.environ["DATABASE_URL"])


def write_a_letter(world: World) -> None:
    """Break it by what is in the database's place."""
    world.file.write_text("Dear reader, this is no database, however long you look at it.")


BOTH = "kayran, kayran dev"
OPEN, NO_SCOPE = "apps.connections.open", Fault.error("missing_scope")
ODD_ROLE = envelope(USER, {"Role": 5})
NEWER = "UPDATE kayran_notify_version SET version_num = '9999'"
AWAY = "postgresql://me:pass-word@127.0.0.1:1/db"
BROKEN: dict[str, tuple[Change, str, str]] = {
    "no key": (setting("KAYRAN_API_KEY", ""), "settings", "KAYRAN_API_KEY is missing"),
    "Slack away": (lambda world: world.slack.stop(), "slack", "SLACK_API_URL"),
    "Slack in trouble": (slack_says("*", Fault.http(500)), "slack", "no good answer"),
    "bot token": (setting("SLACK_BOT_TOKEN", "xoxb-other"), "slack", "accept SLACK_BOT_TOKEN"),
    "scope": (grant("commands", "chat:write"), "scopes", "Missing: users:read. Add it"),
    "fast": (set_slacks_clock(90), "clock", " s off Slack's. Set it"),
    "slow": (set_slacks_clock(-3600), "clock", " s off Slack's. Set it"),
    "app token": (setting("SLACK_APP_TOKEN", "xapp-other"), "socket mode", "SLACK_APP_TOKEN"),
    "app token's scope": (
        slack_says(OPEN, NO_SCOPE),
        "socket mode",
        "(missing_scope). Make one at",
    ),
    "Kayran away": (lambda world: world.kayran.choose(UNREACHABLE), BOTH, "(unreachable)"),
    "Kayran in trouble": (kayran_says("500"), BOTH, "(unreadable, HTTP 500). Check KAYRAN_API_URL"),
    "key": (setting("KAYRAN_API_KEY_DEV", "other"), "kayran dev", "the key (Not valid token)"),
    "cytrix": (speak("cytrix"), BOTH, "=cytrix and KAYRAN_API_URL=http://127.0.0.1:"),
    "kayran": (setting("KAYRAN_API_STYLE", "cytrix"), BOTH, "set KAYRAN_API_STYLE=kayran"),
    "User": (be("Private User"), "kayran dev", "d…v@example.com, who is no Admin (Private User)"),
    "role refused": (kayran_says(refuse("Not for you"), USER), BOTH, "no Admin (Not for you)"),
    "newer": (leave(NEWER), "database", "(schema 9999"),
    "no database": (write_a_letter, "database", "not a database"),
    "PostgreSQL away": (setting("DATABASE_URL", AWAY), "database", "psycopg://***@127.0.0.1:1/db"),
}
"""Each single thing that may be broken: how, which lines say so, and what they say."""


@pytest.mark.parametrize(("break_it", "names", "says"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_named(world: World, break_it: Change, names: str, says: str) -> None:
    """The thing itself is said to be wrong, with what to do, and nothing else is; status 1."""
    break_it(world)
    found = world.check()
    out = io.StringIO()

    assert print_checks(found, False, out) == 1
    assert ", ".join(check.name for check in found if not check.ok) == names
    wrong = [line for line in out.getvalue().splitlines() if line.startswith("✗")]
    assert [line for line in wrong if says not in line] == []
    assert "pass-word" not in out.getvalue()


GOOD: dict[str, tuple[Change, str, str]] = {
    "left out": (grant(*REQUIRED_SCOPES), "scopes", "Left out: chat:write.public, which is"),
    "one more": (grant(*SCOPES, "im:write"), "scopes", "Granted and not needed: im:write."),
    "almost on time": (set_slacks_clock(-40), "clock", " s off Slack's"),
    "role not told": (kayran_says(busy(404), USER), "kayran", "whose role is not told."),
    "role unreadable": (kayran_says(instead(ODD_ROLE), USER), "kayran", "whose role is not told."),
    "no mailbox told": (lambda world: setattr(world.kayran, "email", ""), "kayran", "not told."),
    "ready": (leave(), "database", f"records.db can be written to. Its schema is {NEWEST}."),
    "older": (leave_the_first_release, "database", "start brings its schema, 0001, up to date."),
    "empty": (lambda world: world.file.touch(), "database", "made at the first start"),
}
"""What is worth saying, and no fault."""


@pytest.mark.parametrize(("change", "name", "says"), GOOD.values(), ids=GOOD)
def test_what_is_no_fault(world: World, change: Change, name: str, says: str) -> None:
    """It is said, all is well, and a database that is there is the same to the last byte."""
    change(world)
    before = {file: file.read_bytes() for file in world.file.parent.iterdir()}
    found = world.check()

    assert [check for check in found if not check.ok] == []
    assert says in of(found, name)
    assert {file: file.read_bytes() for file in world.file.parent.iterdir()} == before


def test_every_wrong_setting(world: World) -> None:
    """Each is a line of its own, and nothing else is looked at."""
    world.environ |= {"SLACK_BOT_TOKEN": "", "PORT": "none"}

    assert [(check.name, check.ok, check.said.split()[0]) for check in world.check()] == [
        ("settings", False, "SLACK_BOT_TOKEN"),
        ("settings", False, "PORT"),
    ]


def test_http(world: World) -> None:
    """Over HTTP there is no app-level token to look at."""
    del world.environ["SLACK_APP_TOKEN"]

    assert [check.name for check in world.check()] == [
        name for name in ALL if name != "socket mode"
    ]


def test_a_database_that_somebody_keeps(world: World) -> None:
    """What can be read and not written to is not as it has to be."""
    leave()(world)
    with contextlib.closing(sqlite3.connect(world.file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        assert "database is locked" in of(world.check(), "database")


def test_postgres(world: World, postgres_url: str) -> None:
    """An empty one is good, and stays empty; a read-only one is not."""
    world.environ["DATABASE_URL"] = postgres_url
    new = of(world.check(), "database")
    tables = select(postgres_url, "SELECT * FROM pg_tables WHERE schemaname = 'public'")
    leave()(world)
    ready = of(world.check(on_heroku=True), "database")
    beats = select(postgres_url, "SELECT * FROM heartbeat")
    name = sa.make_url(postgres_url).database
    execute(postgres_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    read_only = of(world.check(), "database")

    assert (tables, beats) == ([], [])
    assert "made at the first start" in new
    assert f"can be written to. Its schema is {NEWEST}." in ready
    assert "read-only transaction" in read_only


def test_a_file_on_heroku(world: World) -> None:
    """It does not outlive a restart."""
    wrong = [check for check in world.check(on_heroku=True) if not check.ok]

    assert [check.name for check in wrong] == ["database"]
    assert "Use its PostgreSQL." in wrong[0].said


def test_scopes_are_the_manifests() -> None:
    """What is looked for is what the manifest asks for."""
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    scopes = manifest["oauth_config"]["scopes"]

    assert set(scopes["bot"]) == REQUIRED_SCOPES | OPTIONAL_SCOPES
    assert set(scopes["bot_optional"]) == OPTIONAL_SCOPES


def test_the_command(world: World, tmp_path: Path) -> None:
    """A line for each thing in whatever a terminal can show, or one JSON object; the status says it too."""
    plain = {**world.environ, "PYTHONIOENCODING": "ascii", "LOG_LEVEL": "DEBUG"}
    printed = run("-m", "bot", "check", environ=plain, folder=tmp_path)
    on_heroku = {**world.environ, "DYNO": "worker.1"}
    as_json = run("-m", "bot", "check", "--json", environ=on_heroku, folder=tmp_path)
    nothing_set = run("-m", "bot", "check", environ={}, folder=tmp_path)

    assert (printed.returncode, printed.stderr) == (0, "")
    assert len(printed.stdout.splitlines()) == len(ALL)
    assert printed.stdout.startswith(
        "\\u2713 settings: All that is needed is set, for Socket Mode."
    )
    told = json.loads(as_json.stdout)
    assert (as_json.returncode, as_json.stderr, told["ok"]) == (1, "", False)
    assert [each["name"] for each in told["checks"]] == ALL
    assert told["checks"][-1]["ok"] is False
    assert "said" in told["checks"][-1]
    assert (nothing_set.returncode, nothing_set.stderr) == (1, "")
    assert "✗ settings: SLACK_BOT_TOKEN is missing" in nothing_set.stdout


def test_version(tmp_path: Path) -> None:
    """The bot says which one it is."""
    ended = run("-m", "bot", "--version", environ={}, folder=tmp_path)

    assert (ended.returncode, ended.stdout) == (0, f"kayran-notify {__version__}\n")
