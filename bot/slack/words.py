"""Every sentence a person reads in Slack.

How they are written:

- What happened comes first, then what to do. One thought, one sentence.
- Plain English, sentence case, "e-mail" with a hyphen. No "please", no "oops", no exclamation marks.
- Never claim more than is known: "Kayran took it" is not "reading it back confirms it".
- A person is a mention (``<@U…>``), a time is Slack's own date format, so that everybody reads it
  in their own language and zone.
- Foreign text (Kayran's reasons, its e-mail address) is escaped and cut before it gets here:
  ``quoted``. Slack's three: https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterable

from bot.access import Reason, Role
from bot.changes import Change, Origin, Outcome
from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, Refused
from bot.notifications import NOTIFICATIONS, Flags, Phase
from bot.slack.authorizer import TOKEN_NOT_ACCEPTED

FORM_TITLE = "Kayran e-mails"
SAVE = "Save"
CANCEL = "Cancel"
CLOSE = "Close"
UNDO = "Undo"
TRY_AGAIN = "Try again"
OPEN_FORM = "Open the form"

PHASES = {
    Phase.STARTS: "When a scan starts",
    Phase.RUNS: "While a scan runs",
    Phase.ENDS: "When a scan ends",
}
LABELS = {n.parameter: n.label for n in NOTIFICATIONS}

_ROLE_NAMES = {
    Role.PRIMARY_OWNER: "primary owner",
    Role.OWNER: "owner",
    Role.ADMIN: "admin",
    Role.MEMBER: "member",
}
_ARTICLES = {Role.OWNER: "an", Role.ADMIN: "an"}

_OBSTACLES = {
    Obstacle.UNREACHABLE: "no connection to Kayran could be made",
    Obstacle.UNTRUSTED: "Kayran's TLS certificate could not be verified",
    Obstacle.TIMED_OUT: "Kayran did not answer in time",
    Obstacle.DROPPED: "the line was cut before Kayran had answered",
    Obstacle.UNREADABLE: "what Kayran answered is not what its API documents",
    Obstacle.TOO_LONG: "Kayran's answer was too long to be one",
    Obstacle.REDIRECTED: "Kayran pointed to another address, where the bot sends no key",
    Obstacle.OTHER_KEY: "the bot was given another Kayran key in the meantime",
    Obstacle.UNEXPECTED: "something went wrong in the bot itself",
}

QUOTE_AT_MOST = 300


def quoted(foreign: str, at_most: int = QUOTE_AT_MOST) -> str:
    """Foreign text made safe to stand in Slack's mrkdwn: on one line, cut, escaped, no backticks, and
    without what nobody sees: controls, and what turns the text around.
    """
    seen = (c for c in foreign if c.isspace() or unicodedata.category(c)[0] != "C")
    line = " ".join("".join(seen).split()).replace("`", "'")
    cut = line if len(line) <= at_most else line[: at_most - 1] + "…"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def person(user: str) -> str:
    """A mention."""
    return f"<@{user}>"


def moment(seconds: float) -> str:
    """A time as Slack shows it to each reader, with UTC for what can't."""
    utc = dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
    return f"<!date^{int(seconds)}^{{date_short_pretty}} at {{time}}|{utc:%Y-%m-%d %H:%M} UTC>"


def on_off(value: bool | None) -> str:
    """One flag."""
    return "not known" if value is None else "on" if value else "off"


def listing(words: Iterable[str]) -> str:
    """Words in a row: "Pause", "Pause and Stop", "Pause, Stop and Delete"."""
    *head, last = list(words) or [""]
    return f"{', '.join(head)} and {last}" if head else last


def labels(parameters: Iterable[str]) -> str:
    """Notifications by their labels, in a row."""
    return listing(LABELS[p] for p in parameters)


# The command, and who may


def usage() -> str:
    """The answer to ``/kayran-notify help``."""
    return (
        "`/kayran-notify` opens a form with Kayran's nine e-mail notifications. Tick what an e-mail "
        "is to be sent for, save, and read the result in the thread."
    )


def loading() -> str:
    """The form, at once."""
    return (
        "Asking Slack who you are and Kayran what is set now. "
        "If this is still here after ten seconds, close it and run `/kayran-notify` again."
    )


