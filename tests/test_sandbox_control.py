"""The page's control API: who is let in, what there is to see, and what a person does."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from bot.notifications import PARAMETERS
from bot.sandbox.control import PAGE, SLACK_ANSWERS, Control
from bot.sandbox.kayran import KayranStandIn
from bot.sandbox.loopback import Reply, Request
from bot.sandbox.slack import SlackStandIn
from bot.sandbox.wire import Wire
from bot.sandbox.workspace import (
    ADMIN,
    ARCHIVED,
    BOARD,
    DM,
    GUEST,
    LOBBY,
    MEMBER,
    PRIMARY_OWNER,
    SCANS,
    STRANGER,
)
from tests.fake_bot import FakeBot, Json, button, form

DEADLINE = 5.0
"""Seconds within which everything here has to come about."""
QUIET = 0.05
"""Seconds without traffic after which the history is read."""


class FakeProcess:
    """A bot's process that does nothing but say so."""

    def __init__(self) -> None:
        self.starts = 1
        self.running = True
        self.rows: list[dict[str, Any]] = []
        self.reads = 0

    @property
    def ready(self) -> bool:
        """As soon as it runs."""
        return self.running

    @property
    def pid(self) -> int | None:
        """Made up."""
        return 42 if self.running else None

    def start(self) -> None:
        """Start it."""
        self.running = True
        self.starts += 1

    def kill(self) -> None:
        """End it."""
        self.running = False

    def history(self) -> list[dict[str, Any]]:
        """What the test put there."""
        self.reads += 1
        return list(self.rows)


class Page:
    """What a page does: asks for the state, and tells what a person did."""

    def __init__(self, control: Control) -> None:
        self.url = control.url

    def state(self, user: str = ADMIN, since: int = -1) -> Json:
        """The state, as one person sees it."""
        asked = {"as": user, "since": str(since)}
        return requests.get(f"{self.url}state", asked, timeout=DEADLINE).json()

    def do(self, what: str, user: str = ADMIN, **more: Json) -> requests.Response:
        """Tell what a person did."""
        asked = {"do": what, "as": user, **more}
        return requests.post(f"{self.url}do", json=asked, timeout=DEADLINE)

    def see(self, what: Callable[[Json], Any], user: str = ADMIN) -> Json:
        """Follow the state until something is to be seen; the state in which it was."""
        state, deadline = self.state(user), time.monotonic() + DEADLINE
        while not what(state):
            assert time.monotonic() < deadline, "it did not come about"
            state = self.state(user, state["revision"])
        return state


@pytest.fixture
def bot() -> Iterator[FakeBot]:
    """The bot, as the stand-ins meet it."""
    with FakeBot().serving() as fake:
        yield fake


@pytest.fixture
def process() -> FakeProcess:
    """The bot, as its process."""
    return FakeProcess()


@pytest.fixture
def slack(bot: FakeBot) -> Iterator[SlackStandIn]:
    """Slack."""
    with SlackStandIn(wire=Wire(), ack_limit=1) as stand_in:
        stand_in.events_url = bot.url
        yield stand_in


@pytest.fixture
def kayran(slack: SlackStandIn) -> Iterator[KayranStandIn]:
    """Kayran."""
    with KayranStandIn("made-up-key", slack.wire) as stand_in:
        yield stand_in


@pytest.fixture
def page(slack: SlackStandIn, kayran: KayranStandIn, process: FakeProcess) -> Iterator[Page]:
    """The page's end of the control API."""
    control = Control(slack, kayran, process, quiet=QUIET)
    control.start()
    yield Page(control)
    control.stop()


def open_form(slack: SlackStandIn, user: str = ADMIN, **more: Json) -> None:
    """Open a form for someone, as the bot would."""
    slack.workspace.open_view(slack.workspace.new_trigger(user), form(**more))


# The door


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:1234", 200),
        ("localhost:3999", 200),
        ("evil.example", 403),
        ("evil.example:3999", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.1:3999@evil.example", 403),
        ("[::1]:3999", 403),
        ("", 403),
    ],
)
@pytest.mark.parametrize("path", ["", "state", "page.css"])
def test_only_loopback_names_are_served(page: Page, host: str, status: int, path: str) -> None:
    """Under another name, even one that leads to this machine, there is nothing to get."""
    answer = requests.get(page.url + path, headers={"Host": host}, timeout=DEADLINE)

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "own", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_only_our_own_page_may_do_anything(
    page: Page, kayran: KayranStandIn, headers: dict[str, str], status: int
) -> None:
    """What another site's page could send is refused, and nothing is done."""
    sent = {"Content-Type": "application/json", **headers}
    if sent.get("Origin") == "own":
        sent["Origin"] = page.url.rstrip("/")
    body = '{"do": "kayran-flag", "name": "mailStop", "on": true}'
    answer = requests.post(f"{page.url}do", body, headers=sent, timeout=DEADLINE)

    assert answer.status_code == status
    assert kayran.flags["mailStop"] is (status == 200)


