"""Verdicts in the database. Takes a connection, never commits."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.db.queries import load
from cloud.verdicts.advice import Measure, Sighting
from cloud.verdicts.labels import Labelled
from cloud.verdicts.model import LINKING, TELLING, Judgement, Member, Step, Verdict
from cloud.verdicts.precision import Dimension, Place, Tally
from edge.contract.incident import Severity

MOST_TALLIES = 10_000
MOST_SIGHTINGS = 5_000

_queries = load("cloud.verdicts")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictFilter:
    """Which judgements count: those made in [since, until) of cases below `scope`. Exercises and simulations only where asked for."""

    scope: str
    since: datetime
    until: datetime
    node: str | None = None
    device: str | None = None
    rule: str | None = None
    kind: str | None = None
    simulated: bool = False
    drills: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """As statements take it."""
        return {name: getattr(self, name) for name in VerdictFilter.__dataclass_fields__}


def take_turns(conn: Connection[Any]) -> None:
    """Wait until nobody else makes verdicts."""
    list(_queries.take_turns(conn))


def due(conn: Connection[Any], *, after: int, count: int) -> list[Any]:
    """Rows (id, case_id) of what has to be made anew, the oldest behind `after` first."""
    return list(_queries.due(conn, after_id=after, count=count))


def forget_due(conn: Connection[Any], ids: Collection[int], *, older_s: float) -> None:
    """What is made needs no making, once it was noted so long ago."""
    _queries.forget_due(conn, ids=list(ids), older_s=older_s)


def ask_for_all(conn: Connection[Any], *, after: int, count: int) -> int | None:
    """Have the verdicts of the next `count` judged cases made anew; the last of them, None where there are no more."""
    last: int | None = _queries.ask_for_all(conn, after_id=after, count=count)
    return last


def connected(conn: Connection[Any], case_ids: Iterable[int]) -> set[int]:
    """These cases and all that ever shared incidents with them, near or far."""
    found: set[int] = set()
    new = set(case_ids)
    while new:
        found |= new
        rows = _queries.neighbours(conn, case_ids=list(new), linking=sorted(LINKING))
        new = {row.case_id for row in rows} - found
    return found


def history(conn: Connection[Any], case_ids: Collection[int]) -> list[Step]:
    """The steps of these cases that verdicts are made from, in the order of their ids."""
    rows = _queries.history(conn, case_ids=list(case_ids), telling=sorted(TELLING))
    return [Step(**row._asdict()) for row in rows]


def members(conn: Connection[Any], case_ids: Collection[int]) -> list[Member]:
    """The incidents that are in these cases."""
    return [Member(*row) for row in _queries.members(conn, case_ids=list(case_ids))]


def kept(conn: Connection[Any], case_ids: Collection[int], incident_ids: Collection[int]) -> dict[int, int]:
    """Incident → the event of the judgement that is kept of it, for these cases and incidents."""
    rows = _queries.kept(conn, case_ids=list(case_ids), incident_ids=list(incident_ids))
    return {row.incident_id: row.event_id for row in rows}


def keep(conn: Connection[Any], verdicts: Mapping[int, Judgement]) -> None:
    """Put judgements in the place of those before, in the order of the incidents."""
    if not verdicts:
        return
    ordered = sorted(verdicts.items())
    _queries.keep(
        conn,
        incident_ids=[incident for incident, _ in ordered],
        case_ids=[each.case_id for _, each in ordered],
        event_ids=[each.event_id for _, each in ordered],
        verdicts=[each.verdict.value for _, each in ordered],
        reasons=[each.reason for _, each in ordered],
        judged_ats=[each.at for _, each in ordered],
        judged_bys=[each.actor_id for _, each in ordered],
    )


def take_away(conn: Connection[Any], incident_ids: Collection[int]) -> None:
    """Nothing holds of these any more."""
    if incident_ids:
        _queries.take_away(conn, incident_ids=list(incident_ids))


def count(conn: Connection[Any]) -> int:
    """Of how many incidents it is known what they were."""
    return int(_queries.count_verdicts(conn))


def tallies(
    conn: Connection[Any], chosen: VerdictFilter, dimensions: Collection[Dimension], *, zone: str
) -> list[Tally]:
    """Judgements by place, verdict and reason, at most `MOST_TALLIES`, the most frequent first."""
    names = sorted(each.value for each in dimensions)
    rows = _queries.tallies(conn, dimensions=names, zone=zone, count=MOST_TALLIES, **chosen.parameters)
    return [_tally(row) for row in rows]


def _tally(row: Any) -> Tally:
    place = Place(**{name: getattr(row, name) for name in Place.__dataclass_fields__})
    return Tally(place, Verdict(row.verdict), row.reason, row.judgements, row.incidents)


def coverage(conn: Connection[Any], chosen: VerdictFilter) -> tuple[int, int]:
    """How many incidents came in the span, and of how many of them it is known what they were."""
    row = _queries.coverage(conn, **chosen.parameters)
    return row.incidents, row.judged


def devices_called(conn: Connection[Any], named: Collection[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """(node, device) → the row with its id and title, of those that are registered."""
    ordered = sorted(named)
    rows = _queries.devices_called(conn, nodes=[node for node, _ in ordered], devices=[device for _, device in ordered])
    return {(row.node, row.device): row for row in rows}


def rule_as_told(conn: Connection[Any], scope: str, *, node: str, device: str, rule: str) -> Any:
    """The row of what the rule's newest incident says of it; None where it never told anything in the scope."""
    return _queries.rule_as_told(conn, scope=scope, node=node, device=device, rule=rule)


