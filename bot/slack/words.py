"""Every sentence a person reads in Slack.

How they are written:

- What happened comes first, then what to do. One thought, one sentence, in the fewest words.
- Plain English, sentence case, "e-mail" with a hyphen. No "please", no "oops", no exclamation marks,
  at most one sign, at the front of a status.
- Never claim more than is known: "Kayran took it" is not "checked in Kayran".
- A person is a mention (``<@U…>``), a time is Slack's own date format, so that everybody reads it
  in their own language and zone. Slack's error codes stay in the log.
- Foreign text (Kayran's reasons, its e-mail address) is escaped and cut before it gets here:
  ``quoted``. Slack's three: https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Collection, Iterable, Mapping

from bot.access import Decision, Reason, Role
from bot.asking import Ask, Ending
from bot.changes import Change, CurrentState, Denial, Origin, Outcome
from bot.errors import KayranError, NoClearAnswer, NotSent, Obstacle, Refused
from bot.notifications import NOTIFICATIONS, Flags, Notification, Phase
from bot.slack.authorizer import TOKEN_NOT_ACCEPTED

FORM_TITLE = "Kayran e-mails"
SAVE = "Save"
CANCEL = "Cancel"
CLOSE = "Close"
UNDO = "Undo"
TRY_AGAIN = "Try again"
CHANGE = "Change"
OLDER = "Older"
OPEN_FORM = "Open the form"
ASK_AGAIN = "Ask Kayran again"
SEND_ANYWAY = "Send anyway"
ON_OFF = {True: "On", False: "Off"}

PHASES = {
    Phase.STARTS: "When a scan starts",
    Phase.RUNS: "While a scan runs",
    Phase.ENDS: "When a scan ends",
}
LABELS = {n.parameter: n.label for n in NOTIFICATIONS}

_ROLES = {
    Role.PRIMARY_OWNER: "a primary owner",
    Role.OWNER: "an owner",
    Role.ADMIN: "an admin",
    Role.MEMBER: "a member",
}

_OBSTACLES = {
    Obstacle.UNREACHABLE: "Kayran can't be reached",
    Obstacle.UNTRUSTED: "Kayran's certificate can't be verified",
    Obstacle.TIMED_OUT: "Kayran didn't answer in time",
    Obstacle.DROPPED: "the line to Kayran broke",
    Obstacle.UNREADABLE: "Kayran's answer can't be read",
    Obstacle.TOO_LONG: "Kayran's answer is too long",
    Obstacle.REDIRECTED: "Kayran pointed to another address",
    Obstacle.OTHER_KEY: "the bot has another Kayran key now",
    Obstacle.UNEXPECTED: "something went wrong in the bot",
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


def on_off(value: bool) -> str:
    """One flag."""
    return "on" if value else "off"


def listing(words: Iterable[str]) -> str:
    """Words in a row: "Pause", "Pause and Stop", "Pause, Stop and Delete"."""
    *head, last = list(words) or [""]
    return f"{', '.join(head)} and {last}" if head else last


def _plain_labels(parameters: Iterable[str]) -> str:
    return listing(LABELS[p] for p in parameters)


def _by_value(flags: Mapping[str, bool], one: str, several: str) -> list[str]:
    """Those that are off, then those that are on, each with its verb: *Queue* and *Stop* are off."""
    clauses = []
    for value in (False, True):
        names = [f"*{LABELS[p]}*" for p, v in flags.items() if v is value]
        if names:
            verb = one if len(names) == 1 else several
            clauses.append(f"{listing(names)} {verb}{on_off(value)}")
    return clauses


def _turned(flags: Mapping[str, bool]) -> str:
    """Which flags, and how: *Queue* and *Stop* off and *Aborted* on."""
    return listing(_by_value(flags, "", ""))


def _are(flags: Mapping[str, bool]) -> str:
    """The same as a sentence: *Queue* and *Stop* are off and *Aborted* is on."""
    return listing(_by_value(flags, "is ", "are "))


def _number(change: Change) -> str:
    return f"change {change.number}"


# The command, and who may


LOADING = "Asking Slack who you are and Kayran what is set …"
"""The form, at once."""


def refusal(reason: Reason, role: Role | None, roles: Iterable[Role]) -> str:
    """Why someone may not, and what to do."""
    if reason is Reason.NO_ANSWER:
        return (
            "Slack didn't say who you are, so nothing was done. Try again in a moment. "
            "If it happens again, ask whoever runs the bot: its log says why."
        )
    who = _plural(roles)
    you = {
        Reason.OTHER_TEAM: "Your account is from another workspace.",
        Reason.OTHER_TEAM_OF_ORGANISATION: (
            "Slack lists you in another workspace of your organisation, and doesn't say your role "
            "in this one."
        ),
        Reason.DEACTIVATED: "Your account is deactivated.",
        Reason.BOT: "This is a bot's account.",
        Reason.GUEST: "You're a guest.",
    }.get(reason, f"You're {_ROLES[role]}." if role else "")
    return f"Only workspace {who} can change these. {you} Ask one of them."


def _plural(roles: Iterable[Role]) -> str:
    """The roles that may; whoever is the primary owner is an owner."""
    names = {_ROLES[role].partition(" ")[2] for role in roles}
    if "owner" in names:
        names.discard("primary owner")
    return listing(f"{name}s" for name in sorted(names))


TRIGGER_EXPIRED = (
    "Slack didn't open the form: it heard from the bot too late. Press the button to try again."
)
"""Slack would not open the form any more."""

OPENED_ALREADY = "Slack has opened a form for this already. If you don't see it, press the button."
"""The trigger was used: by a second delivery of the same command, if not by trying it again."""

NOT_OPENED = "Slack didn't open the form. Press the button to try again."
"""Slack did not open the form, for whatever reason."""

NOT_FILLED = (
    "Slack didn't take the form's content in time. Nothing was changed. "
    "Close the form and run `/kayran-notify` again."
)
"""Slack did not take the form's content."""