def test_the_state_is_not_for_other_pages(page: Page) -> None:
    """A page of another origin can't read it."""
    answer = requests.get(
        f"{page.url}state", headers={"Origin": "http://evil.example"}, timeout=DEADLINE
    )

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_the_page_is_served_with_its_files(page: Page) -> None:
    """Every file of the page has its type, loads nothing from elsewhere, and is never stale."""
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
    files = [each for each in PAGE.iterdir() if each.suffix in types]
    assert {"index.html", "page.css", "page.js"} <= {each.name for each in files}

    for each in files:
        answer = requests.get(page.url + each.name, timeout=DEADLINE)
        assert answer.content == each.read_bytes()
        assert answer.headers["content-type"].startswith(types[each.suffix])
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
    assert requests.get(page.url, timeout=DEADLINE).content == (PAGE / "index.html").read_bytes()


@pytest.mark.parametrize(
    "path", ["nothing", "../run.py", "%2e%2e/run.py", "page", "index.html/", "//etc/passwd"]
)
def test_nothing_else_is_served(page: Page, path: str) -> None:
    """There is no way out of the page's folder."""
    request = requests.Request("GET", page.url).prepare()
    request.url = page.url + path
    with requests.Session() as session:
        answer = session.send(request, timeout=DEADLINE)

    assert answer.status_code == 404


WRONG = [
    pytest.param(b"{", 400, "That is not JSON.", id="half"),
    pytest.param(b"[]", 400, "Send a JSON object.", id="list"),
    pytest.param(b"{}", 400, "There is no such thing to do.", id="nothing"),
    pytest.param(b'{"do": "dance"}', 400, "There is no such thing to do.", id="unknown"),
    pytest.param(b'{"do": "close"}', 400, "as is missing.", id="nobody"),
    pytest.param(b'{"do": "close", "as": 1}', 400, "as is missing.", id="a-number"),
    pytest.param(
        b'{"do": "close", "as": "U0GONE"}', 400, "There is nobody of that name.", id="not-here"
    ),
    pytest.param(b'{"do": "close", "as": "U0ADMIN"}', 409, "No form is open.", id="no-form"),
    pytest.param(b'{"do": "submit", "as": "U0ADMIN"}', 409, "No form is open.", id="no-submit"),
    pytest.param(
        b'{"do": "kayran-flag", "name": "mailStop", "on": "yes"}',
        400,
        "on is true or false.",
        id="not-a-boolean",
    ),
    pytest.param(
        b'{"do": "kayran-flag", "name": "apiKey", "on": true}',
        409,
        "That can't be done: not one of the nine: apiKey.",
        id="not-a-flag",
    ),
    pytest.param(
        b'{"do": "slack-next", "answer": "x"}', 400, "There is no such answer.", id="not-an-answer"
    ),
    pytest.param(
        b'{"do": "press", "as": "U0ADMIN", "channel": "C0SCANS", "ts": "1", "action_id": "a"}',
        409,
        "Slack would refuse that: message_not_found.",
        id="no-message",
    ),
    pytest.param(
        b'{"do": "tick", "as": "U0ADMIN", "block_id": "b", "action_id": "a", "values": ["x", 1]}',
        400,
        "values is a list of texts.",
        id="not-values",
    ),
]


@pytest.mark.parametrize(("body", "status", "sentence"), WRONG)
def test_what_cannot_be_done_is_said(page: Page, body: bytes, status: int, sentence: str) -> None:
    """Each refusal comes with a status and a sentence."""
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{page.url}do", body, headers=headers, timeout=DEADLINE)

    assert answer.status_code == status
    assert answer.json() == {"ok": False, "error": sentence}


@pytest.mark.parametrize("query", ["as=U0ADMIN&since=soon", "since=1.5", "since=--5"])
def test_a_state_is_asked_for_rightly(page: Page, query: str) -> None:
    """A revision that is no number gets a sentence."""
    answer = requests.get(f"{page.url}state?{query}", timeout=DEADLINE)

    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


# What there is to see


