"""What Kayran may answer beside what its pages say, and beside what the sandbox offers.

Each is given to the stand-in: ``kayran.next(slow(0.3), function=UPDATE)``. What is below HTTP (half
an answer, one byte at a time) is ``tests.proxy``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.sandbox.kayran import PARAMETERS, Do, KayranStandIn, React, envelope, page
from bot.sandbox.loopback import Reply

NASTY_REASON = (
    "Not valid <!channel> <@U0ADMIN> <https://kayran.example/?a=1&b=2|token>: "
    "*bold* `code` <script>alert(1)</script>"
)
"""A reason that would ping and mislead where it is shown as it came."""


def instead(reply: Reply | None) -> React:
    """Answer this, and apply nothing; ``None`` drops the line."""
    return lambda _kayran, _function, _do: reply


def after(made: Callable[[Reply], Reply | None]) -> React:
    """Apply, and answer what is made of the right answer."""
    return lambda _kayran, _function, do: made(do())


def refuse(reason: object) -> React:
    """Refuse in these words."""
    return lambda _kayran, function, _do: envelope(function, reason, error=1)


def busy(status: int, retry_after: int | None = 1) -> React:
    """An HTTP status with a page, and perhaps ``Retry-After`` in seconds."""
    return instead(page(status, **{} if retry_after is None else {"Retry-After": str(retry_after)}))


def slow(seconds: float) -> React:
    """Take so many seconds, and then do it."""

    def react(kayran: KayranStandIn, _: str, do: Do) -> Reply | None:
        return do() if kayran.hold(seconds) else None

    return react


def hang_applied(kayran: KayranStandIn, _: str, do: Do) -> Reply | None:
    """Apply, and hang."""
    reply = do()
    return reply if kayran.hold() else None


def keep_none(kayran: KayranStandIn, function: str, _: Do) -> Reply:
    """Take any word, keep none, and say yes: what a server of the vendor's other style may do."""
    kayran.flags = dict.fromkeys(PARAMETERS, False)
    return envelope(function, "Update")


def ok(_: KayranStandIn, __: str, do: Do) -> Reply:
    """Answer as it should."""
    return do()


def _json(body: bytes, **headers: str) -> Reply:
    return Reply(200, body, {"Content-Type": "application/json", **headers})


ODD: Mapping[str, React] = {
    "502": busy(502, None),
    "drop before": instead(None),
    "hang, applied": hang_applied,
    "redirect": instead(page(307, Location="/elsewhere")),
    "oversize": after(lambda reply: _json(reply.body[:-2] + b" " * 100_000 + reply.body[-2:])),
    "half": after(lambda reply: _json(reply.body[: len(reply.body) // 2])),
}
"""Odd answers, by a name for a test."""
