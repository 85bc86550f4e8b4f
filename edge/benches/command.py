"""`gridward-edge bench`: what this machine carries."""

import json
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from edge.benches import busy, idle
from edge.benches.films import Film, film_of
from edge.benches.idle import MODEL, SETTLING_S
from edge.benches.machine import kept_to, this_machine, usable_cores
from edge.benches.report import CORES_OF_THE_BARS, Report, as_plain, as_table
from edge.errors import ConfigurationError
from edge.perception.detector import open_detector

bench_app = typer.Typer(help="What this machine carries, measured.", no_args_is_help=True)

TRIES: Final = 6
SYSTEMS: Final = ("node", "plain", "every")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured, and for how long; None where the part's own length or number counts."""

    idle: bool
    busy: bool
    cores: int
    seconds: float | None = None
    cameras: int | None = None
    tries: int = TRIES
    settling_s: float = SETTLING_S


@bench_app.callback()
def bench() -> None:
    """What this machine carries, measured."""


@bench_app.command()
def cameras(  # noqa: PLR0917 (a command line has no keyword arguments)
    film: Annotated[
        Path | None, typer.Option(help="A film in place of the catalogue's clip.", metavar="FILE", dir_okay=False)
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=1, max=3600, help="So long each is measured; else 20 and 15.")
    ] = None,
    tries: Annotated[
        int, typer.Option(min=1, max=50, help="Numbers of cameras that are tried for each way of watching.")
    ] = TRIES,
    cores: Annotated[int, typer.Option(min=1, max=1024, help="Cores that the watching may use.")] = CORES_OF_THE_BARS,
    count: Annotated[
        int | None,
        typer.Option("--cameras", min=1, max=64, help="So many idle cameras of each kind, and first try of busy ones."),
    ] = None,
    settling: Annotated[
        float, typer.Option(min=1, max=3600, help="So many seconds the gates may take to learn.")
    ] = SETTLING_S,
    *,
    only_idle: Annotated[bool, typer.Option("--idle", help="Only cameras that see an empty scene.")] = False,
    only_busy: Annotated[bool, typer.Option("--busy", help="Only cameras with people in them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """How much of a core an idle camera takes, and how many busy ones the machine carries, beside a plain loop; takes 15 to 25 minutes.

    Simulated cameras send real film over RTSP from processes of their own. Exit status 0 only when all bars are met.
    """
    shown = film_of(film)
    both = only_idle == only_busy
    if shown.own and both:
        raise ConfigurationError(
            "say what the film shows: an empty scene (--idle), or people who come and go (--busy); measure one after the other"
        )
    if cores > len(usable_cores()):
        raise ConfigurationError(f"this machine has {len(usable_cores())} cores: choose fewer --cores")
    wanted = Wanted(both or only_idle, both or only_busy, cores, seconds, count, tries, settling)
    with _cleared_up():
        report = measured(wanted, shown)
    typer.echo(json.dumps(as_plain(report), ensure_ascii=False, indent=2) if as_json else as_table(report))
    raise typer.Exit(0 if report.met else 1)


@contextmanager
def _cleared_up() -> Iterator[None]:
    """Whoever ends it with SIGTERM leaves as little behind as whoever interrupts it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def measured(wanted: Wanted, film: Film) -> Report:
    """Measure, with what is going on on the standard error. Raises MeasurementFailed, MediaUnusable, ModelUnusable."""
    began_s = time.monotonic()
    open_detector(MODEL)  # what is wrong with it is said here, and not by a trial
    report = Report(this_machine(wanted.cores), str(film.path) if film.own else film.path.stem, film.own)
    said = report.warnings
    for warning in said:
        _say(f"warning: {warning}")
    with tempfile.TemporaryDirectory(prefix="gridward-bench-") as name, kept_to(wanted.cores) as other_cores:
        folder = Path(name)
        if wanted.idle:
            report = replace(
                report, rows=[_idle_row(each, wanted, film, folder, other_cores) for each in idle.SITUATIONS]
            )
        if wanted.busy:
            looks_per_s = busy.hardware_looks_per_s(wanted.cores)
            _say(f"{looks_per_s:g} whole looks per second on {wanted.cores} cores")
            trials = _busy_trials(wanted, film, folder, other_cores)
            report = replace(report, hardware_looks_per_s=looks_per_s, trials=trials)
    for warning in report.warnings:
        if warning not in said:
            _say(f"warning: {warning}")
    return replace(report, wall_s=round(time.monotonic() - began_s, 1))


def _idle_row(name: str, wanted: Wanted, film: Film, folder: Path, other_cores: Sequence[int]) -> idle.Row:
    situation = idle.SITUATIONS[name]
    if wanted.cameras is not None:
        situation = replace(situation, gated=wanted.cameras, whole=min(situation.whole, wanted.cameras))
    seconds = wanted.seconds or idle.SECONDS
    return idle.measured(
        name, situation, film, folder, other_cores, seconds=seconds, settling_s=wanted.settling_s, say=_say
    )


def _busy_trials(
    wanted: Wanted, film: Film, folder: Path, other_cores: Sequence[int]
) -> Mapping[str, list[busy.Trial]]:
    station = busy.Station(film, folder, other_cores, seconds=wanted.seconds or busy.SECONDS, say=_say)
    shared = set(other_cores) <= set(usable_cores())
    with station.open():
        return {
            system: busy.searched(
                system, station, cores=wanted.cores, shared=shared, first=wanted.cameras, tries=wanted.tries, say=_say
            )
            for system in SYSTEMS
        }


def _say(line: str) -> None:
    typer.echo(line, err=True)
