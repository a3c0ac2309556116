"""Who is calling, asked freshly each time, and which workspace the bot belongs to.

``users.info`` is asked at the command, again at the submit and again at every button, and its
answer is never kept: a role may be taken away in between.
"""

from __future__ import annotations

import concurrent.futures
import json
import logging
import threading
import urllib.error
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.access import Decision, Reason, Role, decide

log = logging.getLogger(__name__)

WHO_SECONDS = 2.0
"""How long Slack has to say who somebody is."""

UNREACHABLE = (
    urllib.error.URLError,
    TimeoutError,
    ConnectionError,
    HTTPException,
    json.JSONDecodeError,
)
"""What slack_sdk lets through when there is no answer at all, or only half of one."""

TOKEN_NOT_ACCEPTED = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "org_login_required",
}
"""What Slack says of a token that is no good (https://docs.slack.dev/reference/methods/auth.test)."""


class TokenNotAccepted(Exception):  # noqa: N818 (what it is)
    """Slack does not take the bot token. Raised by ``find_out_team``, with Slack's error code."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"Slack does not accept SLACK_BOT_TOKEN ({code}). Copy it again from your app's page, "
            '"OAuth & Permissions".'
        )


class Callers:
    """Decides on whoever calls.

    Args:
        client: with a time limit that fits ``WHO_SECONDS``.
        roles: the roles that may.
        side: runs a call beside the caller.
    """

    def __init__(
        self,
        client: WebClient,
        roles: frozenset[Role],
        side: Callable[..., concurrent.futures.Future[Any]],
    ) -> None:
        self.roles = roles
        self._client = client
        self._side = side
        self._team: str | None = None
        self._asking = threading.Lock()
        self._complained = False

    @property
    def team(self) -> str | None:
        """The id of the workspace the bot token belongs to, once Slack has said so."""
        return self._team

    def find_out_team(self) -> None:
        """Ask Slack whose token this is, unless that is known.

        Raises:
            TokenNotAccepted: when Slack says that the token is no good.
        """
        with self._asking:
            if self._team is None:
                self._team = self._ask_team()

    def keep_asking_team(self) -> None:
        """The same after the start, which a bad token can't end any more: it is said once, in the log."""
        try:
            self.find_out_team()
        except TokenNotAccepted as error:
            if not self._complained:
                log.error("%s", error)  # noqa: TRY400 (the sentence says it all)
            self._complained = True

    def _ask_team(self) -> str | None:
        try:
            answer = self._client.auth_test()
        except SlackApiError as error:
            code = str(error.response.get("error"))
            if code in TOKEN_NOT_ACCEPTED:
                raise TokenNotAccepted(code) from error
            log.warning("Slack did not say which workspace the bot belongs to: %s", code[:60])
            return None
        except UNREACHABLE as error:
            log.warning("Slack can't be reached: %s", type(error).__name__)
            return None
        team = answer.get("team_id")
        return team if isinstance(team, str) else None

    def deciding(self, user: str, team: str | None) -> concurrent.futures.Future[Decision]:
        """Start to find out whether this person may; see ``decision``."""
        return self._side(self._decide, user, team)

    @staticmethod
    def decision(deciding: concurrent.futures.Future[Decision]) -> Decision:
        """The decision; no, where Slack takes longer than it has."""
        try:
            return deciding.result(WHO_SECONDS)
        except concurrent.futures.TimeoutError:
            return Decision(allowed=False, reason=Reason.NO_ANSWER)

    def _decide(self, user: str, team: str | None) -> Decision:
        if self._team is None:
            return Decision(allowed=False, reason=Reason.NO_ANSWER)
        if team != self._team:
            # A request for another workspace is none of ours: nothing is asked.
            return Decision(allowed=False, reason=Reason.OTHER_TEAM)
        return decide(self._ask_who(user), self._team, self.roles)

    def _ask_who(self, user: str) -> Mapping[str, Any] | None:
        try:
            found = self._client.users_info(user=user).get("user")
        except SlackApiError as error:
            log.warning("users.info for %s: %s", user, str(error.response.get("error"))[:60])
            return None
        except UNREACHABLE as error:
            log.warning("users.info for %s: %s", user, type(error).__name__)
            return None
        if not isinstance(found, dict) or found.get("id") != user:
            return None
        return found