def loading_title_line() -> str:
    """For a view that has nothing else to show yet."""
    return "*One moment*"


def refusal(reason: Reason, role: Role | None, roles: Iterable[Role]) -> str:
    """Why someone may not, and what to do."""
    wanted = [_ROLE_NAMES[role] for role in Role if role in set(roles)]
    needed = listing(wanted).replace(" and ", " or ")
    who = f"Kayran's notifications can be changed by a workspace {needed}."
    if reason is Reason.ROLE_NOT_ALLOWED and role is not None:
        you_are = f"You are {_ARTICLES.get(role, 'a')} {_ROLE_NAMES[role]}."
        return f"{who} {you_are} Ask one of them to make the change."
    if reason is Reason.NO_ANSWER:
        return (
            "Slack did not say who you are, and without that nobody is let in. "
            "Nothing was changed. Try again in a moment; if it happens again, ask whoever runs the "
            "bot: its log says why."
        )
    barred = {
        Reason.OTHER_TEAM: "Your account belongs to another workspace.",
        Reason.OTHER_TEAM_OF_ORGANISATION: (
            "Slack lists your account under another workspace of your organisation, and does not say "
            "what your role is in this one."
        ),
        Reason.DEACTIVATED: "Your account is deactivated.",
        Reason.BOT: "This is a bot's account.",
        Reason.GUEST: "You are a guest in this workspace.",
    }.get(reason, "")
    return f"{who} {barred} Ask one of them to make the change."


def refusal_heading(reason: Reason) -> str:
    """Above a refusal."""
    if reason is Reason.NO_ANSWER:
        return "*The form can't be shown now*"
    return "*You may not change Kayran's notifications*"


def trigger_expired() -> str:
    """Slack would not open the form any more."""
    return (
        "Slack would not open the form: it took too long to get here. Nothing was changed. "
        "Press the button to try again."
    )


def opened_already() -> str:
    """The trigger was used: by a second delivery of the same command, if not by trying it again."""
    return (
        "Slack has opened a form for this already, and opens no other. If you don't see it, press the "
        "button."
    )


def not_opened() -> str:
    """Slack did not open the form, for whatever reason."""
    return "Slack did not open the form. Nothing was changed. Press the button to try again."


def not_filled() -> str:
    """Slack did not take the form's content."""
    return (
        "Slack did not take the form's content in time. Nothing was changed. "
        "Close the form and run `/kayran-notify` again."
    )


def store_unavailable() -> str:
    """The database does not answer."""
    return (
        "The bot's own record is out of reach, so nothing was done and nothing was changed. "
        "Try again in a minute."
    )


def unexpected(reference: str) -> str:
    """Something nobody foresaw."""
    return (
        f"Something went wrong in the bot (reference {reference}). Try again; if it happens again, "
        "give the reference to whoever runs the bot: it is in its log."
    )


def unexpected_at_save(reference: str) -> str:
    """Something nobody foresaw, before the change was on record."""
    return f"Not saved. {unexpected(reference)}"


def older_release() -> str:
    """A form, button or command that this release does not know."""
    return (
        "This belongs to an older release of the bot, or to a Kayran key that was replaced, and "
        "nothing was done. "
        "Run `/kayran-notify` to start again."
    )


def unknown_command(command: str) -> str:
    """A command this bot was not made for."""
    return f"This bot does not know {quoted(command, 40)}. Its command is `/kayran-notify`."


# The form


def masked(mailbox: str) -> str:
    """An e-mail address that can be recognised by who knows it, and not read by who does not."""
    name, at, domain = mailbox.partition("@")
    if not at or not name:
        return "…"
    ends = name[0] + "…" + (name[-1] if len(name) > 2 else "")  # noqa: PLR2004 (a…e of alice)
    return f"{quoted(ends, 10)}@{quoted(domain, 80)}"


def whose_mailbox(mailbox: str | None) -> str:
    """Whom Kayran's e-mails go to."""
    if mailbox is None:
        return "Kayran's e-mails about scans go to the owner of the bot's Kayran key."
    return f"Kayran's e-mails about scans go to *{masked(mailbox)}*, the owner of the bot's key."


def read_just_now(reported: Iterable[str], *, all_nine: bool) -> str:
    """Where the ticks come from: Kayran."""
    if all_nine:
        return "The ticks show what Kayran has set now."
    return f"Kayran has just reported {labels(reported)}."


