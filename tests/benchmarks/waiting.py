"""A hundred changes on record and not sent, as a bot finds them that was away."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bot.app import account_name
from bot.notifications import PARAMETERS, Flags
from tests.benchmarks import rig
from tests.samples import request
from tests.stage import Stage
from tests.standins import Fault
from tests.store_rig import started

CHANGES = 100
APART = 0.05
SLACK = 0.15
"""Seconds that every call to Slack takes."""


def rows(_share: float) -> Iterator[rig.Row]:
    """Until all are told, against the calls it takes; and acks meanwhile, against acks afterwards."""
    with rig.stage() as played:
        _leave_changes(played)
        meanwhile: list[float] = []
        with rig.serving(played) as server:
            client, began = rig.Client(server.port), time.perf_counter()
            while not played.all_is_told():
                meanwhile.append(client.post(rig.command_body(text="help")))
                time.sleep(APART)
            seconds = time.perf_counter() - began
            told = [call for call in played.slack.calls if call.method.startswith("chat.")]
            afterwards = [client.post(rig.command_body(text="help")) for _ in meanwhile]
    what, one_by_one = f"{CHANGES} changes waiting, until all are told", len(told) * SLACK
    yield rig.Row(what, seconds, "≤ 0.5", one_by_one, "their messages, one by one", unit="s")
    ours, other = map(rig.median_ms, (meanwhile, afterwards))
    yield rig.Row("ack of a command meanwhile", ours, "≤ 30 ms more", other, "afterwards")


def _leave_changes(played: Stage) -> None:
    account = account_name(played.environ["KAYRAN_API_URL"], played.environ["KAYRAN_API_KEY"])
    with started(played.environ["DATABASE_URL"]) as left:
        for number in range(CHANGES):
            asked = request(f"form-{number}", *PARAMETERS[: number % 9])
            state = left.store.recorded_state(account)
            left.store.accept(account, asked, Flags.unknown(), state)
    played.slack.faults.next("*", Fault.slow(SLACK), times=None)
