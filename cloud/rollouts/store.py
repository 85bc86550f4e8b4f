"""Statements on rollouts, their steps and their history with their types. All take a connection; none commits."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.db.queries import load
from cloud.rollouts import artifact_store
from cloud.rollouts.model import (
    WORKING,
    Announced,
    Facts,
    Place,
    Plan,
    Report,
    Ring,
    Rollout,
    RolloutCause,
    RolloutState,
    Stage,
    Step,
    StepState,
    Tally,
    label_of,
)
from cloud.rollouts.order_store import columns

_queries = load("cloud.rollouts")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that a rollout could have, or a device of it."""

    node_id: int
    node: str
    ring: Ring
    device: str = ""

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.node_id, self.device

    @property
    def label(self) -> str:
        """The same by name."""
        return label_of(self.node, self.device)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of what became of a rollout; `node` None for the rollout itself."""

    after: str
    before: str | None = None
    node: str | None = None
    reason: str | None = None
    detail: str | None = None
    device: str | None = None


def candidates(
    conn: Connection[Any], *, area_path: str, artifact: str, name: str, only_running: bool
) -> list[Candidate]:
    """The nodes of an area, or their devices, by id."""
    rows = _queries.candidates(conn, area_path=area_path, artifact=artifact, name=name, only_running=only_running)
    return [Candidate(row.node_id, row.node, Ring(row.ring), row.device) for row in rows]


def without_way_back(conn: Connection[Any], places: Sequence[Place], *, artifact: str, name: str) -> int:
    """How many of these nodes run nothing that they could be turned back to."""
    return int(_queries.without_way_back(conn, **columns(places), artifact=artifact, name=name))


def set_ring(conn: Connection[Any], node: str, ring: Ring, *, scope: str) -> tuple[Ring, str] | None:
    """Set how early a node gets what is new: the ring before and the path of its area; None without such a node in scope."""
    row = _queries.set_ring(conn, node=node, ring=ring.value, scope=scope)
    return None if row is None else (Ring(row.before), row.area_path)


def add(conn: Connection[Any], rollout: Rollout) -> None:
    """Write a new one."""
    _queries.add_rollout(
        conn,
        id=rollout.id,
        title=rollout.title,
        artifact_id=rollout.artifact.id,
        area_code=rollout.area_code,
        area_path=rollout.area_path,
        only_running=rollout.only_running,
        may_lower=rollout.may_lower,
        plan=Jsonb(plan_as_json(rollout.plan)),
        created_by=rollout.created_by_id,
        created_by_name=rollout.created_by,
        created_at=rollout.created_at,
    )


def find(conn: Connection[Any], rollout_id: UUID, *, scope: str) -> Rollout | None:
    """One rollout in scope."""
    return _rollout(conn, _queries.rollout(conn, id=rollout_id, scope=scope))


def lock(conn: Connection[Any], rollout_id: UUID, *, scope: str) -> Rollout | None:
    """The same, its row locked."""
    return _rollout(conn, _queries.lock_rollout(conn, id=rollout_id, scope=scope))


def live_ids(conn: Connection[Any]) -> list[UUID]:
    """Those that go on by themselves."""
    return [row.id for row in _queries.live_rollouts(conn)]


def lock_live(conn: Connection[Any], rollout_id: UUID) -> Rollout | None:
    """One of them, locked; None where it has ended, or another process is at it."""
    return _rollout(conn, _queries.lock_live_rollout(conn, id=rollout_id))


def ended_ids(conn: Connection[Any], count: int) -> list[UUID]:
    """Those that are over, of which nodes still have to say something; first those with nodes that came back and wait."""
    return [row.id for row in _queries.ended_with_open_steps(conn, count=count)]


def lock_ended(conn: Connection[Any], rollout_id: UUID) -> Rollout | None:
    """One of them, locked; None where another process is at it."""
    return _rollout(conn, _queries.lock_ended_rollout(conn, id=rollout_id))


def rollouts(conn: Connection[Any], *, scope: str, after: UUID | None, count: int) -> list[Rollout]:
    """The newest in scope."""
    rows = list(_queries.rollouts(conn, scope=scope, after=after, count=count))
    return [found for row in rows if (found := _rollout(conn, row)) is not None]


def save(conn: Connection[Any], rollout: Rollout) -> None:
    """Write what changes of a rollout."""
    _queries.set_rollout(
        conn,
        id=rollout.id,
        state=rollout.state.value,
        reason=rollout.reason,
        cause=None if rollout.cause is None else rollout.cause.value,
        stage=rollout.stage,
        approved=rollout.approved,
        started_by=rollout.started_by_id,
        started_by_name=rollout.started_by,
        started_at=rollout.started_at,
        turned_at=rollout.turned_at,
        ended_at=rollout.ended_at,
    )


def _rollout(conn: Connection[Any], row: Any) -> Rollout | None:
    if row is None:
        return None
    artifact = artifact_store.artifact_of_id(conn, row.artifact_id)
    if artifact is None:
        raise LookupError(f"the rollout {row.id} has no artifact")
    return Rollout(
        id=row.id,
        title=row.title,
        artifact=artifact,
        area_code=row.area_code,
        area_path=row.area_path,
        only_running=row.only_running,
        may_lower=row.may_lower,
        plan=plan_of_json(row.plan),
        state=RolloutState(row.state),
        reason=row.reason,
        cause=None if row.cause is None else RolloutCause(row.cause),
        stage=row.stage,
        approved=row.approved,
        created_by_id=row.created_by,
        created_by=row.created_by_name,
        created_at=row.created_at,
        started_by_id=row.started_by,
        started_by=row.started_by_name,
        started_at=row.started_at,
        turned_at=row.turned_at,
        ended_at=row.ended_at,
    )


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """As it stands in its row; durations in seconds."""
    return {
        "patience_s": plan.patience.total_seconds(),
        "at_once": plan.at_once,
        "stages": [
            {
                "name": stage.name,
                "percent": stage.percent,
                "ring": stage.ring.value,
                "soak_s": stage.soak.total_seconds(),
                "success_percent": stage.success_percent,
                "error_percent": stage.error_percent,
                "approval": stage.approval,
            }
            for stage in plan.stages
        ],
    }


def plan_of_json(told: Any) -> Plan:
    """The other way round."""
    return Plan(
        patience=timedelta(seconds=told["patience_s"]),
        at_once=told["at_once"],
        stages=tuple(
            Stage(
                name=stage["name"],
                percent=stage["percent"],
                ring=Ring(stage["ring"]),
                soak=timedelta(seconds=stage["soak_s"]),
                success_percent=stage["success_percent"],
                error_percent=stage["error_percent"],
                approval=stage["approval"],
            )
            for stage in told["stages"]
        ),
    )


def add_steps(conn: Connection[Any], rollout: Rollout, stages: dict[Place, int], *, now: datetime) -> None:
    """Write the steps in their stages, by place. Raises UniqueViolation where another rollout holds one of them."""
    places = sorted(stages)
    _queries.add_steps(
        conn,
        rollout_id=rollout.id,
        artifact=rollout.artifact.kind,
        name=rollout.artifact.name,
        node_id=[node_id for node_id, _ in places],
        device=[device for _, device in places],
        stage=[stages[place] for place in places],
        changed_at=now,
    )


def holders(conn: Connection[Any], rollout: Rollout, places: Sequence[Place]) -> list[tuple[UUID, str]]:
    """Other live rollouts of the artifact that have any of these nodes, by id and title."""
    rows = _queries.holders(
        conn, artifact=rollout.artifact.kind, name=rollout.artifact.name, **columns(places), except_id=rollout.id
    )
    return [(row.id, row.title) for row in rows]


def held(conn: Connection[Any], rollout: Rollout, places: Sequence[Place]) -> frozenset[Place]:
    """Which of these a live rollout of the artifact has."""
    artifact = rollout.artifact
    rows = _queries.held_nodes(conn, artifact=artifact.kind, name=artifact.name, **columns(places))
    return frozenset((row.node_id, row.device) for row in rows)


def hold(conn: Connection[Any], rollout_id: UUID, *, holds: bool) -> None:
    """Keep other rollouts from the nodes, or let go of them. Raises UniqueViolation."""
    _queries.hold(conn, rollout_id=rollout_id, holds=holds)


def turnable(conn: Connection[Any], rollout_id: UUID, *, count: int | None = None) -> frozenset[Place]:
    """Nodes and devices of a rollout that is over, which were asked by it and are no later one's since; at most so many."""
    rows = _queries.turnable(conn, rollout_id=rollout_id, count=count)
    return frozenset((row.node_id, row.device) for row in rows)


