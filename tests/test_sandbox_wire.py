"""The log of what crossed the wire: masked on the way in, and counted."""

from __future__ import annotations

import pytest

from bot.sandbox.wire import BODY_LIMIT, Wire


def test_the_oldest_make_room() -> None:
    """So many are kept, and all are counted; an answer to one that made room is left alone."""
    wire = Wire(limit=2)
    first, *_ = [wire.began("bot", "Slack", str(number)) for number in range(60)]
    first("200")

    assert [entry.what for entry in wire.entries] == ["58", "59"]
    assert wire.total == 60


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("xoxb-1-2-abc and xapp-9", "xoxb-… and xapp-…"),
        ("v0=0123456789abcdef0", "v0=…"),
        ("http://127.0.0.1:1/response/T0/1/xyz", "http://127.0.0.1:1/response/…"),
        ('{"apiKey": "k", "mailStop": "on"}', '{"apiKey": "…", "mailStop": "on"}'),
        ("a longer secret, a longer", "…, …"),
    ],
)
def test_secrets_are_masked(text: str, masked: str) -> None:
    """Those that were named, and what looks like one, in every part of an entry."""
    wire = Wire()
    wire.hide("a longer", "a longer secret")
    wire.began("bot", "Slack", text, text)(text)
    [entry] = wire.entries

    assert (entry.what, entry.body, entry.answer) == (masked,) * 3


def test_a_body_is_cut_after_it_was_masked() -> None:
    """Half a secret at the end would be one too."""
    wire = Wire()
    wire.hide("secret")
    wire.began("bot", "Slack", "", "x" * (BODY_LIMIT - 3) + "secret")

    assert "sec" not in wire.entries[0].body
