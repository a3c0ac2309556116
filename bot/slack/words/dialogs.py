"""What one person sees alone: answers to the command, the forms, App Home."""

from collections.abc import Collection, Iterable, Mapping

from bot.access import Decision, Reason, Role
from bot.asking import Ask
from bot.change import Change, CurrentState, Denial, Origin, Outcome
from bot.errors import KayranError, NoClearAnswer, NotSent, Refused
from bot.notifications import NOTIFICATIONS, Flags, Notification
from bot.slack.words.common import *
from bot.slack.words.thread import asked

# The command, and who may


LOADING = "Asking Slack who you are and Kayran what is set …"
"""The form, at once."""


def refusal(reason: Reason, role: Role | None, roles: Iterable[Role]) -> str:
    """Why someone may not, and what to do."""
    if reason is Reason.NO_ANSWER:
        return "Slack didn't say who you are, so nothing was done. Try again in a moment."
    who = _plural(roles)
    you = {
        Reason.OTHER_TEAM: "Your account is from another workspace.",
        Reason.OTHER_TEAM_OF_ORGANISATION: "Slack doesn't say your role in this workspace.",
        Reason.DEACTIVATED: "Your account is deactivated.",
        Reason.BOT: "This is a bot's account.",
        Reason.GUEST: "You're a guest.",
    }.get(reason, f"You're {ROLES[role]}." if role else "")
    return f"Only workspace {who} can change these. {you} Ask one of them."


def _plural(roles: Iterable[Role]) -> str:
    """The roles that may; whoever is the primary owner is an owner."""
    names = {ROLES[role].partition(" ")[2] for role in roles}
    if "owner" in names:
        names.discard("primary owner")
    return listing(f"{name}s" for name in sorted(names))


OPENED_ALREADY = "Slack has opened a form for this already. If you don't see it, press the button."
"""The trigger was used: by a second delivery of the same command, if not by trying it again."""

NOT_OPENED = "Slack didn't open the form. Press the button to try again."
"""Slack did not open the form, for whatever reason."""

NOT_FILLED = "Slack didn't fill the form. Close it and run `/kayran-notify` again."
"""Slack did not take the form's content."""

STORE_UNAVAILABLE = "Nothing was changed: the bot's database is away. Try again in a minute."
"""The database can't be used."""

STORE_UNAVAILABLE_AT_SAVE = (
    "It may not be saved: the database didn't answer. Save again; nothing is saved twice."
)
"""Under the form: the ticks stay. The save may have gone through where the answer was lost."""

SLACK_SILENT_AT_SAVE = "Not saved: Slack didn't say who you are. Save again in a moment."
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
Workspace {_plural(roles)} can choose which of {HOW_MANY} events Kayran sends an e-mail about. Everybody else: ask one of them.
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
        f"{heading}: {plain_labels(group) or 'none'}."
        for heading, value in (("On", True), ("Off", False), ("Not known", None))
        if (group := [p for p, v in current.flags if v is value]) or value is not None
    ]
    named = f"*{mailbox}*: {whose}" if mailbox else whose
    lines = [named, "\n".join(nine), sources(current)]
    differing = current.reported.contradicting(current.recorded.knows())
    if now := {p: bool(current.reported[p]) for p in differing}:
        lines.append(f"Changed outside Slack since the last change made here: {turned(now)}.")
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
    which = numbered(change) + (f" of *{mailbox}*" if mailbox else "")
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


def sources(current: CurrentState) -> str:
    """Where what is ticked comes from."""
    newest, trouble = current.recorded.newest, current.report.trouble
    if current.recorded.underway and newest is not None:
        return f"As {person(newest.user)} is setting them right now ({numbered(newest)})."
    reported = [p for p, value in current.reported if value is not None]
    here = [p for p, v in current.flags if v is not None and p not in reported]
    if not here or newest is None:
        if reported:
            return "Read from Kayran just now."
        return f"{_silence(trouble)}, and nothing is known from here."
    who, when = person(newest.user), moment(newest.asked_at)
    if reported:
        them = "it" if len(here) == 1 else "them"
        but = f"except {plain_labels(here)}: as {who} last set {them} here, {when}"
        return f"Read from Kayran just now, {but}."
    what = f"This is what {who} last set here, {when}"
    return f"{_silence(trouble)}. {what}; it may have changed since."


