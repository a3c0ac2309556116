"""The stand-ins as a process of their own, so that their work is not the client's.

Prints their addresses, then a fresh ``trigger_id`` for every line that comes in: Slack gives each
command one, and a form opens with no other.
"""

from __future__ import annotations

import argparse
import sys

from bot.sandbox.cast import ADMIN
from tests.benchmarks import rig
from tests.odd_answers import slow
from tests.standins import Fault, Kayran, Slack


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slack-seconds", type=float, default=0.0)
    parser.add_argument("--kayran-seconds", type=float, default=0.0)
    wanted = parser.parse_args()
    slack = Slack(bot_token=rig.BOT_TOKEN, signing_secret=rig.SECRET)
    kayran = Kayran(rig.KAYRAN_KEY)
    if wanted.slack_seconds:
        slack.faults.next("*", Fault.slow(wanted.slack_seconds), times=1_000_000)
    if wanted.kayran_seconds:
        kayran.next(slow(wanted.kayran_seconds), times=1_000_000)
    with slack, kayran:
        print(slack.api_url, kayran.url, flush=True)
        for _ in sys.stdin:
            print(slack.workspace.new_trigger(ADMIN), flush=True)


if __name__ == "__main__":
    main()
