"""Block Kit's rules as the tests know them: what Slack would not take is complained of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.sandbox.cast import ADMIN, SCANS
from tests.block_kit import complaints
from tests.fake_bot import button, form, section
from tests.standins import Slack

Spoil = Callable[[Any], object]

PLAIN = {"type": "plain_text", "text": "Words"}
TWICE = button() | {"elements": button()["elements"] * 2}


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda view: view["title"].update(text="x" * 25), "too long [json-pointer:/view/title"),
        (lambda view: view.pop("title"), "'title' is a required property"),
        (lambda view: view.pop("submit"), "submit is required"),
        (lambda view: view.update(private_metadata="x" * 3001), "/view/private_metadata"),
        (lambda view: view.update(colour="red"), "'colour' was unexpected"),
        (lambda view: view.update(blocks=[]), "/view/blocks"),
        (lambda view: view.update(blocks=[section("x")] * 101), "/view/blocks"),
        (lambda view: view["blocks"].append({"type": "rich_text"}), "/view/blocks/2/type"),
        (lambda view: view["blocks"][0]["element"].update(initial_options=[]), "initial_options"),
        (lambda view: view.update(form(ticked=("one", "one"))), "among the options, once"),
        (lambda view: view["blocks"].append(button() | {"block_id": "b"}), "block_id b already"),
        (lambda view: view["blocks"].append(TWICE), "action_id already exists"),
    ],
)
def test_a_view_slack_would_not_take(spoil: Spoil, complaint: str) -> None:
    """One thing is the matter, and that is what is said."""
    view = form()
    assert complaints("view", view) == []
    spoil(view)

    [said] = complaints("view", view)
    assert complaint in said


@pytest.mark.parametrize(
    "blocks",
    [
        [section("")],
        [section("x" * 3001)],
        [section("x" * 2900)] * 4,
        [section("x")] * 51,
        [{"type": "context", "elements": [PLAIN] * 11}],
        [{"type": "input", "label": PLAIN, "element": {"type": "plain_text_input"}}],
        [button("x" * 256)],
        [button(value="x" * 2001)],
    ],
    ids=lambda blocks: str(blocks)[:40],
)
def test_a_message_slack_would_not_take(blocks: Any) -> None:
    """Empty, too long, too many, or not for a message."""
    assert len(complaints("blocks", blocks)) == 1


def test_a_stand_in_with_rules() -> None:
    """In tests, Slack refuses what is complained of with its own codes."""
    with Slack() as slack:
        client = WebClient(slack.bot_token, base_url=slack.api_url)
        with pytest.raises(SlackApiError, match=r"invalid_arguments.*/view/title/text"):
            client.views_publish(user_id=ADMIN, view=form(title=PLAIN | {"text": ""}))
        with pytest.raises(SlackApiError, match="invalid_blocks"):
            client.chat_postMessage(channel=SCANS, text="Words", blocks=[section("")])
