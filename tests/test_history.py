"""``python -m bot history``: what was asked, decided and done, read from the database alone."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from bot.change import Denial, Outcome
from bot.changes import Result
from bot.history import print_history
from bot.notifications import Flags
from tests.samples import ALL_OFF
from tests.store_rig import AT_FIRST, Clock, process, started
from tests.test_migrations import make_first_release


@pytest.fixture
def eventful(database_url: str) -> str:
    """A change that was applied, a denial a minute later, and a change that was refused after another."""
    clock = Clock()
    with started(database_url, clock) as here:
        here.accepted("form-1", "mailStop", shown=ALL_OFF)
        here.store.close(
            here.claimed(), Result(Outcome.APPLIED, None, Flags.of({"mailStop": True}))
        )
        here.outbox.delivered(1)
        clock.forward(60)
        here.store.deny(
            Denial("T0EXAMPLE", "U0MEMBER", "member", "role_not_allowed", "command", "C0SCANS")
        )
        clock.forward(60)
        here.accepted("form-2", "mailDelete")
        here.store.close(here.claimed(), Result(Outcome.REFUSED, "\x1b[2JNot valid\r\ntoken"))
    return database_url


def printed(url: str, since: float = 0.0, limit: int | None = None) -> list[dict[str, Any]]:
    """The JSON lines."""
    out = io.StringIO()
    assert print_history(url, since, limit, True, out) == 0
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_json_has_everything_in_order(eventful: str) -> None:
    """Changes and denials come in the order they were asked, with who, what and how it ended."""
    first, denial, second = printed(eventful)

    assert (first["kind"], first["number"], first["outcome"]) == ("change", 1, "applied")
    assert (first["user_id"], first["role"]) == ("U0ADMIN", "admin")
    assert (first["wanted"]["mailStop"], first["wanted"]["mailQueue"]) == (True, False)
    assert (first["found"]["mailStop"], first["found"]["mailQueue"]) == (True, None)
    assert (first["asked_at"], first["delivered_at"]) == ("2023-11-14T22:13:20.000Z",) * 2
    assert (denial["kind"], denial["user_id"]) == ("denial", "U0MEMBER")
    assert (denial["reason"], denial["step"]) == ("role_not_allowed", "command")
    assert (second["outcome"], second["reason"]) == ("refused", "\x1b[2JNot valid\r\ntoken")
    assert not {"request_key", "deliver_at", "delivery_lease_until"} & set(first)


def test_the_table_says_it_in_words(eventful: str) -> None:
    """A heading, and a line for each; foreign text moves no cursor."""
    out = io.StringIO()

    assert print_history(eventful, 0.0, None, False, out) == 0

    heading, first, denial, second = out.getvalue().splitlines()
    assert heading.startswith("asked (UTC)")
    assert "Stop ? > on" in first
    assert first.endswith("; applied; 2023-11-14 22:13:20")
    assert denial.startswith("2023-11-14 22:14:20        U0MEMBER     member ")
    assert denial.endswith("  command    denied: role_not_allowed")
    assert second.endswith("; refused:  [2JNot valid  token; not reported yet")


def test_it_can_be_narrowed(eventful: str) -> None:
    """From a moment on, or the latest few."""
    assert [row["kind"] for row in printed(eventful, since=AT_FIRST + 60)] == ["denial", "change"]
    assert [row["kind"] for row in printed(eventful, limit=2)] == ["denial", "change"]
    assert [row["kind"] for row in printed(eventful, limit=9)] == ["change", "denial", "change"]


def test_nothing_yet(database_url: str) -> None:
    """Before the first change the table says so, and JSON is nothing at all."""
    with started(database_url):
        pass
    out = io.StringIO()

    assert print_history(database_url, 0.0, None, False, out) == 0

    assert out.getvalue().splitlines()[-1] == "There is nothing to show."
    assert printed(database_url) == []


def test_it_makes_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In another folder there is no record, and it says so."""
    status = print_history(f"sqlite:///{tmp_path}/none.db", 0.0, None, False, io.StringIO())

    assert status == 1
    assert f"There is no record at {tmp_path}/none.db." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("older", [False, True])
def test_another_schema_is_left_alone(
    database_url: str, older: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether empty or of an older release, only the bot itself brings it up."""
    if older:
        make_first_release(database_url)
    elif database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite:///")).touch()

    assert print_history(database_url, 0.0, None, False, io.StringIO()) == 1

    assert "Start the bot once" in capsys.readouterr().err
    with process(database_url) as here:
        here.database.prepare()
        assert (here.store.change(2) is not None) is older


def test_a_database_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    """It says what the matter is."""
    url = "postgresql+psycopg://me:pass-word@127.0.0.1:1/records"

    assert print_history(url, 0.0, None, True, io.StringIO()) == 1

    said = capsys.readouterr().err
    assert "does not answer" in said
    assert "refused" in said
    assert "pass-word" not in said


def test_it_writes_nothing(tmp_path: Path) -> None:
    """The history is read while somebody writes, and leaves nothing beside a file that nobody has open."""
    url = f"sqlite:///{tmp_path}/records.db"
    with started(url) as here:
        here.accepted()
        with here.database.writing():
            assert len(printed(url)) == 1
        assert here.accepted("form-2").number == 2

    assert len(printed(url)) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["records.db"]
