"""The result of an evaluation: what was measured on what, as JSON and as a table for people."""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from edge.benches.machine import Machine
from models.datasets.labels import LABELS, Label
from models.datasets.pictures import LabelledPicture, counts
from models.datasets.split import Part
from models.evaluation.accuracy import ALL, NEITHER, Row
from models.evaluation.false_alarms import ANALYSIS_HZ, SURE, Alarms, together
from models.evaluation.intervals import SURE as SURE_INTERVAL
from models.evaluation.sizes import PICTURE_PIXELS
from models.evaluation.speed import REFERENCE, Speed
from models.evaluation.subjects import LEAST_SCORE, Subject

VERSION: Final = 1
"""Of the JSON; a reader that knows another one must not read on."""

_LIBRARIES: Final = ("numpy", "onnxruntime", "opencv-python-headless")


@dataclass(frozen=True, slots=True)
class Weights:
    """Whose figures they are."""

    id: str
    version: str
    sha256: str
    bytes: int
    input: tuple[int, int]
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """What was looked at: a hash over names, pictures and labels in the order of names, and one of the list of parts."""

    part: Part
    sha256: str
    split_sha256: str
    pictures: Mapping[str, int]
    boxes: Mapping[Label, int]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one command measured; `left_out` is why models and clips are not among it."""

    data: Data
    models: tuple[Weights, ...]
    machine: Machine
    rows: tuple[Row, ...]
    alarms: tuple[Alarms, ...]
    speeds: tuple[Speed, ...]
    draws: int
    left_out: Mapping[str, str]

    def to_json(self) -> str:
        """The report as JSON; figures of accuracy are the same for the same pictures and weights."""
        content = {
            "version": VERSION,
            "data": asdict(self.data),
            "models": [asdict(model) for model in self.models],
            "machine": asdict(self.machine),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
            "conventions": self._conventions(),
            "accuracy": [{**asdict(row), "few": row.few} for row in self.rows],
            "false_alarms": [
                {**asdict(one), "per_hour": one.per_hour, "interval_per_hour": one.interval_per_hour}
                for one in (*together(self.alarms), *self.alarms)
            ],
            "speed": [asdict(speed) for speed in self.speeds],
            "left_out": dict(self.left_out),
        }
        return json.dumps(_rounded(content), ensure_ascii=False, indent=1)

    def _conventions(self) -> dict[str, Any]:
        return {
            "interval": SURE_INTERVAL,
            "interval_draws": self.draws,
            "interval_over": "clusters of near-duplicates and cameras",
            "least_score": LEAST_SCORE,
            "size_picture_pixels": PICTURE_PIXELS,
            "neither_right_nor_wrong": {label: list(others) for label, others in NEITHER.items()},
            "alarm_scores": dict(SURE),
            "analysis_hz": ANALYSIS_HZ,
            "speed_reference": REFERENCE,
        }


def weights_of(subject: Subject) -> Weights:
    """What is told of a detector."""
    manifest = subject.model.manifest
    return Weights(
        manifest.id,
        manifest.version,
        manifest.sha256,
        manifest.bytes,
        (manifest.input.width, manifest.input.height),
        tuple(label for label in LABELS if label in subject.known),
    )


def data_of(part: Part, pictures: Sequence[LabelledPicture]) -> Data:
    """What is told of the pictures; reads all of them."""
    whole = hashlib.sha256()
    for picture in sorted(pictures, key=lambda each: each.key):
        whole.update(f"{picture.key}\n".encode())
        whole.update(hashlib.sha256(picture.file.read_bytes()).digest())
        whole.update(picture.boxes.tobytes() + picture.classes.astype("<i8").tobytes())
    split = (files("models.datasets") / "split.txt").read_bytes()
    names = sorted({picture.set_name for picture in pictures})
    return Data(
        part=part,
        sha256=whole.hexdigest(),
        split_sha256=hashlib.sha256(split).hexdigest(),
        pictures={name: sum(picture.set_name == name for picture in pictures) for name in names},
        boxes=counts(pictures),
    )


def _rounded(value: Any) -> Any:
    """Four digits behind the point: no figure is better than that."""
    match value:
        case float():
            return round(value, 4)
        case dict():
            return {str(key): _rounded(each) for key, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
        case _:
            return value


def table(report: Report) -> str:
    """The report for people."""
    return "\n".join([*_accuracy(report.rows), *_alarms(report.alarms), *_speeds(report), *_left_out(report)])


def _accuracy(rows: Sequence[Row]) -> Iterator[str]:
    yield f"{'class':<14}{'model':<22}{'over':<22}{'boxes':>6}{'clusters':>9}{'AP50':>7}  {'95 %':<12}{'50–95':>6}  best F1 (from score)"
    for label in LABELS:
        for row in (row for row in rows if row.label is label):
            low, high = row.interval or (None, None)
            between = "-" if low is None or high is None else f"{low:.2f}–{high:.2f}"
            best = "" if row.best is None else f"{row.best.f1:.2f} ({row.best.score:.2f})"
            notes = [
                "few boxes" if row.few else "",
                "" if row.complete else "labels incomplete",
                "one cluster" if row.clusters == 1 else "",
            ]
            yield (
                f"{label:<14}{row.model:<22}{row.over:<22}{row.things:>6}{row.clusters:>9}{row.ap50 or 0:>7.3f}  {between:<12}"
                f"{row.ap50_95 or 0:>6.3f}  {best:<12} {', '.join(note for note in notes if note)}"
            ).rstrip()
            if row.over == ALL:
                parts = (
                    f"{size} {of.ap50:.2f} of {of.things}" for size, of in row.sizes.items() if of.ap50 is not None
                )
                yield f"{'':<36}AP50 by size: {', '.join(parts)}; as a node sees it {row.ap50_node or 0:.3f}"


def _alarms(alarms: Sequence[Alarms]) -> Iterator[str]:
    if alarms:
        yield ""
        yield f"{'false alarms':<36}{'seconds':>8}{'false':>8}{'per hour (95 %)':>22}{'frames with one':>18}"
    for one in sorted(together(alarms), key=lambda each: (each.model, LABELS.index(each.label))):
        low, high = one.interval_per_hour or (0.0, 0.0)
        rate = "-" if one.per_hour is None else f"{one.per_hour:.0f} ({low:.0f}–{high:.0f})"
        false = one.incidents if one.tracks is None else one.tracks
        counted = "-" if false is None else str(false)
        with_one = f"{one.frames_with} of {one.frames}"
        yield f"{one.model:<22}{one.label:<14}{one.seconds:>8.1f}{counted:>8}{rate:>22}{with_one:>18}"


def _speeds(report: Report) -> Iterator[str]:
    if report.speeds:
        yield ""
        yield f"{report.machine.processor}, one thread; load before {report.machine.load_before}; {report.speeds[0].runs} runs in turns"
        yield f"{'ms':<22}{'graph p50':>10}{'p95':>8}{'cpu':>8}{'ratio':>7}{'whole p50':>11}{'p95':>8}{'cpu':>8}{'ratio':>7}"
    for one in report.speeds:
        yield f"{one.model:<22}" + "".join(
            f"{times.median_ms:>{width}.1f}{times.p95_ms:>8.1f}{times.cpu_ms:>8.1f}{'-' if times.ratio is None else format(times.ratio, '.2f'):>7}"
            for times, width in ((one.graph, 10), (one.whole, 11))
        )


def _left_out(report: Report) -> Iterator[str]:
    if report.left_out:
        yield ""
    for name, why in report.left_out.items():
        yield f"left out: {name}: {why}"
