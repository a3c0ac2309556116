"""The stand-ins as a process of their own, so that their work is not the client's: prints their addresses."""

from __future__ import annotations

import argparse
import signal
import threading

from bot.sandbox.faults import Fault
from bot.sandbox.kayran import KayranStandIn
from bot.sandbox.slack import SlackStandIn
from tests.benchmarks import rig


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slack-seconds", type=float, default=0.0)
    parser.add_argument("--kayran-seconds", type=float, default=0.0)
    wanted = parser.parse_args()
    slack = SlackStandIn(bot_token=rig.BOT_TOKEN, signing_secret=rig.SECRET)
    kayran = KayranStandIn(rig.KAYRAN_KEY)
    if wanted.slack_seconds:
        slack.faults.next("*", Fault.slow(wanted.slack_seconds), times=1_000_000)
    if wanted.kayran_seconds:
        kayran.next("slow", times=1_000_000, seconds=wanted.kayran_seconds)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with slack, kayran:
        print(slack.api_url, kayran.url, flush=True)
        stopping.wait()


if __name__ == "__main__":
    main()
