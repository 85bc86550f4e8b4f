"""Whether anybody's head is left unmasked in a picture that would leave the node.

`python -m tests.benches.masks [--json] [--analysis-hz 5] [--witness nanodet_m_416] [--stills FOLDER]`

The clip `one_by_one_person_detection`: every analysed frame is masked as a snapshot of that moment would be. When somebody is to
be seen was looked at frame by frame (`tests/fakes/visits.py`); where, says a witness: another detector than the one that the
masks come from, which looks at the unmasked frame. Frames of a visit in which the witness sees nobody are told as unjudged.
`--stills` adds pictures that people have labelled (YOLO text, class 0 is a person), each looked at once, without a past.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from edge.evidence.privacy import masked
from edge.flow import Box, Frame, Image, PrivateParts
from edge.perception.detector import OnnxDetector, open_detector
from edge.perception.pipeline import CameraPipeline
from edge.settings import CameraSettings
from edge.sources.timing import AnalysisGrid
from edge.video import ArrayPicture, Video
from models import catalogue
from tests.fakes.visits import CLIP, VISIBLE_S, floor_camera

BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC)
WITNESS_SCORE = 0.5
HEAD_DOWN, HEAD_ACROSS = 0.18, 0.5
"""Of a person's box: the head is in its upper part, and in the middle of it."""

COVERED = 0.9
_SHOWN = 20


@dataclass(slots=True)
class Row:
    """Person-frames of one set, and those in which less than nine tenths of a head were painted over."""

    name: str
    frames: int = 0
    person_frames: int = 0
    heads: int = 0
    unmasked_frames: int = 0
    unjudged_frames: int = 0
    false_witness_frames: int = 0
    least_covered: float = 1.0
    painted_share: float = 0.0
    unmasked: list[str] = field(default_factory=list)

    def judge(self, name: str, image: Image, parts: PrivateParts, people: Sequence[Box]) -> None:
        """Mask a picture as a snapshot is, and look at the heads of these people."""
        painted = _painted(image, parts)
        shares = [_share(painted, _head(box)) for box in people]
        self.person_frames += 1
        self.heads += len(shares)
        self.painted_share += (float(painted.mean()) - self.painted_share) / self.person_frames
        self.least_covered = min([self.least_covered, *shares])
        if min(shares) < COVERED:
            self.unmasked_frames += 1
            if len(self.unmasked) < _SHOWN:
                self.unmasked.append(f"{name}: {min(shares):.2f}")


def _painted(image: Image, parts: PrivateParts) -> np.ndarray:
    """Where the mask paints, found by the mask itself: on noise a painted square is nowhere what it was."""
    noise = np.random.default_rng(1).integers(0, 256, image.shape, dtype=np.uint8)
    return np.asarray((masked(noise, parts, ()) != noise).any(axis=2))


def _head(box: Box) -> Box:
    left, top, right, bottom = box
    aside = (1 - HEAD_ACROSS) / 2 * (right - left)
    return left + aside, top, right - aside, top + HEAD_DOWN * (bottom - top)


def _share(painted: np.ndarray, box: Box) -> float:
    rows, columns = painted.shape
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in box)
    part = painted[int(top * rows) : int(np.ceil(bottom * rows)), int(left * columns) : int(np.ceil(right * columns))]
    return float(part.mean()) if part.size else 1.0


def _people(witness: OnnxDetector, image: Image) -> list[Box]:
    found = witness.detect(image)
    return [
        (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True)
        if label == "person" and score >= WITNESS_SCORE
    ]


def of_the_clip(detector: OnnxDetector, witness: OnnxDetector, analysis_hz: float) -> Row:
    """Every frame of the clip that is analysed."""
    row = Row(CLIP)
    camera = floor_camera(analysis_hz)
    pipeline = CameraPipeline(camera, detector)
    for frame in _frames(catalogue.clip(CLIP), camera):
        pipeline.analyse(frame)
        row.frames += 1
        people = _people(witness, frame.image)
        visible = any(since_s <= frame.media_s <= until_s for since_s, until_s in VISIBLE_S)
        if not people:
            row.unjudged_frames += visible
        elif not any(since_s - 1 <= frame.media_s <= until_s + 1 for since_s, until_s in VISIBLE_S):
            row.false_witness_frames += 1
        else:
            row.judge(f"{frame.media_s:.1f} s", frame.image, pipeline.private_parts(frame), people)
    return row


def _frames(clip: Path, camera: CameraSettings) -> Iterator[Frame]:
    grid = AnalysisGrid(camera.analysis_hz)
    with Video(clip) as video:
        sequence = 0
        for decoded in video.frames():
            at_s = decoded.pts_s or 0.0
            if grid.takes(at_s):
                at = BEGAN_AT + timedelta(seconds=at_s)
                yield Frame(camera.id, sequence, at, at_s, decoded.picture)
                sequence += 1


def of_stills(detector: OnnxDetector, folder: Path) -> Row:
    """Labelled pictures, each as the first that a camera ever sends."""
    row = Row(folder.name)
    for path in sorted((folder / "images").glob("*.jpg")):
        image = cv2.imread(str(path))
        people = _labelled(folder / "labels" / f"{path.stem}.txt")
        if image is None or not people:
            continue
        picture = np.asarray(image, dtype=np.uint8)
        row.frames += 1
        pipeline = CameraPipeline(floor_camera(), detector)
        frame = Frame("still", 0, BEGAN_AT, 0.0, ArrayPicture(picture))
        pipeline.analyse(frame)
        row.judge(path.name, picture, pipeline.private_parts(frame), people)
    return row


def _labelled(path: Path) -> list[Box]:
    if not path.exists():
        return []
    boxes = []
    for line in path.read_text(encoding="ascii").splitlines():
        label, *numbers = line.split()
        if label == "0":
            x, y, width, height = map(float, numbers)
            boxes.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    return boxes


def _report(rows: Sequence[Row], witness: str) -> Mapping[str, object]:
    return {
        "unmasked_person_frames": rows[0].unmasked_frames,
        "person_frames": rows[0].person_frames,
        "witness": witness,
        "rows": [asdict(row) for row in rows],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when no person-frame of the clip has an unmasked head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--analysis-hz", type=float, default=5.0)
    parser.add_argument("--witness", default="nanodet_m_416")
    parser.add_argument("--stills", type=Path, nargs="*", default=[])
    options = parser.parse_args(arguments)
    detector, witness = open_detector("yolox_nano_416"), open_detector(options.witness)
    rows = [of_the_clip(detector, witness, options.analysis_hz)]
    rows += [of_stills(detector, folder) for folder in options.stills]
    report = _report(rows, options.witness)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for row in rows:
            print(
                f"{row.name:<32}{row.unmasked_frames} of {row.person_frames} person-frames unmasked"
                f" (least covered {row.least_covered:.2f}, unjudged {row.unjudged_frames})"
            )
    return 0 if rows[0].person_frames and not rows[0].unmasked_frames else 1


if __name__ == "__main__":
    sys.exit(main())
