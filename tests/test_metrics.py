"""Metrics: what a few walks count, what no label says, and what a bot that nobody watches is spared."""

import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from bot.sandbox.cast import ADMIN, MEMBER, TEAM
from bot.sandbox.kayran import UPDATE, page
from bot.slack.receipt import REVIEW_ACTION_ID, WITHDRAW_ACTION_ID
from tests.odd_answers import instead, refuse
from tests.stage import Stage, stage
from tests.stories.test_requests import asks, press
from tests.test_web import ask

COUNTED = {
    ("kayran_notify_changes_total", "applied"): 2,
    ("kayran_notify_changes_total", "refused"): 1,
    ("kayran_notify_changes_total", "unsure"): 1,
    ("kayran_notify_changes_total", "failed"): 0,
    ("kayran_notify_denials_total", "role not allowed"): 2,
    ("kayran_notify_requests_total", "granted"): 1,
    ("kayran_notify_requests_total", "withdrawn"): 1,
    ("kayran_notify_kayran_call_seconds_count", UPDATE, "done"): 2,
    ("kayran_notify_kayran_call_seconds_count", UPDATE, "Kayran refused the call"): 1,
    ("kayran_notify_kayran_call_seconds_count", UPDATE, "unreadable"): 1,
    ("kayran_notify_form_seconds_count",): 4,
    ("kayran_notify_report_seconds_count",): 4,
    ("kayran_notify_pending_deliveries",): 0,
}


def scraped(played: Stage) -> dict[tuple[str, ...], float]:
    """The samples, by name and labels."""
    families = text_string_to_metric_families(ask(played.url, "GET", "/metrics")[2])
    return {(s.name, *s.labels.values()): s.value for f in families for s in f.samples}


def test_a_few_walks(environ: dict[str, str]) -> None:
    """Each ends in one more of its kind, with its seconds; nothing says whose they were."""
    with stage({**environ, "METRICS": "on"}) as played:
        played.change(mailStop=True)
        for answer in (refuse(f"no, {ADMIN}"), instead(page(599))):
            played.kayran.next(answer, function=UPDATE)
            played.change(mailStop=False)
        press(played, asks(played), REVIEW_ACTION_ID)
        played.save()
        press(played, asks(played), WITHDRAW_ACTION_ID, MEMBER)
        played.eventually(lambda: COUNTED.items() <= scraped(played).items(), "it to be counted")
        seen, place = scraped(played), played.slack.workspace

    assert all(name.startswith("kayran_notify_") for name, *_ in seen)
    assert 0 < seen["kayran_notify_ack_seconds_sum",] < seen["kayran_notify_ack_seconds_count",]
    assert seen["kayran_notify_form_seconds_sum",] > 0
    assert seen["kayran_notify_report_seconds_sum",] > 0
    known = (*place.people, *place.channels, TEAM)
    assert [each for each in known if each in str(seen)] == []


def test_nobody_watches(environ: dict[str, str]) -> None:
    """The library is not even imported then."""
    program = f"""
import sys
from bot.app import assemble
from bot.settings import Settings
assemble(Settings.from_env({environ!r}))
sys.exit("prometheus_client" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
