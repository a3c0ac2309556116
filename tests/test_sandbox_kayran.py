"""The stand-in for Kayran: its own table, and that it is as strict as a server can be.

What it answers when all is well, and what can be chosen instead, is met in stories and on the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from bot.notifications import NOTIFICATIONS
from bot.sandbox.kayran import ON_AT_FIRST, PARAMETERS, REPORTS, UPDATE, USER, KayranStandIn

KEY = "made-up-kayran-key"
ALL_ON = dict.fromkeys(PARAMETERS, "on")


@pytest.fixture
def kayran() -> Iterator[KayranStandIn]:
    """Kayran, started."""
    with KayranStandIn(KEY) as stand_in:
        yield stand_in


def test_its_own_table_is_kayrans() -> None:
    """What it writes out for itself is what the bot takes for Kayran's; four are on at first."""
    read_back = {n.read_back[0]: n.parameter for n in NOTIFICATIONS}

    assert read_back.items() >= REPORTS.items()
    assert set(read_back.values()) == set(PARAMETERS)
    assert len(set(ON_AT_FIRST) & set(PARAMETERS)) == 4


def test_a_role_is_told_to_its_owner(kayran: KayranStandIn) -> None:
    """``GetUser`` takes the own address, and no other."""
    told = [
        requests.post(
            f"{kayran.url}/{USER}", json={"apiKey": KEY, "email": email}, timeout=5
        ).json()
        for email in (kayran.email, "somebody@example.com")
    ]

    role = {"Email": kayran.email, "Role": "Admin"}
    assert [each["Data"] for each in told] == [role, "Not valid email"]


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
    sent = {"method": "POST", "json": {**ALL_ON, "apiKey": KEY}, **more}

    refused = requests.request(url=f"{kayran.url}/{UPDATE}", timeout=5, **sent)

    assert refused.json() == {"Error": 1, "Function": UPDATE, "Data": reason}
    assert kayran.flags == before


@pytest.mark.parametrize("path", ["apiGetUserProfile", "api", "", "GetScans"])
def test_an_address_that_is_none(kayran: KayranStandIn, path: str) -> None:
    """It is not there, and is no call."""
    assert requests.post(f"{kayran.url}/{path}", json={"apiKey": KEY}, timeout=5).status_code == 404
    assert kayran.wire.entries == ()
