"""How many tracks real and made footage leaves, against how many things are in it.

`python -m tests.benches.tracks [--json] [--only NAME …]`

What stands is one track, whatever flickers or passes before it; light is none. `motion` tracks are those of whatever moves, which
count vehicles that no detector knows; of them those count that go somewhere, since a line on the ground trembles with its camera.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from edge.flow import Box, Frame
from edge.perception.detector import OnnxDetector, open_detector
from edge.perception.pipeline import CameraPipeline
from edge.settings import MOTION
from edge.video import ArrayPicture
from tests.fakes.courses import Situation, situations
from tests.fakes.occurrences import watching_all
from tests.fakes.scenes import EPOCH

GONE = 0.1
"""As a share of the picture."""


@dataclass(frozen=True, slots=True)
class Row:
    """One situation: tracks that there should be, and those that there were, by kind; how long the shortest was."""

    situation: str
    wanted: dict[str, int]
    found: dict[str, int]
    shortest_s: float | None
    inferences: int

    @property
    def right(self) -> bool:
        """Whether there were as many as there should be of everything that is told of."""
        return all(self.found.get(kind, 0) == count for kind, count in self.wanted.items())


def measured(situation: Situation, detector: OnnxDetector) -> Row:
    """Run the pipeline over a situation."""
    camera = watching_all("line_crossing:half:in+out:motion")
    pipeline = CameraPipeline(camera, detector)
    labels: dict[int, str] = {}
    lasted: dict[int, float] = {}
    first: dict[int, Box] = {}
    for sequence, (at_s, image) in enumerate(situation.shown()):
        frame = Frame(camera.id, sequence, EPOCH + timedelta(seconds=at_s), at_s, ArrayPicture(image))
        for track in pipeline.analyse(frame).tracks:
            began = first.setdefault(track.track_id, track.box)
            if track.label == MOTION and not _has_gone_somewhere(began, track.box):
                continue
            labels[track.track_id] = track.label
            lasted[track.track_id] = (track.last_seen_at - track.first_seen_at).total_seconds()
    found = Counter(labels.values())
    named = [seconds for track_id, seconds in lasted.items() if labels[track_id] != MOTION]
    return Row(
        situation.name,
        dict(situation.wanted),
        dict(sorted(found.items())),
        round(min(named), 1) if named else None,
        pipeline.counters.inferences,
    )


def _has_gone_somewhere(first: Box, last: Box) -> bool:
    """Whether its middle is farther away from where it was than a tenth of the picture."""
    across = abs(last[0] + last[2] - first[0] - first[2]) / 2
    down = abs(last[1] + last[3] - first[1] - first[3]) / 2
    return max(across, down) > GONE


def rows(only: Sequence[str] | None) -> Iterator[Row]:
    """All situations that are asked for."""
    detector = open_detector("yolox_nano_416")
    for situation in situations():
        if not only or situation.name in only:
            yield measured(situation, detector)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when all is right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args(arguments)
    done: list[Row] = []
    for row in rows(options.only):
        done.append(row)
        if not options.json:
            wanted, found = (
                ", ".join(f"{n} {kind}" for kind, n in kinds.items() if n) or "nothing"
                for kinds in (row.wanted, row.found)
            )
            print(
                f"{row.situation:<44}{'right' if row.right else 'WRONG':<7}wanted {wanted:<24}found {found}", flush=True
            )
    report = {
        "right": sum(row.right for row in done),
        "situations": len(done),
        "rows": [{**asdict(row), "right": row.right} for row in done],
    }
    print(json.dumps(report, indent=2) if options.json else f"{report['right']} of {report['situations']} right")
    return 0 if report["right"] == report["situations"] else 1


if __name__ == "__main__":
    sys.exit(main())
