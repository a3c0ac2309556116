"""``response_url``: kept sealed, and posted to.

Whoever holds one can speak as the bot for half an hour, and it has to outlive the command: it goes
with the form to Slack and back, and waits on record until a change has been told. Sealed, it says
nothing to who reads the form's metadata or the database; and what comes back was put there by this
bot, so that it posts to no address of somebody else's making.

Five uses in 30 minutes; it takes what the channel itself would not
(https://docs.slack.dev/interactivity/handling-user-interaction).
"""

from __future__ import annotations

import base64
import hashlib
import logging
from typing import Any

import urllib3
from cryptography.fernet import Fernet, InvalidToken

from bot.slack.report import Message

log = logging.getLogger(__name__)

_TIMEOUT = urllib3.Timeout(connect=3.0, read=5.0)


class ReplyUrls:
    """Seals them, opens them and posts to them, for everyone who holds the same bot token."""

    def __init__(self, pool: urllib3.PoolManager, bot_token: str) -> None:
        key = hashlib.blake2b(bot_token.encode(), digest_size=32, person=b"response_url").digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(key))
        self._pool = pool

    def seal(self, url: str | None) -> str | None:
        """The address, safe to keep and to show."""
        return self._fernet.encrypt(url.encode()).decode() if url else None

    def post_sealed(self, sealed: str, message: Message) -> bool:
        """Post to a sealed one; whether Slack took it. One that this bot did not seal takes nothing."""
        try:
            url = self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return False
        return self.post(url, message)

    def post(self, url: str, message: Message, *, replace: bool = False) -> bool:
        """Post to one that has just come from Slack, visible to that person alone.

        Args:
            url: from a payload whose signature was checked.
            message: what to say.
            replace: in place of the message whose button was pressed.

        Returns:
            Whether Slack took it.
        """
        content: dict[str, Any] = {
            "response_type": "ephemeral",
            "replace_original": replace,
            "text": message.text,
        }
        if message.blocks:
            content["blocks"] = list(message.blocks)
        return self._send(url, content)

    def take_back(self, url: str) -> bool:
        """Take away the message whose button was pressed; whether Slack did."""
        return self._send(url, {"delete_original": True})

    def _send(self, url: str, content: dict[str, Any]) -> bool:
        try:
            answer = self._pool.request(
                "POST", url, json=content, timeout=_TIMEOUT, retries=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            log.warning("a response_url was not taken: %s", type(error).__name__)
            return False
        if answer.status != 200:  # noqa: PLR2004 (Slack's one way to say yes)
            log.info("a response_url was not taken: HTTP %s", answer.status)
            return False
        return True
