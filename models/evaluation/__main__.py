"""`python -m models.evaluation`: how good and how fast detectors are, on pictures that no training has seen."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TextIO

from edge.benches.machine import this_machine
from edge.errors import MediaUnusable, ModelUnusable
from edge.perception.detector import OnnxDetector
from models import catalogue
from models.datasets.pictures import DataProblem, LabelledPicture, read_sets
from models.datasets.sets import SETS
from models.datasets.split import Part, part_of
from models.evaluation.accuracy import Ground, Row, rows_of
from models.evaluation.charts import drawn
from models.evaluation.false_alarms import Alarms, alarms_in
from models.evaluation.looking import Found, look, pixels_of
from models.evaluation.report import Report, data_of, table, weights_of
from models.evaluation.sheets import sheets
from models.evaluation.speed import Speed, speeds
from models.evaluation.stretches import QUIET
from models.evaluation.subjects import Subject, of_catalogue, of_file
from models.manifest import ModelProblem

RESULT: Final = "evaluation.json"
_TIMED_PICTURES: Final = 8
_SAY_EVERY_S: Final = 1.0


class Meter:
    """Says on a terminal how far a step is, and how long it will take."""

    def __init__(self, out: TextIO | None, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._out, self._monotonic_s = out, monotonic_s
        self._step, self._of = "", 0
        self._began_s = self._said_s = 0.0

    def begin(self, step: str, of: int) -> None:
        """The next step, of so many parts (0: nobody knows)."""
        self._step, self._of = step, of
        self._began_s = self._monotonic_s()
        self._said_s = self._began_s - _SAY_EVERY_S
        self(0)

    def __call__(self, done: int) -> None:
        """So many parts of the step are done."""
        now_s = self._monotonic_s()
        if self._out is None or (now_s - self._said_s < _SAY_EVERY_S and done != self._of):
            return
        self._said_s = now_s
        left_s = (now_s - self._began_s) / done * (self._of - done) if done and self._of else None
        of = f" of {self._of}" if self._of else ""
        left = "" if left_s is None else f", {left_s:.0f} s left"
        self._out.write(f"\r\033[K{self._step}: {done}{of}{left}")
        self._out.flush()

    def end(self) -> None:
        """Leave no line behind."""
        if self._out is not None:
            self._out.write("\r\033[K")
            self._out.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when all went well, 2 when something is missing that it names."""
    options = _options(arguments)
    meter = Meter(sys.stderr if sys.stderr.isatty() and not options.quiet else None)
    try:
        pictures = _pictures(options.data, Part(options.part))
        report, found = _evaluated(options, pictures, meter)
        meter.end()
        if options.out is not None:
            _written(options, report, pictures, found)
    except (DataProblem, ModelProblem, ModelUnusable, MediaUnusable, OSError) as problem:
        meter.end()
        sys.stderr.write(f"{problem}\n")
        return 2
    sys.stdout.write((report.to_json() if options.json else table(report)) + "\n")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models.evaluation", description=__doc__)
    data = catalogue.assets_directory() / "datasets"
    parser.add_argument("--data", type=Path, default=data, help="the folder of the sets (default: %(default)s)")
    parser.add_argument("--models", nargs="+", default=[], metavar="ID", help="of the catalogue; all that can be had")
    parser.add_argument("--weights", type=Path, action="append", default=[], metavar="FILE", help="a candidate (ONNX)")
    parser.add_argument("--only-weights", action="store_true", help="leave the models of the catalogue out")
    parser.add_argument("--part", choices=[Part.HELD_OUT.value, Part.VALIDATION.value], default=Part.HELD_OUT.value)
    parser.add_argument("--draws", type=_whole, default=500, help="for the intervals (default: %(default)s; 0: none)")
    parser.add_argument("--runs", type=_whole, default=200, help="for the times (default: %(default)s; 0: none)")
    parser.add_argument("--no-clips", action="store_true", help="leave the false alarms out")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"write {RESULT} and pictures there")
    parser.add_argument("--sheets", nargs="*", default=[], metavar="ID", help="models of which failures are shown")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quiet", action="store_true", help="tell no progress")
    return parser.parse_args(arguments)


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _pictures(data: Path, part: Part) -> list[LabelledPicture]:
    """Those of a part, of the known sets that are there; the message names the first set when none is."""
    there = [name for name in SETS if (data / name).is_dir()]
    pictures = part_of(read_sets(data, there or list(SETS)), part)
    if not pictures:
        raise DataProblem(f"none of the pictures in {data} is of the part {part}; choose another one with --part")
    return pictures


