"""What the measurement of cameras says: figures under their own names, the bars that they are held against, for programs and for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from edge.benches.busy import LEAST_HZ, MOST_P95_MS, Trial
from edge.benches.busy import in_words as trial_in_words
from edge.benches.idle import FULL_HD, NOISE, PLAIN, Row
from edge.benches.idle import in_words as row_in_words
from edge.benches.machine import Machine
from edge.benches.search import found
from edge.benches.wanted import CORES_OF_THE_BARS

MANY: Final = 32
KEPT_UP: Final = 0.95
"""Whoever takes in less than this share of the pictures is behind the cameras."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares are of one core. What was not measured, or has nothing to be held against, is None.

    `busy_…`: the node, `baseline_…`: a plain loop that decodes all and detects the newest full frame at 5 Hz, `every_frame_…`: a loop that
    detects every frame. p95 is the worst of the runs that carried the largest number, recall that of these together.
    """

    idle_core_share_32: float | None = None
    idle_core_share_1080p_each: float | None = None
    idle_times_cheaper_1080p: float | None = None
    idle_noisy_core_share_32: float | None = None
    busy_cameras: int | None = None
    busy_p95_ms: float | None = None
    busy_recall: float | None = None
    baseline_cameras: int | None = None
    baseline_p95_ms: float | None = None
    baseline_recall: float | None = None
    every_frame_cameras: int | None = None
    hardware_looks_per_s: float | None = None
    times_baseline: float | None = None
    recall_of_baseline: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure must not be above, or not below."""

    most: float | None = None
    least: float | None = None

    def met_by(self, figure: float | None) -> bool:
        """A figure that is not there meets nothing."""
        if figure is None:
            return False
        return (self.most is None or figure <= self.most) and (self.least is None or figure >= self.least)

    def __str__(self) -> str:
        return f"≤ {self.most:g}" if self.most is not None else f"≥ {self.least:g}"


IDLE_BARS: Final[Mapping[str, Bar]] = {
    "idle_core_share_32": Bar(most=0.15),
    "idle_core_share_1080p_each": Bar(most=0.015),
    "idle_times_cheaper_1080p": Bar(least=5.0),
}
BUSY_BARS: Final[Mapping[str, Bar]] = {
    "busy_p95_ms": Bar(most=MOST_P95_MS),
    "times_baseline": Bar(least=2.0),
    "recall_of_baseline": Bar(least=0.97),
}


@dataclass(frozen=True, slots=True)
class Report:
    """`rows` of the idle part and `trials` of the busy one, None where that part was not asked for."""

    machine: Machine
    film: str
    own_film: bool
    hardware_looks_per_s: float | None = None
    rows: Sequence[Row] | None = None
    trials: Mapping[str, Sequence[Trial]] | None = None
    wall_s: float = 0.0
    bars: Mapping[str, Bar] = field(init=False)
    figures: Figures = field(init=False)

    def __post_init__(self) -> None:
        bars = {**(IDLE_BARS if self.rows is not None else {}), **(BUSY_BARS if self.trials is not None else {})}
        object.__setattr__(self, "bars", bars)
        object.__setattr__(self, "figures", _figures(self))

    @property
    def problems(self) -> list[str]:
        """What makes a figure worthless: no bar is met then."""
        lost = [f"{row.situation}: {row.lost} cameras were lost meanwhile" for row in self.rows or () if row.lost]
        late = [
            f"{row.situation}: only {100 * row.kept_up:.0f} % of what the cameras sent was taken in: the machine did not keep up"
            for row in self.rows or ()
            if row.kept_up < KEPT_UP
        ]
        trials = self.trials or {}
        compared = ((name, trials[name]) for name in ("node", "plain") if name in trials)
        none = [f"{name}: no number of cameras was carried" for name, runs in compared if not found(runs)]
        return lost + late + none

    @property
    def warnings(self) -> list[str]:
        """What has to be known beside the figures."""
        machine = self.machine
        said = []
        if machine.loaded:
            said.append(
                f"the machine was busy before the start (load {machine.load_before:g} on {machine.cores} cores): the figures say less of the cameras"
            )
        if machine.cores_used != CORES_OF_THE_BARS:
            said.append(f"the bars are stated for {CORES_OF_THE_BARS} cores, this was measured on {machine.cores_used}")
        if self.own_film:
            said.append(f"measured with {self.film}: the bars are stated for the clip of the catalogue")
        said += [
            f"{row.situation}: not all gates had learnt their streams" for row in self.rows or () if not row.settled
        ]
        return said

    @property
    def met(self) -> bool:
        """Whether every bar of what was measured is met."""
        return not self.problems and all(bar.met_by(getattr(self.figures, name)) for name, bar in self.bars.items())


