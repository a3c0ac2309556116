"""The stand-in for Kayran: as strict as a server can be, and what the sandbox offers to go wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from bot.notifications import NOTIFICATIONS
from bot.sandbox.kayran import (
    ANSWERS,
    ON_AT_FIRST,
    PARAMETERS,
    PROFILE,
    REPORTS,
    UNREACHABLE,
    UPDATE,
    USER,
    KayranStandIn,
)

KEY = "made-up-kayran-key"
ALL_ON = dict.fromkeys(PARAMETERS, "on")
NO = {"Error": 1, "Function": UPDATE}


@pytest.fixture
def kayran() -> Iterator[KayranStandIn]:
    """Kayran, started."""
    with KayranStandIn(KEY) as stand_in:
        yield stand_in


def asked(kayran: KayranStandIn, function: str = UPDATE, **more: Any) -> Any:
    """What Kayran answers; ``None`` for none within a third of a second."""
    sent: dict[str, Any] = {"json": {"apiKey": KEY, **(ALL_ON if function == UPDATE else {})}}
    with contextlib.suppress(requests.RequestException), requests.Session() as session:
        session.trust_env = False
        url = f"{kayran.url}/{function}"
        return session.request(**{"method": "POST", "url": url, "timeout": 0.3, **sent, **more})
    return None


def test_its_own_table_is_kayrans() -> None:
    """What it writes out for itself is what the bot takes for Kayran's; four are on at first."""
    read_back = {n.read_back[0]: n.parameter for n in NOTIFICATIONS}

    assert read_back.items() >= REPORTS.items()
    assert set(read_back.values()) == set(PARAMETERS)
    assert len(set(ON_AT_FIRST) & set(PARAMETERS)) == 4


def test_a_role_is_told_to_its_owner(kayran: KayranStandIn) -> None:
    """``GetUser`` takes the own address, and no other."""
    told = [
        asked(kayran, USER, json={"apiKey": KEY, "email": email}).json()["Data"]
        for email in (kayran.email, "somebody@example.com")
    ]

    assert told == [{"Email": kayran.email, "Role": "Admin"}, "Not valid email"]


def test_all_nine_are_set_and_six_are_told(kayran: KayranStandIn) -> None:
    """At either address, on a connection that stays open."""
    assert sum(kayran.flags.values()) == 4
    assert asked(kayran, url=f"{kayran.url}/api/{UPDATE}").json()["Data"] == "Update"
    told = asked(kayran, PROFILE).json()["Data"]

    assert kayran.flags == dict.fromkeys(PARAMETERS, True)
    assert told["emailNotifications"] == dict.fromkeys(REPORTS, "True")
    assert [entry.answer[:3] for entry in kayran.wire.entries] == ["200", "200"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"method": "PUT"}, "Not valid method"),
        ({"json": None, "data": "apiKey=x"}, "Not valid content type"),
        ({"json": [1]}, "Not valid token"),
        ({"json": {**ALL_ON, "apiKey": "another"}}, "Not valid token"),
        ({"json": {**ALL_ON, "apiKey": KEY, "mailStop": "True"}}, "Not valid mailStop"),
        ({"json": {**ALL_ON, "apiKey": KEY, "mailStop": True}}, "Not valid mailStop"),
        ({"json": {**ALL_ON, "apiKey": KEY, "mailAll": "on"}}, "Unknown parameter mailAll"),
        ({"json": {"apiKey": KEY, "mailStop": "on"}}, "Missing parameter mailAborted"),
    ],
    ids=str,
)
def test_what_it_refuses(kayran: KayranStandIn, more: dict[str, Any], reason: str) -> None:
    """One thing that is not as documented, and nothing is set."""
    before = kayran.flags

    assert asked(kayran, **more).json() == {**NO, "Data": reason}
    assert kayran.flags == before


@pytest.mark.parametrize("path", ["apiGetUserProfile", "api", "", "GetScans"])
def test_an_address_that_is_none(kayran: KayranStandIn, path: str) -> None:
    """It is not there, and is no call."""
    assert asked(kayran, url=f"{kayran.url}/{path}").status_code == 404
    assert kayran.wire.entries == ()


@pytest.mark.parametrize(
    ("answer", "said", "applied"),
    [
        ("ok", "Update", True),
        ("refuse", "Not valid token", False),
        ("500", 500, False),
        ("hang", None, False),
        ("drop", None, True),
        (UNREACHABLE, None, False),
    ],
)
def test_what_can_be_chosen(
    kayran: KayranStandIn, answer: str, said: object, applied: bool
) -> None:
    """It holds until a change has met it; unreachable, until the next choice."""
    kayran.choose(answer)
    if answer not in ("hang", "drop", UNREACHABLE):
        assert asked(kayran, PROFILE) is not None
    got = asked(kayran)
    still = kayran.upcoming
    kayran.choose("ok")

    assert set(ANSWERS) == {"ok", "refuse", "500", "hang", "drop", UNREACHABLE}
    if isinstance(said, int):
        assert got.status_code == said
    else:
        assert (got and got.json()["Data"]) == said
    assert all(kayran.flags.values()) is applied
    assert still == (UNREACHABLE if answer == UNREACHABLE else "ok")
    assert asked(kayran).json()["Data"] == "Update"
