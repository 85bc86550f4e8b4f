"""Use cases of the wall. Each takes the connection of one transaction and never commits it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from cloud.access import audit, camera_access
from cloud.access.model import Principal, SignedIn
from cloud.commands import service as commands
from cloud.errors import CommandRunning, Conflict, Invalid, NodeAway, NotFound, TooLarge, TooOften, UnsupportedMedia
from cloud.evidence.formats import NotOfItsKind, check_jpeg, jpeg_size
from cloud.wall import policy, store
from cloud.wall.model import AskedCamera, Camera, ShownPicture, Tile, Window
from edge.contract.downlink import CommandName
from edge.contract.wall import (
    HIGHEST_PIXELS,
    LARGEST_PICTURE_BYTES,
    SHORTEST_PERIOD_S,
    WIDEST_PIXELS,
    Absence,
)

_TOO_MANY: Final = f"one person looks at {policy.CAMERAS_OF_PERSON} cameras at most"


class NotWatched(Conflict):
    """Nobody looks at this camera: no picture of it is taken."""


def cameras(
    conn: Connection[Any], user: Principal, *, now: datetime, watched: bool = False, after: int = 0, count: int = 50
) -> list[Tile]:
    """The cameras in a person's scope at which he may look (whosever they are), or those that he looks at."""
    found = store.cameras(
        conn,
        scope=user.area_path,
        sight=camera_access.sight_of(conn, user),
        account_id=user.user_id,
        now=now,
        watched=watched,
        after=after,
        count=count,
    )
    return [_tile(camera, now) for camera in found]


def watch(
    conn: Connection[Any],
    session: SignedIn,
    device_ids: Sequence[int],
    *,
    page: str = "",
    purpose: str,
    address: str,
    now: datetime,
) -> list[Tile]:
    """On this page of his session a person looks at these cameras from now on and at no others; called again and again while he does.

    A camera that is gone, outside of his scope or not his to look at by now, is left out: one that is lost must not darken the others. Each lease that
    begins stands in the audit log, with its purpose. Raises NotFound where none is left, Invalid for too many, Conflict where as
    many are looked at as may be, by him on all his pages or by all.
    """
    user, window = session.principal, Window(session.session_id, page)
    wanted = sorted(set(device_ids))
    if len(wanted) > policy.CAMERAS_OF_PERSON:
        raise Invalid(_TOO_MANY)
    store.lock_leases(conn)
    found = _found(conn, user, wanted, now)
    there = [camera.device_id for camera in found]
    store.keep_leases(conn, window, there)
    if not wanted:
        return []
    if not found:
        raise NotFound("none of these is a camera in your scope")
    leased = store.leased(conn, now=now)
    _check_room(leased.union(there), store.leases_of(conn, user.user_id, now=now).union((id_, window) for id_ in there))
    for camera in found:
        if store.take_lease(conn, camera.device_id, window, user.user_id, purpose=purpose, now=now):
            audit.write(
                conn,
                "camera.watched",
                f"camera:{camera.node}/{camera.device}",
                actor=user,
                area_path=camera.area_path,
                address=address,
                detail={"device_id": camera.device_id, "purpose": purpose},
            )
        if policy.is_to_be_asked(camera, now, is_first=camera.device_id not in leased):
            _ask(conn, user, camera, address=address, now=now)
    return [_tile(camera, now) for camera in _found(conn, user, there, now)]


def _check_room(of_all: Collection[int], of_person: Collection[tuple[int, Window]]) -> None:
    """Raises Conflict where these would be too many cameras."""
    if len(of_all) > policy.CAMERAS_OF_ALL:
        raise Conflict(f"{policy.CAMERAS_OF_ALL} cameras are looked at already; try again in a minute")
    if len({device_id for device_id, _ in of_person}) > policy.CAMERAS_OF_PERSON:
        raise Conflict(f"{_TOO_MANY}, in all windows together")
    if len({window for _, window in of_person}) > policy.WINDOWS_OF_PERSON:
        raise Conflict(f"one person has {policy.WINDOWS_OF_PERSON} walls at most; try again in a minute")


def leave(conn: Connection[Any], session: SignedIn, *, page: str = "") -> None:
    """On this page of his session a person looks at nothing any more."""
    store.lock_leases(conn)
    store.keep_leases(conn, Window(session.session_id, page), [])


