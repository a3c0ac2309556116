"""What is kept of what the tests saw the bot build, and how it is held against Slack's own validator."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from slack_sdk import WebClient

from bot.sandbox.loopback import LoopbackServer, Reply, Request
from bot.slack import form, words
from bot.slack.mrkdwn import section
from tests.validate_blocks import keep, main


def test_what_slack_does_not_take_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The longest of each shape is posted, a view whole; the last line counts."""
    posted: list[dict[str, list[str]]] = []

    def slack(request: Request) -> Reply:
        posted.append(parse_qs(request.body.decode()))
        return Reply.json({"ok": "view" in posted[-1], "errors": [{"pointer": "/0/text"}]})

    blocks = [[section(text).to_dict()] for text in ("a", "longer", "b")]
    view = form.answer(words.OLDER_RELEASE).to_dict()
    for kind, value in (("view", view), *(("blocks", each) for each in blocks)):
        keep(tmp_path, kind, value)
    with LoopbackServer(slack) as server:
        assert main(WebClient("xoxb-made-up", base_url=f"{server.url}/"), tmp_path) == 1

    sent = [{kind: json.loads(text) for kind, (text,) in each.items()} for each in posted]
    assert sent == [{"blocks": blocks[1]}, {"view": view}]
    [refused, counted] = capsys.readouterr().out.splitlines()
    assert '"pointer": "/0/text"' in refused
    assert counted == "2 posted, 1 not taken"
