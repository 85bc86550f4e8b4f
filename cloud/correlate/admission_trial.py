"""What an admission rule would have let in (事项准入), tried on what was found lately. Nothing is changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import Connection

from cloud.access.model import Area, Principal
from cloud.correlate import admission_rules
from cloud.correlate.admission import AdmissionRule, AdmissionWish, refusing
from cloud.db.queries import load
from cloud.errors import NotFound
from edge.contract.incident import Severity

_queries = load("cloud.correlate")

GROUPS_MOST: Final = 50_000
SHOWN_MOST: Final = 50
DAYS_MOST: Final = 31
_NEWEST: Final = 2**63 - 1
"""A rule that is only tried is newer than all that hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGroup:
    """Incidents of one kind, category and severity in one area; cases are counted by the worst that was found of them."""

    area: Area | None
    kind: str
    category: str
    severity: Severity
    incidents: int
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLine:
    """Incidents of a kind and severity for which the change would make a difference."""

    kind: str
    category: str
    severity: Severity
    incidents: int
    admitted: int
    would_be_admitted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionTrial:
    """What was found since then, what the rules that hold now let in of it, and what they would with the change.

    `cases` and `would_be_cases` count those that were opened in that time. `more`: it was too much to look at all of it.
    """

    since: datetime
    until: datetime
    incidents: int
    admitted: int
    would_be_admitted: int
    cases: int
    would_be_cases: int
    lines: Sequence[TrialLine]
    more: bool


def try_out(
    conn: Connection[Any],
    user: Principal,
    *,
    wish: AdmissionWish | None,
    ends: int | None,
    days: int,
    now: datetime,
) -> AdmissionTrial:
    """A rule more, or (`ends`) one less, or both, on the last `days` of the person's scope. Raises as `admission_rules.add` does, NotFound."""
    present = admission_rules.in_force(conn)
    if ends is not None and all(rule.rule_id != ends for rule in admission_rules.everything(conn, user)):
        raise NotFound("no such rule holds")
    changed = [rule for rule in present if rule.rule_id != ends]
    if wish is not None:
        changed.append(_tried(wish, admission_rules.check(conn, user, wish), user, now))
    since = now - timedelta(days=days)
    rows = list(_queries.found_lately(conn, scope=user.area_path, since=since, until=now, count=GROUPS_MOST + 1))
    groups = [_group(row) for row in rows[:GROUPS_MOST]]
    return compared(groups, present, changed, since=since, until=now, more=len(rows) > GROUPS_MOST)


def compared(
    groups: Iterable[FoundGroup],
    present: Sequence[AdmissionRule],
    changed: Sequence[AdmissionRule],
    *,
    since: datetime,
    until: datetime,
    more: bool = False,
) -> AdmissionTrial:
    """What one set of rules lets in against the other. Pure."""
    incidents = admitted = would_be = cases = would_be_cases = 0
    lines: dict[tuple[str, str, Severity], list[int]] = {}
    for group in groups:
        lets, would_let = (refusing(rules, group, group.area) is None for rules in (present, changed))
        incidents += group.incidents
        admitted += group.incidents * lets
        would_be += group.incidents * would_let
        cases += group.cases * lets
        would_be_cases += group.cases * would_let
        line = lines.setdefault((group.kind, group.category, group.severity), [0, 0, 0])
        for place, count in enumerate((group.incidents, group.incidents * lets, group.incidents * would_let)):
            line[place] += count
    told = [
        TrialLine(
            kind=kind,
            category=category,
            severity=severity,
            incidents=each[0],
            admitted=each[1],
            would_be_admitted=each[2],
        )
        for (kind, category, severity), each in lines.items()
        if each[1] != each[2]
    ]
    told.sort(key=lambda line: (-abs(line.admitted - line.would_be_admitted), line.kind, line.severity.rank))
    return AdmissionTrial(
        since=since,
        until=until,
        incidents=incidents,
        admitted=admitted,
        would_be_admitted=would_be,
        cases=cases,
        would_be_cases=would_be_cases,
        lines=told[:SHOWN_MOST],
        more=more,
    )


def _tried(wish: AdmissionWish, area_path: str, user: Principal, now: datetime) -> AdmissionRule:
    return AdmissionRule(
        area_code=wish.area_code,
        level=wish.level,
        category=wish.category,
        kind=wish.kind,
        admitted_from=wish.admitted_from,
        note=wish.note,
        rule_id=_NEWEST,
        area_path=area_path,
        made_by=user.name,
        made_at=now,
    )


def _group(row: Any) -> FoundGroup:
    area = None
    if row.area_path:
        codes = row.area_path.rstrip("/").split("/")
        parent = codes[-2] if len(codes) > 1 else None
        area = Area(row.area_id or 0, codes[-1], row.level or "", parent, row.name or codes[-1], row.area_path)
    return FoundGroup(
        area=area,
        kind=row.kind,
        category=row.category,
        severity=Severity(row.severity),
        incidents=row.incidents,
        cases=row.cases,
    )
