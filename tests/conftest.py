"""What tests of several rooms share: a sound environment, and what has to be on the machine.

A test that needs Chromium or PostgreSQL asks for ``chromium_path`` or ``postgres_url``. Where that
is not to be had the test is skipped, with the way to get it; with ``CI=true`` it fails instead.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import psycopg
import pytest

from bot.store import Database
from tests import block_kit

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile(
    "kayran-notify", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("kayran-notify")

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
POSTGRES = os.environ.get("KAYRAN_NOTIFY_TEST_POSTGRES", "127.0.0.1:5432")
"""Host and port of the server that lets ``postgres`` in without a password."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """What is run small every time can be run at full length."""
    group = parser.getgroup("kayran-notify")
    group.addoption("--people", type=int, default=10, help="how many save at once (50)")
    group.addoption("--seconds", type=float, default=4, help="for how long they do (60)")
    group.addoption("--requests", type=int, default=150, help="how many odd requests (100000)")
    group.addoption("--orders", type=int, default=4, help="how many orders are made up (300)")


def pytest_configure(config: pytest.Config) -> None:
    """Keep what passes Block Kit's rules."""
    # It can be switched off.
    cache = getattr(config, "cache", None)
    block_kit.folder = cache.mkdir("blocks") if cache else None


def go_without(reason: str) -> NoReturn:
    """Skip this test, or fail it on a machine that has to have everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The least the bot starts with, over HTTP, and a database of the test's own. All made up."""
    return {
        "SLACK_BOT_TOKEN": "xoxb-made-up-bot-token",
        "SLACK_SIGNING_SECRET": "made-up-signing-secret",
        "KAYRAN_API_KEY": "made-up-kayran-key",
        "DATABASE_URL": f"sqlite:///{tmp_path}/records.db",
    }


@pytest.fixture(scope="session")
def empty_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as the bot makes it at its first start: making it takes longer than most stories."""
    path = tmp_path_factory.mktemp("empty") / "records.db"
    database = Database(f"sqlite:///{path}")
    database.prepare()
    database.close()
    return path


@pytest.fixture
def record(empty_record: Path, tmp_path: Path) -> str:
    """``DATABASE_URL`` of such a database that is the test's own."""
    return f"sqlite:///{shutil.copy(empty_record, tmp_path / 'records.db')}"


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's Chromium."""
    for name in CHROMIUM_NAMES:
        path = shutil.which(name)
        if path:
            return path
    go_without("Chromium is not installed. On Debian: apt-get install chromium.")


@contextlib.contextmanager
def postgres_database() -> Iterator[str]:
    """``DATABASE_URL`` of an empty PostgreSQL database, which is gone afterwards."""
    name = f"kayran_notify_{secrets.token_hex(8)}"
    try:
        server = psycopg.connect(
            f"postgresql://postgres@{POSTGRES}/postgres", autocommit=True, connect_timeout=3
        )
    except psycopg.OperationalError as error:
        go_without(
            f"PostgreSQL does not let postgres in without a password at {POSTGRES} "
            f"({' '.join(str(error).split())}). `bash .ci/run` sets one up on Debian; with Docker: docker run --rm -p "
            "127.0.0.1:5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres."
        )
    with server:
        # Not the cluster's own encoding: a bare machine's is SQL_ASCII, where text comes as bytes.
        server.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
        try:
            yield f"postgresql+psycopg://postgres@{POSTGRES}/{name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """``DATABASE_URL`` of an empty PostgreSQL database that is the test's own, and gone after it."""
    with postgres_database() as url:
        yield url


@pytest.fixture(scope="session")
def kept_postgres_url() -> Iterator[str]:
    """The same for many tests, one after the other; what one leaves behind, the next has to clear away.

    To create a database takes as long as a dozen small tests.
    """
    with postgres_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """``DATABASE_URL`` of an empty database that is the test's own, once of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