def steps(
    conn: Connection[Any], rollout_id: UUID, states: Iterable[StepState] | None = None
) -> list[tuple[Step, Facts]]:
    """The steps of a rollout (in some states) with what is known of their nodes, by node."""
    named = None if states is None else [state.value for state in states]
    return [(_step(row), _facts(row)) for row in _queries.steps(conn, rollout_id=rollout_id, states=named)]


def _step(row: Any) -> Step:
    return Step(
        rollout_id=row.rollout_id,
        node_id=row.node_id,
        node=row.node,
        stage=row.stage,
        state=StepState(row.state),
        changed_at=row.changed_at,
        reason=row.reason,
        detail=row.detail,
        failure=row.failure,
        previous=_announced(row.previous_version, row.previous_sha256),
        order=row.desired_id,
        sent_at=row.sent_at,
        was_sent=row.was_sent,
        announced_at=row.announced_at,
        session=row.step_session,
        restarts=row.restarts,
        ill_since=row.ill_since,
        degraded_before=frozenset(row.degraded_before),
        device=row.device,
    )


def _facts(row: Any) -> Facts:
    is_present, since = row.presence == "online", row.presence_since
    if row.device and is_present and row.state not in _AT_IT:
        is_present, since = row.device_presence in _THERE, row.device_presence_since
    return Facts(
        is_present=is_present,
        presence_since=since,
        session=None if row.device else row.session,  # that the node starts anew says nothing of its device
        announced=_announced(row.running_version, row.running_sha256),
        report=None if row.told_id is None else Report(row.told_id, row.told_state, row.told_code, row.told_reason),
        degraded=frozenset(row.degraded),
        health_at=row.health_at,
    )


