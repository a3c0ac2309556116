"""The sandbox's page over HTTP: who is let in, and what walks on the page don't show.

That it draws forms, takes what a person does and follows what changes is in ``tests.browser``.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from bot.sandbox.cast import ADMIN, ARCHIVED, BOARD, GUEST, MEMBER, PRIMARY_OWNER, SCANS, STRANGER
from bot.sandbox.control import Control
from bot.sandbox.kayran import KayranStandIn
from bot.sandbox.loopback import Reply, Request
from bot.sandbox.manifest import Manifest
from bot.sandbox.mrkdwn import mrkdwn
from bot.sandbox.process import BotProcess
from bot.sandbox.slack import SlackStandIn
from tests.fake_bot import FakeBot, Json, button, form

DEADLINE = 15.0
"""Seconds within which everything here has to come about."""


class Page:
    """What a browser does: asks for the page and its regions, and tells what a person did."""

    def __init__(self, control: Control, slack: SlackStandIn) -> None:
        self.url = control.url
        self._wire = slack.wire

    def get(self, path: str = "", user: str = ADMIN, channel: str = SCANS) -> str:
        """The page, or a part of it, as one person sees it."""
        where = {"as": user, "in": channel}
        return requests.get(self.url + path, where, timeout=DEADLINE).text

    def do(self, deed: str, form: Json = None, channel: str = SCANS) -> requests.Response:
        """Tell what the admin did."""
        where = {"as": ADMIN, "in": channel}
        return requests.post(f"{self.url}do/{deed}", form, params=where, timeout=DEADLINE)

    def shows(self, region: str, what: Callable[[str], object]) -> bool:
        """Whether something comes to be seen in a region."""
        return self._wire.wait_for(lambda: bool(what(self.get(f"regions/{region}"))), DEADLINE)


@pytest.fixture
def bot() -> Iterator[FakeBot]:
    """The bot, as the stand-ins meet it."""
    with FakeBot() as fake:
        yield fake


@pytest.fixture
def slack(bot: FakeBot) -> Iterator[SlackStandIn]:
    """Slack."""
    with SlackStandIn() as stand_in:
        stand_in.ack_limit = DEADLINE
        stand_in.events_url = f"{bot.url}/slack/events"
        yield stand_in


@pytest.fixture
def kayran(slack: SlackStandIn) -> KayranStandIn:
    """Kayran."""
    return KayranStandIn("made-up-key", slack.wire)


@pytest.fixture
def page(slack: SlackStandIn, kayran: KayranStandIn, tmp_path: Path) -> Iterator[Page]:
    """The page, as a browser sees it, beside a bot's process that nobody starts."""
    process = BotProcess({}, tmp_path, slack.wire.touch, print)
    control = Control(slack, kayran, process, Manifest("", ()))
    control.start()
    yield Page(control, slack)
    control.stop()


def open_form(slack: SlackStandIn) -> dict[str, Json]:
    """Open a form for the admin, as the bot would; what names it."""
    trigger = slack.workspace.new_trigger(ADMIN)
    return {"view": slack.workspace.open_view({"trigger_id": trigger, "view": form()}).id}


