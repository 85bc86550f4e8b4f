"""The rows of the wall. Takes a connection, never commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection

from cloud.access.sight import Sight
from cloud.db.queries import load
from cloud.wall.model import AskedCamera, Camera, ShownPicture, Window
from cloud.wall.policy import LEASE

_queries = load("cloud.wall")

_CLOCKS_OF_MACHINES = timedelta(seconds=15)
_LONGEST = LEASE + _CLOCKS_OF_MACHINES


def cameras(
    conn: Connection[Any],
    *,
    scope: str,
    sight: Sight,
    account_id: int,
    now: datetime,
    device_ids: Sequence[int] | None = None,
    watched: bool = False,
    after: int = 0,
    count: int,
) -> list[Camera]:
    """Cameras in scope that a person may look at, by id: of these ids, or those that this person looks at, or all."""
    rows = _queries.cameras(
        conn,
        scope=scope,
        others=sight.others,
        exceptions=sorted(sight.exceptions),
        account_id=account_id,
        device_ids=None if device_ids is None else list(device_ids),
        watched=watched,
        after=after,
        count=count,
        now=now,
        longest=_LONGEST,
    )
    return [Camera(**row._asdict()) for row in rows]


def lock_leases(conn: Connection[Any]) -> None:
    """Whoever writes leases takes turns with others who do, until the end of the transaction; before any other lock on them."""
    _queries.lock_leases(conn)


def leased(conn: Connection[Any], *, now: datetime) -> frozenset[int]:
    """The cameras that anybody looks at."""
    return frozenset(row.device_id for row in _queries.leased(conn, now=now, longest=_LONGEST))


def leases_of(conn: Connection[Any], account_id: int, *, now: datetime) -> frozenset[tuple[int, Window]]:
    """What a person looks at, in which window."""
    rows = _queries.leases_of(conn, account_id=account_id, now=now, longest=_LONGEST)
    return frozenset((row.device_id, Window(row.session_id, row.page)) for row in rows)


def take_lease(
    conn: Connection[Any], device_id: int, window: Window, account_id: int, *, purpose: str, now: datetime
) -> bool:
    """Begin or renew a lease; whether the session had none for this purpose."""
    row = _queries.take_lease(
        conn,
        device_id=device_id,
        session_id=window.session_id,
        page=window.page,
        account_id=account_id,
        purpose=purpose,
        now=now,
        until=now + LEASE,
        longest=_LONGEST,
    )
    return bool(row.is_new)


def keep_leases(conn: Connection[Any], window: Window, device_ids: Sequence[int]) -> None:
    """End the leases of a window on all other cameras."""
    _queries.keep_leases(conn, session_id=window.session_id, page=window.page, device_ids=list(device_ids))


def note_asked(conn: Connection[Any], device_id: int, command_id: UUID | None, *, now: datetime) -> None:
    """The node of this camera was asked for pictures."""
    _queries.note_asked(conn, device_id=device_id, command_id=command_id, now=now)


def asked_camera(conn: Connection[Any], node: str, camera: str, *, now: datetime) -> AskedCamera | None:
    """A camera of this node; None where it has none of this name."""
    row = _queries.asked_camera(conn, node=node, camera=camera, now=now, longest=_LONGEST)
    if row is None:
        return None
    left_s = 0.0 if row.until_at is None else (row.until_at - now).total_seconds()
    return AskedCamera(row.device_id, left_s, row.received_at)


def keep_picture(
    conn: Connection[Any], device_id: int, content: bytes, *, captured_at: datetime, now: datetime
) -> bool:
    """Keep it as the newest picture of its camera; False where a newer one is there."""
    return bool(_queries.keep_picture(conn, device_id=device_id, captured_at=captured_at, now=now, picture=content))


def keep_absence(conn: Connection[Any], device_id: int, absence: str, *, now: datetime) -> None:
    """Note why there is no picture."""
    _queries.keep_absence(conn, device_id=device_id, absence=absence, now=now)


def picture(
    conn: Connection[Any],
    device_id: int,
    *,
    account_id: int,
    scope: str,
    sight: Sight,
    since: datetime,
    now: datetime,
) -> ShownPicture | None:
    """The newest picture that came after `since`, for a person whose lease stands."""
    row = _queries.picture(
        conn,
        device_id=device_id,
        account_id=account_id,
        scope=scope,
        others=sight.others,
        exceptions=sorted(sight.exceptions),
        since=since,
        now=now,
        longest=_LONGEST,
    )
    return None if row is None else ShownPicture(row.captured_at, bytes(row.picture))


def forget(conn: Connection[Any], *, before: datetime, now: datetime) -> int:
    """Delete pictures that nobody sees any more and leases that are over; how many rows."""
    gone = _queries.forget_pictures(conn, before=before, final=now + _CLOCKS_OF_MACHINES)
    return int(gone + _queries.forget_leases(conn, now=now, longest=_LONGEST))