def kayran_silent(trouble: KayranError) -> str:
    """Kayran could not be asked."""
    return f"Kayran could not be asked what is set now: {why(trouble)}."


def why(trouble: KayranError) -> str:
    """What stood between the bot and an answer, as part of a sentence."""
    if isinstance(trouble, Refused):
        return f"it refused with the words “{quoted(trouble.reason, 120)}”"
    if isinstance(trouble, (NotSent, NoClearAnswer)):
        return _OBSTACLES[trouble.obstacle]
    return "it did not answer"


def obstacle(value: str | None) -> str:
    """The same from the record."""
    if value is None or not _is_obstacle(value):
        return "Kayran gave no clear answer"
    return _OBSTACLES[Obstacle(value)]


def _is_obstacle(reason: str) -> bool:
    """Whether a reason on record is the bot's own word; any other is Kayran's."""
    return any(reason == known.value for known in Obstacle)


def last_set_here(parameters: Iterable[str], change: Change) -> str:
    """Where the ticks come from: the bot's own record."""
    return (
        f"Shown as last set here by {person(change.user)}, {moment(change.asked_at)}, "
        f"since Kayran does not say: {labels(parameters)}."
    )


def underway(change: Change) -> str:
    """Where the ticks come from: a change that is on its way."""
    return (
        f"Change {change.number} by {person(change.user)} is on its way to Kayran; "
        "the ticks show what it sets."
    )


def not_known(parameters: Iterable[str]) -> str:
    """Nothing says what is set."""
    return (
        f"Not known, and shown not ticked: {labels(parameters)}. "
        "Kayran does not say, and the bot has nothing certain on record."
    )


def not_known_now() -> str:
    """Added to an option's description."""
    return "not known now"


def sets_all_nine() -> str:
    """What saving does."""
    return "Saving sets all nine: what is ticked to on, what is not ticked to off."


def came_back() -> str:
    """The form was not saved, because something had changed."""
    return (
        "*Not saved yet.* What this form showed has changed since. It now shows what is true, "
        "with your own changes laid over it. Check it and save again."
    )


def changed_meanwhile(change: Change) -> str:
    """Somebody else's change, for a form that came back."""
    who = f"{person(change.user)}, {moment(change.asked_at)}"
    if change.outcome in (Outcome.REFUSED, Outcome.FAILED, Outcome.SUPERSEDED):
        return f"• Change {change.number} by {who}: did not take effect"
    if change.outcome is Outcome.UNSURE:
        steps = listing(_step(change.before, change.wanted.as_flags(), change.asks_for()))
        asked_for = f" ({steps})" if steps else ""
        return f"• Change {change.number} by {who}: not certain whether it took effect{asked_for}"
    steps = listing(_step(change.before, change.leaves(), change.asks_for()))
    state = ", on its way" if change.outcome is None else ""
    return f"• Change {change.number} by {who}{state}: {steps or 'set all nine as they were'}"


def changed_elsewhere(shown: Flags, now: Flags, parameters: Iterable[str]) -> str:
    """What differs though nobody changed it from here."""
    return f"• In Kayran itself: {listing(_step(shown, now, parameters))}"


def proposal(origin: Origin, change: Change) -> str:
    """Above a form that a button opened, because things have moved on since."""
    what = "undo" if origin is Origin.UNDO else "repeat"
    return (
        f"*Something was changed after change {change.number}.* The form shows what is true now, "
        f"with what would {what} change {change.number} laid over it. Check it and save."
    )


def store_unavailable_at_save() -> str:
    """Under the form: the ticks stay. The save may have gone through where the answer was lost."""
    return (
        "It may not be saved: the bot's database gave no answer. Save again in a minute; "
        "what is saved already is not saved twice."
    )


def slack_silent_at_save() -> str:
    """Under the form: nothing is lost, the ticks stay."""
    return (
        "Not saved: Slack did not say who you are. Save again in a moment; if it happens "
        "again, ask whoever runs the bot: its log says why."
    )


# The thread


