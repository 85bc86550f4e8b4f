"""What the gate loses against decoding everything: the same films both ways, packet by packet, as many encoders would send them.

`python -m tests.benches.gate [--json] [--only NAME …] [--audit]`

The films (`tests/fakes/gate_films.py`) are the clips with half a minute of their own empty scene before the first thing that happens and
a quarter of one in each pause, so that the gate learns the scene and has closed before each; a camera that freezes; a thing that is left.
Everything is real but the sockets: demuxer, ring, gate, decoder, motion, detector, tracker and all rules. Where a stream does not suit,
the gate has to say so and decode. `--audit` has it audited all the time, to hold what an audit says against what is so.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.perception.audit import AuditCounters, AuditedGate, AuditSettings
from edge.perception.detector import OnnxDetector, open_detector
from edge.perception.gate import PacketGate
from edge.replay import ReplayIncident
from tests.fakes.gate_films import Film, films
from tests.fakes.gated import GatedRun

TROUBLE = "camera_trouble"
FOUND_WITHIN_S = 10.0
"""A frozen camera has to be told of so soon."""

_OTHERS_APART_S = {TROUBLE: 6.0, "abandoned_object": 3.0}
"""What is looked at once in two seconds or more begins a few looks later; all else within one analysis period."""

ALWAYS = AuditSettings(every_s=40.0)

Told = Sequence[tuple[ReplayIncident, float]]
"""Incidents, each with the time of the packet with which it was told."""


@dataclass(frozen=True, slots=True)
class Row:
    """One film. `incidents`: those of decoding everything; `recall`: their share that the gate's run has too, begun at the same time;
    `worst_later_s`: how much later one was told; `more`: those that decoding everything has not. `scene_recall`: share of the moments
    with something followed in which the gate's run followed it too. `frozen_s`: when a camera that froze was told of, after that;
    None where it did not, or where decoding everything does not tell it either.
    """

    film: str
    incidents: int
    recall: float
    worst_start_apart_s: float
    worst_later_s: float
    more: int
    frozen_s: float | None
    scene_recall: float
    decoded_share: float
    unsuited_share: float
    openings: int
    told: int
    missed: int
    state: str
    audit: AuditCounters | None
    right: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs of one film: what of the first is in the second, and how much later, and what is only in the second."""

    recall: float
    start_apart_s: float
    later_s: float
    more: int


def compared(whole: Told, gated: Told, period_s: float) -> Comparison:
    """Hold what was found behind the gate against what decoding everything finds."""
    left = list(gated)
    found, apart_s, later_s = 0, 0.0, 0.0
    for each, heard_s in whole:
        same = [other for other in left if _what(other[0]) == _what(each)]
        nearest = min(same, key=lambda other: abs(other[0].started_s - each.started_s), default=None)
        if nearest is None:
            continue
        away_s = abs(nearest[0].started_s - each.started_s)
        if away_s <= _OTHERS_APART_S.get(each.kind, period_s + 0.05):
            found += 1
            left.remove(nearest)
            later_s = max(later_s, nearest[1] - heard_s)
        apart_s = max(apart_s, away_s)
    return Comparison(found / len(whole) if whole else 1.0, round(apart_s, 3), round(later_s, 3), len(left))


def _what(incident: ReplayIncident) -> tuple[str | None, ...]:
    return incident.kind, incident.zone, incident.direction, incident.point


def measured(film: Film, path: Path, detector: OnnxDetector, *, audited: bool) -> Row:
    """Both ways over one film."""
    gate = PacketGate()
    audit = AuditedGate(gate, ALWAYS, chance=lambda: 0.5) if audited else None
    whole = GatedRun(film.camera, detector, None).play(path)
    gated = GatedRun(film.camera, detector, audit or gate).play(path)
    comparison = compared(whole.told(), gated.told(), 1 / film.camera.analysis_hz)
    frozen_s, whole_s = _told_frozen_s(film, gated), _told_frozen_s(film, whole)
    late = whole_s is not None and whole_s <= FOUND_WITHIN_S and (frozen_s is None or frozen_s > FOUND_WITHIN_S)
    somebody = {scene.at for scene in whole.scenes if scene.tracks}
    seen = {scene.at for scene in gated.scenes if scene.tracks}
    return Row(
        film=film.name,
        incidents=len(whole.incidents()),
        recall=round(comparison.recall, 3),
        worst_start_apart_s=comparison.start_apart_s,
        worst_later_s=comparison.later_s,
        more=comparison.more,
        frozen_s=frozen_s,
        scene_recall=round(len(somebody & seen) / max(len(somebody), 1), 4),
        decoded_share=round(gated.decoded / gated.packets, 3),
        unsuited_share=round(gated.unsuited / gated.packets, 3),
        openings=gate.counters.openings,
        told=gate.counters.told,
        missed=gate.counters.missed,
        state=f"{gate.state.value}: {gate.reason.value}",
        audit=None if audit is None else audit.audit,
        right=comparison.recall == 1.0 and comparison.more == 0 and not late,
    )


def _told_frozen_s(film: Film, run: GatedRun) -> float | None:
    """How long after it froze a camera was told of as frozen."""
    told = [heard_s for each, heard_s in run.told() if each.kind == TROUBLE and each.point == "frozen"]
    return None if film.frozen_s is None or not told else round(min(told) - film.frozen_s, 2)


_COLUMNS = ("incidents", "recall", "worst_start_apart_s", "worst_later_s", "more", "frozen_s", "decoded_share")


def line(row: Row) -> str:
    """A row of the table."""
    fields = " ".join(f"{'' if getattr(row, name) is None else getattr(row, name)!s:>19}" for name in _COLUMNS)
    audit = "" if row.audit is None else f"  {row.audit}"
    return (
        f"{row.film:22} {fields}  {row.told}/{row.told + row.missed} {row.state}{'' if row.right else '  WRONG'}{audit}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when no incident is lost, none made twice, and no frozen camera told of too late."""
    every = {film.name: film for film in films()}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--only", nargs="*", default=[], help="films, or what they begin with: visits, cars, frozen, thing"
    )
    parser.add_argument("--audit", action="store_true")
    parser.add_argument("--keep", type=Path, help="a folder for the films, used again by the next run")
    options = parser.parse_args(arguments)
    chosen = [film for name, film in every.items() if not options.only or name.startswith(tuple(options.only))]
    detector, rows = open_detector("yolox_nano_416"), []
    if not options.json:
        print(f"{'film':22} {' '.join(f'{name:>19}' for name in _COLUMNS)}  sizes told, state")
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = options.keep or Path(temporary)
        for film in chosen:
            path = folder / f"{film.name.replace('/', '-')}.mp4"
            if not path.exists():
                film.write(path)
            rows.append(measured(film, path, detector, audited=options.audit))
            if options.keep is None:
                path.unlink()
            if not options.json:
                print(line(rows[-1]), flush=True)
    recall, right = min((row.recall for row in rows), default=1.0), all(row.right for row in rows)
    if options.json:
        report = {"gate_recall": recall, "right": right, "rows": [asdict(row) for row in rows]}
        print(json.dumps(report, indent=2))
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
