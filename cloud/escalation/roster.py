"""Who answers for a level at a time (责任人): whoever is on duty there, else whoever holds the post. Takes the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from psycopg import Connection

from cloud.access.model import Role, codes_of
from cloud.db.queries import load
from cloud.organisation import duty, hours
from cloud.organisation.model import DutyKind

_queries = load("cloud.escalation")

DISTRICT_ZONE = ZoneInfo("Asia/Shanghai")
LEADS = frozenset({DutyKind.GRID_LEAD})
CHIEFS = frozenset({DutyKind.DUTY_CHIEF, DutyKind.DUTY_OFFICER})


@dataclass(frozen=True, slots=True)
class LevelArea:
    """An area above a case, and its level."""

    level: str
    code: str
    path: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is there."""

    account_id: int
    display_name: str


class Roster(Protocol):
    """Says who answers for an area."""

    def answering(self, conn: Connection[Any], area: LevelArea, *, at: datetime) -> Sequence[Person]:
        """Those who are to be called, the first first; nobody when there is nobody."""


class Posts:
    """Whoever holds the post: the grid lead of a grid, the duty chief of each level above."""

    def answering(self, conn: Connection[Any], area: LevelArea, *, at: datetime) -> Sequence[Person]:  # noqa: ARG002
        """At any hour."""
        if area.level == _queries.lowest_level(conn):
            rows = _queries.accounts_along(conn, codes=list(codes_of(area.path)), role=Role.GRID_LEAD.value)
        else:
            rows = _queries.accounts_of_area(conn, area_code=area.code, role=Role.DUTY_CHIEF.value)
        return [Person(row.id, row.display_name) for row in rows]


class Duty:
    """Whoever is on duty. At hours that are planned for a level there is nobody where nobody is on duty; at others the posts answer."""

    def __init__(self, zone: ZoneInfo = DISTRICT_ZONE) -> None:
        self._posts = Posts()
        self._zone = zone

    def answering(self, conn: Connection[Any], area: LevelArea, *, at: datetime) -> Sequence[Person]:
        """Of an area's own shifts; a grid lead's may be that of a whole community."""
        lowest = area.level == _queries.lowest_level(conn)
        kinds = LEADS if lowest else CHIEFS
        there = [
            shift
            for shift in duty.on_duty(conn, area.path, at=at, kinds=kinds)
            if lowest or shift.area_code == area.code
        ]
        if there:
            return [Person(shift.account_id, shift.display_name) for shift in there]
        planned = any(
            cover.level == area.level
            and cover.kind in kinds
            and area.path.startswith(cover.area_path or "")
            and hours.parse(cover.hours).holds(at, self._zone)
            for cover in duty.covers(conn, "")
        )
        return [] if planned else self._posts.answering(conn, area, at=at)


def levels_above(conn: Connection[Any], area_path: str, *, at: datetime) -> list[LevelArea]:
    """The areas in which a place lies, the lowest level first, as they were at a time."""
    rows = _queries.levels_of(conn, codes=list(codes_of(area_path)), at=at)
    return [LevelArea(row.level, row.code, row.path) for row in reversed(list(rows))]
