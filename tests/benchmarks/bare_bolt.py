"""The same on Bolt as it comes: default settings, its own client, one call after the other.

A command with words after it is only acked.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.request import Request, urlopen

import waitress
from slack_bolt import Ack, App
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk import WebClient

from bot.notifications import PARAMETERS
from bot.sandbox.cast import SCANS

Body = dict[str, Any]

_TEXT = {"type": "plain_text", "text": "Kayran e-mails"}
_OPTIONS = [{"text": _TEXT, "value": parameter} for parameter in PARAMETERS]
_BOXES = {"type": "checkboxes", "action_id": "boxes", "options": _OPTIONS}
_INPUT = {"type": "input", "block_id": "nine", "optional": True, "label": _TEXT, "element": _BOXES}
_VIEW = {"type": "modal", "callback_id": "form", "title": _TEXT, "submit": _TEXT}


def _kayran(function: str, **parameters: str) -> None:
    body = json.dumps({"apiKey": os.environ["KAYRAN_API_KEY"], **parameters}).encode()
    url = f"{os.environ['KAYRAN_API_URL']}/{function}"
    with urlopen(Request(url, body, {"Content-Type": "application/json"})) as answer:  # noqa: S310 (the stand-in's)
        json.load(answer)


def create_app() -> SlackRequestHandler:
    """A Bolt app with a command and a form, which decides before it acks a save."""
    slack = WebClient(token=os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
    app = App(client=slack, signing_secret=os.environ["SLACK_SIGNING_SECRET"])

    @app.command("/kayran-notify")
    def command(ack: Ack, body: Body, client: WebClient) -> None:
        ack()
        if not body.get("text"):
            client.users_info(user=body["user_id"])
            _kayran("GetUserProfile")
            client.views_open(trigger_id=body["trigger_id"], view={**_VIEW, "blocks": [_INPUT]})

    @app.view("form")
    def save(ack: Ack, body: Body, client: WebClient) -> None:
        client.users_info(user=body["user"]["id"])
        _kayran("GetUserProfile")
        ack()
        chosen = body["view"]["state"]["values"]["nine"]["boxes"]["selected_options"]
        on = {option["value"] for option in chosen}
        _kayran("UpdateMailNotify", **{p: "on" if p in on else "off" for p in PARAMETERS})
        _kayran("GetUserProfile")
        parent = client.chat_postMessage(channel=SCANS, text="Changed")
        client.chat_postMessage(channel=SCANS, thread_ts=parent["ts"], text="What")

    return SlackRequestHandler(app)


if __name__ == "__main__":
    waitress.serve(create_app(), port=int(os.environ["PORT"]), threads=64, _quiet=True)
