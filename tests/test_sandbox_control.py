"""The sandbox's page over HTTP: who is let in, what there is to see, and what a person does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from bot.sandbox.cast import ADMIN, ARCHIVED, BOARD, GUEST, MEMBER, PRIMARY_OWNER, SCANS, STRANGER
from bot.sandbox.control import REGIONS, Control
from bot.sandbox.kayran import KayranStandIn
from bot.sandbox.loopback import Reply, Request
from bot.sandbox.manifest import read_manifest
from bot.sandbox.mrkdwn import mrkdwn
from bot.sandbox.process import BotProcess
from bot.sandbox.slack import SlackStandIn
from bot.sandbox.wire import Wire
from bot.store import Leases
from tests.fake_bot import FakeBot, Json, button, form

MANIFEST = """\
features:
  slash_commands:
    - command: /kayran-notify
      usage_hint: "[help | status]"
  shortcuts:
    - name: Change in this thread
      type: message
      callback_id: on_a_message
    - name: Change anywhere
      type: global
      callback_id: anywhere
oauth_config:
"""

DEADLINE = 5.0
"""Seconds within which everything here has to come about."""


class Page:
    """What a browser does: asks for the page and its regions, and tells what a person did."""

    def __init__(self, url: str, wire: Wire) -> None:
        self.url = url
        self._wire = wire

    def get(self, path: str = "", user: str = ADMIN, channel: str = SCANS) -> str:
        """The page, or a part of it, as one person sees it."""
        where = {"as": user, "in": channel}
        return requests.get(self.url + path, where, timeout=DEADLINE).text

    def do(self, deed: str, form: Json = None, channel: str = SCANS) -> requests.Response:
        """Tell what the admin did."""
        where = {"as": ADMIN, "in": channel}
        return requests.post(f"{self.url}do/{deed}", form, params=where, timeout=DEADLINE)

    def see(self, region: str, what: Callable[[str], object], user: str = ADMIN) -> str:
        """Look at a region until something is to be seen; the region then."""
        assert self._wire.wait_for(
            lambda: bool(what(self.get(f"regions/{region}", user))), DEADLINE
        )
        return self.get(f"regions/{region}", user)


@pytest.fixture
def bot() -> Iterator[FakeBot]:
    """The bot, as the stand-ins meet it."""
    with FakeBot().serving() as fake:
        yield fake


@pytest.fixture
def slack(bot: FakeBot) -> Iterator[SlackStandIn]:
    """Slack."""
    with SlackStandIn(wire=Wire()) as stand_in:
        stand_in.ack_limit = DEADLINE
        stand_in.events_url = bot.url
        yield stand_in


@pytest.fixture
def kayran(slack: SlackStandIn) -> Iterator[KayranStandIn]:
    """Kayran."""
    with KayranStandIn("made-up-key", slack.wire, (), {"dev": "another-key"}) as stand_in:
        yield stand_in


@pytest.fixture
def control(slack: SlackStandIn, kayran: KayranStandIn, tmp_path: Path) -> Iterator[Control]:
    """The page's server, beside a process that never gets ready, and ends with its stdin."""
    environ = {"PATH": os.environ["PATH"], "PORT": "1"}
    process = BotProcess(environ, tmp_path, slack.wire.touch, print, command=("cat",))
    control = Control(slack, kayran, process, read_manifest(MANIFEST))
    control.start()
    yield control
    control.stop()
    process.kill()


@pytest.fixture
def page(control: Control, slack: SlackStandIn) -> Page:
    """The page, as a browser sees it."""
    return Page(control.url, slack.wire)


def open_form(slack: SlackStandIn, view: Json = None) -> dict[str, Json]:
    """Open a form for the admin, as the bot would; what names it."""
    trigger = slack.workspace.new_trigger(ADMIN)
    slack.workspace.open_view({"trigger_id": trigger, "view": view or form()})
    modal = slack.modal(ADMIN)
    assert modal is not None
    return {"view": modal.id}


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
        f"{page.url}do/flag", {"name": "mailStop", "on": "on"}, headers=headers, timeout=DEADLINE
    )

    assert [asked.status_code, done.status_code] == ([200, 202] if let_in else [403, 403])
    assert kayran.flags["mailStop"] is let_in


def test_what_is_served(page: Page) -> None:
    """The page may load nothing from elsewhere, nor be framed, and is never stale; of its folder
    nothing but its style and its script is to be had.
    """
    for path, kind in (("", "text/html"), ("page.css", "text/css"), ("page.js", "text/javascript")):
        answer = requests.get(page.url + path, timeout=DEADLINE)
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    for path in ("modal.html", "regions/blocks", "..%2fcontrol.py", "do/evil"):
        assert requests.post(page.url + path, timeout=DEADLINE).status_code in (404, 405)
        assert requests.get(page.url + path, timeout=DEADLINE).status_code in (404, 405)


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


