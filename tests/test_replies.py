"""``response_url``: posted to where it leads to Slack alone, once, and without a fuss."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import urllib3

from bot.sandbox.cast import ADMIN, SCANS
from bot.slack.receipt import Message
from bot.slack.replies import Replies
from tests.standins import Fault, Slack

HELLO = Message("Hello.", ())


class _Recorder(urllib3.PoolManager):
    """Connections that lead nowhere: it remembers what was asked for, and answers nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def urlopen(self, method: str, url: str, **_: object) -> urllib3.BaseHTTPResponse:  # type: ignore[override]  # its arguments don't matter
        self.urls.append(f"{method} {url}")
        raise urllib3.exceptions.HTTPError


@pytest.fixture
def slack() -> Iterator[Slack]:
    """Slack, listening."""
    with Slack() as slack:
        yield slack


@pytest.fixture
def replies(slack: Slack) -> Iterator[Replies]:
    """As the bot has them."""
    with urllib3.PoolManager() as pool:
        yield Replies(pool, slack.api_url)


@pytest.fixture
def url(slack: Slack) -> str:
    """A fresh one, of an admin's command."""
    key = slack.workspace.new_response_url(ADMIN, SCANS)
    return slack.api_url.replace("/api/", f"/response/{key}")


def test_it_speaks_to_one_person(slack: Slack, replies: Replies, url: str) -> None:
    """A post is visible to whoever acted alone, and replaces nothing; Slack takes five."""
    taken = [replies.post(url, HELLO) for _ in range(6)]

    assert taken == [True] * 5 + [False]
    assert [seen.text for seen in slack.workspace.ephemerals(ADMIN)] == ["Hello."] * 5
    assert slack.workspace.messages(SCANS) == []
    assert slack.calls[0].arguments["replace_original"] is False


def test_an_answer_stands_where_the_person_is_looking(
    slack: Slack, replies: Replies, url: str
) -> None:
    """What was pressed in a thread is answered in that thread."""
    replies.post(url, Message("Hello.", ()), thread="1700000000.000100")

    assert slack.calls[0].arguments["thread_ts"] == "1700000000.000100"


@pytest.mark.parametrize(
    ("url", "is_slacks"),
    [
        ("https://hooks.slack.com/commands/T0EXAMPLE/1/x", True),
        ("https://hooks.slack-gov.com/actions/T0EXAMPLE/1/x", True),
        ("http://127.0.0.1:4711/response/x", True),
        (None, False),
        ("", False),
        ("http://[", False),
        ("http://hooks.slack.com/commands/x", False),
        ("https://hooks.slack.com.evil.example/x", False),
        ("https://hooks.slack.com@evil.example/x", False),
        ("https://evil.example/https://hooks.slack.com/", False),
        ("https://hooks.slack.com\\@evil.example/x", False),
        ("https://slack.com/x", False),
        ("http://127.0.0.1:4712/response/x", False),
        ("https://127.0.0.1:4711/response/x", False),
    ],
)
def test_nothing_but_slacks_own_addresses_is_posted_to(url: str | None, is_slacks: bool) -> None:
    """Slack's two hosts, and the host and port that SLACK_API_URL names; anything else is a no."""
    pool = _Recorder()

    assert Replies(pool, "http://127.0.0.1:4711/api/").post(url, HELLO) is False
    assert pool.urls == ([f"POST {url}"] if is_slacks else [])


@pytest.mark.parametrize(
    "fault", [Fault.http(500), Fault.http(302), Fault.rate_limited(1), Fault.drop_before()]
)
def test_what_slack_does_not_take(
    slack: Slack,
    replies: Replies,
    url: str,
    fault: Fault,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Anything but a 200 is a no. It is tried once, for each try may be one of five; and the log does
    not show the address, with which anybody can speak as the bot.
    """
    caplog.set_level(logging.INFO)
    slack.faults.next("response_url", fault)

    assert replies.post(url, HELLO) is False
    assert len(slack.calls) == 1
    assert "was not taken" in caplog.text
    assert url.rpartition("/")[2] not in caplog.text