STORE_UNAVAILABLE = (
    "The bot's database can't be used right now. Nothing was changed. Try again in a minute."
)
"""The database can't be used."""

STORE_UNAVAILABLE_AT_SAVE = (
    "It may not be saved: the bot's database gave no answer. Save again in a minute; "
    "nothing is saved twice."
)
"""Under the form: the ticks stay. The save may have gone through where the answer was lost."""

SLACK_SILENT_AT_SAVE = (
    "Not saved: Slack didn't say who you are. Save again in a moment. If it happens again, "
    "ask whoever runs the bot: its log says why."
)
"""Under the form: nothing is lost, the ticks stay."""


def unexpected(reference: str) -> str:
    """An unexpected error."""
    return (
        f"Something went wrong in the bot (reference {reference}). Try again. If it happens again, "
        "give the reference to whoever runs the bot: it is in its log."
    )


def unexpected_at_save(reference: str) -> str:
    """The same under the form: nobody knows how far it came."""
    return (
        f"It may not be saved: something went wrong in the bot (reference {reference}). Save again; "
        "nothing is saved twice."
    )


OLDER_RELEASE = (
    "Nothing was done: this is from an older release of the bot, or for a Kayran key that was "
    "replaced. Run `/kayran-notify` to start again."
)
"""A form or a button that this release does not know."""


# Words after the command


def usage(roles: Iterable[Role], *, several: bool) -> str:
    """The answer to ``help``.

    Args:
        roles: the roles that may.
        several: whether there is more than one mailbox.
    """
    names = ", ".join(f"`{label.lower()}`" for label in LABELS.values())
    first = " With several mailboxes, one's name comes first; else `default` is meant."
    return f"""\
Workspace {_plural(roles)} can choose which of nine events Kayran sends an e-mail about. Everybody else: ask one of them.
• `/kayran-notify` opens the form. Tick, save, and read the result in the thread.
• `on completed aborted`, `off queue`, `only stop aborted`, `all` or `none` after it open the form with that proposed.
• `status` says what is on, `history` who changed what. Only you see the answer.
• The names are {names}, and `all`.{first if several else ""}
In a thread, use the shortcut “Change Kayran e-mails” on a message. For anything else, ask whoever runs the bot."""


