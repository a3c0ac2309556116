"""The Slack stand-in: what it enforces, what it sends, and what people then see."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from slack_bolt import App, BoltRequest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from bot.sandbox.faults import Fault
from bot.sandbox.loopback import Reply, Request
from bot.sandbox.slack import Delivery, SlackStandIn
from bot.sandbox.workspace import (
    ADMIN,
    ANNOUNCEMENTS,
    APP,
    ARCHIVED,
    BANNER,
    BOARD,
    BOT,
    BOT_USER,
    DEACTIVATED_ADMIN,
    DM,
    FOREIGN_ADMIN,
    GUEST,
    LOBBY,
    MEMBER,
    OTHER_BOT,
    OTHER_TEAM,
    OWNER,
    PRIMARY_OWNER,
    SCANS,
    SCOPES,
    SINGLE_CHANNEL_GUEST,
    SLACKBOT,
    STRANGER,
    TEAM,
)
from tests.fake_bot import Clock, FakeBot, Json, button, form, option

TOKEN = "xoxb-the-token"
SECRET = "the-signing-secret"
ACK_LIMIT = 0.3
"""Seconds here; Slack's three would only make these tests slow."""


@pytest.fixture
def clock() -> Clock:
    """The stand-in's clock."""
    return Clock()


@pytest.fixture
def slack(clock: Clock, bot: FakeBot) -> Iterator[SlackStandIn]:
    """Slack, with a bot to send to."""
    stand_in = SlackStandIn(
        bot_token=TOKEN, signing_secret=SECRET, clock=clock, ack_limit=ACK_LIMIT
    )
    with stand_in:
        stand_in.events_url = bot.url
        yield stand_in


@pytest.fixture
def bot() -> Iterator[FakeBot]:
    """A bot that takes everything and does nothing."""
    with FakeBot().serving() as fake:
        yield fake


@pytest.fixture
def client(slack: SlackStandIn) -> WebClient:
    """The SDK's own client, without its retries."""
    return WebClient(TOKEN, base_url=slack.api_url, retry_handlers=[])


def post(url: str, data: Json = None, **how: Json) -> requests.Response:
    """POST something, as a client with a limit."""
    return requests.post(url, data, timeout=5, **how)


def error_of(call: Callable[[], object]) -> str:
    """The error code a call is refused with; fails when it isn't."""
    with pytest.raises(SlackApiError) as refusal:
        call()
    return str(refusal.value.response["error"])


def open_form(slack: SlackStandIn, client: WebClient, user: str = ADMIN, **more: Json) -> str:
    """Open the form for someone; its view id."""
    trigger = slack.workspace.new_trigger(user)
    return str(client.views_open(trigger_id=trigger, view=form(**more))["view"]["id"])


# The Web API's door


def test_auth_test_says_who_the_bot_is(client: WebClient) -> None:
    """auth.test names the team and the bot, and its headers the scopes."""
    answer = client.auth_test()

    assert answer["team_id"] == TEAM
    assert (answer["user_id"], answer["bot_id"]) == (BOT_USER, BOT)
    assert answer.headers["x-oauth-scopes"] == ",".join(sorted(SCOPES))


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (None, "not_authed"),
        ("xoxb-another", "invalid_auth"),
        ("xapp-made-up", "not_allowed_token_type"),
    ],
)
def test_a_token_that_is_not_the_bots_is_refused(
    slack: SlackStandIn, token: str | None, error: str
) -> None:
    """Without its token nothing is told and nothing is done; the call is remembered as such."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = post(slack.api_url + "users.info", {"user": ADMIN}, headers=headers).json()

    assert answer == {"ok": False, "error": error}
    assert slack.calls[-1].token_ok is (token == "xapp-made-up")
    assert slack.calls[-1].token == (f"{token.partition('-')[0]}-…" if token else "")


@pytest.mark.parametrize(
    ("method", "arguments", "needed"),
    [
        ("users.info", {"user": ADMIN}, "users:read"),
        ("chat.postMessage", {"channel": SCANS, "text": "x"}, "chat:write"),
        ("chat.update", {"channel": SCANS, "ts": "1.000000", "text": "x"}, "chat:write"),
        ("chat.delete", {"channel": SCANS, "ts": "1.000000"}, "chat:write"),
        ("chat.postEphemeral", {"channel": SCANS, "user": ADMIN, "text": "x"}, "chat:write"),
        (
            "conversations.open",
            {"users": ADMIN},
            "channels:manage,groups:write,im:write,mpim:write",
        ),
        (
            "conversations.info",
            {"channel": SCANS},
            "channels:read,groups:read,im:read,mpim:read",
        ),
    ],
)
def test_a_method_needs_its_scope(
    slack: SlackStandIn, client: WebClient, method: str, arguments: Json, needed: str
) -> None:
    """Without its scope a method is refused, with what was needed and what there is."""
    slack.workspace.scopes = frozenset({"commands", "team:read"})
    with pytest.raises(SlackApiError) as refusal:
        client.api_call(method, json=arguments)

    assert refusal.value.response["error"] == "missing_scope"
    assert refusal.value.response["needed"] == needed
    assert refusal.value.response["provided"] == "commands,team:read"
    assert slack.workspace.messages(SCANS) == []


def test_one_of_several_scopes_is_enough(slack: SlackStandIn, client: WebClient) -> None:
    """With the scope for public channels alone, public and private ones are told apart."""
    slack.workspace.scopes = frozenset({"channels:read"})

    assert client.conversations_info(channel=LOBBY)["channel"]["is_member"] is False
    assert client.conversations_info(channel=SCANS)["channel"]["is_member"] is True
    assert error_of(lambda: client.conversations_info(channel=BOARD)) == "channel_not_found"


def test_an_unknown_method_is_refused(client: WebClient) -> None:
    """There is no method beyond those of the stand-in."""
    assert error_of(lambda: client.api_call("chat.shout")) == "unknown_method"


@pytest.mark.parametrize("encoding", ["json", "form", "json-in-a-form"])
def test_arguments_come_in_any_of_slacks_encodings(slack: SlackStandIn, encoding: str) -> None:
    """JSON bodies and form bodies, with JSON inside or not, are read alike, extra team_id included."""
    blocks = [button()]
    sent: Json = {"channel": SCANS, "text": "x", "team_id": TEAM}
    sent["blocks"] = json.dumps(blocks) if encoding == "json-in-a-form" else blocks
    headers = {"Authorization": f"Bearer {TOKEN}"}
    if encoding == "json":
        answer = post(slack.api_url + "chat.postMessage", json=sent, headers=headers)
    else:
        sent["blocks"] = json.dumps(blocks)
        answer = post(slack.api_url + "chat.postMessage", sent, headers=headers)

    assert answer.json()["ok"] is True
    assert slack.calls[-1].arguments == {
        "channel": SCANS,
        "text": "x",
        "team_id": TEAM,
        "blocks": blocks,
    }


def test_a_body_that_only_says_it_is_json_is_refused(slack: SlackStandIn) -> None:
    """Neither half a JSON object nor a list is taken for arguments."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    answers = [
        post(slack.api_url + "api.test", body, headers=headers).json()
        for body in ('{"half":', "[1]")
    ]

    assert [answer["error"] for answer in answers] == ["invalid_json", "invalid_json"]


