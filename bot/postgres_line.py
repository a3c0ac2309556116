"""The line to PostgreSQL: no answer is waited for for ever.

The driver waits as long as the other end keeps the line up. A server that is frozen, or a proxy
that has nobody behind it any more, does keep it up, and a submit would hang on it until Slack gives
up, and its thread for good.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

_Result = TypeVar("_Result")


class PostgresLine(psycopg.Connection[Any]):
    """A connection of psycopg's, with a limit to how long an answer may take.

    Attributes:
        answers_within: seconds for each answer; ``None`` for as long as it takes.
    """

    answers_within: float | None = None

    def wait(
        self, gen: PQGen[_Result], interval: float = 0.1, timeout: float | None = None
    ) -> _Result:
        """Wait for an answer; psycopg does all its waiting here, but for that while connecting.

        Raises:
            psycopg.OperationalError: when it does not come in time. The line is closed then: the
                answer may come yet, and would be taken for that to the next question.
            TimeoutError: when it does not come in time in autocommit, as SQLAlchemy asks whether a
                line still lives. It would replace a dead one at once, which with a server that is
                frozen takes as long again.
        """
        try:
            return super().wait(gen, interval, timeout or self.answers_within)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()
                if self.autocommit:
                    raise TimeoutError("PostgreSQL did not answer in time") from error
            raise
