"""The report of a drill (演练总结): what was opened, how long each stage took, who reacted. Reads only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from cloud.access.model import Principal
from cloud.db.queries import load
from cloud.drills import service
from cloud.drills.model import DrillAction
from cloud.drills.service import Drill
from cloud.errors import NotFound

_queries = load("cloud.drills")

CASES_SHOWN: Final = 500
PEOPLE_SHOWN: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """What was chosen; `left_at`: when it found real danger, and so took part no longer."""

    node: str
    device: str
    rule: str
    title: str | None
    simulated: bool
    left_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step of the drill itself."""

    at: datetime
    by: str | None
    action: DrillAction
    until: datetime | None
    case_id: int | None
    case_number: str | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimes:
    """How long a stage took, in seconds, over all cases in which it has ended; `waiting`: those in which it has not.

    A stage is 核实, 派遣, 接单 or 处置; 结案 counts from the opening.
    """

    stage: str
    cases: int
    waiting: int
    p50_s: float | None
    p90_s: float | None
    longest_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExercisedCase:
    """A case of the drill."""

    id: int
    number: str
    title: str | None
    kind: str
    severity: str
    status: str
    origin: str
    department: str | None
    opened_at: datetime
    verified_at: datetime | None
    dispatched_at: datetime | None
    accepted_at: datetime | None
    resolved_at: datetime | None
    ended_at: datetime | None
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """Who reacted: how often, in how many cases, and how soon the first time after one was opened."""

    person: str
    role: str
    steps: int
    cases: int
    first_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingOn:
    """What was found for the drill and was not told to be over: somebody looks whether it is real."""

    node: str
    device: str
    kind: str
    severity: str
    started_at: datetime
    updated_at: datetime
    case_id: int | None
    case_number: str | None
    order_number: str | None
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillCounts:
    """What was marked as part of the drill. `simulated_cases`: those of `cases` that made devices told of. `made_real`: how often a case
    left it because there was real danger.
    """

    incidents: int
    cases: int
    simulated_cases: int
    work_orders: int
    commands: int
    notices: int
    made_real: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReport:
    """What came of a drill. `cases` are the first 500, `cases_more` how many there are beside them; counts and stages are of all."""

    drill: Drill
    sources: list[SourceView]
    departments: list[str]
    steps: list[StepView]
    counts: DrillCounts
    stages: list[StageTimes]
    cases: list[ExercisedCase]
    cases_more: int
    reactions: list[Reaction]
    going_on: list[GoingOn]


def report(conn: Connection[Any], user: Principal, drill_id: int, *, now: datetime) -> DrillReport:
    """The report as things stand. Raises NotFound, also for a drill whose area reaches beyond the person's own."""
    row = service.row_in_scope(conn, user, drill_id)
    if not user.sees(row.area_path):
        raise NotFound("there is no such drill in your scope")
    cases = list(_queries.cases_of(conn, drill_id=drill_id, count=CASES_SHOWN))
    counts = DrillCounts(**_queries.counts_of(conn, drill_id=drill_id)._asdict())
    return DrillReport(
        drill=service.find(conn, user, drill_id, now=now),
        sources=[SourceView(**each._asdict()) for each in _queries.sources_of(conn, drill_id=drill_id)],
        departments=[each.name for each in _queries.departments_of(conn, drill_id=drill_id)],
        steps=[
            StepView(**each._asdict() | {"action": DrillAction(each.action)})
            for each in _queries.steps_of(conn, drill_id=drill_id)
        ],
        counts=counts,
        stages=[StageTimes(**each._asdict()) for each in _queries.stage_times(conn, drill_id=drill_id)],
        cases=[ExercisedCase(**{name: getattr(each, name) for name in ExercisedCase.__slots__}) for each in cases],
        cases_more=counts.cases - len(cases),
        reactions=[
            Reaction(**{name: getattr(each, name) for name in Reaction.__slots__})
            for each in _queries.reactions_of(conn, drill_id=drill_id, count=PEOPLE_SHOWN)
        ],
        going_on=[
            GoingOn(**{name: getattr(each, name) for name in GoingOn.__slots__})
            for each in _queries.going_on(conn, drill_id=drill_id, count=CASES_SHOWN)
        ],
    )