def asked(change: Change) -> str:
    """The parent message: who asked for what."""
    steps = listing(_step(change.before, change.wanted.as_flags(), change.ticked_otherwise()))
    asked_for = f": {steps}" if steps else ", with every tick left as it was"
    return (
        f"{person(change.user)} asked for change {change.number} of Kayran's "
        f"e-mail notifications{asked_for}."
    )


def state(change: Change) -> str:
    """The parent message's second line."""
    if change.outcome is Outcome.APPLIED and change.found.contradicting(change.wanted.as_flags()):
        return "Applied, but Kayran shows something else now. The thread says what."
    return {
        None: "On its way to Kayran.",
        Outcome.APPLIED: "Applied. The thread says how that is known.",
        Outcome.REFUSED: "Refused by Kayran. The reason is in the thread.",
        Outcome.FAILED: "Failed: nothing was sent. The reason is in the thread.",
        Outcome.UNSURE: "Not certain whether it took effect. The thread says what is known.",
        Outcome.SUPERSEDED: f"Superseded by change {change.superseded_by} before it was sent.",
    }[change.outcome]


def headline(change: Change) -> str:
    """How it ended, in bold and in a sentence or two."""
    number = f"Change {change.number}"
    by = _asked_by(change)
    return {
        None: f"*{number} is on its way.*{by}",
        Outcome.APPLIED: f"*{number} is applied.*{by} {_evidence(change)}",
        Outcome.REFUSED: f"*{number} was refused by Kayran.*{by} Nothing was changed.",
        Outcome.FAILED: (
            f"*{number} failed, and nothing was sent:* {obstacle(change.reason)}.{by} "
            "Nothing was changed."
        ),
        Outcome.UNSURE: (
            f"*It is not certain whether {number.lower()} took effect.*{by} {_what_is_uncertain(change)}"
        ),
        Outcome.SUPERSEDED: (
            f"*{number} was superseded by change {change.superseded_by}.*{by} The newer change was "
            "saved before this one was sent, so Kayran never got this one."
        ),
    }[change.outcome]


def _what_is_uncertain(change: Change) -> str:
    """Why nobody knows how it ended: after a try that was cut short, another one's failing says little."""
    cut_short = "An earlier try was cut short"
    if change.is_of_another_key:
        return f"{cut_short}, and the bot has been given another Kayran key since, so it can't find out."
    if change.tries > 1:
        again = f"Sent again, it failed: {obstacle(change.reason)}."
        if change.reason is not None and not _is_obstacle(change.reason):
            again = f"Sent again, Kayran refused it with the words “{quoted(change.reason, 120)}”."
        return f"{cut_short}, and nobody knows how that ended. {again} Reading back does not settle it."
    sent = "It may have been sent" if change.reason == Obstacle.UNEXPECTED.value else "It was sent"
    return f"{sent}, but {obstacle(change.reason)}, and reading back does not settle it."


def _asked_by(change: Change) -> str:
    what = {
        Origin.FORM: "Asked for by",
        Origin.UNDO: "Undo, asked for by",
        Origin.TRY_AGAIN: "Another try, asked for by",
    }[change.origin]
    return f" {what} {person(change.user)}."


def _evidence(change: Change) -> str:
    """How it is known that a change was applied."""
    readable = [p for p, value in change.found if value is not None]
    took = "Kayran took it" if change.reason is None else _sentence(obstacle(change.reason))
    if change.reason is not None and not _is_obstacle(change.reason):
        took = "An earlier try was cut short, and Kayran refused the next"
    if not readable:
        return f"{took}, but did not say afterwards what is set."
    if change.found.contradicting(change.wanted.as_flags()):
        return f"{took}, but reading back shows something else where marked."
    if change.reason is not None:
        return f"{took}, but reading back shows it."
    if len(readable) == len(NOTIFICATIONS):
        return f"{took}, and reading back confirms all nine."
    return f"{took}, and reading back confirms the {_count(len(readable))} that Kayran reports."


def changed_line(change: Change, parameter: str) -> str:
    """One notification that was to change: before → after, and how sure that is."""
    before, after = change.before[parameter], change.wanted[parameter]
    step = f"• *{LABELS[parameter]}*: {on_off(before)} → {on_off(after)}"
    sureness = _sureness(change, parameter)
    return f"{step} ({sureness})" if sureness else step


