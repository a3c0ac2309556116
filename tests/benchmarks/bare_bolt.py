"""The same command on a Bolt app with default settings."""

from __future__ import annotations

import os

import waitress
from slack_bolt import Ack, App
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk import WebClient


def create_app() -> SlackRequestHandler:
    """A Bolt app whose one command only acks."""
    client = WebClient(token=os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
    app = App(client=client, signing_secret=os.environ["SLACK_SIGNING_SECRET"])

    @app.command("/kayran-notify")
    def command(ack: Ack) -> None:
        ack()

    return SlackRequestHandler(app)


if __name__ == "__main__":
    waitress.serve(create_app(), port=int(os.environ["PORT"]), threads=64, _quiet=True)
