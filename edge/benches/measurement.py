"""A measurement of cameras from its beginning to its report."""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from edge.benches import busy, idle
from edge.benches.films import MADE, Film, film_of
from edge.benches.machine import Place, kept_to, this_machine, usable_cores
from edge.benches.report import Report
from edge.benches.wanted import Wanted
from edge.errors import ConfigurationError
from edge.perception.detector import open_detector

SYSTEMS: Final = ("node", "plain", "every")

Say = Callable[[str], None]


def measured(wanted: Wanted, given: Path | None, say: Say) -> Report:
    """Measure with the clip of the catalogue or the film that was given; `say` is told what is going on.

    Raises ConfigurationError, MediaUnusable, ModelUnusable before anything is measured, MeasurementFailed afterwards.
    """
    if wanted.scenes and (given is not None or wanted.idle):
        raise ConfigurationError(
            "--scenes are busy cameras, each with a scene of its own: give it with --busy, and no --film"
        )
    film = MADE if wanted.scenes else film_of(given)
    if film.own and wanted.idle and wanted.busy:
        raise ConfigurationError(
            "say what the film shows: an empty scene (--idle), or people who come and go (--busy); measure one after the other"
        )
    if wanted.cores > len(usable_cores()):
        raise ConfigurationError(f"this machine has {len(usable_cores())} cores: choose fewer --cores")
    open_detector(busy.model_for(film))  # what is wrong with it is said here, and not by a trial
    with _cleared_up():
        return _reported(wanted, film, say)


@contextmanager
def _cleared_up() -> Iterator[None]:
    """Whoever ends it with SIGTERM leaves as little behind as whoever interrupts it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _reported(wanted: Wanted, film: Film, say: Say) -> Report:
    began_s = time.monotonic()
    report = Report(this_machine(wanted.cores), str(film.path) if film.own else film.path.stem, film.own)
    said = report.warnings
    for warning in said:
        say(f"warning: {warning}")
    with tempfile.TemporaryDirectory(prefix="gridward-bench-") as name, kept_to(wanted.cores) as other_cores:
        place = Place(Path(name), other_cores, say)
        if wanted.idle:
            rows = [_idle_row(each, wanted, film, place) for each in idle.SITUATIONS]
            report = replace(report, rows=rows)
        if wanted.busy:
            looks_per_s = busy.hardware_looks_per_s(wanted.cores, busy.model_for(film))
            say(f"{looks_per_s:g} whole looks per second on {wanted.cores} cores")
            trials = _busy_trials(wanted, film, place)
            report = replace(report, hardware_looks_per_s=looks_per_s, trials=trials)
    for warning in report.warnings:
        if warning not in said:
            say(f"warning: {warning}")
    return replace(report, wall_s=round(time.monotonic() - began_s, 1))


def _idle_row(name: str, wanted: Wanted, film: Film, place: Place) -> idle.Row:
    situation = idle.SITUATIONS[name]
    if wanted.cameras is not None:
        situation = replace(situation, gated=wanted.cameras, whole=min(situation.whole, wanted.cameras))
    seconds = wanted.seconds or idle.SECONDS
    return idle.measured(name, situation, film, place, seconds=seconds, settling_s=wanted.settling_s)


def _busy_trials(wanted: Wanted, film: Film, place: Place) -> Mapping[str, list[busy.Trial]]:
    station = busy.Station(film, place, seconds=wanted.seconds or busy.SECONDS)
    shared = set(place.other_cores) <= set(usable_cores())
    with station.open():
        return {
            system: busy.searched(
                system, station, cores=wanted.cores, shared=shared, first=wanted.cameras, tries=wanted.tries
            )
            for system in SYSTEMS
        }
