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
    """Each wait, against its longest chain of calls."""
    with rig.stage() as played, rig.serving(played):
        played.have_all_reported()
        played.slack.faults.next("*", Fault.slow(SLACK), times=None)
        played.kayran.next(slow(KAYRAN), times=10_000)
        _walk(played, on=True)
        taken = [_walk(played, on=bool(n % 2)) for n in range(math.ceil(ROUNDS * share))]
    for (what, chain), each in zip(CHAINS.items(), zip(*taken, strict=True), strict=True):
        yield rig.Row(what, rig.median_ms(each), chain * 1000, "its calls", "≤ 1.1")


def _walk(played: Stage, *, on: bool) -> Sequence[float]:
    opened, told = len(played.slack.calls_of("views.open")), len(played.results())
    began = time.time()
    played.open_form()
    usable = time.time()
    call = played.slack.calls_of("views.open")[opened]
    played.slack.tick(ADMIN, mailDelete=on)
    saved = time.time()
    delivery = played.slack.submit(ADMIN)
    played.wait_for(lambda: len(played.results()) > told, "the result")
    shown = time.time()
    played.wait_for(lambda: "On its way" not in played.parents()[-1].text, "the parent")
    return call.at - began + SLACK, usable - began, delivery.seconds, shown - saved