def test_messages_are_for_those_who_are_there(page: Page, slack: SlackStandIn) -> None:
    """A private channel's messages and another's ephemerals are on nobody else's page."""
    slack.workspace.say(ADMIN, BOARD, "secret of the board")
    slack.workspace.whisper(ADMIN, SCANS, "for Chiara alone")

    assert "secret of the board" in page.get(channel=BOARD)
    assert "for Chiara alone" in page.get()
    assert "secret of the board" not in page.get(user=MEMBER, channel=BOARD)
    assert "for Chiara alone" not in page.get(user=MEMBER)


def test_the_stream_tells_which_regions_have_changed(page: Page, slack: SlackStandIn) -> None:
    """Their marks are others than before, and the same as those of the regions that are fetched."""
    with requests.get(f"{page.url}events", {"as": ADMIN}, stream=True, timeout=DEADLINE) as stream:
        told = (json.loads(each[5:]) for each in stream.iter_lines() if each.startswith(b"data:"))
        before = next(told)
        slack.workspace.say(ADMIN, SCANS, "Good morning")
        after = next(told)
        fetched = requests.get(f"{page.url}regions/messages", {"as": ADMIN}, timeout=DEADLINE)

    assert list(before) == list(REGIONS)
    assert [name for name in REGIONS if after[name] != before[name]] == ["messages"]
    assert fetched.headers["etag"] == after["messages"]


def test_open_pages_do_not_hold_up_the_end(control: Control) -> None:
    """Stopping ends the streams of the pages that are open, and takes no time."""
    with requests.get(f"{control.url}events", stream=True, timeout=DEADLINE) as stream:
        lines = stream.iter_lines()
        next(lines)
        began = time.monotonic()
        control.stop()
        with contextlib.suppress(requests.RequestException):
            list(lines)

    assert time.monotonic() - began < 2


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

    bot.answer = answer
    assert page.do("say", {"text": "/kayran-notify  help "}).status_code == 202
    assert asked.wait(DEADLINE)
    assert bot.fields["text"] == "help"
    go_on.set()
    page.see("messages", lambda drawn: "here is help" in drawn)


def test_what_can_not_be_done_is_said(page: Page) -> None:
    """Each refusal is a sentence."""
    assert page.do("say", {"text": "Hello"}, ARCHIVED).text.startswith("The channel is archived")
    assert page.do("submit", {"view": "V0"}).text.endswith("not open any more.")
    assert page.do("press", {"message": "1.0", "action_id": "undo"}).status_code == 409
    assert page.do("flag", {"name": "mailEverything"}).status_code == 409


def test_a_form_is_ticked_submitted_and_closed(
    page: Page, slack: SlackStandIn, bot: FakeBot
) -> None:
    """It is on its person's page alone, with what is ticked and what is wrong; what is on the screen
    is what is sent.
    """
    view = open_form(slack)
    page.do("tick", view | {"b|a": ["one", "three"]})
    shown = page.get("regions/modal")
    bot.answers({"response_action": "errors", "errors": {"b": "Two at most."}})
    page.do("submit", view | {"b|a": ["two", "three"]})
    wrong = page.see("modal", lambda drawn: "Two at most." in drawn)

    assert re.findall(r'value="(\w+)" name="b.a" checked', shown) == ["one", "three"]
    assert "<dialog" not in page.get("regions/modal", MEMBER)
    sent = bot.payload["view"]["state"]["values"]["b"]["a"]["selected_options"]
    assert [each["value"] for each in sent] == ["two", "three"]
    assert re.findall(r'value="(\w+)" name="b.a" aria-invalid="true" checked', wrong) == [
        "two",
        "three",
    ]
    page.do("close", view)
    page.see("modal", lambda drawn: "<dialog" not in drawn)


def test_selects_and_words(page: Page, slack: SlackStandIn, bot: FakeBot) -> None:
    """Several of a list, a person, a channel and a line of text: each is sent as Slack sends it, and
    what is chosen is drawn so.
    """
    plain = {"type": "plain_text", "text": "One"}
    options = [{"text": plain, "value": value} for value in ("one", "two", "three")]
    inputs: dict[str, Json] = {
        "multi_static_select": {"options": options},
        "users_select": {},
        "conversations_select": {"filter": {"include": ["public", "private"]}},
        "plain_text_input": {"max_length": 300},
    }
    blocks = [
        {
            "type": "input",
            "block_id": kind,
            "label": plain,
            "element": {"type": kind, "action_id": "a", **more},
        }
        for kind, more in inputs.items()
    ]
    view = open_form(slack, form(blocks=blocks))
    chosen = {
        "multi_static_select|a": ["three", "one"],
        "users_select|a": MEMBER,
        "conversations_select|a": BOARD,
        "plain_text_input|a": "Because",
    }
    page.do("tick", view | chosen)
    drawn = page.get("regions/modal")
    page.do("submit", view | chosen)
    page.see("modal", lambda drawn: "<dialog" not in drawn)
    sent = {kind: state["a"] for kind, state in bot.payload["view"]["state"]["values"].items()}

    assert re.findall(r'value="(\w+)" name="multi_static_select.a" checked', drawn) == [
        "one",
        "three",
    ]
    assert re.findall(r'value="(\w+)" selected', drawn) == [MEMBER, BOARD]
    assert 'value="D' not in drawn
    assert 'value="Because" maxlength="300"' in drawn
    several = sent["multi_static_select"]["selected_options"]
    assert [option["value"] for option in several] == ["one", "three"]
    assert sent["users_select"]["selected_user"] == MEMBER
    assert sent["conversations_select"]["selected_conversation"] == BOARD
    assert sent["plain_text_input"]["value"] == "Because"