def _silence(trouble: KayranError | None) -> str:
    """Why Kayran does not say what is set."""
    if isinstance(trouble, Refused):
        return f"Kayran refused: “{quoted(trouble.reason, 120)}”"
    if isinstance(trouble, (NotSent, NoClearAnswer)):
        return capitalised(OBSTACLES[trouble.obstacle])
    return "Kayran didn't say what is set"


def choose(parameters: Collection[str], *, silent: bool) -> str:
    """Above the inputs of what is not known."""
    if len(parameters) == len(NOTIFICATIONS):
        return f"None of these is known, so choose all {HOW_MANY}."
    if silent:
        return "Not known, so choose:"
    return f"Kayran doesn't report {'this' if len(parameters) == 1 else 'these'}, so choose."


CHOOSE_ONE = "Choose On or Off: how it's set isn't known."
"""Under an input in which nothing was chosen."""


def what_saving_does(channel: str, *, in_thread: bool) -> str:
    """Below the form."""
    where = f"<#{channel}>" if channel.startswith(("C", "G")) else "you alone"
    return f"Save sets all {HOW_MANY}. The result goes to {'the thread' if in_thread else where}."


CAME_BACK = "*Not saved: something changed meanwhile.* Your ticks are kept. Check and save again."
"""The form was not saved, because something had changed."""


def changed_meanwhile(change: Change) -> str:
    """Somebody else's change, for a form that came back."""
    how = " It didn't take effect." if change.came_to_nothing else ""
    if change.outcome is Outcome.UNSURE:
        how = " Whether it took effect isn't certain."
    return f"• {asked(change)}{how}"


def changed_in_kayran(now: Mapping[str, bool]) -> str:
    """What differs though nobody changed it from here."""
    return f"• In Kayran, {are(now)} now."


def proposal(origin: Origin, change: Change, since: Iterable[Change]) -> list[str]:
    """Above a form that a button opened, because things have moved on since."""
    choices = change.undo_choices() if origin is Origin.UNDO else change.choices()
    what = "Undoing {}" if origin is Origin.UNDO else "Trying {} again"
    does = f"turns {turned(choices)}" if choices else f"sends all {HOW_MANY} as they are"
    return [
        f"{what.format(numbered(change))} {does}. Check and save.",
        *(_since(each, choices) for each in since),
    ]


def _since(change: Change, choices: Mapping[str, bool]) -> str:
    """What somebody did since, and whether a proposal leaves it alone."""
    in_effect = change.outcome in (None, Outcome.APPLIED)
    stays = in_effect and not set(change.asks_for()) & set(choices)
    return changed_meanwhile(change) + (" That stays." if stays else "")


NOTHING_TO_CHANGE = f"*Nothing to change.* All {HOW_MANY} are set like that; nothing was sent."
"""The form, where saving it would change nothing."""

SENT_ANYWAY = f"All {HOW_MANY} are being sent again. The result comes in a thread."
"""The form, after Send anyway."""

# The form to ask an admin with


ASK_TITLE = "Ask an admin"
ASK = "Ask"
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
TOO_MANY_REQUESTS = "Not asked: you have three open requests. Withdraw one, or wait."


def on_and_off(parameters: Collection[str]) -> str:
    """Under an ask form in which something was chosen in both; empty where nothing was."""
    return f"Not both on and off: {plain_labels(sorted(parameters))}." if parameters else ""


def cannot_post(ask: Ask) -> str:
    """Above an ask form that comes back."""
    return f"*Not asked yet:* Slack didn't take it in <#{ask.channel}>. Choose another channel."


def was_asked(ask: Ask) -> str:
    """To whoever asked."""
    return f"Your request goes to <#{ask.channel}>. You are mentioned there once it is decided."


def not_yours(ask: Ask) -> str:
    """To somebody else who pressed Withdraw."""
    return f"Nothing was done: only {person(ask.user)} can withdraw this."


# App Home


LAST_CHANGES = "*Last changes:*"
"""Above the last changes."""


def home_for_others(decision: Decision, roles: Iterable[Role]) -> list[str]:
    """The Home of whoever may not: what the bot does, who may, how to ask."""
    ask = decision.reason is Reason.ROLE_NOT_ALLOWED
    return [
        f"This bot turns Kayran's {HOW_MANY} e-mail notifications about scans on and off.",
        refusal(decision.reason, decision.role, roles),
        *(["To ask for a change, run `/kayran-notify` in a channel."] if ask else []),
    ]