@pytest.mark.parametrize(
    "until", ["Content-Le", "\r\n\r\n", "&te"], ids=["headers cut", "no body", "body cut"]
)
def test_half_a_request_is_none(slack: SlackStandIn, until: str) -> None:
    """What somebody died over while sending it is not carried out."""
    body = f"token={TOKEN}&channel={SCANS}&text=Hello"
    whole = (
        "POST /api/chat.postMessage HTTP/1.1\r\nHost: slack\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    port = urlsplit(slack.api_url).port or 0
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(whole[: whole.index(until) + len(until)].encode())
        line.shutdown(socket.SHUT_WR)
        while line.recv(1024):
            pass

    assert slack.calls == []
    assert slack.workspace.messages(SCANS) == []


def test_lines_stay_open(slack: SlackStandIn) -> None:
    """A client that keeps its connection can make many calls over the one it has."""
    with requests.Session() as session:
        for _ in range(5):
            session.post(slack.api_url + "api.test", timeout=5)

    assert slack.connections == 1


# People


ROLES = ("is_primary_owner", "is_owner", "is_admin", "is_restricted", "is_ultra_restricted")


@pytest.mark.parametrize(
    ("user", "flags"),
    [
        (PRIMARY_OWNER, {"is_primary_owner", "is_owner", "is_admin"}),
        (OWNER, {"is_owner", "is_admin"}),
        (ADMIN, {"is_admin"}),
        (MEMBER, set()),
        (GUEST, {"is_restricted"}),
        (SINGLE_CHANNEL_GUEST, {"is_restricted", "is_ultra_restricted"}),
        (DEACTIVATED_ADMIN, {"is_admin"}),
        (FOREIGN_ADMIN, {"is_admin"}),
    ],
)
def test_users_info_tells_the_flags(client: WebClient, user: str, flags: set[str]) -> None:
    """Each person has the flags of their role, as JSON booleans, and no e-mail address."""
    told = client.users_info(user=user)["user"]

    assert {role for role in ROLES if told[role] is True} == flags
    assert all(told[role] is False for role in ROLES if role not in flags)
    assert told["deleted"] is (user == DEACTIVATED_ADMIN)
    assert told["team_id"] == (OTHER_TEAM if user == FOREIGN_ADMIN else TEAM)
    assert "email" not in told["profile"]


def test_a_stranger_comes_as_a_reduced_object(client: WebClient) -> None:
    """Of someone from another company no role is told at all; a bot is one."""
    stranger = client.users_info(user=STRANGER)["user"]

    assert stranger["is_stranger"] is True
    assert stranger["team_id"] == OTHER_TEAM
    assert not set(ROLES) & set(stranger)
    assert client.users_info(user=OTHER_BOT)["user"]["is_bot"] is True
    assert client.users_info(user=SLACKBOT)["user"]["is_bot"] is False


def test_people_change_and_hide(slack: SlackStandIn, client: WebClient) -> None:
    """What a test changes about a person is told at once; a hidden or unknown one is not found."""
    slack.workspace.change_person(ADMIN, is_admin=False)
    changed = client.users_info(user=ADMIN)["user"]
    slack.workspace.hide_person(ADMIN)

    assert changed["is_admin"] is False
    assert error_of(lambda: client.users_info(user=ADMIN)) == "user_not_found"
    assert error_of(lambda: client.users_info(user="U0NOBODY")) == "user_not_found"


# Messages


@pytest.mark.parametrize(
    ("channel", "with_public", "without_public"),
    [
        (SCANS, None, None),
        (LOBBY, None, "not_in_channel"),
        (BOARD, "channel_not_found", "channel_not_found"),
        (ARCHIVED, "is_archived", "is_archived"),
        (ANNOUNCEMENTS, "restricted_action", "restricted_action"),
        (DM, "channel_not_found", "channel_not_found"),
        ("C0NOWHERE", "channel_not_found", "channel_not_found"),
        ("U0NOBODY", "channel_not_found", "channel_not_found"),
    ],
)
def test_the_bot_posts_where_it_may(
    slack: SlackStandIn,
    client: WebClient,
    channel: str,
    with_public: str | None,
    without_public: str | None,
) -> None:
    """Each channel is open or closed to the bot in its own way, with Slack's own code for it."""

    def outcome() -> str | None:
        try:
            client.chat_postMessage(channel=channel, text="x")
        except SlackApiError as refusal:
            return str(refusal.response["error"])
        return None

    assert outcome() == with_public
    slack.workspace.scopes = SCOPES - {"chat:write.public"}
    assert outcome() == without_public


def test_an_invitation_opens_a_private_channel(slack: SlackStandIn, client: WebClient) -> None:
    """Once invited the bot may post, and once it is archived or the bot removed no more."""
    slack.workspace.join(BOARD)
    client.chat_postMessage(channel=BOARD, text="x")
    slack.workspace.archive(BOARD)
    archived = error_of(lambda: client.chat_postMessage(channel=BOARD, text="x"))
    slack.workspace.leave(BOARD)

    assert [message.text for message in slack.workspace.messages(BOARD)] == ["x"]
    assert archived == "is_archived"
    assert error_of(lambda: client.chat_postMessage(channel=BOARD, text="x")) == "channel_not_found"


def test_posting_to_a_person_opens_direct_messages(slack: SlackStandIn, client: WebClient) -> None:
    """A user id as channel leads to the app's direct messages, and the answer says which those are."""
    answer = client.chat_postMessage(channel=MEMBER, text="x")
    channel = answer["channel"]
    client.chat_update(channel=channel, ts=answer["ts"], text="y")

    assert channel == slack.workspace.app_dm(MEMBER).id
    assert channel.startswith("D")
    assert [message.text for message in slack.workspace.messages(channel)] == ["y"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": "x", "blocks": "half a ["}, "invalid_blocks_format"),
        ({"text": "x", "blocks": [{"type": "shout"}]}, "invalid_blocks"),
        ({"text": "x", "thread_ts": "yesterday"}, "invalid_thread_ts"),
        ({"text": "x", "metadata": {"event_type": 1}}, "invalid_metadata_format"),
        (
            {
                "text": "x",
                "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "x" * 2800}}]
                * 4,
            },
            "msg_blocks_too_long",
        ),
    ],
)
def test_a_message_has_to_be_sound(
    slack: SlackStandIn, client: WebClient, content: Json, error: str
) -> None:
    """What Slack can't use is refused with its own code, and nothing is posted."""
    told = error_of(lambda: client.api_call("chat.postMessage", json={"channel": SCANS, **content}))

    assert told == error
    assert slack.workspace.messages(SCANS) == []


def test_what_is_wrong_with_blocks_is_told(client: WebClient) -> None:
    """invalid_blocks comes with the complaints, each with its place."""
    with pytest.raises(SlackApiError) as refusal:
        client.chat_postMessage(channel=SCANS, text="x", blocks=[{"type": "shout"}])
    told = ["[ERROR] unsupported type: shout [json-pointer:/blocks/0/type]"]

    assert refusal.value.response["errors"] == told
    assert refusal.value.response["response_metadata"] == {"messages": told}


def test_a_message_keeps_what_came_with_it(slack: SlackStandIn, client: WebClient) -> None:
    """Metadata and flags are remembered, texts cut at 40,000, and a missing one made of the blocks."""
    metadata = {"event_type": "e", "event_payload": {"n": 1}}
    long = client.chat_postMessage(
        channel=SCANS, text="x" * 40_001, metadata=metadata, unfurl_links=False
    )
    words = {"type": "section", "text": {"type": "plain_text", "text": "Words"}}
    wordless = client.api_call("chat.postMessage", json={"channel": SCANS, "blocks": [words]})
    first, second = slack.workspace.messages(SCANS)

    assert (first.ts, second.ts) == (long["ts"], wordless["ts"])
    assert len(first.text) == 40_000
    assert first.metadata == metadata
    assert first.flags == {"unfurl_links": False}
    assert first.through == "chat.postMessage"
    assert second.text == "Words"


def test_a_thread_hangs_on_its_parent(slack: SlackStandIn, client: WebClient) -> None:
    """A reply is in its parent's thread; one to no such message, or to a reply, nobody sees."""
    parent = client.chat_postMessage(channel=SCANS, text="parent")["ts"]
    reply = client.chat_postMessage(channel=SCANS, text="reply", thread_ts=parent)
    client.chat_postMessage(channel=SCANS, text="lost", thread_ts="1234567890.000001")
    client.chat_postMessage(channel=SCANS, text="lost", thread_ts=reply["ts"])
    client.api_call(
        "chat.postMessage", json={"channel": SCANS, "text": "lost", "thread_ts": float(parent)}
    )

    assert reply["message"]["thread_ts"] == parent
    assert [message.text for message in slack.workspace.messages(SCANS)] == ["parent", "reply"]
    assert [m.text for m in slack.workspace.messages(SCANS, thread_ts=parent)] == ["reply"]


def test_an_update_replaces_everything(slack: SlackStandIn, client: WebClient) -> None:
    """Text without blocks drops the blocks and marks the message as edited; metadata stays."""
    metadata = {"event_type": "e", "event_payload": {}}
    ts = client.chat_postMessage(channel=SCANS, text="1", blocks=[button()], metadata=metadata)[
        "ts"
    ]
    client.chat_update(channel=SCANS, ts=ts, text="2", blocks=[button("again")])
    with_blocks = slack.workspace.message(SCANS, ts).edited
    client.chat_update(channel=SCANS, ts=ts, text="3")
    message = slack.workspace.message(SCANS, ts)

    assert with_blocks is False
    assert (message.text, message.blocks, message.edited) == ("3", [], True)
    assert message.metadata == metadata
    assert [version.text for version in message.edits] == ["1", "2"]
    assert message.edits[0].blocks == [button()]


def test_only_the_bots_own_messages_are_its_to_change(
    slack: SlackStandIn, client: WebClient
) -> None:
    """Other people's messages, unknown ones and ephemeral ones can't be updated or deleted."""
    foreign = slack.workspace.say(ADMIN, SCANS, "mine").ts
    ephemeral = client.chat_postEphemeral(channel=SCANS, user=ADMIN, text="x")["message_ts"]
    own = client.chat_postMessage(channel=SCANS, text="x")["ts"]
    client.chat_delete(channel=SCANS, ts=own)

    def updating(ts: str, text: str = "y") -> str:
        return error_of(lambda: client.chat_update(channel=SCANS, ts=ts, text=text))

    assert updating(foreign) == "cant_update_message"
    assert updating(ephemeral) == "message_not_found"
    assert updating(own) == "message_not_found"
    assert error_of(lambda: client.chat_delete(channel=SCANS, ts=foreign)) == "cant_delete_message"


def test_an_update_is_shorter_than_a_post(client: WebClient) -> None:
    """chat.update refuses what chat.postMessage would still take, and needs some content."""
    ts = client.chat_postMessage(channel=SCANS, text="x" * 4001)["ts"]
    update = {"channel": SCANS, "ts": ts}

    assert error_of(lambda: client.chat_update(**update, text="x" * 4001)) == "msg_too_long"
    assert error_of(lambda: client.api_call("chat.update", json=update)) == "no_text"


def test_an_ephemeral_is_for_one_member(slack: SlackStandIn, client: WebClient) -> None:
    """Only the person it is for sees it, and only a member of the channel can get one."""
    client.chat_postEphemeral(channel=SCANS, user=ADMIN, text="psst")

    assert [each.text for each in slack.workspace.ephemerals(ADMIN, SCANS)] == ["psst"]
    assert slack.workspace.ephemerals(MEMBER) == []
    assert slack.workspace.messages(SCANS) == []
    assert (
        error_of(
            lambda: client.chat_postEphemeral(channel=SCANS, user=SINGLE_CHANNEL_GUEST, text="psst")
        )
        == "user_not_in_channel"
    )


# Modals


def test_a_view_opens_once_and_in_time(
    slack: SlackStandIn, client: WebClient, clock: Clock
) -> None:
    """A trigger opens one view within three seconds; used, old or invented ones open none."""
    used, old = slack.workspace.new_trigger(ADMIN), slack.workspace.new_trigger(ADMIN)
    clock.now += 3.0
    view = client.views_open(trigger_id=used, view=form())["view"]
    again = error_of(lambda: client.views_open(trigger_id=used, view=form()))
    clock.now += 0.1
    late = error_of(lambda: client.views_open(trigger_id=old, view=form()))
    invented = error_of(lambda: client.views_open(trigger_id="1.2.3", view=form()))

    assert (again, late, invented) == (
        "exchanged_trigger_id",
        "expired_trigger_id",
        "invalid_trigger_id",
    )
    modal = slack.modal(ADMIN)
    assert modal is not None
    assert modal.id == view["id"]
    assert modal.texts == ["Form", "Boxes", "*one*", "*two*", "*three*", "Words"]


def test_a_refused_view_costs_no_trigger(slack: SlackStandIn, client: WebClient) -> None:
    """A view Slack can't use is refused with what is wrong in it, and the trigger still works."""
    trigger = slack.workspace.new_trigger(ADMIN)
    with pytest.raises(SlackApiError) as refusal:
        client.views_open(
            trigger_id=trigger, view=form(title={"type": "plain_text", "text": "x" * 25})
        )
    client.views_open(trigger_id=trigger, view=form())

    assert refusal.value.response["error"] == "invalid_arguments"
    assert refusal.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    ]


