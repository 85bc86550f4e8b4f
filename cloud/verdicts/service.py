"""Precision and advice for a person: what counts in his scope, and what it comes to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Connection

from cloud.errors import NotFound
from cloud.verdicts import store
from cloud.verdicts.advice import KNOBS, Advice, Alarm, Hint, Side, Sighting, advise, alarms_of, hints, weigh
from cloud.verdicts.precision import Cell, Dimension, Place, Tally, cells
from cloud.verdicts.store import VerdictFilter

MOST_CELLS = 2_000


@dataclass(frozen=True, slots=True)
class Table:
    """Cells, and how many incidents came at all: those that nobody went to see are in no cell. `is_cut`: there are more cells."""

    cells: tuple[Cell, ...]
    incidents: int
    judged: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class RuleAdvice:
    """Advice for a rule of a device. `earlier`: judged incidents from when it was set otherwise, which do not count. `is_cut`: only the
    newest were looked at.
    """

    node: str
    device: str
    rule: str
    told: Any
    advice: Advice
    hints: tuple[Hint, ...]
    sightings: tuple[Sighting, ...]
    earlier: int
    is_cut: bool


def table(conn: Connection[Any], chosen: VerdictFilter, dimensions: Collection[Dimension], *, zone: str) -> Table:
    """What was found at each place, told apart by `dimensions`."""
    tallies = store.tallies(conn, chosen, dimensions, zone=zone)
    found = cells(tallies)
    incidents, judged = store.coverage(conn, chosen)
    is_cut = len(tallies) >= store.MOST_TALLIES or len(found) > MOST_CELLS
    return Table(tuple(found[:MOST_CELLS]), incidents, judged, is_cut)


def advice(
    conn: Connection[Any], chosen: VerdictFilter, *, node: str, device: str, rule: str, side: Side, zone: str
) -> RuleAdvice:
    """What can be said of a rule from its own verdicts, as it is set now. Raises NotFound where it told nothing in the scope."""
    told = store.rule_as_told(conn, chosen.scope, node=node, device=device, rule=rule)
    if told is None:
        raise NotFound("no rule of this name has told anything in your scope")
    of_rule = replace(chosen, node=node, device=device, rule=rule, kind=told.kind)
    knob = KNOBS.get(told.kind)
    found = store.sightings(conn, of_rule, sha256=told.sha256, measure=knob.measure if knob else None, zone=zone)
    return RuleAdvice(
        node=node,
        device=device,
        rule=rule,
        told=told,
        advice=advise(told.kind, found, side),
        hints=hints(found),
        sightings=tuple(found),
        earlier=store.judged_before(conn, of_rule, sha256=told.sha256),
        is_cut=len(found) >= store.MOST_SIGHTINGS,
    )


def hours_of(sightings: Sequence[Sighting]) -> list[Cell]:
    """A cell for each local hour in which something was judged, by the clock."""
    by_event = {each.event_id: each for each in sightings}
    tallies = [Tally(Place(hour=each.hour), each.verdict, each.reason, 1, 1) for each in by_event.values()]
    return sorted(cells(tallies), key=lambda cell: cell.place.hour or 0)


def frozen(found: RuleAdvice, chosen: VerdictFilter, threshold: float) -> dict[str, Any]:
    """The figures of a threshold as they stand, to be kept beside a proposal."""
    alarms, _ = alarms_of(found.sightings, found.advice.side)
    candidate = weigh(alarms, threshold, found.advice.side)
    return {
        "since": chosen.since.isoformat(),
        "until": chosen.until.isoformat(),
        "rule_sha256": found.told.sha256,
        "true_alarms": candidate.lost.whole,
        "lost": candidate.lost.part,
        "lost_high": candidate.lost.high,
        "lost_severe": candidate.lost_severe,
        "false_alarms": candidate.saved.whole,
        "saved": candidate.saved.part,
        "saved_low": candidate.saved.low,
        "saved_high": candidate.saved.high,
        "lost_cases": [each.case_number for each in lost_by(found, threshold)],
        "brief": found.advice.knob.brief if found.advice.knob else False,
    }


def lost_by(found: RuleAdvice, threshold: float) -> list[Alarm]:
    """The true alarms that a threshold would have lost, the nearest to it last."""
    sign = 1 if found.advice.side is Side.ABOVE else -1
    return [each for each in found.advice.true_alarms if sign * each.reach < sign * threshold]
