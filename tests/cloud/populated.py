"""A cloud with something in every table and in its evidence store, made by the program itself: what backups and upgrades keep."""

import contextlib
import hashlib
import random
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from cloud.access import accounts, api_keys, audit_chain, camera_access, departments, independence
from cloud.access.accounts import SignIn
from cloud.access.api_keys import KeyScope, KeyWish
from cloud.access.departments import DepartmentKind
from cloud.access.model import Principal, Role
from cloud.access.sight import SightRule
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction, CaseOrigin, DismissalReason
from cloud.commands import service as commands
from cloud.correlate import absence, admission_rules
from cloud.correlate.admission import AdmissionWish
from cloud.db.pool import Pool, open_pool
from cloud.enrolment import service as enrolment
from cloud.enrolment import store as enrolment_rows
from cloud.errors import NotSignedIn
from cloud.escalation import lookahead
from cloud.escalation import sweeps as escalation
from cloud.escalation.roster import Posts
from cloud.evidence import service as evidence
from cloud.evidence.files import EvidenceFiles
from cloud.figures import rolling
from cloud.figures import store as figures
from cloud.fleet import service as fleet
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from cloud.intake import pictures
from cloud.intake import service as intake
from cloud.intake.model import Report
from cloud.intake.service import Arrival
from cloud.maintenance import labels
from cloud.maintenance import orders as work_orders
from cloud.maintenance.model import OrderAction
from cloud.notify import channels, inbox
from cloud.notify.channels import Wish
from cloud.notify.gateway import Gateway
from cloud.notify.model import Preference
from cloud.notify.planner import Planner
from cloud.notify.vault import Vault
from cloud.organisation import duty, exchange, handover, patterns, swaps
from cloud.organisation.duty import ShiftWish
from cloud.organisation.exchange import Intake, TableKind
from cloud.organisation.hours import Span
from cloud.organisation.model import DutyKind
from cloud.proof import linking
from cloud.rollouts import artifact_store, artifacts, orders
from cloud.rollouts import service as rollouts
from cloud.rollouts.advance import advance_all
from cloud.rollouts.model import Plan, RolloutAction, Stage
from cloud.rollouts.service import Draft
from cloud.signing import Signer
from cloud.telemetry import service as telemetry
from cloud.verdicts import settling
from cloud.verdicts import store as verdicts
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
from tests.fakes.pictures import jpeg

PICTURES = tuple(b"\xff\xd8\xff\xe0" + bytes([number]) * 4_000 + b"\xff\xd9" for number in range(6))
"""What the store holds; of the last one the upload has not ended."""

CAMERA = Device(id="cam-1", kind="camera", name="Gate · 大门", spot="gate", points=())


STORED_FILES = len(PICTURES) + 1
"""In the store: the pictures but for the last, a profile, and a picture of somebody who reported."""


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
        _organise(pool)
        _exercise(pool)
        _prove(pool)
        _keep_time(pool)
        _admit(pool, node)
        _judge(pool)
        _keep(pool)
        _lose(pool)
        _ask(pool, node)
        _store_pictures(pool, EvidenceFiles(evidence_url), scratch)
        _report_by_hand(pool, EvidenceFiles(evidence_url))
        _roll_out(pool, EvidenceFiles(evidence_url), scratch, node)
        _tell(pool)
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
        independence.issued(conn, worker.user_id, by=add_person(conn, "admin", Role.ADMINISTRATOR, None), at=AT)
        admin = Principal(1, "admin", "Admin", Role.ADMINISTRATOR, None, "")
        rule = SightRule(owner="traffic", allowed=True, role=Role.AUDITOR)
        camera_access.put(conn, rule, actor=admin, now=AT, address="192.0.2.1")
        api_keys.make(conn, KeyWish(name="hotline", scopes=frozenset({KeyScope.INTAKE}), area_code=GRID), now=AT)
    attempt = SignIn(name="chief", password="wrong", address="192.0.2.1", agent="browser")
    with contextlib.suppress(NotSignedIn):
        accounts.sign_in(pool, attempt, clock=lambda: AT, lasts_s=60)
    with pool.connection() as conn:
        confirmed = Order(action=CaseAction.CONFIRM, version=_version(conn, chief, 1), note="seen")
        cases.act(conn, chief, 1, confirmed, now=AT, address="192.0.2.1")
        dismissed = Order(
            action=CaseAction.DISMISS, version=_version(conn, chief, 2), reason=DismissalReason.WEATHER, note="steam"
        )
        cases.act(conn, chief, 2, dismissed, now=AT, address="192.0.2.1")
        audit_chain.chain(conn)
        audit_chain.seal(conn, Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32)))), now=AT)
        accounts.disable(conn, worker.name, now=AT)


