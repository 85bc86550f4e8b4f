"""One of everything that a route can name, all of it in one grid: what a person of another area must not learn of.

Who adds a route whose path names a new kind of thing adds it here: `Things.by_parameter` says what `{shift_id}` is of a real one,
`NOWHERE` of one that does not exist. Words that are told of it and of nothing else stand in `MARKS`.
"""

import hashlib
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.access import api_keys, departments, sessions
from cloud.access.api_keys import KeyScope, KeyWish
from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction, CaseOrigin
from cloud.commands import service as commands
from cloud.correlate import admission_rules
from cloud.correlate.admission import AdmissionWish
from cloud.db.pool import open_pool
from cloud.drills import service as drills
from cloud.drills.model import DrillWish
from cloud.enrolment import service as enrolment
from cloud.ingest.writer import Writer
from cloud.intake import service as intake
from cloud.intake.model import Report
from cloud.intake.service import Arrival
from cloud.maintenance import labels
from cloud.notify import channels
from cloud.notify.channels import Wish
from cloud.notify.vault import Vault
from cloud.organisation import duty, exchange, patterns
from cloud.organisation.duty import ShiftWish
from cloud.organisation.exchange import Intake, TableKind
from cloud.organisation.model import DutyKind
from cloud.organisation.patterns import PatternWish
from cloud.organisation.rota import Pattern
from cloud.rollouts import artifact_store
from cloud.rollouts import service as rollouts
from cloud.rollouts.model import Plan, Stage
from cloud.rollouts.service import Draft
from cloud.verdicts import store as verdicts
from edge.contract.birth import Device, NodeStatus, Point, PresenceState
from edge.contract.downlink import CommandName
from edge.contract.envelope import Lane
from edge.contract.incident import EvidenceKind, EvidenceReference, Severity
from firmware_configs.signature import ArtifactClass, Signature
from tests.cloud.api.conftest import NODE, Cloud
from tests.cloud.samples import GRID, add_person
from tests.fakes.node import FakeNode, batch, birth, column, incident
from tests.fakes.pictures import jpeg

NOW = datetime.now(UTC).replace(microsecond=0)
ELSEWHERE = "110105003"
"""Where those who are outside have their scope."""

PICTURE = jpeg(4_000)
SHA256 = hashlib.sha256(PICTURE).hexdigest()
MARKS = [NODE, "gate-mark", "Gate of marks", SHA256, GRID, "Rollout of marks", "key-of-marks"]
"""What only those who are inside may read anywhere."""

NOWHERE = {
    "report_id": "019530b4-0000-4000-8000-00000000000e",
    "call_id": "9999",
    "channel_id": "9999",
    "account_id": "9999",
    "session_id": "9999",
    "camera": "cam-9",
    "case_id": "9999",
    "claim_id": "9999",
    "code": "110105999",
    "device_id": "9999",
    "drill_id": "9999",
    "record_id": "9999",
    "cover_id": "9999",
    "handover_id": "9999",
    "key_id": "9999",
    "hold_id": "9999",
    "request_id": "9999",
    "key": "0" * 64,
    "kind": "sites",
    "pattern_id": "9999",
    "shift_id": "9999",
    "swap_id": "9999",
    "order_id": "9999",
    "proposal_id": "9999",
    "rule_id": "9999",
    "point": "temperature",
    "node": "node-9",
    "sha256": "0" * 64,
    "whistle_id": "9999",
    "admission_id": "9999",
    "command_id": "019530b4-0000-7000-8000-00000000000c",
    "rollout_id": "019530b4-0000-7000-8000-00000000000d",
}
"""By the name of a route's parameter: one that there is not."""


