"""An hour's traffic in minutes: what the bot takes up at its end, against halfway."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from bot.sandbox.cast import ADMIN, LOBBY, MEMBER, SCANS
from bot.slack import receipt
from tests.benchmarks import rig
from tests.stage import Stage
from tests.stories.child import health

SECONDS = 180
ROUNDS = 200
"""A change, its undo, four commands, a Home and ten health checks each."""


def rows(share: float) -> Iterator[rig.Row]:
    """Memory, threads and sockets."""
    rounds, found = math.ceil(ROUNDS * share), []
    with rig.stage() as played, rig.serving(played) as server:
        played.have_all_reported()
        began = time.monotonic()
        for number in range(rounds):
            _traffic(played)
            found.append(_takes_up(server.pid))
            time.sleep(max(0, began + (number + 1) * SECONDS * share / rounds - time.monotonic()))
    half, sixth = rounds // 2, math.ceil(rounds / 6)
    early, late = (zip(*part, strict=True) for part in (found[half - sixth : half], found[-sixth:]))
    names = (("memory", "MiB", "≤ 1.03"), ("threads", "", "≤ 1"), ("sockets", "", "≤ 1"))
    for (what, unit, goal), before, after in zip(names, early, late, strict=True):
        ours, other = map(statistics.median, (after, before))
        yield rig.Row(f"{what} after an hour's traffic", ours, goal, other, "halfway", unit=unit)


def _traffic(played: Stage) -> None:
    slack = played.slack
    result = played.change(mailStop=True)
    told = len(played.results())
    played.press(result, receipt.UNDO_ACTION_ID)
    played.result(told + 1)
    for user, channel, text in (
        (ADMIN, SCANS, "status"),
        (ADMIN, LOBBY, "history"),
        (MEMBER, SCANS, ""),
        (MEMBER, LOBBY, "help"),
    ):
        slack.command(user, channel, text)
    slack.open_home(ADMIN)
    for _ in range(10):
        health(slack.events_url)
    played.eventually(played.all_is_told, "everything to be told", 60)


def _takes_up(pid: int) -> tuple[float, int, int]:
    """MiB, threads and sockets."""
    process = Path(f"/proc/{pid}")
    files = [file.resolve().name for file in (process / "fd").iterdir()]
    threads = len(list((process / "task").iterdir()))
    return rig.mebibytes(pid), threads, sum(file.startswith("socket") for file in files)
