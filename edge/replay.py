"""Replay: what the rules find in a file, as fast as the machine can and the same every time."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TextIO

from edge.contract.incident import IncidentState
from edge.errors import ConfigurationError, MediaUnusable
from edge.flow import Finding, Frame, SceneRule
from edge.perception.detector import OnnxDetector
from edge.perception.pipeline import CameraPipeline
from edge.rules.identity import rule_id
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings, NodeConfiguration, SceneRuleSettings
from edge.sources.timing import AnalysisGrid
from edge.video import Video

_CLIP_START: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""The event time of a clip's first frame; results are seconds since then."""

_TOLERATED_PERIODS: Final = 2.5
"""A clip may end this many frame periods before its container says so: containers round."""


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """Which weights looked."""

    id: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RuleUsed:
    """What was looked for."""

    id: str
    kind: str
    zone: str | None
    line: str | None
    limit_s: float | None
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplayIncident:
    """One incident; times are seconds of clip time. `ended_s` is None only while a replay is still running."""

    kind: str
    rule: str
    zone: str | None
    track_id: int | None
    started_s: float
    reported_s: float
    ended_s: float | None
    dwell_s: float | None
    confidence: float | None
    direction: str | None = None
    count: int | None = None
    point: str | None = None


@dataclass(frozen=True, slots=True)
class ReplayCount:
    """What a rule has counted over the whole clip under one point."""

    point: str
    count: int


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay found, and what it looked at: frames decoded, analysed, and those of them that the detector saw.

    `promised_s` is how long the container says that the picture is, None where it says nothing; `complete` is whether that
    much was there.
    """

    clip: str
    duration_s: float
    promised_s: float | None
    complete: bool
    damaged_packets: int
    frames: int
    analysed_frames: int
    skipped_frames: int
    inferences: int
    model: ModelUsed | None
    rules: tuple[RuleUsed, ...]
    counts: tuple[ReplayCount, ...]
    incidents: tuple[ReplayIncident, ...]

    def to_json(self) -> str:
        """The result as JSON; the same bytes for the same clip, camera and model."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)


def replay(
    clip: Path,
    camera: CameraSettings,
    detector: OnnxDetector | None,
    *,
    filmed_at: datetime | None = None,
    progress: TextIO | None = None,
) -> ReplayResult:
    """Run a camera's zones, lines and rules over a clip. Raises MediaUnusable, naming the clip, and ConfigurationError.

    `filmed_at` is when its first frame was filmed; without it the schedules of the rules are left out.

    Every frame that the camera's analysis rate asks for is analysed: `skipped_frames` is 0 by construction and stands in
    the result because a live run has it too.
    """
    try:
        return _replayed(clip, camera, detector, filmed_at, progress)
    except MediaUnusable as error:
        raise MediaUnusable(f"{clip}: {error}") from error


def _replayed(
    clip: Path,
    camera: CameraSettings,
    detector: OnnxDetector | None,
    filmed_at: datetime | None,
    progress: TextIO | None,
) -> ReplayResult:
    start = filmed_at or _CLIP_START
    ledger = _Ledger(start)
    rules = [scene_rule(_armed(settings, filmed_at), camera) for settings in camera.rules]
    pipeline = CameraPipeline(camera, detector)
    with Video(clip) as video:
        promised_s, period_s = video.duration_s, video.frame_period_s
        meter = _Meter(progress, promised_s)
        frames = _FrameCounter(video, camera, start)
        for frame in frames:
            scene = pipeline.analyse(frame)
            ledger.take(finding for rule in rules for finding in rule.observe(scene))
            meter.show(frame.media_s)
        end = start + timedelta(seconds=frames.last_s)
        ledger.take(_finished(pipeline, rules, end))
        counts = _counted(rules, end)
        meter.done()
    return ReplayResult(
        clip=clip.name,
        duration_s=round(frames.last_s + period_s, 3),
        promised_s=None if promised_s is None else round(promised_s, 3),
        complete=promised_s is None or promised_s - frames.end_s <= _TOLERATED_PERIODS * period_s,
        damaged_packets=video.damaged_packets,
        frames=frames.decoded,
        analysed_frames=pipeline.counters.frames,
        skipped_frames=0,
        inferences=pipeline.counters.inferences,
        model=None if detector is None else _model_used(detector),
        rules=tuple(_rule_used(settings) for settings in camera.rules),
        counts=counts,
        incidents=ledger.incidents(),
    )


