"""What people do with cases: list, read, act. One use case is one transaction of the caller's connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal
from cloud.cases import store
from cloud.cases.model import OPEN_STATUSES, CaseAction, CaseStatus, DismissalReason, actions_of, check_role, transition
from cloud.cases.view import (
    CaseDetail,
    CaseSummary,
    history_entry,
    incident_view,
    summary_fields,
    to_payload,
)
from cloud.db import live
from cloud.db.queries import load
from cloud.errors import NotFound, StaleVersion
from edge.contract.incident import Severity

_queries = load("cloud.cases")

INCIDENTS_SHOWN = 100
HISTORY_SHOWN = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases; an empty sequence or None means any."""

    area_path: str
    statuses: Sequence[CaseStatus] = ()
    severities: Sequence[Severity] = ()
    kinds: Sequence[str] = ()
    device_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person wants done. `version` is the one that was on the screen."""

    action: CaseAction
    version: int
    reason: DismissalReason | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFigures:
    """Counts over the cases of an area; days begin at local midnight."""

    open_cases: int
    by_severity: dict[Severity, int]
    reported: int
    today_opened: int
    incidents_24h: int


def page(conn: Connection[Any], wanted: CaseFilter, *, before: int | None, count: int) -> list[CaseSummary]:
    """At most `count` cases, the newest first, those with an id below `before`."""
    rows = _queries.summaries(
        conn,
        scope=wanted.area_path,
        statuses=[status.value for status in wanted.statuses] or None,
        severities=[severity.value for severity in wanted.severities] or None,
        kinds=list(wanted.kinds) or None,
        device_id=wanted.device_id,
        before=before,
        count=count,
    )
    return [CaseSummary(**summary_fields(row)) for row in rows]


def detail(conn: Connection[Any], user: Principal, case_id: int) -> CaseDetail:
    """One case with its incidents and history. Raises NotFound, also outside of the person's scope."""
    row = _queries.summary(conn, case_id=case_id, scope=user.area_path)
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
        **summary_fields(row),
        incidents=[incident_view(incident, files[incident.id], names) for incident in incidents],
        history=[history_entry(entry) for entry in _queries.history_of(conn, case_id=case_id, count=HISTORY_SHOWN)],
        actions=list(actions_of(CaseStatus(row.status), user.role)),
    )


def act(
    conn: Connection[Any], user: Principal, case_id: int, order: Order, *, now: datetime, address: str
) -> CaseDetail:
    """Move a case; the case as it stands afterwards comes back.

    History, audit and live event are written in the same transaction. Raises NotFound, StaleVersion, TransitionRefused,
    Forbidden, Invalid.
    """
    check_role(order.action, user.role)  # before all else, so that nothing of the case is told
    case = _queries.case_for_action(conn, case_id=case_id, scope=user.area_path)
    if case is None:
        raise NotFound("there is no such case in your scope")
    if case.version != order.version:
        raise StaleVersion(f"the case has changed (version {case.version}); read it again")
    step = transition(order.action, CaseStatus(case.status), user.role, order.reason)
    _queries.move_case(conn, case_id=case_id, status=step.to_status.value, version=order.version)
    store.add_event(
        conn,
        case_id,
        order.action.value,
        at=now,
        actor_id=user.user_id,
        from_status=step.from_status.value,
        to_status=step.to_status.value,
        reason=order.reason.value if order.reason is not None else None,
        note=order.note,
    )
    audit.write(
        conn,
        f"case.{order.action}",
        f"case:{case_id}",
        actor=user,
        area_path=case.area_path,
        address=address,
        detail={"from": step.from_status, "to": step.to_status, "reason": order.reason},
    )
    announce(conn, case_id, "case.updated")
    return detail(conn, user, case_id)


def announce(conn: Connection[Any], case_id: int, kind: str) -> None:
    """Tell the live stream of a case as it stands in this transaction."""
    row = _queries.summary(conn, case_id=case_id, scope="")
    live.emit_at(conn, kind, row.area_path, to_payload(CaseSummary(**summary_fields(row))))


def announce_evidence(conn: Connection[Any], node: str, sha256: str) -> None:
    """Tell of every case to which a file belongs that has just been stored."""
    for case in list(_queries.cases_with_evidence(conn, node=node, sha256=sha256)):
        announce(conn, case.case_id, "case.updated")


def figures(conn: Connection[Any], area_path: str, *, now: datetime, day_start: datetime) -> CaseFigures:
    """The counts of an area at `now`, with `day_start` the last local midnight."""
    rows = list(_queries.case_figures(conn, scope=area_path, open_statuses=sorted(OPEN_STATUSES), day_start=day_start))
    by_severity = dict.fromkeys(Severity, 0) | {Severity(row.severity): row.open_cases for row in rows}
    return CaseFigures(
        open_cases=sum(row.open_cases for row in rows),
        by_severity=by_severity,
        reported=sum(row.reported for row in rows),
        today_opened=sum(row.today_opened for row in rows),
        incidents_24h=_queries.incidents_since(conn, scope=area_path, since=now - timedelta(hours=24)),
    )
