"""Labels, and the pieces that sentences are made of."""

import datetime as dt
import unicodedata
from collections.abc import Iterable, Mapping

from bot.access import Role
from bot.change import Change
from bot.errors import Obstacle
from bot.notifications import NOTIFICATIONS, Phase

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

ROLES = {
    Role.PRIMARY_OWNER: "a primary owner",
    Role.OWNER: "an owner",
    Role.ADMIN: "an admin",
    Role.MEMBER: "a member",
}

OBSTACLES = {
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

COUNTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
HOW_MANY = COUNTS[len(NOTIFICATIONS)]
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


def plain_labels(parameters: Iterable[str]) -> str:
    """Names in a row, without emphasis."""
    return listing(LABELS[p] for p in parameters)


def by_value(flags: Mapping[str, bool], one: str, several: str) -> list[str]:
    """Those that are off, then those that are on, each with its verb: *Queue* and *Stop* are off."""
    clauses = []
    for value in (False, True):
        names = [f"*{LABELS[p]}*" for p, v in flags.items() if v is value]
        if names:
            verb = one if len(names) == 1 else several
            clauses.append(f"{listing(names)} {verb}{on_off(value)}")
    return clauses


def turned(flags: Mapping[str, bool]) -> str:
    """Which flags, and how: *Queue* and *Stop* off and *Aborted* on."""
    return listing(by_value(flags, "", ""))


def are(flags: Mapping[str, bool]) -> str:
    """The same as a sentence: *Queue* and *Stop* are off and *Aborted* is on."""
    return listing(by_value(flags, "is ", "are "))


def numbered(change: Change) -> str:
    """A change by its number."""
    return f"change {change.number}"


def capitalised(words: str) -> str:
    """As the beginning of a sentence."""
    return words[:1].upper() + words[1:]
