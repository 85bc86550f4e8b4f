"""Incidents, reports and people for the tests of the cloud."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Connection

from cloud.access import accounts, areas, departments, sample, sessions
from cloud.access.model import Principal, Role
from cloud.correlate.model import IncidentReport
from edge.contract.fields import uuid7
from edge.contract.incident import Incident, IncidentState, Severity

NOW = datetime(2026, 3, 17, 4, 30, tzinfo=UTC)
GRID = "110105001001003"
OTHER_GRID = "110105003002001"
STREET = "110105001"
PASSWORD = "correct horse battery"


def take_in_areas(conn: Connection[Any], *, now: datetime = NOW - timedelta(days=30)) -> None:
    report = areas.take_in(conn, json.loads(sample.DOCUMENT.read_text(encoding="utf-8")), now=now)
    assert not report.problems
    assert len(report.added) == 70


def incident(
    number: int = 1,
    *,
    revision: int = 1,
    state: IncidentState = IncidentState.OPEN,
    start_s: float = 0.0,
    update_s: float | None = None,
    severity: Severity = Severity.MEDIUM,
    **fields: Any,
) -> Incident:
    """Incident `number`, with its times in seconds after `NOW`."""
    started_at = NOW + timedelta(seconds=start_s)
    updated_at = NOW + timedelta(seconds=start_s if update_s is None else update_s)
    given: dict[str, Any] = {
        "incident_id": incident_id(number),
        "kind": "intrusion",
        "category": "public_order",
        "device": "cam-1",
        "ended_at": updated_at if state is IncidentState.ENDED else None,
    }
    return Incident(
        revision=revision,
        state=state,
        severity=severity,
        started_at=started_at,
        updated_at=updated_at,
        **(given | fields),
    )


def incident_id(number: int) -> UUID:
    return uuid7(number, random_bytes=bytes)


def report(
    found: Incident,
    *,
    node: str = "node-1",
    grid_code: str | None = GRID,
    historical: bool = False,
    received_at: datetime | None = None,
    district: str | None = "110105",
) -> IncidentReport:
    return IncidentReport(
        node=node,
        device_id=None,
        device_kind="camera",
        grid_code=grid_code,
        incident=found,
        raw=msgspec.json.encode(found),
        historical=historical,
        received_at=received_at or max(found.updated_at, NOW),
        district=district,
    )


def add_person(conn: Connection[Any], name: str, role: Role, area_code: str | None = "110105") -> int:
    """Somebody with an account; who works for a department works for the one with the code `sanitation`."""
    department = None
    if role is Role.DEPARTMENT:
        department = "sanitation"
        if all(each.code != department for each in departments.usable(conn)):
            departments.add(conn, code=department, name="Sanitation", now=NOW)
    return accounts.add(
        conn,
        name=name,
        password=PASSWORD,
        role=role,
        display_name=name.title(),
        area_code=area_code,
        department=department,
        now=NOW,
    )


def principal(conn: Connection[Any], name: str, role: Role, area_code: str | None = "110105") -> Principal:
    """A person with an account, as a route would see him."""
    account_id = add_person(conn, name, role, area_code)
    _, session_id = sessions.start(conn, account_id, now=NOW, lasts_s=3600, address="test", agent="")
    session = sessions.refresh(conn, session_id, now=NOW)
    assert session is not None
    return session.principal
