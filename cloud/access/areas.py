"""Areas (区域): finding them, listing a scope, drawing them, and taking in a new set."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.access import audit, geojson, schemes
from cloud.access.codes import CodeScheme
from cloud.access.geojson import Feature, Problem
from cloud.access.model import Area, Principal
from cloud.db import live
from cloud.db.queries import load
from cloud.errors import Invalid, NotFound

_queries = load("cloud.access")


@dataclass(frozen=True, slots=True)
class Boundary:
    """An area with its GeoJSON geometry, its open cases, and the worst severity among them."""

    code: str
    name: str
    level: str
    parent: str | None
    geometry: dict[str, Any] | None
    open_cases: int
    severity: str | None


@dataclass(frozen=True, slots=True)
class AreaVersion:
    """An area as it was drawn from one time to another; `valid_to` is None for the one of now."""

    area: Area
    geometry: dict[str, Any] | None
    valid_from: datetime
    valid_to: datetime | None


@dataclass(slots=True)
class ImportReport:
    """What became of the rows. With problems nothing was changed."""

    added: list[str] = field(default_factory=list)
    redrawn: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def find(conn: Connection[Any], code: str) -> Area | None:
    """The area that a code stands for now; None when no valid one has it."""
    row = _queries.area_by_code(conn, code=code.replace("\x00", "")[:64])
    return _area(row) if row is not None else None


def find_at(conn: Connection[Any], code: str, at: datetime) -> Area | None:
    """The area that a code stood for at a time, as it was drawn and named then; None when there was none."""
    row = _queries.area_by_code_at(conn, code=code.replace("\x00", "")[:64], at=at)
    return _area(row) if row is not None else None


def versions(conn: Connection[Any], code: str) -> list[AreaVersion]:
    """All that a code has ever stood for, the oldest first."""
    return [
        AreaVersion(_area(row), row.boundary, row.valid_from, row.valid_to)
        for row in _queries.area_versions(conn, code=code.replace("\x00", "")[:64])
    ]


def find_in_scope(conn: Connection[Any], principal: Principal, code: str) -> Area:
    """The same for a person. Raises NotFound also for an area outside of the person's scope."""
    area = find(conn, code)
    if area is None or not principal.sees(area.path):
        raise NotFound("there is no such area in your scope")
    return area


def scope_path(conn: Connection[Any], principal: Principal, code: str | None) -> str:
    """The path to filter by: of the area asked for, or the person's whole scope. Raises NotFound."""
    return principal.area_path if code is None else find_in_scope(conn, principal, code).path


def in_scope(conn: Connection[Any], principal: Principal) -> list[Area]:
    """The areas of a person's scope and those above, from the top down."""
    return [_area(row) for row in _queries.areas_in_scope(conn, scope=principal.area_path)]


def levels(conn: Connection[Any]) -> list[str]:
    """The names of the levels from the top down."""
    return [row.level for row in _queries.levels(conn)]


def boundaries(
    conn: Connection[Any], path: str, level: str, *, open_statuses: Sequence[str], department_id: int | None = None
) -> list[Boundary]:
    """The areas of one level below a path, as they are drawn; with a department only cases that it was told of are counted.

    Raises Invalid for a level that does not exist.
    """
    if level not in levels(conn):
        raise Invalid(f"there is no level {level[:50]!r}")
    rows = _queries.boundaries(
        conn, scope=path, level=level, open_statuses=list(open_statuses), department=department_id
    )
    return [
        Boundary(row.code, row.name, row.level, row.parent_code, row.boundary, row.open_cases, row.severity)
        for row in rows
    ]