def sightings(
    conn: Connection[Any], chosen: VerdictFilter, *, sha256: str | None, measure: Measure | None, zone: str
) -> list[Sighting]:
    """Judged incidents of a rule as it is set by `sha256`, at most `MOST_SIGHTINGS`."""
    rows = _queries.sightings(conn, sha256=sha256, zone=zone, count=MOST_SIGHTINGS, **chosen.parameters)
    return [
        Sighting(
            event_id=row.event_id,
            case_id=row.case_id,
            case_number=row.case_number,
            verdict=Verdict(row.verdict),
            reason=row.reason,
            severity=Severity(row.severity),
            measured=_number(getattr(row, measure.value)) if measure is not None else None,
            hour=row.hour,
        )
        for row in rows
    ]


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def judged_before(conn: Connection[Any], chosen: VerdictFilter, *, sha256: str | None) -> int:
    """How many judged incidents of the rule came while it was set otherwise."""
    wanted = {name: value for name, value in chosen.parameters.items() if name not in {"kind", "simulated"}}
    return int(_queries.judged_before(conn, sha256=sha256, **wanted))


def labelled(
    conn: Connection[Any],
    chosen: VerdictFilter,
    verdicts: Collection[Verdict],
    *,
    after: tuple[int, str],
    count: int,
) -> list[Labelled]:
    """Masked pictures behind (incident, hash), in that order, at most so many."""
    rows = _queries.labelled(
        conn,
        verdicts=sorted(each.value for each in verdicts),
        after_incident=after[0],
        after_sha256=after[1],
        count=count,
        **chosen.parameters,
    )
    return [Labelled(**row._asdict() | {"verdict": Verdict(row.verdict)}) for row in rows]


def insert_proposal(conn: Connection[Any], **columns: Any) -> int | None:
    """Insert a proposal; None where one for the same setting is open."""
    proposal_id: int | None = _queries.insert_proposal(conn, **columns)
    return proposal_id


def proposals(
    conn: Connection[Any],
    scope: str,
    *,
    states: Sequence[str] | None = None,
    node: str | None = None,
    device: str | None = None,
    rule: str | None = None,
    proposal_id: int | None = None,
    before: int | None = None,
    limit: int,
) -> list[Any]:
    """Rows of proposals with the names of their people, the newest first."""
    rows = _queries.proposals(
        conn,
        scope=scope,
        states=list(states) if states else None,
        node=node,
        device=device,
        rule=rule,
        proposal_id=proposal_id,
        before=before,
        count=limit,
    )
    return list(rows)


def lock_proposal(conn: Connection[Any], proposal_id: int, scope: str) -> Any:
    """The row of a proposal, locked; None outside of the scope."""
    return _queries.lock_proposal(conn, proposal_id=proposal_id, scope=scope)


def answer_proposal(
    conn: Connection[Any], proposal_id: int, *, state: str, by: int, at: datetime, answer: str | None
) -> None:
    """Say what becomes of a proposal."""
    _queries.answer_proposal(conn, proposal_id=proposal_id, state=state, answered_by=by, answered_at=at, answer=answer)