def test_the_people_are_introduced(page: Page) -> None:
    """Those the page offers to be, with their role in words; without a choice one is the first."""
    people = [(each["title"], each["initials"]) for each in page.state()["people"]]

    assert people == [
        ("Primary owner", "AM"),
        ("Owner", "BO"),
        ("Admin", "CV"),
        ("Admin", "DH"),
        ("Member", "ES"),
        ("Guest", "FL"),
        ("From another company", "IQ"),
    ]
    assert page.state("")["channels"] == page.state(PRIMARY_OWNER)["channels"]


@pytest.mark.parametrize(
    ("user", "names"),
    [
        (ADMIN, ["#scans", "#lobby", "#board", "#attic", "#news", "Elif Sand", "Kayran Notify"]),
        (MEMBER, ["#scans", "#lobby", "#attic", "#news", "Chiara Vogel", "Kayran Notify"]),
        (GUEST, ["#scans", "Kayran Notify"]),
        (STRANGER, ["#scans", "Kayran Notify"]),
    ],
)
def test_people_see_their_channels(page: Page, user: str, names: list[str]) -> None:
    """Members see the public channels and their own, others only their own."""
    assert [channel["name"] for channel in page.state(user)["channels"]] == names


def test_channels_say_what_they_are(page: Page) -> None:
    """Each has a kind and a note on whether the bot is in it."""
    told = {each["id"]: (each["kind"], each["note"]) for each in page.state()["channels"]}

    assert told[SCANS] == ("public", "the bot is in it")
    assert told[LOBBY] == ("public", "the bot is not in it")
    assert told[BOARD] == ("private", "the bot is not in it")
    assert told[ARCHIVED] == ("archived", "archived")
    assert told[DM] == ("dm", "the bot is not in it")


def test_messages_are_for_those_who_are_there(page: Page, slack: SlackStandIn) -> None:
    """A private channel's messages and another's ephemerals are in nobody else's state."""
    slack.workspace.say(ADMIN, BOARD, "between us")
    slack.workspace.whisper(ADMIN, SCANS, "psst")
    posted = slack.workspace.post({"channel": SCANS, "text": "Hello", "blocks": [button()]})
    slack.workspace.post({"channel": SCANS, "text": "reply", "thread_ts": posted.ts})
    mine, theirs = page.state(ADMIN), page.state(MEMBER)
    message, reply = theirs["messages"][SCANS]

    assert [each["text"] for each in mine["messages"][BOARD]] == ["between us"]
    assert [each["text"] for each in mine["ephemerals"][SCANS]] == ["psst"]
    assert BOARD not in theirs["messages"]
    assert theirs["ephemerals"][SCANS] == []
    assert (message["author"], message["is_bot"], message["edited"]) == (
        "Kayran Notify",
        True,
        False,
    )
    assert (message["thread_ts"], reply["thread_ts"]) == (None, posted.ts)
    assert message["blocks"][0]["elements"][0]["action_id"] == "undo"


def test_a_page_waits_for_news(page: Page, slack: SlackStandIn) -> None:
    """A state that is not new yet comes as soon as it is; it never goes back."""
    before = page.state()["revision"]
    timer = threading.Timer(0.1, lambda: slack.workspace.say(ADMIN, SCANS, "news"))
    timer.start()
    started = time.monotonic()
    after = page.state(since=before)
    timer.join()

    assert time.monotonic() - started >= 0.05
    assert after["revision"] > before
    assert [each["text"] for each in after["messages"][SCANS]] == ["news"]


def test_pages_that_wait_do_not_hold_up_the_end(
    slack: SlackStandIn, kayran: KayranStandIn, process: FakeProcess
) -> None:
    """Stopping takes no longer because a page waits for news."""
    control = Control(slack, kayran, process)
    control.start()
    page = Page(control)
    revision = page.state()["revision"]
    answered = threading.Event()

    def wait() -> None:
        with contextlib.suppress(requests.RequestException):  # It may be hung up on.
            page.state(since=revision)
        answered.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not answered.wait(0.1), "the page was not kept waiting"
    started = time.monotonic()
    control.stop()
    thread.join(DEADLINE)

    assert time.monotonic() - started < 1.5
    assert not thread.is_alive()


def test_the_log_of_the_wire_is_there(page: Page, bot: FakeBot) -> None:
    """Who sent what to whom, what came back, and the body."""
    page.do("say", channel=SCANS, text="/kayran-notify")
    state = page.see(lambda state: state["wire"] and state["wire"][-1]["answer"])
    entry = state["wire"][-1]

    assert (entry["from"], entry["to"]) == ("Slack", "bot")
    assert entry["what"] == "POST /slack/events command /kayran-notify"
    assert entry["answer"].startswith("200 in ")
    assert f'"user_id": "{ADMIN}"' in entry["body"]