def take_in(conn: Connection[Any], document: object, *, scheme: str = "cn15", now: datetime) -> ImportReport:
    """Take in a GeoJSON FeatureCollection whose properties are code, level, name and, unless it follows from the code, parent.

    An area that changed gets a new version, valid from `now`; the old one ends there and old cases keep it. So does one with
    the property `ended`, without a new one. One bad row and nothing is taken in: the report names every bad row. Raises
    Invalid for an unknown scheme, and where areas would be left below one that is gone.
    """
    rules = schemes.find(conn, scheme)
    report = ImportReport()
    features, report.problems = geojson.read(document)
    _queries.lock_areas(conn)
    features.sort(key=lambda feature: rules.position(feature.level) if feature.level in rules.levels else 0)
    parents = _parents(conn, features, rules)
    report.problems += _problems(conn, features, rules, parents)
    if report.problems:
        report.problems.sort(key=lambda problem: problem.row)
        return report
    paths: dict[str, str] = {}
    for feature in features:
        if feature.ended:
            _queries.end_area(conn, code=feature.code, valid_to=now)
            report.ended.append(feature.code)
            continue
        parent = parents[feature.code]
        paths[feature.code] = f"{_path_of(conn, parent, paths)}{feature.code}/"
        row = {
            "code": feature.code,
            "scheme": scheme,
            "level": feature.level,
            "parent_code": parent,
            "name": feature.name,
            "kind": feature.kind,
            "path": paths[feature.code],
            "boundary": feature.geometry,
        }
        _take_in_one(conn, row, now, report)
    astray = [row.code for row in _queries.areas_astray(conn)]
    if astray:
        raise Invalid(
            f"these areas would hang below a parent that has moved or ended; put them into the file: {', '.join(astray)}"
        )
    if report.redrawn or report.ended:
        live.end_every_stream(conn)
    audit.write(
        conn,
        "areas.imported",
        f"scheme:{scheme}",
        actor_name="command line",
        detail={
            "added": len(report.added),
            "redrawn": report.redrawn[:100],
            "ended": report.ended[:100],
            "unchanged": len(report.unchanged),
        },
    )
    return report


def _parents(conn: Connection[Any], features: Sequence[Feature], rules: CodeScheme) -> dict[str, str | None]:
    """Code → parent: as stated, else the longest other code that it begins with, in the file or already here."""
    lengths = sorted({len(feature.code) for feature in features} | rules.lengths, reverse=True)
    known = {feature.code for feature in features}
    wanted = [feature.code[:length] for feature in features for length in lengths if length < len(feature.code)]
    known |= {row.code for row in _queries.levels_of_codes(conn, codes=sorted(set(wanted)))}
    parents: dict[str, str | None] = {}
    for feature in features:
        shorter = (feature.code[:length] for length in lengths if length < len(feature.code))
        implied = next((code for code in shorter if code in known), None) if rules.nested else None
        parents[feature.code] = feature.parent if feature.parent is not None else implied
    return parents


def _problems(
    conn: Connection[Any], features: Sequence[Feature], rules: CodeScheme, parents: dict[str, str | None]
) -> list[Problem]:
    above = sorted({parent for parent in parents.values() if parent is not None})
    level_of = {row.code: row.level for row in _queries.levels_of_codes(conn, codes=above)}
    level_of |= {feature.code: feature.level for feature in features}
    ended = sorted(feature.code for feature in features if feature.ended)
    present = {row.code for row in _queries.levels_of_codes(conn, codes=ended)}
    found, seen = [], set[str]()
    for feature in features:
        parent = parents[feature.code]
        reason = rules.problem(feature.code, feature.level, parent)
        if reason is None and parent is None and feature.level != rules.top:
            reason = "its parent is neither in the file nor known"
        elif reason is None and parent is not None:
            reason = _problem_above(feature, parent, level_of.get(parent), rules)
        if reason is None and feature.ended and feature.code not in present:
            reason = "there is no such area that could end"
        if reason is not None:
            found.append(Problem(feature.row, feature.code, reason))
        if feature.code in seen:
            found.append(Problem(feature.row, feature.code, "the code stands twice in the file"))
        seen.add(feature.code)
    return found


def _problem_above(feature: Feature, parent: str, level: str | None, rules: CodeScheme) -> str | None:
    if level is None:
        return f"its parent {parent} is neither in the file nor known"
    if level not in rules.levels or rules.position(level) >= rules.position(feature.level):
        return f"its parent {parent} does not stand on a higher level"
    return None


def _path_of(conn: Connection[Any], parent: str | None, paths: dict[str, str]) -> str:
    if parent is None:
        return ""
    if parent not in paths:
        area = find(conn, parent)
        if area is None:
            raise Invalid(f"the parent {parent} is neither in the file nor known")
        paths[parent] = area.path
    return paths[parent]


def _take_in_one(conn: Connection[Any], row: dict[str, Any], now: datetime, report: ImportReport) -> None:
    code = row["code"]
    present = _queries.area_full(conn, code=code)
    if present is not None:
        if {name: value for name, value in present._asdict().items() if name != "id"} == row:
            report.unchanged.append(code)
            return
        _queries.end_area(conn, code=code, valid_to=now)
    (report.added if present is None else report.redrawn).append(code)
    boundary = Jsonb(row["boundary"]) if row["boundary"] is not None else None
    _queries.insert_area(conn, **(row | {"boundary": boundary, "valid_from": now}))


def _area(row: Any) -> Area:
    return Area(row.id, row.code, row.level, row.parent_code, row.name, row.path)
