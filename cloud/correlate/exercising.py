"""Which incidents belong to a drill that runs, or ran: decided once, when an incident comes first. Takes a connection, never commits."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from cloud.correlate.arrival import Arrival
from cloud.drills import model, store
from cloud.drills.model import ChosenSource, Exercise, Found


def during(conn: Connection[Any], arrivals: Sequence[Arrival]) -> tuple[Exercise, ...]:
    """The drills that a batch may concern: one look for all of it."""
    return store.exercises(
        conn,
        [arrival.report.node for arrival in arrivals],
        from_at=min(arrival.incident.started_at for arrival in arrivals),
        to_at=max(arrival.report.received_at for arrival in arrivals),
    )


def drill_of(conn: Connection[Any], arrival: Arrival, exercises: Sequence[Exercise]) -> int | None:
    """The drill that a new incident belongs to, None for what is real, and for what lies nowhere."""
    if not exercises:
        return None
    area = arrival.area(conn)
    if area is None:
        return None
    found = Found(
        source=ChosenSource(arrival.report.node, arrival.source.device, arrival.source.rule),
        area_path=area.path,
        started_at=arrival.incident.started_at,
        received_at=arrival.report.received_at,
        historical=arrival.report.historical,
    )
    return model.drill_of(found, exercises)


def outlasts(conn: Connection[Any], arrival: Arrival, row_id: int) -> bool:
    """Whether a known incident was found for a drill that is over, and is still there or has become worse."""
    known = store.exercised(conn, row_id)
    return known is not None and model.outlasts(
        known, arrival.incident, received_at=arrival.report.received_at, historical=arrival.report.historical
    )