# What a person does


def test_a_command_is_sent_without_keeping_the_page_waiting(page: Page, bot: FakeBot) -> None:
    """The page's answer comes at once, however long the bot takes; the bot gets the text."""
    released = threading.Event()

    def slow(_: Request) -> Reply:
        released.wait(DEADLINE)
        return Reply(200, b"Done")

    bot.answer = slow
    answer = page.do("say", channel=SCANS, text="/kayran-notify now  please ")
    released.set()
    state = page.see(lambda state: state["ephemerals"][SCANS])

    assert answer.status_code == 202
    assert state["ephemerals"][SCANS][0]["text"] == "Done"
    assert bot.fields["text"] == "now  please"


def test_other_text_is_a_message(page: Page) -> None:
    """Words are posted by the person; other commands are unknown; a closed channel is told."""
    said = page.do("say", channel=SCANS, text="Hello")
    page.do("say", channel=SCANS, text="/dance now")
    archived = page.do("say", channel=ARCHIVED, text="Hello")
    unseen = page.do("say", user=GUEST, channel=BOARD, text="Hello")
    state = page.state()

    assert said.status_code == 202
    assert [(each["author"], each["text"]) for each in state["messages"][SCANS]] == [
        ("Chiara Vogel", "Hello")
    ]
    assert state["ephemerals"][SCANS][0]["author"] == "Slackbot"
    assert state["ephemerals"][SCANS][0]["text"].startswith("/dance is not a valid command.")
    assert archived.json()["error"] == "The channel is archived: nobody can post in it."
    assert (unseen.status_code, unseen.json()["error"]) == (404, "You do not see that channel.")


def test_a_form_is_ticked_submitted_and_closed(
    page: Page, slack: SlackStandIn, bot: FakeBot
) -> None:
    """The form is in its person's state alone, with what is ticked, what is wrong and where it stands."""
    open_form(slack)
    modal = page.state()["modal"]
    assert page.state(MEMBER)["modal"] is None
    assert (modal["depth"], modal["busy"], modal["banner"]) == (1, False, None)
    assert modal["state"] == {"b": {"a": ["one"]}}
    assert modal["view"]["title"]["text"] == "Form"

    ticked = page.do("tick", block_id="b", action_id="a", values=["two", "three"])
    assert ticked.status_code == 200
    assert page.state()["modal"]["state"] == {"b": {"a": ["two", "three"]}}

    bot.answers({"response_action": "errors", "errors": {"b": "No."}})
    assert page.do("submit").status_code == 202
    assert page.see(lambda state: state["modal"]["errors"])["modal"]["errors"] == {"b": "No."}
    values = bot.payload["view"]["state"]["values"]["b"]["a"]["selected_options"]
    assert [value["value"] for value in values] == ["two", "three"]

    bot.answers("", 500)
    page.do("submit")
    assert page.see(lambda state: state["modal"]["banner"])["modal"]["busy"] is False

    assert page.do("close").status_code == 202
    page.see(lambda state: state["modal"] is None)


def test_a_form_is_busy_while_its_submit_is_on_its_way(
    page: Page, slack: SlackStandIn, bot: FakeBot
) -> None:
    """Until the bot has answered the state says so, and a second submit is refused."""
    released = threading.Event()

    def slow(_: Request) -> Reply:
        released.wait(DEADLINE)
        return Reply()

    bot.answer = slow
    open_form(slack)
    page.do("submit")
    page.see(lambda state: state["modal"]["busy"])
    second = page.do("submit")
    released.set()
    page.see(lambda state: state["modal"] is None)

    assert (second.status_code, second.json()["error"]) == (409, "It is on its way already.")
    assert len(bot.requests) == 1


def test_buttons_are_pressed_wherever_they_are(
    page: Page, slack: SlackStandIn, bot: FakeBot
) -> None:
    """In a message, in one only this person sees, and in a form."""
    message = slack.workspace.post({"channel": SCANS, "text": "x", "blocks": [button("one")]})
    slack.workspace.post_ephemeral(
        {"channel": SCANS, "user": ADMIN, "text": "x", "blocks": [button("two")]}
    )
    open_form(slack, blocks=[*form()["blocks"], button("three")])
    ephemeral = page.state()["ephemerals"][SCANS][0]["id"]
    pressed = []
    for count, (what, more) in enumerate(
        [
            ("press", {"channel": SCANS, "ts": message.ts, "action_id": "one"}),
            ("press-ephemeral", {"id": ephemeral, "action_id": "two"}),
            ("press-in-modal", {"action_id": "three"}),
        ],
        start=1,
    ):
        assert page.do(what, **more).status_code == 202
        assert slack.wire.wait_for(lambda n=count: len(bot.requests) == n, DEADLINE)  # type: ignore[misc]
        pressed.append(bot.payload["actions"][0]["action_id"])

    assert pressed == ["one", "two", "three"]


