"""The history as it is printed: a table for people, JSON lines for programs."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bot.errors import RecordsError, RecordsTooNew
from bot.notifications import NOTIFICATIONS, Flags
from bot.records import Entry

_LABELS = {n.parameter: n.label for n in NOTIFICATIONS}
_HEADINGS = ("asked (UTC)", "no.", "who", "role", "how", "what", "outcome", "told (UTC)")
_WIDTHS = (19, 5, 11, 13, 9, 44, 13, 19)
_KINDS = {"changes": "change", "denials": "denial"}
_LEFT_OUT = {"reply_url", "tell_due_at", "tell_until", "tell_tries", "form"}
"""What is for the bot's own use: a seal, leases, names of forms."""


def as_json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """A JSON object for each entry: times in ISO 8601 (UTC), flags as true, false or null."""
    for entry in entries:
        shown = {
            name: _value(name, value) for name, value in entry.row.items() if name not in _LEFT_OUT
        }
        line = {"kind": _KINDS[entry.table], **shown}
        if entry.table == "changes":
            line["attempts"] = [
                {
                    name: _value(name, value)
                    for name, value in attempt.items()
                    if name != "change_id"
                }
                for attempt in entry.attempts
            ]
        # In ASCII, which any pipe takes.
        yield json.dumps(line)


def as_table(entries: Iterable[Entry]) -> Iterator[str]:
    """A heading, then a line for each entry; what does not fit its column is carried on below."""
    yield _line(_HEADINGS)
    yield _line(tuple("-" * width for width in _WIDTHS))
    empty = True
    for entry in entries:
        empty = False
        yield from _rows(_change(entry.row) if entry.table == "changes" else _denial(entry.row))
    if empty:
        yield "There is nothing to show."


def out_of_reach(error: RecordsError) -> str:
    """Why there is nothing to print."""
    if isinstance(error, RecordsTooNew):
        return str(error)
    return f"The database does not answer ({error}). Check DATABASE_URL, then try again."


def _change(row: Mapping[str, Any]) -> tuple[str, ...]:
    outcome = row["outcome"] or "on its way"
    if row["superseded_by"] is not None:
        outcome = f"{outcome} by {row['superseded_by']}"
    if row["reason"]:
        outcome = f"{outcome}: {row['reason']}"
    told = "given up" if row["given_up_at"] else _moment(row["told_at"])
    who, role, how = row["user_id"], row["role"], row["origin"].replace("_", " ")
    return (
        _moment(row["asked_at"]),
        str(row["number"]),
        who,
        role,
        how,
        _steps(row),
        outcome,
        told,
    )


def _denial(row: Mapping[str, Any]) -> tuple[str, ...]:
    who, role = row["user_id"] or "", row["role"] or ""
    what = f"denied: {row['reason']}"
    return (
        _moment(row["asked_at"]),
        "",
        who,
        role,
        row["step"].replace("_", " "),
        what,
        "denied",
        "",
    )


def _steps(row: Mapping[str, Any]) -> str:
    before, wanted = Flags.decode(row["before"]), Flags.decode(row["wanted"])
    steps = [
        f"{_LABELS[p]} {_on_off(before[p])} > {_on_off(wanted[p])}"
        for p in before.differing(wanted)
    ]
    return ", ".join(steps) or "nothing different"


def _on_off(value: bool | None) -> str:
    return "?" if value is None else "on" if value else "off"


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{dt.datetime.fromtimestamp(seconds, dt.timezone.utc):%Y-%m-%d %H:%M:%S}"


def _value(name: str, value: Any) -> Any:
    convert = _CONVERSIONS.get(name)
    return value if convert is None or value is None else convert(value)


def _iso(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _flags(encoded: str) -> dict[str, bool | None]:
    return dict(Flags.decode(encoded))


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("asked_at", "closed_at", "told_at", "given_up_at", "started_at", "ended_at"), _iso
    ),
    **dict.fromkeys(("before", "wanted", "found"), _flags),
}


def _rows(cells: tuple[str, ...]) -> Iterator[str]:
    """One entry's lines: each cell wrapped to its column."""
    wrapped = [
        textwrap.wrap(_printable(cell), width) or [""]
        for cell, width in zip(cells, _WIDTHS, strict=True)
    ]
    for line in itertools.zip_longest(*wrapped, fillvalue=""):
        yield _line(line)


def _line(cells: Iterable[str]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
    return "  ".join(padded).rstrip()


def _printable(text: str) -> str:
    """Foreign text can't move the cursor about in whoever's terminal this is."""
    return "".join(c if c.isprintable() else " " for c in text)
