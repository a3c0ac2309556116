"""One table of what the bot takes, against what it can't take less than, and against Bolt as it comes.

``python -m tests.benchmarks`` takes some ten minutes of a quiet machine; ``--quick`` two, for trying it out;
``--only acks walk`` measures these parts.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform

from tests.benchmarks import (
    acks,
    crowd,
    history_size,
    hour,
    rig,
    slow_clients,
    start_and_memory,
    waiting,
    walk,
)

PARTS = (acks, walk, start_and_memory, crowd, slow_clients, waiting, history_size, hour)
QUICK = 0.1
"""The share of the rounds, rows and seconds that a quick run has."""


def main() -> None:
    """Measure and print."""
    parts = {part.__name__.rpartition(".")[2]: part for part in PARTS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[*parts], choices=[*parts])
    parser.add_argument("--quick", action="store_true")
    wanted = parser.parse_args()
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    bolt = f"slack_bolt {importlib.metadata.version('slack_bolt')}"
    print(f"{len(os.sched_getaffinity(0))} cores, {python}, {bolt}, {system}", end="\n\n")
    print(rig.HEAD)
    for name in wanted.only:
        for row in parts[name].rows(QUICK if wanted.quick else 1.0):
            print(row, flush=True)


if __name__ == "__main__":
    main()