def strayed_line(change: Change, parameter: str) -> str:
    """One notification that was to stay, and did not."""
    return (
        f"• *{LABELS[parameter]}*: was sent as {on_off(change.wanted[parameter])}, "
        f"but Kayran shows {on_off(change.found[parameter])}"
    )


def _sureness(change: Change, parameter: str) -> str:
    found, wanted = change.found[parameter], change.wanted[parameter]
    if change.outcome is Outcome.APPLIED:
        if found is None:
            return "sent, Kayran does not report it"
        return "confirmed" if found is wanted else f"differs: Kayran shows {on_off(found)}"
    if change.outcome is Outcome.UNSURE:
        return "Kayran does not report it" if found is None else f"Kayran shows {on_off(found)}"
    return ""


def nothing_differs(change: Change) -> str:
    """A change that asked for what was there already."""
    if change.outcome in (Outcome.FAILED, Outcome.SUPERSEDED):
        return "It asked for nothing that differs from what was known before."
    return "Nothing differs from what was known before; all nine were sent again."


def it_asked_for() -> str:
    """Above what a change would have done that did not take effect."""
    return "*It asked for:*"


def the_rest(change: Change, parameters: Iterable[str]) -> str:
    """What was to stay as it was, in one line."""
    each = listing(f"{LABELS[p]} {on_off(change.wanted[p])}" for p in parameters)
    return f"Unchanged: {each}." if each else ""


def all_off() -> str:
    """A warning: silence would read as "all is well"."""
    return "All nine are off now: Kayran sends no e-mail about any scan."


def kayrans_words(reason: str | None) -> str:
    """Kayran's reason; set as code, in which Slack reads no markup of any kind."""
    said = quoted(reason or "")
    return f"Kayran's words: `{said}`" if said else "Kayran gave no reason."


def what_to_do(change: Change) -> str:
    """The next step after a change that did not go through."""
    if change.is_of_another_key:
        return "Run `/kayran-notify` to make the change with the key the bot has now."
    return {
        Outcome.REFUSED: (
            "Check in Kayran that the bot's key is valid, that its owner is an Admin, and that "
            "“API Status” is on in Server Settings. Then press Try again."
        ),
        Outcome.FAILED: (
            "Ask whoever runs the bot to check its certificates, then press Try again."
            if change.reason == Obstacle.UNTRUSTED.value
            else "Press Try again once Kayran can be reached."
        ),
        Outcome.UNSURE: (
            "Look in Kayran, or press Try again: it sends the same nine once more, "
            "which does no harm if they were applied."
        ),
    }.get(change.outcome or Outcome.APPLIED, "")


def follow_up(maker: Change) -> str:
    """In place of a button that somebody used; whether that went through, its own result says."""
    what = "Undo" if maker.origin is Origin.UNDO else "Another try"
    return f"{what} was asked for by {person(maker.user)} as change {maker.number}."


def already_used(maker: Change) -> str:
    """To whoever pressed a button that somebody had used."""
    return f"Nothing was done: {follow_up(maker)[0].lower()}{follow_up(maker)[1:]}"


_CLOSED = {
    "not_in_channel": "the bot is not in the channel",
    "channel_not_found": "the bot can't see the channel it was asked in",
    "is_archived": "the channel is archived",
    "missing_scope": "the bot's token lacks a scope in Slack",
    **dict.fromkeys(TOKEN_NOT_ACCEPTED, "Slack did not accept the bot's token"),
}


def why_here(error: str, channel: str) -> str:
    """Why the result is not in the channel's thread."""
    if channel.startswith("D") and error in ("not_in_channel", "channel_not_found"):
        return "This comes here because the bot is not part of these direct messages."
    reason = _CLOSED.get(error, f"Slack did not take it in the channel ({quoted(error, 60)})")
    if error.startswith("restricted_action"):
        reason = f"the channel does not let the bot post ({quoted(error, 60)})"
    remedy = (
        " To get results there, invite the bot with `/invite @kayran-notify`."
        if error in ("not_in_channel", "channel_not_found")
        else ""
    )
    return f"This comes here because {reason}.{remedy}"


def _step(before: Flags, after: Flags, parameters: Iterable[str]) -> list[str]:
    return [f"{LABELS[p]} {on_off(before[p])} → {on_off(after[p])}" for p in parameters]


def _count(number: int) -> str:
    return ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"][number]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