def _admit(pool: Pool, node: FakeNode) -> None:
    """What may not become a case, an incident that became none, and a case that counts what was judged false."""
    with pool.connection() as conn:
        admin = Principal(1, "admin", "Admin", Role.ADMINISTRATOR, None, "")
        wish = AdmissionWish(
            level="grid", kind="two_wheeler", admitted_from=Severity.HIGH, note="社区 'by itself'\t\\N"
        )
        admission_rules.add(conn, admin, wish, now=AT, address="192.0.2.1")
        conn.execute("insert into case_echo (case_id, until, severity) values (2, %s, 'low')", [AT])
    writer = Writer(pool, lambda _: False, clock=lambda: AT)
    writer.settle([node.item(_incident(63, kind="two_wheeler", severity=Severity.LOW), lane=Lane.INCIDENT)])


def _prove(pool: Pool) -> None:
    """Chains of cases, which have grown since; a hold that is over, and a sealed original that somebody asked for."""
    signer = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    with pool.connection() as conn:
        linking.link(conn, signer, now=AT)
        linking.make_checkpoint(conn, signer, now=AT)
        conn.execute(
            "insert into legal_hold (case_id, reason, set_by, set_at, set_in, lifted_by, lifted_at, lift_note)"
            " select 1, '法院 ''12''\t', min(id), %s, '', min(id), %s, 'done' from account",
            [AT, AT],
        )
        conn.execute(
            "insert into unseal_request (case_id, sha256, purpose, asked_by, asked_at, expires_at)"
            " select 1, repeat('0', 64), '报警 \\N', min(id), %s, %s from account",
            [AT, AT],
        )
        conn.execute(
            "insert into sealed_order (node, sha256, wish, ordered_by, ordered_at, next_at)"
            " select e.node, e.sha256, 'keep', (select min(id) from account), %s, %s from evidence e limit 1",
            [AT, AT],
        )


def _keep_time(pool: Pool) -> None:
    """Clocks that have fired, somebody called by a whistle, a day off, and what nobody would hear of."""
    with pool.connection() as conn:
        conn.execute(
            "insert into special_day (day, worked, name, created_at) values ('2030-02-01', false, '春节 O.K.', now())"
        )
    escalation.sweep(pool, now=AT + timedelta(days=2), roster=Posts())
    with pool.connection() as conn:
        lookahead.sweep(conn, Posts(), now=AT, zone=ZoneInfo("Asia/Shanghai"))
        conn.execute(
            "insert into whole_firing select case_id, 1, 0, 'amber', null, amber_at, amber_at from whole_clock"
            " order by case_id limit 1 on conflict do nothing"
        )


