"""What the tests of the Kayran client share: a key, short limits, a client that is closed again."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.kayran import Kayran, Limits

KEY = "made-up-kayran-key-0123456789"

QUICK = Limits(connect=1.0, answer=1.0, last_start=2.0, tries=5, pause=0.02, longest_pause=0.2)
"""Limits that are as far apart as the real ones, and over sooner."""


SLACK = 0.25
"""Seconds that a busy machine may add to a limit, which itself is kept to a few milliseconds."""


@contextmanager
def client(url: str, limits: Limits = QUICK, key: str = KEY, **session: Any) -> Iterator[Kayran]:
    """A client with a session of its own, whose attributes may be given."""
    own = requests.Session()
    own.trust_env = False
    for name, value in session.items():
        setattr(own, name, value)
    kayran = Kayran(own, url, key, limits)
    try:
        yield kayran
    finally:
        kayran.close()


def http(body: bytes, status: int = 200, **headers: str) -> bytes:
    """An HTTP answer, as bytes, after which the line is closed."""
    fields = {"Content_Length": str(len(body)), "Connection": "close", **headers}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def answers_once(raw: bytes) -> Iterator[str]:
    """The URL of a server that is gone by the time its one answer is there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def serve() -> None:
            line, _ = listener.accept()
            listener.close()
            with line:
                while not line.recv(65536).endswith(b"}"):
                    pass
                line.sendall(raw)

        thread = threading.Thread(target=serve)
        thread.start()
        yield url
        thread.join()


class Stopwatch:
    """How long a ``with`` block took, in ``seconds``."""

    def __enter__(self) -> Stopwatch:  # noqa: PYI034 (Self came with Python 3.11)
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began


def certificate(folder: Path, address: str = "127.0.0.1") -> tuple[str, ssl.SSLContext]:
    """A new certificate that vouches for itself, for a server at that address.

    Returns:
        The path of the file to trust it by, and what a server needs to show it.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made up")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        # Python 3.13 and later insist on this one.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    trusted, secret = folder / "trusted.pem", folder / "key.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, secret)
    return str(trusted), context
