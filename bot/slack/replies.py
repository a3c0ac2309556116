"""Answers that one person sees, through the ``response_url`` that came with what they did.

Whoever holds a ``response_url`` can speak as the bot for half an hour: it is kept in memory and in
Slack's own form only, never in the store. It takes five posts within 30 minutes, also where the
channel itself takes none (https://docs.slack.dev/interactivity/handling-user-interaction).
"""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3

from bot.slack.receipt import Message

log = logging.getLogger(__name__)

_TIMEOUT = urllib3.Timeout(connect=3.0, read=5.0)
_SLACKS_HOSTS = ("https://hooks.slack.com", "https://hooks.slack-gov.com")


class Replies:
    """Posts to a ``response_url`` that leads to Slack, and to nothing else.

    Args:
        pool: the connections to Slack.
        slack_api_url: where Slack's Web API is; its host may be posted to as well.
    """

    def __init__(self, pool: urllib3.PoolManager, slack_api_url: str) -> None:
        self._pool = pool
        self._hosts = {*_SLACKS_HOSTS, _origin(slack_api_url)}

    def post(
        self, url: str | None, message: Message, *, replace: bool = False, thread: str | None = None
    ) -> bool:
        """Post a message that one person sees.

        Args:
            url: the ``response_url``, where there is one.
            message: what to say.
            replace: whether it replaces the message whose button was pressed.
            thread: the ``ts`` of the parent of the thread it belongs to.

        Returns:
            Whether Slack took it.
        """
        there = {"thread_ts": thread, "blocks": list(message.blocks)}
        content = {name: value for name, value in there.items() if value}
        who = {"response_type": "ephemeral", "replace_original": replace}
        return self._send(url, {**who, "text": message.text, **content})

    def delete_original(self, url: str | None) -> None:
        """Delete the ephemeral message whose button was pressed."""
        self._send(url, {"delete_original": True})

    def _send(self, url: str | None, content: dict[str, Any]) -> bool:
        if url is None:
            return False
        if _origin(url) not in self._hosts:
            log.warning("a response_url that does not lead to Slack was not used")
            return False
        try:
            answer = self._pool.request(
                "POST", url, json=content, timeout=_TIMEOUT, retries=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            log.warning("a response_url was not taken: %s", type(error).__name__)
            return False
        if answer.status != HTTPStatus.OK:
            log.info("a response_url was not taken: HTTP %s", answer.status)
        return answer.status == HTTPStatus.OK


def _origin(url: str) -> str:
    """The scheme, host and port; empty where there is no reading it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()
