"""What an ack can't be faster than: a bare WSGI handler that only checks Slack's signature."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from slack_sdk.signature import SignatureVerifier

from bot.web import server

_verifier = SignatureVerifier(os.environ.get("SLACK_SIGNING_SECRET", "unset"))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """200 for what is signed, 401 for what is not."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    timestamp = environ.get("HTTP_X_SLACK_REQUEST_TIMESTAMP", "0")
    signature = environ.get("HTTP_X_SLACK_SIGNATURE", "")
    signed = _verifier.is_valid(body.decode(), timestamp, signature)
    start_response("200 OK" if signed else "401 Unauthorized", [("Content-Length", "0")])
    return [b""]


if __name__ == "__main__":
    server(application, int(os.environ["PORT"]))()
