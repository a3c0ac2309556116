"""Who is calling, asked of Slack afresh each time, and which workspace the bot belongs to.

``users.info`` is asked at the command, again at the save and again at every button, and its answer
is never kept for a decision: a role may be taken away in between.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from concurrent.futures import TimeoutError as NotDone
from typing import Any

from slack_sdk import WebClient

from bot.access import Decision, Reason, Role, decide
from bot.errors import SettingsError
from bot.settings import not_accepted
from bot.slack.client import FAILED, error_code

log = logging.getLogger(__name__)

AT_A_SAVE_SECONDS = 2.0
"""How long Slack has to say who somebody is where an ack waits for it."""
PATIENT_SECONDS = 8.0
"""The same where nothing runs out."""
REMEMBERED_AT_MOST = 1000

TOKEN_NOT_ACCEPTED = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "org_login_required",
}
"""Errors Slack returns for an invalid token (https://docs.slack.dev/reference/methods/auth.test)."""


class Authorizer:
    """Decides on whoever calls.

    Args:
        quick: asks Slack within ``AT_A_SAVE_SECONDS``.
        patient: tries again what a moment may mend.
        roles: the roles that may.
        executor: runs a call beside the caller.
    """

    def __init__(
        self, quick: WebClient, patient: WebClient, roles: frozenset[Role], executor: Executor
    ) -> None:
        self.roles = roles
        self.team: str | None = None
        """The id of the workspace the bot token belongs to, once Slack has said so."""
        self.workspace_url = ""
        """That workspace's address, with a slash at its end."""
        self._quick = quick
        self._patient = patient
        self._executor = executor
        self._let_in: set[str] = set()
        self._complaint = ""

    def find_out_team(self) -> None:
        """Ask Slack whose token this is, unless that is known.

        Raises:
            SettingsError: when Slack says that the token is invalid.
        """
        if self.team is not None:
            return
        try:
            answer = self._quick.auth_test()
            self.team, self.workspace_url = answer.get("team_id"), str(answer.get("url", ""))
            log.info(
                "the workspace is %s (%s), the bot %s",
                *(answer.get(name) for name in ("team", "team_id", "user")),
            )
        except FAILED as error:
            code = error_code(error)
            if code in TOKEN_NOT_ACCEPTED:
                raise not_accepted("SLACK_BOT_TOKEN", code) from error
            self._complain(f"Slack did not say which workspace the bot belongs to: {code}")

    def _complain(self, sentence: str) -> None:
        """Log what goes wrong at every try, once."""
        if sentence != self._complaint:
            log.warning("%s", sentence)
        self._complaint = sentence

    def keep_asking_team(self) -> None:
        """The same after the start, which a bad token can't end any more: it is in the log, once."""
        try:
            self.find_out_team()
        except SettingsError as error:
            self._complain(str(error))

    def was_let_in(self, user: str) -> bool:
        """Whether this person was let in when last asked about; it hurries, and decides nothing."""
        return user in self._let_in

    def deciding(
        self, user: str, team: str | None, *, at_a_save: bool = False
    ) -> Callable[[], Decision]:
        """Start to find out whether this person may.

        Returns:
            A function that waits for the decision; it is no where Slack takes longer than it has.
        """
        client, seconds = (
            (self._quick, AT_A_SAVE_SECONDS) if at_a_save else (self._patient, PATIENT_SECONDS)
        )
        until = time.monotonic() + seconds
        future = self._executor.submit(self._decide, client, user, team)

        def decision() -> Decision:
            try:
                made = future.result(max(0.0, until - time.monotonic()))
            except NotDone:
                made = Decision(allowed=False, reason=Reason.NO_ANSWER)
            if not made.allowed:
                self._let_in.discard(user)
            elif len(self._let_in) < REMEMBERED_AT_MOST:
                self._let_in.add(user)
            return made

        return decision

    def _decide(self, client: WebClient, user: str, team: str | None) -> Decision:
        if self.team is None:
            return Decision(allowed=False, reason=Reason.NO_ANSWER)
        if team != self.team:
            # A request for another workspace is not for this bot: nothing is asked.
            return Decision(allowed=False, reason=Reason.OTHER_TEAM)
        return decide(_ask_who(client, user), self.team, self.roles)


def _ask_who(client: WebClient, user: str) -> Mapping[str, Any] | None:
    try:
        found = client.users_info(user=user).get("user")
    except FAILED as error:
        log.warning("users.info for %(user)s: %(why)s", {"user": user, "why": error_code(error)})
        return None
    return found if isinstance(found, dict) and found.get("id") == user else None