def not_understood(unknown: str, nearest: str | None) -> str:
    """After a word that the command doesn't know, or one that needs another."""
    hint = f" The nearest that can is `{nearest}`." if nearest else ""
    return f"`{quoted(unknown, 40)}` can't be read.{hint} `/kayran-notify help` says what can."


def proposed(now: Flags, choices: Mapping[str, bool]) -> str:
    """Above a form with something proposed."""
    new = {p: value for p, value in choices.items() if now[p] is not value}
    was = {True: "on", False: "off", None: "not known"}
    steps = [f"*{LABELS[p]}* {was[now[p]]} → {on_off(value)}" for p, value in new.items()]
    return f"Proposed: {', '.join(steps) or 'nothing that is not so already'}."


def status(current: CurrentState, mailbox: str) -> list[str]:
    """What is set, and where that comes from.

    Args:
        current: what is true now.
        mailbox: what the mailbox is called, where there are several.
    """
    whose = whose_mailbox(current.report.mailbox)
    nine = [
        f"{heading}: {_plain_labels(group) or 'none'}."
        for heading, value in (("On", True), ("Off", False), ("Not known", None))
        if (group := [p for p, v in current.flags if v is value]) or value is not None
    ]
    lines = [f"*{mailbox}*: {whose}" if mailbox else whose, "\n".join(nine)]
    lines.append(" ".join(sources(current)))
    differing = current.reported.contradicting(current.recorded.knows())
    if now := {p: bool(current.reported[p]) for p in differing}:
        lines.append(f"Changed outside Slack since the last change made here: {_turned(now)}.")
    return lines


NOTHING_ON_RECORD = "Nothing is on record yet."
"""In place of a history."""


def on_record(change: Change, state: str, mailbox: str, thread: str | None) -> str:
    """A change in the history.

    Args:
        change: which.
        state: how it stands now.
        mailbox: what its mailbox is called, where there are several.
        thread: the address of its thread, where it has one.
    """
    which = _number(change) + (f" of *{mailbox}*" if mailbox else "")
    link = f" <{thread}|Thread>" if thread else ""
    return f"{moment(change.asked_at)}, {which}: {asked(change)} {state}{link}"


def denied(denial: Denial) -> str:
    """A denial in the history."""
    who = person(denial.user) if denial.user else "Somebody"
    why = f"{denial.reason}, {denial.role}" if denial.role else denial.reason
    return f"{moment(denial.asked_at)}: {who} was told no ({why})."


# The form


def option(notification: Notification) -> str:
    """A checkbox."""
    return f"*{notification.label}*  {notification.description}"


def choice_label(notification: Notification) -> str:
    """Above On and Off."""
    return f"{notification.label}: {notification.description}"


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
        return "E-mails go to the Kayran key's owner."
    return f"E-mails go to *{masked(mailbox)}*."


def sources(current: CurrentState) -> list[str]:
    """Where what is ticked comes from."""
    newest, trouble = current.recorded.newest, current.report.trouble
    if current.recorded.underway and newest is not None:
        return [f"As {person(newest.user)} is setting them right now ({_number(newest)})."]
    reported = [p for p, value in current.reported if value is not None]
    here = [p for p, v in current.flags if v is not None and p not in reported]
    if not here or newest is None:
        if reported:
            return ["Read from Kayran just now."]
        return [f"{_silence(trouble)}, and nothing is known from here."]
    who, when = person(newest.user), moment(newest.asked_at)
    if reported:
        them = "it" if len(here) == 1 else "them"
        but = f"except {_plain_labels(here)}: as {who} last set {them} here, {when}"
        return [f"Read from Kayran just now, {but}."]
    this = f"This is what {who} last set here, {when}; it may have changed since."
    return [f"{_silence(trouble)}.", this]


def _silence(trouble: KayranError | None) -> str:
    """Why Kayran does not say what is set."""
    if isinstance(trouble, Refused):
        return f"Kayran refused: “{quoted(trouble.reason, 120)}”"
    if isinstance(trouble, (NotSent, NoClearAnswer)):
        return _sentence(_OBSTACLES[trouble.obstacle])
    return "Kayran didn't say what is set"


