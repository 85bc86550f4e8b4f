"""A node that is away (节点失联) is one incident, made here because nobody else can tell it: all that stands behind it is unknown."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg import Connection

from cloud.correlate.model import IncidentReport
from cloud.correlate.service import DEFAULT_RULES, CorrelationRules, receive_all
from cloud.db.queries import load
from cloud.maintenance.model import CATEGORY
from edge.contract.birth import DeviceKind
from edge.contract.fields import uuid7
from edge.contract.incident import Incident, IncidentKind, IncidentState, Severity

GRACE: Final = timedelta(minutes=3)
"""A link that breaks for less is nobody's business."""

OTHERS_HEARD: Final = timedelta(minutes=2)
"""A node that only fell silent counts as away while others are heard: else it is we who hear nothing."""

_queries = load("cloud.correlate")


@dataclass(frozen=True, slots=True)
class Absence:
    """A node that is away, or was until now (`is_back`)."""

    node_id: int
    node: str
    district: str
    area_code: str
    device_id: int | None
    since: datetime
    devices: int
    incident_id: UUID
    revision: int
    is_back: bool = False


def sweep(
    conn: Connection[Any], *, now: datetime, grace: timedelta = GRACE, rules: CorrelationRules = DEFAULT_RULES
) -> int:
    """Open an incident for each node that has been away for longer than `grace`, and end those of nodes that are back; how many.

    May be run at any time, by anyone, twice: of each node one absence stands, and it has one incident.
    """
    begun = [
        absence
        for row in _queries.newly_absent(conn, before=now - grace, heard_since=now - OTHERS_HEARD)
        if (absence := _begin(conn, row, now)) is not None
    ]
    ended = [_absence(row, is_back=True) for row in _queries.back_again(conn)]
    receive_all(conn, [_report(each, now) for each in (*begun, *ended)], rules)
    return len(begun) + len(ended)


def _begin(conn: Connection[Any], row: Any, now: datetime) -> Absence | None:
    """Note an absence; None where another process has done it."""
    incident_id = uuid7(int(now.timestamp() * 1000))
    noted = _queries.note_absence(
        conn, node_id=row.node_id, incident_id=incident_id, began_at=row.since, devices=row.devices
    )
    return None if noted is None else _absence(row, incident_id=incident_id, revision=1)


def _absence(row: Any, *, is_back: bool = False, **fields: Any) -> Absence:
    return Absence(**{**row._asdict(), **fields}, is_back=is_back)


def _report(absence: Absence, now: datetime) -> IncidentReport:
    began_at = min(absence.since, now)
    incident = Incident(
        incident_id=absence.incident_id,
        revision=absence.revision,
        state=IncidentState.ENDED if absence.is_back else IncidentState.OPEN,
        kind=IncidentKind.NODE_LOST,
        category=CATEGORY,
        severity=Severity.HIGH,
        started_at=began_at,
        updated_at=now,
        ended_at=now if absence.is_back else None,
        device=absence.node,
        count=absence.devices,
        note=_words(absence.devices),
    )
    return IncidentReport(
        node=absence.node,
        device_id=absence.device_id,
        device_kind=DeviceKind.NODE.value,
        grid_code=absence.area_code,
        incident=incident,
        raw=msgspec.json.encode(incident),
        historical=False,
        received_at=now,
        district=absence.district,
    )


def _words(devices: int) -> str:
    if devices == 0:
        return "nothing is heard of the node"
    return f"nothing is heard of the node, and so of the {devices} device{'s' if devices > 1 else ''} behind it"
