"""Precision and recall of each rule on made scenes, whose truth is exact.

`python -m tests.benches.scene_rules [--json] [--scenes N] [--seconds S] [--workers N] [--spoilt clean|fair|poor] [--detector ID]
[--kept-in FILE]`

The truth's boxes, as they are or spoilt, go through the tracker to the rules; with `--detector` what that one says of the pictures. What
a rule says at the edge of a zone, or of somebody half hidden, counts neither for it nor against it: see `scene_expectations`. One finding may
tell of several things (a row of two-wheelers is one incident). Of several findings of one thing each is right, since it happened, and those
after the first are counted as told again: nobody needed them. `--kept-in` holds for one state of the code.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

from edge.contract.incident import IncidentState
from edge.flow import Box, Detections, Finding, Look, Scene, Spotted, Track
from edge.geometry import clamped_box, overlap
from edge.perception.detector import open_detector
from edge.perception.tracker import Tracker
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings
from edge.settings.vocabulary import FALLEN, PLACED
from edge.simulators.scene.scene import Scene as MadeScene
from edge.simulators.scene.scene import random_scene
from edge.simulators.scene.story import Parameters
from edge.simulators.scene.truth import Moment
from models import catalogue
from tests.benches.scene_expectations import PEOPLE, TWO_WHEELERS, VEHICLES, Wanted, Watcher
from tests.benches.scene_feed import CLEAN, HZ, SPOILINGS, Spoiling, detected, moment_at, spoilt
from tests.benches.scene_score import KeptScores, Score
from tests.fakes.scenes import seconds

SIZE: Final = (768, 432)
SEEN_SIZE: Final = (480, 270)
"""Of pictures for a detector, which looks at fewer pixels than that: drawing takes most of the time."""
NEAR_S: Final = 4.0
BUSY: Final = Parameters(
    crossers=2.0, fire_lane_parkers=1.0, lingerers=1.5, gatherings=0.5, falls=0.5, droppers=1.0, overflows=0.3
)
LIMITS_S: Final = {"intrusion": 0.0, "loitering": 8.0, "crowd": 5.0, "vehicle_dwell": 8.0, "two_wheeler": 0.0}
PLACES_S: Final = {"fallen_person": 5.0, "litter": 10.0, "bin_overflow": 10.0}
CROWD: Final = 4
MARGIN: Final = 0.015
ONE_PLACE: Final = 0.04
"""As a share of the picture: what is nearer to a place is at it (`near` of the rules on places)."""
_OVERLAP: Final = 0.3
_MEANT: Final = 0.25

RULES: Final[tuple[Mapping[str, Any], ...]] = (
    {"kind": "intrusion", "zone": "yard"},
    {"kind": "loitering", "zone": "yard", "limit_s": LIMITS_S["loitering"]},
    {"kind": "crowd", "zone": "yard", "at_least": CROWD, "for_s": LIMITS_S["crowd"]},
    {"kind": "two_wheeler", "zone": "yard", "classes": ["two_wheeler"]},
    {"kind": "vehicle_dwell", "zone": "fire_lane", "limit_s": LIMITS_S["vehicle_dwell"]},
    {
        "kind": "line_crossing",
        "line": "gate",
        "forbidden": ["in", "out"],
        "classes": ["person", "two_wheeler", *sorted(VEHICLES)],
    },
    {"kind": "fallen_person", "zone": "ground", "limit_s": PLACES_S["fallen_person"]},
    {"kind": "litter", "zone": "ground", "for_s": PLACES_S["litter"]},
    {"kind": "bin_overflow", "zone": "ground", "for_s": PLACES_S["bin_overflow"]},
)


@dataclass(slots=True)
class Told:
    """What the rules have said of one scene, and which thing each track was in truth."""

    findings: list[Finding] = field(default_factory=list)
    seen_as: dict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    sights: dict[int, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))

    def note(self, tracks: Sequence[Track], moment: Moment) -> None:
        """Which thing each track overlaps most in a moment."""
        for track in tracks:
            fits = [
                (overlap(track.box, thing.visible), thing.id)
                for thing in moment.objects
                if _alike(track.label, thing.label)
            ]
            best = max(fits, default=(0.0, 0))
            if best[0] >= _OVERLAP:
                self.seen_as[track.track_id][best[1]] += 1
                self.sights[track.track_id].append((moment.at_s, best[1]))

    def over_s(self, finding: Finding) -> float:
        """When what it tells of was over; never, where nobody has said so."""
        ends = (each.ended_at for each in self.findings if each.key == finding.key and each.ended_at is not None)
        return max(map(seconds, ends), default=float("inf"))

    def things(self, finding: Finding) -> frozenset[int]:
        """Which things a finding's tracks were."""
        return frozenset(number for track in finding.track_ids for number in self.seen_as[track])

    def meant(self, finding: Finding) -> frozenset[int]:
        """Those that its tracks mostly were from its beginning to its end: who was crossed on the way is not whom it tells of."""
        begin_s, over_s = seconds(finding.started_at), self.over_s(finding)
        seen = Counter(
            number for track in finding.track_ids for at_s, number in self.sights[track] if begin_s <= at_s <= over_s
        )
        return frozenset(number for number, count in seen.items() if count >= _MEANT * seen.total())


