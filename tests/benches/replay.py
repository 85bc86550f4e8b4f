"""How well replay finds what is in the clip, in the clip itself and in copies as other cameras might have filmed it.

`python -m tests.benches.replay [--json] [--repeat 10] [--only NAME …] [--keep FOLDER]`
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time

from edge.perception.detector import OnnxDetector, open_detector
from edge.replay import replay
from models import catalogue
from tests.fakes.variants import VARIANTS, write_variant
from tests.fakes.visits import CLIP, compare, floor_camera


@dataclass(frozen=True, slots=True)
class Row:
    """One replay held against the truth."""

    variant: str
    right: bool
    mistakes: tuple[str, ...]
    worst_start_s: float
    worst_end_s: float
    least_loitering_margin_s: float
    inferences: int
    cpu_s: float
    wall_s: float


def measured(variant: str, clip: Path, detector: OnnxDetector) -> tuple[Row, str]:
    """Replay once; the row and the replay's JSON."""
    wall_s, cpu_s = perf_counter(), process_time()
    result = replay(clip, floor_camera(), detector)
    wall_s, cpu_s = perf_counter() - wall_s, process_time() - cpu_s
    verdict = compare(result.incidents)
    row = Row(
        variant=variant,
        right=not verdict.mistakes,
        mistakes=verdict.mistakes,
        worst_start_s=round(verdict.worst_start_s, 2),
        worst_end_s=round(verdict.worst_end_s, 2),
        least_loitering_margin_s=round(verdict.least_loitering_margin_s, 2),
        inferences=result.inferences,
        cpu_s=round(cpu_s, 2),
        wall_s=round(wall_s, 2),
    )
    return row, result.to_json()


def _report(rows: Sequence[Row], *, repeat: int, same: bool) -> Mapping[str, object]:
    return {
        "right": sum(row.right for row in rows),
        "variants": len(rows),
        "repeated": repeat,
        "same_bytes": same,
        "worst_start_s": max(row.worst_start_s for row in rows),
        "worst_end_s": max(row.worst_end_s for row in rows),
        "least_loitering_margin_s": min(row.least_loitering_margin_s for row in rows),
        "rows": [asdict(row) for row in rows],
    }


def _line(row: Row) -> str:
    return (
        f"{row.variant:<32}{'right' if row.right else 'WRONG':<7}start {row.worst_start_s:<6}end {row.worst_end_s:<6}"
        f"margin {row.least_loitering_margin_s:<6}cpu {row.cpu_s:<6} {'; '.join(row.mistakes)}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when all is right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--only", nargs="*", default=list(VARIANTS))
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(arguments)
    clip, detector = catalogue.clip(CLIP), open_detector("yolox_nano_416")
    rows: list[Row] = []
    answers: set[str] = set()
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(options.repeat):
            row, answer = measured("original", clip, detector)
            answers.add(answer)
        rows = [row] if options.repeat else []
        for name in options.only:
            copy = folder / f"{name}.mp4"
            if not copy.exists():
                write_variant(clip, copy, VARIANTS[name])
            row, _ = measured(name, copy, detector)
            rows.append(row)
            if not options.json:
                print(_line(row), flush=True)
    report = _report(rows, repeat=options.repeat, same=len(answers) <= 1)
    if options.json:
        print(json.dumps(report, indent=2))
    return 0 if report["right"] == report["variants"] and report["same_bytes"] else 1


if __name__ == "__main__":
    sys.exit(main())
