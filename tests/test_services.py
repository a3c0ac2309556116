"""What the listeners share."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from bot.slack.services import Services
from tests import samples


def test_what_is_recorded_while_the_bot_is_closing_is_no_error() -> None:
    """A save that is on record was a success; recovery carries it out after the next start."""
    remembered: list[tuple[int, str]] = []
    parts: dict[str, Any] = {part.name: None for part in dataclasses.fields(Services)}
    parts["changes"] = SimpleNamespace(carry_out=None)
    parts["deliverer"] = SimpleNamespace(
        deliver=None, remember=lambda *what: remembered.append(what)
    )
    parts["background"] = ThreadPoolExecutor(1)
    parts["background"].shutdown()

    Services(**parts).carry_on(samples.change(), "made-up")

    assert remembered == [(70, "made-up")]
