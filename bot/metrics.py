"""What is counted and timed for Prometheus, where ``METRICS`` is on.

A label holds a value of an enumeration or a word of the code's own: no id, no name, nothing foreign.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from bot.access import Reason
from bot.asking import Ending
from bot.change import Outcome

BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 60, 600, 3600)
"""Seconds. Slack waits 3 for an ack; Kayran has 1.5 before a form opens, and 20 for a change."""


def _nothing(*_: object) -> None:
    """What comes of it where nobody watches."""


@dataclass(frozen=True)
class Metrics:
    """Whom to tell what happened; by default nobody.

    Attributes:
        change: how a change ended.
        denial: why somebody was told no.
        request: how a request of somebody who may not ended.
        ack: a context for as long as Slack is waiting.
        form: the seconds until a form could be used.
        report: the seconds until an accepted change was told.
        kayran: a call's function, what came of it, and the seconds with all its tries.
        pending: how to count the changes that have something left to be told.
        page: all of them as text, as Prometheus reads it; ``None`` where ``METRICS`` is off.
    """

    change: Callable[[Outcome], None] = _nothing
    denial: Callable[[Reason], None] = _nothing
    request: Callable[[Ending], None] = _nothing
    ack: Callable[[], AbstractContextManager[Any]] = nullcontext
    form: Callable[[float], None] = _nothing
    report: Callable[[float], None] = _nothing
    kayran: Callable[[str, str, float], None] = _nothing
    pending: Callable[[Callable[[], int]], None] = _nothing
    page: Callable[[], bytes] | None = None


def for_prometheus() -> Metrics:
    """Metrics that are kept, in a registry of their own."""
    # It takes time and memory, which a bot that nobody watches has no need to spend.
    import prometheus_client as prometheus

    registry = prometheus.CollectorRegistry()
    ours: dict[str, Any] = {"namespace": "kayran_notify", "registry": registry}
    prometheus.ProcessCollector(**ours)

    def counter(name: str, what: str, label: str, values: Iterable[Enum]) -> Callable[[Enum], None]:
        counts = prometheus.Counter(name, what, [label], **ours)
        for value in values:
            # From 0 on: a first one is an increase, too.
            counts.labels(value.value)
        return lambda value: counts.labels(value.value).inc()

    def times(name: str, what: str, *labels: str) -> prometheus.Histogram:
        return prometheus.Histogram(name, what, labels, unit="seconds", buckets=BUCKETS, **ours)

    calls = times("kayran_call", "A call to Kayran, with all its tries.", "function", "outcome")
    left = prometheus.Gauge("pending_deliveries", "Changes still to be told in Slack.", **ours)
    return Metrics(
        counter("changes", "Changes that ended.", "outcome", Outcome),
        counter("denials", "People told no.", "reason", set(Reason) - {Reason.ROLE_ALLOWED}),
        counter("requests", "Requests for a change that ended.", "decision", Ending),
        times("ack", "From a payload to the answer that Slack waits for.").time,
        times("form", "From a command, shortcut or press to a form that can be used.").observe,
        times("report", "From a change that is accepted to all of it told in Slack.").observe,
        lambda function, outcome, took: calls.labels(function, outcome).observe(took),
        lambda count: left.set(count()),
        partial(prometheus.generate_latest, registry),
    )