# Who is let in


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:1234", 200),
        ("localhost:3999", 200),
        ("evil.example:3999", 400),
        ("127.0.0.1:3999@evil.example", 400),
        ("", 400),
    ],
)
@pytest.mark.parametrize("path", ["", "events", "page.css", "regions/wire", "do/kill"])
def test_only_loopback_names_are_served(page: Page, host: str, status: int, path: str) -> None:
    """Under another name, even one that leads to this machine, there is nothing to get."""
    method = "POST" if path.startswith("do") else "GET"
    with requests.request(
        method, page.url + path, headers={"Host": host}, stream=True, timeout=DEADLINE
    ) as answer:
        assert answer.status_code == (202 if (method, status) == ("POST", 200) else status)


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({}, True),
        ({"Origin": "own", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_only_our_own_page_is_let_in(
    page: Page, kayran: KayranStandIn, headers: dict[str, str], let_in: bool
) -> None:
    """What another site's page could ask for or send is refused, and nothing is done."""
    if headers.get("Origin") == "own":
        headers = headers | {"Origin": page.url.rstrip("/")}
    asked = requests.get(f"{page.url}regions/wire", headers=headers, timeout=DEADLINE)
    done = requests.post(
        f"{page.url}do/flag", {"name": "mailDelete", "on": "on"}, headers=headers, timeout=DEADLINE
    )

    assert [asked.status_code, done.status_code] == ([200, 202] if let_in else [403, 403])
    assert kayran.flags["mailDelete"] is let_in


def test_what_is_served(page: Page) -> None:
    """The page may load nothing from elsewhere, nor be framed, and is never stale; of its folder
    nothing but its style and its script is to be had.
    """
    for path in ("", "page.css", "page.js"):
        headers = requests.get(page.url + path, timeout=DEADLINE).headers
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    for path in ("modal.html", "regions/blocks", "..%2fcontrol.py", "do/evil"):
        for ask in (requests.get, requests.post):
            assert ask(page.url + path, timeout=DEADLINE).status_code in (404, 405)


def test_a_length_that_is_no_number(page: Page, capfd: pytest.CaptureFixture[str]) -> None:
    """Such a request is refused, and nothing is printed."""
    port = int(page.url.rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as line:
        line.sendall(b"POST /do/kill HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ten\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 400")
    assert capfd.readouterr().err == ""


# What there is to see


def test_an_address_that_names_nobody(page: Page) -> None:
    """The page goes on as the first person there is, in the first channel."""
    nobody = page.get("regions/who", "U0NOBODY", "C0NOWHERE")

    assert re.findall(r'value="(\w+)" selected', nobody) == [PRIMARY_OWNER, SCANS]


@pytest.mark.parametrize(
    ("user", "names"),
    [
        (MEMBER, ["#scans", "#lobby", "#attic", "#news", "Chiara Vogel", "Kayran Notify"]),
        (GUEST, ["#scans", "Kayran Notify"]),
        (STRANGER, ["#scans", "Kayran Notify"]),
    ],
)
def test_people_see_their_channels(page: Page, user: str, names: list[str]) -> None:
    """Members see the public channels and their own, others only their own."""
    channels = page.get("regions/who", user).partition('id="channel"')[2]

    assert re.findall(r">([^<(]+) \(", channels) == names


def test_what_is_for_somebody_is_on_nobody_elses_page(page: Page, slack: SlackStandIn) -> None:
    """A private channel's messages, what one person alone is told, and a form."""
    slack.workspace.say(ADMIN, BOARD, "secret of the board")
    slack.workspace.whisper(ADMIN, SCANS, "for Chiara alone")
    open_form(slack)
    own, others = (page.get(user=user) + page.get("", user, BOARD) for user in (ADMIN, MEMBER))

    for words in ("secret of the board", "for Chiara alone", "<dialog"):
        assert (words in own, words in others) == (True, False)


def test_the_log_of_the_wire(page: Page, slack: SlackStandIn) -> None:
    """It has the newest requests, and the number of all there were."""
    for number in range(70):
        slack.wire.began("bot", "Kayran", f"POST /call-{number}")("200 in 1 ms")
    wire = page.get("regions/wire")

    assert "70 requests, the newest 50 shown" in wire
    assert re.findall(r"/call-(\d+)", wire) == [str(number) for number in range(69, 19, -1)]


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("<b>&amp;</b> &lt;i&gt;", "&lt;b&gt;&amp;&lt;/b&gt; &lt;i&gt;"),
        ("*bold* _slanted_ ~gone~ `a*b*`", "<strong>bold</strong> <em>slanted</em> <s>gone</s> <code>a*b*</code>"),
        ("2*3*4 and snake_case_name", "2*3*4 and snake_case_name"),
        ("<@U0ADMIN> <@U0NOBODY>", '<span class="mention">@Ada &lt;3</span> <span class="mention">@U0NOBODY</span>'),
        ("• one\n• *two*\nrest", "<ul><li>one</li><li><strong>two</strong></li></ul>rest"),
        ("<!here> <!date^0^{odd}|long ago>", "<mark>@here: notifies everybody</mark> long ago"),
        ('<https://x.example/?a=1&amp;b=%22|a "link">', '<a href="https://x.example/?a=1&amp;b=%22" target="_blank" rel="noopener noreferrer">a &#34;link&#34;</a>'),
        ('<javascript:alert(1)|"x"> \0000\0', "&lt;javascript:alert(1)|&#34;x&#34;&gt; 0"),
    ],
)  # fmt: skip
def test_mrkdwn(text: str, drawn: str) -> None:
    """Slack's marks are drawn, and nothing in a text is ever HTML."""
    assert mrkdwn(text, {"U0ADMIN": "Ada <3"}) == drawn


def test_a_moment_is_told_in_the_time_of_this_machine() -> None:
    """With a word for today."""
    now = time.time()
    drawn = mrkdwn(f"<!date^{int(now)}^{{date_short_pretty}} at {{time}}|fallback>", {})

    assert drawn == f"today at {time.strftime('%H:%M', time.localtime(now))}"


# What a person does


def test_a_command_does_not_keep_the_page_waiting(page: Page, bot: FakeBot) -> None:
    """The page's answer comes at once, however long the bot takes; the bot gets the text."""
    asked, go_on = threading.Event(), threading.Event()

    def answer(_: Request) -> Reply:
        asked.set()
        go_on.wait(DEADLINE)
        return Reply(200, b"here is help")

    bot.reply = answer
    assert page.do("say", {"text": "/kayran-notify  help "}).status_code == 202
    assert asked.wait(DEADLINE)
    go_on.set()

    assert bot.fields["text"] == "help"
    assert page.shows("messages", lambda drawn: "here is help" in drawn)


def test_what_can_not_be_done_is_said(page: Page) -> None:
    """Each refusal is a sentence."""
    assert page.do("say", {"text": "Hello"}, ARCHIVED).text.startswith("The channel is archived")
    assert page.do("submit", {"view": "V0"}).text.endswith("not open any more.")
    assert page.do("press", {"message": "1.0", "action_id": "undo"}).status_code == 409
    assert page.do("flag", {"name": "mailEverything"}).status_code == 409


def test_two_submits_of_one_form(page: Page, slack: SlackStandIn, bot: FakeBot) -> None:
    """While one is on its way the form says so, and a second does nothing."""
    go_on = threading.Event()
    bot.reply = lambda _: Reply() if go_on.wait(DEADLINE) else Reply(500)
    view = open_form(slack)
    page.do("submit", view)
    busy = page.get("regions/modal")
    page.do("submit", view)
    go_on.set()

    assert page.shows("modal", lambda drawn: "<dialog" not in drawn)
    assert "Sending…" in busy
    assert 'aria-disabled="true"' in busy
    assert len(bot.requests) == 1


def test_a_late_bot(page: Page, slack: SlackStandIn, bot: FakeBot) -> None:
    """Whoever presses a button, also in what only they see, is told beside a message that it was late."""
    bot.reply = lambda _: Reply(500)
    post = {"channel": SCANS, "text": "Done", "blocks": [button()]}
    message = slack.workspace.post(post)
    private = slack.workspace.post_ephemeral(post | {"user": ADMIN})
    page.do("press", {"private": private.id, "action_id": "undo"})
    page.do("press", {"message": message.ts, "action_id": "undo"})

    assert page.shows("messages", lambda drawn: "The app did not answer in time." in drawn)
    assert slack.wire.wait_for(lambda: len(bot.requests) == 2, DEADLINE)
