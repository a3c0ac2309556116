"""From starting to the first 200, and memory after many acks."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from functools import partial

from tests.benchmarks import rig
from tests.stage import Stage

STARTS = 9
FEW, MANY = 10_000, 50_000


def rows(share: float) -> Iterator[rig.Row]:
    """Against Bolt, and what comes later against what came before."""
    with rig.stage() as played:
        # The first start of all makes the database; every other finds it.
        _start(played, rig.OURS)
        starts = [(bool, partial(_start, played, which)) for which in (rig.OURS, rig.BOLT)]
        ours, bolt = map(rig.median_ms, rig.alternate(math.ceil(STARTS * share), 1, starts))
        yield rig.Row("start to the first 200", ours, "≤ 2", bolt=bolt)
        few, many = math.ceil(FEW * share), math.ceil(MANY * share)
        (bolt,) = _memory(played, rig.BOLT, few)
        ours, later = _memory(played, rig.OURS, few, many)
    what = "memory after {} acks".format
    yield rig.Row(what(few), ours, "≤ 30 MiB more", bolt=bolt, unit="MiB")
    yield rig.Row(what(many), later, "≤ 1.03", ours, f"after {few}", unit="MiB")


def _start(played: Stage, arguments: Sequence[str]) -> float:
    """Seconds to the first 200."""
    began = time.perf_counter()
    with rig.serving(played, arguments) as server:
        rig.Client(server.port).post(rig.command_body(text="help"))
        return time.perf_counter() - began


def _memory(played: Stage, arguments: Sequence[str], *after: int) -> list[float]:
    """MiB after so many acks, and after so many more."""
    found = []
    with rig.serving(played, arguments) as server:
        client = rig.Client(server.port)
        for number in range(1, after[-1] + 1):
            client.post(rig.command_body(text="help"))
            if number in after:
                found.append(rig.mebibytes(server.pid))
    return found
