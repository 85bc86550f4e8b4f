"""What is reported, and how far it is believed. Pure."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cloud.cases.model import CaseOrigin, CaseStatus
from cloud.errors import Invalid
from edge.contract.incident import Severity

OLDEST: Final = timedelta(days=30)
"""A report of what happened before that is taken as of then: no phone was offline for so long."""

NEAR_M: Final = 100.0
"""So close to an open case of the same category a report may tell of the same thing."""

_EARTH_M: Final = 6_371_008.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What somebody reports. `area_code` is where; without one the place is found by longitude and latitude (degrees, WGS 84).

    `occurred_at` and `sent_at` are by the clock of the phone; together they tell how wrong it is. `external_id` is the number that
    a hotline or platform has for it.
    """

    origin: CaseOrigin
    category_code: str
    title: str
    description: str | None = None
    severity: Severity | None = None
    area_code: str | None = None
    longitude: float | None = None
    latitude: float | None = None
    address: str | None = None
    occurred_at: datetime | None = None
    sent_at: datetime | None = None
    external_id: str | None = None
    drill: bool = False

    def __post_init__(self) -> None:
        """Refuse, with Invalid, half a place or none."""
        if (self.longitude is None) != (self.latitude is None):
            raise Invalid("a place has a longitude and a latitude")
        if self.area_code is None and self.longitude is None:
            raise Invalid("say where: an area, or longitude and latitude")


@dataclass(frozen=True, slots=True)
class Moment:
    """When it happened: as it is believed, as it was told, and how far the teller's clock was ahead, seconds."""

    occurred_at: datetime
    told_at: datetime | None
    skew_s: float | None


def moment(report: Report, *, received_at: datetime) -> Moment:
    """When a report's matter happened: never in the future, at most `OLDEST` ago; a clock that is wrong is put right."""
    skew = report.sent_at - received_at if report.sent_at is not None else None
    believed = report.occurred_at or report.sent_at or received_at
    if skew is not None:
        believed = _shifted(believed, skew)
    believed = max(received_at - OLDEST, min(believed, received_at))
    return Moment(believed, report.occurred_at, skew.total_seconds() if skew is not None else None)


def distance_m(longitude: float, latitude: float, other_longitude: float, other_latitude: float) -> float:
    """Between two places, degrees to metres, along the great circle (haversine)."""
    here, there = math.radians(latitude), math.radians(other_latitude)
    half = (there - here) / 2, math.radians(other_longitude - longitude) / 2
    chord = math.sin(half[0]) ** 2 + math.cos(here) * math.cos(there) * math.sin(half[1]) ** 2
    return 2 * _EARTH_M * math.asin(min(1.0, math.sqrt(chord)))


class Progress(StrEnum):
    """The words for whoever asked, who sees no case: how far it is."""

    RECEIVED = "received"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    CLOSED = "closed"
    REJECTED = "rejected"


PROGRESS_OF: dict[CaseStatus, Progress] = {
    CaseStatus.REPORTED: Progress.RECEIVED,
    CaseStatus.VERIFYING: Progress.RECEIVED,
    CaseStatus.FILED: Progress.RECEIVED,
    CaseStatus.DISPATCHED: Progress.ASSIGNED,
    CaseStatus.IN_PROGRESS: Progress.IN_PROGRESS,
    CaseStatus.SUSPENDED: Progress.IN_PROGRESS,
    CaseStatus.RESOLVED: Progress.DONE,
    CaseStatus.CHECKING: Progress.DONE,
    CaseStatus.CLOSED: Progress.CLOSED,
    CaseStatus.REJECTED: Progress.REJECTED,
    CaseStatus.MERGED: Progress.IN_PROGRESS,
    CaseStatus.VOIDED: Progress.REJECTED,
}
"""Of a merged case the one that took it in is asked for; this is for the moment between."""


def _shifted(instant: datetime, by: timedelta) -> datetime:
    try:
        return instant - by
    except OverflowError:
        return instant