def choose(parameters: Collection[str], *, silent: bool) -> str:
    """Above the inputs of what is not known."""
    if len(parameters) == len(NOTIFICATIONS):
        return "None of these is known, so choose all nine."
    if silent:
        return "Not known, so choose:"
    return f"Kayran doesn't report {'this' if len(parameters) == 1 else 'these'}, so choose."


CHOOSE_ONE = "Choose On or Off: how it's set isn't known."
"""Under an input in which nothing was chosen."""


def what_saving_does(channel: str, *, in_thread: bool) -> str:
    """Below the form."""
    where = f"<#{channel}>" if channel.startswith(("C", "G")) else "you alone"
    return f"Save sets all nine. The result goes to {'the thread' if in_thread else where}."


CAME_BACK = (
    "*Not saved: something changed while you were editing.* Your ticks are kept. "
    "Check and save again."
)
"""The form was not saved, because something had changed."""


def changed_meanwhile(change: Change) -> str:
    """Somebody else's change, for a form that came back."""
    how = " It didn't take effect." if change.came_to_nothing else ""
    if change.outcome is Outcome.UNSURE:
        how = " Whether it took effect isn't certain."
    return f"• {asked(change)}{how}"


def changed_in_kayran(now: Mapping[str, bool]) -> str:
    """What differs though nobody changed it from here."""
    return f"• In Kayran, {_are(now)} now."


def proposal(origin: Origin, change: Change, since: Iterable[Change]) -> list[str]:
    """Above a form that a button opened, because things have moved on since."""
    choices = change.undo_choices() if origin is Origin.UNDO else change.choices()
    what = (
        f"Undoing {_number(change)}" if origin is Origin.UNDO else f"Trying {_number(change)} again"
    )
    does = f"turns {_turned(choices)}" if choices else "sends all nine as they are"
    return [f"{what} {does}. Check and save.", *(_since(each, choices) for each in since)]


def _since(change: Change, choices: Mapping[str, bool]) -> str:
    """What somebody did since, and whether a proposal leaves it alone."""
    in_effect = change.outcome in (None, Outcome.APPLIED)
    stays = in_effect and not set(change.asks_for()) & set(choices)
    return changed_meanwhile(change) + (" That stays." if stays else "")


NOTHING_TO_CHANGE = "*Nothing to change.* All nine are set like that already, so nothing was sent."
"""The form, where saving it would change nothing."""

SENT_ANYWAY = "All nine are being sent again. The result comes in a thread."
"""The form, after Send anyway."""

# Requests

ASK_TITLE = "Ask an admin"
ASK = "Ask"
REVIEW = "Review"
DECLINE = "Decline"
WITHDRAW = "Withdraw"
ASK_LABELS = {
    "on": "Turn on",
    "off": "Turn off",
    "why": "Why",
    "notify": "Whom to tell",
    "mailbox": "Mailbox",
    "channel": "Channel to ask in",
    "remark": "A line to whoever asked",
}
CHOOSE_SOMETHING = "Choose what to turn on or off."
ONE_MOMENT = "One moment …"
TOO_MANY_REQUESTS = (
    "Not asked: you have three open requests. Withdraw one first, or wait for an answer."
)


def on_and_off(parameters: Collection[str]) -> str:
    """Under an ask form in which something was chosen in both; empty where nothing was."""
    return f"Not both on and off: {_plain_labels(sorted(parameters))}." if parameters else ""


def cannot_post(ask: Ask) -> str:
    """Above an ask form that comes back."""
    return f"*Not asked yet:* Slack didn't take it in <#{ask.channel}>. Choose another channel."


def was_asked(ask: Ask) -> str:
    """To whoever asked."""
    return f"Your request goes to <#{ask.channel}>. You are mentioned there once it is decided."


def request(ask: Ask) -> str:
    """Who asks for what, why, and whom it concerns."""
    where = f" for the mailbox *{quoted(ask.mailbox)}*" if ask.mailbox else ""
    why = f"\n“{quoted(ask.why)}”" if ask.why else ""
    notified = f"\nFor {person(ask.notify)}." if ask.notify else ""
    return f"{person(ask.user)} asks to turn {_turned(ask.choices)}{where}.{why}{notified}"


