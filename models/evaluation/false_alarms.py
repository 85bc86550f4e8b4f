"""False alarms: what detector and tracker find, as a node runs them, where a clip shows nothing of the kind."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from edge.contract.incident import IncidentState
from edge.flow import Frame, Track
from edge.perception.detector import OnnxDetector
from edge.perception.lineage import TrackerSettings
from edge.perception.pipeline import CameraPipeline
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings, PlaceSettings
from edge.settings.vocabulary import PLACED
from edge.sources.timing import AnalysisGrid
from edge.video import Video
from models.datasets.coco import ours
from models.datasets.labels import LABELS, NUMBER, Label
from models.evaluation.intervals import rate_interval
from models.evaluation.looking import in_our_classes
from models.evaluation.stretches import Quiet

ANALYSIS_HZ: Final = 5.0
"""How often a node looks, if nobody says otherwise."""

SURE: Final[dict[Label, float]] = {
    label: PlaceSettings.model_fields["least_score"].default if label in PLACED else TrackerSettings().sure
    for label in LABELS
}
"""From which score on a box counts by itself: for the tracker, and for rules on places."""

STAYS_S: Final = 10.0
"""What has a place is told of when it stays; rules wait for minutes unless told otherwise, which is longer than most clips."""

_WATCHED: Final = frozenset({Label.BIN_OVERFLOW, Label.LITTER})
_BEGIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
_HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Alarms:
    """One model, class and clip, or all clips together (`clip` None). `tracks`: false ones that count; None where no tracker follows
    the class. `incidents`: how often the rule of a class that has a place would tell of it, if it had to stay there for STAYS_S; None for
    classes without one. `boxes`: those that were sure in the `frames` in which nothing of it is there; `frames_with`: in how many.
    """

    model: str
    label: Label
    clip: str | None
    seconds: float
    tracks: int | None
    incidents: int | None
    frames: int
    frames_with: int
    boxes: int

    @property
    def per_hour(self) -> float | None:
        """False tracks, or false incidents of what has a place, per hour."""
        return None if self._false is None or not self.seconds else self._false / self.seconds * _HOUR_S

    @property
    def interval_per_hour(self) -> tuple[float, float] | None:
        """Its 95 % interval, for alarms that come independently of each other."""
        if self._false is None or not self.seconds:
            return None
        low, high = rate_interval(self._false)
        return low / self.seconds * _HOUR_S, high / self.seconds * _HOUR_S

    @property
    def _false(self) -> int | None:
        return self.incidents if self.tracks is None else self.tracks


def alarms_in(
    detector: OnnxDetector,
    known: frozenset[Label],
    quiet: Quiet,
    clip: Path,
    progress: Callable[[int], None] = lambda _done: None,
) -> Iterator[Alarms]:
    """Run a camera over a clip, and look at all of each frame beside it. Raises MediaUnusable, ModelUnusable."""
    camera = _camera(quiet.clip, known)
    pipeline = CameraPipeline(camera, detector)
    rules = {Label(rule.kind): scene_rule(rule, camera) for rule in camera.rules}
    incidents = dict.fromkeys(rules, 0)
    tracks: dict[Label, set[int]] = defaultdict(set)
    frames, frames_with, boxes = Counter[Label](), Counter[Label](), Counter[Label]()
    seconds = 0.0
    with Video(clip) as video:
        duration_s = video.duration_s or 0.0
        for done, frame in enumerate(_analysed(video, camera.id), start=1):
            seconds = frame.media_s
            empty = {label for label in known if _within(quiet.empty_of(label, float("inf")), seconds)}
            scene = pipeline.analyse(frame)
            for watched, rule in rules.items():
                told = [finding.state for finding in rule.observe(scene)]
                incidents[watched] += told.count(IncidentState.OPEN) if watched in empty else 0
            for track in scene.tracks:
                label = _label_of(track)
                if label in empty:
                    tracks[label].add(track.track_id)
            found = in_our_classes(detector.detect(frame.image))
            for label in empty:
                sure = len(found.of_class(NUMBER[label], SURE[label]))
                frames[label] += 1
                boxes[label] += sure
                frames_with[label] += sure > 0
            progress(done)
    for label in (label for label in LABELS if label in known):
        lasts_s = sum(end - begin for begin, end in quiet.empty_of(label, duration_s or seconds))
        yield Alarms(
            model=detector.manifest.id,
            label=label,
            clip=quiet.clip,
            seconds=lasts_s,
            tracks=None if label in PLACED else len(tracks[label]),
            incidents=incidents.get(label),
            frames=frames[label],
            frames_with=frames_with[label],
            boxes=boxes[label],
        )


def _camera(clip: str, known: frozenset[Label]) -> CameraSettings:
    """A camera whose whole picture is watched for what has a place."""
    watched = [label.value for label in LABELS if label in known & _WATCHED]
    whole = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    rules = [{"kind": kind, "zone": "whole", "for_s": STAYS_S} for kind in watched]
    return CameraSettings.model_validate(
        {"id": "clip", "url": clip, "analysis_hz": ANALYSIS_HZ, "zones": {"whole": whole}, "rules": rules}
    )


def _analysed(video: Video, camera: str) -> Iterator[Frame]:
    grid = AnalysisGrid(ANALYSIS_HZ)
    first_s: float | None = None
    for number, decoded in enumerate(video.frames()):
        if decoded.pts_s is None:
            continue
        first_s = decoded.pts_s if first_s is None else first_s
        media_s = decoded.pts_s - first_s
        if grid.takes(media_s):
            yield Frame(camera, number, _BEGIN + timedelta(seconds=media_s), media_s, decoded.picture)


def _label_of(track: Track) -> Label | None:
    """None for a moment in which nobody has looked: nothing begins by that."""
    return None if track.is_expected else ours(track.label)


def _within(stretches: Sequence[tuple[float, float]], at_s: float) -> bool:
    return any(begin <= at_s <= end for begin, end in stretches)


def together(every: Sequence[Alarms]) -> list[Alarms]:
    """For each model and class the sum over all clips."""
    sums: dict[tuple[str, Label], list[Alarms]] = defaultdict(list)
    for one in every:
        sums[one.model, one.label].append(one)
    return [
        Alarms(
            model=model,
            label=label,
            clip=None,
            seconds=sum(one.seconds for one in of),
            tracks=None if label in PLACED else sum(one.tracks or 0 for one in of),
            incidents=sum(one.incidents or 0 for one in of) if label in _WATCHED else None,
            frames=sum(one.frames for one in of),
            frames_with=sum(one.frames_with for one in of),
            boxes=sum(one.boxes for one in of),
        )
        for (model, label), of in sums.items()
    ]
