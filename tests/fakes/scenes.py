"""Hand-made detections, tracks and scenes."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from edge.contract.incident import TrackPoint
from edge.contract.telemetry import to_microseconds
from edge.flow import Box, Detections, Finding, Scene, SceneObserver, Track

EPOCH = datetime(2026, 3, 1, 8, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A moment, seconds after the beginning of the test's time."""
    return EPOCH + timedelta(seconds=seconds)


def seconds(moment: datetime) -> float:
    """The other way round."""
    return (moment - EPOCH).total_seconds()


def detections(*found: tuple[Box, float], label: str = "person") -> Detections:
    """What a detector would say."""
    return Detections(
        boxes=np.array([box for box, _ in found], dtype=np.float32).reshape(-1, 4),
        scores=np.array([score for _, score in found], dtype=np.float32),
        labels=(label,) * len(found),
    )


def standing_at(x: float, y: float, *, width: float = 0.1, height: float = 0.3) -> Box:
    """The box of someone whose feet are at a point."""
    return x - width / 2, y - height, x + width / 2, y


def walk(
    track_id: int, places: Sequence[tuple[float, Box]], *, label: str = "person", confirmed_after: int = 1
) -> Iterator[Scene]:
    """The scenes of one track that is seen at times and places, told of from its n-th sight on, and ends after the last."""
    path: tuple[TrackPoint, ...] = ()
    for index, (time_s, box) in enumerate(places):
        left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in box)
        path += (TrackPoint(to_microseconds(at(time_s)), left, top, right, bottom),)
        track = Track(track_id, label, box, 0.9, at(places[0][0]), at(time_s), 0.9, path)
        yield Scene("c", at(time_s), (track,) if index + 1 >= confirmed_after else ())
    if places:
        yield Scene("c", at(places[-1][0] + 0.2), (), (track,))


def findings(rule: SceneObserver, scenes: Iterator[Scene], *, finish_s: float | None = None) -> list[Finding]:
    """All that a rule says."""
    said = [finding for scene in scenes for finding in rule.observe(scene)]
    return said if finish_s is None else [*said, *rule.finish(at(finish_s))]
