"""The sandbox's page: what there is to see, and what a person does, over both stand-ins and the bot.

Pages are rendered here and state is kept here, so a reload loses nothing. A page is made of regions;
one stream of events tells it which of them have changed, and it fetches those. Who one is and where
stands in the page's address (``?as=U…&in=C…&thread=…``), so that two windows can be two people.

Served on loopback alone, to this machine's own browser alone: another site's page, or another name
for 127.0.0.1, gets nothing (a page anywhere could otherwise press buttons here).
"""

import contextlib
import html
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cheroot.wsgi import Server
from flask import Flask, Response, abort, render_template, request, send_from_directory

from bot.notifications import NOTIFICATIONS
from bot.sandbox.blocks import HOLDS, elements, values_of
from bot.sandbox.cast import APP_NAME, BOT_USER, ON_THE_PAGE, TEAM, Channel
from bot.sandbox.kayran import KayranStandIn
from bot.sandbox.manifest import Manifest, Shortcut
from bot.sandbox.messages import Ephemeral, Message, Refusal
from bot.sandbox.modals import Modal
from bot.sandbox.mrkdwn import mrkdwn
from bot.sandbox.process import BotProcess
from bot.sandbox.slack import COMMAND, SlackStandIn

PAGE = Path(__file__).parent / "page"

REGIONS = ("who", "messages", "thread", "modal", "kayran", "bot", "wire")
"""The parts of a page that are rendered anew on their own, each by the template of its name."""

KEEPALIVE = 2.0
"""Seconds after which a stream with no news writes something, to notice that its page has gone."""

THREADS = 40
"""Requests served at once. A page's stream takes one for as long as the page is open."""

REQUESTS_SHOWN = 50

HOME = "home"
"""In the page's address, where the app's Home is looked at and no channel."""

LEASE = 30
"""Seconds for which a change that was being sent stays with a process that was killed."""

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}

REFUSALS = {
    "is_archived": "The channel is archived: nobody can post in it.",
    "not_in_channel": "Only its members can post in this channel.",
    "restricted_action": "Only admins can post in this channel.",
}


@dataclass(frozen=True)
class Viewer:
    """Who looks at a page, and at what; the Home stands beside the app's direct messages."""

    user: str
    channel: Channel
    thread: str | None
    at_home: bool


Form = Mapping[str, str]