def _armed(settings: SceneRuleSettings, filmed_at: datetime | None) -> SceneRuleSettings:
    return settings if filmed_at is not None else settings.model_copy(update={"schedule": ()})


def _rule_used(settings: SceneRuleSettings) -> RuleUsed:
    limit_s = getattr(settings, "limit_s", None)
    zone, line = getattr(settings, "zone", None), getattr(settings, "line", None)
    return RuleUsed(rule_id(settings), settings.kind, zone, line, limit_s, getattr(settings, "classes", ()))


def _model_used(detector: OnnxDetector) -> ModelUsed:
    manifest = detector.manifest
    return ModelUsed(manifest.id, manifest.version, manifest.sha256)


def _finished(pipeline: CameraPipeline, rules: Sequence[SceneRule], end: datetime) -> Iterator[Finding]:
    scene = pipeline.interrupt(end)
    for rule in rules:
        yield from rule.observe(scene)
        yield from rule.finish(scene.at)


def _counted(rules: Sequence[SceneRule], end: datetime) -> tuple[ReplayCount, ...]:
    """The sums over all intervals; to be asked for after the end."""
    counts: Counter[str] = Counter()
    for reading in (reading for rule in rules for reading in rule.readings(end)):
        counts[reading.point] += int(reading.value)
    return tuple(ReplayCount(point, count) for point, count in counts.items())


def chosen_camera(configuration: NodeConfiguration, camera: str | None) -> CameraSettings:
    """The camera of a name, or the only one. Raises ConfigurationError when there is none or the choice is open."""
    names = ", ".join(each.id for each in configuration.cameras) or "none"
    if camera is None:
        if len(configuration.cameras) != 1:
            raise ConfigurationError(f"choose one with --camera; the configuration has {names}")
        return configuration.cameras[0]
    for each in configuration.cameras:
        if each.id == camera:
            return each
    raise ConfigurationError(f"there is no camera `{camera}`; the configuration has {names}")


def warnings(result: ReplayResult) -> tuple[str, ...]:
    """What is wrong with the clip, one line each."""
    found = []
    if not result.complete:
        found.append(f"breaks off at {result.duration_s:.1f} s of {result.promised_s or 0:.1f} s")
    if result.damaged_packets:
        packets = "1 packet" if result.damaged_packets == 1 else f"{result.damaged_packets} packets"
        found.append(f"{packets} could not be decoded")
    return tuple(f"{result.clip}: {each}" for each in found)


def table(result: ReplayResult) -> str:
    """The result for people."""
    model = "no model" if result.model is None else f"{result.model.id} {result.model.version}"
    head = (
        f"{result.clip}: {result.duration_s:.1f} s, {result.frames} frames, {result.analysed_frames} analysed, "
        f"{result.inferences} seen by the detector ({model})"
    )
    above = [head, *warnings(result), *map(_looked_for, result.rules)]
    if not result.rules:
        above.append("no rule: nothing was looked for")
    above += [f"counted {each.point}: {each.count}" for each in result.counts]
    if not result.incidents:
        return "\n".join([*above, "no incident"])
    lines = [f"{'kind':<14}{'zone':<14}{'from':>8}{'to':>8}{'dwell':>8}{'sure':>6}{'track':>7}"]
    lines += [
        f"{each.kind:<14}{each.zone or each.point or '':<14}{each.started_s:>8.1f}{each.ended_s or 0:>8.1f}"
        f"{each.dwell_s or 0:>8.1f}{each.confidence or 0:>6.2f}{each.track_id or 0:>7}  {each.direction or ''}{f' × {each.count}' if each.count else ''}".rstrip()
        for each in result.incidents
    ]
    return "\n".join([*above, *lines])


