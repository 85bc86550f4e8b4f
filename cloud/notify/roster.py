"""Who has the shift, for those who decide whom to tell."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.organisation import duty


def on_duty(conn: Connection[Any], area_path: str, at: datetime) -> Collection[int]:
    """The accounts of those who are on duty for a place at a time, there or above it."""
    return {each.account_id for each in duty.on_duty(conn, area_path, at=at)}
