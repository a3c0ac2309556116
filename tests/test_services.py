"""What the listeners share."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

from bot.app import Background
from bot.slack.services import Services
from tests.samples import ACCOUNT, change


def services(accounts: dict[str, Any], **parts: Any) -> Services:
    """With nothing but these parts."""
    nothing = dict.fromkeys(field.name for field in dataclasses.fields(Services))
    return Services(**nothing | {"accounts": accounts} | parts)


def test_what_is_recorded_while_the_bot_is_closing_is_no_error() -> None:
    """A save that is on record was a success; recovery carries it out after the next start."""
    remembered: list[tuple[int, str]] = []
    deliverer = SimpleNamespace(deliver=None, remember=lambda *what: remembered.append(what))
    background = Background(1)
    background.shutdown()
    accounts = {ACCOUNT: SimpleNamespace(carry_out=None)}

    services(accounts, deliverer=deliverer, background=background).carry_on(change(), "made-up")

    assert remembered == [(70, "made-up")]


def test_mailboxes_have_names_where_there_are_several() -> None:
    """One alone is not to be chosen; the first is meant where none is named."""
    one: Any = SimpleNamespace(mailbox="staging")
    other = SimpleNamespace(mailbox="production")
    several = services({"b": one, "a": other})

    assert services({"b": one}).mailboxes == {}
    assert several.mailboxes == {"b": "staging", "a": "production"}
    assert several.default is one
