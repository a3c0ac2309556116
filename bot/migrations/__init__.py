"""The schema of the record, step by step; Alembic takes a database from where it is to the newest.

A step is a file in ``versions`` named for its number. It is written once and never edited after a
release; ``bot/records.py`` names the newest in ``SCHEMA_HEAD``, and a test holds the two together.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


def upgrade(connection: sa.Connection, to: str = "head") -> None:
    """Bring the schema up within the connection's transaction: all of it, or nothing."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