def request_state(ask: Ask) -> str:
    """How a request stands."""
    by = person(ask.decided_by or ask.user)
    return {
        None: f"Open until {moment(ask.expires_at)}.",
        Ending.GRANTED: f"✅ Granted by {by}. The thread says what came of it.",
        Ending.ALREADY_SO: f"✅ It was set like that already when {by} looked.",
        Ending.DECLINED: f"❌ Declined by {by}.",
        Ending.WITHDRAWN: f"Withdrawn by {by}.",
        Ending.EXPIRED: "Expired: nobody decided on it within seven days.",
        Ending.NOT_POSTED: f"Not asked: Slack didn't take it in <#{ask.channel}>.",
    }[ask.ending]


def request_news(ask: Ask) -> str:
    """In a request's thread, to whoever asked: it has ended without a change."""
    remark = f" “{quoted(ask.remark)}”" if ask.remark else ""
    return f"{person(ask.user)} {request_state(ask)}{remark}"


def not_yours(ask: Ask) -> str:
    """To somebody else who pressed Withdraw."""
    return f"Nothing was done: only {person(ask.user)} can withdraw this."


def of_request(ask: Ask, change: Change) -> str:
    """In the result of a change that granted a request: whose, and what is not as asked."""
    otherwise = "" if change.came_to_nothing else _turned(ask.not_as_asked(change))
    more = f" Otherwise than asked: {otherwise}." if otherwise else ""
    stays = " The request stays open." if change.came_to_nothing else ""
    return f"{person(ask.user)} asked for this.{more}{stays}"


# The thread


def asked(change: Change) -> str:
    """Who turned what on or off: the parent message, and wherever a change is named."""
    turn, put, send = {
        None: ("is turning", "is setting", "is sending"),
        Outcome.APPLIED: ("turned", "set", "sent"),
    }.get(change.outcome, ("wanted to turn", "wanted to set", "wanted to send"))
    known = {p: v for p, v in change.choices().items() if change.before[p] is not None}
    chosen = {p: v for p, v in change.choices().items() if change.before[p] is None}
    clauses = [f"{turn} {_turned(known)}"] if known else []
    if chosen:
        clauses.append(f"{put} {_turned(chosen)} (not known before)")
    what = listing(clauses) or f"{send} all nine again as they were"
    mailbox = f" for *{change.mailbox}*" if change.mailbox else ""
    return f"{person(change.user)} {what}{mailbox}."


def applied(change: Change) -> str:
    """The status of a change that is in effect."""
    if change.contradicted:
        return "⚠️ Kayran said yes, but shows something else. The thread says what."
    if not change.wanted.on:
        return "⚠️ Turned all nine off: Kayran sends no e-mails about scans."
    return "✅ Applied."


def applied_on_another_try(change: Change) -> str:
    """The status of a change that a later try put into effect."""
    by = f"by {person(change.user)} ({_number(change)})."
    if change.contradicted or not change.wanted.on:
        return f"{applied(change)} Tried again {by}"
    return f"✅ Applied on another try, {by}"


def undone(change: Change) -> str:
    """The status of a change that its undo, this one, took back."""
    return f"↩️ Undone by {person(change.user)} ({_number(change)})."


def being_undone(change: Change) -> str:
    """What is added to a status while the undo, this change, is on its way or not certain."""
    if change.outcome is Outcome.UNSURE:
        return f"Not certain whether {person(change.user)} undid it ({_number(change)})."
    return f"{person(change.user)} is undoing it ({_number(change)})."


def not_applied(change: Change, *, again: bool) -> str:
    """The status of a change, or of the latest try at it, that is not in effect."""
    status = {
        None: "⏳ On its way to Kayran.",
        Outcome.REFUSED: f"❌ {_refused(change)} Nothing changed.",
        Outcome.FAILED: f"❌ Not sent: {_why(change)}. Nothing changed.",
        Outcome.UNSURE: "⚠️ Not certain whether it took effect. The thread says what is known.",
        Outcome.SUPERSEDED: f"⏭️ Superseded by change {change.superseded_by} before it was sent.",
    }[change.outcome]
    return (
        f"{status} Tried again by {person(change.user)} ({_number(change)})." if again else status
    )


