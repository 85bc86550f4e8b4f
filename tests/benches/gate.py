"""What the gate loses against decoding everything: the same film both ways, packet by packet, as several encoders would send it.

`python -m tests.benches.gate [--json] [--only NAME …]`

The film is the clip of six visits, with half a minute of its own empty room before it and a quarter of one in each pause, so that the
gate learns the scene and has closed before each visit. Everything is real but the sockets: demuxer, ring, gate, decoder, motion, detector,
tracker and rules. Where a stream does not suit, the gate has to say so and decode.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from edge.flow import Image
from edge.perception.detector import OnnxDetector, open_detector
from edge.perception.gate import PacketGate
from edge.replay import ReplayIncident
from edge.video import Video
from models import catalogue
from tests.fakes.encodings import ENCODINGS, Encoding, write_pictures
from tests.fakes.gated import GatedRun
from tests.fakes.visits import CLIP, VISIBLE_S, floor_camera

FIRST_EMPTY_S = 35.0
PAUSE_S = 15.0
MARGIN_S = 0.5
RATE = 10

FILMS = {"camera": Encoding(None, {"crf": "23"}), **ENCODINGS}


@dataclass(frozen=True, slots=True)
class Row:
    """One encoding. `recall`: share of the incidents of decoding everything that the gate's run has too, begun within one analysis period;
    `scene_recall`: share of the moments with somebody in the picture in which the gate's run saw him too.
    """

    film: str
    incidents: int
    recall: float
    worst_start_apart_s: float
    more: int
    scene_recall: float
    decoded_share: float
    unsuited_share: float
    openings: int
    told: int
    missed: int
    state: str


def with_pauses(images: Sequence[Image]) -> Iterator[Image]:
    """The clip with more of its empty room, played forwards and backwards, before each visit."""
    ends_s = [0.0, *(to_s + 2 * MARGIN_S for _, to_s in VISIBLE_S[:-1])]
    shown = 0
    for number, (end_s, (from_s, _)) in enumerate(zip(ends_s, VISIBLE_S, strict=True)):
        first, last = round((end_s + 0.3) * RATE), round((from_s - MARGIN_S) * RATE)
        yield from images[shown:last]
        shown = last
        there_and_back = [*range(last - 1, first, -1), *range(first, last)]
        for turn in range(round((PAUSE_S if number else FIRST_EMPTY_S) * RATE)):
            yield images[there_and_back[turn % len(there_and_back)]]
    yield from images[shown:]


def film(path: Path, encoding: Encoding) -> Path:
    """Encode it."""
    with Video(catalogue.clip(CLIP)) as video:
        images = [decoded.picture.image for decoded in video.frames()]
    write_pictures(with_pauses(images), path, Fraction(RATE), encoding)
    return path


def compared(
    whole: Sequence[ReplayIncident], gated: Sequence[ReplayIncident], period_s: float
) -> tuple[float, float, int]:
    """Recall, the worst difference of a start, and how many more there are."""
    left = list(gated)
    found, worst_s = 0, 0.0
    for each in whole:
        same = [other for other in left if (other.kind, other.zone) == (each.kind, each.zone)]
        nearest = min(same, key=lambda other: abs(other.started_s - each.started_s), default=None)
        if nearest is None:
            continue
        apart_s = abs(nearest.started_s - each.started_s)
        if apart_s <= period_s + 0.05:
            found += 1
            left.remove(nearest)
        worst_s = max(worst_s, apart_s)
    return found / len(whole) if whole else 1.0, round(worst_s, 3), len(left)


def measured(name: str, path: Path, detector: OnnxDetector) -> Row:
    """Both ways over one film."""
    camera, gate = floor_camera(), PacketGate()
    whole = GatedRun(camera, detector, None).play(path)
    gated = GatedRun(camera, detector, gate).play(path)
    recall, worst_s, more = compared(whole.incidents(), gated.incidents(), 1 / camera.analysis_hz)
    somebody = {scene.at for scene in whole.scenes if scene.tracks}
    seen = {scene.at for scene in gated.scenes if scene.tracks}
    return Row(
        film=name,
        incidents=len(whole.incidents()),
        recall=round(recall, 3),
        worst_start_apart_s=worst_s,
        more=more,
        scene_recall=round(len(somebody & seen) / max(len(somebody), 1), 4),
        decoded_share=round(gated.decoded / gated.packets, 3),
        unsuited_share=round(gated.unsuited / gated.packets, 3),
        openings=gate.counters.openings,
        told=gate.counters.told,
        missed=gate.counters.missed,
        state=f"{gate.state.value}: {gate.reason.value}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when no incident is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="*", default=list(FILMS), choices=list(FILMS))
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(arguments)
    detector, rows = open_detector("yolox_nano_416"), []
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = options.keep or Path(temporary)
        for name in options.only:
            path = folder / f"{name}.mp4"
            rows.append(measured(name, path if path.exists() else film(path, FILMS[name]), detector))
            if not options.json:
                print(rows[-1], flush=True)
    recall = min(row.recall for row in rows)
    if options.json:
        print(json.dumps({"gate_recall": recall, "rows": [asdict(row) for row in rows]}, indent=2))
    return 0 if recall == 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())
