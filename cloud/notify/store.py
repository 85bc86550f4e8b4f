"""Notices, channels and deliveries in the database. Takes a connection, never commits."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access.model import Role
from cloud.db.queries import load
from cloud.notify.model import Because, Candidate, Manner, Preference, Told, Urgency
from edge.contract.incident import Severity

queries = load("cloud.notify")

_TELLABLE = sorted(
    role.value for role in (Role.DUTY_CHIEF, Role.DISPATCHER, Role.INTAKE_CLERK, Role.GRID_WORKER, Role.GRID_LEAD)
)


def candidates(
    conn: Connection[Any],
    area_path: str,
    *,
    account_ids: Iterable[int | None],
    department_ids: Iterable[int | None],
    on_duty: Collection[int],
) -> list[Candidate]:
    """Whoever could be told of something at a place."""
    rows = queries.candidates(
        conn,
        area_path=area_path,
        roles=_TELLABLE,
        account_ids=[each for each in account_ids if each is not None],
        department_ids=[each for each in department_ids if each is not None],
    )
    return [
        Candidate(
            account_id=row.id,
            role=Role(row.role),
            area_path=row.area_path,
            department_id=row.department_id,
            on_duty=row.id in on_duty,
        )
        for row in rows
    ]


def told_since(
    conn: Connection[Any], account_ids: list[int], since: datetime, *, drill: bool = False
) -> dict[int, list[Told]]:
    """What each person was told since a time: of drills, or of what is real. Neither hides anything of the other."""
    found: dict[int, list[Told]] = defaultdict(list)
    for row in queries.told_since(conn, account_ids=account_ids, since=since, drill=drill):
        found[row.account_id].append(
            Told(
                at=row.created_at,
                case_id=row.case_id,
                kind=row.kind,
                severity=Severity(row.severity),
                word=row.word,
                manner=Manner(row.manner),
                because=Because(row.because),
                reason=row.reason,
                urgency=Urgency(row.urgency),
            )
        )
    return found


def preferences(conn: Connection[Any], account_ids: list[int]) -> dict[int, Preference]:
    """What those want who have said so."""
    return {
        row.account_id: Preference(
            quiet_from=row.quiet_from, quiet_to=row.quiet_to, digest_min=row.digest_min, language=row.language
        )
        for row in queries.preferences(conn, account_ids=account_ids)
    }


def gathering(conn: Connection[Any], account_ids: list[int]) -> dict[int, datetime]:
    """When what waits for each person is told."""
    return {row.account_id: row.gather_at for row in queries.gathering(conn, account_ids=account_ids)}
