"""What a birth says of artifacts: what the node and its devices run, and how far it is with its orders. Written by ingest, judged by the sweep."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.rollouts import announced_store
from edge.contract.birth import Birth


def take(conn: Connection[Any], node_id: int, birth: Birth, *, at: datetime) -> None:
    """Keep it, in the transaction of the birth. What the birth does not name is not announced any more."""
    announced_store.keep_artifacts(conn, node_id, birth.artifacts, birth.firmware, at=at)
    announced_store.keep_reports(conn, node_id, (*birth.steps, *birth.firmware_steps), at=at)
