"""What a channel sees: requests, a change's parent message, its result."""

from collections.abc import Mapping

from bot.asking import Ask, Ending
from bot.change import Change, Origin, Outcome
from bot.errors import Obstacle
from bot.notifications import NOTIFICATIONS, Flags
from bot.slack.authorizer import TOKEN_NOT_ACCEPTED
from bot.slack.words.common import *

# Requests

REVIEW = "Review"
DECLINE = "Decline"
WITHDRAW = "Withdraw"


def request(ask: Ask) -> str:
    """Who asks for what, why, and whom it concerns."""
    where = f" for the mailbox *{quoted(ask.mailbox)}*" if ask.mailbox else ""
    why = f"\n“{quoted(ask.why)}”" if ask.why else ""
    notified = f"\nFor {person(ask.notify)}." if ask.notify else ""
    return f"{person(ask.user)} asks to turn {turned(ask.wanted.known)}{where}.{why}{notified}"


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


def of_request(ask: Ask, change: Change) -> str:
    """In the result of a change that granted a request: whose, and what is not as asked."""
    otherwise = "" if change.came_to_nothing else turned(ask.not_as_asked(change))
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
    clauses = [f"{turn} {turned(known)}"] if known else []
    if chosen:
        clauses.append(f"{put} {turned(chosen)} (not known before)")
    what = listing(clauses) or f"{send} all {HOW_MANY} again as they were"
    mailbox = f" for *{change.mailbox}*" if change.mailbox else ""
    return f"{person(change.user)} {what}{mailbox}."


def applied(change: Change) -> str:
    """The status of a change that is in effect."""
    if change.contradicted:
        return "⚠️ Kayran said yes, but shows something else. The thread says what."
    if change.wanted.all_off:
        return f"⚠️ Turned all {HOW_MANY} off: Kayran sends no e-mails about scans."
    return "✅ Applied."


def applied_on_another_try(change: Change) -> str:
    """The status of a change that a later try put into effect."""
    by = f"by {person(change.user)} ({numbered(change)})."
    if change.contradicted or change.wanted.all_off:
        return f"{applied(change)} Tried again {by}"
    return f"✅ Applied on another try, {by}"


def undone(change: Change) -> str:
    """The status of a change that its undo, this one, took back."""
    return f"↩️ Undone by {person(change.user)} ({numbered(change)})."


def being_undone(change: Change) -> str:
    """What is added to a status while the undo, this change, is on its way or not certain."""
    if change.outcome is Outcome.UNSURE:
        return f"Not certain whether {person(change.user)} undid it ({numbered(change)})."
    return f"{person(change.user)} is undoing it ({numbered(change)})."


def not_applied(change: Change, *, again: bool) -> str:
    """The status of a change, or of the latest try at it, that is not in effect."""
    status = {
        None: "⏳ On its way to Kayran.",
        Outcome.REFUSED: f"❌ {_refused(change)} Nothing changed.",
        Outcome.FAILED: f"❌ Not sent: {_why(change)}. Nothing changed.",
        Outcome.UNSURE: "⚠️ Not certain whether it took effect. The thread says what is known.",
        Outcome.SUPERSEDED: f"⏭️ Superseded by change {change.superseded_by} before it was sent.",
    }[change.outcome]
    by = f" Tried again by {person(change.user)} ({numbered(change)})." if again else ""
    return status + by


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
        lines.append(f"{capitalised(_why(change))}, but reading back shows the change.")
    choices = change.choices()
    if not choices:
        lines.append(f"All {HOW_MANY} were sent again as they were.")
    if checked := {p: v for p, v in choices.items() if change.found[p] is v}:
        lines.append(f"{are(checked)}, checked in Kayran.")
    if unread := {p: v for p, v in choices.items() if change.found[p] is None}:
        lines.append(_not_reported(change, unread))
    if other := {p: not change.wanted[p] for p in change.contradicted}:
        lines.append(f"Kayran shows {turned(other)}: the opposite of what was sent.")
    if change.may_leave().all_off:
        lines.append(f"⚠️ All {HOW_MANY} are off now: Kayran sends no e-mails about scans.")
    return lines


def _not_reported(change: Change, unread: Mapping[str, bool]) -> str:
    """What was sent, and why reading back says nothing about it."""
    names, they = plain_labels(unread), "it" if len(unread) == 1 else "they"
    if change.contradicted:
        return f"Kayran doesn't report {names}, so {they} may be on or off."
    if change.found == Flags.unknown():
        return f"{are(unread)}: Kayran took it, but didn't say afterwards what is set."
    return f"{are(unread)}: Kayran took it, but doesn't report {names}, so {they} can't be checked."


def _shown(change: Change) -> list[str]:
    """What reading back shows of what a change was to change."""
    asked_for = change.asks_for()
    found = {p: v for p in asked_for if (v := change.found[p]) is not None}
    rest = [p for p in asked_for if p not in found]
    lines = [f"Kayran shows {turned(found)}."] if found else []
    return [*lines, f"It doesn't report {plain_labels(rest)}."] if rest and found else lines


def _uncertain(change: Change) -> str:
    """Why nobody knows how it ended: after a try that was cut short, another one's failing says little."""
    if change.is_of_another_key:
        return f"an earlier try was cut short, and {_why(change)}"
    if change.tries > 1:
        return f"an earlier try was cut short, then {_why(change)}. Reading back doesn't settle it"
    return f"{_why(change)}, and reading back doesn't settle it"


def _why(change: Change) -> str:
    """What stood between the bot and a yes, as part of a sentence."""
    for obstacle, text in OBSTACLES.items():
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
        return f"{person(change.user)} pressed Undo on {numbered(origin)}."
    return f"{person(change.user)} tried {numbered(origin)} again."


def stays(origin: Change, undo: Change) -> list[str]:
    """What an undo could not put back."""
    kept = {p: v for p, v in undo.wanted.known.items() if p in origin.not_undone()}
    kept = {p: v for p, v in kept.items() if p not in undo.asks_for()}
    before = "what it was" if len(kept) == 1 else "what they were"
    line = f"{listing(by_value(kept, 'stays ', 'stay '))}: {before} before isn't known."
    return [line] if kept else []


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
    return f"The other {COUNTS[rest]} are as they were." if 0 < rest < len(NOTIFICATIONS) else ""


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


def used(follow_up: Change) -> str:
    """In place of a button that somebody used; what came of it is told below."""
    button = UNDO if follow_up.origin is Origin.UNDO else TRY_AGAIN
    return f"{button}: pressed by {person(follow_up.user)} ({numbered(follow_up)})."


def already_used(change: Change) -> str:
    """To whoever pressed a button that somebody had used."""
    return f"Nothing was done: {person(change.user)} pressed it before you ({numbered(change)})."


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