def test_a_view_comes_back_as_slack_tells_of_it(slack: SlackStandIn, client: WebClient) -> None:
    """The answer carries ids, hash, team, app and state, and a block_id for every block."""
    view = client.views_open(
        trigger_id=slack.workspace.new_trigger(ADMIN),
        view=form(private_metadata="pm", blocks=[{"type": "divider"}, *form()["blocks"]]),
    )["view"]

    assert (view["team_id"], view["app_id"], view["bot_id"]) == (TEAM, APP, BOT)
    assert view["root_view_id"] == view["id"]
    assert view["previous_view_id"] is None
    assert (view["type"], view["callback_id"], view["private_metadata"]) == ("modal", "form", "pm")
    assert all(block["block_id"] for block in view["blocks"])
    assert view["state"]["values"] == {
        "b": {"a": {"type": "checkboxes", "selected_options": [option("one")]}}
    }


def test_what_was_ticked_outlives_an_update(slack: SlackStandIn, client: WebClient) -> None:
    """The same ids keep their ticks and ignore new initial options; new ids start from theirs."""
    view_id = open_form(slack, client)
    slack.tick(ADMIN, two=True, one=False)
    client.views_update(view_id=view_id, view=form(ticked=("three",)))
    modal = slack.modal(ADMIN)
    assert modal is not None
    kept = modal.ticked
    client.views_update(view_id=view_id, view=form("other", ticked=("three",)))

    assert kept == {"two"}
    assert modal.ticked == {"three"}
    assert modal.id == view_id