def _looked_for(rule: RuleUsed) -> str:
    limit = "" if rule.limit_s is None else f" for {rule.limit_s:g} s"
    if rule.kind == "camera_trouble":
        return "looked for camera trouble"
    place = f"over {rule.line}" if rule.zone is None else f"in {rule.zone}"
    return f"looked for {', '.join(rule.classes) or 'nothing'}: {rule.kind} {place}{limit}"


class _FrameCounter:
    """The frames of a clip that its camera's analysis rate asks for, with event times that start at `start`."""

    def __init__(self, video: Video, camera: CameraSettings, start: datetime) -> None:
        self._video, self._camera, self._start = video, camera, start
        self.decoded = 0
        self.last_s = 0.0
        self.end_s = 0.0

    def __iter__(self) -> Iterator[Frame]:
        grid = AnalysisGrid(self._camera.analysis_hz)
        first_s: float | None = None
        sequence = 0
        for decoded in self._video.frames():
            pts_s = decoded.pts_s
            if pts_s is None:
                pts_s = (first_s or 0.0) + self.last_s + (self._video.frame_period_s if self.decoded else 0.0)
            first_s = pts_s if first_s is None else first_s
            media_s = pts_s - first_s
            self.decoded += 1
            self.last_s = max(self.last_s, media_s)
            self.end_s = max(self.end_s, media_s + (decoded.lasts_s or self._video.frame_period_s))
            if grid.takes(media_s):
                at = self._start + timedelta(seconds=round(media_s, 6))
                yield Frame(self._camera.id, sequence, at, media_s, decoded.picture)
                sequence += 1


class _Ledger:
    """Incidents in the order in which they were opened."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._incidents: dict[str, ReplayIncident] = {}

    def take(self, findings: Iterable[Finding]) -> None:
        """Take what the rules say."""
        for finding in findings:
            if finding.state is IncidentState.OPEN:
                self._incidents[finding.key] = self._opened(finding)
            else:
                self._incidents[finding.key] = replace(
                    self._incidents[finding.key],
                    ended_s=self._clip_s(finding.ended_at) if finding.ended_at else None,
                    dwell_s=finding.dwell_s,
                    confidence=finding.confidence,
                    count=finding.count,
                )

    def incidents(self) -> tuple[ReplayIncident, ...]:
        """All of them, by start."""
        return tuple(sorted(self._incidents.values(), key=lambda each: (each.started_s, each.reported_s)))

    def _opened(self, finding: Finding) -> ReplayIncident:
        return ReplayIncident(
            kind=finding.kind,
            rule=finding.rule,
            zone=finding.zone,
            track_id=finding.track_ids[0] if finding.track_ids else None,
            started_s=self._clip_s(finding.started_at),
            reported_s=self._clip_s(finding.at),
            ended_s=None,
            dwell_s=finding.dwell_s,
            confidence=finding.confidence,
            direction=finding.direction,
            count=finding.count,
            point=finding.point,
        )

    def _clip_s(self, at: datetime) -> float:
        return round((at - self._start).total_seconds(), 3)


class _Meter:
    """A line of progress for a terminal."""

    def __init__(self, stream: TextIO | None, duration_s: float | None) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None
        self._duration_s = duration_s
        self._shown_s = -1.0

    def show(self, media_s: float) -> None:
        """Say how far it is, once per second of the clip."""
        if self._stream is None or media_s - self._shown_s < 1.0:
            return
        self._shown_s = media_s
        of = f" of {self._duration_s:.0f}" if self._duration_s else ""
        self._stream.write(f"\r{media_s:.0f}{of} s")
        self._stream.flush()

    def done(self) -> None:
        """Clear the line."""
        if self._stream is not None:
            self._stream.write("\r\x1b[K")


def stderr_progress() -> TextIO:
    """Where a command shows its progress."""
    return sys.stderr
