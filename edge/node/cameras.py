"""The cameras of a node: opened, held in quarantine, tried again, closed."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import structlog

from edge.flow import Recorder
from edge.incidents import IncidentBook
from edge.node.quarantine import Quarantine
from edge.node.shelf import ModelShelf
from edge.node.standing import Standing
from edge.node.turns import Turns
from edge.node.watch import CameraWatch
from edge.settings import CameraSettings
from edge.sources.video_gateway import Gateways

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
    ) -> None:
        self._settings = settings
        self._shelf = shelf
        self._book = book
        self._recorder = recorder
        self._standing = standing
        self._clock = clock
        self.gateways = gateways
        self._turns = Turns()
        self._places = {camera.id: place for place, camera in enumerate(settings)}
        self.quarantine = Quarantine(directory, settings, clock=told)
        self.watches = [self._make(camera) for camera in settings]

    def start(self) -> None:
        """Open all cameras but those in quarantine."""
        self.gateways.start()
        for watch in self.watches:
            if self.quarantine.holds(watch.camera.id):
                watch.hold(self.quarantine.detail(watch.camera.id))
            else:
                watch.start()

    def turn(self) -> None:
        """Open and close what orders and the time ask for, and look for analyses that hang."""
        turn = self.quarantine.turn(self._shows_pictures)
        for name in turn.closed:
            watch = self.watches[self._places[name]]
            watch.hold(self.quarantine.detail(name))
            threading.Thread(target=watch.stop, name=f"stop-{name}", daemon=True).start()
        for name in turn.opened:
            place = self._places[name]
            self.watches[place] = self._make(self._settings[place])
            self.watches[place].start()
        self._shelf.end_overdue()
        for watch in self.watches:
            watch.check()

    def stop(self) -> None:
        """Close all of them at once; one that does not let go in time is left behind."""
        stopping = [threading.Thread(target=watch.stop, name="stop-camera", daemon=True) for watch in self.watches]
        for thread in stopping:
            thread.start()
        until_s = time.monotonic() + PATIENCE_S
        for thread in stopping:
            thread.join(max(0.0, until_s - time.monotonic()))
        self.gateways.stop()

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
        )

    def _shows_pictures(self, name: str) -> bool:
        return self.watches[self._places[name]].source.counters.decoded > 0
