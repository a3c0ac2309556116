"""Whose token it is: asked until Slack says so, and a bad one is said once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import urllib3

from bot.access import Role
from bot.sandbox.cast import TEAM
from bot.sandbox.faults import Fault
from bot.sandbox.slack import SlackStandIn
from bot.slack.callers import Callers, TokenNotAccepted
from bot.slack.transport import PooledWebClient

TOKEN = "xoxb-made-up-bot-token"


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """Slack, listening."""
    with SlackStandIn(bot_token=TOKEN) as slack:
        yield slack


@pytest.fixture
def callers(slack: SlackStandIn) -> Iterator[Callers]:
    """Callers whose token Slack has not been asked about yet."""
    pool = urllib3.PoolManager()
    client = PooledWebClient(pool, TOKEN, slack.api_url, 2)

    def nobody(*_: Any) -> Future[Any]:
        pytest.fail("nobody is calling")

    yield Callers(client, frozenset({Role.ADMIN}), nobody)
    pool.clear()


@pytest.mark.parametrize(
    "fault", [Fault.http(503), Fault.error("internal_error"), Fault.drop_before()]
)
def test_slack_is_asked_until_it_says(slack: SlackStandIn, callers: Callers, fault: Fault) -> None:
    """Slack being away is no reason to give up, and what is known is not asked again."""
    slack.faults.next("auth.test", fault, 2)

    for _ in range(4):
        callers.keep_asking_team()

    assert callers.team == TEAM
    asked = len(slack.calls_of("auth.test"))
    callers.keep_asking_team()
    assert len(slack.calls_of("auth.test")) == asked


def test_a_bad_token_ends_a_start(slack: SlackStandIn, callers: Callers) -> None:
    """At the start there is somebody to read it."""
    slack.faults.next("auth.test", Fault.error("token_revoked"))

    with pytest.raises(TokenNotAccepted, match=r"SLACK_BOT_TOKEN \(token_revoked\)"):
        callers.find_out_team()


def test_a_bad_token_found_later_is_said_once(
    slack: SlackStandIn, callers: Callers, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends nothing, and does not fill the log; mended, it is taken."""
    slack.faults.next("auth.test", Fault.error("invalid_auth"), 3)

    for _ in range(3):
        callers.keep_asking_team()
    team_before = callers.team
    callers.keep_asking_team()

    assert caplog.text.count("Slack does not accept SLACK_BOT_TOKEN (invalid_auth)") == 1
    assert (team_before, callers.team) == (None, TEAM)
