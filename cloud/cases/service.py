"""What people do with cases: list, read, act. One use case is one transaction of the caller's connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from cloud.access.model import Principal
from cloud.cases import steps
from cloud.cases.life import Order
from cloud.cases.model import OPEN_STATUSES, CaseStatus
from cloud.cases.standing import actions_of, check_role
from cloud.cases.view import (
    CaseClock,
    CaseDetail,
    CaseSummary,
    clock_view,
    history_entry,
    incident_view,
    more_fields,
    petition_view,
    picture_view,
    summary_fields,
    to_payload,
)
from cloud.db import live
from cloud.db.queries import load
from cloud.deadlines import store as clocks
from cloud.deadlines.clock import Light
from cloud.errors import NotFound
from edge.contract.incident import Severity

_queries = load("cloud.cases")

INCIDENTS_SHOWN = 100
HISTORY_SHOWN = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases; an empty sequence or None means any."""

    area_path: str
    department_id: int | None = None
    statuses: Sequence[CaseStatus] = ()
    severities: Sequence[Severity] = ()
    kinds: Sequence[str] = ()
    device_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFigures:
    """Counts over the cases of an area; days begin at local midnight. `open_simulated` are part of `open_cases`."""

    open_cases: int
    open_simulated: int
    by_severity: dict[Severity, int]
    reported: int
    today_opened: int
    incidents_24h: int


def page(conn: Connection[Any], wanted: CaseFilter, *, before: int | None, count: int) -> list[CaseSummary]:
    """At most `count` cases, the newest first, those with an id below `before`."""
    rows = list(_queries.summaries(conn, **_narrowed(wanted), before=before, count=count))
    running = _clocks(conn, [row.id for row in rows])
    return [CaseSummary(**summary_fields(row, running.get(row.id))) for row in rows]


def page_due(
    conn: Connection[Any],
    wanted: CaseFilter,
    *,
    light: Light | None,
    now: datetime,
    after: tuple[datetime, int] | None,
    count: int,
) -> list[CaseSummary]:
    """At most `count` cases for which a clock runs, those first that are due first; `after` is when a clock is due, and its id.

    `light` picks those whose clock is of that colour at `now`.
    """
    due_after, id_after = after if after is not None else (None, None)
    due = list(
        _queries.due_cases(
            conn,
            **_narrowed(wanted),
            light=light.value if light is not None else None,
            now=now,
            due_after=due_after,
            id_after=id_after,
            count=count,
        )
    )
    rows = {row.id: row for row in _queries.summaries_of(conn, case_ids=[clock.case_id for clock in due])}
    return [CaseSummary(**summary_fields(rows[clock.case_id], clock_view(clock.id, clock))) for clock in due]


def _clocks(conn: Connection[Any], case_ids: Sequence[int]) -> dict[int, CaseClock]:
    return {case_id: clock_view(kept.id, kept.clock) for case_id, kept in clocks.of_cases(conn, case_ids).items()}


def _narrowed(wanted: CaseFilter) -> dict[str, Any]:
    return {
        "scope": wanted.area_path,
        "department": wanted.department_id,
        "statuses": [status.value for status in wanted.statuses] or None,
        "severities": [severity.value for severity in wanted.severities] or None,
        "kinds": list(wanted.kinds) or None,
        "device_id": wanted.device_id,
    }


def detail(conn: Connection[Any], user: Principal, case_id: int, *, now: datetime) -> CaseDetail:
    """One case with its incidents and history, and what the person may do with it at `now`.

    Raises NotFound, also outside of the person's scope.
    """
    row = _queries.summary(conn, case_id=case_id, scope=user.area_path, department=user.department_id)
    if row is None:
        raise NotFound("there is no such case in your scope")
    incidents = list(_queries.incidents_of(conn, case_id=case_id, count=INCIDENTS_SHOWN))
    files: dict[int, list[Any]] = {incident.id: [] for incident in incidents}
    for file in _queries.evidence_of(conn, incident_ids=list(files)):
        files[file.incident_id].append(file)
    cameras = {view["camera"] for incident in incidents for view in incident.views}
    named = _queries.names_of_devices(conn, node=row.node, devices=sorted(cameras)) if cameras else ()
    names = {device.device: device.name for device in named}
    return CaseDetail(
        **summary_fields(row, _clocks(conn, [case_id]).get(case_id)),
        description=row.description,
        **more_fields(_queries.more_of(conn, case_id=case_id)),
        pictures=[picture_view(case_id, picture) for picture in _queries.pictures_of(conn, case_id=case_id)],
        incidents=[incident_view(incident, files[incident.id], names) for incident in incidents],
        history=[history_entry(entry) for entry in _queries.history_of(conn, case_id=case_id, count=HISTORY_SHOWN)],
        petitions=[petition_view(asked) for asked in _queries.petitions_of(conn, case_id=case_id)],
        actions=list(actions_of(steps.standing(conn, case_id), user, now=now)),
    )


