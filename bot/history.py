"""``python -m bot history``: a table for people, a JSON object on each line for programs."""

import datetime as dt
import json
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from bot.errors import StoreUnusable
from bot.notifications import NOTIFICATIONS, Flags
from bot.store.history import read_history

_LABELS = {n.parameter: n.label for n in NOTIFICATIONS}
_ON = {True: "on", False: "off", None: "?"}
_ROW = "{:19}  {:>4}  {:11}  {:13}  {:9}  {}"
_HEADINGS = ("asked (UTC)", "no.", "who", "role", "how", "what, how it ended, when reported")
_LEFT_OUT = {"request_key", "deliver_at", "delivery_lease_until", "delivery_tries"}
"""What is for the bot's own use."""


def print_history(
    database_url: str, since: float, limit: int | None, as_json: bool, out: TextIO
) -> int:
    """Print what was asked, decided and done, oldest first.

    Args:
        database_url: an SQLAlchemy URL; the database is only read.
        since: only what was asked from then on, seconds since 1970.
        limit: only the latest so many.
        as_json: for programs: times in ISO 8601 (UTC), flags as true, false or null.
        out: where to print; why there is nothing to print goes to stderr.

    Returns:
        The exit status.
    """
    try:
        rows = read_history(database_url, since, limit)
    except StoreUnusable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if as_json:
        # In ASCII, which any pipe takes.
        for row in rows:
            shown = {name: _value(name, row[name]) for name in row if name not in _LEFT_OUT}
            out.write(f"{json.dumps(shown)}\n")
        return 0
    out.write(_ROW.format(*_HEADINGS) + "\n")
    out.writelines(f"{_line(row)}\n" for row in rows)
    if not rows:
        out.write("There is nothing to show.\n")
    return 0


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in {"before", "wanted", "found"}:
        return dict(Flags.decode(value))
    if name.endswith("_at"):
        moment = dt.datetime.fromtimestamp(value, dt.timezone.utc)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def _line(row: Mapping[str, Any]) -> str:
    how = (row.get("origin") or row.get("step") or "asked").replace("_", " ")
    number, who, role = row.get("number", ""), row["user_id"] or "", row.get("role") or ""
    what = f"denied: {row['reason']}" if row["kind"] == "denial" else _what(row)
    line = _ROW.format(_moment(row["asked_at"]), number, who, role, how, what)
    # Foreign text can't move the cursor about in whoever's terminal this is.
    return "".join(c if c.isprintable() else " " for c in line)


def _what(row: Mapping[str, Any]) -> str:
    """What was asked for, how that ended, and when a change was reported."""
    before, wanted = Flags.decode(row.get("before", "")), Flags.decode(row["wanted"])
    steps = [f"{_LABELS[p]} {_ON[before[p]]} > {_ON[wanted[p]]}" for p in before.differing(wanted)]
    by = row.get("superseded_by") or row.get("decided_by")
    ended = (row["outcome"] or "open") + (f" by {by}" if by else "")
    if row.get("reason"):
        ended += f": {row['reason']}"
    told = ["given up" if row.get("given_up_at") else _moment(row.get("delivered_at"))]
    if row["kind"] == "request":
        told = []
    return "; ".join([", ".join(steps) or "nothing different", ended, *told])


def _moment(seconds: float | None) -> str:
    moment = dt.datetime.fromtimestamp(seconds or 0.0, dt.timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if seconds else "not reported yet"