_THERE: Final = frozenset({"online", "degraded"})
_AT_IT: Final = frozenset({*(state.value for state in WORKING), StepState.REVERTING.value})
"""A device that installs something is away for as long as that takes: meanwhile its node is who has to be there."""


def _announced(version: str | None, sha256: str | None) -> Announced | None:
    return None if version is None or sha256 is None else Announced(version, sha256)


def save_steps(conn: Connection[Any], changed: Iterable[Step]) -> None:
    """Write steps, in the order of their nodes."""
    for step in sorted(changed, key=lambda each: each.place):
        previous = step.previous
        _queries.save_step(
            conn,
            rollout_id=step.rollout_id,
            node_id=step.node_id,
            device=step.device,
            state=step.state.value,
            changed_at=step.changed_at,
            reason=step.reason,
            detail=step.detail,
            failure=step.failure,
            previous_version=None if previous is None else previous.version,
            previous_sha256=None if previous is None else previous.sha256,
            desired_id=step.order,
            was_sent=step.was_sent,
            announced_at=step.announced_at,
            session=step.session,
            restarts=step.restarts,
            ill_since=step.ill_since,
            degraded_before=sorted(step.degraded_before),
        )


def tallies(conn: Connection[Any], rollouts_asked: Sequence[Rollout]) -> dict[UUID, list[Tally]]:
    """How the nodes of each stage stand."""
    counts: dict[UUID, list[Counter[StepState]]] = {
        each.id: [Counter() for _ in each.plan.stages] for each in rollouts_asked
    }
    meanwhile: Counter[tuple[UUID, int]] = Counter()
    for row in _queries.tallies(conn, rollout_ids=list(counts)):
        counts[row.rollout_id][row.stage][StepState(row.state)] = row.nodes
        meanwhile[row.rollout_id, row.stage] += row.meanwhile
    return {
        found: [Tally(MappingProxyType(each), meanwhile[found, number]) for number, each in enumerate(stages)]
        for found, stages in counts.items()
    }


def failures(conn: Connection[Any], rollout_id: UUID) -> list[tuple[str, int, str]]:
    """Why nodes failed or could not be turned back, how many for each reason, and the name of one."""
    return [(row.reason, row.nodes, row.example) for row in _queries.failures(conn, rollout_id=rollout_id)]


def steps_page(
    conn: Connection[Any],
    rollout_id: UUID,
    *,
    scope: str,
    state: StepState | None,
    after: tuple[str, str],
    count: int,
) -> list[Any]:
    """Steps of nodes in scope, by the name of the node, as rows of the API."""
    return list(
        _queries.steps_page(
            conn,
            rollout_id=rollout_id,
            scope=scope,
            state=None if state is None else state.value,
            after=after[0],
            after_device=after[1],
            count=count,
        )
    )


def supersede(
    conn: Connection[Any], rollout: Rollout, places: Sequence[Place], *, now: datetime
) -> list[tuple[UUID, str, str]]:
    """End what earlier rollouts that are over still waited for there: (rollout, node, device) of each."""
    rows = _queries.supersede(
        conn,
        **columns(places),
        artifact=rollout.artifact.kind,
        name=rollout.artifact.name,
        except_id=rollout.id,
        now=now,
    )
    return [(row.rollout_id, row.node, row.device) for row in rows]


def add_events(
    conn: Connection[Any], rollout_id: UUID, events: Sequence[Event], *, now: datetime, actor_name: str | None = None
) -> None:
    """Write down what happened, in order."""
    if not events:
        return
    _queries.add_events(
        conn,
        rollout_id=rollout_id,
        at=now,
        node=[event.node for event in events],
        device=[event.device for event in events],
        before=[event.before for event in events],
        after=[event.after for event in events],
        reason=[event.reason for event in events],
        detail=[event.detail for event in events],
        actor_name=actor_name,
    )


def events(
    conn: Connection[Any], rollout_id: UUID, *, node: str | None = None, after: int | None = None, count: int = 100
) -> list[Any]:
    """What happened, the newest first, as rows of the API."""
    return list(_queries.events(conn, rollout_id=rollout_id, node=node, after=after, count=count))