def _alike(label: str, other: str) -> bool:
    return label == other or (label in PEOPLE and other in PEOPLE) or (label in VEHICLES and other in VEHICLES)


def camera_of(scene: MadeScene) -> CameraSettings:
    """A camera with the scene's zones and lines, and each rule that stands on one of those."""
    head = scene.head
    there = {**head.zones, **head.lines}
    rules = [rule for rule in RULES if rule.get("zone", rule.get("line")) in there]
    return CameraSettings.model_validate(
        {"id": "made", "url": "rtsp://made/scene", "zones": head.zones, "lines": head.lines, "rules": rules}
    )


def judged(scene: MadeScene, fed: Iterator[tuple[Moment, frozenset[int], Detections]]) -> dict[str, Score]:
    """Run tracker and rules over a scene, and compare."""
    camera = camera_of(scene)
    rules = [scene_rule(settings, camera) for settings in camera.rules]
    tracker, watcher, told = Tracker(), Watcher(scene.head), Told()
    for moment, still, found in fed:
        watcher.take(moment, still)
        at = moment_at(moment.at_s)
        step = tracker.update(at, found)
        told.note(step.seen, moment)
        shown = Scene(camera.id, at, step.seen, step.ended, look=look_of(found))
        told.findings += chain.from_iterable(rule.observe(shown) for rule in rules)
    wanted = list(wanted_of(watcher, {settings.kind for settings in camera.rules}))
    return {settings.kind: compared(settings.kind, wanted, told, scene.head.seed) for settings in camera.rules}


def look_of(found: Detections) -> Look:
    """What rules on places are told."""
    rows = zip(found.boxes.tolist(), found.scores.tolist(), found.labels, strict=True)
    spotted = (
        Spotted(label, clamped_box((box[0], box[1], box[2], box[3])), score)
        for box, score, label in rows
        if label in PLACED or label in {FALLEN, "person"}
    )
    return Look(tuple(spotted))


def wanted_of(watcher: Watcher, kinds: set[str]) -> Iterator[Wanted]:
    """All that has to be told of a scene, and all that may be."""
    every = {
        "intrusion": partial(watcher.stays, "intrusion", "yard", "person", LIMITS_S["intrusion"]),
        "loitering": partial(watcher.stays, "loitering", "yard", "person", LIMITS_S["loitering"]),
        "crowd": partial(watcher.crowds, "crowd", "yard", CROWD, LIMITS_S["crowd"]),
        "two_wheeler": partial(watcher.stays, "two_wheeler", "yard", "two_wheeler", LIMITS_S["two_wheeler"]),
        "vehicle_dwell": partial(watcher.halts, "vehicle_dwell", "fire_lane", "vehicle", LIMITS_S["vehicle_dwell"]),
        "line_crossing": partial(
            watcher.crossings, "line_crossing", "gate", frozenset({"person", "vehicle", *TWO_WHEELERS}), MARGIN
        ),
        "fallen_person": partial(watcher.matter, "fallen_person", "ground", FALLEN, PLACES_S["fallen_person"]),
        "litter": partial(watcher.matter, "litter", "ground", "litter", PLACES_S["litter"]),
        "bin_overflow": partial(watcher.matter, "bin_overflow", "ground", "bin_overflow", PLACES_S["bin_overflow"]),
    }
    for kind in kinds:
        yield from every[kind]()


def compared(kind: str, wanted: Sequence[Wanted], told: Told, seed: int) -> Score:
    """The findings of one kind beside what was wanted of it."""
    score = Score()
    findings = [each for each in told.findings if each.kind == kind and each.state is IncidentState.OPEN]
    sure = [each for each in wanted if each.kind == kind and each.sure]
    perhaps = [each for each in wanted if each.kind == kind and not each.sure]
    score.wanted = len(sure)
    found: set[int] = set()
    known: set[int] = set()
    for finding in findings:
        of = {number for number, each in enumerate(sure) if _suits(finding, each, told)}
        if of:
            score.right += 1
            found |= of
            # what it tells of to the second, where there is such a thing: a neighbour that it only comes near to is still to be told
            news = {number for number in of if _tells_of(finding, sure[number], told)} or of
            score.again += news <= known
            known |= news
        elif any(_suits(finding, each, told) for each in perhaps):
            score.open += 1
        else:
            score.wrong += 1
            ids = sorted(told.things(finding))
            score.examples.append(f"scene {seed}: {kind} of {ids} told at {seconds(finding.started_at):.1f} s, wrong")
    score.told = len(found)
    score.examples += [
        f"scene {seed}: {kind} of {sorted(each.ids)} at {each.begin_s:.1f}–{each.end_s:.1f} s not told"
        for number, each in enumerate(sure)
        if number not in found
    ]
    return score


