"""A request and a change as tests begin with them; whatever a test is about, it says itself."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from bot.change import Change, Origin, Request
from bot.notifications import PARAMETERS, Flags

ACCOUNT = "made-up-account"
ALL_OFF = Flags.of(dict.fromkeys(PARAMETERS, False))
FLAGS = st.tuples(*[st.sampled_from([True, False, None])] * 9).map(Flags)
PREFERENCES = st.sets(st.sampled_from(PARAMETERS)).map(Flags.only)


def request(request_key: str, *on: str, **fields: Any) -> Request:
    """A request for exactly these nine, of a form that showed all nine off."""
    asked: dict[str, Any] = {
        "request_key": request_key,
        "team": "T0EXAMPLE",
        "user": "U0ADMIN",
        "role": "admin",
        "channel": "C0SCANS",
        "thread": None,
        "wanted": Flags.only(on),
        "shown": ALL_OFF,
        "based_on": 0,
    }
    return Request(**asked | fields)


def change(*on: str, **fields: Any) -> Change:
    """Change 7, with the id 70: it wants exactly these nine, all were off before, and it is open."""
    known: dict[str, Any] = {
        "id": 70,
        "account": ACCOUNT,
        "number": 7,
        "request_key": "made-up",
        "asked_at": 1_700_000_000.0,
        "team": "T0EXAMPLE",
        "user": "U0ADMIN",
        "role": "admin",
        "channel": "C0SCANS",
        "thread": None,
        "origin": Origin.FORM,
        "origin_change": None,
        "before": ALL_OFF,
        "wanted": Flags.only(on),
    }
    return Change(**known | fields)
