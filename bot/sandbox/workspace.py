"""The state of a Slack workspace and its rules, with no HTTP in it.

People and channels, messages and threads, what is only visible to one person, the modals each
person has open, triggers and response URLs. What Slack would refuse is a ``Refusal`` with Slack's
own error code. Facts are from https://docs.slack.dev unless a comment names another source.
"""

from __future__ import annotations

import copy
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox import block_kit
from bot.sandbox.cast import (
    ADMIN,
    ANNOUNCEMENTS,
    APP,
    APP_NAME,
    ARCHIVED,
    BOARD,
    BOT,
    BOT_NAME,
    BOT_USER,
    DEACTIVATED_ADMIN,
    DM,
    FOREIGN_ADMIN,
    GUEST,
    LOBBY,
    MEMBER,
    ON_THE_PAGE,
    OTHER_BOT,
    OTHER_TEAM,
    OWNER,
    PRIMARY_OWNER,
    SCANS,
    SECOND_ADMIN,
    SINGLE_CHANNEL_GUEST,
    SLACKBOT,
    STRANGER,
    TEAM,
    TEAM_DOMAIN,
    TEAM_NAME,
    Channel,
    channels,
    people,
)
from bot.sandbox.modals import BANNER, Modal, initial_state, name_blocks, token, with_ids

__all__ = [
    "ADMIN",
    "ANNOUNCEMENTS",
    "APP",
    "APP_NAME",
    "ARCHIVED",
    "BANNER",
    "BOARD",
    "BOT",
    "BOT_NAME",
    "BOT_USER",
    "DEACTIVATED_ADMIN",
    "DM",
    "FOREIGN_ADMIN",
    "GUEST",
    "LOBBY",
    "MEMBER",
    "ON_THE_PAGE",
    "OTHER_BOT",
    "OTHER_TEAM",
    "OWNER",
    "PRIMARY_OWNER",
    "SCANS",
    "SCOPES",
    "SECOND_ADMIN",
    "SINGLE_CHANNEL_GUEST",
    "SLACKBOT",
    "STRANGER",
    "TEAM",
    "TEAM_DOMAIN",
    "TEAM_NAME",
    "Channel",
    "Ephemeral",
    "Message",
    "Modal",
    "Refusal",
    "Version",
    "Workspace",
]

SCOPES = frozenset({"commands", "chat:write", "chat:write.public", "users:read"})
"""What ``manifest.yml`` asks for; a test holds the two together."""

TRIGGER_LIFE = 3.0
"""Seconds a ``trigger_id`` can be used, once."""
RESPONSE_URL_LIFE = 30 * 60.0
"""Seconds a ``response_url`` can be used."""
RESPONSE_URL_USES = 5
STACK_DEPTH = 3
"""Views on top of each other."""
VIEW_BYTES = 250_000
TEXT_LIMIT = 40_000
"""Characters beyond which ``chat.postMessage`` cuts a text."""
SHORT_TEXT_LIMIT = 4_000
"""Characters beyond which ``chat.update`` and ``chat.postEphemeral`` refuse a text."""
BLOCKS_TEXT_LIMIT = 11_000
"""Characters over all blocks of a message. Slack doesn't publish the limit; refusals were reported
from about 11,300 on (slackapi/bolt-js#2867, #2509), so what passes here passes there."""

REQUIRED = "Please complete this required field."
"""Slack's words beside an input that has to be answered and isn't."""

_TS = re.compile(r"\d+\.\d{6}")