def test_a_button_in_trouble_is_told(page: Page, slack: SlackStandIn, bot: FakeBot) -> None:
    """Slack's warning beside a button whose press failed is in the state."""
    message = slack.workspace.post({"channel": SCANS, "text": "x", "blocks": [button()]})
    bot.answers("", 500)
    page.do("press", channel=SCANS, ts=message.ts, action_id="undo")

    assert page.see(lambda state: state["messages"][SCANS][0]["trouble"])


# Behind the scenes


def test_kayran_can_be_edited_and_upset(page: Page, kayran: KayranStandIn) -> None:
    """The nine are there with their names and can be switched; how it meets the next change can be
    chosen.
    """
    panel = page.state()["kayran"]
    page.do("kayran-flag", name="mailStop", on=True)
    page.do("kayran-next", answer="500")
    upset = page.state()["kayran"]
    for function in ("GetUserProfile", "UpdateMailNotify"):
        requests.post(f"{kayran.url}/{function}", json={}, timeout=DEADLINE)
    calm = page.state()["kayran"]

    assert list(panel["flags"]) == list(PARAMETERS)
    assert list(panel["labels"]) == list(PARAMETERS)
    assert panel["email"] == kayran.email
    assert ["ok", "Answers as it should"] in panel["answers"]
    assert (kayran.flags["mailStop"], upset["flags"]["mailStop"]) == (True, True)
    assert (panel["next"], upset["next"], calm["next"]) == ("ok", "500", "ok")
    assert [(call["function"], call["result"]) for call in calm["calls"]] == [
        ("GetUserProfile", "HTTP 500"),
        ("UpdateMailNotify", "HTTP 500"),
    ]


@pytest.mark.parametrize("answer", list(SLACK_ANSWERS))
def test_slacks_next_answer_can_be_chosen(page: Page, slack: SlackStandIn, answer: str) -> None:
    """What was chosen is shown until it is used up; another choice takes its place."""
    page.do("slack-next", answer="who")
    page.do("slack-next", answer=answer)
    chosen = page.state()["slack"]

    assert chosen["next"] == answer
    assert [each[0] for each in chosen["answers"]] == list(SLACK_ANSWERS)
    assert slack.faults.due is (answer != "ok")


def test_a_used_up_answer_is_over(page: Page, slack: SlackStandIn) -> None:
    """After the call it was for, Slack answers as it should again."""
    page.do("slack-next", answer="500")
    headers = {"Authorization": f"Bearer {slack.bot_token}"}
    message = {"channel": SCANS, "text": "x"}
    url = f"{slack.api_url}chat.postMessage"
    statuses = [
        requests.post(url, json=message, headers=headers, timeout=DEADLINE).status_code
        for _ in range(2)
    ]

    assert statuses == [500, 200]
    assert page.state()["slack"]["next"] == "ok"


def test_the_bot_is_killed_and_started(page: Page, process: FakeProcess) -> None:
    """Once each: what is not running can't be killed, what is running can't be started."""
    up = page.state()["bot"]
    killed = [page.do("kill-bot").status_code for _ in range(2)]
    down = page.state()["bot"]
    started = [page.do("start-bot").status_code for _ in range(2)]

    assert up == {"running": True, "pid": 42, "ready": True, "starts": 1}
    assert down == {"running": False, "pid": None, "ready": False, "starts": 1}
    assert (killed, started) == ([200, 409], [200, 409])
    assert page.state()["bot"]["starts"] == 2


def test_history_follows_what_crosses_the_wire(
    page: Page, slack: SlackStandIn, process: FakeProcess
) -> None:
    """It is read when someone looks, and again, once, when things are quiet after a request."""
    process.rows = [{"number": 1}]
    page.see(lambda state: state["history"] == [{"number": 1}])
    reads = process.reads
    process.rows = [{"number": 1}, {"number": 2}]
    slack.command(ADMIN, SCANS)
    page.see(lambda state: state["history"] == process.rows)

    # Several times as long as it would take to read it once more.
    threading.Event().wait(6 * QUIET)
    assert process.reads == reads + 1
