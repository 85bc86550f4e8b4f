"""One camera's eyes: motion decides whether to look, the detector looks, the tracker remembers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from edge.flow import Detections, Detector, Frame, Scene
from edge.perception.lineage import TrackerSettings
from edge.perception.motion import Cells, MotionDetector, MotionSettings
from edge.perception.tracker import Tracker
from edge.settings import CameraSettings

PROBE_S: Final = 10.0
"""However quiet it is, the detector looks this often: for what stood there from the start or moves too faintly."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class PipelineCounters:
    """What the pipeline did since the start."""

    frames: int = 0
    moving: int = 0
    inferences: int = 0
    disordered: int = 0


class CameraPipeline:
    """Turns the frames of one camera, in order of event time, into scenes. Knows no clock but the frames' own."""

    def __init__(
        self,
        camera: CameraSettings,
        detector: Detector | None,
        *,
        tracker: TrackerSettings | None = None,
        motion: MotionSettings | None = None,
    ) -> None:
        """Watch one camera. Without a detector there is motion only, and no scene holds a track."""
        self.camera = camera
        self.counters = PipelineCounters()
        self._detector = detector
        self._motion = MotionDetector(motion)
        self._tracker = Tracker(tracker)
        self._last_at: datetime | None = None
        self._probed_at: datetime | None = None

    def analyse(self, frame: Frame) -> Scene:
        """Look at one frame. One that is not later than the last is counted and left out."""
        at = frame.captured_at
        if self._last_at is not None and at <= self._last_at:
            self.counters.disordered += 1
            return Scene(self.camera.id, self._last_at, (), moving=False)
        self._last_at = at
        self.counters.frames += 1
        motion = self._motion.observe(frame.picture.luma, _seconds(at))
        self.counters.moving += motion.moving
        if self._detector is None:
            return Scene(self.camera.id, at, (), moving=motion.moving)
        detections = _NOTHING
        if motion.moving or self._tracker.alive or self._probe_due(at):
            detections = self._detector.detect(frame.image)
            self.counters.inferences += 1
            self._probed_at = at
        step = self._tracker.update(at, detections, motion)
        return Scene(self.camera.id, at, step.seen, step.ended, moving=motion.moving)

    def interrupt(self, at: datetime) -> Scene:
        """The camera went away or the node stops: every track ends with its last sight."""
        moment = at if self._last_at is None else max(at, self._last_at)
        return Scene(self.camera.id, moment, (), self._tracker.finish(), moving=False)

    def moved_since(self, since: datetime) -> Cells:
        """The cells of the picture that moved since a time (rows, columns); for masking where there is no detector."""
        return self._motion.moved_since(_seconds(since))

    def _probe_due(self, at: datetime) -> bool:
        return self._probed_at is None or (at - self._probed_at).total_seconds() >= PROBE_S


_NOTHING: Final = Detections(np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32), ())


def _seconds(at: datetime) -> float:
    return (at - _EPOCH).total_seconds()