def check_visible(conn: Connection[Any], user: Principal, case_id: int) -> None:
    """Raise NotFound where a person does not see a case."""
    if _queries.summary(conn, case_id=case_id, scope=user.area_path, department=user.department_id) is None:
        raise NotFound("there is no such case in your scope")


def area_path(conn: Connection[Any], user: Principal, case_id: int) -> str:
    """Where a case lies that a person sees. Raises NotFound."""
    row = _queries.summary(conn, case_id=case_id, scope=user.area_path, department=user.department_id)
    if row is None:
        raise NotFound("there is no such case in your scope")
    return str(row.area_path)


def act(
    conn: Connection[Any], user: Principal, case_id: int, order: Order, *, now: datetime, address: str
) -> CaseDetail:
    """Move a case; the case as it stands afterwards comes back.

    History, audit and live event are written in the same transaction. Raises NotFound, StaleVersion, TransitionRefused,
    Forbidden, Invalid.
    """
    check_role(order.action, user.role)  # before all else, so that nothing of the case is told
    check_visible(conn, user, case_id)
    for touched in steps.take(conn, user, case_id, order, now=now, address=address):
        announce(conn, touched, "case.updated")
    return detail(conn, user, case_id, now=now)


def resume_due(conn: Connection[Any], *, now: datetime, count: int) -> int:
    """Bring suspended cases whose date has come back to work, at most so many; how many that were."""
    resumed = steps.resume_due(conn, now=now, count=count)
    for case_id in resumed:
        announce(conn, case_id, "case.updated")
    return len(resumed)


def rate_by_requester(
    conn: Connection[Any], case_id: int, rating: int, *, rated_at: datetime | None, now: datetime, address: str
) -> None:
    """Take the rating of one who asked for it, who rated it last at `rated_at`; a bad one opens the case again.

    Raises NotFound, TransitionRefused.
    """
    steps.rate_by_requester(conn, case_id, rating, rated_at=rated_at, now=now, address=address)
    announce(conn, case_id, "case.updated")


def announce(conn: Connection[Any], case_id: int, kind: str) -> None:
    """Tell the live stream of a case as it stands in this transaction."""
    row = _queries.summary(conn, case_id=case_id, scope="", department=None)
    clock = _clocks(conn, [case_id]).get(case_id)
    live.emit_at(conn, kind, row.area_path, to_payload(CaseSummary(**summary_fields(row, clock))))


def announce_evidence(conn: Connection[Any], node: str, sha256: str) -> None:
    """Tell of every case to which a file belongs that has just been stored."""
    for case in list(_queries.cases_with_evidence(conn, node=node, sha256=sha256)):
        announce(conn, case.case_id, "case.updated")


def figures(
    conn: Connection[Any], area_path: str, *, now: datetime, day_start: datetime, department_id: int | None = None
) -> CaseFigures:
    """The counts of an area at `now`, with `day_start` the last local midnight; of a department over what it was told."""
    rows = list(
        _queries.case_figures(
            conn,
            scope=area_path,
            open_statuses=sorted(OPEN_STATUSES),
            day_start=day_start,
            department=department_id,
        )
    )
    by_severity = dict.fromkeys(Severity, 0) | {Severity(row.severity): row.open_cases for row in rows}
    return CaseFigures(
        open_cases=sum(row.open_cases for row in rows),
        open_simulated=_queries.simulated_open(
            conn, scope=area_path, open_statuses=sorted(OPEN_STATUSES), department=department_id
        ),
        by_severity=by_severity,
        reported=sum(row.reported for row in rows),
        today_opened=sum(row.today_opened for row in rows),
        incidents_24h=_queries.incidents_since(
            conn, scope=area_path, since=now - timedelta(hours=24), department=department_id
        ),
    )
