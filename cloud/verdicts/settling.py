"""Keeping verdicts (结论归集): a sweep that replays the history of what has changed. At any time, by anyone, twice."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from cloud.db.pool import Pool
from cloud.verdicts import store
from cloud.verdicts.model import standing_verdicts

CASES_AT_ONCE = 200
BATCHES_AT_A_SWEEP = 50
FORGOTTEN_AFTER_S = 120.0
"""So long a step is looked at again: an incident that came before it may be committed after it, and belongs to it all the same."""


def sweep(pool: Pool, *, forget_after_s: float = FORGOTTEN_AFTER_S) -> int:
    """Make the verdicts that are due, each batch in a transaction of its own; how many incidents changed."""
    changed, after = 0, 0
    for _ in range(BATCHES_AT_A_SWEEP):
        with pool.connection() as conn:
            last, here = settle(conn, after=after, forget_after_s=forget_after_s)
        changed += here
        if last is None:
            break
        after = last
    return changed


def settle(
    conn: Connection[Any], count: int = CASES_AT_ONCE, *, after: int = 0, forget_after_s: float = 0.0
) -> tuple[int | None, int]:
    """Make the verdicts of at most `count` steps that are due: the last of them (None: there was none), how many incidents changed."""
    store.take_turns(conn)
    due = store.due(conn, after=after, count=count)
    if not due:
        return None, 0
    changed = remake(conn, sorted({row.case_id for row in due}))
    store.forget_due(conn, [row.id for row in due], older_s=forget_after_s)
    return due[-1].id, changed


def remake(conn: Connection[Any], case_ids: Sequence[int]) -> int:
    """Replay the history of these cases and of all that share incidents with them; how many incidents changed."""
    cases = store.connected(conn, case_ids)
    standing = standing_verdicts(store.history(conn, cases), store.members(conn, cases))
    kept = store.kept(conn, cases, standing)
    new = {incident: each for incident, each in standing.items() if kept.get(incident) != each.event_id}
    gone = kept.keys() - standing.keys()
    store.take_away(conn, gone)
    store.keep(conn, new)
    return len(new) + len(gone)


def ask_for_all(conn: Connection[Any], *, at_once: int = 10_000) -> None:
    """Have everything made anew from the history."""
    last: int | None = 0
    while last is not None:
        last = store.ask_for_all(conn, after=last, count=at_once)