def picture(conn: Connection[Any], user: Principal, device_id: int, *, now: datetime) -> ShownPicture:
    """The newest picture of a camera that this person looks at. Raises NotFound, also outside of his scope."""
    found = store.picture(
        conn,
        device_id,
        account_id=user.user_id,
        scope=user.area_path,
        sight=camera_access.sight_of(conn, user),
        since=now - policy.PICTURE_LIVES,
        now=now,
    )
    if found is None:
        raise NotFound("there is no picture, or you do not look at this camera")
    return found


def expected(conn: Connection[Any], node: str, camera: str, *, now: datetime) -> AskedCamera:
    """The camera of which this node may send. Raises NotFound for one that is not its own, NotWatched, TooOften."""
    found = _asked(conn, node, camera, now)
    if found.received_at is not None and abs(now - found.received_at) < policy.LEAST_BETWEEN:
        raise TooOften("pictures of this camera come too often")
    return found


def keep(
    conn: Connection[Any], node: str, camera: str, content: bytes, *, captured_at: datetime, now: datetime
) -> float:
    """Keep a picture; how many seconds somebody looks at the camera still.

    Raises as `expected`, and TooLarge, UnsupportedMedia, Invalid for what is no such picture.
    """
    if len(content) > LARGEST_PICTURE_BYTES:
        raise TooLarge(f"a picture has at most {LARGEST_PICTURE_BYTES} bytes")
    try:
        check_jpeg(content)
        width, height = jpeg_size(content)
    except NotOfItsKind as error:
        raise UnsupportedMedia(f"the bytes are not image/jpeg: {error}") from error
    if width > WIDEST_PIXELS or height > HIGHEST_PIXELS:
        raise UnsupportedMedia(f"a picture has at most {WIDEST_PIXELS} by {HIGHEST_PIXELS} pixels")
    if abs(now - captured_at) > policy.CLOCKS_DIFFER:
        raise Invalid("this is no picture of now")
    found = expected(conn, node, camera, now=now)
    store.keep_picture(conn, found.device_id, content, captured_at=min(captured_at, now), now=now)
    return found.left_s


def tell_absence(conn: Connection[Any], node: str, camera: str, reason: Absence, *, now: datetime) -> float:
    """Note why there is no picture; how many seconds somebody looks at the camera still. Raises NotFound, NotWatched."""
    found = _asked(conn, node, camera, now)
    store.keep_absence(conn, found.device_id, reason.value, now=now)
    return found.left_s


def forget(conn: Connection[Any], *, now: datetime) -> int:
    """Delete what is over; how many rows."""
    store.lock_leases(conn)
    return store.forget(conn, before=now - policy.PICTURE_LIVES, now=now)


def _found(conn: Connection[Any], user: Principal, wanted: Sequence[int], now: datetime) -> list[Camera]:
    return store.cameras(
        conn,
        scope=user.area_path,
        sight=camera_access.sight_of(conn, user),
        account_id=user.user_id,
        now=now,
        device_ids=wanted,
        count=len(wanted),
    )


def _asked(conn: Connection[Any], node: str, camera: str, now: datetime) -> AskedCamera:
    found = store.asked_camera(conn, node, camera, now=now)
    if found is None:
        raise NotFound("there is no such camera of this node")
    if found.left_s <= 0:
        raise NotWatched("nobody looks at this camera")
    return found


def _ask(conn: Connection[Any], user: Principal, camera: Camera, *, address: str, now: datetime) -> None:
    """Ask the node; that it is away, or that another asks just now, is no mistake of whoever looks."""
    try:
        command = commands.ask(
            conn,
            CommandName.SNAPSHOT,
            node=camera.node,
            device=camera.device,
            arguments={"lease_s": policy.LEASE.total_seconds(), "period_s": SHORTEST_PERIOD_S},
            actor=user,
            audited=False,
            address=address,
            now=now,
        )
    except (NodeAway, CommandRunning):
        return
    store.note_asked(conn, camera.device_id, command.id, now=now)


def _tile(camera: Camera, now: datetime) -> Tile:
    if camera.lease_until is None:
        return Tile(camera, None, None)
    state, reason = policy.state_of(camera, now)
    return Tile(camera, state, reason)
