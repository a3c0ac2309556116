"""How long a person waits, against the calls that have to be waited for.

``python -m tests.benchmarks.walk`` plays the walk with a Slack that takes 150 ms for every call and a Kayran
that takes 300, and prints each wait as a ratio to its longest chain of calls. Goal: 1.10 at most.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence

from bot.sandbox.cast import ADMIN, SCANS
from tests.benchmarks.rig import median_ms
from tests.odd_answers import slow
from tests.stage import KEY, Stage, stage
from tests.standins import Fault

SLACK, KAYRAN = 0.15, 0.3
ROUNDS = 15

CHAINS = {
    # One call of Slack's, which takes its time once it has come in.
    "command to an open form": SLACK,
    # Who is this (beside opening the form), what is set, fill the form.
    "command to a form that can be used": SLACK + KAYRAN + SLACK,
    # Kayran's answer is the longer of the two questions before the ack.
    "save to its ack": KAYRAN,
    # The ack, then the call, reading back, the reply.
    "save to the result in the thread": KAYRAN + KAYRAN + KAYRAN + SLACK,
}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            "SLACK_BOT_TOKEN": "xoxb-made-up-bot-token",
            "SLACK_SIGNING_SECRET": "made-up-signing-secret",
            "KAYRAN_API_KEY": KEY,
            "DATABASE_URL": f"sqlite:///{folder}/records.db",
        }
        with stage(environ) as played:
            played.slack.faults.next("*", Fault.slow(SLACK), times=None)
            played.kayran.next(slow(KAYRAN), times=1_000_000)
            _walk(played, on=True)
            before = played.slack.connections, played.kayran.connections
            taken = [_walk(played, on=bool(round_ % 2)) for round_ in range(ROUNDS)]
            after = played.slack.connections, played.kayran.connections
    _print(taken)
    new = [late - early for early, late in zip(before, after, strict=True)]
    print(f"new connections from the second walk to the last: Slack {new[0]}, Kayran {new[1]}")


def _walk(played: Stage, *, on: bool) -> Mapping[str, float]:
    opened = len(played.slack.calls_of("views.open"))
    told = len(played.results())
    began = time.time()
    played.slack.command(ADMIN, SCANS)
    call = played.slack.wait_for_call("views.open", n=opened + 1)
    played.wait_for(lambda: played.loaded(ADMIN), "the form")
    usable = time.time()
    played.slack.tick(ADMIN, mailDelete=on)
    saved = time.time()
    delivery = played.slack.submit(ADMIN)
    played.wait_for(lambda: len(played.results()) > told, "the result", seconds=10)
    shown = time.time()
    played.wait_for(lambda: "On its way" not in played.parents()[-1].text, "the parent", seconds=10)
    return dict(
        zip(
            CHAINS,
            (call.at - began + SLACK, usable - began, delivery.seconds, shown - saved),
            strict=True,
        )
    )


def _print(taken: Sequence[Mapping[str, float]]) -> None:
    for name, chain in CHAINS.items():
        median = median_ms([one[name] for one in taken])
        print(f"{name:36} {median:7.0f} ms, its calls {chain * 1000:5.0f} ms, ", end="")
        print(f"ratio {median / chain / 1000:.3f}")


if __name__ == "__main__":
    main()
