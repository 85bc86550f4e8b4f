"""Whether anybody's head is left unmasked in a picture or a film that would leave the node.

`python -m tests.benches.masks [--json] [--only WORD …] [--analysis-hz 5] [--witness nanodet_m_416] [--stills FOLDER …]`

Pictures: every analysed frame of the clip `one_by_one_person_detection` is masked as a snapshot of that moment would be; as it is, at
night gain, and in bursts, as a gate lets frames through (one in two seconds until somebody has been there for a second).
Films: clips around the beginning, the middle and the end of each visit are masked as the node's films are, from the packets of copies
encoded as cameras encode; every picture of every film is judged.

When somebody is to be seen was looked at frame by frame (`tests/fakes/visits.py`); where, says a witness: another detector than the one
that the masks come from, which looks at the clip as it is, unmasked and without noise. Frames of a visit in which the witness
sees nobody are told as unjudged.

`--stills` adds pictures that people have labelled (YOLO text, class 0 is a person), each shown as the first that a camera sends, for
a node may be asked for one then. The second row tells what the same pictures would come to if everybody in them stood like a statue
until the camera had been watched for long enough: the limit of what masks can promise, no part of the verdict.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from edge.evidence.clip import POST_ROLL, PRE_ROLL, within
from edge.evidence.film import COLOURS, RATE_HZ, frames_of
from edge.evidence.film_masks import FilmMasks
from edge.evidence.privacy import masked
from edge.flow import Box, Frame, Image, Packet, PrivateParts
from edge.perception.detector import OnnxDetector, open_detector
from edge.perception.hindsight import Hindsight
from edge.perception.pipeline import WATCHED_S, CameraPipeline
from edge.settings import CameraSettings
from edge.sources.timing import AnalysisGrid
from edge.video import ArrayPicture, Video
from models import catalogue
from tests.fakes.encodings import ENCODINGS, changed, write_encoded
from tests.fakes.visits import CLIP, VISIBLE_S, floor_camera

BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC)
WITNESS_SCORE = 0.5
HEAD_DOWN, HEAD_ACROSS = 0.18, 0.5
"""Of a person's box: the head is in its upper part, and in the middle of it."""

COVERED = 0.9
_SHOWN = 20
_PICTURE_COLOURS = 4


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

    def judge(
        self,
        name: str,
        image: Image,
        parts: PrivateParts,
        people: Sequence[Box],
        *,
        colours: int = _PICTURE_COLOURS,
    ) -> None:
        """Mask a picture as a snapshot is, or one of a film, and look at the heads of these people."""
        painted = _painted(image, parts, colours)
        shares = [_share(painted, _head(box)) for box in people]
        self.person_frames += 1
        self.heads += len(shares)
        self.painted_share += (float(painted.mean()) - self.painted_share) / self.person_frames
        self.least_covered = min([self.least_covered, *shares])
        if min(shares) < COVERED:
            self.unmasked_frames += 1
            if len(self.unmasked) < _SHOWN:
                self.unmasked.append(f"{name}: {min(shares):.2f}")


def _painted(image: Image, parts: PrivateParts, colours: int) -> np.ndarray:
    """Where the mask paints, found by the mask itself: on noise a painted square is nowhere what it was."""
    noise = np.random.default_rng(1).integers(0, 256, image.shape, dtype=np.uint8)
    return np.asarray((masked(noise, parts, (), colours=colours) != noise).any(axis=2))


def _head(box: Box) -> Box:
    left, top, right, bottom = box
    aside = (1 - HEAD_ACROSS) / 2 * (right - left)
    return left + aside, top, right - aside, top + HEAD_DOWN * (bottom - top)


def _share(painted: np.ndarray, box: Box) -> float:
    rows, columns = painted.shape
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in box)
    part = painted[int(top * rows) : int(np.ceil(bottom * rows)), int(left * columns) : int(np.ceil(right * columns))]
    return float(part.mean()) if part.size else 1.0


