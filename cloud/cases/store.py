"""Incidents and cases in the database. Takes a connection, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.cases.model import OPEN_STATUSES, CaseStatus
from cloud.db.queries import load
from edge.contract.incident import Incident

_queries = load("cloud.cases")
_OPEN = sorted(OPEN_STATUSES)
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class KnownIncident:
    """An incident that is already here: part of a case, or, as a fault of a device, of a work order."""

    row_id: int
    case_id: int | None
    order_id: int | None
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """What a case is opened with."""

    number: str
    correlation_key: str
    kind: str
    category: str
    severity: str
    area_code: str | None
    area_path: str
    node: str
    device: str
    device_id: int | None
    device_kind: str
    spot: str | None
    opened_at: datetime
    started_at: datetime
    last_activity_at: datetime
    late: bool
    simulated: bool


def lock_keys(conn: Connection[Any], keys: Sequence[str]) -> None:
    """Wait for, and hold until the end of the transaction, the right to correlate these keys."""
    for _ in _queries.lock_keys(conn, keys=list(keys)):
        pass


def known(conn: Connection[Any], node: str, incident_id: UUID) -> KnownIncident | None:
    """The incident that a node calls by this id, locked; ids of other nodes are other incidents."""
    row = _queries.incident_of_node(conn, node=node, incident_id=incident_id)
    return KnownIncident(row.id, row.case_id, row.order_id, row.revision) if row is not None else None


def open_cases_near(conn: Connection[Any], key: str, incident: Incident, window: timedelta) -> list[Any]:
    """Rows of the open cases of a key whose span, widened by `window`, touches the incident's; locked."""
    end = max(incident.updated_at, incident.ended_at or incident.updated_at)
    rows = _queries.open_cases_near(
        conn,
        key=key,
        open_statuses=_OPEN,
        from_at=_shifted(incident.started_at, -window),
        to_at=_shifted(end, window),
    )
    return list(rows)


def facts(conn: Connection[Any], case_id: int) -> Any:
    """The row of a case that correlation needs, locked."""
    return _queries.case_facts(conn, case_id=case_id)


def next_number(conn: Connection[Any], district: str, opened_at: datetime, zone: ZoneInfo) -> str:
    """The next case number of a district and local day, as people say it: `110105-20260317-0042`."""
    day = opened_at.astimezone(zone).date()
    last: int = _queries.next_number(conn, district=district, day=day)
    return f"{district}-{day:%Y%m%d}-{last:04d}"


def open_case(conn: Connection[Any], case: NewCase) -> int:
    """Insert a case; its id comes back."""
    case_id: int = _queries.insert_case(
        conn,
        status=CaseStatus.REPORTED.value,
        **{name: getattr(case, name) for name in NewCase.__dataclass_fields__},
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
) -> int:
    """Insert an incident that was not known, as part of a case or of a work order; its row id comes back."""
    columns = _columns(incident) | {"device_id": device_id, "historical": historical, "received_at": received_at}
    row_id: int = _queries.insert_incident(
        conn, node=node, incident_id=incident.incident_id, case_id=case_id, order_id=order_id, **columns
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


def _shifted(instant: datetime, by: timedelta) -> datetime:
    """`instant + by`, held inside of what a date can be."""
    try:
        return instant + by
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if by < timedelta(0) else datetime.max.replace(tzinfo=UTC)