class Control:
    """Serves the page.

    Args:
        slack: started, and shared with the bot.
        kayran: started, and shared with the bot.
        bot: the bot's process.
        manifest: what Slack's client offers of the app's.
    """

    def __init__(
        self, slack: SlackStandIn, kayran: KayranStandIn, bot: BotProcess, manifest: Manifest
    ) -> None:
        self._slack = slack
        self._workspace = slack.workspace
        self._name_of = slack.workspace.name_of
        self._kayran = kayran
        self._bot = bot
        self._manifest = manifest
        self._wire = slack.wire
        self._stopping = False
        self._server: Server | None = None
        self._app = self._create_app()

    @property
    def url(self) -> str:
        """The page's address.

        Raises:
            RuntimeError: when it isn't started.
        """
        if self._server is None:
            raise RuntimeError("the page isn't started")
        return f"http://127.0.0.1:{self._server.bind_addr[1]}/"

    def start(self, port: int = 0) -> None:
        """Serve on 127.0.0.1; on any free port when it is 0.

        Raises:
            OSError: when the port is taken.
        """
        with socket.socket() as probe:  # The server's own error has no errno.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
        self._server = Server(("127.0.0.1", port), self._app, THREADS, shutdown_timeout=1)
        self._server.prepare()
        threading.Thread(target=self._server.serve, name="sandbox-page", daemon=True).start()

    def stop(self) -> None:
        """End the pages' streams, then stop serving."""
        self._stopping = True
        self._wire.touch()
        if self._server is not None:
            self._server.stop()

    # Who is let in

    def _create_app(self) -> Flask:
        app = Flask(__name__, static_folder=None, template_folder=str(PAGE))
        app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]
        app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
        app.jinja_env.filters |= {"mrkdwn": self._mrkdwn, "hour": _hour, "second": _second}
        app.before_request(_refuse_other_sites)
        app.after_request(_add_headers)
        app.add_url_rule("/", view_func=self._page, endpoint="page")
        app.add_url_rule('/<any("page.css", "page.js"):name>', view_func=_file, endpoint="file")
        app.add_url_rule("/events", view_func=self._events, endpoint="events")
        app.add_url_rule("/regions/<name>", view_func=self._region, endpoint="region")
        app.add_url_rule("/do/<action>", view_func=self._act, endpoint="act", methods=["POST"])
        return app

    # What there is to see

    def _page(self) -> str:
        rendered = self._render(self._viewer())
        parts = {name: (text, _version(text)) for name, text in rendered.items()}
        menu, hint = self._shortcuts("global"), self._manifest.usage_hint
        return render_template("page.html", parts=parts, shortcuts=menu, hint=hint)

    def _region(self, name: str) -> Response:
        if name not in REGIONS:
            abort(HTTPStatus.NOT_FOUND)
        rendered = self._render(self._viewer(), name)[name]
        return Response(rendered, headers={"ETag": _version(rendered)})

    def _events(self) -> Response:
        """A line for each time something has changed: the version of every region as it is now."""
        viewer = self._viewer()
        if viewer.at_home:
            # Whoever follows it has it open.
            _in_background(lambda: self._slack.open_home(viewer.user))

        def stream() -> Iterator[str]:
            before: dict[str, str] = {}
            while not self._stopping:
                revision = self._wire.revision
                versions = {
                    name: _version(rendered) for name, rendered in self._render(viewer).items()
                }
                yield ":\n\n" if versions == before else f"data: {json.dumps(versions)}\n\n"
                before = versions
                self._wire.wait_for_change(revision, KEEPALIVE)

        return Response(stream(), mimetype="text/event-stream")

    def _viewer(self) -> Viewer:
        """As the address has it; where that names nobody or nothing, the first there is."""
        user = request.args.get("as", "")
        user = user if user in ON_THE_PAGE else ON_THE_PAGE[0]
        channels = self._channels(user)
        wanted = request.args.get("in")
        if wanted == HOME:
            return Viewer(user, self._workspace.app_dm(user), None, at_home=True)
        channel = next((each for each in channels if each.id == wanted), channels[0])
        return Viewer(user, channel, request.args.get("thread"), at_home=False)

    def _render(self, viewer: Viewer, *names: str) -> dict[str, str]:
        """These regions as HTML, or all of them."""
        environment, context = self._app.jinja_env, self._context(viewer)
        return {
            name: environment.get_template(f"{name}.html").render(context)
            for name in names or REGIONS
        }

    def _context(self, viewer: Viewer) -> dict[str, Any]:
        """What the regions' templates draw."""
        user = viewer.user
        timeline = self._timeline(viewer)
        thread = [each for each in timeline if viewer.thread in (each["id"], each["thread"])]
        modal = self._slack.modal(user)
        return {
            "me": user,
            "people": {each: self._person(each) for each in ON_THE_PAGE},
            "neighbour": ON_THE_PAGE[(ON_THE_PAGE.index(user) + 1) % len(ON_THE_PAGE)],
            "at_home": viewer.at_home,
            "channels": {each.id: self._channel(each, user) for each in self._channels(user)},
            "kinds": {each.id: each.kind for each in self._channels(user)},
            "here": HOME if viewer.at_home else viewer.channel.id,
            "home": self._workspace.homes.get(user),
            "app": APP_NAME,
            "message_shortcuts": self._shortcuts("message"),
            "timeline": [each for each in timeline if each["thread"] is None],
            "thread": thread if any(each["id"] == viewer.thread for each in thread) else [],
            "modal": modal,
            "held": _held,
            "notifications": NOTIFICATIONS,
            "kayran": self._kayran,
            "bot": self._bot,
            "lease": LEASE,
            "wire": self._wire.entries[: -REQUESTS_SHOWN - 1 : -1],
            "total": self._wire.total,
        }

    def _shortcuts(self, kind: str) -> list[Shortcut]:
        return [one for one in self._manifest.shortcuts if one.type == kind]

    def _timeline(self, viewer: Viewer) -> list[dict[str, Any]]:
        """Messages, and what only this person sees, oldest first."""
        channel = viewer.channel.id
        timeline = [
            *map(self._entry, self._workspace.messages(channel)),
            *map(self._entry, self._workspace.ephemerals(viewer.user, channel)),
        ]
        for entry in timeline:
            entry["replies"] = sum(each["thread"] == entry["id"] for each in timeline)
        return sorted(timeline, key=lambda entry: float(entry["id"]))

    def _entry(self, message: Message | Ephemeral) -> dict[str, Any]:
        if isinstance(message, Ephemeral):
            at, author = message.id, message.author
        else:
            at, author = message.ts, message.user
        name = self._name_of(author)
        return {
            "id": at,
            "thread": message.thread_ts,
            "author": name,
            "initials": "".join(word[0] for word in name.split()[:2]),
            "is_app": author not in ON_THE_PAGE,
            "is_private": isinstance(message, Ephemeral),
            "message": message,
        }

    def _channels(self, user: str) -> list[Channel]:
        own = self._workspace.app_dm(user)
        return [each for each in self._workspace.channels_of(user) if each is not own] + [own]

    def _person(self, user: str) -> tuple[str, str]:
        """A person's name, and what they are in a word or two."""
        person = self._workspace.people[user]
        titles = {
            "is_primary_owner": "primary owner",
            "is_owner": "owner",
            "is_admin": "admin",
            "is_restricted": "guest",
        }
        title = next((title for flag, title in titles.items() if person.get(flag)), "member")
        is_ours = person["team_id"] == TEAM
        return self._name_of(user), title if is_ours else "from another company"

    def _channel(self, channel: Channel, user: str) -> tuple[str, str]:
        """A channel's name as this person sees it, and whether the bot is in it."""
        others = ", ".join(map(self._name_of, sorted(channel.members - {user})))
        name = f"#{channel.name}" if channel.name else others
        if channel.is_archived:
            return name, "archived"
        if channel.is_restricted:
            return name, "only admins may post"
        private = "private, " if channel.kind == "private" else ""
        is_in = BOT_USER in channel.members
        return name, f"{private}the bot is in it" if is_in else f"{private}the bot is not in it"

    def _mrkdwn(self, text: Mapping[str, str] | str) -> str:
        """A text object of Block Kit, or a message's text."""
        if not isinstance(text, str) and text["type"] == "plain_text":
            return text["text"]
        names = {user: self._name_of(user) for user in self._workspace.people}
        names |= {each.id: each.name for each in list(self._workspace.channels.values())}
        return mrkdwn(text if isinstance(text, str) else text["text"], names)

    # What a person does

    def _act(self, action: str) -> tuple[str, HTTPStatus]:
        actions: Mapping[str, Callable[[Viewer, Form], None]] = {
            "say": self._say,
            "tick": self._tick,
            "submit": self._submit,
            "close": self._close,
            "press": self._press,
            "shortcut": self._shortcut,
            "flag": self._flag,
            "answer": lambda _, form: self._kayran.choose(form["answer"]),
            "kill": lambda _, __: self._bot.kill(),
            "start": lambda _, __: self._bot.start(),
        }
        if action not in actions:
            abort(HTTPStatus.NOT_FOUND)
        try:
            actions[action](self._viewer(), request.form)
        except Refusal as refusal:
            refused = f"Slack would refuse that: {refusal.error}."
            return REFUSALS.get(refusal.error, refused), HTTPStatus.CONFLICT
        except (LookupError, ValueError) as error:
            return f"That can't be done: {error}.", HTTPStatus.CONFLICT
        return "", HTTPStatus.ACCEPTED

    def _say(self, viewer: Viewer, form: Form) -> None:
        user, channel, text = viewer.user, viewer.channel.id, form["text"].strip()
        command, _, rest = text.partition(" ")
        if command == COMMAND:
            _in_background(lambda: self._slack.command(user, channel, rest.strip()))
        elif command.startswith("/"):
            # Slack's own words.
            self._workspace.whisper(
                user,
                channel,
                f"{command} is not a valid command. In Slack, all messages that start with the "
                '"/" character are interpreted as commands.',
            )
        elif text:
            # Slack's own client escapes what people type.
            self._workspace.say(user, channel, html.escape(text, quote=False))

    def _open_modal(self, viewer: Viewer, form: Form) -> Modal:
        """The form the page shows, as long as it is the one that is open."""
        modal = self._slack.modal(viewer.user)
        if modal is None or modal.id != form["view"]:
            raise LookupError("the form is not open any more")
        return modal

    def _tick(self, viewer: Viewer, _: Form) -> None:
        modal = self._open_modal(viewer, request.form)
        for block, element in elements(modal.blocks):
            block_id, action_id = block["block_id"], element["action_id"]
            chosen = [each for each in request.form.getlist(f"{block_id}|{action_id}") if each]
            if element["type"] in HOLDS and chosen != _held(modal, block, element):
                self._slack.choose(viewer.user, block_id, action_id, chosen)

    def _submit(self, viewer: Viewer, form: Form) -> None:
        self._tick(viewer, form)  # What is on the screen is what is sent.
        modal = self._open_modal(viewer, form)
        # Begun here: whatever is drawn from now on shows that it is on its way.
        if self._workspace.begin_submit(modal) is None:
            _in_background(lambda: self._slack.finish_submit(modal))

    def _close(self, viewer: Viewer, form: Form) -> None:
        self._open_modal(viewer, form)
        self._slack.close(viewer.user)

    def _press(self, viewer: Viewer, form: Form) -> None:
        user, channel, slack = viewer.user, viewer.channel.id, self._slack
        # Of several buttons that do the same, the value says which it is.
        action_id, _, text = form["action_id"].partition("|")
        value = text or None
        if "private" in form:
            private = self._workspace.ephemeral(user, form["private"]).id
            _in_background(lambda: slack.press_ephemeral(user, private, action_id, value))
        elif "message" in form:
            ts = self._workspace.message(channel, form["message"]).ts
            _in_background(lambda: slack.press(user, channel, ts, action_id, value))
        else:
            home = self._workspace.homes.get(user)
            is_home = home and home.id == form["view"]
            view = home if home and is_home else self._open_modal(viewer, form)
            _in_background(lambda: slack.press_in_view(view, action_id, value))

    def _shortcut(self, viewer: Viewer, form: Form) -> None:
        """One of those in the menu of a message, or in the one beside the composer."""
        ts, callback_id = form.get("message"), form["callback_id"]
        message = self._workspace.message(viewer.channel.id, ts) if ts else None
        _in_background(lambda: self._slack.shortcut(viewer.user, callback_id, message))

    def _flag(self, _: Viewer, form: Form) -> None:
        self._kayran.set_flag(form["name"], "on" in form, form.get("mailbox", "default"))


