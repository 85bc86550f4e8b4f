"""What a run of cameras brought: which rules opened, at which moment of the film, and how long after that frame was taken."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from edge.contract.incident import IncidentState
from edge.flow import Detections, Finding, Frame, Health, Scene, SceneRule
from edge.perception.detector import OnnxDetector
from edge.perception.tracker import Tracker
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings
from models.catalogue import ResolvedModel, resolve

MATCH_S: Final = 1.5
"""An opening is the one that was expected when it is so near to it."""


def now() -> datetime:
    """Event time of all cameras here."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Opening:
    """A rule opened: at which second of the film, and how long after that frame was taken it was found."""

    rule: str
    at_s: float
    delay_ms: float = 0.0


def hits(expected: Sequence[Opening], found: Sequence[Opening]) -> int:
    """How many of the expected openings were found; each that was found counts for one."""
    left, count = list(found), 0
    for each in expected:
        match = next((one for one in left if one.rule == each.rule and abs(one.at_s - each.at_s) <= MATCH_S), None)
        if match is not None:
            left.remove(match)
            count += 1
    return count


class WholePictures(OnnxDetector):
    """Looks at all of each picture in the input that the manifest states, as a plain loop does, with the graph as the file has it."""

    def _opened_for_any_size(self, _model: ResolvedModel) -> None:
        return None


class Follower:
    """Tracker and rules of one camera, over what somebody sees."""

    def __init__(self, camera: CameraSettings) -> None:
        self.camera = camera
        self.frames = 0
        self._tracker = Tracker()
        self._rules: list[SceneRule] = [scene_rule(settings, camera) for settings in camera.rules]

    def take(self, at: datetime, detections: Detections) -> list[Finding]:
        """What the sights of a moment bring to an opening."""
        self.frames += 1
        step = self._tracker.update(at, detections)
        scene = Scene(self.camera.id, at, step.seen, step.ended)
        found = [finding for rule in self._rules for finding in rule.observe(scene)]
        return [finding for finding in found if finding.state is IncidentState.OPEN]


class PlainWatch(Follower):
    """One camera of a plain loop: whole pictures, tracker, rules; no regions, no pictures kept."""

    def __init__(self, camera: CameraSettings, detector: OnnxDetector) -> None:
        super().__init__(camera)
        self._detector = detector

    def analyse(self, frame: Frame) -> list[Finding]:
        """What one frame brings to an opening."""
        return self.take(frame.captured_at, self._detector.detect(frame.image))


def plain_detector(model_id: str) -> WholePictures:
    """The detector of a plain loop. Raises ModelProblem, ModelUnusable."""
    return WholePictures(resolve(model_id))


@dataclass
class Tally:
    """What the cameras of one run brought. Each camera's own thread notes; `openings` may be read from another."""

    openings: dict[str, list[Opening]] = field(default_factory=lambda: defaultdict(list))
    begun_at: dict[str, datetime] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)

    def hear(self, camera: str) -> Callable[[Health, str | None], None]:
        """For a source's status: each loss is noted."""

        def listen(health: Health, _reason: str | None) -> None:
            if health is Health.LOST:
                self.losses.append(camera)

        return listen

    def see(self, frame: Frame) -> None:
        """The first frames come in a burst: the earliest beginning that any frame speaks of is not far from the true one."""
        begun_at = frame.captured_at - timedelta(seconds=frame.media_s)
        self.begun_at[frame.camera] = min(begun_at, self.begun_at.get(frame.camera, begun_at))

    def found(self, camera: str, rule: str, at: datetime) -> None:
        """A rule has opened something, over the frame of `at`."""
        at_s = (at - self.begun_at.get(camera, at)).total_seconds()
        delay_ms = (now() - at).total_seconds() * 1000
        self.openings[camera].append(Opening(rule, round(at_s, 2), round(delay_ms, 1)))

    def all_openings(self, cameras: Sequence[str]) -> Mapping[str, tuple[Opening, ...]]:
        """Camera → what was found so far, nothing for those in which nothing was."""
        return {camera: tuple(self.openings.get(camera, ())) for camera in cameras}