def _figures(report: Report) -> Figures:
    rows = {row.situation: row for row in report.rows or ()}
    node, plain, every = (_carried(report.trials, name) for name in ("node", "plain", "every"))
    return Figures(
        idle_core_share_32=_of_many(rows.get(PLAIN)),
        idle_core_share_1080p_each=round(rows[FULL_HD].behind_gate, 5) if FULL_HD in rows else None,
        idle_times_cheaper_1080p=round(rows[FULL_HD].times_cheaper, 2) if FULL_HD in rows else None,
        idle_noisy_core_share_32=_of_many(rows.get(NOISE)),
        busy_cameras=node.cameras,
        busy_p95_ms=node.p95_ms,
        busy_recall=node.recall,
        baseline_cameras=plain.cameras,
        baseline_p95_ms=plain.p95_ms,
        baseline_recall=plain.recall,
        every_frame_cameras=every.cameras,
        hardware_looks_per_s=report.hardware_looks_per_s,
        times_baseline=_quotient(node.cameras, plain.cameras, 2),
        recall_of_baseline=_quotient(node.recall, plain.recall, 4),
    )


@dataclass(frozen=True, slots=True)
class _Carried:
    """The largest number that a system carries; 0 and nothing else where it carries none, None where it was not tried."""

    cameras: int | None = None
    p95_ms: float | None = None
    recall: float | None = None


def _carried(trials: Mapping[str, Sequence[Trial]] | None, name: str) -> _Carried:
    if trials is None or name not in trials:
        return _Carried()
    runs = found(trials[name])
    if not runs:
        return _Carried(0)
    recall = sum(run.found for run in runs) / max(sum(run.expected for run in runs), 1)
    return _Carried(runs[0].cameras, max(run.p95_ms or 0.0 for run in runs), round(recall, 4))


def _of_many(row: Row | None) -> float | None:
    return None if row is None else round(MANY * row.behind_gate, 4)


def _quotient(of: float | None, by: float | None, digits: int) -> float | None:
    return round(of / by, digits) if of is not None and by else None


def as_plain(report: Report) -> dict[str, Any]:
    """For programs: the figures stand at the top, under their names."""
    bars = {
        name: {
            "figure": getattr(report.figures, name),
            "bar": str(bar),
            "met": bar.met_by(getattr(report.figures, name)),
        }
        for name, bar in report.bars.items()
    }
    trials = {
        name: [{**asdict(run), "recall": round(run.recall, 4)} for run in runs]
        for name, runs in (report.trials or {}).items()
    }
    return {
        **asdict(report.figures),
        "met": report.met,
        "bars": bars,
        "problems": report.problems,
        "warnings": report.warnings,
        "machine": {**asdict(report.machine), "loaded": report.machine.loaded},
        "film": report.film,
        "bound_cameras": _bound(report),
        "idle": [{**asdict(row), "times_cheaper": round(row.times_cheaper, 2)} for row in report.rows or ()],
        "trials": trials,
        "wall_s": report.wall_s,
    }


def _bound(report: Report) -> float | None:
    """So many cameras at 5 Hz are as many looks at all of a picture as the cores are good for when they do nothing else."""
    looks_per_s = report.hardware_looks_per_s
    return None if looks_per_s is None else round(looks_per_s / LEAST_HZ, 1)


def as_table(report: Report) -> str:
    """For people: the figures with their bars, then what they come from."""
    machine = report.machine
    lines = [
        f"{machine.processor}, {machine.cores_used} of {machine.cores} cores, load before the start {machine.load_before:g}",
        "",
    ]
    for name, figure in asdict(report.figures).items():
        if figure is None:
            continue
        bar = report.bars.get(name)
        judged = "" if bar is None else f"{bar!s:>10}   {'met' if bar.met_by(figure) else 'NOT MET'}"
        lines.append(f"{name:<28}{figure:>10g}{judged}")
    if (bound := _bound(report)) is not None:
        lines.append(f"{'bound_cameras':<28}{bound:>10g}   whole looks alone, at {LEAST_HZ:g} Hz")
    lines += ["", *(row_in_words(row) for row in report.rows or ())]
    for name, runs in (report.trials or {}).items():
        lines += [f"{name:<6}{trial_in_words(run)}" for run in runs]
    lines += [f"problem: {problem}" for problem in report.problems]
    return "\n".join([*lines, "", "all bars are met" if report.met else "not all bars are met"])
