"""Every view and message that the tests saw the bot build, held against Slack's own validator.

A test run leaves the longest of each shape in ``FOLDER``, which git ignores (``pytest --cache-clear`` empties
it first). Where Slack can be reached, ``SLACK_BOT_TOKEN=xoxb-… python -m tests.validate_blocks`` posts them to
https://docs.slack.dev/reference/methods/blocks.validate, and says what Slack would not take; any app's
token will do.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

FOLDER = Path(__file__).parents[1] / ".pytest_cache" / "d" / "blocks"


def keep(folder: Path, kind: str, value: Any) -> None:
    """Write down a view or the blocks of a message, unless there is a longer one of its shape."""
    name = hashlib.blake2b(_shape(value).encode(), digest_size=6).hexdigest()
    path, text = folder / f"{kind}-{name}.json", json.dumps({kind: value})
    if not path.exists() or path.stat().st_size < len(text):
        path.write_text(text)


def _shape(value: Any) -> str:
    """Which fields there are, of which types and in lists of which lengths, whatever they say."""
    if isinstance(value, dict):
        return str(sorted((k, v if k == "type" else _shape(v)) for k, v in value.items()))
    if isinstance(value, list):
        return f"{len(value)} {sorted({*map(_shape, value)})}"
    return ""


def main(client: WebClient, folder: Path = FOLDER) -> int:
    """Post them all, and say what Slack does not take; the exit status."""
    # Slack names no rate for this method, only that it has one of its own.
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=5))
    files = sorted(folder.glob("*.json"))
    refusals = [said for path in files if (said := _refusal(client, path))]
    sys.stdout.writelines([*refusals, f"{len(files)} posted, {len(refusals)} not taken\n"])
    return int(bool(refusals) or not files)


def _refusal(client: WebClient, path: Path) -> str:
    try:
        client.blocks_validate(**json.loads(path.read_text()))
    except SlackApiError as error:
        return f"{path}: {json.dumps(error.response.data)}\n"
    return ""


if __name__ == "__main__":
    sys.exit(main(WebClient(os.environ["SLACK_BOT_TOKEN"])))
