"""Incidents and cases in the database. Takes a connection, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.cases.model import CaseOrigin, CaseStatus, Stage
from cloud.db.queries import load
from cloud.deadlines import service as deadlines
from edge.contract.incident import Incident

_queries = load("cloud.cases")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class KnownIncident:
    """An incident that is already here: part of a case, or, as a fault of a device, of a work order; of neither where it was not admitted.

    `drill_id`: the drill that it was found for.
    """

    row_id: int
    case_id: int | None
    order_id: int | None
    revision: int
    drill_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """What a case is opened with. One that people report has no device; a machine's has the category of its kind."""

    number: str
    correlation_key: str
    kind: str
    category: str
    severity: str
    area_code: str | None
    area_path: str
    node: str | None
    device: str | None
    device_id: int | None
    device_kind: str | None
    spot: str | None
    opened_at: datetime
    started_at: datetime
    last_activity_at: datetime
    late: bool
    simulated: bool
    origin: CaseOrigin = CaseOrigin.MACHINE
    drill: bool = False
    category_code: str | None = None
    title: str | None = None
    description: str | None = None
    longitude: float | None = None
    latitude: float | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a step in the history names beside who took it."""

    person_id: int | None = None
    department_id: int | None = None
    case_id: int | None = None
    until: datetime | None = None
    rating: int | None = None


NOBODY = Named()


@dataclass(frozen=True, slots=True)
class Unadmitted:
    """By which rule an incident became no case (事项准入), and where it would have."""

    rule_id: int
    area_path: str


def lock_keys(conn: Connection[Any], keys: Sequence[str]) -> None:
    """Wait for, and hold until the end of the transaction, the right to correlate these keys."""
    for _ in _queries.lock_keys(conn, keys=list(keys)):
        pass


def lock_mergers(conn: Connection[Any], *, alone: bool) -> None:
    """Before any other lock: be alone with the mergers of cases, or beside all others who only bring incidents to cases."""
    _queries.lock_mergers(conn, alone=alone)


def case_of(conn: Connection[Any], node: str, incident_id: UUID) -> int | None:
    """The case of an incident as it is now; nothing is locked."""
    case_id: int | None = _queries.case_of_incident(conn, node=node, incident_id=incident_id)
    return case_id


def known(conn: Connection[Any], node: str, incident_id: UUID) -> KnownIncident | None:
    """The incident that a node calls by this id, locked; ids of other nodes are other incidents."""
    row = _queries.incident_of_node(conn, node=node, incident_id=incident_id)
    return KnownIncident(*row) if row is not None else None


def next_number(conn: Connection[Any], district: str, opened_at: datetime, zone: ZoneInfo) -> str:
    """The next case number of a district and local day, as people say it: `110105-20260317-0042`."""
    day = opened_at.astimezone(zone).date()
    last: int = _queries.next_number(conn, district=district, day=day)
    return f"{district}-{day:%Y%m%d}-{last:04d}"


def open_case(conn: Connection[Any], case: NewCase) -> int:
    """Insert a case, whose clock begins; its id comes back."""
    case_id: int = _queries.insert_case(
        conn,
        status=CaseStatus.REPORTED.value,
        **{name: getattr(case, name) for name in NewCase.__dataclass_fields__},
    )
    deadlines.follow(
        conn,
        case_id,
        area_path=case.area_path,
        category=case.category,
        severity=case.severity,
        stage=Stage.VERIFYING.value,
        at=case.opened_at,
    )
    return case_id


def update_facts(
    conn: Connection[Any],
    case_id: int,
    *,
    severity: str,
    started_at: datetime,
    last_activity_at: datetime,
    late: bool,
    simulated: bool,
    is_news: bool,
) -> None:
    """Join these facts into a case; news raise its version, so that nobody acts on what he has not seen."""
    _queries.update_case_facts(
        conn,
        case_id=case_id,
        severity=severity,
        started_at=started_at,
        last_activity_at=last_activity_at,
        late=late,
        simulated=simulated,
        growth=1 if is_news else 0,
    )


def insert_incident(
    conn: Connection[Any],
    incident: Incident,
    *,
    node: str,
    device_id: int | None,
    historical: bool,
    received_at: datetime,
    case_id: int | None = None,
    order_id: int | None = None,
    unadmitted: Unadmitted | None = None,
) -> int:
    """Insert an incident that was not known, as part of a case, of a work order, or of neither; its row id comes back."""
    columns = _columns(incident) | {"device_id": device_id, "historical": historical, "received_at": received_at}
    row_id: int = _queries.insert_incident(
        conn,
        node=node,
        incident_id=incident.incident_id,
        case_id=case_id,
        order_id=order_id,
        unadmitted_by=unadmitted.rule_id if unadmitted is not None else None,
        unadmitted_path=unadmitted.area_path if unadmitted is not None else None,
        **columns,
    )
    return row_id


def update_incident(
    conn: Connection[Any],
    row_id: int,
    incident: Incident,
    *,
    device_id: int | None,
    historical: bool,
    received_at: datetime,
) -> bool:
    """Put a revision in the place of a lower one; whether it was higher comes back."""
    columns = _columns(incident) | {"device_id": device_id, "historical": historical, "received_at": received_at}
    touched: int = _queries.update_incident(conn, id=row_id, **columns)
    return touched > 0


def join_case(conn: Connection[Any], case_id: int, row_id: int, *, at: datetime) -> None:
    """Make an incident part of a case, and that case the one that takes its further revisions."""
    _queries.move_incident(conn, id=row_id, case_id=case_id)
    _queries.join_case(conn, case_id=case_id, incident_id=row_id, joined_at=at)


def add_revision(
    conn: Connection[Any], row_id: int, revision: int, raw: bytes, *, historical: bool, received_at: datetime
) -> bool:
    """Keep the bytes of a revision; False when that revision is already here."""
    added: int = _queries.insert_revision(
        conn, incident_id=row_id, revision=revision, raw=raw, historical=historical, received_at=received_at
    )
    return added > 0


def add_event(
    conn: Connection[Any],
    case_id: int,
    action: str,
    *,
    at: datetime,
    actor_id: int | None = None,
    from_status: str | None = None,
    to_status: str | None = None,
    reason: str | None = None,
    note: str | None = None,
    severity: str | None = None,
    incident_row_id: int | None = None,
    named: Named = NOBODY,
) -> None:
    """Add a step to the history of a case."""
    _queries.insert_event(
        conn,
        case_id=case_id,
        at=at,
        actor_id=actor_id,
        action=action,
        from_status=from_status,
        to_status=to_status,
        reason=reason,
        note=note,
        severity=severity,
        incident_id=incident_row_id,
        person_id=named.person_id,
        department_id=named.department_id,
        other_case_id=named.case_id,
        until=named.until,
        rating=named.rating,
    )


def _columns(incident: Incident) -> dict[str, Any]:
    return {
        "revision": incident.revision,
        "state": incident.state.value,
        "kind": incident.kind,
        "category": incident.category,
        "severity": incident.severity.value,
        "device": incident.device,
        "spot": incident.spot,
        "zone": incident.zone,
        "started_at": incident.started_at,
        "updated_at": incident.updated_at,
        "ended_at": incident.ended_at,
        "confidence": incident.confidence,
        "dwell_s": incident.dwell_s,
        "direction": incident.direction,
        "count": min(incident.count, _LARGEST) if incident.count is not None else None,
        "point": incident.point,
        "value": incident.value,
        "unit": incident.unit,
        "track": Jsonb(msgspec.to_builtins(incident.track)),
        "model": _reference(incident.model),
        "rule": _reference(incident.rule),
        "simulated": incident.simulated,
        "note": incident.note,
        "views": Jsonb(msgspec.to_builtins(incident.views)),
        "fault": incident.fault,
        "raw_code": incident.raw_code,
    }


def _reference(value: msgspec.Struct | None) -> Jsonb | None:
    return Jsonb(msgspec.to_builtins(value)) if value is not None else None
