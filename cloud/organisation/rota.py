"""Shifts that come again each week, and where nobody is on duty. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cloud.access.model import codes_of
from cloud.organisation.hours import Hours, Span, local, without
from cloud.organisation.model import DutyKind, Gap

SHORTEST: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """On which days a shift comes: `weekdays` (1 is Monday) of every so manieth week, counted from that of `first_day`."""

    weekdays: frozenset[int]
    begins_at: time
    lasts_min: int
    first_day: date
    last_day: date | None = None
    every_weeks: int = 1

    def days(self, from_day: date, until_day: date) -> Iterator[date]:
        """The days on which it begins, from one day up to and with another."""
        day = max(from_day, self.first_day)
        last = until_day if self.last_day is None else min(until_day, self.last_day)
        anchor = self.first_day - timedelta(days=self.first_day.weekday())
        while day <= last:
            if day.isoweekday() in self.weekdays and (day - anchor).days // 7 % self.every_weeks == 0:
                yield day
            day += timedelta(days=1)

    def span(self, day: date, zone: ZoneInfo) -> Span:
        """The shift that begins on a day; one that passes midnight ends the day after."""
        from_at = local(day, self.begins_at.hour * 60 + self.begins_at.minute, zone)
        return Span(from_at, from_at + timedelta(minutes=self.lasts_min))


@dataclass(frozen=True, slots=True)
class Cover:
    """Somebody of a kind has to be on duty in an area at these hours."""

    area_code: str
    area_path: str
    area_name: str
    level: str
    kind: DutyKind
    hours: Hours


def gaps(
    covers: Iterable[Cover],
    shifts: Mapping[tuple[str, DutyKind], Sequence[Span]],
    *,
    within: Span,
    zone: ZoneInfo,
) -> Iterator[Gap]:
    """When nobody is on duty where somebody has to be. `shifts` by the code of their area and their kind.

    Who is on duty for an area is so for all that lies in it.
    """
    wanted: dict[Hours, list[Span]] = {}
    for cover in covers:
        if cover.hours not in wanted:
            wanted[cover.hours] = cover.hours.spans(zone, within)
        there = [span for code in codes_of(cover.area_path) for span in shifts.get((code, cover.kind), ())]
        for span in without(wanted[cover.hours], there):
            yield Gap(
                area_code=cover.area_code,
                area_path=cover.area_path,
                area_name=cover.area_name,
                level=cover.level,
                kind=cover.kind,
                from_at=span.from_at,
                until=span.until,
            )
