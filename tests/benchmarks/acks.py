"""The ack of a command, one by one."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from functools import partial

from bot.sandbox.cast import ADMIN
from tests.benchmarks import rig
from tests.stage import Stage

ROUNDS, EACH = 12, 25
APART = 0.02
"""Seconds between two commands: what follows one takes some ten milliseconds, and has ended by then."""


def rows(share: float) -> Iterator[rig.Row]:
    """Against a bare handler, and against Bolt."""
    with contextlib.ExitStack() as ends:
        played = ends.enter_context(rig.stage())
        servers = [
            ends.enter_context(rig.serving(played, each))
            for each in (rig.OURS, rig.FLOOR, rig.BOLT)
        ]
        clients = [rig.Client(server.port) for server in servers]
        runs = [(client.reconnect, partial(_ack, client, played)) for client in clients]
        taken = rig.alternate(math.ceil(ROUNDS * share), EACH, runs)
    ours, floor, bolt = map(rig.median_ms, taken)
    against = "a handler that only checks the signature"
    yield rig.Row("ack of a command", ours, "≤ 1.5, ≤ 0.125", floor, against, bolt)


def _ack(client: rig.Client, played: Stage) -> float:
    trigger = played.slack.workspace.new_trigger(ADMIN)
    seconds = client.post(rig.command_body(trigger=trigger))
    time.sleep(APART)
    return seconds