class Truth:
    """Where somebody is to be seen: what the witness sees in the clip as it is, once for each of its pictures."""

    def __init__(self, witness: OnnxDetector) -> None:
        self._people: dict[int, list[Box]] = {}
        with Video(catalogue.clip(CLIP)) as video:
            for decoded in video.frames():
                self._people[_hundredths(decoded.pts_s or 0.0)] = _people(witness, decoded.picture.image)

    def judge(
        self, row: Row, at_s: float, image: Image, parts: PrivateParts, *, colours: int = _PICTURE_COLOURS
    ) -> None:
        """Count a picture of this moment."""
        row.frames += 1
        nearest = min(self._people, key=lambda known: abs(known - _hundredths(at_s)))
        people = self._people[nearest]
        if not people:
            row.unjudged_frames += _is_visible(at_s, 0.0)
        elif not _is_visible(at_s, 1.0):
            row.false_witness_frames += 1
        else:
            row.judge(f"{at_s:.1f} s", image, parts, people, colours=colours)


def _is_visible(at_s: float, margin_s: float) -> bool:
    return any(since_s - margin_s <= at_s <= until_s + margin_s for since_s, until_s in VISIBLE_S)


def _hundredths(at_s: float) -> int:
    return round(at_s * 100)


def _people(witness: OnnxDetector, image: Image) -> list[Box]:
    found = witness.detect(image)
    return [
        (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True)
        if label == "person" and score >= WITNESS_SCORE
    ]


def of_pictures(truth: Truth, detector: OnnxDetector, analysis_hz: float, *, way: str) -> Row:
    """Every frame of the clip that is analysed, as a snapshot; `way` is an encoding, or `bursts`."""
    row = Row(f"pictures of {CLIP}, {way}")
    camera = floor_camera(analysis_hz)
    pipeline = CameraPipeline(camera, detector)
    for frame in _frames(catalogue.clip(CLIP), camera, way):
        if way == "bursts" and not _let_through(frame):
            continue
        pipeline.analyse(frame)
        truth.judge(row, frame.media_s, frame.image, pipeline.private_parts(frame))
    return row


def _let_through(frame: Frame) -> bool:
    """As behind a gate that opens late: while nobody is there, and for a second after somebody came, one frame in two seconds."""
    if any(since_s + 1.0 <= frame.media_s <= until_s + 2.0 for since_s, until_s in VISIBLE_S):
        return True
    return frame.media_s % 2.0 < 1.0 / floor_camera().analysis_hz


def _frames(clip: Path, camera: CameraSettings, way: str) -> Iterator[Frame]:
    grid, times = AnalysisGrid(camera.analysis_hz), []

    def chosen() -> Iterator[Image]:
        with Video(clip) as video:
            for decoded in video.frames():
                if grid.takes(decoded.pts_s or 0.0):
                    times.append(decoded.pts_s or 0.0)
                    yield decoded.picture.image

    encoding = ENCODINGS.get(way, ENCODINGS["as-it-is"])
    for sequence, image in enumerate(changed(chosen(), encoding)):
        at_s = times[sequence]
        yield Frame(camera.id, sequence, BEGAN_AT + timedelta(seconds=at_s), at_s, ArrayPicture(image))


def of_films(truth: Truth, detector: OnnxDetector, encoding: str) -> Row:
    """Every picture of films around what happens, from packets."""
    row = Row(f"films of {CLIP}, {encoding}")
    camera = floor_camera()
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "copy.mp4"
        write_encoded(catalogue.clip(CLIP), copy, ENCODINGS[encoding])
        with Video(copy) as video:
            stream_format = video.format
            packets = [
                Packet(each, BEGAN_AT + timedelta(seconds=each.pts_s or 0.0), each.pts_s or 0.0)
                for each in video.packets()
            ]
    for opened_s in _openings():
        opened_at = BEGAN_AT + timedelta(seconds=opened_s)
        keys = [packet.captured_at for packet in packets if packet.encoded.key]
        begin = max((key for key in keys if key <= opened_at - PRE_ROLL), default=keys[0])
        chosen = within([packet for packet in packets if packet.captured_at >= begin], opened_at + POST_ROLL)
        hindsight = Hindsight(camera, detector)
        for frame in frames_of(camera.id, stream_format, chosen):
            hindsight.show(frame)
        masks = FilmMasks(hindsight.looks(), PrivateParts(begin), frame_period_s=1 / RATE_HZ)
        for frame in frames_of(camera.id, stream_format, chosen):
            at_s = (frame.captured_at - BEGAN_AT).total_seconds()
            truth.judge(row, at_s, frame.image, masks.at(frame.captured_at), colours=COLOURS)
    return row


