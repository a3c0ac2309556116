"""Slack's Web API: which token and scope a method needs, what it does, and what it answers.

By https://docs.slack.dev/reference/methods; no HTTP in here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox import payloads
from bot.sandbox.workspace import (
    BOT,
    BOT_NAME,
    BOT_USER,
    TEAM,
    TEAM_DOMAIN,
    TEAM_NAME,
    Channel,
    Refusal,
    Workspace,
)

Arguments = Mapping[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True)
class _Method:
    """How a method is guarded.

    Attributes:
        run: what it does.
        scopes: one of these is needed; none when empty.
        kind: which kind of token it takes, ``None`` when it takes none at all.
    """

    run: Callable[[Arguments], Answer]
    scopes: tuple[str, ...] = ()
    kind: str | None = "bot"


class WebApi:
    """Slack's methods, on one workspace, for one app.

    Args:
        workspace: what they act on.
        bot_token: ``xoxb-…``.
        app_token: ``xapp-…``.
        open_link: a URL for Socket Mode, or ``None`` when the app hasn't switched it on.
    """

    def __init__(
        self,
        workspace: Workspace,
        bot_token: str,
        app_token: str,
        open_link: Callable[[], str | None],
    ) -> None:
        self._workspace = workspace
        self._tokens = {bot_token: "bot", app_token: "app"}
        self._open_link = open_link
        chat = ("chat:write",)
        self._methods = {
            "api.test": _Method(_api_test, kind=None),
            "auth.test": _Method(_auth_test),
            "apps.connections.open": _Method(self._open_connection, kind="app"),
            "users.info": _Method(self._users_info, ("users:read",)),
            "views.open": _Method(self._views_open),
            "views.update": _Method(self._views_update),
            "views.push": _Method(self._views_push),
            "chat.postMessage": _Method(self._post_message, chat),
            "chat.update": _Method(self._update_message, chat),
            "chat.postEphemeral": _Method(self._post_ephemeral, chat),
            "chat.delete": _Method(self._delete_message, chat),
            "conversations.open": _Method(
                self._open_conversation,
                ("channels:manage", "groups:write", "im:write", "mpim:write"),
            ),
            "conversations.info": _Method(
                self._conversation_info,
                ("channels:read", "groups:read", "im:read", "mpim:read"),
            ),
        }

    def call(self, method: str, token: str | None, arguments: Arguments) -> Answer:
        """What Slack answers to this call, ``ok: false`` included."""
        try:
            found = self._methods.get(method)
            if found is None:
                raise Refusal("unknown_method", req_method=method)  # noqa: TRY301 (one way out)
            self._check_token(found, token)
            self._check_scopes(found)
            return {"ok": True, **found.run(arguments)}
        except Refusal as refusal:
            return {"ok": False, "error": refusal.error, **refusal.extra}

    def knows(self, token: str | None) -> bool:
        """Whether this is one of the app's tokens."""
        return token in self._tokens

    def _check_token(self, method: _Method, token: str | None) -> None:
        if method.kind is None:
            return
        if not token:
            raise Refusal("not_authed")
        kind = self._tokens.get(token)
        if kind is None:
            raise Refusal("invalid_auth")
        if kind != method.kind:
            raise Refusal("not_allowed_token_type")

    def _check_scopes(self, method: _Method) -> None:
        granted = self._workspace.scopes
        if method.scopes and granted.isdisjoint(method.scopes):
            needed, provided = ",".join(method.scopes), ",".join(sorted(granted))
            raise Refusal("missing_scope", needed=needed, provided=provided)

    def _open_connection(self, _: Arguments) -> Answer:
        url = self._open_link()
        if url is None:
            raise Refusal("socket_mode_disabled")
        return {"url": url}

    def _users_info(self, arguments: Arguments) -> Answer:
        return {"user": self._workspace.person(str(arguments.get("user")))}

    def _views_open(self, arguments: Arguments) -> Answer:
        modal = self._workspace.open_view(arguments.get("trigger_id"), arguments.get("view"))
        return {"view": payloads.view_object(modal)}

    def _views_push(self, arguments: Arguments) -> Answer:
        modal = self._workspace.push_view(arguments.get("trigger_id"), arguments.get("view"))
        return {"view": payloads.view_object(modal)}

    def _views_update(self, arguments: Arguments) -> Answer:
        modal = self._workspace.update_view(
            arguments.get("view"),
            arguments.get("view_id"),
            arguments.get("external_id"),
            arguments.get("hash"),
        )
        return {"view": payloads.view_object(modal)}

    def _post_message(self, arguments: Arguments) -> Answer:
        message = self._workspace.post(arguments)
        return {"channel": message.channel, "ts": message.ts, "message": message.as_object()}

    def _update_message(self, arguments: Arguments) -> Answer:
        message = self._workspace.edit(arguments)
        return {
            "channel": message.channel,
            "ts": message.ts,
            "text": message.text,
            "message": message.as_object(),
        }

    def _post_ephemeral(self, arguments: Arguments) -> Answer:
        return {"message_ts": self._workspace.post_ephemeral(arguments).id}

    def _delete_message(self, arguments: Arguments) -> Answer:
        channel, ts = str(arguments.get("channel")), str(arguments.get("ts"))
        self._workspace.delete(channel, ts)
        return {"channel": channel, "ts": ts}

    def _open_conversation(self, arguments: Arguments) -> Answer:
        users = str(arguments.get("users") or "")
        if users not in self._workspace.people:
            raise Refusal("user_not_found")
        return {"channel": {"id": self._workspace.app_dm(users).id}}

    def _conversation_info(self, arguments: Arguments) -> Answer:
        channel = self._workspace.channel(str(arguments.get("channel")))
        if channel.kind != "public" and BOT_USER not in channel.members:
            raise Refusal("channel_not_found")
        return {"channel": _channel_object(channel)}


def _api_test(arguments: Arguments) -> Answer:
    if "error" in arguments:
        raise Refusal(str(arguments["error"]), args=dict(arguments))
    return {"args": dict(arguments)}


def _auth_test(_: Arguments) -> Answer:
    return {
        "url": f"https://{TEAM_DOMAIN}.slack.com/",
        "team": TEAM_NAME,
        "user": BOT_NAME,
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT,
        "is_enterprise_install": False,
    }


def _channel_object(channel: Channel) -> Answer:
    return {
        "id": channel.id,
        "name": channel.name,
        "is_channel": channel.kind == "public",
        "is_group": False,
        "is_im": channel.kind == "im",
        "is_private": channel.kind != "public",
        "is_archived": channel.is_archived,
        "is_ext_shared": channel.is_ext_shared,
        "is_member": BOT_USER in channel.members,
    }


def headers(scopes: frozenset[str], accepted: str = "") -> dict[str, str]:
    """The headers Slack sends with every answer; Bolt reads the scopes from them."""
    return {
        "x-oauth-scopes": ",".join(sorted(scopes)),
        "x-accepted-oauth-scopes": accepted,
        "x-slack-req-id": secrets.token_hex(16),
        "x-slack-unique-id": secrets.token_urlsafe(20),
        "cache-control": "private, no-cache, no-store, must-revalidate",
        "vary": "Accept-Encoding",
        "referrer-policy": "no-referrer",
    }
