"""What was sent to people outside of the page, and how far it came: for who runs the service. Never an address."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from psycopg import Connection

from cloud.notify.model import ChannelKind, DeliveryState, Failure
from cloud.notify.store import queries

WANTING = (DeliveryState.QUEUED, DeliveryState.GIVEN_UP)
"""What has not come to anybody: it waits, or was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notice on one channel. `word` is what it tells of, `number` of which case."""

    id: int
    account: str
    display_name: str
    word: str
    number: str | None
    channel_id: int
    kind: ChannelKind
    label: str
    state: DeliveryState
    attempts: int
    failure: Failure | None
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the queries."""
        return cls(
            id=row.id,
            account=row.account,
            display_name=row.display_name,
            word=row.word,
            number=row.number,
            channel_id=row.channel_id,
            kind=ChannelKind(row.kind),
            label=row.label,
            state=DeliveryState(row.state),
            attempts=row.attempts,
            failure=Failure(row.failure) if row.failure is not None else None,
            created_at=row.created_at,
            due_at=row.due_at,
            ended_at=row.ended_at,
        )


def latest(conn: Connection[Any], *, account_id: int | None, wanting: bool, count: int) -> list[Delivery]:
    """The newest of a person, or of all; with `wanting` only those that came to nobody."""
    states = [state.value for state in WANTING] if wanting else None
    rows = queries.latest_deliveries(conn, account_id=account_id, states=states, count=count)
    return [Delivery.of(row) for row in rows]