def _refuse_other_sites() -> tuple[str, HTTPStatus] | None:
    """Let nobody in but our own page, and what is no browser: that says nothing of where it is."""
    own = f"http://{request.host}"
    site = request.headers.get("Sec-Fetch-Site", "none")
    # A link to the page may stand anywhere.
    from_elsewhere = site not in ("same-origin", "none") and request.path != "/"
    if request.headers.get("Origin", own) != own or from_elsewhere:
        return "Another page can't ask for this.", HTTPStatus.FORBIDDEN
    return None


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _file(name: str) -> Response:
    return send_from_directory(PAGE, name)


def _held(modal: Modal | None, block: Mapping[str, Any], element: Mapping[str, Any]) -> list[str]:
    """The values that are ticked, chosen or typed in one element; none in a message."""
    # The form may turn into another one while it is drawn.
    states = {} if modal is None else modal.state.get(block["block_id"], {})
    held = states.get(element["action_id"])
    return [] if held is None else values_of(held)


def _in_background(act: Callable[[], object]) -> None:
    """Do something that waits for the bot, without keeping the page waiting."""

    def carry_on() -> None:
        # What was there a moment ago may be gone; nothing happens then, as in Slack.
        with contextlib.suppress(Refusal, LookupError):
            act()

    threading.Thread(target=carry_on, name="sandbox-action", daemon=True).start()


def _version(rendered: str) -> str:
    return f"{zlib.crc32(rendered.encode()):08x}"


def _hour(at: str | float) -> str:
    return time.strftime("%H:%M", time.localtime(float(at)))


def _second(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
