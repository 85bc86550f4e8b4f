"""Video linkage (视频联动): what the cameras at a spot show when another device there tells of something, for the same incident.

The incident is told at once and waits for no picture. Each camera that shows the spot is asked for the moment of the event: a masked
picture, what is counted in it, and a film. They follow as revisions. One look of a camera serves all that happens within a second, so that
forty devices that tell of something at the same time cost no more than one. What happened too long ago is looked for in what the camera
has sent, as far as that is kept; a present picture for a past event is never made.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from edge.contract.incident import IncidentState, Severity
from edge.contract.view import CameraView, SightCount, ViewAbsence
from edge.flow import Finding, Sight
from edge.incidents import IncidentBook
from edge.node.clips import ClipOwner
from edge.settings import NodeConfiguration
from edge.settings.spots import MOST_CAMERAS

ONE_MOMENT: Final = timedelta(seconds=1.0)
"""One look of a camera serves all that happens within so long."""

PRESENT: Final = timedelta(seconds=3.0)
"""An event that is told so long after its moment at the latest is looked at as it is now; the picture says when it was filmed."""

LATEST: Final = PRESENT + ONE_MOMENT
"""A frame that was filmed later after a moment does not show it any more."""

PATIENCE_S: Final = 6.0
"""A camera that has shown nothing for so long shows nothing."""

MAINTENANCE: Final = "maintenance"

MOST_WAITING: Final = 256
"""Incidents that wait for a look; those that come then go without, and are counted."""

_LOOK_AROUND_S: Final = 0.5
_STOP_S: Final = 2.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Covering:
    """A camera that shows a spot, and in which of its zones what is seen there counts."""

    camera: str
    zones: frozenset[str]


def covered(configuration: NodeConfiguration) -> Mapping[str, tuple[Covering, ...]]:
    """For each device at a spot the cameras that show it: those that the spot names, else those that stand there."""
    zones = {camera.id: frozenset(camera.zones) for camera in configuration.cameras}
    spots = {spot.id: spot for spot in configuration.spots}
    found: dict[str, tuple[Covering, ...]] = {}
    for name in {device.spot for device in configuration.devices if device.spot is not None}:
        spot = spots.get(name)
        if spot is not None and spot.cameras:
            found[name] = tuple(
                Covering(each.camera, zones[each.camera] if each.zones is None else frozenset(each.zones))
                for each in spot.cameras
                if each.camera in zones
            )
        else:
            standing = [camera.id for camera in configuration.cameras if camera.spot == name]
            found[name] = tuple(Covering(camera, zones[camera]) for camera in standing[:MOST_CAMERAS])
    return {
        device.id: found[device.spot]
        for device in configuration.devices
        if device.spot is not None and found[device.spot]
    }


class LookingCameras(Protocol):
    """What the linkage asks of the node's cameras. May be called from any thread."""

    def look(self, camera: str, moment: datetime) -> ViewAbsence | None:
        """Have a camera show what is to be seen from this moment on; or why it shows nothing."""
        ...

    def film(self, camera: str, owner: ClipOwner, moment: datetime, *, still: bool) -> bool:
        """Have a film made, with a picture of the moment if `still`; False where there can be none."""
        ...

    def leave(self, camera: str) -> None:
        """Nobody waits for a look of this camera any more."""
        ...


@dataclass(frozen=True, slots=True)
class _Event:
    """What another device has told, and the moment of it."""

    key: str
    device: str
    started_at: datetime
    severity: Severity
    moment: datetime
    covering: tuple[Covering, ...]
    replayed: bool

    @property
    def owner(self) -> ClipOwner:
        """Whose the film is."""
        return ClipOwner(self.key, self.started_at, self.severity)


@dataclass(frozen=True, slots=True)
class _Order:
    """An event that waits for one camera."""

    event: _Event
    covering: Covering
    until_s: float


@dataclass(slots=True)
class LinkageFigures:
    """Since the start: events at a spot that a camera shows, looks that were asked of cameras, sights that came, views that say why there is no
    picture, events that were left since too many waited, and faults of the linkage itself.
    """

    events: int = 0
    asked: int = 0
    sights: int = 0
    absent: int = 0
    left: int = 0
    faults: int = 0