def _organise(pool: Pool) -> None:
    """Sites, an estate, a team; shifts that come again, one that is to be swapped and one that was handed over."""
    zone = ZoneInfo("Asia/Shanghai")
    with pool.connection() as conn:
        departments.add(conn, code="property-1", name="物业 'A'", kind=DepartmentKind.PROPERTY, now=AT)
        day, next_one = (principal(conn, name, Role.GRID_WORKER) for name in ("day", "next"))
        for kind, text in (
            (TableKind.SITES, f"code,kind,name,area,hours\nS1,station,=驿站\\N,{GRID},1-5 08:00-20:00\n"),
            (TableKind.ESTATES, f"code,name,area,property\nE1,望春园,{GRID},property-1\n"),
            (TableKind.BUILDINGS, f"estate,code,name,area,floors\nE1,1,1号楼,{GRID},18\n"),
            (TableKind.MEMBERS, f"area,kind,name,account\n{GRID},lead,李明,day\n"),
            (TableKind.COVERS, f"area,level,kind,hours\n{GRID},grid,grid_worker,24/7\n"),
            (
                TableKind.PATTERNS,
                f"account,area,kind,weekdays,begins,lasts_min,first_day\nday,{GRID},grid_worker,1-7,00:00,720,{AT:%Y-%m-%d}\n",
            ),
        ):
            report = exchange.take_in_csv(conn, kind, text.encode(), Intake(now=AT, zone=zone))
            assert report.taken, report.problems
        patterns.expand(conn, now=AT, zone=zone)
        coming = duty.shifts(conn, "", Span(AT, AT + timedelta(days=9)), account_id=day.user_id)[-1]
        swaps.ask(conn, day, coming.id, asked_of=next_one.user_id, note="Mother's 生日", now=AT)
        worked = ShiftWish(
            account_id=day.user_id,
            area_code=GRID,
            kind=DutyKind.SITE_KEEPER,
            from_at=AT - timedelta(hours=1),
            until_at=AT + timedelta(hours=1),
        )
        shift = duty.add_shift(conn, worked, now=AT - timedelta(hours=1))
        told = handover.hand_over(conn, day, shift.id, to=next_one.user_id, note="keys\tin 'A'", now=AT)
        handover.take(conn, next_one, told.id, now=AT)


def _exercise(pool: Pool) -> None:
    """A drill with all that belongs to one, and the record of a change of shift with a remark."""
    with pool.connection() as conn:
        for statement in (
            (
                "insert into drill (name, purpose, area_code, area_path, reports, channels, started_at, started_by, planned_end_at)"
                " select '演练 ''A''', 'spring\t', '110105', '110105/', true, false, %(at)s, min(id), %(at)s + interval '1 hour' from account"
            ),
            "insert into drill_source (drill_id, node, device) select id, 'station-01', 'cam-1' from drill",
            "insert into drill_department (drill_id, department_id) select d.id, p.id from drill d, department p limit 1",
            "insert into drill_leaver (drill_id, node, device, left_at) select id, 'station-01', 'cam-1', %(at)s from drill",
            "insert into drill_step (drill_id, at, action, note) select id, %(at)s, 'started', '第一次 \\N' from drill",
            (
                "insert into shift_record (shift_id, area_code, area_path, kind, ends_at, due_at, giver_id, drawn_at, contents, sha256,"
                " words, given_at, given_session, taker_id, taken_at, taken_session)"
                " select s.id, s.area_code, '110105/', s.kind, s.until_at, s.until_at, s.account_id, %(at)s, '{\"open\":[\"未结\"]}',"
                " sha256('x'), '交接 ''ok''', %(at)s, 1, (select max(id) from account where id <> s.account_id), %(at)s, 2"
                " from duty_shift s order by s.id limit 1"
            ),
            "insert into shift_remark (record_id, at, actor_id, note) select id, %(at)s, giver_id, 'added\tlater' from shift_record",
        ):
            conn.execute(statement.encode(), {"at": AT})


def _judge(pool: Pool) -> None:
    """Verdicts, one that is still to be made, and a proposal for a rule."""
    settling.sweep(pool)
    with pool.connection() as conn:
        conn.execute("insert into verdict_due (case_id) select case_id from incident_verdict limit 1")
        proposal = {
            "node": "station-01",
            "device": "cam-1",
            "device_kind": "camera",
            "area_path": "110105/",
            "rule": "loitering-gate",
            "kind": "loitering",
            "becomes": None,
            "zone": "gate",
            "point": None,
            "severity": "high",
            "category": "public_order",
            "setting": "limit_s",
            "measure": "dwell_s",
            "side": "above",
            "from_value": 60.0,
            "to_value": 90.5,
            "figures": Jsonb({"saved": 12, "lost_cases": []}),
            "note": "雨 'rain'\t\\N",
        }
        someone = conn.execute("select min(id) from account").fetchone()
        assert someone is not None
        verdicts.insert_proposal(conn, **proposal, proposed_by=someone[0], proposed_at=AT)
        while rolling.settle(conn, zone=ZoneInfo("Asia/Shanghai")):
            pass
        conn.execute("insert into figure_due (case_id) select id from grid_case limit 1")
        conn.execute("insert into figure_fill (id, next_day) values (1, '2026-03-01') on conflict do nothing")
        conn.execute(
            "insert into figure_aside (id, case_id, noted_at, error) select 7, id, opened_at, 'ä' from grid_case limit 1"
        )
        conn.execute("insert into report_view select id, true from grid_case limit 1 on conflict do nothing")
        conn.execute(
            "insert into whole_stop (case_id, due_at, stopped_at) select case_id, due_at, due_at from whole_clock"
        )
        figures.insert_weights(
            conn, weights={"closed": 1.0}, least_cases=5, note="数量优先", made_at=AT, made_by=someone[0]
        )


