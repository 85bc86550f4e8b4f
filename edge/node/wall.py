"""The picture wall's end at the node (画面墙): masked pictures of cameras that somebody looks at now, made by their own watches.

A watch makes a picture of the frame that it has just analysed, with the masks of that very frame, and only while no camera waits
for a turn at the machine's cores. So nothing is decoded for it: behind a closed gate it is the key frame of the gate's last look.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
import structlog

from edge.contract.wall import Absence, SnapshotArguments
from edge.errors import CommandRefused
from edge.faults import FAULTS, Place
from edge.flow import WallPicture
from edge.node.commands import Request
from edge.node.leases import LeaseBook
from edge.uplink.wall import WallAnswer

QUIET_S: Final = 6.0
"""After so long without a picture that the cloud took it is said why."""

_LOOK_AROUND_S: Final = 1.0
_STOP_S: Final = 2.0

_log = structlog.get_logger(__name__)


class WallDesk(Protocol):
    """What a camera's watch knows of the wall."""

    def wants(self, camera: str) -> bool:
        """Whether a picture of this camera is due. Called for every frame: it costs nothing."""
        ...

    def show(self, camera: str, picture: WallPicture | None) -> None:
        """The picture that was due; None: it could not be masked."""
        ...

    def pass_over(self, camera: str) -> None:
        """There is no time for it now."""
        ...


class Sender(Protocol):
    """The way to the cloud."""

    def picture(self, picture: WallPicture) -> WallAnswer:
        """Send a picture, once."""
        ...

    def absence(self, camera: str, reason: Absence) -> WallAnswer:
        """Say why there is none."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


@dataclass(slots=True)
class WallFigures:
    """Since the start. `skipped`: periods in which the machine had no time for a picture; `refused`: could not be masked;
    `unsent`: were made and not taken; `turned_away`: leases for which there was no place.
    """

    leases: int = 0
    turned_away: int = 0
    made: int = 0
    sent: int = 0
    unsent: int = 0
    skipped: int = 0
    refused: int = 0


class Wall:
    """The thread `wall`, which sends; of each camera at most one picture waits, the newest."""

    def __init__(
        self,
        places: int,
        sender: Sender,
        *,
        cameras: Callable[[], frozenset[str]],
        is_lost: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`cameras` tells which there are, `is_lost` whether one gives no picture; `clock` is a steady one, seconds."""
        self.figures = WallFigures()
        self._sender = sender
        self._places = places
        self._cameras, self._is_lost, self._clock = cameras, is_lost, clock
        self._leases = LeaseBook(places)
        self._waiting: dict[str, WallPicture] = {}
        self._heard_s: dict[str, float] = {}
        self._why: dict[str, Absence] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wall", daemon=True)

    @property
    def shown(self) -> tuple[str, ...]:
        """The cameras that somebody looks at."""
        with self._lock:
            return self._leases.standing(self._clock())

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End; what waits is not sent."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)
        self._sender.close()

    def lease(self, request: Request) -> dict[str, Any]:
        """The command `snapshot`: begin or renew a lease on the camera that it names. Raises CommandRefused."""
        try:
            asked = msgspec.convert(dict(request.arguments), SnapshotArguments)
        except msgspec.ValidationError as error:
            raise CommandRefused(f"the arguments can't be: {error}") from error
        camera, cameras = request.device, self._cameras()
        if camera is None or camera not in cameras:
            raise CommandRefused("there is no such camera")
        if self._places == 0:
            raise CommandRefused("this node shows no pictures: node.wall_cameras is 0")
        with self._lock:
            now_s = self._clock()
            self._leases.keep_only(cameras)
            is_new = camera not in self._leases.standing(now_s)
            granted = self._leases.grant(camera, lease_s=asked.lease_s, period_s=asked.period_s, now_s=now_s)
            if not granted:
                self.figures.turned_away += 1
                raise CommandRefused(f"busy: {self._places} cameras are shown already")
            if is_new:
                self.figures.leases += 1
                self._heard_s[camera] = now_s
                self._why.pop(camera, None)
        return {"lease_s": asked.lease_s, "period_s": asked.period_s}

    def wants(self, camera: str) -> bool:
        """Whether a picture of this camera is due."""
        with self._lock:
            return self._leases.is_due(camera, self._clock())

    def show(self, camera: str, picture: WallPicture | None) -> None:
        """The picture that was due; None: it could not be masked."""
        with self._lock:
            self._leases.made(camera, self._clock())
            if picture is None:
                self.figures.refused += 1
                self._why[camera] = Absence.REFUSED
                return
            self.figures.made += 1
            self.figures.unsent += camera in self._waiting
            self._waiting[camera] = picture
            self._why.pop(camera, None)
        self._wake.set()

    def pass_over(self, camera: str) -> None:
        """There is no time for it now."""
        with self._lock:
            if self._leases.passed_over(camera, self._clock()):
                self.figures.skipped += 1
                self._why[camera] = Absence.OVERLOADED

    def turn(self) -> None:
        """Send what waits, and say of which cameras there is nothing. Called by the thread, again and again."""
        with self._lock:
            standing = self._leases.standing(self._clock())
            pictures = [picture for camera, picture in self._waiting.items() if camera in standing]
            self._waiting.clear()
        for picture in pictures:
            self._settle(picture.camera, self._sender.picture(picture), was_picture=True)
        for camera in self.shown:
            if self._clock() - self._heard_s.get(camera, float("-inf")) >= QUIET_S and not self._stop.is_set():
                self._settle(camera, self._sender.absence(camera, self._absence(camera)), was_picture=False)
        with self._lock:
            shown = set(self._leases.standing(self._clock()))
            self._heard_s = {camera: heard_s for camera, heard_s in self._heard_s.items() if camera in shown}
            self._why = {camera: why for camera, why in self._why.items() if camera in shown}

    def _absence(self, camera: str) -> Absence:
        return Absence.LOST if self._is_lost(camera) else self._why.get(camera, Absence.WAITING)

    def _settle(self, camera: str, answer: WallAnswer, *, was_picture: bool) -> None:
        with self._lock:
            now_s = self._clock()
            if was_picture and not answer.taken and answer.left_s is None:
                self._why[camera] = Absence.UNTAKEN
            else:
                self._heard_s[camera] = now_s
            self.figures.sent += was_picture and answer.taken
            self.figures.unsent += was_picture and not answer.taken
            if answer.left_s is not None:
                self._leases.renew(camera, answer.left_s, now_s)
        if not answer.taken and answer.left_s is not None:
            _log.info("the cloud ended a lease", camera=camera, reason=answer.reason)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self.turn()
            except Exception:  # noqa: BLE001 (the top of the thread)
                FAULTS.count(Place.WALL)
                _log.exception("the wall failed and goes on")
            self._wake.wait(_LOOK_AROUND_S)
