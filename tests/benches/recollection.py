"""What it costs to remember: `python -m tests.benches.recollection [--json]`.

Busy is a clip in which people come, stand and go, seen with the detector and lived through again and again for an hour of the camera's
time; idle an hour in which nothing happens. Bytes are those of the files; times are of one core: taking a scene in, cutting and deflating
a minute, and a trial over the hour.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from edge.flow import Scene, Track
from edge.node.recollecting import Recollection, watched_by
from edge.perception.detector import open_detector
from edge.recollection.store import FOLDER, files
from edge.settings import CameraSettings, MemorySettings
from edge.trial.answer import try_cameras
from models import catalogue
from tests.fakes.remembered import START, seen
from tests.fakes.visits import CLIP, floor_camera

HOUR: Final = timedelta(hours=1)
WRITE_EVERY: Final = timedelta(seconds=60)
PERIOD: Final = timedelta(seconds=0.2)
_OVER_DAYS: Final = 14


@dataclass(frozen=True)
class Cost:
    """One hour of one camera. `busy_share`: of the looks, those in which something is followed; `cameras_of_default_quota`: so many
    cameras like this one, day and night, fill the default quota in a fortnight.
    """

    situation: str
    scenes: int
    busy_share: float
    bytes_per_camera_hour: int
    record_us_per_scene: float
    write_ms_per_minute: float
    trial_us_per_scene: float
    cameras_of_default_quota: float


def over_and_over(scenes: Sequence[Scene]) -> Iterator[Scene]:
    """The same scenes for an hour, each round later and with tracks of its own."""
    length, number = scenes[-1].at - scenes[0].at + PERIOD, 0
    while number * length < HOUR:
        later = number * length
        for scene in scenes:
            tracks, ended = (
                tuple(moved(track, later, number) for track in part) for part in (scene.tracks, scene.ended)
            )
            yield replace(scene, at=scene.at + later, tracks=tracks, ended=ended)
        number += 1


def moved(track: Track, later: timedelta, number: int) -> Track:
    """A track of a later round."""
    later_us = later // timedelta(microseconds=1)
    path = tuple(msgspec.structs.replace(point, at_us=point.at_us + later_us) for point in track.path[-3:])
    return replace(
        track,
        track_id=track.track_id + 1_000 * number,
        first_seen_at=track.first_seen_at + later,
        last_seen_at=track.last_seen_at + later,
        path=path,
    )


def empty() -> Iterator[Scene]:
    """An hour in which nothing happens."""
    for number in range(HOUR // PERIOD):
        yield Scene("clip", START + number * PERIOD, (), moving=False)


def measured(situation: str, camera: CameraSettings, scenes: Iterable[Scene]) -> Cost:
    """Live through the scenes and try the camera's rules on them."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        recollection = Recollection(directory, MemorySettings(), clock=lambda: START)
        kept = recollection.camera(camera.id)
        assert kept is not None
        kept.watches(watched_by(camera, model=camera.model))
        count, busy, record_s, write_s, due = 0, 0, 0.0, 0.0, START + WRITE_EVERY
        for scene in scenes:
            began_s = time.process_time()
            kept.scene(scene)
            record_s += time.process_time() - began_s
            count, busy = count + 1, busy + bool(scene.tracks)
            if scene.at >= due:
                began_s, due = time.process_time(), due + WRITE_EVERY
                recollection.write()
                write_s += time.process_time() - began_s
        kept.ended()
        recollection.write()
        size_bytes = sum(file.stat().st_size for file in files(directory / FOLDER))
        began_s = time.process_time()
        try_cameras(directory, [camera], since=2 * HOUR)
        trial_s = time.process_time() - began_s
    hours = count * PERIOD / HOUR
    quota_bytes = MemorySettings().quota_mib << 20
    return Cost(
        situation=situation,
        scenes=count,
        busy_share=round(busy / count, 3),
        bytes_per_camera_hour=round(size_bytes / hours),
        record_us_per_scene=round(1e6 * record_s / count, 1),
        write_ms_per_minute=round(1e3 * write_s / (60 * hours), 2),
        trial_us_per_scene=round(1e6 * trial_s / count, 1),
        cameras_of_default_quota=round(quota_bytes * hours / size_bytes / (24 * _OVER_DAYS), 1),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    camera = floor_camera()
    clip = catalogue.clip(CLIP)
    visits = list(seen(clip, camera, open_detector("yolox_nano_416"), until_s=139.0))
    rows = [measured("busy", camera, over_and_over(visits)), measured("idle", camera, empty())]
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return 0
    for row in rows:
        print(
            f"{row.situation}: {row.bytes_per_camera_hour / 1024:.1f} KiB per camera-hour, {row.record_us_per_scene} µs per scene, "
            f"{row.write_ms_per_minute} ms per minute to write, {row.trial_us_per_scene} µs per scene to try; "
            f"the default quota is {row.cameras_of_default_quota} such cameras for {_OVER_DAYS} days"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
