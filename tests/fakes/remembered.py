"""A camera that lived through a clip with its memory on, without threads."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from edge.flow import Finding, Scene
from edge.node.recollecting import Recollection, watched_by
from edge.perception.detector import OnnxDetector
from edge.perception.pipeline import CameraPipeline
from edge.replay import _CLIP_START, _FrameCounter
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings, MemorySettings
from edge.video import Video

START = _CLIP_START


@dataclass(frozen=True)
class Life:
    """What a camera saw, and what its rules told of it."""

    scenes: tuple[Scene, ...]
    ended_at: datetime
    told: tuple[Finding, ...]


def seen(clip: Path, camera: CameraSettings, detector: OnnxDetector | None, *, until_s: float) -> Iterator[Scene]:
    """The scenes of the first seconds of a clip."""
    pipeline = CameraPipeline(camera, detector)
    with Video(clip) as video:
        for frame in _FrameCounter(video, camera, START):
            if frame.media_s > until_s:
                break
            yield pipeline.analyse(frame)
    yield pipeline.interrupt(START + timedelta(seconds=until_s))


def said(camera: CameraSettings, scenes: Sequence[Scene]) -> list[Finding]:
    """What rules say of scenes, from beginning to end."""
    rules = [scene_rule(settings, camera) for settings in camera.rules]
    found = [finding for scene in scenes for rule in rules for finding in rule.observe(scene)]
    return found + [finding for rule in rules for finding in rule.finish(scenes[-1].at)]


def lived(
    directory: Path,
    camera: CameraSettings,
    scenes: Iterable[Scene],
    *,
    write_every: int = 150,
    began_at: datetime = START,
    memory: MemorySettings | None = None,
) -> Life:
    """The scenes through a camera's rules and its memory, as its watch does it."""
    recollection = Recollection(directory, memory or MemorySettings(), clock=lambda: began_at)
    kept = recollection.camera(camera.id)
    assert kept is not None
    kept.watches(watched_by(camera, model=camera.model))
    rules = [scene_rule(settings, camera) for settings in camera.rules]
    told: list[Finding] = []
    taken: list[Scene] = []
    for number, scene in enumerate(scenes):
        kept.scene(scene)
        findings = [finding for rule in rules for finding in rule.observe(scene)]
        told += findings
        for finding in findings:
            kept.told(finding)
        taken.append(scene)
        if number % write_every == write_every - 1:
            recollection.write()
    at = taken[-1].at
    findings = [finding for rule in rules for finding in rule.finish(at)]
    for finding in findings:
        kept.told(finding)
    kept.ended()
    recollection.write()
    return Life(tuple(taken), at, (*told, *findings))