class Things:
    """Makes one of everything in `GRID`. `by_parameter` is what a route's path names."""

    def __init__(self, cloud: Cloud) -> None:
        self.by_parameter: dict[str, str] = {"point": "temperature", "camera": "gate-mark", "node": NODE, "code": GRID}
        self.marks = list(MARKS)
        self._node = FakeNode(NODE)
        pool = open_pool(cloud.database_url, size=2)
        try:
            with pool.connection() as conn:
                self.admin = person(conn, "admin")
            writer = Writer(pool, lambda _: False, clock=lambda: NOW)
            for make in (self._device, self._case, self._fault):
                make(writer)
            for add in (
                self._propose,
                self._take_up,
                self._whistle,
                self._ask,
                self._roll_out,
                self._enrol,
                self._people,
                self._keys,
                self._admit,
                self._organise,
                self._report,
                self._prove,
                self._exercise,
            ):
                with pool.connection() as conn:
                    add(conn)
        finally:
            pool.close()
        with cloud.node() as node:
            kept = node.put(f"/api/v1/evidence/{SHA256}", content=PICTURE, headers={"Content-Type": "image/jpeg"})
            assert kept.status_code == httpx.codes.CREATED, kept.text
        self.by_parameter["sha256"] = SHA256

    def _exercise(self, conn: Connection[Any]) -> None:
        wish = DrillWish(
            name="drill-of-marks",
            purpose="spring",
            area_code=GRID,
            planned_end_at=datetime.now(UTC) + timedelta(hours=20),
            reports=True,
        )
        drill = drills.start(conn, self.admin, wish, now=datetime.now(UTC), address="test")
        self.by_parameter["drill_id"] = str(drill.id)
        self.marks.append("drill-of-marks")

    def _prove(self, conn: Connection[Any]) -> None:
        names = [self.admin.user_id, NOW, int(self.by_parameter["case_id"])]
        held = "insert into legal_hold (case_id, reason, set_by, set_at, set_in) select id, 'hold-of-marks', %s, %s, area_path from grid_case where id = %s returning id"
        wanted = (
            "insert into unseal_request (case_id, sha256, purpose, asked_by, asked_at, expires_at)"
            " select id, repeat('e', 64), 'original-of-marks', %s, %s, '2999-01-01' from grid_case where id = %s returning id"
        )
        for parameter, statement in (("hold_id", held), ("request_id", wanted)):
            row = conn.execute(statement.encode(), names).fetchone()
            assert row is not None
            self.by_parameter[parameter] = str(row[0])
        self.marks.append("original-of-marks")

    def _report(self, conn: Connection[Any]) -> None:
        wanted = Report(
            origin=CaseOrigin.PATROL,
            category_code="E0101",
            title="Report of marks",
            area_code=GRID,
            external_id="mark-1",
        )
        arrival = Arrival("key-of-a-report", NOW, ZoneInfo("Asia/Shanghai"), "test")
        taken = intake.take_in(conn, intake.of_person(self.admin), wanted, arrival)
        self.by_parameter["report_id"] = str(taken.id)
        self.marks.append("Report of marks")

    def _device(self, writer: Writer) -> None:
        points = (Point(name="temperature", unit="°C", period_s=1.0),)
        gate = Device(id="gate-mark", kind="camera", name="Gate of marks", department="urban_management", points=points)
        writer.settle([self._node.item(birth(gate))])
        status = NodeStatus(node=NODE, session=self._node.session, state=PresenceState.ONLINE, at=NOW)
        writer.settle([self._node.status(status.state)])
        writer.settle([self._node.item(batch(column([20.5], device="gate-mark", begin=NOW - timedelta(minutes=1))))])

    def _case(self, writer: Writer) -> None:
        picture = EvidenceReference(
            sha256=SHA256, kind=EvidenceKind.SNAPSHOT, mime="image/jpeg", bytes=len(PICTURE), captured_at=NOW
        )
        found = incident(
            device="gate-mark",
            severity=Severity.HIGH,
            started_at=NOW - timedelta(minutes=1),
            updated_at=NOW,
            evidence=(picture,),
        )
        writer.settle([self._node.item(found, lane=Lane.INCIDENT)])

    def _fault(self, writer: Writer) -> None:
        found = incident(
            device="gate-mark",
            kind="camera_trouble",
            category="maintenance",
            started_at=NOW - timedelta(minutes=1),
            updated_at=NOW,
        )
        writer.settle([self._node.item(found, lane=Lane.INCIDENT)])

    def _take_up(self, conn: Connection[Any]) -> None:
        self.by_parameter["device_id"] = value(conn, "select id from device where name = 'gate-mark'")
        self.by_parameter["order_id"] = value(conn, "select id from work_order")
        self.by_parameter["case_id"] = value(conn, "select id from grid_case")
        self.marks.append(value(conn, "select number from grid_case"))
        labels.renew_for_device(conn, self.admin, int(self.by_parameter["device_id"]), now=NOW, address="test")
        labels.renew_for_area(conn, self.admin, GRID, now=NOW, address="test")

    def _whistle(self, conn: Connection[Any]) -> None:
        blown = conn.execute(
            "insert into whistle (case_id, level, area_path, blown_at, blown_by)"
            " select id, 'grid', area_path, %s, %s from grid_case where id = %s returning id",
            [NOW, self.admin.user_id, self.by_parameter["case_id"]],
        ).fetchone()
        assert blown is not None
        self.by_parameter["whistle_id"] = str(blown[0])
        conn.execute(
            "insert into whistle_call (whistle_id, account_id, called_at, due_at) values (%s, %s, %s, %s)",
            [blown[0], self.admin.user_id, NOW, NOW + timedelta(hours=1)],
        )
        self.by_parameter["call_id"] = value(conn, "select id from whistle_call")

    def tell_department(self, conn: Connection[Any], code: str) -> None:
        """Have the case dispatched to a department."""
        steps = (
            {"action": CaseAction.CONFIRM},
            {"action": CaseAction.DISPATCH, "department": departments.by_code(conn, code)},
        )
        case_id = int(self.by_parameter["case_id"])
        for step in steps:
            version = cases.detail(conn, self.admin, case_id, now=NOW).version
            order = Order(version=version, note="to be done", **step)
            cases.act(conn, self.admin, case_id, order, now=NOW, address="test")

    def _ask(self, conn: Connection[Any]) -> None:
        asked = commands.ask(
            conn,
            CommandName.DEVICE_ACTION,
            node=NODE,
            device="gate-mark",
            actor=self.admin,
            now=NOW,
            arguments={"action": "stop_charge"},
        )
        self.by_parameter["command_id"] = str(asked.id)

    def _roll_out(self, conn: Connection[Any]) -> None:
        signature = Signature(
            artifact=ArtifactClass.PROFILE,
            name="ocpp16_pile",
            version="1.1.0",
            sha256="1" * 64,
            size_bytes=9,
            signed_at=NOW,
            key="0" * 64,
            sig="AAAA",
        )
        artifact_store.add_artifact(conn, signature, added_by="admin", now=NOW)
        artifact_store.mark_stored(conn, signature.sha256, now=NOW)
        artifact = artifact_store.artifact_of_hash(conn, signature.sha256)
        assert artifact is not None
        plan = Plan(stages=(Stage(name="all", percent=100),))
        made = rollouts.create(conn, Draft("Rollout of marks", artifact.id, GRID, plan), actor=self.admin, now=NOW)
        self.by_parameter["rollout_id"] = str(made.id)

    def _enrol(self, conn: Connection[Any]) -> None:
        made = enrolment.make_claim(conn, "node-of-marks", area_code=GRID, now=NOW)
        self.by_parameter["claim_id"] = str(made.claim.id)
        self.marks.append("node-of-marks")

    def _propose(self, conn: Connection[Any]) -> None:
        path = value(conn, "select area_path from grid_case limit 1")
        columns = {
            "node": NODE,
            "device": "gate-mark",
            "device_kind": "camera",
            "area_path": path,
            "rule": "rule-of-marks",
            "kind": "loitering",
            "becomes": None,
            "zone": "floor",
            "point": None,
            "severity": "high",
            "category": "public_order",
            "setting": "limit_s",
            "measure": "dwell_s",
            "side": "above",
            "note": None,
        }
        made = verdicts.insert_proposal(
            conn,
            **columns,
            from_value=5.0,
            to_value=60.0,
            figures=Jsonb({}),
            proposed_by=self.admin.user_id,
            proposed_at=NOW,
        )
        self.by_parameter["proposal_id"] = str(made)
        self.marks.append("rule-of-marks")

    def _people(self, conn: Connection[Any]) -> None:
        add_person(conn, "person-of-marks", Role.GRID_WORKER, GRID)
        account_id = value(conn, "select id from account where name = 'person-of-marks'")
        self.by_parameter["account_id"] = account_id
        wish = Wish.chat("wecombot://" + "a" * 36, label="channel-of-marks", place=1)
        channel = channels.add(conn, Vault(bytes(32)), self.admin, int(account_id), wish, now=NOW)
        self.by_parameter["channel_id"] = str(channel.id)
        self.marks.append("person-of-marks")

    def _keys(self, conn: Connection[Any]) -> None:
        wish = KeyWish(name="key-of-marks", scopes=frozenset({KeyScope.INTAKE}), area_code=GRID)
        self.by_parameter["key_id"] = str(api_keys.make(conn, wish, now=NOW).key.id)

    def _admit(self, conn: Connection[Any]) -> None:
        wish = AdmissionWish(
            area_code=GRID, kind="kind-of-marks", admitted_from=Severity.HIGH, note="Admission of marks"
        )
        made = admission_rules.add(conn, self.admin, wish, now=NOW, address="test")
        self.by_parameter["admission_id"] = str(made.rule_id)
        self.marks.append("Admission of marks")

    def _organise(self, conn: Connection[Any]) -> None:
        """A site, a team, somebody on duty who hands over, and somebody who wants to swap."""
        intake = Intake(now=NOW, zone=ZoneInfo("Asia/Shanghai"))
        for kind, text in (
            (TableKind.SITES, f"code,kind,name,area\nS1,station,Site of marks,{GRID}\n"),
            (TableKind.ESTATES, f"code,name,area\nE1,Estate of marks,{GRID}\n"),
            (TableKind.BUILDINGS, f"estate,code,name,area\nE1,1,Building of marks,{GRID}\n"),
            (TableKind.MEMBERS, f"area,kind,name\n{GRID},lead,Member of marks\n"),
        ):
            assert exchange.take_in_csv(conn, kind, text.encode(), intake).taken
        worker, lead = person(conn, "worker"), person(conn, "lead")
        times = ((0, 8), (24, 32))
        kept = []
        for begin, end in times:
            wish = ShiftWish(
                account_id=worker.user_id,
                area_code=GRID,
                kind=DutyKind.GRID_WORKER,
                from_at=NOW + timedelta(hours=begin),
                until_at=NOW + timedelta(hours=end),
            )
            kept.append(duty.add_shift(conn, wish, now=NOW).id)
        pattern = Pattern(weekdays=frozenset({1}), begins_at=time(8), lasts_min=60, first_day=NOW.date())
        rule = PatternWish(account_id=worker.user_id, area_code=GRID, kind=DutyKind.SITE_KEEPER, pattern=pattern)
        made = {
            "shift_id": kept[0],
            "pattern_id": patterns.add(conn, rule, now=NOW),
            "cover_id": duty.require_cover(conn, GRID, "grid", DutyKind.GRID_WORKER, "24/7", now=NOW),
        }
        statement = "insert into {} returning id"
        for name, rows, values in (
            (
                "swap_id",
                "duty_swap (shift_id, asked_by, asked_of, status, note, asked_at) values (%s, %s, %s, 'asked', %s, %s)",
                [kept[1], worker.user_id, lead.user_id, "Swap of marks", NOW],
            ),
            (
                "handover_id",
                "duty_handover (shift_id, handed_by, handed_to, note, handed_at) values (%s, %s, %s, %s, %s)",
                [kept[0], worker.user_id, lead.user_id, "Note of marks", NOW],
            ),
            (
                "record_id",
                (
                    "shift_record (shift_id, area_code, area_path, kind, ends_at, due_at, giver_id, drawn_at)"
                    " select s.id, s.area_code, a.path, 'duty_chief', %s, %s, %s, %s from duty_shift s"
                    " join area a on a.code = s.area_code and a.valid_to is null where s.id = %s"
                ),
                [NOW, NOW, worker.user_id, NOW, kept[0]],
            ),
        ):
            row = conn.execute(statement.format(rows).encode(), values).fetchone()
            assert row is not None
            made[name] = row[0]
        self.by_parameter |= {name: str(number) for name, number in made.items()} | {"kind": "sites"}
        self.marks += [f"{what} of marks" for what in ("Site", "Estate", "Building", "Swap", "Note")]


def value(conn: Connection[Any], statement: str) -> str:
    """The one value that a statement answers, as text."""
    row = conn.execute(statement).fetchone()
    assert row is not None
    return str(row[0])


def person(conn: Connection[Any], name: str) -> Principal:
    """Who has an account, as a route sees him."""
    account_id = int(value(conn, f"select id from account where name = '{name}'"))  # noqa: S608
    _, session_id = sessions.start(conn, account_id, now=NOW, lasts_s=60, address="test", agent="")
    session = sessions.refresh(conn, session_id, now=NOW)
    assert session is not None
    return session.principal


def add_people(conn: Connection[Any], prefix: str, area: str | None, *, department: str = "sanitation") -> None:
    """Somebody of each role with this area, as `prefix-role`. Nobody signs in with a password: none is hashed."""
    for role in Role:
        works_for = departments.by_code(conn, department) if role is Role.DEPARTMENT else None
        conn.execute(
            "insert into account (name, display_name, role, area_code, department_id, password_hash, created_at,"
            " password_changed_at) values (%s, %s, %s, %s, %s, '-', %s, %s)",
            [f"{prefix}-{role.value}", role.value, role.value, area, works_for, NOW, NOW],
        )
