"""``response_url``: sealed so that nobody can read or forge it, and posted to without a fuss."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.cast import ADMIN, SCANS
from bot.sandbox.faults import Fault
from bot.sandbox.slack import SlackStandIn
from bot.slack.reply_url import ReplyUrls
from bot.slack.report import Message

TOKEN = "xoxb-made-up-bot-token"
URL = "https://hooks.slack.com/commands/T0EXAMPLE/123/secret-part"
HELLO = Message("Hello.", ())


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """Slack, listening."""
    with SlackStandIn(bot_token=TOKEN) as slack:
        yield slack


@pytest.fixture
def reply_urls() -> Iterator[ReplyUrls]:
    """As a bot with that token has them."""
    pool = urllib3.PoolManager()
    yield ReplyUrls(pool, TOKEN)
    pool.clear()


@pytest.fixture
def url(slack: SlackStandIn) -> str:
    """A fresh one, of an admin's command."""
    return slack._response_url(ADMIN, SCANS)


def told(slack: SlackStandIn) -> list[str]:
    """What the admin was told."""
    return [ephemeral.text for ephemeral in slack.workspace.ephemerals(ADMIN)]


def test_a_seal_says_nothing(reply_urls: ReplyUrls) -> None:
    """Neither the address nor the secret in it can be read from the outside."""
    sealed = reply_urls.seal(URL)

    assert sealed is not None
    for part in (URL, "hooks.slack.com", "secret-part", "T0EXAMPLE", TOKEN):
        assert part not in sealed


def test_no_address_no_seal(reply_urls: ReplyUrls) -> None:
    """Where there is none, there is nothing to keep."""
    assert reply_urls.seal(None) is None
    assert reply_urls.seal("") is None


def test_the_same_token_opens_it(slack: SlackStandIn, reply_urls: ReplyUrls, url: str) -> None:
    """Another process with the same bot token posts to it."""
    pool = urllib3.PoolManager()
    sealed = ReplyUrls(pool, TOKEN).seal(url)
    pool.clear()

    assert sealed is not None
    assert reply_urls.post_sealed(sealed, HELLO) is True
    assert told(slack) == ["Hello."]


def test_another_token_does_not(slack: SlackStandIn, reply_urls: ReplyUrls, url: str) -> None:
    """What another app sealed, or somebody without the token, is no address."""
    pool = urllib3.PoolManager()
    sealed = ReplyUrls(pool, TOKEN + "x").seal(url)
    pool.clear()

    assert sealed is not None
    assert reply_urls.post_sealed(sealed, HELLO) is False
    assert slack.calls == []


@given(forged=st.text(max_size=200) | st.binary(max_size=100).map(lambda b: b.hex()))
def test_a_forged_seal_opens_nothing(forged: str) -> None:
    """Whatever comes instead of a seal is not taken for one, and nothing is raised."""
    pool = urllib3.PoolManager()

    assert ReplyUrls(pool, TOKEN).post_sealed(forged, HELLO) is False


def test_it_fits_a_forms_metadata(reply_urls: ReplyUrls) -> None:
    """Sealed it is short enough to travel with the form, beside all else."""
    sealed = reply_urls.seal(URL + "x" * 200)

    assert sealed is not None
    assert len(sealed) < 800


def test_it_speaks_to_one_person(slack: SlackStandIn, reply_urls: ReplyUrls, url: str) -> None:
    """A post is visible to whoever acted alone, and replaces nothing."""
    assert reply_urls.post(url, HELLO) is True

    [call] = slack.calls
    assert call.arguments["response_type"] == "ephemeral"
    assert call.arguments["replace_original"] is False
    assert "blocks" not in call.arguments
    assert slack.workspace.messages(SCANS) == []


def test_five_times_and_no_more(slack: SlackStandIn, reply_urls: ReplyUrls, url: str) -> None:
    """It says so when Slack takes it no more."""
    taken = [reply_urls.post(url, HELLO) for _ in range(6)]

    assert taken == [True] * 5 + [False]
    assert told(slack) == ["Hello."] * 5


@pytest.mark.parametrize(
    "fault",
    [
        Fault.http(500),
        Fault.http(404),
        Fault.http(302),
        Fault.rate_limited(1),
        Fault.drop_before(),
        Fault.drop_after(),
    ],
)
def test_what_slack_does_not_take(
    slack: SlackStandIn, reply_urls: ReplyUrls, url: str, fault: Fault
) -> None:
    """Anything but a 200 is a no; it is tried once, for each try may be one of five uses."""
    slack.faults.next("response_url", fault)

    assert reply_urls.post(url, HELLO) is False
    assert len(slack.calls) == 1


@pytest.mark.parametrize("odd", ["http://127.0.0.1:1/response/x", "ftp://x/y", "http://"])
def test_an_address_that_leads_nowhere(reply_urls: ReplyUrls, odd: str) -> None:
    """It is a no, and nothing is raised."""
    assert reply_urls.post(odd, HELLO) is False


def test_the_log_does_not_tell_it(
    slack: SlackStandIn, reply_urls: ReplyUrls, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Who has the address can speak as the bot, so it stands in no line."""
    caplog.set_level(logging.INFO)
    slack.faults.next("response_url", Fault.drop_before())
    slack.faults.next("response_url", Fault.http(404))
    for _ in range(2):
        reply_urls.post(url, HELLO)

    assert len(caplog.records) == 2
    assert url.rpartition("/")[2] not in caplog.text
    assert url.partition("/response/")[2] not in caplog.text
