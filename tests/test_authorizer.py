"""Who calls, asked of Slack afresh each time; and whose token it is, asked until Slack says so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3

from bot.access import Decision, Reason, Role
from bot.sandbox.cast import ADMIN, MEMBER, OTHER_TEAM, TEAM
from bot.slack.authorizer import (
    AT_A_SAVE_SECONDS,
    REMEMBERED_AT_MOST,
    Authorizer,
)
from bot.slack.client import PooledWebClient, patient
from tests.standins import Fault, Slack

TOKEN = "xoxb-made-up-bot-token"
YES = Decision(True, Reason.ROLE_ALLOWED, Role.ADMIN)
NO_ANSWER = Decision(False, Reason.NO_ANSWER)
WHO = "users.info"


@pytest.fixture
def slack() -> Iterator[Slack]:
    """Slack, listening."""
    with Slack(bot_token=TOKEN) as slack:
        yield slack


@pytest.fixture
def stranger(slack: Slack) -> Iterator[Authorizer]:
    """An authorizer whose token Slack has not been asked about yet."""
    with urllib3.PoolManager() as pool, ThreadPoolExecutor(4) as executor:
        quick = PooledWebClient(pool, TOKEN, slack.api_url, 5)
        slow = PooledWebClient(pool, TOKEN, slack.api_url, 5, patient())
        yield Authorizer(quick, slow, frozenset({Role.ADMIN}), executor)
        slack.faults.clear()


@pytest.fixture
def authorizer(stranger: Authorizer) -> Authorizer:
    """One that knows its workspace."""
    stranger.find_out_team()
    return stranger


# Who calls


def test_slack_is_asked_each_time(slack: Slack, authorizer: Authorizer) -> None:
    """A role that was taken away counts at once; and another's answer is nobody's."""
    before = authorizer.deciding(ADMIN, TEAM)()
    slack.workspace.people[ADMIN].update(is_admin=False)

    assert before == YES
    assert authorizer.deciding(ADMIN, TEAM)().reason is Reason.ROLE_NOT_ALLOWED
    slack.workspace.people[ADMIN].update(is_admin=True, id=MEMBER)
    assert authorizer.deciding(ADMIN, TEAM)() == NO_ANSWER


@pytest.mark.parametrize("team", [OTHER_TEAM, "", None])
def test_a_request_for_another_workspace(
    slack: Slack, authorizer: Authorizer, team: str | None
) -> None:
    """It is not for this bot: it is a no, and Slack is not asked."""
    assert authorizer.deciding(ADMIN, team)() == Decision(False, Reason.OTHER_TEAM)
    assert slack.calls_of(WHO) == []


def test_nobody_may_before_the_bot_knows_its_workspace(slack: Slack, stranger: Authorizer) -> None:
    """There is nothing to compare with yet."""
    assert stranger.deciding(ADMIN, TEAM)() == NO_ANSWER
    assert slack.calls_of(WHO) == []


@pytest.mark.parametrize("fault", [Fault.rate_limited(1), Fault.drop_before(), Fault.http(503)])
def test_what_a_moment_mends_is_waited_for(
    slack: Slack, authorizer: Authorizer, fault: Fault
) -> None:
    """Where nothing runs out, a short rate limit, a cut line or a 5xx is no reason to turn anybody away."""
    slack.faults.next(WHO, fault)

    assert authorizer.deciding(ADMIN, TEAM)() == YES


@pytest.mark.parametrize(
    "fault", [Fault.rate_limited(1), Fault.rate_limited(60), Fault.http(503), Fault.error("fatal")]
)
def test_a_save_does_not_wait(slack: Slack, authorizer: Authorizer, fault: Fault) -> None:
    """An ack is waiting for it: whatever is no answer is a no, at once."""
    slack.faults.next(WHO, fault)

    assert authorizer.deciding(ADMIN, TEAM, at_a_save=True)() == NO_ANSWER
    assert len(slack.calls_of(WHO)) == 1


@pytest.mark.parametrize(("at_a_save", "decision"), [(True, NO_ANSWER), (False, YES)])
def test_how_long_slack_has(
    slack: Slack, authorizer: Authorizer, at_a_save: bool, decision: Decision
) -> None:
    """At a save 2 s from when it was asked, whatever the caller did meanwhile; elsewhere longer."""
    slack.faults.next(WHO, Fault.slow(AT_A_SAVE_SECONDS + 0.5))
    began = time.monotonic()
    decision_of = authorizer.deciding(ADMIN, TEAM, at_a_save=at_a_save)

    assert time.monotonic() - began < 0.5, "it must not wait before it is asked for the decision"
    assert decision_of() == decision


def test_it_remembers_who_was_let_in(slack: Slack, authorizer: Authorizer) -> None:
    """Until the first no; a thousand people at most."""
    before = authorizer.was_let_in(ADMIN)
    authorizer.deciding(ADMIN, TEAM)()
    after = authorizer.was_let_in(ADMIN)
    slack.faults.next(WHO, Fault.error("fatal"))
    authorizer.deciding(ADMIN, TEAM)()

    assert (before, after, authorizer.was_let_in(ADMIN)) == (False, True, False)


def test_it_remembers_a_thousand_people_at_most() -> None:
    """What hurries a form must not fill the memory."""

    class Everybody(PooledWebClient):
        def users_info(self, *, user: str, **_: Any) -> Any:
            return {"user": {"id": user, "team_id": TEAM, "is_admin": True}}

        def auth_test(self, **_: Any) -> Any:
            return {"team_id": TEAM}

    everybody = Everybody(urllib3.PoolManager(), TOKEN, "http://127.0.0.1:1/", 1)
    people = [f"U{number}" for number in range(REMEMBERED_AT_MOST + 5)]
    with ThreadPoolExecutor(1) as executor:
        authorizer = Authorizer(everybody, everybody, frozenset({Role.ADMIN}), executor)
        authorizer.find_out_team()
        for person in people:
            authorizer.deciding(person, TEAM)()

    assert sum(map(authorizer.was_let_in, people)) == REMEMBERED_AT_MOST


# Whose token it is


@pytest.mark.parametrize("fault", [Fault.http(503), Fault.error("internal_error")])
def test_slack_is_asked_until_it_says(slack: Slack, stranger: Authorizer, fault: Fault) -> None:
    """Slack being away is no reason to give up, and what is known is not asked again."""
    slack.faults.next("auth.test", fault, 2)

    for _ in range(4):
        stranger.keep_asking_team()

    assert stranger.team == TEAM
    assert len(slack.calls_of("auth.test")) == 3


def test_a_bad_token_found_later_is_in_the_log(
    slack: Slack, stranger: Authorizer, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends nothing; mended, it is taken."""
    slack.faults.next("auth.test", Fault.error("invalid_auth"))

    stranger.keep_asking_team()
    before = stranger.team
    stranger.keep_asking_team()

    assert "Slack does not accept SLACK_BOT_TOKEN (invalid_auth)" in caplog.text
    assert (before, stranger.team) == (None, TEAM)
