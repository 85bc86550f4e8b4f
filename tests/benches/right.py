"""Whether what a node finds is right: precision and recall of each rule on real footage, as it is and encoded again.

`python -m tests.benches.right [--json] [--parts events made left trouble] [--encodings cbr-low …] [--only NAME …] [--report FILE]`

- events: the visits, the cars and the empty stretches with all rules at once, so that each rule's false alarms count.
- made: scenes put together from the clips' own people and vehicles, for the rules of which no clip holds an occurrence.
- left: a thing that is left, taken away, and light that might be taken for one.
- trouble: each trouble of a camera that begins after twelve seconds of a clip has to be reported within ten; nothing in footage as it
  is, nor in copies of it as other cameras might have filmed it.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from edge.contract.incident import CameraTrouble
from edge.perception.detector import OnnxDetector, open_detector
from edge.perception.trouble import view_of
from edge.replay import replay
from models import catalogue
from tests.fakes.encodings import ENCODINGS, write_pictures
from tests.fakes.occurrences import Footage, Tally, cars, empty, leaving, left_behind, made, tallies, visits
from tests.fakes.troubles import CHANGES, FOUND_WITHIN_S, ONSET_S, Found, Luma, changed, frozen, pictures, troubles_in
from tests.fakes.variants import VARIANTS, write_variant
from tests.fakes.visits import CLIP

CLIPS = (CLIP, "car_detection", "house_fire")
UNTOUCHED = ("squeezed", "squeezed-hard", "noisy", "night-gain", "dark", "bright")
PARTS = ("events", "made", "left", "trouble")
TROUBLE = "camera_trouble"
CHANGED = "changed cameras"


@dataclass(frozen=True, slots=True)
class Row:
    """One run: what had to be found (nothing, where empty) and what was, each with the second of its beginning; by rule."""

    footage: str
    encoding: str
    wanted: tuple[tuple[str, float], ...]
    found: tuple[tuple[str, float], ...]
    tallies: dict[str, Tally]

    @property
    def right(self) -> bool:
        """Whether all was found, and nothing else."""
        return all(each.wanted == each.told == each.right for each in self.tallies.values())


def event_row(footage: Footage, encoding: str, detector: OnnxDetector, folder: Path) -> Row:
    """Encode what has to be looked at, look at it, and hold what was found against what happens in it."""
    copy = folder / "footage.mp4"
    write_pictures(footage.shown(), copy, footage.rate, ENCODINGS[encoding])
    incidents = replay(copy, footage.camera, detector).incidents
    kinds = sorted({rule.kind for rule in footage.camera.rules})
    return Row(
        footage.name,
        encoding,
        tuple((each.rule, each.started_s) for each in footage.wanted),
        tuple((each.kind if each.point is None else f"{each.kind} {each.point}", each.started_s) for each in incidents),
        tallies(footage.wanted, incidents, kinds),
    )


def trouble_row(clip: str, change: str, wanted: frozenset[CameraTrouble], found: Sequence[Found]) -> Row:
    """The first trouble that is told has to be one of those wanted, in time; which one comes after it does not matter."""
    told = tuple((each.trouble.value, round(each.reported_s - ONSET_S, 2)) for each in found)
    if not wanted:
        return Row(clip, change, (), told, {TROUBLE: Tally(0, len(found), 0)})
    first = found[0] if found else None
    right = first is not None and first.trouble in wanted and 0 <= first.reported_s - ONSET_S <= FOUND_WITHIN_S
    names = " or ".join(sorted(wanted))
    return Row(clip, change, ((names, 0.0),), told, {TROUBLE: Tally(1, min(len(found), 1), int(right))})


def trouble_rows(variants: Sequence[str]) -> Iterator[Row]:
    """All troubles in all clips."""
    for name in CLIPS:
        taken = pictures(catalogue.clip(name))
        yield trouble_row(name, "as it is", frozenset(), troubles_in(iter(taken)))
        for change, (wanted, apply) in CHANGES.items():
            yield trouble_row(name, change, wanted, troubles_in(changed(taken, apply)))
        yield trouble_row(name, "frozen", frozenset({CameraTrouble.FROZEN}), troubles_in(frozen(taken)))
    with tempfile.TemporaryDirectory() as folder:
        for variant in variants:
            copy = Path(folder) / "copy.mp4"
            write_variant(catalogue.clip(CLIP), copy, VARIANTS[variant])
            yield trouble_row(CLIP, variant, frozenset(), troubles_in(iter(pictures(copy))))


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """All runs that are asked for."""
    footage: list[Footage] = []
    if "events" in options.parts:
        footage += [visits(), leaving(), cars(), *empty()]
    if "made" in options.parts:
        footage += made()
    if "left" in options.parts:
        footage += left_behind()
    detector = open_detector("yolox_nano_416") if footage else None
    for each in footage:
        if detector is None or (options.only and each.name not in options.only):
            continue
        for encoding in options.encodings:
            with tempfile.TemporaryDirectory() as folder:
                yield event_row(each, encoding, detector, Path(folder))
    if "trouble" in options.parts:
        yield from trouble_rows(options.variants)


def look_ms(luma: Luma, *, repeat: int = 200) -> float:
    """What one look for camera trouble costs."""
    began_s = perf_counter()
    for _ in range(repeat):
        view_of(luma)
    return round((perf_counter() - began_s) / repeat * 1000, 3)


def by_rule(done: Sequence[Row]) -> dict[str, Tally]:
    """The sums of all runs."""
    sums: defaultdict[str, Tally] = defaultdict(Tally)
    for row in done:
        for rule, tally in row.tallies.items():
            sums[rule] += tally
    return dict(sorted(sums.items()))


def by_encoding(done: Sequence[Row]) -> dict[str, dict[str, Tally]]:
    """The sums of each rule over the runs of each encoding; those of changed cameras together."""
    sums: defaultdict[str, defaultdict[str, Tally]] = defaultdict(lambda: defaultdict(Tally))
    for row in done:
        encoding = row.encoding if row.encoding in ENCODINGS else CHANGED
        for rule, tally in row.tallies.items():
            sums[rule][encoding] += tally
    return {rule: dict(each) for rule, each in sorted(sums.items())}


def as_markdown(done: Sequence[Row]) -> str:
    """The table, and each run beneath it."""
    encodings = [name for name in (*ENCODINGS, CHANGED) if any(name in each for each in by_encoding(done).values())]
    lines = [
        "# Right",
        "",
        f"`python -m tests.benches.right`: {sum(row.right for row in done)} of {len(done)} runs right.",
        "Each cell: right / told / wanted.",
        "",
        f"| rule | precision | recall | all | {' | '.join(encodings)} |",
        f"|---|---|---|---|{'---|' * len(encodings)}",
    ]
    parts, sums = by_encoding(done), by_rule(done)
    for rule, tally in sums.items():
        cells = (_cell(parts[rule].get(name, Tally())) for name in encodings)
        lines.append(
            f"| {rule} | {_share(tally.precision)} | {_share(tally.recall)} | {_cell(tally)} | {' | '.join(cells)} |"
        )
    lines += ["", "| footage | encoding | | wanted | told |", "|---|---|---|---|---|"]
    for row in done:
        wanted, told = (_listed(each) for each in (row.wanted, row.found))
        lines.append(
            f"| {row.footage} | {row.encoding} | {'right' if row.right else '**wrong**'} | {wanted} | {told} |"
        )
    return "\n".join(lines) + "\n"


def _cell(tally: Tally) -> str:
    return f"{tally.right} / {tally.told} / {tally.wanted}" if tally.told or tally.wanted else "–"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.3f}"


def _listed(each: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {at_s:.1f}" for name, at_s in each) or "nothing"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when all is right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--encodings", nargs="*", choices=list(ENCODINGS), default=list(ENCODINGS))
    parser.add_argument("--only", nargs="*", help="names of footage")
    parser.add_argument("--report", type=Path, help="write the tables to this file as Markdown")
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS), default=UNTOUCHED)
    options = parser.parse_args(arguments)
    done: list[Row] = []
    for each in rows(options):
        done.append(each)
        if not options.json:
            verdict = "right" if each.right else "WRONG"
            print(f"{each.footage:<30}{each.encoding:<20}{verdict:<7}{_listed(each.found)}", flush=True)
    sums = by_rule(done)
    report = {
        "right": sum(each.right for each in done),
        "runs": len(done),
        "rules": {
            rule: {**asdict(tally), "precision": tally.precision, "recall": tally.recall}
            for rule, tally in sums.items()
        },
        "worst_found_s": max(
            (
                each.found[0][1]
                for each in done
                if TROUBLE in each.tallies and len(each.tallies) == 1 and each.wanted and each.found
            ),
            default=None,
        ),
        "look_ms": {
            name: look_ms(pictures(catalogue.clip(name))[0][1]) for name in CLIPS if "trouble" in options.parts
        },
        "encodings": {
            rule: {name: asdict(tally) for name, tally in each.items()} for rule, each in by_encoding(done).items()
        },
        "rows": [{**asdict(each), "right": each.right} for each in done],
    }
    if options.report is not None:
        options.report.write_text(as_markdown(done), encoding="utf-8")
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"\n{'rule':<20}{'wanted':>8}{'told':>8}{'right':>8}{'precision':>11}{'recall':>9}")
        for rule, tally in sums.items():
            shares = f"{_share(tally.precision):>11}{_share(tally.recall):>9}"
            print(f"{rule:<20}{tally.wanted:>8}{tally.told:>8}{tally.right:>8}{shares}")
        print(f"{report['right']} of {report['runs']} runs right")
    return 0 if report["right"] == report["runs"] else 1


if __name__ == "__main__":
    sys.exit(main())
