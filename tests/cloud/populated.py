"""A cloud with something in every table and in its evidence store, made by the program itself: what backups and upgrades keep."""

import contextlib
import hashlib
import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from psycopg import Connection, sql

from cloud.access import accounts
from cloud.access.accounts import SignIn
from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases.model import CaseAction, DismissalReason
from cloud.commands import service as commands
from cloud.correlate import absence
from cloud.db.pool import Pool, open_pool
from cloud.enrolment import service as enrolment
from cloud.enrolment import store as enrolment_rows
from cloud.errors import NotSignedIn
from cloud.evidence import service as evidence
from cloud.evidence.files import EvidenceFiles
from cloud.fleet import service as fleet
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from cloud.maintenance import labels
from cloud.maintenance import orders as work_orders
from cloud.maintenance.model import OrderAction
from cloud.rollouts import artifact_store, artifacts, orders
from cloud.rollouts import service as rollouts
from cloud.rollouts.advance import advance_all
from cloud.rollouts.model import Plan, RolloutAction, Stage
from cloud.rollouts.service import Draft
from cloud.telemetry import service as telemetry
from edge.contract.artifacts import RunningArtifact, StepReport
from edge.contract.birth import Device, PresenceState, Spot
from edge.contract.downlink import CommandName
from edge.contract.envelope import Lane
from edge.contract.fields import uuid7
from edge.contract.incident import EvidenceKind, EvidenceReference, Incident, IncidentState, Severity
from edge.contract.telemetry import ReadingFlag, StateChange
from edge.contract.view import CameraView, SightCount
from firmware_configs.signature import ArtifactClass, Signature
from tests.cloud.enrolment.machines import Machine
from tests.cloud.samples import GRID, PASSWORD, add_person, principal, take_in_areas
from tests.fakes.node import AT, DISTRICT, FakeNode, batch, birth, column, gap, incident, sensor

PICTURES = tuple(b"\xff\xd8\xff\xe0" + bytes([number]) * 4_000 + b"\xff\xd9" for number in range(6))
"""What the store holds; of the last one the upload has not ended."""

CAMERA = Device(id="cam-1", kind="camera", name="Gate · 大门", spot="gate", points=())


STORED_FILES = len(PICTURES)
"""In the store: the pictures but for the last, and a profile."""


@dataclass(frozen=True)
class Populated:
    """Such a cloud, and the node that reported most."""

    url: str
    files: EvidenceFiles
    store: Path
    node: FakeNode


def populate(database_url: str, evidence_url: str, scratch: Path) -> FakeNode:
    """Fill an empty cloud; the node that reported most comes back, to go on reporting."""
    pool = open_pool(database_url, size=4)
    try:
        node = FakeNode()
        with pool.connection() as conn:
            take_in_areas(conn)
            for name in (node.name, "station-02"):
                fleet.add_node(conn, name, district=DISTRICT, area_code=GRID, now=AT)
        _report(pool, node)
        _enrol(pool)
        _work(pool)
        _keep(pool)
        _lose(pool)
        _ask(pool, node)
        _store_pictures(pool, EvidenceFiles(evidence_url), scratch)
        _roll_out(pool, EvidenceFiles(evidence_url), scratch, node)
    finally:
        pool.close()
    return node


VIEWS = (
    CameraView(camera="cam-1", captured_at=AT, counts=(SightCount(label="person", count=2, zone="lane"),)),
    CameraView(camera="cam-2", absence="camera_lost"),
)


def picture(number: int) -> EvidenceReference:
    content = PICTURES[number]
    return EvidenceReference(
        sha256=hashlib.sha256(content).hexdigest(),
        kind=EvidenceKind.SNAPSHOT,
        mime="image/jpeg",
        bytes=len(content),
        captured_at=AT,
    )


def _incident(number: int, revision: int = 1, **fields: Any) -> Incident:
    at = AT + timedelta(minutes=number)
    return incident(
        uuid7(number, random_bytes=bytes),
        revision=revision,
        started_at=at,
        updated_at=at + timedelta(seconds=revision),
        device="cam-1",
        **fields,
    )