def _suits(finding: Finding, wanted: Wanted, told: Told, near_s: float = NEAR_S) -> bool:
    """Whether a finding tells of something: who, when, which way, and where."""
    began_s = seconds(finding.started_at)
    over_s = began_s if finding.kind == "line_crossing" else told.over_s(finding)
    if began_s > wanted.end_s + near_s or over_s < wanted.begin_s - near_s:
        return False
    if wanted.direction is not None and finding.direction != wanted.direction:
        return False
    if finding.track_ids and wanted.ids:
        return not wanted.ids.isdisjoint(told.things(finding))
    if wanted.box is not None and finding.path:
        return any(_touch((each.left, each.top, each.right, each.bottom), wanted.box) for each in finding.path)
    return True


def _tells_of(finding: Finding, wanted: Wanted, told: Told) -> bool:
    """Whether this is what it tells of, and not only something near it."""
    meant = told.meant(finding)
    return _suits(finding, wanted, told, near_s=0.0) and (
        not meant or not wanted.ids or not wanted.ids.isdisjoint(meant)
    )


def _touch(box: Box, other: Box) -> bool:
    """Whether boxes are one place, as the rules' settings have it."""
    across = max(box[0], other[0]) - min(box[2], other[2])
    down = max(box[1], other[1]) - min(box[3], other[3])
    return max(across, down) <= ONE_PLACE


def scene_scores(seed: int, duration_s: float, spoiling: Spoiling | None, detector: str | None) -> dict[str, Score]:
    """One scene."""
    parameters = Parameters(
        **{name: getattr(BUSY, name) for name in Parameters.__dataclass_fields__ if name != "duration_s"},
        duration_s=duration_s,
    )
    scene = random_scene(seed, parameters, size=SIZE if detector is None else SEEN_SIZE, frame_period_s=1 / HZ)
    if detector is not None:
        return judged(scene, detected(scene, open_detector(detector)))
    return judged(scene, spoilt(scene.moments(), spoiling or CLEAN, seed))


def made_how(duration_s: float, spoiling: Spoiling | None, detector: str | None) -> dict[str, Any]:
    """What the scores of a scene depend on beside its seed and the code."""
    model = None if detector is None else catalogue.models()[detector]
    fed = (spoiling or CLEAN).name if model is None else f"{model.id} {model.version} {model.sha256[:16]}"
    return {"seconds": duration_s, "fed": fed} | ({} if model is None else {"picture": list(SEEN_SIZE)})


def all_scores(
    scenes: int,
    duration_s: float,
    spoiling: Spoiling | None,
    detector: str | None = None,
    *,
    workers: int = 1,
    kept_in: Path | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> dict[str, Score]:
    """The scenes of the first seeds, by kind of rule; those that `kept_in` has are not run again. Raises ValueError when it is another's."""
    one = partial(scene_scores, duration_s=duration_s, spoiling=spoiling, detector=detector)
    kept = KeptScores(kept_in, made_how(duration_s, spoiling, detector))
    missing = [seed for seed in range(scenes) if seed not in kept.by_seed]
    with ProcessPoolExecutor(workers) as pool:
        every = pool.map(one, missing, chunksize=2) if workers > 1 else map(one, missing)
        for seed, scores in zip(missing, every, strict=True):
            kept.add(seed, scores)
            progress(len(kept.by_seed))
    return kept.total(range(scenes))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when every kind has at least .97 in both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scenes", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--spoilt", choices=[each.name for each in SPOILINGS], default=CLEAN.name)
    parser.add_argument(
        "--detector", choices=sorted(catalogue.models()), help="a model of the catalogue; else the truth's boxes"
    )
    parser.add_argument("--examples", action="store_true", help="tell of some mistakes")
    parser.add_argument(
        "--kept-in", type=Path, metavar="FILE", help="keep each scene's scores there, and go on with what it has"
    )
    options = parser.parse_args(arguments)
    spoiling = next(each for each in SPOILINGS if each.name == options.spoilt)
    try:
        scores = all_scores(
            options.scenes,
            options.seconds,
            spoiling,
            options.detector,
            workers=options.workers,
            kept_in=options.kept_in,
            progress=lambda done: print(f"\r{done} of {options.scenes} scenes", end="", file=sys.stderr, flush=True),
        )
    except ValueError as problem:
        parser.error(str(problem))
    print(file=sys.stderr)
    names = ("wanted", "told", "right", "again", "wrong", "open", "recall", "precision")
    table = {kind: {name: getattr(score, name) for name in names} for kind, score in scores.items()}
    if options.json:
        told = {"scenes": options.scenes, **made_how(options.seconds, spoiling, options.detector)}
        print(json.dumps({**told, "rules": table}, indent=2))
    else:
        for kind, score in scores.items():
            counts = f"{score.told} of {score.wanted} told, {score.wrong} wrong, {score.right} right ({score.again} again), {score.open} open"
            print(f"{kind:<16}recall {score.recall}  precision {score.precision}  {counts}")
            if options.examples:
                print("\n".join(f"    {line}" for line in score.examples[:8]))
    return 0 if all(score.is_good for score in scores.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
