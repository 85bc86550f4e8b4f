"""How long things of the wall hold, and what a tile shows. Pure."""

from datetime import datetime, timedelta
from typing import Final

from cloud.wall.model import Camera, TileState
from edge.contract.answer import Refusal
from edge.contract.wall import LONGEST_LEASE_S, Absence

LEASE: Final = timedelta(seconds=45)
"""A page renews it every ten seconds; one that is closed or hidden lets it run out."""

assert LEASE.total_seconds() <= LONGEST_LEASE_S  # noqa: S101 (a mistake of this module, found when it is imported)

FRESH: Final = timedelta(seconds=15)
"""A picture that came so lately is what the camera shows now: behind a closed gate one comes each 2 to 5 s."""

ABSENCE_HOLDS: Final = timedelta(seconds=20)
"""What a node said of a missing picture; it says so again every six seconds."""

SILENT_AFTER: Final = timedelta(seconds=30)
"""A node that took on the question sends a picture or a word long before."""

ASK_AGAIN: Final = timedelta(seconds=12)
"""So long after it was asked a node is asked again, where no picture comes."""

ASK_FIRST: Final = timedelta(seconds=3)
"""Who comes and goes makes no more commands than this."""

PICTURE_LIVES: Final = timedelta(minutes=5)
"""Then nobody sees it any more, and the sweep deletes it."""

LEAST_BETWEEN: Final = timedelta(seconds=1)
"""Pictures of a camera that follow each other more closely are refused."""

CLOCKS_DIFFER: Final = timedelta(minutes=2)
"""A node's corrected clock and this machine's."""

CAMERAS_OF_PERSON: Final = 16
WINDOWS_OF_PERSON: Final = 32
"""A page that is loaded again is a new one, and the leases of the old one run out."""

CAMERAS_OF_ALL: Final = 256
"""What bounds the store: so many pictures of at most 200 KiB."""

BUSY_WORD: Final = Refusal.BUSY.value
"""How a node's refusal begins where it has no place or no time."""


def is_fresh(camera: Camera, now: datetime) -> bool:
    """Whether its newest picture came lately. What lies in the future was written before this machine's clock was set back."""
    return camera.received_at is not None and abs(now - camera.received_at) <= FRESH


def is_to_be_asked(camera: Camera, now: datetime, *, is_first: bool) -> bool:
    """Whether its node has to be asked for pictures: the answers to what it sends renew its lease by themselves. `is_first`:
    nobody looked at the camera until now, so that its node may have stopped.
    """
    if not is_first and (is_fresh(camera, now) or _told(camera, now)):
        return False
    wait = ASK_FIRST if is_first else ASK_AGAIN
    return camera.asked_at is None or abs(now - camera.asked_at) >= wait


def state_of(camera: Camera, now: datetime) -> tuple[TileState, str | None]:
    """What a person sees of a camera that he looks at, and the node's own words where it gave some."""
    if is_fresh(camera, now) and not _told(camera, now):
        return TileState.SHOWN, None
    if camera.node_presence != "online":
        return TileState.NODE_AWAY, None
    if _told(camera, now) and camera.absence != Absence.WAITING:
        return _OF_ABSENCE[Absence(str(camera.absence))], None
    if camera.presence == "lost":
        return TileState.CAMERA_LOST, None
    if camera.command_state == "done" and _is_silent(camera, now):
        return TileState.NO_ANSWER, None
    return _of_answer(camera.command_state, camera.command_reason)


_ASKED_AGAIN: Final = frozenset({Refusal.OTHER_SESSION, Refusal.TOO_LATE, Refusal.ANSWERED_BEFORE})
"""Refusals that say nothing of the camera: the node is asked anew."""

_OF_ABSENCE: Final = {
    Absence.LOST: TileState.CAMERA_LOST,
    Absence.REFUSED: TileState.UNMASKABLE,
    Absence.OVERLOADED: TileState.BUSY,
    Absence.UNTAKEN: TileState.UNTAKEN,
}


def _of_answer(state: str | None, reason: str | None) -> tuple[TileState, str | None]:
    """What became of the question to the node."""
    if state in {"failed", "timed_out"}:
        return TileState.NO_ANSWER, reason
    if state != "refused" or reason in _ASKED_AGAIN:
        return TileState.WAITING, None
    return (TileState.BUSY if (reason or "").startswith(BUSY_WORD) else TileState.REFUSED), reason


def _is_silent(camera: Camera, now: datetime) -> bool:
    """Whether somebody has looked for long and nothing came, neither a picture nor a word of why there is none."""
    last = max(filter(None, (camera.lease_began_at, camera.received_at, camera.absence_at)), default=None)
    return last is not None and abs(now - last) > SILENT_AFTER


def _told(camera: Camera, now: datetime) -> bool:
    """Whether the node's last word is that there is no picture, and is new. A picture takes that word back."""
    if camera.absence is None or camera.absence_at is None:
        return False
    later = camera.received_at is None or camera.absence_at >= camera.received_at
    return later and abs(now - camera.absence_at) <= ABSENCE_HOLDS
