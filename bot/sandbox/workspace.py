"""The state of a Slack workspace and its rules, with no HTTP in it.

People and channels, messages and threads, what is only visible to one person, the view each person
has open, triggers and response URLs. What Slack would refuse is a ``Refusal`` with Slack's own error
code. Facts are from https://docs.slack.dev unless a comment names another source.
"""

import re
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any

from bot.sandbox import blocks
from bot.sandbox.cast import BOT_USER, SLACKBOT, TEAM, Channel
from bot.sandbox.directory import Directory
from bot.sandbox.messages import Ephemeral, Handle, Message, Refusal, invalid_arguments
from bot.sandbox.modals import BANNER, REQUIRED, Modal

SCOPES = frozenset({"commands", "chat:write", "chat:write.public", "users:read"})
"""What ``manifest.yml`` asks for; a test holds the two together."""

TRIGGER_LIFE = 3.0
"""Seconds a ``trigger_id`` can be used, once (https://docs.slack.dev/interactivity)."""
RESPONSE_URL_LIFE = 30 * 60.0
"""Seconds a ``response_url`` can be used, five times
(https://docs.slack.dev/interactivity/handling-user-interaction#message_responses)."""
RESPONSE_URL_USES = 5
SHORT_TEXT_LIMIT = 4_000
"""Characters beyond which ``chat.update`` and ``chat.postEphemeral`` refuse a text."""

ANSWER_AHEAD = 0.5
"""Seconds for which the answer to a submit may be on its way while the app goes on."""

_TS = re.compile(r"\d+\.\d{6}")


