"""What was asked, decided and done, in SQLite or PostgreSQL.

``changes`` keeps the story of each change, ``outbox`` what of it is to be reported in Slack,
``requests`` what others asked for, and ``history`` reads it all back. Beneath them are ``rows``, what a row of it means; ``database``, the
connections; ``tables``, what is where; and ``migrations``, which brings an older schema up.
"""

from dataclasses import dataclass

from bot.store.changes import ChangeStore
from bot.store.database import Database
from bot.store.outbox import Outbox
from bot.store.requests import RequestStore

__all__ = ["ChangeStore", "Database", "Leases", "Outbox", "RequestStore"]


@dataclass(frozen=True)
class Leases:
    """How long a claim outlives the process that took it, in seconds.

    Attributes:
        send: of a change that is being sent to Kayran.
        deliver: of a change that is being reported in Slack.
    """

    send: float = 30.0
    deliver: float = 40.0
