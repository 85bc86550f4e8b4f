"""Telling of what is known beforehand: nobody on duty, nobody reachable. Many at once are one message with their count, each is in the page.

A person is rung for warnings once in a window (`Limits.window`); what comes meanwhile, or in his quiet hours, waits for its end.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, tzinfo
from typing import Any

from psycopg import Connection

from cloud.notify import store
from cloud.notify.model import Audience, Because, Manner, Preference, Urgency
from cloud.notify.policy import LIMITS, WARNINGS, quiet_end, warning_due
from cloud.notify.rules import RULES
from cloud.notify.store import queries

Roster = Callable[[Connection[Any], str, datetime], Collection[int]]
"""Accounts that have the shift at a place and time."""

AT_A_LOOK = 2_000

Made = tuple[int, int, Manner]
"""A notice that was made: its id, whose it is, and how he is told."""


def warn_all(conn: Connection[Any], *, roster: Roster, zone: tzinfo, now: datetime) -> list[Made]:
    """Make the notices of warnings that nobody was told of yet. One who has several waiting, or was rung just before, has them gathered."""
    rows = list(queries.untold_warnings(conn, count=AT_A_LOOK))
    if not rows:
        return []
    by_person: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        by_person[row.told_account_id].append(row)
    wanted = store.preferences(conn, list(by_person))
    rung = {row.account_id: row.rung_at for row in queries.warned_last(conn, account_ids=list(by_person))}
    made: list[Made] = []
    for account_id, mine in sorted(by_person.items()):
        loud = [row for row in mine if _urgency(row.word).rank >= Urgency.RING.rank]
        made += [_insert(conn, row, Manner.QUIET, None, now) for row in mine if row not in loud]
        if not loud:
            continue
        over = None
        if account_id not in roster(conn, loud[0].area_path, now):
            over = quiet_end(now, wanted.get(account_id, Preference()), zone)
        gather_at = warning_due(now, rung.get(account_id), over, LIMITS)
        manner = Manner.RING if len(loud) == 1 and gather_at <= now else Manner.GATHERED
        made += [_insert(conn, row, manner, gather_at if manner is Manner.GATHERED else None, now) for row in loud]
    return made


def gather_all(conn: Connection[Any], *, now: datetime) -> list[Made]:
    """Sum up, for each person whose time has come, the warnings that wait; those that are over by now or were seen are left out."""
    by_person: dict[int, list[Any]] = defaultdict(list)
    for row in queries.waiting_warnings(conn, now=now, count=AT_A_LOOK):
        by_person[row.account_id].append(row)
    made: list[Made] = []
    for account_id, mine in sorted(by_person.items()):
        waiting = [row for row in mine if row.is_open and row.seen_at is None]
        over = [row.id for row in mine if row not in waiting]
        if over:
            queries.no_need_to_gather(conn, ids=over)
        if waiting:
            summary_id = _sum_up(conn, account_id, waiting, now)
            queries.gather_into(conn, ids=[row.id for row in waiting], summary_id=summary_id)
            made.append((summary_id, account_id, Manner.RING))
    return made


def _urgency(word: str) -> Urgency:
    rule = RULES.get(word)
    return max((call.urgency for call in rule.calls), key=lambda each: each.rank) if rule is not None else Urgency.QUIET


def _insert(conn: Connection[Any], row: Any, manner: Manner, gather_at: datetime | None, now: datetime) -> Made:
    because = {Manner.RING: Because.NEWS, Manner.QUIET: Because.QUIET_FACT, Manner.GATHERED: Because.SEVERAL}[manner]
    notice_id: int = queries.insert_warning(
        conn,
        account_id=row.told_account_id,
        warning_id=row.warning_id,
        word=row.word,
        audience=Audience.NAMED.value,
        urgency=_urgency(row.word).value,
        manner=manner.value,
        because=because.value,
        gather_at=gather_at,
        area_code=row.area_code,
        area_name=row.area_name,
        cases=0,
        now=now,
    )
    return notice_id, row.told_account_id, manner


def _sum_up(conn: Connection[Any], account_id: int, waiting: Sequence[Any], now: datetime) -> int:
    """One notice for all; where they are of one area, it is named."""
    areas = {(row.area_code, row.area_name) for row in waiting}
    code, name = next(iter(areas)) if len(areas) == 1 else (None, None)
    notice_id: int = queries.insert_warning(
        conn,
        account_id=account_id,
        warning_id=None,
        word=WARNINGS if len(waiting) > 1 else waiting[0].word,
        audience=Audience.NAMED.value,
        urgency=Urgency.RING.value,
        manner=Manner.RING.value,
        because=Because.SUMMARY.value,
        gather_at=None,
        area_code=code,
        area_name=name,
        cases=len(waiting),
        now=now,
    )
    return notice_id
