"""A server for testing what calls one: it remembers requests, and answers as it is told.

Beside it the form and the button that a bot would show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from bot.sandbox.loopback import LoopbackServer, Reply, Request

Json = Any


class FakeBot(LoopbackServer):
    """Where Slack's requests go, or anybody's. Also a context manager.

    Attributes:
        requests: as they came.
        reply: called for each; a 200 with nothing in it unless set.
    """

    def __init__(self, reply: Callable[[Request], Reply] = lambda _: Reply()) -> None:
        super().__init__(self._take)
        self.requests: list[Request] = []
        self.reply = reply

    @property
    def fields(self) -> dict[str, str]:
        """The form fields of the last request."""
        return dict(parse_qsl(self.requests[-1].body.decode(), keep_blank_values=True))

    def _take(self, request: Request) -> Reply:
        self.requests.append(request)
        return self.reply(request)


def option(value: str) -> Json:
    """An option of the form."""
    return {"text": {"type": "mrkdwn", "text": f"*{value}*"}, "value": value}


def form(block: str = "b", ticked: tuple[str, ...] = ("one",), **more: Json) -> Json:
    """A modal with three boxes."""
    boxes = [option(value) for value in ("one", "two", "three")]
    first = {"initial_options": [option(value) for value in ticked]} if ticked else {}
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
                "element": {"type": "checkboxes", "action_id": "a", "options": boxes, **first},
            },
            section("Words") | {"block_id": "words"},
        ],
        **more,
    }


def section(text: str) -> Json:
    """A block with this text."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(action_id: str = "undo", value: str = "7") -> Json:
    """A block with a button."""
    text = {"type": "plain_text", "text": "Undo"}
    element = {"type": "button", "action_id": action_id, "text": text, "value": value}
    return {"type": "actions", "block_id": "buttons", "elements": [element]}
