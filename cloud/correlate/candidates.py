"""The cases that an incident may belong to, and what they are made of, in the database. Takes a connection, never commits."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from cloud.cases.model import OPEN_STATUSES, CaseStatus
from cloud.correlate.folding import Candidate, Echo, FoldRules
from cloud.correlate.policy import CaseFacts, activity_end
from cloud.correlate.source import Position, Source
from cloud.db.queries import load
from edge.contract.incident import Incident, Severity

_queries = load("cloud.correlate")

_DEGREE_M = 111_320.0
_STEEPEST = 0.01
"""The cosine of a latitude at which nobody lives."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device stands, and over which line it is reached."""

    position: Position | None = None
    link: str | None = None


NOWHERE = Place()


def places(conn: Connection[Any], device_ids: Iterable[int]) -> dict[int, Place]:
    """Of each known device its place."""
    wanted = sorted(set(device_ids))
    if not wanted:
        return {}
    return {row.id: Place(_position(row), row.behind) for row in _queries.places_of(conn, device_ids=wanted)}


def near(
    conn: Connection[Any], source: Source, incident: Incident, rules: FoldRules, *, drill_id: int | None = None
) -> list[Candidate]:
    """Cases of the same danger at the same place, not long past; locked. Of what was merged the case that took it in.

    Of a drill those of the same drill alone, else real ones alone.
    """
    found: dict[int, Candidate] = {}
    rows = _queries.candidates(
        conn,
        **_identity(source),
        spot=source.spot,
        link=source.link,
        grid_code=source.grid_code,
        **_box(source.position, rules.near_m),
        from_at=_shifted(incident.started_at, -rules.horizon),
        to_at=_shifted(activity_end(incident), rules.window),
        drill_id=drill_id,
    )
    for row in list(rows):
        case = _candidate(row, own=row.own)
        if row.merged_into is not None:
            target = _queries.merge_target_of(conn, case_id=row.id, drill_id=drill_id)
            if target is None:
                continue
            case = replace(
                _candidate(target, own=row.own),
                incidents=max(target.incidents, row.incidents),
                sources=min(target.sources or 1, row.sources),
                same_link=row.same_link,
            )
        known = found.get(case.facts.case_id)
        found[case.facts.case_id] = case if known is None else _both(known, case)
    return list(found.values())


def hold_all(conn: Connection[Any], found: Iterable[tuple[Source, Incident]], rules: FoldRules) -> None:
    """Lock every case that these may come to, in the one order of all: by their ids. Whoever works on them later waits for nobody."""
    pairs = list(found)
    boxes = [_box(source.position, rules.near_m) for source, _ in pairs]
    columns = {
        "nodes": [source.node for source, _ in pairs],
        "incident_ids": [incident.incident_id for _, incident in pairs],
        "devices": [source.device for source, _ in pairs],
        "dangers": [source.danger for source, _ in pairs],
        "spots": [source.spot for source, _ in pairs],
        "links": [source.link for source, _ in pairs],
        "grid_codes": [source.grid_code for source, _ in pairs],
        "from_ats": [_shifted(incident.started_at, -rules.horizon) for _, incident in pairs],
    }
    sides = {f"{side}s": [box[side] for box in boxes] for side in ("west", "east", "south", "north")}
    for _ in _queries.lock_cases_near(conn, **columns, **sides):
        pass


def hold(conn: Connection[Any], case_id: int) -> None:
    """Lock a case until the end of the transaction."""
    _queries.lock_case(conn, case_id=case_id)


def lock(conn: Connection[Any], case_id: int) -> Candidate:
    """The case of a known incident; locked."""
    _queries.lock_case(conn, case_id=case_id)
    return standing(conn, case_id)


def standing(conn: Connection[Any], case_id: int) -> Candidate:
    """A case and what it is made of, read only."""
    return _candidate(_queries.standing_of(conn, case_id=case_id), own=None)


def count(conn: Connection[Any], case_id: int, source: Source, incident: Incident) -> int:
    """Note that a case has one incident more; how many it has now."""
    rank = incident.severity.rank
    counted: int = _queries.count_incident(
        conn,
        case_id=case_id,
        **_identity(source),
        spot=source.spot,
        link=source.link,
        grid_code=source.grid_code,
        longitude=source.position.longitude if source.position is not None else None,
        latitude=source.position.latitude if source.position is not None else None,
        from_medium=int(rank >= Severity.MEDIUM.rank),
        from_high=int(rank >= Severity.HIGH.rank),
        critical=int(rank >= Severity.CRITICAL.rank),
        last_at=activity_end(incident),
    )
    return counted


def reach(conn: Connection[Any], case_id: int, source: Source, incident: Incident) -> None:
    """Note that a source still sees what it found."""
    _queries.reach(conn, case_id=case_id, **_identity(source), last_at=activity_end(incident))


def begin_echo(conn: Connection[Any], case_id: int, echo: Echo) -> None:
    """Make a case the one that takes what was judged false again."""
    _queries.begin_echo(conn, case_id=case_id, until=echo.until, severity=echo.severity.value)


def _identity(source: Source) -> Mapping[str, str]:
    return {
        "node": source.node,
        "device": source.device,
        "danger": source.danger,
        "zone": source.zone,
        "rule": source.rule,
    }


def _position(row: Any) -> Position | None:
    if row.longitude is None or row.latitude is None:
        return None
    return Position(row.longitude, row.latitude)


def _box(position: Position | None, near_m: float) -> dict[str, float | None]:
    """The square around a position in which everything nearer than `near_m` lies. Its corners are a little farther."""
    if position is None:
        return dict.fromkeys(("west", "east", "south", "north"))
    north = near_m / _DEGREE_M
    east = north / max(_STEEPEST, math.cos(math.radians(position.latitude)))
    return {
        "west": position.longitude - east,
        "east": position.longitude + east,
        "south": position.latitude - north,
        "north": position.latitude + north,
    }


def _candidate(row: Any, *, own: list[int] | None) -> Candidate:
    status = CaseStatus(row.status)
    return Candidate(
        facts=CaseFacts(
            case_id=row.id,
            is_open=status in OPEN_STATUSES,
            severity=Severity(row.severity),
            started_at=row.started_at,
            last_activity_at=row.last_activity_at,
            late=row.late,
            simulated=row.simulated,
        ),
        status=status,
        own=_apart(own),
        incidents=row.incidents,
        sources=row.sources,
        same_link=getattr(row, "same_link", False),
        settled_at=row.settled_at,
        reason=getattr(row, "reason", None),
        echo=None if row.echo_until is None else Echo(row.echo_until, Severity(row.echo_severity)),
    )


def _apart(counted: list[int] | None) -> tuple[int, ...]:
    """So many of each severity, from so many of at least that severity."""
    if counted is None:
        return (0, 0, 0, 0)
    return tuple(at_least - worse for at_least, worse in zip(counted, [*counted[1:], 0], strict=True))


def _both(one: Candidate, other: Candidate) -> Candidate:
    """The same case found twice: as itself, and as what took another one in."""
    return replace(
        one,
        own=tuple(a + b for a, b in zip(one.own, other.own, strict=True)),
        incidents=max(one.incidents, other.incidents),
        sources=min(one.sources, other.sources),
        same_link=one.same_link or other.same_link,
    )


def _shifted(instant: datetime, by: timedelta) -> datetime:
    """`instant + by`, held inside of what a date can be."""
    try:
        return instant + by
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if by < timedelta(0) else datetime.max.replace(tzinfo=UTC)
