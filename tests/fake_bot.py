"""A bot for testing the stand-ins themselves: it remembers requests, and answers as it is told.

Beside it a clock that stands still, and the form and the button that such a bot would show.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

from bot.sandbox.loopback import LoopbackServer, Reply, Request

Json = Any


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


class FakeBot:
    """Where Slack's requests go: remembers them, and answers as it is told.

    Attributes:
        requests: as they came.
        answer: called for each; a 200 with nothing in it unless set.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Reply] = lambda _: Reply()
        self._server = LoopbackServer(self._take)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self._server.url}/slack/events"

    @property
    def fields(self) -> dict[str, str]:
        """The form fields of the last request."""
        last = parse_qs(self.requests[-1].body.decode(), keep_blank_values=True)
        return {name: values[0] for name, values in last.items()}

    @property
    def payload(self) -> Json:
        """The ``payload`` of the last request."""
        return json.loads(self.fields["payload"])

    def answers(self, body: Json = "", status: int = 200) -> None:
        """Answer so from now on; anything but a text as JSON."""
        reply = Reply(status, body.encode()) if isinstance(body, str) else Reply.json(body, status)
        self.answer = lambda _: reply

    @contextlib.contextmanager
    def serving(self) -> Iterator[FakeBot]:
        """Listen, for a while."""
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop()

    def _take(self, request: Request) -> Reply:
        self.requests.append(request)
        return self.answer(request)


def option(value: str) -> Json:
    """An option of the form."""
    return {"text": {"type": "mrkdwn", "text": f"*{value}*"}, "value": value}


def form(block: str = "b", ticked: tuple[str, ...] = ("one",), **more: Json) -> Json:
    """A modal with three boxes."""
    element = {
        "type": "checkboxes",
        "action_id": "a",
        "options": [option(value) for value in ("one", "two", "three")],
    }
    if ticked:
        element["initial_options"] = [option(value) for value in ticked]
    return {
        "type": "modal",
        "callback_id": "form",
        "title": {"type": "plain_text", "text": "Form"},
        "submit": {"type": "plain_text", "text": "Save"},
        "blocks": [
            {
                "type": "input",
                "block_id": block,
                "optional": True,
                "label": {"type": "plain_text", "text": "Boxes"},
                "element": element,
            },
            {
                "type": "section",
                "block_id": "words",
                "text": {"type": "plain_text", "text": "Words"},
            },
        ],
        **more,
    }


def button(action_id: str = "undo", value: str | None = "7") -> Json:
    """A block with a button."""
    element: Json = {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": "Undo"},
    }
    if value is not None:
        element["value"] = value
    return {"type": "actions", "block_id": "buttons", "elements": [element]}
