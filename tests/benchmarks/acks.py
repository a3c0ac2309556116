"""The ack of a command, one by one: ours against the floor and against a Bolt app as it comes.

``python -m tests.benchmarks.acks`` prints medians and ratios. Goals: 1.5 times the floor at most,
and an eighth of Bolt's at most.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable

from tests.benchmarks import rig

ROUNDS, EACH = 15, 40


def main() -> None:
    """Measure and print."""
    with rig.standins() as outside, tempfile.TemporaryDirectory() as folder:
        environ = rig.environment(outside.slack_url, outside.kayran_url, folder)
        floor = rig.serving(rig.FLOOR, environ, "/")
        bolt = rig.serving(rig.BOLT, environ, "/")
        ours = rig.serving(rig.OURS, environ, "/healthz")
        with floor as floor_port, bolt as bolt_port, ours as our_port:
            ports = {"floor": floor_port, "bolt": bolt_port, "ours": our_port}
            clients = {name: rig.Client(port) for name, port in ports.items()}
            for pause in (0.05, 0.0):
                taken = rig.alternate(
                    ROUNDS,
                    EACH,
                    {name: (c.reconnect, _ack(c, outside, pause)) for name, c in clients.items()},
                )
                _print(pause, taken)


def _ack(client: rig.Client, outside: rig.StandIns, pause: float) -> Callable[[], float]:
    def run() -> float:
        seconds = client.post(rig.command_body(trigger=outside.trigger()))
        time.sleep(pause)
        return seconds

    return run


def _print(pause: float, taken: dict[str, list[float]]) -> None:
    medians = {name: rig.median_ms(seconds) for name, seconds in taken.items()}
    print(f"commands one by one, {pause * 1000:.0f} ms apart")
    for name, seconds in taken.items():
        print(f"  {name:6} p50 {medians[name]:7.3f} ms   p99 {rig.p99_ms(seconds):7.3f} ms")
    print(f"  ours / floor  {medians['ours'] / medians['floor']:.2f}   (goal: 1.5 at most)")
    print(f"  bolt / ours   {medians['bolt'] / medians['ours']:.1f}   (goal: 8 at least)")


if __name__ == "__main__":
    main()