def _tell(pool: Pool) -> None:
    """Somebody with wishes and a channel, what he was told, and what is still to be told."""
    with pool.connection() as conn:
        chief = principal(conn, "told", Role.DUTY_CHIEF)
        wanted = Preference(quiet_from=time(22), quiet_to=time(6, 30), digest_min=20, language="zh")
        inbox.prefer(conn, chief, wanted, now=AT)
        gateway = Gateway.of("https://sms.example.org/", "13800138000", "secret")
        wish = Wish.gateway(gateway, label="短信 'SMS'\t\\N", place=1)
        channels.add(conn, Vault(bytes(32)), chief, chief.user_id, wish, now=AT)
    Planner(pool, ZoneInfo("Asia/Shanghai"), lambda _conn, _path, _at: {chief.user_id}).look(AT)
    with pool.connection() as conn:
        conn.execute("insert into notice_due (case_event_id) select max(id) from case_event")


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
    return cases.detail(conn, user, case_id, now=AT).version


def _store_pictures(pool: Pool, files: EvidenceFiles, scratch: Path) -> None:
    scratch.mkdir(parents=True, exist_ok=True)
    with pool.connection() as conn:
        for number, content in enumerate(PICTURES[:-1]):
            source = scratch / f"{number}.jpg"
            source.write_bytes(content)
            files.put(picture(number).sha256, source)
            evidence.mark_stored(conn, "station-01", picture(number).sha256, now=AT)


def _report_by_hand(pool: Pool, files: EvidenceFiles) -> None:
    """What a resident asked for, with a picture."""
    content = jpeg(3_000)
    with pool.connection() as conn:
        clerk = principal(conn, "clerk", Role.INTAKE_CLERK)
        wanted = Report(
            origin=CaseOrigin.REQUEST,
            category_code="E0602",
            title="水管 'drips'\t\\N",
            description="since\nyesterday",
            area_code=GRID,
            address="7 号楼",
            occurred_at=AT,
            sent_at=AT,
            external_id="12345-1",
        )
        taken = intake.take_in(
            conn, intake.of_person(clerk), wanted, Arrival("key-1", AT, ZoneInfo("Asia/Shanghai"), "x")
        )
        sent = hashlib.sha256(content).hexdigest()
        pictures.keep(conn, files, clerk, taken.id, sent_sha256=sent, content=content, now=AT)
        chief = Principal(1, "admin", "Admin", Role.ADMINISTRATOR, None, "")
        told = departments.add(conn, code="volunteers", name="志愿队", kind=DepartmentKind.TEAM, now=AT)
        steps: tuple[tuple[Principal, CaseAction, dict[str, Any]], ...] = (
            (clerk, CaseAction.PUBLISH, {}),
            (chief, CaseAction.DISPATCH, {"department": told}),
            (chief, CaseAction.ACCEPT, {}),
            (chief, CaseAction.ASK_EXTENSION, {"note": "a part\tis missing", "until": AT + timedelta(days=2)}),
        )
        for who, action, given in steps:
            order = Order(action=action, version=_version(conn, chief, taken.case_id), **given)
            cases.act(conn, who, taken.case_id, order, now=AT, address="192.0.2.1")


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
