"""Whether two accounts are two persons (双人复核, four eyes). Takes the caller's transaction.

Whoever issues a password can sign in with it. So an account counts as the issuer's too until its password has been changed, and for
`APART_AFTER` from the day on which it was issued: time in which its owner, who does not get in, asks why. What the command line
makes counts as nobody's: who has that has the database.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import Connection

from cloud.db.queries import load
from cloud.errors import Forbidden

_queries = load("cloud.access")

APART_AFTER: Final = timedelta(days=7)


def issued(conn: Connection[Any], account_id: int, *, by: int, at: datetime) -> None:
    """Note that a person has made or reset another's password."""
    _queries.insert_password_issue(conn, account_id=account_id, issued_by=by, issued_at=at)


def in_same_hands(conn: Connection[Any], acted: Mapping[int, datetime]) -> dict[int, frozenset[int]]:
    """Of each account that acted at a time: those that count as the same person, itself among them.

    That is whoever issued its password, whose password he or it issued, and so on along the line.
    """
    if not acted:
        return {}
    rows = _queries.in_same_hands(
        conn, account_ids=list(acted), since=[acted_at - APART_AFTER for acted_at in acted.values()]
    )
    found: dict[int, set[int]] = {account_id: {account_id} for account_id in acted}
    for row in rows:
        found[row.root].add(row.account_id)
    return {account_id: frozenset(hands) for account_id, hands in found.items()}


def is_independent(
    conn: Connection[Any], one: int, other: int, now: datetime, *, acted_at: datetime | None = None
) -> bool:
    """Whether two accounts are two persons at `now`. `acted_at` is when the first of them acted, where that was before.

    False for one and the same, and where one of them, or one and the same third, had the passwords in hand.
    """
    since = now if acted_at is None else min(now, acted_at)
    return other not in in_same_hands(conn, {one: since})[one]


def check_independent(
    conn: Connection[Any], one: int, other: int, now: datetime, *, acted_at: datetime | None = None
) -> None:
    """Raise Forbidden unless two accounts are two persons, see `is_independent`."""
    if not is_independent(conn, one, other, now, acted_at=acted_at):
        raise Forbidden(
            "a second person is needed: these accounts are the same, or the password of one was issued by the other, or of both"
            f" by a third, less than {APART_AFTER.days} days before"
        )