def result(change: Change) -> list[str]:
    """How it ended, a line for each thing to know."""
    if change.outcome is Outcome.APPLIED:
        return _applied_lines(change)
    if change.outcome is Outcome.UNSURE:
        return [f"⚠️ Not certain whether it took effect: {_uncertain(change)}.", *_shown(change)]
    return [not_applied(change, again=False)]


def _applied_lines(change: Change) -> list[str]:
    lines = []
    if change.contradicted:
        lines.append(
            "⚠️ Kayran said yes, but shows something else. `KAYRAN_API_STYLE` may be the wrong one: "
            "ask whoever runs the bot."
        )
    elif change.reason is not None:
        lines.append(f"{_sentence(_why(change))}, but reading back shows the change.")
    choices = change.choices()
    if not choices:
        lines.append("All nine were sent again as they were.")
    if checked := {p: v for p, v in choices.items() if change.found[p] is v}:
        lines.append(f"{_are(checked)}, checked in Kayran.")
    if unread := {p: v for p, v in choices.items() if change.found[p] is None}:
        lines.append(_not_reported(change, unread))
    if other := {p: not change.wanted[p] for p in change.contradicted}:
        lines.append(f"Kayran shows {_turned(other)}: the opposite of what was sent.")
    if not change.may_leave().settled().on:
        lines.append("⚠️ All nine are off now: Kayran sends no e-mails about scans.")
    return lines


def _not_reported(change: Change, unread: Mapping[str, bool]) -> str:
    """What was sent, and why reading back says nothing about it."""
    names, they = _plain_labels(unread), "it" if len(unread) == 1 else "they"
    if change.contradicted:
        return f"Kayran doesn't report {names}, so {they} may be on or off."
    if change.found == Flags.unknown():
        return f"{_are(unread)}: Kayran took it, but didn't say afterwards what is set."
    return (
        f"{_are(unread)}: Kayran took it, but doesn't report {names}, so {they} can't be checked."
    )


def _shown(change: Change) -> list[str]:
    """What reading back shows of what a change was to change."""
    asked_for = change.asks_for()
    found = {p: v for p in asked_for if (v := change.found[p]) is not None}
    rest = [p for p in asked_for if p not in found]
    lines = [f"Kayran shows {_turned(found)}."] if found else []
    return [*lines, f"It doesn't report {_plain_labels(rest)}."] if rest and found else lines


def _uncertain(change: Change) -> str:
    """Why nobody knows how it ended: after a try that was cut short, another one's failing says little."""
    if change.is_of_another_key:
        return f"an earlier try was cut short, and {_why(change)}"
    if change.tries > 1:
        return f"an earlier try was cut short, then {_why(change)}. Reading back doesn't settle it"
    return f"{_why(change)}, and reading back doesn't settle it"


def _why(change: Change) -> str:
    """What stood between the bot and a yes, as part of a sentence."""
    for obstacle, text in _OBSTACLES.items():
        if change.reason == obstacle.value:
            return text
    return _refused(change)[:-1]


def _refused(change: Change) -> str:
    """Kayran's reason; set as code, in which Slack reads no markup of any kind."""
    said = quoted(change.reason or "")
    return f"Kayran refused: `{said}`." if said else "Kayran refused, and gave no reason."


def follows(change: Change, origin: Change) -> str:
    """Above the result of an undo or another try."""
    if change.origin is Origin.UNDO:
        return f"{person(change.user)} pressed Undo on {_number(origin)}."
    return f"{person(change.user)} tried {_number(origin)} again."


def stays(origin: Change, undo: Change) -> list[str]:
    """What an undo could not put back."""
    kept = {p: undo.wanted[p] for p in origin.not_undone() if p not in undo.asks_for()}
    before = "what it was" if len(kept) == 1 else "what they were"
    return (
        [f"{listing(_by_value(kept, 'stays ', 'stay '))}: {before} before isn't known."]
        if kept
        else []
    )