def test_two_submits_of_one_form(page: Page, slack: SlackStandIn, bot: FakeBot) -> None:
    """While one is on its way the form says so, and a second does nothing."""
    go_on = threading.Event()
    bot.answer = lambda _: Reply() if go_on.wait(DEADLINE) else Reply(500)
    view = open_form(slack)
    page.do("submit", view)
    page.do("submit", view)
    busy = page.see("modal", lambda drawn: "Sending…" in drawn)
    go_on.set()

    assert 'aria-disabled="true"' in busy
    page.see("modal", lambda drawn: "<dialog" not in drawn)
    assert len(bot.requests) == 1


def test_buttons_are_pressed_wherever_they_are(
    page: Page, slack: SlackStandIn, bot: FakeBot
) -> None:
    """In a message, in one only this person sees, and in a form; a late bot is told of beside it."""
    bot.answers(status=500)
    post = {"channel": SCANS, "text": "Done", "blocks": [button()]}
    message = slack.workspace.post(post)
    private = slack.workspace.post_ephemeral(post | {"user": ADMIN})
    view = open_form(slack, form(blocks=[button("more")]))
    page.do("press", {"message": message.ts, "action_id": "undo"})
    page.do("press", {"private": private.id, "action_id": "undo"})
    page.do("press", view | {"action_id": "more"})

    assert slack.wire.wait_for(lambda: len(bot.requests) == 3, DEADLINE)
    page.see("messages", lambda drawn: "The app did not answer in time." in drawn)


def test_the_home_is_a_place(page: Page, slack: SlackStandIn, bot: FakeBot) -> None:
    """Whoever looks at it is told of to the bot; what it publishes is drawn, and of two buttons that do
    the same the pressed one is sent.
    """
    assert "has not drawn its Home yet" in page.get("regions/messages", channel="home")
    where = {"as": ADMIN, "in": "home"}
    with requests.get(f"{page.url}events", where, stream=True, timeout=DEADLINE):
        assert slack.wire.wait_for(lambda: len(bot.requests) == 1, DEADLINE)
    event = json.loads(bot.requests[0].body)["event"]
    buttons = [button(value="one"), button(value="two") | {"block_id": "more"}]
    home = slack.workspace.publish_view(
        {"user_id": ADMIN, "view": {"type": "home", "blocks": buttons}}
    )
    drawn = page.get("regions/messages", channel="home")
    [_, second] = re.findall(r'name="action_id" value="([^"]+)"', drawn)
    page.do("press", {"view": home.id, "action_id": second}, "home")

    assert (event["type"], event["user"], event["tab"]) == ("app_home_opened", ADMIN, "home")
    assert slack.wire.wait_for(lambda: len(bot.requests) == 2, DEADLINE)
    [action] = bot.payload["actions"]
    assert (action["block_id"], action["value"]) == ("more", "two")
    assert bot.payload["view"]["type"] == "home"


def test_kayran_can_be_edited_and_upset(page: Page, kayran: KayranStandIn) -> None:
    """The nine of each mailbox can be switched, and how Kayran meets the next change can be chosen."""
    page.do("flag", {"name": "mailStop", "on": "on"})
    page.do("flag", {"name": "mailDelete", "on": "on", "mailbox": "dev"})
    page.do("answer", {"answer": "refuse"})
    shown = page.get("regions/kayran")

    default, dev = kayran.by_key.values()
    assert [name for name, on in default.flags.items() if on] == ["mailStop"]
    assert [name for name, on in dev.flags.items() if on] == ["mailDelete"]
    assert kayran.upcoming == "refuse"
    assert len(re.findall('role="switch"', shown)) == 18
    checked = r'id="([\w-]+)" type="checkbox" role="switch" name="on" checked'
    assert re.findall(checked, shown) == ["default-mailStop", "dev-mailDelete"]
    assert '<option value="refuse" selected>' in shown
    page.do("flag", {"name": "mailStop"})
    assert kayran.flags["mailStop"] is False


def test_the_bot_is_started_and_killed(page: Page) -> None:
    """The page says how it is, and what a change that was under way waits for."""
    page.do("start")
    started = page.get("regions/bot")
    page.do("kill")

    assert re.search(r"Starting, process \d+", started)
    assert "lease" not in started
    assert "Not running" in page.get("regions/bot")
    assert f"lease of {Leases().send:.0f} s" in page.get("regions/bot")
    assert "The bot is not running" in page.get("regions/messages")
