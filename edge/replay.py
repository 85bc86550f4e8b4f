"""Replay: what the rules find in a file, as fast as the machine can and the same every time."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TextIO

from pydantic import ValidationError

from edge.contract.incident import IncidentState
from edge.errors import ConfigurationError
from edge.flow import Finding, Frame, SceneRule
from edge.perception.detector import OnnxDetector
from edge.perception.pipeline import CameraPipeline
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings, NodeConfiguration
from edge.sources.timing import AnalysisGrid
from edge.video import Video

_CLIP_START: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""The event time of a clip's first frame; results are seconds since then."""


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """Which weights looked."""

    id: str
    version: str
    sha256: str


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


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay found, and what it looked at: frames decoded, analysed, and those of them that the detector saw."""

    clip: str
    duration_s: float
    frames: int
    analysed_frames: int
    skipped_frames: int
    inferences: int
    model: ModelUsed | None
    incidents: tuple[ReplayIncident, ...]

    def to_json(self) -> str:
        """The result as JSON; the same bytes for the same clip, camera and model."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)


def replay(
    clip: Path,
    camera: CameraSettings,
    detector: OnnxDetector | None,
    *,
    progress: TextIO | None = None,
) -> ReplayResult:
    """Run a camera's zones and rules over a clip. Raises MediaUnusable and ConfigurationError.

    Every frame that the camera's analysis rate asks for is analysed: `skipped_frames` is 0 by construction and stands in
    the result because a live run has it too.
    """
    ledger = _Ledger()
    rules = [scene_rule(settings, camera) for settings in camera.rules]
    pipeline = CameraPipeline(camera, detector)
    with Video(clip) as video:
        meter = _Meter(progress, video.duration_s)
        frames = _FrameCounter(video, camera)
        for frame in frames:
            scene = pipeline.analyse(frame)
            ledger.take(finding for rule in rules for finding in rule.observe(scene))
            meter.show(frame.media_s)
        end = _CLIP_START + timedelta(seconds=frames.last_s)
        ledger.take(_finished(pipeline, rules, end))
        meter.done()
    return ReplayResult(
        clip=clip.name,
        duration_s=round(frames.last_s + video.frame_period_s, 3),
        frames=frames.decoded,
        analysed_frames=pipeline.counters.frames,
        skipped_frames=0,
        inferences=pipeline.counters.inferences,
        model=None if detector is None else _model_used(detector),
        incidents=ledger.incidents(),
    )


def _model_used(detector: OnnxDetector) -> ModelUsed:
    manifest = detector.manifest
    return ModelUsed(manifest.id, manifest.version, manifest.sha256)


def _finished(pipeline: CameraPipeline, rules: Sequence[SceneRule], end: datetime) -> Iterator[Finding]:
    scene = pipeline.interrupt(end)
    for rule in rules:
        yield from rule.observe(scene)
        yield from rule.finish(scene.at)


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


def camera_from_words(
    zones: Sequence[str], rules: Sequence[str], *, model: str | None, analysis_hz: float = 5.0
) -> CameraSettings:
    """A camera from what a command line says.

    `zones`: `NAME=x,y x,y x,y …` in normalised coordinates. `rules`: `intrusion:ZONE` and `loitering:ZONE:SECONDS`. Raises
    ConfigurationError with all mistakes.
    """
    try:
        return CameraSettings.model_validate(
            {
                "id": "clip",
                "url": "clip",
                "model": model,
                "analysis_hz": analysis_hz,
                "zones": dict(_zone(words) for words in zones),
                "rules": [_rule(words) for words in rules],
            }
        )
    except ValidationError as error:
        lines = (f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors())
        raise ConfigurationError("\n".join(lines)) from error


def _zone(words: str) -> tuple[str, list[list[float]]]:
    name, separator, outline = words.partition("=")
    try:
        vertices = [[float(part) for part in vertex.split(",")] for vertex in outline.split()]
    except ValueError:
        vertices = []
    if not separator or not vertices:
        raise ConfigurationError(f"--zone `{words}`: write NAME=x,y x,y x,y with coordinates from 0 to 1")
    return name, vertices


def _rule(words: str) -> dict[str, str]:
    match words.split(":"):
        case ["intrusion", zone]:
            return {"kind": "intrusion", "zone": zone}
        case ["loitering", zone, limit_s]:
            return {"kind": "loitering", "zone": zone, "limit_s": limit_s}
        case _:
            raise ConfigurationError(f"--rule `{words}`: write intrusion:ZONE or loitering:ZONE:SECONDS")


def table(result: ReplayResult) -> str:
    """The result for people."""
    model = "no model" if result.model is None else f"{result.model.id} {result.model.version}"
    head = (
        f"{result.clip}: {result.duration_s:.1f} s, {result.frames} frames, {result.analysed_frames} analysed, "
        f"{result.inferences} seen by the detector ({model})"
    )
    if not result.incidents:
        return f"{head}\nno incident"
    lines = [f"{'kind':<12}{'zone':<14}{'from':>8}{'to':>8}{'dwell':>8}{'sure':>6}{'track':>7}"]
    lines += [
        f"{each.kind:<12}{each.zone or '':<14}{each.started_s:>8.1f}{each.ended_s or 0:>8.1f}"
        f"{each.dwell_s or 0:>8.1f}{each.confidence or 0:>6.2f}{each.track_id or 0:>7}"
        for each in result.incidents
    ]
    return "\n".join([head, *lines])


class _FrameCounter:
    """The frames of a clip that its camera's analysis rate asks for, with event times that start at `_CLIP_START`."""

    def __init__(self, video: Video, camera: CameraSettings) -> None:
        self._video, self._camera = video, camera
        self.decoded = 0
        self.last_s = 0.0

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
            if grid.takes(media_s):
                at = _CLIP_START + timedelta(seconds=round(media_s, 6))
                yield Frame(self._camera.id, sequence, at, media_s, decoded.picture)
                sequence += 1


class _Ledger:
    """Incidents in the order in which they were opened."""

    def __init__(self) -> None:
        self._incidents: dict[str, ReplayIncident] = {}

    def take(self, findings: Iterable[Finding]) -> None:
        """Take what the rules say."""
        for finding in findings:
            if finding.state is IncidentState.OPEN:
                self._incidents[finding.key] = _incident(finding)
            else:
                self._incidents[finding.key] = replace(
                    self._incidents[finding.key],
                    ended_s=_clip_s(finding.ended_at) if finding.ended_at else None,
                    dwell_s=finding.dwell_s,
                    confidence=finding.confidence,
                )

    def incidents(self) -> tuple[ReplayIncident, ...]:
        """All of them, by start."""
        return tuple(sorted(self._incidents.values(), key=lambda each: (each.started_s, each.reported_s)))


def _incident(finding: Finding) -> ReplayIncident:
    return ReplayIncident(
        kind=finding.kind,
        rule=finding.rule,
        zone=finding.zone,
        track_id=finding.track_ids[0] if finding.track_ids else None,
        started_s=_clip_s(finding.started_at),
        reported_s=_clip_s(finding.at),
        ended_s=None,
        dwell_s=finding.dwell_s,
        confidence=finding.confidence,
    )


def _clip_s(at: datetime) -> float:
    return round((at - _CLIP_START).total_seconds(), 3)


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