def test_a_stale_hash_is_refused(slack: SlackStandIn, client: WebClient) -> None:
    """An update with the hash of before is refused; with today's, or without one, it is taken."""
    trigger = slack.workspace.new_trigger(ADMIN)
    first = client.views_open(trigger_id=trigger, view=form())["view"]
    second = client.views_update(view_id=first["id"], hash=first["hash"], view=form())["view"]
    stale = error_of(
        lambda: client.views_update(view_id=first["id"], hash=first["hash"], view=form())
    )
    client.views_update(view_id=first["id"], hash=second["hash"], view=form())
    client.views_update(view_id=first["id"], view=form())

    assert stale == "hash_conflict"


def test_a_closed_view_is_not_found(slack: SlackStandIn, client: WebClient) -> None:
    """Once the person has closed it, or when there never was one, an update finds no view."""
    view_id = open_form(slack, client)
    slack.close(ADMIN)

    assert slack.modal(ADMIN) is None
    assert error_of(lambda: client.views_update(view_id=view_id, view=form())) == "not_found"
    assert error_of(lambda: client.views_update(view_id="V0", view=form())) == "not_found"
    assert (
        error_of(lambda: client.api_call("views.update", json={"view": form()}))
        == "invalid_arguments"
    )


def test_an_external_id_is_a_name_of_one_view(slack: SlackStandIn, client: WebClient) -> None:
    """A view can be updated by its external id, and no second one may have the same."""
    open_form(slack, client, external_id="mine")
    client.views_update(
        external_id="mine",
        view=form(external_id="mine", title={"type": "plain_text", "text": "New"}),
    )
    modal = slack.modal(ADMIN)

    assert modal is not None
    assert modal.texts[0] == "New"
    with pytest.raises(SlackApiError, match="duplicate_external_id"):
        open_form(slack, client, user=MEMBER, external_id="mine")


def test_views_stack_three_high(slack: SlackStandIn, client: WebClient) -> None:
    """Pushed views lie on top, close one by one, and a fourth is refused."""

    def push() -> Json:
        return client.views_push(trigger_id=slack.workspace.new_trigger(ADMIN), view=form())["view"]

    assert error_of(push) == "invalid_trigger_id"
    root = open_form(slack, client)
    second, third = push(), push()
    assert error_of(push) == "push_limit_reached"
    assert (third["root_view_id"], third["previous_view_id"]) == (root, second["id"])

    slack.close(ADMIN)
    assert [modal.id for modal in slack.workspace.stack(ADMIN)] == [root, second["id"]]
    slack.close(ADMIN, everything=True)
    assert slack.workspace.stack(ADMIN) == ()


def test_a_view_is_not_too_large(slack: SlackStandIn, client: WebClient) -> None:
    """Views beyond 250 kB are refused, even when each block is legal."""
    big = {"type": "section", "text": {"type": "plain_text", "text": "ä" * 3000}}
    trigger = slack.workspace.new_trigger(ADMIN)
    blocks = [big] * 50

    assert (
        error_of(lambda: client.views_open(trigger_id=trigger, view=form(blocks=blocks)))
        == "view_too_large"
    )


# Commands


def test_a_command_is_sent_as_slack_sends_it(slack: SlackStandIn, bot: FakeBot) -> None:
    """Form-encoded, signed, with every documented field and none of the others."""
    delivery = slack.command(ADMIN, SCANS, "some text")
    request, fields = bot.requests[-1], bot.fields

    assert delivery == Delivery(200, "", delivery.seconds, None)
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert fields.pop("response_url").startswith(slack.api_url.removesuffix("api/") + "response/")
    assert len(fields.pop("trigger_id").split(".")) == 3
    assert fields == {
        "token": "made-up-verification-token",
        "team_id": TEAM,
        "team_domain": "example",
        "channel_id": SCANS,
        "channel_name": "scans",
        "user_id": ADMIN,
        "user_name": "chiara.vogel",
        "command": "/kayran-notify",
        "text": "some text",
        "api_app_id": APP,
        "is_enterprise_install": "false",
    }


@pytest.mark.parametrize(
    ("channel", "name"), [(DM, "directmessage"), (BOARD, "privategroup"), (LOBBY, "lobby")]
)
def test_a_command_names_its_channel(
    slack: SlackStandIn, bot: FakeBot, channel: str, name: str
) -> None:
    """Private channels and direct messages have no name of their own in the payload."""
    slack.command(ADMIN, channel)

    assert bot.fields["channel_name"] == name