def _openings() -> list[float]:
    """When what is filmed begins: at the beginning, in the middle and at the end of each visit."""
    return [at_s for since_s, until_s in VISIBLE_S for at_s in (since_s + 1, (since_s + until_s) / 2, until_s - 2)]


def of_stills(detector: OnnxDetector, folder: Path, *, watched_s: float) -> Row:
    """Labelled pictures, each as a camera sends it that has been watched for so long, while nothing moved."""
    row = Row(f"{folder.name}, {'at first sight' if watched_s == 0 else f'statues for {watched_s:g} s'}")
    for path in sorted((folder / "images").glob("*.jpg")):
        image = cv2.imread(str(path))
        people = _labelled(folder / "labels" / f"{path.stem}.txt")
        if image is None or not people:
            continue
        picture = np.asarray(image, dtype=np.uint8)
        row.frames += 1
        pipeline = CameraPipeline(floor_camera(), detector)
        for number, at_s in enumerate((0.0, watched_s) if watched_s else (0.0,)):
            frame = Frame("still", number, BEGAN_AT + timedelta(seconds=at_s), at_s, ArrayPicture(picture))
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


Measurement = tuple[str, Callable[[], Row]]


def measurements(
    detector: OnnxDetector, witness: OnnxDetector, analysis_hz: float, stills: Sequence[Path]
) -> Iterator[Measurement]:
    """All rows of the verdict, by name; the truth is worked out once, when it is needed."""
    truth = cache(lambda: Truth(witness))
    for way in ("as-it-is", "bursts", "night-gain"):
        yield f"pictures {way}", lambda way=way: of_pictures(truth(), detector, analysis_hz, way=way)  # type: ignore[misc]
    for encoding in ("as-it-is", "night-gain"):
        yield f"films {encoding}", lambda encoding=encoding: of_films(truth(), detector, encoding)  # type: ignore[misc]
    for folder in stills:
        yield f"stills {folder.name}", lambda folder=folder: of_stills(detector, folder, watched_s=0.0)  # type: ignore[misc]


def _report(rows: Sequence[Row], limits: Sequence[Row], witness: str) -> Mapping[str, object]:
    return {
        "unmasked_person_frames": sum(row.unmasked_frames for row in rows),
        "person_frames": sum(row.person_frames for row in rows),
        "witness": witness,
        "rows": [asdict(row) for row in rows],
        "limits": [asdict(row) for row in limits],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when no person-frame of what a node would send has an unmasked head."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="*", default=[], help="rows whose names hold all of these words")
    parser.add_argument("--analysis-hz", type=float, default=5.0)
    parser.add_argument("--witness", default="nanodet_m_416")
    parser.add_argument("--stills", type=Path, nargs="*", default=[])
    options = parser.parse_args(arguments)
    detector, witness = open_detector("yolox_nano_416"), open_detector(options.witness)
    rows = []
    for name, measure in measurements(detector, witness, options.analysis_hz, options.stills):
        if all(word in name for word in options.only):
            rows.append(measure())
            if not options.json:
                print(_line(rows[-1]), flush=True)
    limits = [of_stills(detector, folder, watched_s=WATCHED_S) for folder in options.stills]
    report = _report(rows, limits, options.witness)
    if options.json:
        print(json.dumps(report, indent=2))
    for row in () if options.json else limits:
        print(f"limit: {_line(row)}")
    return 0 if report["person_frames"] and not report["unmasked_person_frames"] else 1


def _line(row: Row) -> str:
    return (
        f"{row.name:<58}{row.unmasked_frames} of {row.person_frames} person-frames unmasked (least covered"
        f" {row.least_covered:.2f}, unjudged {row.unjudged_frames}, painted {row.painted_share:.2f})"
    )


if __name__ == "__main__":
    sys.exit(main())
