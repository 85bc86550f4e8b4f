"""The node's camera: a few seconds of a real clip that play for ever, with cars that cross lines, each crossing an incident with
masked pictures. It can be made to look at an empty lane, so that a run comes to its end.
"""

import tempfile
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from edge.flow import Image
from edge.video import Video, VideoWriter
from models import catalogue

CAMERA = "lane"
CLIP = "car_detection"
BUSY_S = (14.4, 19.4)
"""Of the clip: a car drives down, another one up."""
EMPTY_S = (21.0, 23.0)
LINES = 5
ANALYSIS_HZ = 6.0


class Footage:
    """What the camera of one world plays: `file` is read anew with each round."""

    def __init__(self, file: Path) -> None:
        """Nobody drives yet."""
        self.file = file
        self.still()

    def drive(self) -> None:
        """From the next round on, cars pass."""
        self._show(BUSY_S)

    def still(self) -> None:
        """After this round nothing moves any more."""
        self._show(EMPTY_S)

    def _show(self, stretch_s: tuple[float, float]) -> None:
        fresh = self.file.with_suffix(".new.mp4")
        fresh.write_bytes(_stretch(*stretch_s))
        fresh.replace(self.file)

    @property
    def configuration(self) -> Mapping[str, Any]:
        """The camera as `node.yaml` has it: no model, since whatever moves is told and masked without one."""
        heights = [(line + 1) / (LINES + 1) for line in range(LINES)]
        return {
            "id": CAMERA,
            "url": str(self.file),
            "loop": True,
            "model": None,
            "analysis_hz": ANALYSIS_HZ,
            "lines": {f"line-{line}": [[0.0, height], [1.0, height]] for line, height in enumerate(heights)},
            "rules": [
                {
                    "kind": "line_crossing",
                    "id": f"crossing-{line}",
                    "line": f"line-{line}",
                    "classes": ["motion"],
                    "forbidden": ["in", "out"],
                }
                for line in range(LINES)
            ],
        }


@cache
def _stretch(from_s: float, to_s: float) -> bytes:
    """A part of the clip as a file of its own. Raises ModelProblem where the clip can't be had."""
    with Video(catalogue.clip(CLIP)) as video, tempfile.TemporaryDirectory(prefix="gridward-footage-") as directory:
        rate = Fraction(1 / video.frame_period_s).limit_denominator(1000)
        path = Path(directory) / "stretch.mp4"
        images = _images(video, from_s, to_s)
        first = next(images)
        height, width = first.shape[:2]
        with VideoWriter(path, rate=rate, width=width, height=height) as writer:
            writer.write(first)
            for image in images:
                writer.write(image)
        return path.read_bytes()


def _images(video: Video, from_s: float, to_s: float) -> Iterator[Image]:
    for decoded in video.frames():
        at_s = decoded.pts_s or 0.0
        if at_s >= to_s:
            return
        if at_s >= from_s:
            yield decoded.picture.image