class Refusal(Exception):  # noqa: N818 (Slack's answer, not a fault)
    """Slack would answer ``ok: false``.

    Attributes:
        error: Slack's error code.
        extra: more fields of the answer.
    """

    def __init__(self, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra


@dataclass(frozen=True)
class Version:
    """What a message said before it was edited."""

    text: str
    blocks: list[dict[str, Any]]


@dataclass(eq=False)
class Message:
    """A message in a channel.

    Attributes:
        ts: its id in the channel, and when it was posted.
        user: its author; the bot's user for the bot's.
        thread_ts: the ``ts`` of the message whose thread it is in.
        through: ``chat.postMessage``, ``response_url``, or ``person``.
        flags: ``unfurl_links``, ``unfurl_media`` and the like, as they were sent.
        edits: what it said before, oldest first.
        edited: it carries the label "(edited)": an update without blocks gives it one.
        visible: ``False`` for a reply to a thread that isn't there, which Slack takes and nobody sees
            (slackapi/python-slack-sdk#840).
        trouble: Slack shows a warning beside the button that was pressed last: the app was late.
    """

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    thread_ts: str | None = None
    through: str = "person"
    metadata: dict[str, Any] | None = None
    flags: dict[str, Any] = field(default_factory=dict)
    edits: list[Version] = field(default_factory=list)
    edited: bool = False
    visible: bool = True
    trouble: bool = False

    @property
    def is_bot(self) -> bool:
        """Whether the bot posted it."""
        return self.user == BOT_USER

    @property
    def texts(self) -> list[str]:
        """Every text in its blocks, or its text alone when it has none."""
        return list(block_kit.texts(self.blocks)) or [self.text]

    def as_object(self) -> dict[str, Any]:
        """Slack's message object."""
        whole: dict[str, Any] = {
            "type": "message",
            "user": self.user,
            "ts": self.ts,
            "text": self.text,
            "team": TEAM,
        }
        if self.is_bot:
            whole |= {"bot_id": BOT, "app_id": APP, "blocks": copy.deepcopy(self.blocks)}
        if self.thread_ts is not None:
            whole["thread_ts"] = self.thread_ts
        if self.metadata is not None:
            whole["metadata"] = copy.deepcopy(self.metadata)
        return whole


@dataclass(eq=False)
class Ephemeral:
    """A message only one person sees, until they reload.

    Attributes:
        id: its ``ts`` as well; it is not in the channel's history.
        user: who sees it.
        author: the bot's user, or Slackbot.
        through: ``ack``, ``response_url``, ``chat.postEphemeral``, or ``slack`` for Slackbot's own.
    """

    id: str
    channel: str
    user: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    author: str = BOT_USER
    thread_ts: str | None = None
    through: str = "response_url"

    @property
    def texts(self) -> list[str]:
        """Every text in its blocks, or its text alone when it has none."""
        return list(block_kit.texts(self.blocks)) or [self.text]


@dataclass
class _Trigger:
    user: str
    issued: float
    used: bool = False


@dataclass
class _ResponseUrl:
    user: str
    channel: str
    issued: float
    uses: int = 0
    message_ts: str | None = None
    ephemeral: str | None = None


class Workspace:
    """A workspace with the app installed in it. Safe to use from any thread.

    Args:
        clock: seconds since the epoch.
        changed: called after every change.
        scopes: what the app was granted.

    Attributes:
        people: Slack's user objects by id; tests may change them.
        channels: by id.
        scopes: what the app was granted.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        changed: Callable[[], None] = lambda: None,
        scopes: frozenset[str] = SCOPES,
    ) -> None:
        self.people: dict[str, dict[str, Any]] = people()
        self.channels: dict[str, Channel] = channels()
        self.scopes = scopes
        self._clock = clock
        self._changed = changed
        self._lock = threading.RLock()
        self._hidden: dict[str, str] = {}
        self._messages: list[Message] = []
        self._ephemerals: list[Ephemeral] = []
        self._stacks: dict[str, list[Modal]] = {}
        self._triggers: dict[str, _Trigger] = {}
        self._response_urls: dict[str, _ResponseUrl] = {}
        self._last_ts = 0

    # People

    def person(self, user: str) -> dict[str, Any]:
        """Slack's user object, as ``users.info`` gives it.

        Raises:
            Refusal: ``user_not_found``, or the error the person was hidden with.
        """
        with self._lock:
            if user in self._hidden:
                raise Refusal(self._hidden[user])
            if user not in self.people:
                raise Refusal("user_not_found")
            return copy.deepcopy(self.people[user])

    def name_of(self, user: str) -> str:
        """The person's name as messages show it."""
        person = self.people.get(user, {})
        return str(person.get("real_name") or person.get("name") or user)

    def change_person(self, user: str, **fields: Any) -> None:
        """Set fields of a person's user object, such as ``is_admin=False``."""
        with self._lock:
            self.people[user].update(fields)
        self._changed()

    def hide_person(self, user: str, error: str = "user_not_found") -> None:
        """Make ``users.info`` refuse to tell of this person."""
        with self._lock:
            self._hidden[user] = error

    # Channels

    def channel(self, channel: str) -> Channel:
        """The channel, whoever may see it.

        Raises:
            Refusal: ``channel_not_found``.
        """
        with self._lock:
            if channel not in self.channels:
                raise Refusal("channel_not_found")
            return self.channels[channel]

    def channels_of(self, user: str) -> list[Channel]:
        """The channels a person sees: their own, and for full members every public one."""
        with self._lock:
            person = self.people[user]
            roams = person["team_id"] == TEAM and not person.get("is_restricted", False)
            return [
                channel
                for channel in self.channels.values()
                if user in channel.members or (roams and channel.kind == "public")
            ]

    def add_channel(self, channel: Channel) -> None:
        """Create a channel."""
        with self._lock:
            self.channels[channel.id] = channel
        self._changed()

    def join(self, channel: str, user: str = BOT_USER) -> None:
        """Invite someone, the bot unless said otherwise."""
        with self._lock:
            self.channels[channel].members.add(user)
        self._changed()

    def leave(self, channel: str, user: str = BOT_USER) -> None:
        """Remove someone, the bot unless said otherwise."""
        with self._lock:
            self.channels[channel].members.discard(user)
        self._changed()

    def archive(self, channel: str) -> None:
        """Archive a channel."""
        with self._lock:
            self.channels[channel].is_archived = True
        self._changed()

    def app_dm(self, user: str) -> Channel:
        """The app's direct messages with a person, opened when they aren't yet.

        Raises:
            Refusal: ``channel_not_found`` when there is no such person.
        """
        with self._lock:
            if user not in self.people:
                raise Refusal("channel_not_found")
            channel = f"D0KAYRAN{user[1:]}"
            return self.channels.setdefault(channel, Channel(channel, "", "im", {user, BOT_USER}))

    # Messages

    def messages(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """What people see in a channel, oldest first: everything, or one thread's replies alone."""
        with self._lock:
            return [
                message
                for message in self._messages
                if message.channel == channel
                and message.visible
                and (thread_ts is None or message.thread_ts == thread_ts)
            ]

    def message(self, channel: str, ts: str) -> Message:
        """One message.

        Raises:
            Refusal: ``message_not_found``.
        """
        with self._lock:
            for message in self._messages:
                if (message.channel, message.ts) == (channel, ts):
                    return message
            raise Refusal("message_not_found")

    def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """Post a message as a person.

        Raises:
            Refusal: ``is_archived``, ``not_in_channel``, or ``restricted_action`` where only admins post.
        """
        with self._lock:
            where = self.channel(channel)
            if where.is_archived:
                raise Refusal("is_archived")
            if user not in where.members:
                raise Refusal("not_in_channel")
            if where.is_restricted and self.people[user].get("is_admin") is not True:
                raise Refusal("restricted_action")
            message = Message(channel, self._new_ts(), user, text, thread_ts=thread_ts)
            self._messages.append(message)
        self._changed()
        return message

    def post(self, arguments: Mapping[str, Any]) -> Message:
        """``chat.postMessage``.

        Raises:
            Refusal: ``channel_not_found``, ``is_archived``, ``not_in_channel``, ``restricted_action``,
                or one of the codes for content.
        """
        with self._lock:
            channel = self._channel_for_posting(arguments.get("channel"))
            text, blocks = _content(arguments)
            message = Message(
                channel.id,
                self._new_ts(),
                BOT_USER,
                text[:TEXT_LIMIT],
                blocks,
                through="chat.postMessage",
                metadata=_metadata(arguments),
                flags={key: arguments[key] for key in _FLAGS if key in arguments},
            )
            self._place_in_thread(message, arguments.get("thread_ts"))
            self._messages.append(message)
        self._changed()
        return message

    def edit(self, arguments: Mapping[str, Any]) -> Message:
        """``chat.update``: only the bot's own, and text without blocks drops the blocks.

        Raises:
            Refusal: ``channel_not_found``, ``message_not_found``, ``cant_update_message``,
                ``is_archived``, ``msg_too_long``, or one of the codes for content.
        """
        with self._lock:
            channel = self.channel(str(arguments.get("channel")))
            message = self.message(channel.id, str(arguments.get("ts")))
            if not message.is_bot:
                raise Refusal("cant_update_message")
            if channel.is_archived:
                raise Refusal("is_archived")
            if len(str(arguments.get("text") or "")) > SHORT_TEXT_LIMIT:
                raise Refusal("msg_too_long")
            text, blocks = _content(arguments)
            metadata = _metadata(arguments)
            self._rewrite(message, text, blocks)
            if "metadata" in arguments:
                message.metadata = metadata
        self._changed()
        return message

    def delete(self, channel: str, ts: str) -> None:
        """``chat.delete``.

        Raises:
            Refusal: ``channel_not_found``, ``message_not_found``, or ``cant_delete_message``.
        """
        with self._lock:
            message = self.message(self.channel(channel).id, ts)
            if not message.is_bot:
                raise Refusal("cant_delete_message")
            self._messages.remove(message)
        self._changed()

    def press_failed(self, message: Message, failed: bool) -> None:
        """Show, or take away, Slack's warning beside a button."""
        message.trouble = failed
        self._changed()

    # Only visible to one person

    def ephemerals(self, user: str, channel: str | None = None) -> list[Ephemeral]:
        """What only this person sees, oldest first."""
        with self._lock:
            return [
                ephemeral
                for ephemeral in self._ephemerals
                if ephemeral.user == user and channel in (None, ephemeral.channel)
            ]

    def ephemeral(self, user: str, ephemeral: str) -> Ephemeral:
        """One of them by its id.

        Raises:
            LookupError: when this person sees none of that id.
        """
        for held in self.ephemerals(user):
            if held.id == ephemeral:
                return held
        raise LookupError(f"{self.name_of(user)} sees no ephemeral message {ephemeral}")

    def whisper(self, user: str, channel: str, text: str) -> Ephemeral:
        """Slackbot tells one person something."""
        ephemeral = Ephemeral("", channel, user, text, author=SLACKBOT, through="slack")
        return self._show(ephemeral)

    def answer_command(self, user: str, channel: str, content: Mapping[str, Any]) -> None:
        """Show what an app answered a command with, in the acknowledgement itself.

        Raises:
            Refusal: ``no_text``, or one of the codes for content.
        """
        text, blocks = _content(content)
        if content.get("response_type") == "in_channel":
            with self._lock:
                self._post_around_the_rules(channel, text, blocks, None)
            self._changed()
        else:
            self._show(Ephemeral("", channel, user, text, blocks, through="ack"))

    def post_ephemeral(self, arguments: Mapping[str, Any]) -> Ephemeral:
        """``chat.postEphemeral``.

        Raises:
            Refusal: as ``post``, or ``user_not_in_channel``, ``msg_too_long``.
        """
        with self._lock:
            channel = self._channel_for_posting(arguments.get("channel"))
            user = str(arguments.get("user"))
            if user not in channel.members or self.people[user].get("deleted", False):
                raise Refusal("user_not_in_channel")
            if len(str(arguments.get("text") or "")) > SHORT_TEXT_LIMIT:
                raise Refusal("msg_too_long")
            text, blocks = _content(arguments)
            thread_ts = arguments.get("thread_ts")
            ephemeral = Ephemeral(
                "",
                channel.id,
                user,
                text,
                blocks,
                thread_ts=thread_ts,
                through="chat.postEphemeral",
            )
        return self._show(ephemeral)

    # Triggers and modals

    def new_trigger(self, user: str) -> str:
        """A ``trigger_id`` for this person, as it goes out with what they did."""
        trigger = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        with self._lock:
            self._triggers[trigger] = _Trigger(user, self._clock())
        return trigger

    def stack(self, user: str) -> tuple[Modal, ...]:
        """The views a person has open, the lowest first."""
        with self._lock:
            return tuple(self._stacks.get(user, ()))

    def modal(self, user: str) -> Modal | None:
        """The view a person sees."""
        stack = self.stack(user)
        return stack[-1] if stack else None

    def open_view(self, trigger_id: Any, view: Any) -> Modal:
        """``views.open``: the view takes the place of whatever the person had open.

        Raises:
            Refusal: ``invalid_arguments``, ``view_too_large``, ``duplicate_external_id``,
                ``invalid_trigger_id``, ``expired_trigger_id``, or ``exchanged_trigger_id``.
        """
        with self._lock:
            self._check_view(view)
            user = self._spend_trigger(trigger_id)
            modal = self._new_modal(user, view, None)
            self._stacks[user] = [modal]
        self._changed()
        return modal

    def push_view(self, trigger_id: Any, view: Any) -> Modal:
        """``views.push``: onto the stack the trigger's person has open.

        Raises:
            Refusal: as ``open_view``, or ``push_limit_reached``.
        """
        with self._lock:
            self._check_view(view)
            user = self._spend_trigger(trigger_id)
            modal = self._push(user, view)
        self._changed()
        return modal

    def update_view(
        self, view: Any, view_id: str | None, external_id: str | None, expected_hash: str | None
    ) -> Modal:
        """``views.update``: of any view on anyone's screen.

        Raises:
            Refusal: ``invalid_arguments``, ``view_too_large``, ``duplicate_external_id``,
                ``hash_conflict``, or ``not_found`` when it isn't open any more.
        """
        with self._lock:
            if not view_id and not external_id:
                raise _invalid_arguments("missing required field: view_id [json-pointer:/view_id]")
            modal = self._open_modal(view_id, external_id)
            self._check_view(view, modal)
            if expected_hash is not None and expected_hash != modal.hash:
                raise Refusal("hash_conflict")
            modal.become(view, self._new_hash())
        self._changed()
        return modal

    def choose(self, modal: Modal, block_id: str, action_id: str, values: list[str]) -> None:
        """Leave exactly these options ticked in one element of a modal.

        Raises:
            LookupError: when there is no such element, or no such option in it.
        """
        with self._lock:
            modal.choose(block_id, action_id, values)
        self._changed()

    def submitting(self, modal: Modal) -> None:
        """A submit is on its way: the view waits, and what it said before is gone."""
        with self._lock:
            modal.busy, modal.banner, modal.errors = True, None, {}
        self._changed()

    def submit_incomplete(self, modal: Modal) -> None:
        """Slack itself asks for the inputs that have to be answered; the app hears nothing."""
        with self._lock:
            modal.errors = dict.fromkeys(modal.unanswered(), REQUIRED)
        self._changed()

    def submit_failed(self, modal: Modal) -> None:
        """The app was late, or answered something Slack can't use: the view stays, with a banner."""
        with self._lock:
            modal.busy, modal.banner = False, BANNER
        self._changed()

    def submit_answered(self, modal: Modal, answer: Mapping[str, Any]) -> None:
        """Do what the app answered to a submit; an empty answer closes the view.

        Raises:
            Refusal: when Slack can't use the answer.
        """
        with self._lock:
            if modal not in self.stack(modal.user):
                return  # The person closed it while the submit was on its way.
            self._act_on_answer(modal, answer)
            modal.busy = False
        self._changed()

    def close(self, user: str, everything: bool = False) -> list[Modal]:
        """Close the view a person sees, or all of them; all too when it says ``clear_on_close``.

        Returns:
            The views that were closed, the top one first.
        """
        with self._lock:
            stack = self._stacks.get(user, [])
            clears = everything or any(modal.view.get("clear_on_close") for modal in stack[-1:])
            left = [] if clears else stack[:-1]
            closed = stack[len(left) :]
            self._stacks[user] = left
        self._changed()
        return closed[::-1]

    # Response URLs

    def new_response_url(
        self,
        user: str,
        channel: str,
        message_ts: str | None = None,
        ephemeral: str | None = None,
    ) -> str:
        """The part of a ``response_url`` that is a secret.

        Args:
            user: who did something.
            channel: where.
            message_ts: of the message whose button was pressed, if one was.
            ephemeral: the id of the ephemeral message whose button was pressed, if one was.
        """
        key = f"{TEAM}/{secrets.randbelow(10**13)}/{secrets.token_urlsafe(18)}"
        with self._lock:
            self._response_urls[key] = _ResponseUrl(
                user, channel, self._clock(), 0, message_ts, ephemeral
            )
        return key

    def respond(self, key: str, content: Mapping[str, Any]) -> None:
        """What was POSTed to a response URL; it goes where the app itself may not post.

        Raises:
            Refusal: ``expired_url``, ``used_url``, or one of the codes for content.
        """
        with self._lock:
            url = self._response_urls.get(key)
            if url is None or self._clock() - url.issued > RESPONSE_URL_LIFE:
                raise Refusal("expired_url")
            if url.uses >= RESPONSE_URL_USES:
                raise Refusal("used_url")
            self._act_on_response(url, content)
            url.uses += 1
        self._changed()

    # What the verbs above are made of

    def _new_ts(self) -> str:
        """Microseconds since the epoch, never the same twice."""
        self._last_ts = max(self._last_ts + 1, int(self._clock() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def _new_hash(self) -> str:
        return f"{int(self._clock())}.{token(8)}"

    def _channel_for_posting(self, wanted: Any) -> Channel:
        """Where the app may post, in the order Slack's errors tell it.

        Observed (BeepBoopHQ/in-or-out#19, connorads/lockbot#11): ``not_in_channel`` for a public
        channel, ``channel_not_found`` for a private one or for direct messages between others.
        """
        if isinstance(wanted, str) and wanted[:1] in ("U", "W"):
            return self.app_dm(wanted)
        channel = self.channel(str(wanted))
        is_in = BOT_USER in channel.members
        if not is_in and channel.kind != "public":
            raise Refusal("channel_not_found")
        if channel.is_archived:
            raise Refusal("is_archived")
        if not is_in and "chat:write.public" not in self.scopes:
            raise Refusal("not_in_channel")
        if channel.is_restricted:
            raise Refusal("restricted_action")
        return channel

    def _place_in_thread(self, message: Message, thread_ts: Any) -> None:
        if thread_ts is None:
            return
        if isinstance(thread_ts, str) and not _TS.fullmatch(thread_ts):
            raise Refusal("invalid_thread_ts")
        message.thread_ts = str(thread_ts)
        message.visible = isinstance(thread_ts, str) and any(
            parent.ts == thread_ts and parent.thread_ts is None
            for parent in self.messages(message.channel)
        )

    def _rewrite(self, message: Message, text: str, blocks: list[dict[str, Any]]) -> None:
        message.edits.append(Version(message.text, message.blocks))
        message.text, message.blocks = text, blocks
        message.edited = message.edited or not blocks
        message.trouble = False

    def _show(self, ephemeral: Ephemeral) -> Ephemeral:
        with self._lock:
            ephemeral.id = self._new_ts()
            self._ephemerals.append(ephemeral)
        self._changed()
        return ephemeral

    def _post_around_the_rules(
        self, channel: str, text: str, blocks: list[dict[str, Any]], thread_ts: Any
    ) -> None:
        """Post into the channel someone acted in, whether the app is in it or not.

        Raises:
            Refusal: ``is_archived``; what Slack says then isn't known, so no app should count on more.
        """
        if self.channel(channel).is_archived:
            raise Refusal("is_archived")
        message = Message(channel, self._new_ts(), BOT_USER, text, blocks, through="response_url")
        self._place_in_thread(message, thread_ts)
        self._messages.append(message)

    def _act_on_response(self, url: _ResponseUrl, content: Mapping[str, Any]) -> None:
        if content.get("delete_original") is True:
            self._delete_original(url)
            return
        text, blocks = _content(content, bounded=False)
        if content.get("replace_original") is True and self._replace_original(url, text, blocks):
            return
        thread_ts = content.get("thread_ts")
        if content.get("response_type") == "in_channel":
            self._post_around_the_rules(url.channel, text, blocks, thread_ts)
        else:
            self._show(Ephemeral("", url.channel, url.user, text, blocks, thread_ts=thread_ts))

    def _replace_original(self, url: _ResponseUrl, text: str, blocks: list[dict[str, Any]]) -> bool:
        """Replace the message the button was in; a command typed by a person is never replaced."""
        if url.message_ts is not None:
            self._rewrite(self.message(url.channel, url.message_ts), text, blocks)
            return True
        if url.ephemeral is not None:
            original = self.ephemeral(url.user, url.ephemeral)
            original.text, original.blocks = text, blocks
            return True
        return False

    def _delete_original(self, url: _ResponseUrl) -> None:
        if url.message_ts is not None:
            self._messages.remove(self.message(url.channel, url.message_ts))
        elif url.ephemeral is not None:
            self._ephemerals.remove(self.ephemeral(url.user, url.ephemeral))

    def _check_view(self, view: Any, replaced: Modal | None = None) -> None:
        said = block_kit.view_complaints(view)
        if said:
            raise Refusal("invalid_arguments", response_metadata={"messages": said})
        if len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES:
            raise Refusal("view_too_large")
        external_id = view.get("external_id")
        taken = (modal for modal in self._open_modals() if modal is not replaced)
        if external_id and any(modal.view.get("external_id") == external_id for modal in taken):
            raise Refusal("duplicate_external_id")

    def _spend_trigger(self, trigger_id: Any) -> str:
        trigger = self._triggers.get(str(trigger_id))
        if trigger is None:
            raise Refusal("invalid_trigger_id")
        if trigger.used:
            raise Refusal("exchanged_trigger_id")
        if self._clock() - trigger.issued > TRIGGER_LIFE:
            raise Refusal("expired_trigger_id")
        trigger.used = True
        return trigger.user

    def _new_modal(self, user: str, view: Any, below: Modal | None) -> Modal:
        whole = with_ids(view)
        view_id = f"V{token(10)}"
        return Modal(
            id=view_id,
            user=user,
            view=whole,
            hash=self._new_hash(),
            root=below.root if below else view_id,
            previous=below.id if below else None,
            state=initial_state(whole),
        )

    def _push(self, user: str, view: Any) -> Modal:
        stack = self._stacks.get(user, [])
        if not stack:
            raise Refusal("invalid_trigger_id")
        if len(stack) >= STACK_DEPTH:
            raise Refusal("push_limit_reached")
        modal = self._new_modal(user, view, stack[-1])
        stack.append(modal)
        return modal

    def _open_modals(self) -> list[Modal]:
        return [modal for stack in self._stacks.values() for modal in stack]

    def _open_modal(self, view_id: str | None, external_id: str | None) -> Modal:
        for modal in self._open_modals():
            if modal.id == view_id or (
                not view_id and modal.view.get("external_id") == external_id
            ):
                return modal
        raise Refusal("not_found")

    def _act_on_answer(self, modal: Modal, answer: Mapping[str, Any]) -> None:
        action = answer.get("response_action")
        if not answer:
            stack = self._stacks[modal.user]
            self._stacks[modal.user] = stack[: stack.index(modal)]
        elif action == "clear":
            self._stacks[modal.user] = []
        elif action == "errors":
            modal.errors = _checked_errors(modal, answer.get("errors"))
        elif action == "update":
            self._check_view(answer.get("view"), modal)
            modal.become(answer["view"], self._new_hash())
        elif action == "push":
            self._check_view(answer.get("view"))
            self._push(modal.user, answer["view"])
        else:
            raise _invalid_arguments("unknown response_action [json-pointer:/response_action]")


_FLAGS = ("unfurl_links", "unfurl_media", "mrkdwn", "parse", "link_names", "reply_broadcast")


def _invalid_arguments(message: str) -> Refusal:
    return Refusal("invalid_arguments", response_metadata={"messages": [f"[ERROR] {message}"]})


def _checked_errors(modal: Modal, errors: Any) -> dict[str, str]:
    """The errors, when each is a text for an input block of this view.

    Raises:
        Refusal: otherwise; Slack shows its banner then (slackapi/bolt-js#1414).
    """
    inputs = {block["block_id"] for block in modal.blocks if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not inputs.issuperset(errors):
        raise _invalid_arguments("errors are for input blocks of this view [json-pointer:/errors]")
    if not all(isinstance(text, str) and text for text in errors.values()):
        raise _invalid_arguments("must be a text [json-pointer:/errors]")
    return dict(errors)


def _content(
    arguments: Mapping[str, Any], *, bounded: bool = True
) -> tuple[str, list[dict[str, Any]]]:
    """The text and blocks of a message.

    Args:
        arguments: with ``text``, ``blocks`` or both.
        bounded: refuse blocks that are too long together; not seen through a ``response_url``.

    Raises:
        Refusal: ``no_text``, ``invalid_blocks_format``, ``invalid_blocks``, or ``msg_blocks_too_long``.
    """
    blocks = arguments.get("blocks")
    if blocks is not None and not isinstance(blocks, list):
        raise Refusal("invalid_blocks_format")
    blocks = copy.deepcopy(blocks or [])
    said = block_kit.complaints(blocks, "message")
    if said:
        raise Refusal("invalid_blocks", errors=said, response_metadata={"messages": said})
    read = list(block_kit.texts(blocks))
    if bounded and sum(len(text) for text in read) > BLOCKS_TEXT_LIMIT:
        raise Refusal("msg_blocks_too_long")
    text = str(arguments.get("text") or "")
    if not text and not blocks:
        raise Refusal("no_text")
    name_blocks(blocks)
    # Without a text Slack builds one of the blocks, for notifications and screen readers.
    return text or " ".join(read), blocks


def _metadata(arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """A message's metadata; ``{}`` takes it away.

    Raises:
        Refusal: ``invalid_metadata_format``.
    """
    metadata = arguments.get("metadata")
    if not metadata:
        return None
    if (
        not isinstance(metadata, dict)
        or not isinstance(metadata.get("event_type"), str)
        or not isinstance(metadata.get("event_payload"), dict)
    ):
        raise Refusal("invalid_metadata_format")
    return copy.deepcopy(metadata)