class Workspace(Directory):
    """A workspace with the app installed in it. Safe to use from any thread.

    Args:
        clock: seconds since the epoch.
        changed: called after every change.

    Attributes:
        homes: the app's Home by user, where it was published.
        scopes: what the app was granted.
        validate: judges a ``view`` or the ``blocks`` of a message, and gives what Slack would say
            against it; every block is taken at first.
    """

    def __init__(self, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        super().__init__()
        self.homes: dict[str, Modal] = {}
        self.scopes = SCOPES
        self.validate: Callable[[str, Any], list[str]] = lambda _kind, _value: []
        self._clock = clock
        self._changed = changed
        self._lock = threading.Condition()
        self._messages: list[Message] = []
        self._ephemerals: list[Ephemeral] = []
        self._modals: dict[str, Modal] = {}
        self._triggers: dict[str, Handle] = {}
        self._response_urls: dict[str, Handle] = {}
        self._last_ts = 0

    # Messages

    def messages(self, channel: str) -> list[Message]:
        """What people see in a channel, replies in threads among it, oldest first."""
        return [m for m in list(self._messages) if m.channel == channel and m.visible]

    def message(self, channel: Any, ts: Any) -> Message:
        """One message.

        Raises:
            Refusal: ``message_not_found``.
        """
        for message in list(self._messages):
            if (message.channel, message.ts) == (channel, ts):
                return message
        raise Refusal("message_not_found")

    def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """Post a message as a person.

        Raises:
            Refusal: ``is_archived``, ``not_in_channel``, or ``restricted_action`` where only admins post.
        """
        where = self.channel(channel)
        if where.is_archived:
            raise Refusal("is_archived")
        if user not in where.members:
            raise Refusal("not_in_channel")
        if where.is_restricted and self.people[user].get("is_admin") is not True:
            raise Refusal("restricted_action")
        return self._put(Message(channel, self._new_ts(), user, text, thread_ts=thread_ts))

    def post(self, arguments: Mapping[str, Any]) -> Message:
        """``chat.postMessage``.

        Raises:
            Refusal: ``channel_not_found``, ``is_archived``, ``not_in_channel``, ``restricted_action``,
                ``invalid_thread_ts``, or one of the codes for content.
        """
        channel = self._channel_for_posting(arguments.get("channel"))
        text, content = self._content(arguments)
        message = Message(channel.id, self._new_ts(), BOT_USER, text, content)
        message.thread_ts = thread_ts = arguments.get("thread_ts")
        if thread_ts is not None:
            if not _TS.fullmatch(str(thread_ts)):
                raise Refusal("invalid_thread_ts")
            parents = (m.ts for m in self.messages(channel.id) if m.thread_ts is None)
            message.visible = thread_ts in parents
        return self._put(message)

    def edit(self, arguments: Mapping[str, Any]) -> Message:
        """``chat.update``: only the bot's own, and text without blocks drops the blocks.

        Raises:
            Refusal: ``channel_not_found``, ``message_not_found``, ``cant_update_message``,
                ``is_archived``, ``msg_too_long``, or one of the codes for content.
        """
        channel = self.channel(arguments.get("channel"))
        message = self.message(channel.id, arguments.get("ts"))
        if not message.is_bot:
            raise Refusal("cant_update_message")
        if channel.is_archived:
            raise Refusal("is_archived")
        self._rewrite(message, *self._content(arguments, most=SHORT_TEXT_LIMIT))
        return message

    def press_failed(self, message: Message, failed: bool) -> None:
        """Show, or take away, Slack's warning beside a button."""
        message.trouble = failed
        self._changed()

    # Only visible to one person

    def ephemerals(self, user: str, channel: str | None = None) -> list[Ephemeral]:
        """What only this person sees, oldest first."""
        return [
            ephemeral
            for ephemeral in list(self._ephemerals)
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
        return self._show(Ephemeral("", channel, user, text, author=SLACKBOT))

    def answer_command(self, user: str, channel: str, content: Mapping[str, Any]) -> None:
        """Show what an app answered a command with, in the acknowledgement itself.

        Raises:
            Refusal: one of the codes for content.
        """
        self._show(Ephemeral("", channel, user, *self._content(content)))

    def post_ephemeral(self, arguments: Mapping[str, Any]) -> Ephemeral:
        """``chat.postEphemeral``.

        Raises:
            Refusal: as ``post``, or ``user_not_in_channel``, ``msg_too_long``.
        """
        channel = self._channel_for_posting(arguments.get("channel"))
        user = str(arguments.get("user"))
        if user not in channel.members or self.people[user]["deleted"]:
            raise Refusal("user_not_in_channel")
        content = self._content(arguments, most=SHORT_TEXT_LIMIT)
        thread_ts = arguments.get("thread_ts")
        return self._show(Ephemeral("", channel.id, user, *content, thread_ts=thread_ts))

    # Triggers and views

    def new_trigger(self, user: str) -> str:
        """A ``trigger_id`` for this person, as it goes out with what they did."""
        trigger = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._triggers[trigger] = Handle(user, self._clock())
        return trigger

    def modal(self, user: str) -> Modal | None:
        """The modal a person sees."""
        return self._modals.get(user)

    def open_view(self, arguments: Mapping[str, Any]) -> Modal:
        """``views.open``: the view takes the place of whatever the person had open.

        Raises:
            Refusal: ``invalid_arguments``, ``duplicate_external_id``, ``invalid_trigger_id``,
                ``expired_trigger_id``, or ``exchanged_trigger_id``.
        """
        with self._lock:
            view = self._checked(arguments.get("view"))
            trigger = self._triggers.get(str(arguments.get("trigger_id")))
            if trigger is None:
                raise Refusal("invalid_trigger_id")
            if trigger.uses:
                raise Refusal("exchanged_trigger_id")
            if self._clock() - trigger.issued > TRIGGER_LIFE:
                raise Refusal("expired_trigger_id")
            trigger.uses += 1
            modal = Modal(f"V{blocks.token(10)}", trigger.user, view, self._new_hash())
            self._modals[modal.user] = modal
        self._changed()
        return modal

    def update_view(self, arguments: Mapping[str, Any]) -> Modal:
        """``views.update``: of a view on anyone's screen, by ``view_id`` or ``external_id``.

        Raises:
            Refusal: ``invalid_arguments``, ``duplicate_external_id``, ``hash_conflict``, or
                ``not_found`` when it isn't open any more.
        """
        view_id, external_id = arguments.get("view_id"), arguments.get("external_id")

        def is_free() -> bool:
            return not any(m.busy for m in self._modals.values() if m.id == view_id)

        with self._lock:
            # What an app does once it has answered a submit comes after that answer, also here, where
            # nothing takes its time on the way.
            self._lock.wait_for(is_free, ANSWER_AHEAD)
            for modal in [*self._modals.values(), *self.homes.values()]:
                name = modal.id if view_id else modal.view.get("external_id")
                if name and name == (view_id or external_id):
                    return self._replace(modal, arguments)
        raise Refusal("not_found")

    def publish_view(self, arguments: Mapping[str, Any]) -> Modal:
        """``views.publish``: the app's Home, as one person sees it.

        Raises:
            Refusal: ``user_not_found``, ``invalid_arguments``, or ``hash_conflict``.
        """
        user = arguments.get("user_id")
        with self._lock:
            if user in self.homes:
                return self._replace(self.homes[user], arguments)
            if user not in self.people:
                raise Refusal("user_not_found")
            view = self._checked(arguments.get("view"))
            home = self.homes[user] = Modal(f"V{blocks.token(10)}", user, view, self._new_hash())
        self._changed()
        return home

    def choose(self, modal: Modal, block_id: str, action_id: str, values: list[str]) -> None:
        """Leave exactly these values in one element of a view.

        Raises:
            LookupError: when there is no such element, or no such option in it.
        """
        with self._lock:
            modal.choose(block_id, action_id, values)
        self._changed()

    def begin_submit(self, modal: Modal, check: bool = True) -> str | None:
        """Someone presses a modal's submit button.

        Returns:
            Why Slack's own client sends nothing: ``no_submit``, ``busy`` (the button is dead while a
            submit is under way), or ``required``; ``None`` when the submit goes out.
        """
        with self._lock:
            if "submit" not in modal.view:
                return "no_submit"
            # Sent already, it may have been closed by its answer since somebody looked.
            if modal.busy or self._modals.get(modal.user) is not modal:
                return "busy"
            modal.banner = None
            modal.errors = dict.fromkeys(modal.unanswered(), REQUIRED) if check else {}
            modal.busy = not modal.errors
        self._changed()
        return None if modal.busy else "required"

    def end_submit(self, modal: Modal, answer: Mapping[str, Any] | None) -> None:
        """Do what the app answered to a submit; an empty answer closes the view.

        Args:
            modal: what was submitted.
            answer: ``None`` when the app was late, or its answer can't be used: Slack shows a banner.

        Raises:
            Refusal: when Slack can't use the answer; the banner is shown then too.
        """
        with self._lock:
            modal.busy = False
            modal.banner = BANNER
            try:
                # What the person closed in the meantime stays closed.
                if answer is not None and self._modals.get(modal.user) is modal:
                    self._act_on_answer(modal, answer)
                    modal.banner = None
            finally:
                self._lock.notify_all()
                self._changed()

    def close(self, user: str) -> Modal | None:
        """A person closes what they see, if anything."""
        with self._lock:
            modal = self._modals.pop(user, None)
        self._changed()
        return modal

    # Response URLs

    def new_response_url(
        self, user: str, channel: str, original: Message | Ephemeral | None = None
    ) -> str:
        """The part of a ``response_url`` that is a secret.

        Args:
            user: who did something.
            channel: where.
            original: the message whose button was pressed, if one was.
        """
        key = f"{TEAM}/{secrets.randbelow(10**13)}/{secrets.token_urlsafe(18)}"
        self._response_urls[key] = Handle(user, self._clock(), 0, channel, original)
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
            original = url.original
            if content.get("delete_original") is True:
                self._messages = [m for m in self._messages if m is not original]
                self._ephemerals = [e for e in self._ephemerals if e is not original]
            elif content.get("replace_original") is True and original is not None:
                self._rewrite(original, *self._content(content))
            else:
                told = self._content(content)
                thread_ts = content.get("thread_ts")
                self._show(Ephemeral("", url.channel, url.user, *told, thread_ts=thread_ts))
            url.uses += 1
        self._changed()

    # What the verbs above are made of

    def _new_ts(self) -> str:
        """Microseconds since the epoch, never the same twice."""
        with self._lock:
            self._last_ts = max(self._last_ts + 1, int(self._clock() * 1_000_000))
            return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def _new_hash(self) -> str:
        return f"{int(self._clock())}.{blocks.token(8)}"

    def _channel_for_posting(self, wanted: Any) -> Channel:
        """Where the app may post, in the order Slack's errors tell it.

        Observed (BeepBoopHQ/in-or-out#19, connorads/lockbot#11): ``not_in_channel`` for a public
        channel, ``channel_not_found`` for a private one or for direct messages between others.
        """
        if str(wanted)[:1] in ("U", "W"):
            return self.app_dm(wanted)
        channel = self.channel(wanted)
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

    def _put(self, message: Message) -> Message:
        self._messages.append(message)
        self._changed()
        return message

    def _show(self, ephemeral: Ephemeral) -> Ephemeral:
        ephemeral.id = self._new_ts()
        self._ephemerals.append(ephemeral)
        self._changed()
        return ephemeral

    def _rewrite(
        self, message: Message | Ephemeral, text: str, content: list[dict[str, Any]]
    ) -> None:
        if isinstance(message, Message):
            message.edits.append(message.text)
            message.edited = message.edited or not content
            message.trouble = False
        message.text, message.blocks = text, content
        self._changed()

    def _content(
        self, arguments: Mapping[str, Any], most: int | None = None
    ) -> tuple[str, list[dict[str, Any]]]:
        """The text and blocks of a message.

        Raises:
            Refusal: ``msg_too_long``, ``no_text``, ``invalid_blocks_format``, or ``invalid_blocks``.
        """
        content = arguments.get("blocks") or []
        text = str(arguments.get("text") or "")
        if not isinstance(content, list):
            raise Refusal("invalid_blocks_format")
        if said := self.validate("blocks", content):
            raise Refusal("invalid_blocks", errors=said, response_metadata={"messages": said})
        if not text and not content:
            raise Refusal("no_text")
        if most is not None and len(text) > most:
            raise Refusal("msg_too_long")
        return text, blocks.with_ids(content)

    def _checked(self, view: Any, replaced: Modal | None = None) -> dict[str, Any]:
        if not isinstance(view, dict) or not isinstance(view.get("blocks"), list):
            raise invalid_arguments(["[ERROR] must provide an object [json-pointer:/view]"])
        if said := self.validate("view", view):
            raise invalid_arguments(said)
        external_id = view.get("external_id")
        others = (modal for modal in self._modals.values() if modal is not replaced)
        if external_id and any(modal.view.get("external_id") == external_id for modal in others):
            raise Refusal("duplicate_external_id")
        return view

    def _replace(self, modal: Modal, arguments: Mapping[str, Any]) -> Modal:
        view = self._checked(arguments.get("view"), modal)
        # https://docs.slack.dev/surfaces/modals, "Avoiding race conditions when using view IDs"
        if arguments.get("hash") not in (None, modal.hash):
            raise Refusal("hash_conflict")
        modal.become(view, self._new_hash())
        self._changed()
        return modal

    def _act_on_answer(self, modal: Modal, answer: Mapping[str, Any]) -> None:
        """By https://docs.slack.dev/surfaces/modals, "Updating a view via response_action"."""
        action = answer.get("response_action")
        if not answer or action == "clear":
            del self._modals[modal.user]
        elif action == "update":
            self._replace(modal, {"view": answer.get("view")})
        elif action == "errors":
            # Errors for anything but inputs of this view bring the banner (slackapi/bolt-js#1414).
            errors = answer.get("errors")
            inputs = {block["block_id"] for block in modal.blocks if block["type"] == "input"}
            if not errors or not inputs.issuperset(errors) or not all(errors.values()):
                raise invalid_arguments(["[ERROR] no input of this view [json-pointer:/errors]"])
            modal.errors = dict(errors)
        else:
            raise invalid_arguments(["[ERROR] unknown [json-pointer:/response_action]"])