def _report(pool: Pool, node: FakeNode) -> None:
    """Readings of three months, states, gaps, incidents; and what can't be taken, or not yet."""
    writer = Writer(pool, lambda _: False, clock=lambda: AT)
    spots = (Spot(id="shed", name="车棚 'A'", cameras=("cam-1",)),)
    writer.settle([node.item(birth(sensor("sensor-01", "temperature", "door"), CAMERA, spots=spots))])
    writer.settle([FakeNode("station-02").status(PresenceState.ONLINE)])
    draw = random.Random(7)  # noqa: S311  # figures for a test
    for day in range(0, 60, 3):
        begin = AT - timedelta(days=day)
        values = [round(draw.uniform(-40, 60), 3) for _ in range(30)] + [0.1 + 0.2, 1e-300, -0.0]
        writer.settle([node.item(batch(column(values, begin=begin), skew_s=0.25), lane=Lane.HISTORY)])
    writer.settle([node.item(batch(column([float(n) for n in range(90)])))])
    corrected = column([20.5], flag=[ReadingFlag.CORRECTION])
    states = [
        StateChange(device="sensor-01", point="door", observed_at=AT, value="open"),
        StateChange(device="sensor-01", point="door", observed_at=AT + timedelta(seconds=9), value="to\t\\N\n关"),
    ]
    writer.settle([node.item(batch(corrected, changes=states)), node.item(gap())])
    telemetry.roll_up(pool)
    writer.settle([node.item(batch(column([3.5] * 5, begin=AT - timedelta(hours=5))))])  # noted, not rolled up yet
    writer.open_partitions()
    with pool.connection() as conn:
        conn.execute(
            "insert into touched_hour select series_id, date_bin('1 hour', bucket_at, 'epoch') from touched_minute"
        )
    writer.settle([node.health(readings=3)])
    _report_incidents(writer, node)
    stranger = FakeNode("nobody-knows-me")
    writer.settle([stranger.item(birth()), stranger.item(batch(column([1.0])))])
    writer.settle([node.item(batch(column([1.0], device="not-declared")))])
    broken = node.arrival(node.envelope(batch(column([2.0]))))
    writer.settle([read(type(broken)(broken.topic, b'{"v": 1, "id": "\xff\x00', broken.received_at))])


def _report_incidents(writer: Writer, node: FakeNode) -> None:
    found = [
        _incident(0, evidence=(picture(0), picture(1)), note='O\'Brien \\ "大门"'),
        _incident(0, 2, state=IncidentState.UPDATE, evidence=(picture(0), picture(1)), confidence=0.75),
        _incident(0, 3, state=IncidentState.ENDED, ended_at=AT + timedelta(seconds=3)),
        _incident(1, severity=Severity.CRITICAL, kind="fire", category="fire_safety", evidence=(picture(2),)),
        _incident(60, kind="loitering", severity=Severity.LOW, dwell_s=61.25, evidence=(picture(3), picture(4))),
        _incident(61, kind="crowd", count=12, evidence=(picture(5),), views=VIEWS, fault="smoke", raw_code="\\N\t'7"),
        _incident(62, kind="camera_trouble", category="maintenance", point="covered", note="lens"),
    ]
    for one in found:
        writer.settle([node.item(one, lane=Lane.INCIDENT)])


def _enrol(pool: Pool) -> None:
    """A node that came with a key of its own, a claim that nobody used, a key that signs commands."""
    with pool.connection() as conn:
        claim = enrolment.make_claim(conn, "station-03", area_code=GRID, now=AT)
        enrolment.make_claim(conn, "station-04", area_code=GRID, now=AT, trusts_births=True)
        enrolment_rows.use_command_key(conn, bytes(range(32)), AT)
    machine = Machine()
    machine.enrol(pool, claim.code, AT)
    machine.renew(pool, "station-03", AT)
    writer = Writer(pool, lambda _: False, clock=lambda: AT)
    writer.settle([FakeNode("station-03").item(birth(sensor("sensor-03", "humidity")))])


def _work(pool: Pool) -> None:
    """People who sign in and act on cases."""
    with pool.connection() as conn:
        chief = principal(conn, "chief", Role.DUTY_CHIEF)
        worker = principal(conn, "worker", Role.GRID_WORKER)
        add_person(conn, "admin", Role.ADMINISTRATOR, None)
    attempt = SignIn(name="chief", password="wrong", address="192.0.2.1", agent="browser")
    with contextlib.suppress(NotSignedIn):
        accounts.sign_in(pool, attempt, clock=lambda: AT, lasts_s=60)
    with pool.connection() as conn:
        confirmed = cases.Order(action=CaseAction.CONFIRM, version=_version(conn, chief, 1), note="seen")
        cases.act(conn, chief, 1, confirmed, now=AT, address="192.0.2.1")
        dismissed = cases.Order(
            action=CaseAction.DISMISS, version=_version(conn, chief, 2), reason=DismissalReason.WEATHER, note="steam"
        )
        cases.act(conn, chief, 2, dismissed, now=AT, address="192.0.2.1")
        accounts.disable(conn, worker.name, now=AT)


def _keep(pool: Pool) -> None:
    """An order that somebody has, and a label on the device."""
    with pool.connection() as conn:
        mender = principal(conn, "mender", Role.MAINTAINER)
        (order,) = work_orders.page(conn, work_orders.OrderFilter(area_path=""), before=None, count=2)
        given = work_orders.OrderRequest(action=OrderAction.ASSIGN, version=order.version, note="带 梯子\t!")
        work_orders.act(conn, mender, order.id, given, now=AT, address="192.0.2.1")
        assert order.device.id is not None
        labels.renew_for_device(conn, mender, order.device.id, now=AT, address="192.0.2.1")


