"""Where workers on duty are (位置): the newest place of each, for as long as the shift lasts, and who is nearest to a case.

There is no trail. The place stands in an unlogged table, in no backup, no log and no audit; a trigger deletes it in the
transaction that ends its shift, a sweep when the shift's time is over, and what is left is never read.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import Connection

from cloud.access import geojson
from cloud.access.model import Principal
from cloud.db.queries import load
from cloud.errors import Conflict, Invalid
from cloud.organisation.model import DutyKind

_queries = load("cloud.organisation")

OLDEST: Final = timedelta(minutes=10)
"""What a phone measured longer ago says nothing of now."""

SKEW: Final = timedelta(minutes=2)
EARTH_RADIUS_M: Final = 6_371_008.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a phone measured: WGS 84 in degrees, accuracy in metres."""

    longitude: float
    latitude: float
    accuracy_m: float | None
    measured_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NearWorker:
    """Somebody on duty, how far he was from a place, and when that was."""

    account_id: int
    display_name: str
    role: str
    kind: DutyKind
    area_code: str
    area_name: str
    longitude: float
    latitude: float
    accuracy_m: float | None
    distance_m: float
    measured_at: datetime


def report(conn: Connection[Any], user: Principal, place: Place, *, now: datetime) -> datetime:
    """Note where a person on duty is; until when it is kept at most comes back.

    Raises Conflict for somebody who is not on duty, Invalid for what was measured before the shift or too long ago.
    """
    shift = _queries.shift_for_position(conn, account_id=user.user_id, at=now)
    if shift is None:
        raise Conflict("a position is taken only of those who are on duty")
    if place.measured_at > now + SKEW:
        raise Invalid("the position was measured in the future")
    if place.measured_at < max(now - OLDEST, shift.from_at - SKEW):
        raise Invalid("the position was measured too long ago")
    _queries.note_position(
        conn,
        account_id=user.user_id,
        shift_id=shift.id,
        longitude=place.longitude,
        latitude=place.latitude,
        accuracy_m=place.accuracy_m,
        measured_at=min(place.measured_at, now),
        now=now,
    )
    until: datetime = shift.until_at
    return until


def withdraw(conn: Connection[Any], user: Principal) -> None:
    """Forget where a person is, because he says so."""
    _queries.forget_position(conn, account_id=user.user_id)


def nearest(
    conn: Connection[Any], longitude: float, latitude: float, *, at: datetime, count: int, area_path: str = ""
) -> list[NearWorker]:
    """Those on duty in an area (anywhere without one) who have told where they are, the nearest first (指挥调度)."""
    found = []
    for row in _queries.positions(conn, scope=area_path, at=at):
        away_m = distance_m(longitude, latitude, row.longitude, row.latitude)
        found.append(
            NearWorker(
                account_id=row.account_id,
                display_name=row.display_name,
                role=row.role,
                kind=DutyKind(row.kind),
                area_code=row.area_code,
                area_name=row.area_name,
                longitude=row.longitude,
                latitude=row.latitude,
                accuracy_m=row.accuracy_m,
                distance_m=away_m,
                measured_at=row.measured_at,
            )
        )
    return sorted(found, key=lambda worker: (worker.distance_m, worker.account_id))[:count]


def near_case(
    conn: Connection[Any], case_id: int, *, at: datetime, count: int, area_path: str = ""
) -> list[NearWorker]:
    """The nearest to a case, or to the middle of its grid where nobody has said where it is; nobody without either."""
    row = _queries.place_of_case(conn, case_id=case_id)
    if row is None:
        return []
    where = (row.longitude, row.latitude) if row.longitude is not None else geojson.centre(row.boundary)
    return nearest(conn, *where, at=at, count=count, area_path=area_path) if where is not None else []


def forget(conn: Connection[Any], *, now: datetime) -> int:
    """Delete the places of those whose shift is over; how many."""
    return int(_queries.forget_positions(conn, now=now))


def distance_m(longitude: float, latitude: float, other_longitude: float, other_latitude: float) -> float:
    """Metres along a great circle (haversine) between two places in degrees."""
    north, other_north = math.radians(latitude), math.radians(other_latitude)
    half_north, half_east = (other_north - north) / 2, math.radians(other_longitude - longitude) / 2
    bow = math.sin(half_north) ** 2 + math.cos(north) * math.cos(other_north) * math.sin(half_east) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(bow)))
