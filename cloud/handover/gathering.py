"""How things stand in an area at a change of shift. Reads only; of drills that they run, what is open in them, and what was none."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.cases.model import RUNNING_STATUSES
from cloud.db.queries import load
from cloud.handover.model import AHEAD, LISTED

_queries = load("cloud.handover")
_RUNNING = sorted(RUNNING_STATUSES)
_COUNTED = frozenset({"together", "red", "amber", "urged_cases", "promised", "id"})


def contents(conn: Connection[Any], area_path: str, *, now: datetime) -> dict[str, Any]:
    """What a record says of an area and all that lies in it, in plain words, numbers and times."""
    counts = [
        {"status": row.status, "severity": row.severity, "cases": row.cases}
        for row in _queries.standing_counts(conn, scope=area_path, running=_RUNNING)
    ]
    pressing = list(
        _queries.pressing_cases(conn, scope=area_path, running=_RUNNING, now=now, until=now + AHEAD, count=LISTED)
    )
    first = pressing[0] if pressing else None
    return {
        "at": now,
        "open": {"together": sum(each["cases"] for each in counts), "by_status": counts},
        "pressing": {
            "together": first.together if first else 0,
            "red": first.red if first else 0,
            "amber": first.amber if first else 0,
            "urged": first.urged_cases if first else 0,
            "promised": first.promised if first else 0,
            "items": [_item(row) for row in pressing],
        },
        "whistles": _listed(_queries.missing_arrivals(conn, scope=area_path, running=_RUNNING, count=LISTED)),
        "drills": _listed(_queries.running_drills(conn, scope=area_path, running=_RUNNING, now=now, count=LISTED)),
        "machines": _listed(_queries.lost_machines(conn, scope=area_path, count=LISTED)),
        "warnings": _listed(_queries.open_warnings(conn, scope=area_path, count=LISTED)),
    }


def _listed(found: Iterable[Any]) -> dict[str, Any]:
    rows = list(found)
    return {"together": rows[0].together if rows else 0, "items": [_item(row) for row in rows]}


def _item(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row._asdict().items() if name not in _COUNTED}
