"""The history as it is printed, from a record that was made by real walks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from bot import history
from bot.records import Entry, Records, connect
from bot.sandbox.cast import ADMIN, MEMBER, OWNER
from tests.stage import KEY, Stage, stage


@pytest.fixture
def eventful(environ: dict[str, str]) -> Iterator[Stage]:
    """A change that was applied, a denial, and a change that was refused, in that order."""
    with stage({**environ, "KAYRAN_API_KEY": KEY}) as played:
        played.change(ADMIN, mailStop=True)
        played.open_form(MEMBER)
        played.kayran.next("refuse", function="UpdateMailNotify", reason="Not valid token")
        played.change(OWNER, mailDelete=True)
        yield played


def entries(
    environ: Mapping[str, str], since: float = 0.0, limit: int | None = None
) -> list[Entry]:
    """What the record holds."""
    records = Records(connect(environ["DATABASE_URL"]), "test")
    try:
        return list(records.history(since, limit))
    finally:
        records.close_connections()


def test_it_tells_everything_in_order(eventful: Stage) -> None:
    """Changes and denials come in the order they were asked, with who, what and how it ended."""
    lines = [json.loads(line) for line in history.as_json_lines(entries(eventful.environ))]

    assert [line["kind"] for line in lines] == ["change", "denial", "change"]
    first, denial, second = lines
    assert (first["number"], first["user_id"], first["role"]) == (1, ADMIN, "admin")
    assert (first["outcome"], first["before"]["mailStop"], first["wanted"]["mailStop"]) == (
        "applied",
        False,
        True,
    )
    assert first["found"]["mailStop"] is True
    assert first["found"]["mailCompleted"] is None
    assert [attempt["outcome"] for attempt in first["attempts"]] == ["applied"]
    assert (denial["user_id"], denial["role"], denial["step"]) == (MEMBER, "member", "command")
    assert (second["number"], second["outcome"], second["reason"]) == (
        2,
        "refused",
        "Not valid token",
    )


def test_times_are_in_utc(eventful: Stage) -> None:
    """Times are written in ISO 8601, in UTC."""
    line = json.loads(next(history.as_json_lines(entries(eventful.environ))))

    for name in ("asked_at", "closed_at"):
        assert line[name].endswith("Z"), name


def test_it_keeps_no_secret(eventful: Stage) -> None:
    """Neither a token nor a key nor a response_url, sealed or not, is printed."""
    printed = "\n".join(history.as_json_lines(entries(eventful.environ)))

    for secret in ("xoxb-", eventful.environ["SLACK_SIGNING_SECRET"], KEY, "/response/", "gAAAA"):
        assert secret not in printed


def test_the_table_says_it_in_words(eventful: Stage) -> None:
    """The table has a heading, and for each entry who, what and how it ended."""
    table = list(history.as_table(entries(eventful.environ)))

    assert table[0].startswith("asked (UTC)")
    text = "\n".join(table)
    assert "Stop off > on" in text
    assert "denied: role not allowed" in text
    assert "refused: Not" in text
    assert all(len(line) <= 150 for line in table)


def test_limit_is_the_latest(eventful: Stage) -> None:
    """A limit keeps the latest, still oldest first."""
    found = entries(eventful.environ, limit=2)

    assert [entry.table for entry in found] == ["denials", "changes"]


def test_since_leaves_out_what_was_before(eventful: Stage) -> None:
    """What was asked before a moment is left out."""
    everything = entries(eventful.environ)
    found = entries(eventful.environ, since=everything[1].asked_at)

    assert [(e.table, e.row["id"]) for e in found] == [
        (e.table, e.row["id"]) for e in everything[1:]
    ]


def test_nothing_yet(environ: dict[str, str]) -> None:
    """Before the first change the table says so, and JSON is nothing at all."""
    assert list(history.as_table(entries(environ)))[-1] == "There is nothing to show."
    assert list(history.as_json_lines(entries(environ))) == []


def test_foreign_text_moves_no_cursor() -> None:
    """Control characters in Kayran's words do not reach the terminal."""
    row = {
        "asked_at": 0.0,
        "number": 1,
        "user_id": "U1",
        "role": "admin",
        "origin": "form",
        "before": "0" * 9,
        "wanted": "1" + "0" * 8,
        "outcome": "refused",
        "reason": "\x1b[2Jgone\r\nfor good",
        "superseded_by": None,
        "told_at": None,
        "given_up_at": None,
    }
    table = "\n".join(history.as_table([Entry("changes", 0.0, row, ())]))

    assert "\x1b" not in table
    assert "\r" not in table
    assert "gone" in table
