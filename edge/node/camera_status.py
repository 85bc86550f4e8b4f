"""How a camera is, as the node tells it: what does not work in the standing, and its coming and going as readings."""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from edge.contract.telemetry import ReadingFlag
from edge.errors import OutboxFull
from edge.flow import Health, Reading, Recorder
from edge.node.standing import Standing

PRESENCE = {Health.OK: "online", Health.DEGRADED: "degraded", Health.LOST: "lost"}
"""How the reserved point `presence` tells a health."""

PICTURE_LOST = "picture_lost"
PICTURE_DAMAGED = "picture_damaged"
QUARANTINED = "quarantined"

_log = structlog.get_logger(__name__)


def presence_reading(device: str, health: Health, at: datetime, *, simulated: bool) -> Reading:
    """The change of a device's presence."""
    flag = ReadingFlag.SIMULATED if simulated else ReadingFlag.NONE
    return Reading(device, "presence", at, PRESENCE[health], received_at=at, flag=flag)


class CameraStatus:
    """Of one camera. May be told of from its own thread, and asked from any."""

    def __init__(
        self, camera: str, recorder: Recorder, standing: Standing, *, clock: Callable[[], datetime], simulated: bool
    ) -> None:
        self.is_lost = False
        self.is_held = False
        self.simulated = simulated
        self._camera, self._recorder, self._standing, self._clock = camera, recorder, standing, clock
        self._health: Health | None = None

    def tell(self, health: Health, reason: str | None) -> None:
        """The camera has another health, or another reason for it."""
        if health is Health.STARTING:
            return
        self.is_lost = health is Health.LOST
        for told, name in ((Health.LOST, PICTURE_LOST), (Health.DEGRADED, PICTURE_DAMAGED)):
            if health is told:
                self._standing.degrade(self._camera, name, reason or "no picture")
            else:
                self._standing.recover(self._camera, name)
        if health is not self._health:  # lost for one reason after another is lost once
            self._health = health
            self._tell_presence(health)

    def hold(self, detail: str) -> None:
        """It is in quarantine, and not opened."""
        self.is_held = True
        self._standing.degrade(self._camera, QUARANTINED, detail)
        self._tell_presence(Health.LOST)

    def keep(self, readings: Sequence[Reading]) -> None:
        """Readings of the camera; what finds no room is logged and left."""
        if not readings:
            return
        try:
            self._recorder.readings(readings)
        except OutboxFull as error:
            points = sorted({reading.point for reading in readings})
            _log.error("readings of a camera were not kept", camera=self._camera, points=points, reason=str(error))

    def _tell_presence(self, health: Health) -> None:
        self.keep([presence_reading(self._camera, health, self._clock(), simulated=self.simulated)])
