"""Slack's mrkdwn as HTML: https://docs.slack.dev/messaging/formatting-message-text

Everything is escaped before any tag is added, so no text is ever parsed as HTML. What would notify
people in a real workspace is drawn so that nobody can overlook it.
"""

import datetime as dt
import re
from collections.abc import Mapping

from markupsafe import Markup, escape

_TOKEN = re.compile(r"<([@#!]?)([^<>|\n]+)(?:\|([^<>\n]*))?>|`([^`\n]+)`")
_BULLETS = re.compile(r"(?:^• .*(?:\n|\Z))+", re.MULTILINE)
_EMPHASIS = tuple(
    (re.compile(rf"(?<![\w{mark}])\{mark}(\S|\S[^\n{mark}]*\S)\{mark}(?![\w{mark}])"), tag)
    for mark, tag in (("*", "strong"), ("_", "em"), ("~", "s"))
)
_BROADCASTS = ("channel", "here", "everyone")


def mrkdwn(text: str, names: Mapping[str, str]) -> Markup:
    """A text as Slack's API takes it, as HTML.

    Args:
        text: with ``&amp;``, ``&lt;`` and ``&gt;`` for the three characters.
        names: of people and channels, by id.
    """
    kept: list[Markup] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(_token(found, names))
        return f"\0{len(kept) - 1}\0"

    html = str(escape(_unescaped(_TOKEN.sub(keep, text.replace("\0", "")))))
    for pattern, tag in _EMPHASIS:
        html = pattern.sub(rf"<{tag}>\1</{tag}>", html)
    html = _BULLETS.sub(_bullets, html)
    # Nothing but escaped text and tags of this module's own.
    return Markup(re.sub("\0(\\d+)\0", lambda found: kept[int(found[1])], html))  # noqa: S704


def _token(found: re.Match[str], names: Mapping[str, str]) -> Markup:
    """What stands between ``<`` and ``>``, or between backticks."""
    sign, target, label, code = found.groups()
    if code is not None:
        return Markup("<code>{}</code>").format(_unescaped(code))
    target, label = _unescaped(target), _unescaped(label or "")
    if sign in ("@", "#"):
        name = names.get(target) or label or target
        return Markup('<span class="mention">{}{}</span>').format(sign, name)
    if sign == "!" and target in _BROADCASTS:
        return Markup("<mark>@{}: notifies everybody</mark>").format(target)
    if sign == "!":
        return escape(_moment(target) or label or target)
    if re.match("https?://", target):
        link = Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>')
        return link.format(target, label or target)
    return escape((label or target) if target.startswith("mailto:") else _unescaped(found[0]))


def _moment(token: str) -> str | None:
    """``date^seconds^format`` in the time of this machine; ``None`` for formats not drawn here."""
    kind, _, rest = token.partition("^")
    seconds, _, words = rest.partition("^")
    if kind != "date" or not seconds.isdecimal():
        return None
    when = dt.datetime.fromtimestamp(int(seconds)).astimezone()
    days = (dt.datetime.now().astimezone().date() - when.date()).days
    day = {0: "today", 1: "yesterday"}.get(days) or f"{when:%b} {when.day}, {when.year}"
    drawn = words.replace("{date_short_pretty}", day).replace("{time}", f"{when:%H:%M}")
    return None if "{" in drawn else drawn


def _bullets(found: re.Match[str]) -> str:
    items = found[0].rstrip("\n").split("\n")
    return f"<ul>{''.join(f'<li>{item[2:]}</li>' for item in items)}</ul>"


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