class Linkage:
    """The thread `linkage`. `follow` is told of every finding, `show` of every sight that a camera was asked for; both return at once."""

    def __init__(
        self,
        configuration: NodeConfiguration,
        book: IncidentBook,
        cameras: Callable[[], LookingCameras],
        *,
        clock: Callable[[], datetime],
        steady: Callable[[], float] = time.monotonic,
        on_sight: Callable[[str, Sight], None] = lambda _device, _sight: None,
    ) -> None:
        """`clock` tells node time, `steady` seconds that only grow. `on_sight` is called with each sight that was taken for a device, from the
        thread `linkage`.
        """
        self.figures = LinkageFigures()
        self._covered = covered(configuration)
        self._book, self._cameras = book, cameras
        self._clock, self._steady, self._on_sight = clock, steady, on_sight
        self._events: deque[_Event] = deque()
        self._sights: deque[Sight] = deque(maxlen=MOST_WAITING)
        self._orders: list[_Order] = []
        self._newest: dict[str, Sight] = {}
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="linkage", daemon=True)

    @property
    def waiting(self) -> int:
        """How many looks are waited for."""
        return len(self._events) + len(self._orders)

    def start(self) -> None:
        """Begin to link."""
        self._thread.start()

    def stop(self) -> None:
        """End; what waits goes without a picture."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def adopt(self, configuration: NodeConfiguration) -> None:
        """Go on with other spots, from the next event on."""
        self._covered = covered(configuration)

    def follow(self, finding: Finding) -> None:
        """A finding of whatever device was told. What opens at a spot that a camera shows is an event to look at, unless it is a matter of
        maintenance: a meter that says nothing is no reason to film anybody.
        """
        covering = self._covered.get(finding.device)
        if finding.state is not IncidentState.OPEN or finding.category == MAINTENANCE or not covering:
            return
        if len(self._events) + len(self._orders) >= MOST_WAITING:
            self.figures.left += 1
            _log.warning("too many events wait for a look: one is left", device=finding.device)
            return
        self._events.append(
            _Event(
                finding.key,
                finding.device,
                finding.started_at,
                finding.severity,
                finding.at,
                covering,
                finding.replayed,
            )
        )
        self._wake.set()

    def show(self, sight: Sight) -> None:
        """What a camera was asked for."""
        self._sights.append(sight)
        self._wake.set()

    def turn(self) -> None:
        """Ask for what is new, hand out what came, and give up what came too late. Called by the thread, again and again."""
        while self._sights:
            self._hand_out(self._sights.popleft())
        while self._events:
            self._take(self._events.popleft())
        self._give_up()

    def _take(self, event: _Event) -> None:
        self.figures.events += 1
        past = event.replayed or self._clock() - event.moment > PRESENT
        for covering in event.covering:
            known = self._newest.get(covering.camera)
            filmed = self._cameras().film(covering.camera, event.owner, event.moment, still=past)
            if known is not None and _serves(known, event.moment):
                self._attach(event, covering, known)
            elif not past:
                self._ask(_Order(event, covering, self._steady() + PATIENCE_S))
            elif not filmed:
                self._say_absent(event, covering, ViewAbsence.MOMENT_PASSED)

    def _ask(self, order: _Order) -> None:
        absence = self._cameras().look(order.covering.camera, order.event.moment)
        if absence is not None:
            self._say_absent(order.event, order.covering, absence)
            return
        self.figures.asked += 1
        self._orders.append(order)

    def _hand_out(self, sight: Sight) -> None:
        self.figures.sights += 1
        self._newest[sight.camera] = sight
        mine = [order for order in self._orders if order.covering.camera == sight.camera]
        served = [order for order in mine if _serves(sight, order.event.moment)]
        self._orders = [order for order in self._orders if order not in served]
        for order in served:
            self._attach(order.event, order.covering, sight)
        left = [order for order in mine if order not in served]
        if left:  # of a later moment: it was asked for while this look was under way
            self._cameras().look(sight.camera, min(order.event.moment for order in left))

    def _give_up(self) -> None:
        now_s, now = self._steady(), self._clock()
        self._newest = {name: each for name, each in self._newest.items() if now - each.captured_at <= LATEST}
        over = [order for order in self._orders if order.until_s <= now_s]
        if not over:
            return
        self._orders = [order for order in self._orders if order not in over]
        for camera in {order.covering.camera for order in over}:
            if all(order.covering.camera != camera for order in self._orders):
                self._cameras().leave(camera)
        for order in over:
            self._say_absent(order.event, order.covering, ViewAbsence.NO_FRAME)

    def _attach(self, event: _Event, covering: Covering, sight: Sight) -> None:
        view = CameraView(
            camera=sight.camera,
            captured_at=sight.captured_at,
            counts=_within(sight.counts, covering.zones),
            evidence=tuple(picture.reference.sha256 for picture in sight.pictures),
            absence=None if sight.pictures else ViewAbsence.NOT_MASKED.value,
            trouble=sight.trouble,
        )
        self._book.attach(event.key, event.started_at, sight.camera, event.severity, sight.pictures, views=(view,))
        self._on_sight(event.device, sight)

    def _say_absent(self, event: _Event, covering: Covering, absence: ViewAbsence) -> None:
        self.figures.absent += 1
        view = CameraView(camera=covering.camera, absence=absence.value)
        self._book.attach(event.key, event.started_at, covering.camera, event.severity, (), views=(view,))

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self.turn()
            except Exception:  # noqa: BLE001 (the top of the thread)
                self.figures.faults += 1
                _log.exception("the linkage failed and goes on")
            self._wake.wait(_LOOK_AROUND_S)


def _serves(sight: Sight, moment: datetime) -> bool:
    """Whether a sight shows a moment: filmed at most a second before it, or soon after."""
    return -ONE_MOMENT <= sight.captured_at - moment <= LATEST


def _within(counts: Sequence[SightCount] | None, zones: frozenset[str]) -> tuple[SightCount, ...] | None:
    """What was counted in all of the picture, and in those zones of it that belong to the spot."""
    if counts is None:
        return None
    return tuple(each for each in counts if each.zone is None or each.zone in zones)
