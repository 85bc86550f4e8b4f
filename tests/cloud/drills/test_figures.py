"""What is exercised is in no figure: of cases, verdicts, labels, work orders, or of how long devices were there."""

from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from cloud.cases import reality
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction
from cloud.commands import store as commands
from cloud.drills import report
from cloud.drills.service import Drill
from cloud.maintenance import figures as maintenance
from cloud.maintenance.model import CATEGORY
from cloud.verdicts import service as verdicts
from cloud.verdicts import store
from cloud.verdicts.model import Judgement, Verdict
from cloud.verdicts.precision import Dimension
from cloud.verdicts.store import VerdictFilter
from edge.contract.fields import uuid7
from tests.cloud.drills.conftest import CAMERAS, NODE, Exercised
from tests.cloud.samples import NOW, incident

AT = NOW + timedelta(minutes=5)
END = NOW + timedelta(hours=1)


def open_one_of_each(exercised: Exercised) -> Drill:
    drill = exercised.start("cam-1")
    exercised.receive(incident(1, start_s=300), incident(2, start_s=300, device="cam-2"), received_at=AT)
    return drill


def judge(exercised: Exercised) -> None:
    chief, judged = exercised.who("chief"), {}
    for case_id, *_ in exercised.cases():
        version = cases.detail(exercised.conn, chief, case_id, now=AT).version
        order = Order(action=CaseAction.CONFIRM, version=version)
        cases.act(exercised.conn, chief, case_id, order, now=AT, address="test")
        event, incident_row = exercised.conn.execute(
            "select max(e.id), max(i.id) from case_event e join incident i on i.case_id = e.case_id where e.case_id = %s",
            [case_id],
        ).fetchone() or (0, 0)
        judged[incident_row] = Judgement(
            case_id=case_id, event_id=event, verdict=Verdict.TRUE, reason=None, at=AT, actor_id=chief.user_id
        )
    store.keep(exercised.conn, judged)


def chosen(*, drills: bool = False) -> VerdictFilter:
    return VerdictFilter(scope="", since=NOW, until=END, drills=drills)


def test_the_figures_of_cases_have_none(exercised: Exercised) -> None:
    open_one_of_each(exercised)
    told = cases.figures(exercised.conn, "", now=AT, day_start=NOW)
    assert (told.open_cases, told.reported, told.today_opened, told.incidents_24h) == (1, 1, 1, 1)


def test_precision_advice_and_labels_have_none_unless_asked(exercised: Exercised) -> None:
    open_one_of_each(exercised)
    judge(exercised)
    conn = exercised.conn

    def told(*, drills: bool) -> tuple[int, int, int]:
        table = verdicts.table(conn, chosen(drills=drills), [Dimension.DEVICE], zone="Asia/Shanghai")
        return table.incidents, table.judged, len(table.cells)

    assert (told(drills=False), told(drills=True)) == ((1, 1, 1), (2, 2, 2))


def test_what_was_declared_real_counts(exercised: Exercised) -> None:
    open_one_of_each(exercised)
    judge(exercised)
    drilled = next(case_id for case_id, _, _, marked in exercised.cases() if marked)
    reality.make_real(exercised.conn, exercised.who("worker"), drilled, note=None, now=AT, address="test")
    assert store.coverage(exercised.conn, chosen()) == (2, 2)


def online_s(conn: Connection[Any]) -> dict[str, tuple[float, float]]:
    figures = maintenance.figures(conn, "", from_at=NOW, to_at=END, now=END)
    return {rate.kind: (rate.online_s, rate.lost_s) for rate in figures.online}


def test_while_a_device_takes_part_its_presence_counts_for_nothing(exercised: Exercised) -> None:
    conn = exercised.conn
    for device, presence in (("cam-1", "lost"), ("cam-2", "online"), ("cam-3", "online")):
        conn.execute(
            "insert into presence_change (node_id, device_id, at, presence)"
            " select d.node_id, d.id, %s, %s from device d where d.name = %s",
            [NOW - timedelta(hours=1), presence, device],
        )
    conn.execute(
        "insert into presence_change (node_id, at, presence) select id, %s, 'online' from node",
        [NOW - timedelta(hours=2)],
    )
    assert online_s(conn)["camera"] == (7_200, 3_600)
    exercised.start("cam-1", hours=0.5)
    assert online_s(conn)["camera"] == (7_200, 1_800)
    conn.execute(
        "insert into drill_leaver (drill_id, node, device, left_at) select id, %s, 'cam-1', started_at + interval '10 minutes' from drill",
        [NODE],
    )
    assert online_s(conn)["camera"] == (7_200, 3_000), "whoever has left is counted again"


