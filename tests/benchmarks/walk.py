"""How long a person waits, against the calls that have to be waited for."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

from bot.sandbox.cast import ADMIN
from tests.benchmarks import rig
from tests.odd_answers import slow
from tests.stage import Stage
from tests.standins import Fault

SLACK, KAYRAN = 0.15, 0.3
"""Seconds that every call takes."""
ROUNDS = 15

CHAINS = {
    # One call of Slack's, which takes its time once it has come in.
    "command to an open form": SLACK,
    # Who is this (beside it what is set, and opening the form), fill the form.
    "command to a form that can be used": KAYRAN + SLACK,
    # Kayran's answer is the longer of the two questions before the ack.
    "save to its ack": KAYRAN,
    # The ack, then the call, reading back, the reply.
    "save to the result in the thread": KAYRAN + KAYRAN + KAYRAN + SLACK,
}


def rows(share: float) -> Iterator[rig.Row]:
    """Each wait, against its longest chain of calls, and against Bolt, which makes all of them in turn."""
    with rig.stage() as played, rig.serving(played, rig.BOLT) as bolt, rig.serving(played) as ours:
        played.have_all_reported()
        played.slack.faults.next("*", Fault.slow(SLACK), times=None)
        played.kayran.next(slow(KAYRAN), times=10_000)
        _walk(played, ours)
        both = [
            (_walk(played, ours), _walk(played, bolt)) for _ in range(math.ceil(ROUNDS * share))
        ]
    taken, theirs = (zip(*each, strict=True) for each in zip(*both, strict=True))
    for (what, chain), one, other in zip(CHAINS.items(), taken, theirs, strict=True):
        median, theirs_ms = map(rig.median_ms, (one, other))
        yield rig.Row(what, median, "≤ 1.1", chain * 1000, "its calls", theirs_ms)


def _walk(played: Stage, server: rig.Served) -> Sequence[float]:
    played.slack.events_url = server.events_url
    opened, told = len(played.slack.calls_of("views.open")), len(played.results())
    began = time.time()
    played.open_form()
    usable = time.time()
    call = played.slack.calls_of("views.open")[opened]
    played.choose(mailDelete=not played.kayran.flags["mailDelete"])
    saved = time.time()
    delivery = played.slack.submit(ADMIN)
    played.result(told + 1)
    shown = time.time()
    played.eventually(lambda: "On its way" not in played.parents()[-1].text, "the parent")
    return call.at - began + SLACK, usable - began, delivery.seconds, shown - saved
