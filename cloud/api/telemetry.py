"""The series of one point, for a chart."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel

from cloud.api.dependencies import Conn, User
from cloud.api.devices import DeviceId, find_device
from cloud.api.parameters import Name
from cloud.api.problems import RESPONSES
from cloud.errors import Invalid, NotFound
from cloud.telemetry import service
from cloud.telemetry import store as telemetry
from cloud.telemetry.service import Step
from edge.contract.telemetry import GapReason

router = APIRouter(prefix="/api/v1", tags=["telemetry"], responses=RESPONSES)

PointName = Annotated[Name, Path()]

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_FINAL = datetime(2200, 1, 1, tzinfo=UTC)


class StepChoice(StrEnum):
    """How fine the chart shall be; `auto` takes the finest step that fits."""

    AUTO = "auto"
    RAW = "raw"
    MINUTE = "minute"
    HOUR = "hour"


class SeriesGap(BaseModel):
    """Readings of the device that its node declared as dropped: they will never come."""

    from_at: AwareDatetime
    to_at: AwareDatetime
    count: int
    reason: GapReason


class SeriesPage(BaseModel):
    """Points by column, oldest first; of raw readings mean, minimum and maximum are alike.

    `next_from` is the `from` to go on with when there were more points than one answer carries.
    """

    device_id: int
    point: str
    unit: str | None
    step: Step
    observed_at: list[AwareDatetime]
    mean: list[float]
    minimum: list[float]
    maximum: list[float]
    gaps: list[SeriesGap]
    next_from: AwareDatetime | None


@router.get("/devices/{device_id}/points/{point}/series")
def read_series(
    conn: Conn,
    user: User,
    device_id: DeviceId,
    point: PointName,
    *,
    from_at: Annotated[
        AwareDatetime | None, Query(alias="from", description="an hour before `to` unless given")
    ] = None,
    to_at: Annotated[AwareDatetime | None, Query(alias="to", description="now unless given")] = None,
    step: Annotated[StepChoice, Query()] = StepChoice.AUTO,
) -> SeriesPage:
    """The readings of a point in [from, to), raw or rolled up by minute or hour, with the gaps that were declared."""
    to_at = datetime.now(UTC) if to_at is None else to_at
    if from_at is None:
        from_at = max(to_at, _EARLIEST) - timedelta(hours=1)
    if not (_EARLIEST <= from_at <= _FINAL and _EARLIEST <= to_at <= _FINAL):
        raise Invalid("`from` and `to` must lie between 1990 and 2200")
    find_device(conn, user, device_id)
    series = {each.point: each for each in telemetry.series_of_devices(conn, [device_id])}.get(point)
    if series is None:
        raise NotFound("this device has no such point")
    chosen = None if step is StepChoice.AUTO else Step(step.value)
    chart = service.chart(conn, series, from_at, to_at, chosen)
    return SeriesPage(
        device_id=device_id,
        point=point,
        unit=series.unit,
        step=chart.step,
        observed_at=[each.observed_at for each in chart.points],
        mean=[each.mean for each in chart.points],
        minimum=[each.minimum for each in chart.points],
        maximum=[each.maximum for each in chart.points],
        gaps=[
            SeriesGap(from_at=gap.from_at, to_at=gap.to_at, count=gap.count, reason=GapReason(gap.reason))
            for gap in chart.gaps
        ],
        next_from=chart.next_from,
    )