def fault(number: int, device: str) -> Any:
    return incident(number, start_s=300, kind="camera_lost", category=CATEGORY, device=device, fault="camera_lost")


def test_orders_for_faults_of_a_drill_are_marked_until_a_real_one_joins(exercised: Exercised) -> None:
    conn = exercised.conn
    drill = exercised.start("cam-1")
    exercised.receive(fault(1, "cam-1"), fault(2, "cam-2"), received_at=AT)
    orders = conn.execute("select device, drill_id from work_order order by device").fetchall()
    assert orders == [("cam-1", drill.id), ("cam-2", None)]
    worst = maintenance.figures(conn, "", from_at=NOW, to_at=END, now=END).worst
    assert [each.device for each in worst] == ["cam-2"]
    late = incident(3, start_s=-600, kind="camera_lost", category=CATEGORY, device="cam-1", fault="camera_lost")
    exercised.receive(late, received_at=AT)
    assert conn.execute("select drill_id from work_order where device = 'cam-1'").fetchall() == [(None,)]


def test_the_report_says_what_was_simulated(exercised: Exercised) -> None:
    conn, drill = exercised.conn, exercised.start(*CAMERAS)
    made, real = incident(1, start_s=300, simulated=True), incident(2, start_s=300, device="cam-2")
    exercised.receive(made, real, received_at=AT)
    told = report.report(conn, exercised.who("chief"), drill.id, now=END)
    assert (told.counts.cases, told.counts.simulated_cases) == (2, 1)
    assert [case.simulated for case in told.cases] == [True, False]
    assert {each.device: each.simulated for each in told.going_on} == {"cam-1": True, "cam-2": False}
    assert not any(source.simulated for source in told.sources), "the devices themselves are real"


def test_what_is_asked_of_a_device_that_takes_part_is_done_and_marked(exercised: Exercised) -> None:
    conn = exercised.conn
    drill = exercised.start("cam-1")
    addressee = commands.addressee(conn, NODE, "cam-1", scope="")
    assert addressee is not None
    for number, device in enumerate(("cam-1", "cam-2")):
        assert commands.add(
            conn,
            addressee,
            command_id=uuid7(number),
            name="stop_charge",
            device=device,
            arguments={},
            asked_by=(None, "test"),
            asked_at=AT,
            deadline=END,
        )
    rows = conn.execute("select device, drill_id from command order by device").fetchall()
    assert rows == [("cam-1", drill.id), ("cam-2", None)]
    told = report.report(conn, exercised.who("chief"), drill.id, now=AT)
    assert (told.counts.commands, told.counts.cases) == (1, 0)


def test_the_times_of_the_stages_are_of_all_cases_and_the_list_says_what_it_leaves_out(
    exercised: Exercised, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn, drill = exercised.conn, exercised.start(*CAMERAS)
    exercised.receive(
        *(incident(number, start_s=300, device=name) for number, name in enumerate(CAMERAS, 1)), received_at=AT
    )
    ids = [case_id for case_id, *_ in exercised.cases()]
    for minutes, case_id in zip((1, 2, 30), ids, strict=True):
        conn.execute(
            "update grid_case set verified_at = opened_at + make_interval(mins => %s) where id = %s", [minutes, case_id]
        )
    monkeypatch.setattr(report, "CASES_SHOWN", 1)
    told = report.report(conn, exercised.who("chief"), drill.id, now=END)
    assert ([case.id for case in told.cases], told.cases_more) == (ids[:1], 2)
    verify, dispatch = told.stages[:2]
    assert (verify.cases, verify.waiting, verify.p50_s, verify.p90_s, verify.longest_s) == (3, 0, 120, 1_800, 1_800)
    assert (dispatch.cases, dispatch.waiting, dispatch.p50_s) == (0, 3, None)
    assert [each.stage for each in told.stages] == ["verify", "dispatch", "receipt", "handling", "close"]