def remark(change: Change, *, used: bool) -> str:
    """Below a result, in small print: whose change, and the rest of the nine or the next step.

    Args:
        change: one that has ended.
        used: whether its button was used, so that the next step is taken.
    """
    more = "" if used else _what_to_do(change)
    if change.outcome is Outcome.APPLIED:
        more = "" if change.contradicted else _the_rest(change)
    of = f" of *{change.mailbox}*" if change.mailbox else ""
    return f"Change {change.number}{of} by {person(change.user)}. {more}".strip()


def _the_rest(change: Change) -> str:
    rest = len(NOTIFICATIONS) - len(change.asks_for())
    if rest == 1:
        return "The other one is as it was."
    return f"The other {_COUNTS[rest]} are as they were." if 0 < rest < len(NOTIFICATIONS) else ""


def _what_to_do(change: Change) -> str:
    """The next step after a change that did not go through."""
    if change.is_of_another_key:
        return "Run `/kayran-notify` to make it with the key the bot has now."
    if change.reason == Obstacle.UNTRUSTED.value:
        return "Ask whoever runs the bot to check its certificates, then press Try again."
    steps = {
        Outcome.REFUSED: (
            "Check in Kayran that the bot's key is valid, its owner is an Admin and API Status is on. "
            "Then press Try again."
        ),
        Outcome.FAILED: "Press Try again once Kayran can be reached.",
        Outcome.UNSURE: "Look in Kayran, or press Try again: sending it twice does no harm.",
    }
    return steps.get(change.outcome or Outcome.APPLIED, "")


def used(follow_up: Change, by: Change, *, stands: bool, was_undone: bool) -> str:
    """In place of a button that somebody used.

    Args:
        follow_up: the change it made.
        by: that change, or the later one that says how it stands.
        stands: whether it is in effect.
        was_undone: whether it was, and the later one took it back.
    """
    is_undo = follow_up.origin is Origin.UNDO
    what = "Undo" if is_undo else "Another try"
    if was_undone:
        mine = f"{what} by {person(follow_up.user)} ({_number(follow_up)})"
        return f"{mine} was undone by {person(by.user)} ({_number(by)})."
    if stands:
        return undone(by) if is_undo else applied_on_another_try(by)
    state = {None: "is on its way", Outcome.UNSURE: "isn't certain"}.get(
        by.outcome, "had no effect"
    )
    return f"{what} by {person(by.user)} {state} ({_number(by)})."


def already_used(change: Change) -> str:
    """To whoever pressed a button that somebody had used."""
    return f"Nothing was done: {person(change.user)} pressed it before you ({_number(change)})."


def why_here(error: str, channel: str) -> str:
    """Why the result is not in the channel's thread."""
    is_direct = channel.startswith("D")
    where = "those direct messages" if is_direct else f"<#{channel}>"
    if error in ("not_in_channel", "channel_not_found"):
        invite = "" if is_direct else " To get results there: `/invite @kayran-notify`."
        return f"Sent here because the bot isn't in {where}.{invite}"
    if error in TOKEN_NOT_ACCEPTED or error == "missing_scope":
        return "Sent here because Slack doesn't accept the bot's token: tell whoever runs the bot."
    if error == "is_archived":
        return f"Sent here because {where} is archived."
    if error.startswith("restricted_action"):
        return f"Sent here because the bot may not post in {where}."
    return f"Sent here because Slack didn't take it in {where}."


_COUNTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


# App Home


LAST_CHANGES = "*Last changes:*"
"""Above the last changes."""


def home_for_others(decision: Decision, roles: Iterable[Role]) -> list[str]:
    """The Home of whoever may not: what the bot does, who may, how to ask."""
    ask = decision.reason is Reason.ROLE_NOT_ALLOWED
    return [
        "This bot turns Kayran's nine e-mail notifications about scans on and off.",
        refusal(decision.reason, decision.role, roles),
        *(["To ask for a change, run `/kayran-notify` in a channel."] if ask else []),
    ]
