"""A fleet that speaks the wire of rollouts: nodes that obey, fail, hang, die in the middle, lie, or are away for a week."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import Connection

from cloud.access.model import Principal, Role
from cloud.fleet import service as fleet
from cloud.fleet import store as nodes
from cloud.fleet.model import HealthTold
from cloud.ingest.model import HealthMessage
from cloud.rollouts import advance, artifact_store, births, orders, service, store
from cloud.rollouts.model import Artifact, Plan, Ring, Rollout, RolloutAction, RolloutState, Stage, StepState
from cloud.rollouts.service import Draft
from edge.contract.artifacts import RunningArtifact, StepReport
from edge.contract.artifacts import StepState as Word
from edge.contract.birth import Degradation, NodeStatus, PresenceState
from edge.contract.downlink import DesiredProfile
from edge.contract.envelope import decode
from firmware_configs.semver import Version
from firmware_configs.signature import ArtifactClass, Signature
from tests.cloud.samples import GRID, take_in_areas
from tests.fakes.node import AT, DISTRICT, FakeNode, birth, new_id

NAME = "simulated_pile"
KEY = (ArtifactClass.PROFILE.value, NAME)
MINUTE = timedelta(minutes=1)


class Nature(StrEnum):
    """What a node does with an order for something new. With an order back all do as they are told, but the deaf."""

    GOOD = "good"
    REFUSES = "refuses"
    FAILS = "fails"
    HANGS = "hangs"
    DEAF = "deaf"
    DIES = "dies"
    SAYS_ONLY = "says_only"
    OTHER_BYTES = "other_bytes"
    ILL = "ill"
    SILENT = "silent"
    GOES_BACK = "goes_back"
    FALLS_BACK = "falls_back"
    """Announces it, and then what it ran before, without a word."""
    RESTARTS = "restarts"


SOUND = frozenset({Nature.GOOD})
"""Only these may ever be called a success."""


def digest(name: str, version: str) -> str:
    return hashlib.sha256(f"{name} {version}".encode()).hexdigest()


def signature(version: str, name: str = NAME) -> Signature:
    """A statement that nobody signed: who trusts it is another matter."""
    return Signature(ArtifactClass.PROFILE, name, version, digest(name, version), 100, AT, "0" * 64, "AAAA")


@dataclass
class SimulatedNode:
    """One node. It acts when it is told to, a step at a time."""

    fake: FakeNode
    node_id: int
    nature: Nature = Nature.GOOD
    is_present: bool = True
    running: RunningArtifact | None = None
    before: RunningArtifact | None = None
    report: StepReport | None = None
    inbox: list[DesiredProfile] = field(default_factory=list)
    order: DesiredProfile | None = None
    newest: datetime | None = None
    is_ill: bool = False
    was_told: list[DesiredProfile] = field(default_factory=list)
    health_seq: int = 0
    ran: list[tuple[datetime, RunningArtifact | None, Nature]] = field(default_factory=list)
    """What it said that it runs, from when on, and what kind of node it was then."""

    def hear(self, desired: DesiredProfile) -> None:
        assert desired.node == self.fake.name
        assert desired.issued_at is not None
        known = {each.desired_id: each for each in self.was_told}
        if desired.desired_id in known:
            assert known[desired.desired_id] == desired, "an order never changes"
        else:
            assert all(each.issued_at is None or each.issued_at < desired.issued_at for each in self.was_told)
            self.was_told.append(desired)
        self.inbox.append(desired)


@dataclass
class Fleet:
    """Nodes, a clock, and a person of each kind."""

    conn: Connection[Any]
    chief: Principal
    second: Principal
    nodes: dict[str, SimulatedNode] = field(default_factory=dict)
    now: datetime = AT
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    deaf_broker: bool = False
    revoked: dict[str, str] = field(default_factory=dict)
    """Names of revoked keys by fingerprint."""

    # --- what people do

    def register(self, version: str) -> Artifact:
        artifact_store.add_artifact(self.conn, signature(version), added_by="keeper", now=self.now)
        found = artifact_store.artifact_of_version(self.conn, *KEY, version)
        assert found is not None
        artifact_store.mark_stored(self.conn, found.sha256, now=self.now)
        self.artifacts[version] = replace(found, stored_at=self.now)
        return self.artifacts[version]

    def draft(self, version: str, *stages: Stage, **more: Any) -> Rollout:
        plan = Plan(stages=stages or (Stage(name="all", percent=100),), **more.pop("plan", {}))
        draft = Draft(f"to {version}", self.artifacts[version].id, None, plan, **more)
        return service.create(self.conn, draft, actor=self.chief, now=self.now)

    def start(self, version: str, *stages: Stage, **more: Any) -> UUID:
        rollout = self.draft(version, *stages, **more)
        self.act(rollout.id, RolloutAction.START)
        return rollout.id

    def act(self, rollout_id: UUID, action: RolloutAction, *, by: Principal | None = None) -> Rollout:
        return service.act(self.conn, rollout_id, action, actor=by or self.chief, now=self.now)

    # --- what the cloud does

    def sweep(self) -> None:
        for rollout_id in store.live_ids(self.conn):
            advance.advance(self.conn, rollout_id, now=self.now, revoked=self.revoked)
        for rollout_id in store.ended_ids(self.conn, 100):
            advance.note_late(self.conn, rollout_id, now=self.now, revoked=self.revoked)

    def send(self) -> int:
        return orders.send(self.conn, self._publish, now=self.now, revoked=self.revoked)

    def _publish(self, topic: str, payload: bytes) -> bool:
        if self.deaf_broker:
            return False
        desired = decode(payload, DesiredProfile)
        assert topic == f"gw/1/{DISTRICT}/{desired.node}/down/desired"
        self.nodes[desired.node].hear(desired)
        return True

    # --- what nodes do

    def add(
        self, name: str, nature: Nature = Nature.GOOD, *, version: str | None = "1.0.0", ring: Ring | None = None
    ) -> SimulatedNode:
        fleet.add_node(self.conn, name, district=DISTRICT, area_code=GRID, now=AT)
        [row] = nodes.nodes_by_name(self.conn, [name])
        node = SimulatedNode(FakeNode(name), row.id, nature)
        node.running = None if version is None else running(version)
        self.nodes[name] = node
        if ring is not None:
            service.set_ring(self.conn, name, ring, actor=self.chief)
        self.come(node)
        return node

    def come(self, node: SimulatedNode) -> None:
        """A start: a new session, told before its birth."""
        node.is_present = True
        node.fake.session = new_id()
        self._status(node, PresenceState.ONLINE)
        self.tell(node)
        self.tell_health(node)

    def go(self, node: SimulatedNode) -> None:
        node.is_present = False
        node.inbox.clear()
        self._status(node, PresenceState.OFFLINE)

    def _status(self, node: SimulatedNode, state: PresenceState) -> None:
        status = NodeStatus(node=node.fake.name, session=node.fake.session, state=state, at=self.now)
        fleet.apply_status(self.conn, node.node_id, status, now=self.now)

    def tell(self, node: SimulatedNode) -> None:
        """Its birth, as ingest takes it."""
        degraded = (
            (Degradation(subject="pile-7", reason="no_link", detail="it does not answer", since=AT),)
            if node.is_ill
            else ()
        )
        said = birth(
            artifacts=() if node.running is None else (node.running,),
            steps=() if node.report is None else (node.report,),
            degraded=degraded,
        )
        fleet.apply_birth(self.conn, node.node_id, node.fake.envelope(said), now=self.now)
        births.take(self.conn, node.node_id, said, at=self.now)
        node.ran.append((self.now, node.running, node.nature))

    def tell_health(self, node: SimulatedNode) -> None:
        node.health_seq += 1
        item = node.fake.health(node.health_seq, at=self.now)
        assert isinstance(item, HealthMessage)
        fleet.keep_health(self.conn, [HealthTold(node.node_id, item.health, self.now)])

    def wait(self, span: timedelta) -> None:
        """Time passes; nodes tell how they are."""
        self.now += span
        for node in self.nodes.values():
            is_silent = node.nature is Nature.SILENT and node.order is not None and not node.order.roll_back
            if node.is_present and not is_silent:
                self.tell_health(node)

    def work(self, node: SimulatedNode) -> None:
        """One step of a node that is present: what it was told, then on with it."""
        if not node.is_present:
            return
        while node.inbox:
            self._take(node, node.inbox.pop(0))
        if node.order is None or node.report is None:
            if (
                node.nature is Nature.RESTARTS
                and node.order is None
                and node.report is not None
                and self._runs_new(node)
            ):
                self.go(node)
                self.come(node)
            elif node.nature is Nature.FALLS_BACK and node.order is None and self._runs_new(node):
                node.running, node.before = node.before, None
                self.tell(node)
            return
        self._go_on(node, node.order, node.report)

    def _runs_new(self, node: SimulatedNode) -> bool:
        last = node.was_told[-1] if node.was_told else None
        return (
            last is not None
            and not last.roll_back
            and node.running is not None
            and node.running.version == last.version
        )

    def _take(self, node: SimulatedNode, desired: DesiredProfile) -> None:
        if node.nature is Nature.DEAF or desired.issued_at is None:
            return
        if node.newest is not None and desired.issued_at < node.newest:
            return
        if (
            node.report is not None
            and node.report.desired_id == desired.desired_id
            and (node.order is None or node.nature is Nature.HANGS)
        ):
            return  # an order that ended is not tried again
        node.newest, node.order, node.is_ill = desired.issued_at, desired, False
        self._say(node, desired, Word.FETCHING)
        if node.running == artifact_of(desired):
            self._end(node, desired, Word.APPLIED)

    def _go_on(self, node: SimulatedNode, desired: DesiredProfile, report: StepReport) -> None:
        nature = Nature.GOOD if desired.roll_back else node.nature
        is_lower = node.running is not None and Version.parse(desired.version) < Version.parse(node.running.version)
        if is_lower and not desired.roll_back:
            self._end(node, desired, Word.REFUSED, "downgrade")
        elif nature is Nature.REFUSES:
            self._end(node, desired, Word.REFUSED, "bad_signature")
        elif nature is Nature.FAILS:
            self._end(node, desired, Word.FAILED, "not_fetched")
        elif report.state == Word.FETCHING:
            self._say(node, desired, Word.TRYING)
        elif nature is Nature.DIES:
            self.go(node)
        elif nature is Nature.GOES_BACK:
            self._end(node, desired, Word.ROLLED_BACK, "unhealthy")
        elif nature is Nature.SAYS_ONLY:
            self._end(node, desired, Word.APPLIED)
        elif nature is not Nature.HANGS:
            self._run(node, desired, nature)

    def _run(self, node: SimulatedNode, desired: DesiredProfile, nature: Nature) -> None:
        node.before, node.running = node.running, artifact_of(desired)
        if nature is Nature.OTHER_BYTES:
            node.running = running(desired.version, sha256="f" * 64)
        node.is_ill = nature is Nature.ILL
        if nature is Nature.SILENT:
            self._say(node, desired, Word.APPLIED)
        else:
            self._end(node, desired, Word.APPLIED)

    def _end(self, node: SimulatedNode, desired: DesiredProfile, word: Word, code: str | None = None) -> None:
        node.order = None
        self._say(node, desired, word, code)

    def _say(self, node: SimulatedNode, desired: DesiredProfile, word: Word, code: str | None = None) -> None:
        node.report = StepReport(
            desired_id=desired.desired_id,
            artifact=desired.artifact,
            name=desired.profile,
            version=desired.version,
            sha256=desired.sha256,
            state=word.value,
            code=code,
            at=self.now,
        )
        self.tell(node)

    # --- what one sees

    def told_forward(self) -> int:
        """How many orders to take something new nodes were ever told, each as often as it was told first."""
        turning = {RolloutState.ROLLING_BACK, RolloutState.ROLLED_BACK, RolloutState.FAILED}
        rows = self.conn.execute(
            "select node_desired.desired_id from node_desired left join rollout on rollout.id = node_desired.rollout_id"
            " where not coalesce(rollout.state = any(%s), false)",
            [[state.value for state in turning]],
        ).fetchall()
        forward = {row[0] for row in rows}
        return sum(each.desired_id in forward for node in self.nodes.values() for each in node.was_told)

    def spells(self, node: SimulatedNode) -> list[tuple[RunningArtifact | None, datetime, datetime, Nature]]:
        """What it said that it runs, from when until when, as what kind of node."""
        ends = [*(since for since, _, _ in node.ran[1:]), self.now]
        return [(what, since, until, nature) for (since, what, nature), until in zip(node.ran, ends, strict=True)]

    def rollout(self, rollout_id: UUID) -> Rollout:
        return service.find(self.conn, rollout_id, scope="")

    def states(self, rollout_id: UUID) -> dict[str, StepState]:
        return {step.node: step.state for step, _ in store.steps(self.conn, rollout_id)}

    def live_through(self, span: timedelta, *, every: timedelta = MINUTE) -> None:
        """Everybody does what he does, for a while."""
        until = self.now + span
        while self.now < until:
            self.round(every)

    def round(self, span: timedelta = MINUTE) -> None:
        self.sweep()
        self.send()
        for node in self.nodes.values():
            self.work(node)
        self.wait(span)

    def settle(self, rollout_id: UUID, *states: RolloutState, within: timedelta = timedelta(hours=12)) -> Rollout:
        """Live until the rollout is in one of these states."""
        until = self.now + within
        while self.rollout(rollout_id).state not in states:
            assert self.now < until, (self.rollout(rollout_id), self.states(rollout_id))
            self.round()
        return self.rollout(rollout_id)


def running(version: str, *, sha256: str | None = None) -> RunningArtifact:
    return RunningArtifact(artifact=KEY[0], name=NAME, version=version, sha256=sha256 or digest(NAME, version))


def artifact_of(desired: DesiredProfile) -> RunningArtifact:
    return RunningArtifact(
        artifact=desired.artifact, name=desired.profile, version=desired.version, sha256=desired.sha256
    )


def person(conn: Connection[Any], name: str) -> Principal:
    """Somebody who never signs in: no password is hashed."""
    row = conn.execute(
        "insert into account (name, display_name, role, area_code, password_hash, created_at, password_changed_at)"
        " values (%(name)s, %(name)s, 'maintainer', null, '', %(at)s, %(at)s) returning id",
        {"name": name, "at": AT},
    ).fetchone()
    assert row is not None
    return Principal(row[0], name, name, Role.MAINTAINER, None, "")


def make_fleet(conn: Connection[Any], versions: Iterable[str] = ("1.0.0", "1.1.0", "1.2.0")) -> Fleet:
    take_in_areas(conn)
    made = Fleet(conn, person(conn, "starter"), person(conn, "second"))
    for version in versions:
        made.register(version)
    return made


@contextmanager
def fresh(known: Fleet) -> Iterator[Fleet]:
    """The same people and artifacts, no nodes, and nothing of it stays."""
    with known.conn.transaction(force_rollback=True):
        yield Fleet(known.conn, known.chief, known.second, artifacts=dict(known.artifacts))