def _lose(pool: Pool) -> None:
    """A node that is away."""
    away, writer = FakeNode("station-03"), Writer(pool, lambda _: False, clock=lambda: AT)
    for state in (PresenceState.ONLINE, PresenceState.OFFLINE):
        writer.settle([away.status(state)])
    with pool.connection() as conn:
        absence.sweep(conn, now=AT + timedelta(minutes=5))


def _ask(pool: Pool, node: FakeNode) -> None:
    """A command that was answered, and one that runs."""
    writer = Writer(pool, lambda _: False, clock=lambda: AT)
    writer.settle([node.status(PresenceState.ONLINE)])
    with pool.connection() as conn:
        keeper = principal(conn, "keeper", Role.MAINTAINER)
        asked = commands.ask(
            conn,
            CommandName.LOG_TAIL,
            node=node.name,
            actor=keeper,
            now=AT,
            arguments={"lines": 5},
            address="192.0.2.1",
        )
        commands.ask(conn, CommandName.SNAPSHOT, node=node.name, device="cam-1", actor=keeper, now=AT)
    writer.settle([node.answer(asked.id, reason="in \\N part", result={"z": [1.5, "徘\t徊"], "a": None})])


def _version(conn: Connection[Any], user: Principal, case_id: int) -> int:
    return cases.detail(conn, user, case_id).version


def _store_pictures(pool: Pool, files: EvidenceFiles, scratch: Path) -> None:
    scratch.mkdir(parents=True, exist_ok=True)
    with pool.connection() as conn:
        for number, content in enumerate(PICTURES[:-1]):
            source = scratch / f"{number}.jpg"
            source.write_bytes(content)
            files.put(picture(number).sha256, source)
            evidence.mark_stored(conn, "station-01", picture(number).sha256, now=AT)


PROFILE = b"profile: ocpp16_pile\nversion: 1.1.0\nminimum_software: 0.1.0\nsettings: {}\n"


def _roll_out(pool: Pool, files: EvidenceFiles, scratch: Path, node: FakeNode) -> None:
    """A profile that two nodes are to run: one has tried it, the other has not been there."""
    path = scratch / "profile.yaml"
    path.write_bytes(PROFILE)
    signature = Signature(
        artifact=ArtifactClass.PROFILE,
        name="ocpp16_pile",
        version="1.1.0",
        sha256=hashlib.sha256(PROFILE).hexdigest(),
        size_bytes=len(PROFILE),
        signed_at=AT,
        key="0" * 64,
        sig="AAAA",
    )
    with pool.connection() as conn:
        artifact_store.add_artifact(conn, signature, added_by="keeper", now=AT)
        artifact = artifact_store.artifact_of_hash(conn, signature.sha256)
        assert artifact is not None
        artifacts.keep(conn, files, artifact, path, now=AT)
        keeper = principal(conn, "fleet", Role.MAINTAINER)
        plan = Plan(stages=(Stage(name="all", percent=100),))
        made = rollouts.create(conn, Draft("桩 1.1.0", artifact.id, None, plan), actor=keeper, now=AT)
        rollouts.act(conn, made.id, RolloutAction.START, actor=keeper, now=AT)
    advance_all(pool, now=AT)
    with pool.connection() as conn:
        orders.send(conn, lambda _topic, _payload: True, now=AT)
        [desired] = conn.execute("select desired_id from node_desired where sent_at is not null").fetchone() or [None]
    known = {"artifact": "profile", "name": "ocpp16_pile"}
    report = StepReport(
        desired_id=desired, version="1.1.0", sha256=signature.sha256, state="trying", at=AT, reason="a\tb", **known
    )
    running = RunningArtifact(version="1.0.0", sha256="1" * 64, **known)
    told = birth(sensor("sensor-01", "temperature", "door"), CAMERA, artifacts=(running,), steps=(report,))
    Writer(pool, lambda _: False, clock=lambda: AT).settle([node.item(told)])
    advance_all(pool, now=AT)


Columns = dict[str, list[str]]


def columns_of(conn: Connection[Any]) -> Columns:
    """The columns of every table."""
    found = conn.execute(
        "select relname, array_agg(attname::text order by attnum)"
        " from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped"
        " where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        " and relpersistence = 'p' and not relispartition and relname not like '%yoyo%' group by relname"
    ).fetchall()
    return dict(found)


def rows_of(conn: Connection[Any], columns: Columns | None = None) -> dict[str, list[str]]:
    """Every row of every table (or of these columns) as PostgreSQL writes it, sorted: what databases are compared by."""
    return {
        table: sorted(
            row[0]
            for row in conn.execute(
                sql.SQL("select row({})::text from {}").format(
                    sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(table)
                )
            )
        )
        for table, names in (columns or columns_of(conn)).items()
    }


def has_password(person: str) -> SignIn:
    """How one of the people signs in."""
    return SignIn(name=person, password=PASSWORD, address="192.0.2.2", agent="browser")
