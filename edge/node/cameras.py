"""The cameras of a node: opened, held in quarantine, tried again, closed."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog

from edge.configuration.reload import Fate
from edge.contract.view import ViewAbsence
from edge.evidence.seal import DistrictKey
from edge.flow import Recorder, Sight
from edge.incidents import IncidentBook, RuleCards
from edge.node.clips import ClipOwner, ClipWorker
from edge.node.quarantine import Quarantine
from edge.node.recollecting import Recollection
from edge.node.shelf import ModelShelf
from edge.node.standing import Standing
from edge.node.turns import Turns
from edge.node.wall import WallDesk
from edge.node.watch import CameraWatch
from edge.settings import CameraSettings, GatewaySettings
from edge.sources.video_gateway import Gateways, VideoGateway

PATIENCE_S = 3.0
"""A camera that does not let go is left behind with the process."""

_log = structlog.get_logger(__name__)


class Cameras:
    """One watch per camera, in the order of the configuration. `turn` is called by the housekeeping.

    `clock` gives event times, `told` the corrected time of day: a quarantine outlives the process and its clock.
    """

    def __init__(
        self,
        settings: Sequence[CameraSettings],
        directory: Path,
        *,
        shelf: ModelShelf,
        book: IncidentBook,
        recorder: Recorder,
        standing: Standing,
        clock: Callable[[], datetime],
        told: Callable[[], datetime],
        gateways: Gateways,
        district_key: DistrictKey | None = None,
        wall: WallDesk | None = None,
        recollection: Recollection | None = None,
        on_sight: Callable[[Sight], None] = lambda _sight: None,
    ) -> None:
        self._settings = settings
        self._on_sight = on_sight
        self._recollection = recollection
        self._shelf = shelf
        self._book = book
        self._recorder = recorder
        self._standing = standing
        self._clock = clock
        self._district_key = district_key
        self._wall = wall
        self.clips = ClipWorker(book, district_key)
        self._closing = threading.Event()
        self._successions: dict[str, threading.Thread] = {}
        self._cards: RuleCards = {}
        self.gateways = gateways
        self._turns = Turns()
        self._places = {camera.id: place for place, camera in enumerate(settings)}
        self.quarantine = Quarantine(directory, settings, clock=told)
        self.watches = [self._make(camera) for camera in settings]

    def start(self) -> None:
        """Open all cameras but those in quarantine."""
        self.clips.start()
        self.gateways.start()
        for watch in self.watches:
            self._open(watch)

    def turn(self) -> None:
        """Open and close what orders and the time ask for, and look for analyses that hang."""
        turn = self.quarantine.turn(self._shows_pictures)
        for name in turn.closed:
            watch = self.watches[self._places[name]]
            watch.hold(self.quarantine.detail(name))
            threading.Thread(target=watch.stop, name=f"stop-{name}", daemon=True).start()
        for name in turn.opened:
            place = self._places[name]
            closed, self.watches[place] = self.watches[place], self._make(self._settings[place])
            self.watches[place].succeed(closed)
            self.watches[place].start()
        self._shelf.end_overdue()
        for watch in self.watches:
            watch.check()

    def adopt(
        self,
        settings: Sequence[CameraSettings],
        gateways: Sequence[GatewaySettings],
        fates: Mapping[str, Fate],
        cards: RuleCards,
    ) -> None:
        """Go on with these cameras, each as its fate says. The thread of `turn` calls this; streams are closed and opened by
        threads of their own, an old one before the new one of the same camera.
        """
        held = {name for name in self._places if self.quarantine.holds(name)}
        self._cards = cards
        gone_gateways = self.gateways.adopt(gateways)
        self.quarantine.adopt(settings)
        self._successions = {name: thread for name, thread in self._successions.items() if thread.is_alive()}
        before = {watch.camera.id: watch for watch in self.watches}
        watches = []
        for camera in settings:
            old = before.pop(camera.id, None)
            freed = camera.id in held and not self.quarantine.holds(camera.id)
            if old is None or freed or fates[camera.id] is Fate.RESTARTED:
                watches.append(self._make(camera))
                self._succeed(camera.id, old, watches[-1])
            else:
                watches.append(old)
                if fates[camera.id] is Fate.CHANGED:
                    old.adopt(camera, cards)
        for name, old in before.items():
            self._succeed(name, old, None)
        self._settings = tuple(settings)
        self._places = {camera.id: place for place, camera in enumerate(settings)}
        self.watches = watches
        if gone_gateways:
            threading.Thread(target=self._leave, args=(gone_gateways,), name="stop-gateways", daemon=True).start()

    def _succeed(self, name: str, old: CameraWatch | None, new: CameraWatch | None) -> None:
        """Close the old one, then open the new one."""
        earlier = self._successions.get(name)

        def succeed() -> None:
            if earlier is not None:
                earlier.join()
            if old is not None:
                old.stop()
                self._standing.forget(name)
            self._book.adopt(name, self._cards)  # the newest: another configuration may have come meanwhile
            if new is not None and not self._closing.is_set():
                if old is not None:
                    new.succeed(old)
                self._open(new)

        thread = threading.Thread(target=succeed, name=f"succeed-{name}", daemon=True)
        self._successions[name] = thread
        thread.start()

    def _leave(self, gateways: Sequence[VideoGateway]) -> None:
        """Stop gateways that nobody needs any more, once their cameras are closed."""
        for thread in list(self._successions.values()):
            thread.join()
        present = {gateway.settings.id for gateway in self.gateways}
        for gateway in gateways:
            gateway.stop()
            if gateway.settings.id not in present:
                self._standing.forget(gateway.settings.id)

    def stop(self) -> None:
        """Close all of them at once; one that does not let go in time is left behind."""
        self._closing.set()
        successions = list(self._successions.values())
        stopping = [threading.Thread(target=watch.stop, name="stop-camera", daemon=True) for watch in self.watches]
        for thread in stopping:
            thread.start()
        until_s = time.monotonic() + PATIENCE_S
        for thread in (*stopping, *successions):
            thread.join(max(0.0, until_s - time.monotonic()))
        self.gateways.stop()
        self.clips.stop()

    def _open(self, watch: CameraWatch) -> None:
        if self.quarantine.holds(watch.camera.id):
            watch.hold(self.quarantine.detail(watch.camera.id))
        else:
            watch.start()

    def _make(self, camera: CameraSettings) -> CameraWatch:
        return CameraWatch(
            camera,
            shelf=self._shelf,
            book=self._book,
            recorder=self._recorder,
            standing=self._standing,
            mark=lambda role: self.quarantine.mark(camera.id, role),
            clock=self._clock,
            gateways=self.gateways,
            turns=self._turns,
            district_key=self._district_key,
            wall=self._wall,
            clips=self.clips,
            memory=None if self._recollection is None else self._recollection.camera(camera.id),
            on_sight=self._on_sight,
        )

    def look(self, camera: str, moment: datetime) -> ViewAbsence | None:
        """Have a camera show, by `on_sight`, what is to be seen from this moment on; or why it shows nothing. Any thread."""
        watch = self._watch(camera)
        return ViewAbsence.CAMERA_LOST if watch is None else watch.look(moment)

    def film(self, camera: str, owner: ClipOwner, moment: datetime, *, still: bool) -> bool:
        """Have a film made for the incident of another device, with a picture of the moment if `still`; False where there can be none."""
        watch = self._watch(camera)
        return watch is not None and watch.film(owner, moment, still=still)

    def leave(self, camera: str) -> None:
        """Nobody waits for a look of this camera any more."""
        watch = self._watch(camera)
        if watch is not None:
            watch.leave()

    def _watch(self, camera: str) -> CameraWatch | None:
        """By name and never by place: another configuration may come meanwhile."""
        return next((watch for watch in self.watches if watch.camera.id == camera), None)

    @property
    def names(self) -> frozenset[str]:
        """The cameras that there are at present."""
        return frozenset(self._places)

    def _shows_pictures(self, name: str) -> bool:
        return self.watches[self._places[name]].source.counters.decoded > 0