def test_requests_carry_a_good_signature(slack: SlackStandIn, bot: FakeBot, clock: Clock) -> None:
    """The SDK's own verifier, an independent judge, accepts what is sent; and nothing altered."""
    clock.now = time.time()
    slack.command(ADMIN, SCANS)
    request = bot.requests[-1]
    verifier = SignatureVerifier(SECRET)

    assert verifier.is_valid_request(request.body, dict(request.headers))
    assert not verifier.is_valid_request(request.body + b"x", dict(request.headers))
    assert not SignatureVerifier("another").is_valid_request(request.body, dict(request.headers))


def test_anything_can_be_delivered(slack: SlackStandIn, bot: FakeBot) -> None:
    """A test may send raw bodies, without a signature, or with an old one, or with other headers."""
    slack.deliver(b"\xff raw", sign=False)
    unsigned = bot.requests[-1]
    slack.deliver({"a": "b"}, timestamp="12", headers={"X-Slack-Signature": "v0=00"})
    forged = bot.requests[-1]

    assert unsigned.body == b"\xff raw"
    assert "x-slack-signature" not in unsigned.headers
    assert forged.headers["x-slack-request-timestamp"] == "12"
    assert forged.headers["x-slack-signature"] == "v0=00"
    assert forged.body == b"a=b"


def test_a_commands_answer_is_shown_to_its_person(slack: SlackStandIn, bot: FakeBot) -> None:
    """Text and JSON answers are ephemeral, unless they say that they are for the channel."""
    bot.answers("plain words")
    slack.command(ADMIN, SCANS)
    bot.answers({"text": "for all", "response_type": "in_channel"})
    slack.command(ADMIN, SCANS)

    assert [each.text for each in slack.workspace.ephemerals(ADMIN)] == ["plain words"]
    assert [each.text for each in slack.workspace.messages(SCANS)] == ["for all"]


@pytest.mark.parametrize("status", [404, 500, 201])
def test_a_command_that_is_not_taken_fails(slack: SlackStandIn, bot: FakeBot, status: int) -> None:
    """Anything but 200 is told to the person in Slack's words."""
    bot.answers("no", status)
    delivery = slack.command(ADMIN, SCANS)

    assert (delivery.status, delivery.error) == (status, "dispatch_failed")
    assert [(each.author, each.text) for each in slack.workspace.ephemerals(ADMIN)] == [
        (SLACKBOT, '/kayran-notify failed with the error "dispatch_failed"')
    ]


def test_a_late_answer_is_none(slack: SlackStandIn, bot: FakeBot) -> None:
    """After the limit Slack has given up, and says so."""
    released = threading.Event()

    def too_late(_: Request) -> Reply:
        released.wait(5)
        return Reply()

    bot.answer = too_late
    delivery = slack.command(ADMIN, SCANS)
    released.set()

    assert (delivery.status, delivery.error) == (None, "operation_timeout")
    assert ACK_LIMIT <= delivery.seconds < ACK_LIMIT + 1
    assert "operation_timeout" in slack.workspace.ephemerals(ADMIN)[0].text


def test_a_bot_that_is_not_there_is_dispatch_failed(slack: SlackStandIn) -> None:
    """A port nobody listens on is a failed dispatch."""
    slack.events_url = "http://127.0.0.1:9/slack/events"

    assert slack.command(ADMIN, SCANS).error == "dispatch_failed"


# Response URLs


def response_url(slack: SlackStandIn, bot: FakeBot, channel: str = SCANS) -> str:
    """The response URL of a command."""
    slack.command(ADMIN, channel)
    return bot.fields["response_url"]


def test_a_response_url_works_five_times(slack: SlackStandIn, bot: FakeBot) -> None:
    """Five answers reach the person, the sixth nobody; a refused one doesn't count."""
    url = response_url(slack, bot)
    refused = post(url, json={})
    statuses = [post(url, json={"text": str(n)}).status_code for n in range(5)]
    sixth = post(url, json={"text": "6"})

    assert (refused.status_code, refused.json()["error"]) == (400, "no_text")
    assert statuses == [200] * 5
    assert sixth.status_code == 404
    assert sixth.json() == {"ok": False, "error": "used_url"}
    assert [each.text for each in slack.workspace.ephemerals(ADMIN)] == ["0", "1", "2", "3", "4"]
    assert len(slack.calls_of("response_url")) == 7


def test_a_response_url_lives_half_an_hour(slack: SlackStandIn, bot: FakeBot, clock: Clock) -> None:
    """After thirty minutes, and under an invented address, nothing is taken."""
    url = response_url(slack, bot)
    clock.now += 30 * 60
    in_time = post(url, json={"text": "x"})
    clock.now += 1
    late = post(url, json={"text": "x"})

    assert in_time.status_code == 200
    assert (late.status_code, late.json()["error"]) == (404, "expired_url")
    assert post(url + "x", json={"text": "x"}).status_code == 404


def test_a_response_url_reaches_where_the_bot_may_not_post(
    slack: SlackStandIn, bot: FakeBot
) -> None:
    """In a private channel it is not in, the bot can still answer, to one or to all."""
    url = response_url(slack, bot, BOARD)
    post(url, json={"text": "for you"})
    post(url, json={"text": "for all", "response_type": "in_channel"})
    parent = slack.workspace.messages(BOARD)[0].ts
    post(url, json={"text": "below", "response_type": "in_channel", "thread_ts": parent})

    assert [each.text for each in slack.workspace.ephemerals(ADMIN, BOARD)] == ["for you"]
    assert [each.text for each in slack.workspace.messages(BOARD)] == ["for all", "below"]
    assert [each.text for each in slack.workspace.messages(BOARD, parent)] == ["below"]


