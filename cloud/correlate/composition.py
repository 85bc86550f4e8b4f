"""What a case is made of: how many incidents of whom, and which cases it comes after or broke out of."""

from datetime import datetime
from typing import Any, Final

from psycopg import Connection
from pydantic import BaseModel, ConfigDict

from cloud.access.model import Principal
from cloud.cases import service as cases
from cloud.cases.model import CaseStatus
from cloud.correlate import candidates
from cloud.correlate.folding import FoldRules, is_flooded
from cloud.db.queries import load
from edge.contract.incident import Severity

_queries = load("cloud.correlate")

SOURCES_SHOWN: Final = 50
LINKS_SHOWN: Final = 50


class FoldedSource(BaseModel):
    """A camera or sensor with the zone and rule by which it found incidents of a case, and how many of each severity."""

    model_config = ConfigDict(frozen=True)

    node: str
    device: str
    name: str
    simulated: bool
    zone: str | None
    rule: str | None
    incidents: int
    by_severity: dict[Severity, int]
    last_at: datetime


class LinkedCase(BaseModel):
    """A case that this one comes after or broke out of, or the other way round."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: int
    number: str
    kind: str
    severity: Severity
    status: CaseStatus
    opened_at: datetime
    simulated: bool


class Folding(BaseModel):
    """How many incidents a case is made of, and why they are one.

    `flooded`: it takes more of the same alone; what is worse or new opens a case of its own. `repeats_until`: it counts what was judged a
    false alarm again and again, up to the severity `repeats_up_to`.
    """

    model_config = ConfigDict(frozen=True)

    incidents: int
    sources: int
    flooded: bool
    repeats_until: datetime | None
    repeats_up_to: Severity | None
    by_source: list[FoldedSource]
    linked: list[LinkedCase]


def folding_of(conn: Connection[Any], user: Principal, case_id: int, rules: FoldRules) -> Folding:
    """What a case is made of, for who may see it; of those linked to it those that he may see. Raises NotFound."""
    cases.check_visible(conn, user, case_id)
    case = candidates.standing(conn, case_id)
    linked = _queries.linked_to(
        conn, case_id=case_id, scope=user.area_path, department=user.department_id, count=LINKS_SHOWN
    )
    return Folding(
        incidents=case.incidents,
        sources=case.sources,
        flooded=is_flooded(case, rules),
        repeats_until=case.echo.until if case.echo is not None else None,
        repeats_up_to=case.echo.severity if case.echo is not None else None,
        by_source=[_source(row) for row in _queries.folding_of(conn, case_id=case_id, count=SOURCES_SHOWN)],
        linked=[LinkedCase.model_validate(row) for row in linked],
    )


def _source(row: Any) -> FoldedSource:
    return FoldedSource(
        node=row.node,
        device=row.device,
        name=row.device_name,
        simulated=row.simulated,
        zone=row.zone or None,
        rule=row.rule or None,
        incidents=row.incidents,
        by_severity={
            Severity.LOW: row.incidents - row.from_medium,
            Severity.MEDIUM: row.from_medium - row.from_high,
            Severity.HIGH: row.from_high - row.critical,
            Severity.CRITICAL: row.critical,
        },
        last_at=row.last_at,
    )
