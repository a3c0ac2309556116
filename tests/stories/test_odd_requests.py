"""Requests that Slack would not send: real ones spoilt, signed and unsigned, over HTTP and Socket Mode.

``pytest tests/stories/test_odd_requests.py --requests 100000 --timeout 0 -n 0 -s`` sends so many.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import hypothesis
import pytest
from hypothesis import strategies as st

from bot.logs import LONGEST_LINE
from bot.sandbox.cast import ADMIN, MEMBER, SCANS
from bot.sandbox.slack import Delivery
from bot.slack import commands, form, opening, receipt
from tests.benchmarks.rig import mebibytes
from tests.socket_stand_in import SocketStandIn
from tests.stage import Stage, outside
from tests.standins import Slack
from tests.stories.child import real
from tests.stories.test_requests import asks, press

Payload = dict[str, Any]
Sent = tuple[str, Payload]
"""How Socket Mode calls it, and what happened."""

OTHERS = (
    commands.OLDER_ACTION_ID,
    form.ASK_AGAIN_ACTION_ID,
    form.MAILBOX_ACTION_ID,
    form.SEND_ANYWAY_ACTION_ID,
    opening.OPEN_FORM_ACTION_ID,
    receipt.TRY_AGAIN_ACTION_ID,
)
"""Buttons that nobody meets on that walk."""
ROUND = 50
"""Payloads between two looks at whether all is well; each makes three requests."""
LINES_EACH = 4
"""That a request may leave in the log."""

TEXT = st.text(st.characters(), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


class Remembering(Slack):
    """A Slack that remembers what it sent."""

    sent: list[Sent]

    def send(self, kind: str, payload: Mapping[str, Any], what: str) -> Delivery:
        """Send it."""
        self.sent.append((kind, copy.deepcopy(dict(payload))))
        return super().send(kind, payload, what)


def real_ones(stage: Stage, slack: Remembering) -> list[Sent]:
    """What Slack sends while people use the bot: some of every kind."""
    slack.sent = []
    result, asked = stage.change(mailStop=True), asks(stage)
    for pressed in (receipt.CHANGE_ACTION_ID, receipt.UNDO_ACTION_ID):
        stage.press(result, pressed)
    for pressed in (receipt.REVIEW_ACTION_ID, receipt.DECLINE_ACTION_ID):
        press(stage, asked, pressed)
    slack.submit(ADMIN)
    stage.press(asked, receipt.WITHDRAW_ACTION_ID, MEMBER)
    slack.shortcut(ADMIN, "kayran_notify_global")
    slack.shortcut(ADMIN, "kayran_notify_message", result)
    slack.open_home(ADMIN)
    stage.eventually(lambda: slack.workspace.homes, "the Home")
    slack.press_in_home(ADMIN, "change_from_home")
    for typed in ("status", "history", "only stop", "nonsense"):
        slack.command(ADMIN, SCANS, typed)
    more = [
        payload | {"type": kind, "actions": [{"action_id": action_id, "value": "1.0 x"}]}
        for kind, action_id in (("view_closed", ""), *itertools.product(["block_actions"], OTHERS))
        for _, payload in slack.sent
        if payload.get("type") == "view_submission"
    ]
    return [*slack.sent, *(("interactive", payload) for payload in more)]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place within: what it is in, and its key there."""
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    return [place for key in keys for place in ((value, key), *places(value[key]))]


@st.composite
def odd(draw: st.DrawFn, sound: list[Sent]) -> Sent:
    """A real one in which up to three things are missing, or are something else."""
    kind, payload = copy.deepcopy(draw(st.sampled_from(sound)))
    others = [holder[key] for holder, key in places(payload)]
    for _ in range(draw(st.integers(0, 3))):
        holder, key = draw(st.sampled_from(places(payload)))
        holder[key] = copy.deepcopy(draw(JSON | st.sampled_from(others)))
        if draw(st.booleans()):
            del holder[key]
            payload = payload or {"": ""}
    return kind, payload


def as_body(kind: str, payload: Payload) -> bytes:
    """As it goes over HTTP."""
    if kind == "events_api":
        return json.dumps(payload).encode()
    fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(fields, errors="surrogatepass").encode()


def test_odd_requests(environ: dict[str, str], tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Each is answered below 500, and with a 401 where it is not signed; what is sound is acked all the
    while; the log has no traceback, and a few lines for each at most; and memory stays as it is.
    """
    own = {**environ, "SLACK_APP_TOKEN": "xapp-made-up", "METRICS": "on"}
    token, secret, log = own["SLACK_BOT_TOKEN"], own["SLACK_SIGNING_SECRET"], tmp_path / "log"
    slack, taken = Remembering(bot_token=token, signing_secret=secret), [[0.0, 0.0]]
    slack.ack_limit = 20
    did: Counter[int | None] = Counter()
    with outside(own, slack) as stage, SocketStandIn() as sockets, contextlib.ExitStack() as ends:
        bots, slack.sockets = [], sockets
        for line, slack.link in (("worker", sockets), ("web", None)):
            bots.append(ends.enter_context(real(stage, tmp_path, line)))
        sockets.wait_for_connections(1)
        sound = real_ones(stage, slack)

        @hypothesis.settings(max_examples=ROUND, database=None, phases=[hypothesis.Phase.generate])
        @hypothesis.given(odd(sound))
        def send(made: Sent) -> None:
            kind, payload = made
            for way in (slack, sockets):
                if isinstance(payload.get("trigger_id"), str):
                    # One is good for one form, within 3 s.
                    payload["trigger_id"] = slack.workspace.new_trigger(ADMIN)
                if way is slack:
                    body = as_body(kind, payload)
                    for headers in (slack.signed(body), {}):
                        did[slack.post(body, headers, "odd", "").status] += 1
                else:
                    with contextlib.suppress(TimeoutError):
                        sockets.send(kind, payload, 0)
                    did[0] += 1

        while did.total() < pytestconfig.getoption("--requests"):
            hypothesis.seed(len(taken))(send)()
            assert set(did) <= {0, 200, 400, 401}
            assert did[401] == did[200] + did[400]
            for slack.link in (sockets, None):
                assert slack.command(ADMIN, SCANS, "help").error is None
            taken.append([mebibytes(bot.pid) for bot in bots])
            slack.calls.clear()
            stage.kayran.calls.clear()

    lines = log.read_text().splitlines()
    print(dict(did), f"{len(lines)} lines, MiB:", taken[:: -(-len(taken) // 10)])  # noqa: T201 (read with -s)
    assert [line for line in lines if "Traceback" in line] == []
    assert len(lines) < LINES_EACH * did.total()
    assert max(map(len, lines)) <= LONGEST_LINE
    for middle, end in zip(taken[(len(taken) + 1) // 2], taken[-1], strict=True):
        assert end < 1.1 * middle