def test_a_response_url_replaces_what_was_pressed(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """From a button it replaces or deletes that message; a typed command it never touches."""
    ts = client.chat_postMessage(channel=SCANS, text="old", blocks=[button()])["ts"]
    slack.press(ADMIN, SCANS, ts, "undo")
    url = bot.payload["response_url"]
    post(url, json={"text": "beside"})
    post(url, json={"text": "new", "replace_original": True})
    replaced = [each.text for each in slack.workspace.messages(SCANS)]
    post(url, json={"delete_original": True})
    post(response_url(slack, bot), json={"text": "typed", "replace_original": True})

    assert replaced == ["new"]
    assert slack.workspace.messages(SCANS) == []
    assert [each.text for each in slack.workspace.ephemerals(ADMIN)] == ["beside", "typed"]


# Submitting


def test_a_submit_is_sent_as_slack_sends_it(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """The view with its state, who did it and for which app; no channel and no response URL."""
    view_id = open_form(slack, client, private_metadata="pm")
    slack.tick(ADMIN, three=True, two=True, one=False)
    delivery = slack.submit(ADMIN)
    payload = bot.payload

    assert delivery.error is None
    assert payload["type"] == "view_submission"
    assert payload["user"] == {
        "id": ADMIN,
        "username": "chiara.vogel",
        "name": "chiara.vogel",
        "team_id": TEAM,
    }
    assert payload["team"] == {"id": TEAM, "domain": "example"}
    assert (payload["api_app_id"], payload["is_enterprise_install"]) == (APP, False)
    assert (payload["view"]["id"], payload["view"]["private_metadata"]) == (view_id, "pm")
    # In the order they stand, whatever the order they were ticked in.
    assert payload["view"]["state"]["values"] == {
        "b": {"a": {"type": "checkboxes", "selected_options": [option("two"), option("three")]}}
    }
    assert not {"channel", "response_url", "message"} & set(payload)


def test_nothing_ticked_is_an_empty_list(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """An input with nothing ticked is in the state all the same."""
    open_form(slack, client)
    slack.tick(ADMIN, one=False)
    slack.submit(ADMIN)

    assert bot.payload["view"]["state"]["values"]["b"]["a"]["selected_options"] == []


@pytest.mark.parametrize("answer", ["", "  ", {}], ids=["nothing", "blanks", "empty-object"])
def test_an_empty_answer_closes_the_view(
    slack: SlackStandIn, bot: FakeBot, client: WebClient, answer: Json
) -> None:
    """The view is gone, and what lay below is there again."""
    root = open_form(slack, client)
    client.views_push(trigger_id=slack.workspace.new_trigger(ADMIN), view=form())
    bot.answers(answer)
    slack.submit(ADMIN)

    assert [modal.id for modal in slack.workspace.stack(ADMIN)] == [root]


def test_clear_closes_everything(slack: SlackStandIn, bot: FakeBot, client: WebClient) -> None:
    """response_action clear leaves no view open."""
    open_form(slack, client)
    client.views_push(trigger_id=slack.workspace.new_trigger(ADMIN), view=form())
    bot.answers({"response_action": "clear"})
    slack.submit(ADMIN)

    assert slack.modal(ADMIN) is None


def test_update_and_push_show_another_view(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """Update turns the view into another one under the same id; push lays one on top."""
    view_id = open_form(slack, client)
    slack.tick(ADMIN, two=True)
    title = {"type": "plain_text", "text": "Back"}
    bot.answers({"response_action": "update", "view": form("fresh", title=title)})
    slack.submit(ADMIN)
    modal = slack.modal(ADMIN)
    assert modal is not None
    assert (modal.id, modal.texts[0], modal.busy) == (view_id, "Back", False)
    assert modal.ticked == {"one"}

    bot.answers({"response_action": "push", "view": form()})
    slack.submit(ADMIN)
    assert len(slack.workspace.stack(ADMIN)) == 2


def test_errors_stand_beside_their_inputs(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """The view stays open with the app's words, until the next submit."""
    open_form(slack, client)
    bot.answers({"response_action": "errors", "errors": {"b": "Not these."}})
    delivery = slack.submit(ADMIN)
    modal = slack.modal(ADMIN)
    assert modal is not None

    assert delivery.error is None
    assert (modal.errors, modal.banner) == ({"b": "Not these."}, None)
    bot.answers()
    slack.submit(ADMIN)
    assert slack.modal(ADMIN) is None


UNUSABLE = [
    pytest.param("ok", 200, id="text"),
    pytest.param({"text": "ok"}, 200, id="text-in-json"),
    pytest.param({"response_action": "close"}, 200, id="unknown-action"),
    pytest.param({"response_action": "errors", "errors": {}}, 200, id="no-errors"),
    pytest.param({"response_action": "errors", "errors": {"words": "x"}}, 200, id="of-a-section"),
    pytest.param({"response_action": "errors", "errors": {"b": ""}}, 200, id="without-words"),
    pytest.param({"response_action": "update"}, 200, id="update-without-view"),
    pytest.param(
        {"response_action": "update", "view": form(ticked=("four",))}, 200, id="invalid-view"
    ),
    pytest.param("", 500, id="error"),
    pytest.param("", 404, id="not-found"),
]


@pytest.mark.parametrize(("body", "status"), UNUSABLE)
def test_an_answer_slack_cannot_use_shows_the_banner(
    slack: SlackStandIn, bot: FakeBot, client: WebClient, body: Json, status: int
) -> None:
    """The view stays as it was, ticks and all, and Slack says that there was trouble."""
    open_form(slack, client)
    slack.tick(ADMIN, two=True)
    bot.answers(body, status)
    delivery = slack.submit(ADMIN)
    modal = slack.modal(ADMIN)

    assert delivery.error == "dispatch_failed"
    assert modal is not None
    assert (modal.banner, modal.busy, modal.errors) == (BANNER, False, {})
    assert modal.ticked == {"one", "two"}


def test_a_late_submit_shows_the_banner(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """While it is on its way the view is busy; when it is late it stays, to be tried again."""
    view_id = open_form(slack, client)
    released = threading.Event()
    busy: list[bool] = []

    def too_late(_: Request) -> Reply:
        modal = slack.modal(ADMIN)
        busy.append(modal is not None and modal.busy)
        released.wait(5)
        return Reply()

    bot.answer = too_late
    delivery = slack.submit(ADMIN)
    released.set()
    modal = slack.modal(ADMIN)
    assert modal is not None
    assert (delivery.error, modal.banner, busy) == ("operation_timeout", BANNER, [True])

    bot.answers()
    slack.submit(ADMIN)
    assert bot.payload["view"]["id"] == view_id
    assert slack.modal(ADMIN) is None


def test_a_required_input_is_asked_for_before_anything_is_sent(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """With nothing ticked where something has to be, no request goes out."""
    view = form(ticked=())
    view["blocks"][0]["optional"] = False
    client.views_open(trigger_id=slack.workspace.new_trigger(ADMIN), view=view)
    delivery = slack.submit(ADMIN)
    modal = slack.modal(ADMIN)
    assert modal is not None
    assert (delivery.error, list(modal.errors), bot.requests) == ("required", ["b"], [])

    slack.tick(ADMIN, one=True)
    assert slack.submit(ADMIN).error is None
    assert len(bot.requests) == 1


def test_a_view_without_submit_cannot_be_submitted(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """There is no button to press; and without a view there is nothing at all."""
    view = form(blocks=[{"type": "divider"}])
    del view["submit"]
    client.views_open(trigger_id=slack.workspace.new_trigger(ADMIN), view=view)

    assert slack.submit(ADMIN).error == "no_submit"
    assert bot.requests == []
    with pytest.raises(LookupError, match="Elif Sand has no modal open"):
        slack.submit(MEMBER)


def test_a_submit_can_be_forged(slack: SlackStandIn, bot: FakeBot, client: WebClient) -> None:
    """A test may send other top-level fields than the true ones, or build on the true payload."""
    open_form(slack, client)
    payload = slack.submission(ADMIN)
    payload["view"]["state"]["values"] = {}
    slack.deliver({"payload": json.dumps(payload)})
    emptied = bot.payload["view"]["state"]["values"]
    slack.submit(ADMIN, {"user": {"id": MEMBER}})

    assert emptied == {}
    assert bot.payload["user"] == {"id": MEMBER}


def test_ticking_what_is_not_there_is_a_mistake(slack: SlackStandIn, client: WebClient) -> None:
    """A test that ticks an option the form doesn't have is told so."""
    open_form(slack, client)

    with pytest.raises(LookupError, match="there is no option 'four'"):
        slack.tick(ADMIN, four=True)


def test_only_who_asked_is_told_of_a_closed_view(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """view_closed is sent for views with notify_on_close alone, without what was ticked."""
    open_form(slack, client)
    slack.close(ADMIN)
    before = len(bot.requests)
    view_id = open_form(slack, client, notify_on_close=True)
    slack.close(ADMIN)

    assert before == 0
    assert (bot.payload["type"], bot.payload["view"]["id"]) == ("view_closed", view_id)
    assert bot.payload["is_cleared"] is False
    assert bot.payload["view"]["state"] == {"values": {}}


# Buttons


def test_a_button_is_sent_as_slack_sends_it(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """Who pressed what in which message of which thread, with a fresh trigger and response URL."""
    parent = client.chat_postMessage(channel=SCANS, text="parent")["ts"]
    ts = client.chat_postMessage(channel=SCANS, text="reply", thread_ts=parent, blocks=[button()])[
        "ts"
    ]
    delivery = slack.press(FOREIGN_ADMIN, SCANS, ts, "undo")
    payload = bot.payload
    action = payload["actions"][0]
    client.views_open(trigger_id=payload["trigger_id"], view=form())

    assert delivery.error is None
    assert payload["type"] == "block_actions"
    # In a shared channel: the clicker's team beside the app's.
    assert (payload["user"]["team_id"], payload["team"]["id"]) == (OTHER_TEAM, TEAM)
    assert payload["container"] == {
        "type": "message",
        "message_ts": ts,
        "thread_ts": parent,
        "channel_id": SCANS,
        "is_ephemeral": False,
    }
    assert payload["channel"] == {"id": SCANS, "name": "scans"}
    assert (payload["message"]["ts"], payload["message"]["thread_ts"]) == (ts, parent)
    assert (action["action_id"], action["block_id"], action["value"]) == ("undo", "buttons", "7")
    assert post(payload["response_url"], json={"text": "x"}).status_code == 200


def test_a_button_can_be_forged(slack: SlackStandIn, bot: FakeBot, client: WebClient) -> None:
    """A test may send another value; a button that isn't there can't be pressed."""
    ts = client.chat_postMessage(channel=SCANS, text="x", blocks=[button(value=None)])["ts"]
    slack.press(ADMIN, SCANS, ts, "undo")
    own = bot.payload["actions"][0]
    slack.press(ADMIN, SCANS, ts, "undo", value="forged")

    assert "value" not in own
    assert bot.payload["actions"][0]["value"] == "forged"
    with pytest.raises(LookupError, match="there is no button 'redo' here"):
        slack.press(ADMIN, SCANS, ts, "redo")


def test_a_late_button_gets_a_warning(slack: SlackStandIn, bot: FakeBot, client: WebClient) -> None:
    """Slack shows that the app did not take it, until it does."""
    ts = client.chat_postMessage(channel=SCANS, text="x", blocks=[button()])["ts"]
    bot.answers("", 500)
    failed = slack.press(ADMIN, SCANS, ts, "undo")
    trouble = slack.workspace.message(SCANS, ts).trouble
    bot.answers()
    slack.press(ADMIN, SCANS, ts, "undo")

    assert (failed.error, trouble) == ("dispatch_failed", True)
    assert slack.workspace.message(SCANS, ts).trouble is False


def test_a_button_only_one_person_sees(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """Its payload has no message, and its response URL replaces it."""
    client.chat_postEphemeral(channel=SCANS, user=ADMIN, text="old", blocks=[button()])
    ephemeral = slack.workspace.ephemerals(ADMIN)[0]
    slack.press_ephemeral(ADMIN, ephemeral.id, "undo")
    post(bot.payload["response_url"], json={"text": "new", "replace_original": True})

    assert "message" not in bot.payload
    assert bot.payload["container"]["is_ephemeral"] is True
    assert [each.text for each in slack.workspace.ephemerals(ADMIN)] == ["new"]
    with pytest.raises(LookupError, match="sees no ephemeral message"):
        slack.press_ephemeral(MEMBER, ephemeral.id, "undo")


def test_elements_outside_inputs_tell_at_once(
    slack: SlackStandIn, bot: FakeBot, client: WebClient
) -> None:
    """A button, or a box in an actions block, sends block_actions; an input's box sends nothing."""
    boxes = {"type": "checkboxes", "action_id": "loud", "options": [option("four")]}
    actions = {"type": "actions", "block_id": "acts", "elements": [boxes, *button()["elements"]]}
    open_form(slack, client, blocks=[*form()["blocks"], actions])
    quiet = slack.tick(ADMIN, two=True)
    loud = slack.tick(ADMIN, four=True)
    ticked = bot.payload
    slack.press_in_modal(ADMIN, "undo")

    assert quiet == ()
    assert [delivery.error for delivery in loud] == [None]
    assert ticked["actions"][0]["selected_options"] == [option("four")]
    assert ticked["view"]["state"]["values"]["acts"]["loud"]["selected_options"] == [option("four")]
    assert bot.payload["actions"][0]["value"] == "7"
    assert bot.payload["container"]["type"] == "view"
    assert not {"channel", "message", "response_url"} & set(bot.payload)


# Faults


def test_slack_limits_the_rate_on_demand(slack: SlackStandIn, client: WebClient) -> None:
    """The next call gets a 429 with Retry-After and does nothing; the one after works."""
    slack.faults.next("chat.postMessage", Fault.rate_limited(retry_after=2))
    with pytest.raises(SlackApiError) as refusal:
        client.chat_postMessage(channel=SCANS, text="x")
    client.chat_postMessage(channel=SCANS, text="y")

    assert refusal.value.response.status_code == 429
    assert refusal.value.response["error"] == "ratelimited"
    assert refusal.value.response.headers["Retry-After"] == "2"
    assert [each.text for each in slack.workspace.messages(SCANS)] == ["y"]


@pytest.mark.parametrize(
    ("fault", "posted"),
    [(Fault.drop_before(), 0), (Fault.drop_after(), 1)],
    ids=["before", "after"],
)
def test_slack_drops_the_line_on_demand(
    slack: SlackStandIn, client: WebClient, fault: Fault, posted: int
) -> None:
    """The line closes without an answer, before or after the message was posted."""
    slack.faults.next("chat.postMessage", fault)
    with pytest.raises(ConnectionError):
        client.chat_postMessage(channel=SCANS, text="x")

    assert len(slack.workspace.messages(SCANS)) == posted
    assert (slack.calls[-1].status, slack.calls[-1].answer) == (None, {})


def test_slack_errs_on_demand(slack: SlackStandIn, client: WebClient) -> None:
    """HTTP errors come as pages, codes as JSON; for every method with a star, until cleared."""
    slack.faults.next("*", Fault.http(503), times=None)
    pages = [post(slack.api_url + m) for m in ("auth.test", "users.info")]
    slack.faults.clear()
    slack.faults.next("users.info", Fault.error("internal_error"), times=2)
    errors = [error_of(lambda: client.users_info(user=ADMIN)) for _ in range(2)]

    assert [page.status_code for page in pages] == [503, 503]
    assert pages[0].headers["content-type"].startswith("text/html")
    assert errors == ["internal_error", "internal_error"]
    assert client.users_info(user=ADMIN)["ok"] is True


def test_faults_take_their_turns(slack: SlackStandIn, client: WebClient) -> None:
    """One for the method itself comes first, then one for any method, then none is due."""
    slack.faults.next("*", Fault.error("internal_error"))
    slack.faults.next("users.info", Fault.error("fatal_error"))
    errors = [error_of(lambda: client.users_info(user=ADMIN)) for _ in range(2)]

    assert errors == ["fatal_error", "internal_error"]
    assert slack.faults.due is False
    assert client.users_info(user=ADMIN)["ok"] is True


def test_slack_is_slow_on_demand(slack: SlackStandIn, client: WebClient) -> None:
    """A slow call is done and answered after that time."""
    slack.faults.next("auth.test", Fault.slow(0.2))
    started = time.monotonic()
    client.auth_test()

    assert time.monotonic() - started >= 0.2


def test_slack_hangs_on_demand(slack: SlackStandIn) -> None:
    """A call that hangs is seen, not done, and let go when the faults are cleared."""
    slack.faults.next("chat.postMessage", Fault.hang())
    ended = threading.Event()

    def call() -> None:
        with contextlib.suppress(requests.ConnectionError):
            post(slack.api_url + "chat.postMessage", {"channel": SCANS, "text": "x"})
        ended.set()

    thread = threading.Thread(target=call)
    thread.start()
    seen = slack.wait_for_call("chat.postMessage")
    assert (seen.fault, seen.status, ended.is_set()) == (Fault.hang(), None, False)

    slack.faults.clear()
    thread.join(5)
    assert ended.is_set()
    assert slack.workspace.messages(SCANS) == []


# Looking on


def test_waiting_for_a_call_ends_with_it(slack: SlackStandIn, client: WebClient) -> None:
    """The n-th call is given as soon as it came; without it, what was called instead is told."""
    timer = threading.Timer(0.1, lambda: client.users_info(user=MEMBER))
    timer.start()
    client.users_info(user=ADMIN)
    second = slack.wait_for_call("users.info", n=2)
    timer.join()

    assert second.arguments["user"] == MEMBER
    assert second.ok
    with pytest.raises(
        AssertionError, match=r"views\.open was called 0 times .* users\.info \(200\)"
    ):
        slack.wait_for_call("views.open", seconds=0.05)


def test_no_secret_is_in_the_log(slack: SlackStandIn, bot: FakeBot, client: WebClient) -> None:
    """Tokens, the signing secret and response URLs are masked wherever they crossed the wire."""
    url = response_url(slack, bot)
    post(url, json={"text": f"{TOKEN} {SECRET} {url}"})
    client.chat_postMessage(channel=SCANS, text=f"{TOKEN} xapp-1-A-2 {url}")
    log = "\n".join(f"{entry.what} {entry.answer} {entry.body}" for entry in slack.wire.entries)

    assert "POST /slack/events command /kayran-notify" in log
    assert "POST /api/chat.postMessage" in log
    for secret in (TOKEN, SECRET, "xapp-1", url.rsplit("/", 1)[-1]):
        assert secret not in log


def test_bolt_understands_what_is_sent(slack: SlackStandIn, bot: FakeBot, clock: Clock) -> None:
    """A real Bolt app takes the command, opens a form, takes its submit and its buttons."""
    clock.now = time.time()
    app = App(
        client=WebClient(TOKEN, base_url=slack.api_url),
        signing_secret=SECRET,
        process_before_response=True,
    )
    seen: list[str] = []

    @app.command("/kayran-notify")
    def command(ack: Callable[..., Any], body: Json, client: WebClient) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=form(private_metadata=SCANS))

    @app.view("form")
    def submitted(ack: Callable[..., Any], view: Json, client: WebClient) -> None:
        ack()
        client.chat_postMessage(channel=view["private_metadata"], text="Done", blocks=[button()])

    @app.action("undo")
    def undo(ack: Callable[..., Any], action: Json, respond: Callable[..., Any]) -> None:
        ack()
        seen.append(action["value"])
        respond("Undone", replace_original=True)

    def dispatch(request: Request) -> Reply:
        headers: Mapping[str, Any] = dict(request.headers)
        answer = app.dispatch(BoltRequest(body=request.body.decode(), headers=dict(headers)))
        return Reply(answer.status, (answer.body or "").encode(), answer.first_headers())

    bot.answer = dispatch
    deliveries = [slack.command(ADMIN, SCANS)]
    slack.tick(ADMIN, two=True)
    deliveries.append(slack.submit(ADMIN))
    message = slack.workspace.messages(SCANS)[0]
    deliveries.append(slack.press(ADMIN, SCANS, message.ts, "undo"))

    assert [delivery.error for delivery in deliveries] == [None] * 3
    assert seen == ["7"]
    assert message.text == "Undone"
    assert [call.method for call in slack.calls] == [
        "auth.test",
        "views.open",
        "chat.postMessage",
        "response_url",
    ]
