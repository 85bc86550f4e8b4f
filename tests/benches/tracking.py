"""How well the tracker follows things in made scenes, whose truth is exact: MOTA and IDF1.

`python -m tests.benches.tracking [--json] [--scenes N] [--seconds S] [--detector ID]`

The tracker is given the truth's boxes as they are and spoilt as detectors spoil them; with `--detector` what that one says of the
pictures. Bins and litter have a place and no way; nobody follows them.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from edge.flow import Box, Detections
from edge.perception.detector import open_detector
from edge.perception.tracker import KINDS, Tracker
from edge.settings.vocabulary import FOLLOWED
from edge.simulators.scene.scene import random_scene
from edge.simulators.scene.story import Parameters
from edge.simulators.scene.truth import Moment, Thing
from tests.benches.scene_feed import HZ, SPOILINGS, detected, is_asked_for, moment_at, spoilt
from tests.benches.track_scores import Labelled, TrackScores

SIZE: Final = (768, 432)

Fed = Iterator[tuple[Moment, frozenset[int], Detections]]


@dataclass(frozen=True, slots=True)
class Row:
    """One way of being told, over all scenes."""

    fed: str
    scenes: int
    mota: float
    idf1: float
    true: int
    missed: int
    false: int
    switches: int


def followed(fed: Fed, scores: TrackScores) -> None:
    """Follow one film."""
    tracker = Tracker()
    for moment, _, detections in fed:
        step = tracker.update(moment_at(moment.at_s), detections)
        things = [thing for thing in moment.objects if thing.label in FOLLOWED and thing.share > 0]
        scores.take(
            [_labelled(thing) for thing in things if is_asked_for(thing)],
            [_labelled(thing) for thing in things if not is_asked_for(thing)],
            [(track.track_id, KINDS.get(track.label, track.label), track.box) for track in step.seen],
        )
    scores.end_of_film()


def _labelled(thing: Thing) -> Labelled:
    box: Box = thing.visible
    return thing.id, KINDS.get(thing.label, thing.label), box


def rows(scenes: int, seconds: float, detector: str | None = None) -> Iterator[Row]:
    """All ways of being told, each over the same scenes."""
    parameters = Parameters(duration_s=seconds)
    opened = open_detector(detector) if detector is not None else None
    spoilings = SPOILINGS if opened is None else (None,)
    for spoiling in spoilings:
        scores = TrackScores()
        for seed in range(scenes):
            scene = random_scene(seed, parameters, size=SIZE, frame_period_s=1 / HZ)
            if spoiling is not None:
                followed(spoilt(scene.moments(), spoiling, seed), scores)
            elif opened is not None:
                followed(detected(scene, opened), scores)
        yield Row(
            spoiling.name if spoiling is not None else str(detector),
            scenes,
            round(scores.mota, 4),
            round(scores.idf1, 4),
            scores.true,
            scores.missed,
            scores.false,
            scores.switches,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--detector", help="a model of the catalogue; else the truth's boxes")
    options = parser.parse_args(arguments)
    done = []
    for row in rows(options.scenes, options.seconds, options.detector):
        done.append(row)
        if not options.json:
            counts = f"{row.missed} missed, {row.false} false, {row.switches} switched of {row.true}"
            print(f"{row.fed:<20}MOTA {row.mota:.3f}  IDF1 {row.idf1:.3f}  {counts}", flush=True)
    if options.json:
        fields = Row.__dataclass_fields__
        print(json.dumps([{name: getattr(row, name) for name in fields} for row in done], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