def _subjects(options: argparse.Namespace) -> tuple[list[Subject], dict[str, str]]:
    candidates = [of_file(path) for path in options.weights]
    subjects, left_out = ([], {}) if options.only_weights else of_catalogue(options.models)
    names = {candidate.id for candidate in candidates}
    subjects = [subject for subject in subjects if subject.id not in names] + candidates
    if not subjects:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise ModelUnusable(f"no detector can be had; set GRIDWARD_MIRROR, or name a file with --weights ({reasons})")
    if unknown := set(options.sheets) - {subject.id for subject in subjects}:
        raise ModelUnusable(f"--sheets names {', '.join(sorted(unknown))}, which is not evaluated")
    return subjects, left_out


def _evaluated(
    options: argparse.Namespace, pictures: Sequence[LabelledPicture], meter: Meter
) -> tuple[Report, dict[str, list[Found]]]:
    machine = this_machine(1)
    subjects, left_out = _subjects(options)
    meter.begin("clusters of pictures", 0)
    ground = Ground(pictures)
    found, rows = {}, list[Row]()
    for subject in subjects:
        meter.begin(f"{subject.id}: pictures", len(pictures))
        found[subject.id] = look(subject.detector, pictures, meter)
        rows += rows_of(subject.id, subject.known, ground, found[subject.id], draws=options.draws)
    alarms = [] if options.no_clips else _alarms(subjects, left_out, meter)
    report = Report(
        data=data_of(Part(options.part), pictures),
        models=tuple(weights_of(subject) for subject in subjects),
        machine=machine,
        rows=tuple(rows),
        alarms=tuple(alarms),
        speeds=tuple(_speeds(subjects, pictures, options.runs, meter)),
        draws=options.draws,
        left_out=left_out,
    )
    return report, found


def _alarms(subjects: Sequence[Subject], left_out: dict[str, str], meter: Meter) -> list[Alarms]:
    """With detectors as a node opens them. A clip that can't be had is left out, and said so."""
    alarms: list[Alarms] = []
    for quiet in QUIET:
        try:
            clip = catalogue.clip(quiet.clip)
        except ModelProblem as problem:
            left_out[quiet.clip] = str(problem)
            continue
        for subject in subjects:
            meter.begin(f"{subject.id}: {quiet.clip}", 0)
            alarms += alarms_in(OnnxDetector(subject.model), subject.known, quiet, clip, meter)
    return alarms


def _speeds(subjects: Sequence[Subject], pictures: Sequence[LabelledPicture], runs: int, meter: Meter) -> list[Speed]:
    if not runs:
        return []
    meter.begin("times, all models in turns", runs)
    shown = [pixels_of(picture) for picture in pictures[:: max(1, len(pictures) // _TIMED_PICTURES)]]
    return speeds([subject.model for subject in subjects], shown, runs=runs, progress=meter)


def _written(
    options: argparse.Namespace, report: Report, pictures: Sequence[LabelledPicture], found: dict[str, list[Found]]
) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / RESULT).write_text(report.to_json() + "\n", encoding="utf-8")
    drawn(report, options.out)
    for name in options.sheets:
        sheets(name, [row for row in report.rows if row.model == name], pictures, found[name], options.out)


if __name__ == "__main__":
    sys.exit(main())
