"""From starting to the first 200, and memory after many acks: ours against a Bolt app as it comes.

``python -m tests.benchmarks.start_and_memory`` prints both. Goals: twice Bolt's time to start at most;
30 MiB more than Bolt after 10,000 acks at most, and 3 % more after 50,000 than after 10,000.
"""

from __future__ import annotations

import contextlib
import http.client
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks import rig

STARTS = 9
FEW, MANY = 10_000, 50_000


def main() -> None:
    """Measure and print."""
    with rig.standins() as outside, tempfile.TemporaryDirectory() as folder:
        environ = rig.environment(outside.slack_url, outside.kayran_url, folder)
        # The first start of all makes the database; every other finds it.
        _seconds_to_first_200(rig.OURS, environ)
        taken: dict[str, list[float]] = {"ours": [], "bolt": []}
        for _ in range(STARTS):
            taken["ours"].append(_seconds_to_first_200(rig.OURS, environ))
            taken["bolt"].append(_seconds_to_first_200(rig.BOLT, environ))
        medians = {name: rig.median_ms(seconds) for name, seconds in taken.items()}
        print(
            f"start to first 200: ours {medians['ours']:.0f} ms, bolt {medians['bolt']:.0f} ms, ",
            end="",
        )
        print(f"ratio {medians['ours'] / medians['bolt']:.2f}   (goal: 2 at most)")
        bolt, _ = _memory(rig.BOLT, environ, "/", FEW, FEW)
        few, many = _memory(rig.OURS, environ, "/healthz", FEW, MANY)
        print(
            f"memory after {FEW} acks: ours {few:.0f} MiB, bolt {bolt:.0f} MiB   (goal: 30 more at most)"
        )
        print(f"growth from {FEW} to {MANY}: {(many / few - 1) * 100:.1f} %   (goal: 3 at most)")


def _seconds_to_first_200(arguments: Sequence[str], environ: Mapping[str, str]) -> float:
    began = time.perf_counter()
    process, port = rig.start(arguments, environ)
    try:
        while time.perf_counter() - began < 30:
            with contextlib.suppress(OSError, http.client.HTTPException, RuntimeError):
                rig.Client(port).post(rig.command_body(text="help"))
                return time.perf_counter() - began
            time.sleep(0.002)
        raise TimeoutError("it does not serve")
    finally:
        process.terminate()
        process.wait(30)


def _memory(
    arguments: Sequence[str], environ: Mapping[str, str], ready: str, few: int, many: int
) -> tuple[float, float]:
    """MiB after so many acks, and after so many."""
    with rig.serving(arguments, environ, ready) as port:
        client, found = rig.Client(port), []
        for number in range(1, many + 1):
            client.post(rig.command_body(text="help"))
            if number in {few, many}:
                found.append(_mebibytes(port))
        return found[0], found[-1]


def _mebibytes(port: int) -> float:
    """The share of memory (PSS) of the processes that serve this port."""
    total = 0
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if f"PORT={port}\0".encode() in (folder / "environ").read_bytes():
                rollup = (folder / "smaps_rollup").read_text()
                total += int(rollup.split("Pss:")[1].split()[0])
    return total / 1024


if __name__ == "__main__":
    main()
