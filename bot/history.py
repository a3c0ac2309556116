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
    what = {
        "change": _what_changed,
        "denial": "denied: {reason}".format_map,
        "request": _what_asked,
    }[row["kind"]](row)
    number, who, role = row.get("number", ""), row["user_id"] or "", row.get("role") or ""
    line = _ROW.format(_moment(row["asked_at"]), number, who, role, how, what)
    # Foreign text can't move the cursor about in whoever's terminal this is.
    return "".join(c if c.isprintable() else " " for c in line)


def _what_asked(row: Mapping[str, Any]) -> str:
    asked = (f"{_LABELS[p]} {_on(v)}" for p, v in Flags.decode(row["wanted"]) if v is not None)
    by = f" by {row['decided_by']}" if row["decided_by"] else ""
    return f"asks for {', '.join(asked)}; {row['outcome'] or 'open'}{by}"


def _what_changed(row: Mapping[str, Any]) -> str:
    before, wanted = Flags.decode(row["before"]), Flags.decode(row["wanted"])
    steps = [f"{_LABELS[p]} {_on(before[p])} > {_on(wanted[p])}" for p in before.differing(wanted)]
    ended = row["outcome"] or "on its way"
    if row["superseded_by"] is not None:
        ended += f" by {row['superseded_by']}"
    if row["reason"]:
        ended += f": {row['reason']}"
    reported = "given up" if row["given_up_at"] else _moment(row["delivered_at"] or 0.0)
    return f"{', '.join(steps) or 'nothing different'}; {ended}; {reported or 'not reported yet'}"


def _on(value: bool | None) -> str:
    return "?" if value is None else "on" if value else "off"


def _moment(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if seconds else ""
