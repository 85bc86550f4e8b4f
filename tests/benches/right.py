"""Whether camera trouble is found in time and by its name, and nothing in footage as it is: a table over the real clips.

`python -m tests.benches.right [--json] [--variants NAME …]`

Each change begins after twelve seconds of a clip; the trouble has to be reported within ten. `--variants` adds untouched copies of
`one_by_one_person_detection` as other cameras might have filmed them (names in `tests/fakes/variants.py`), in which nothing is wrong.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from edge.contract.incident import CameraTrouble
from edge.perception.trouble import view_of
from models import catalogue
from tests.fakes.troubles import CHANGES, FOUND_WITHIN_S, ONSET_S, Found, Luma, changed, frozen, pictures, troubles_in
from tests.fakes.variants import VARIANTS, write_variant
from tests.fakes.visits import CLIP

CLIPS = (CLIP, "car_detection", "house_fire")
UNTOUCHED = ("squeezed", "squeezed-hard", "noisy", "night-gain", "dark", "bright")


@dataclass(frozen=True, slots=True)
class Row:
    """One run: what had to be found (nothing, where empty), and what was, how many seconds after it began."""

    clip: str
    change: str
    wanted: tuple[str, ...]
    found: tuple[tuple[str, float], ...]
    right: bool


def row(clip: str, change: str, wanted: frozenset[CameraTrouble], found: Sequence[Found]) -> Row:
    """Hold what was found against what is there."""
    told = tuple((each.trouble.value, round(each.reported_s - ONSET_S, 2)) for each in found)
    if not wanted:
        return Row(clip, change, (), told, not found)
    first = found[0] if found else None
    right = first is not None and first.trouble in wanted and 0 <= first.reported_s - ONSET_S <= FOUND_WITHIN_S
    return Row(clip, change, tuple(sorted(wanted)), told, right)


def rows(variants: Sequence[str]) -> Iterator[Row]:
    """All runs."""
    for name in CLIPS:
        taken = pictures(catalogue.clip(name))
        yield row(name, "as it is", frozenset(), troubles_in(iter(taken)))
        for change, (wanted, apply) in CHANGES.items():
            yield row(name, change, wanted, troubles_in(changed(taken, apply)))
        yield row(name, "frozen", frozenset({CameraTrouble.FROZEN}), troubles_in(frozen(taken)))
    with tempfile.TemporaryDirectory() as folder:
        for variant in variants:
            copy = Path(folder) / "copy.mp4"
            write_variant(catalogue.clip(CLIP), copy, VARIANTS[variant])
            yield row(CLIP, variant, frozenset(), troubles_in(iter(pictures(copy))))


def look_ms(luma: Luma, *, repeat: int = 200) -> float:
    """What one look costs."""
    began_s = perf_counter()
    for _ in range(repeat):
        view_of(luma)
    return round((perf_counter() - began_s) / repeat * 1000, 3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when all is right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS), default=UNTOUCHED)
    options = parser.parse_args(arguments)
    done: list[Row] = []
    for each in rows(options.variants):
        done.append(each)
        if not options.json:
            told = ", ".join(f"{name} after {after_s:.1f} s" for name, after_s in each.found) or "nothing"
            print(f"{each.clip:<30}{each.change:<20}{'right' if each.right else 'WRONG':<7}{told}", flush=True)
    cost_ms = {name: look_ms(pictures(catalogue.clip(name))[0][1]) for name in CLIPS}
    report = {
        "right": sum(each.right for each in done),
        "runs": len(done),
        "worst_found_s": max((each.found[0][1] for each in done if each.wanted and each.found), default=None),
        "look_ms": cost_ms,
        "rows": [asdict(each) for each in done],
    }
    print(json.dumps(report, indent=2) if options.json else f"{report['right']} of {report['runs']} right; {cost_ms}")
    return 0 if report["right"] == report["runs"] else 1


if __name__ == "__main__":
    sys.exit(main())
