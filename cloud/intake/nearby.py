"""Cases that go on near a place, of the same category: what a report may tell of once more. Takes the caller's transaction."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access.model import Principal
from cloud.cases.model import OPEN_STATUSES, CaseStatus
from cloud.db.queries import load
from cloud.intake.model import NEAR_M, distance_m
from edge.contract.incident import Severity

_queries = load("cloud.intake")

MOST = 20
_M_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NearCase:
    """One that may be the same: people merge, or let be. `distance_m` is None where nobody said where exactly it is."""

    id: int
    number: str
    status: CaseStatus
    severity: Severity
    title: str | None
    opened_at: datetime
    simulated: bool
    distance_m: float | None


def near(conn: Connection[Any], user: Principal, case_id: int) -> list[NearCase]:
    """Those that a case may be merged into, the nearest first. The person sees the case itself: the caller has looked."""
    place = _queries.place_of(conn, case_id=case_id)
    box: dict[str, float | None] = dict.fromkeys(("west", "east", "south", "north"))
    if place.longitude is not None:
        high = NEAR_M / _M_PER_DEGREE
        wide = high / max(0.01, math.cos(math.radians(place.latitude)))
        box = {
            "west": place.longitude - wide,
            "east": place.longitude + wide,
            "south": place.latitude - high,
            "north": place.latitude + high,
        }
    rows = _queries.near(
        conn,
        scope=user.area_path,
        department=user.department_id,
        statuses=sorted(OPEN_STATUSES),
        category_code=place.category_code,
        category=place.category,
        area_code=place.area_code,
        drill=place.drill,
        simulated=place.simulated,
        but=case_id,
        count=5 * MOST,
        **box,
    )
    found = [_near(row, place) for row in rows]
    close = [each for each in found if each.distance_m is None or each.distance_m <= NEAR_M]
    return sorted(close, key=lambda each: (each.distance_m is None, each.distance_m or 0.0, -each.id))[:MOST]


def _near(row: Any, place: Any) -> NearCase:
    away = None
    if place.longitude is not None and row.longitude is not None:
        away = round(distance_m(place.longitude, place.latitude, row.longitude, row.latitude), 1)
    return NearCase(
        id=row.id,
        number=row.number,
        status=CaseStatus(row.status),
        severity=Severity(row.severity),
        title=row.title,
        opened_at=row.opened_at,
        simulated=row.simulated,
        distance_m=away,
    )
