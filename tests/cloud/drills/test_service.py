from datetime import timedelta
from typing import Any

import pytest

from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction
from cloud.drills import service as drills
from cloud.drills.service import Drill
from cloud.errors import Conflict, Forbidden, Invalid, NotFound
from tests.cloud.drills.conftest import Exercised
from tests.cloud.samples import NOW, OTHER_GRID, STREET, incident

HOUR = timedelta(hours=1)


def events(exercised: Exercised) -> list[str]:
    rows = exercised.conn.execute("select kind from event where kind like 'drill.%' order by id").fetchall()
    return [row[0] for row in rows]


def audited(exercised: Exercised) -> list[str]:
    rows = exercised.conn.execute("select action from audit where action like 'drill.%' order by id").fetchall()
    return [row[0] for row in rows]


def test_a_drill_is_started_prolonged_and_ended_and_each_is_told(exercised: Exercised) -> None:
    drill, chief = exercised.start("cam-1"), exercised.who("chief")
    assert (drill.running, drill.may_end, drill.started_by) == (True, True, "Chief")
    later = drills.prolong(exercised.conn, chief, drill.id, until=NOW + 3 * HOUR, now=NOW + HOUR, address="test")
    assert later.planned_end_at == NOW + 3 * HOUR
    ended = drills.end(exercised.conn, chief, drill.id, now=NOW + 2 * HOUR, address="test")
    assert (ended.running, ended.ended_at, ended.ended_by) == (False, NOW + 2 * HOUR, "Chief")
    assert events(exercised) == ["drill.started", "drill.updated", "drill.ended"]
    assert audited(exercised) == ["drill.started", "drill.prolonged", "drill.ended"]
    for again in (drills.end, drills.prolong):
        more = {"until": NOW + 4 * HOUR} if again is drills.prolong else {}
        with pytest.raises(Conflict):
            again(exercised.conn, chief, drill.id, now=NOW + 2 * HOUR, address="test", **more)


def test_at_its_planned_end_it_ends_by_itself_once(exercised: Exercised) -> None:
    drill, chief = exercised.start("cam-1", hours=1), exercised.who("chief")
    late = NOW + 5 * HOUR
    assert drills.find(exercised.conn, chief, drill.id, now=late).running is False, "also before anybody swept"
    assert [drills.end_due(exercised.conn, now=at) for at in (NOW + HOUR / 2, late, late)] == [0, 1, 0]
    ended = drills.find(exercised.conn, chief, drill.id, now=late)
    assert (ended.ended_at, ended.ended_by) == (NOW + HOUR, None)
    assert events(exercised) == ["drill.started", "drill.ended"]


def test_it_concerns_those_inside_of_its_area_and_around_it(exercised: Exercised) -> None:
    drill = exercised.start("cam-1", area=STREET)

    def seen(name: str) -> list[Drill]:
        return drills.page(exercised.conn, exercised.who(name), now=NOW, running=True)

    assert [[each.id for each in seen(name)] for name in ("chief", "near", "worker", "far")] == [[drill.id]] * 3 + [[]]
    assert [each.may_end for name in ("chief", "near", "worker") for each in seen(name)] == [True, True, False]
    with pytest.raises(NotFound):
        drills.find(exercised.conn, exercised.who("far"), drill.id, now=NOW)


def test_who_may_not_start_or_end_it(exercised: Exercised) -> None:
    drill = exercised.start("cam-1", area="110105")
    for name, error in (("worker", Forbidden), ("near", NotFound), ("far", NotFound)):
        with pytest.raises(error):
            drills.end(exercised.conn, exercised.who(name), drill.id, now=NOW + HOUR, address="test")


@pytest.mark.parametrize(
    ("device", "given", "error"),
    [
        ("cam-9", {}, Invalid),
        ("cam-2", {"area": OTHER_GRID}, Invalid),
        ("cam-2", {"departments": (9999,)}, Invalid),
        ("cam-2", {"area": "110106"}, NotFound),
        ("cam-1", {}, Conflict),
        ("", {}, Conflict),
    ],
)
def test_what_is_not_started(exercised: Exercised, device: str, given: dict[str, Any], error: type[Exception]) -> None:
    exercised.start("cam-1")
    with pytest.raises(error):
        exercised.start(device, at=NOW + HOUR, **given)
    exercised.conn.rollback()


def test_real_machines_go_on_beside_it(exercised: Exercised) -> None:
    drill = exercised.start("cam-1")
    later = NOW + timedelta(minutes=5)
    exercised.receive(incident(1, start_s=300), incident(2, start_s=300, device="cam-2"), received_at=later)
    assert [(device, of, marked) for _, device, of, marked in exercised.cases()] == [
        ("cam-1", drill.id, True),
        ("cam-2", None, False),
    ]


def test_what_was_opened_before_stays_real_and_what_comes_after_is(exercised: Exercised) -> None:
    exercised.receive(incident(1, start_s=-60), received_at=NOW - timedelta(seconds=60))
    drill = exercised.start("cam-1", hours=1)
    exercised.receive(incident(1, revision=2, start_s=-60, update_s=120), received_at=NOW + timedelta(seconds=120))
    exercised.receive(incident(2, start_s=200), received_at=NOW + timedelta(seconds=200))
    exercised.receive(incident(3, start_s=3700), received_at=NOW + timedelta(seconds=3700))
    exercised.receive(incident(2, revision=2, start_s=200, update_s=3800), received_at=NOW + timedelta(seconds=3800))
    assert [of for _, _, of, _ in exercised.cases()] == [None, drill.id, None]


def test_two_drills_and_a_real_case_are_never_merged(exercised: Exercised) -> None:
    exercised.start("cam-1")
    exercised.start("cam-2")
    at = NOW + timedelta(minutes=5)
    found = [incident(number, start_s=300, device=f"cam-{number}") for number in (1, 2, 3)]
    exercised.receive(*found, received_at=at)
    ids = [case_id for case_id, *_ in exercised.cases()]
    chief = exercised.who("chief")
    for one in ids:
        for other in ids:
            if one == other:
                continue
            version = cases.detail(exercised.conn, chief, one, now=at).version
            order = Order(action=CaseAction.MERGE, version=version, target=other)
            with pytest.raises(Invalid, match="stay apart"):
                cases.act(exercised.conn, chief, one, order, now=at, address="test")


def test_a_department_that_takes_no_part_is_not_sent(exercised: Exercised) -> None:
    exercised.start("cam-1")
    at = NOW + timedelta(minutes=5)
    exercised.receive(incident(1, start_s=300), received_at=at)
    chief, (case_id, *_) = exercised.who("chief"), exercised.cases()[0]
    department = exercised.who("sanitation").department_id

    def act(action: CaseAction, **given: Any) -> None:
        version = cases.detail(exercised.conn, chief, case_id, now=at).version
        order = Order(action=action, version=version, **given)
        cases.act(exercised.conn, chief, case_id, order, now=at, address="test")

    act(CaseAction.CONFIRM)
    with pytest.raises(Invalid, match="takes no part"):
        act(CaseAction.DISPATCH, department=department)


def test_a_chain_of_drills_ends_with_the_hours_of_the_week(exercised: Exercised) -> None:
    chief, day = exercised.who("chief"), 24 * HOUR
    for number in range(3):
        at = NOW + number * day
        drills.end_due(exercised.conn, now=at)
        last = exercised.start("cam-1", at=at, hours=23.5)
    with pytest.raises(Conflict, match="left from now on: 2 h 0 min"):
        drills.prolong(
            exercised.conn, chief, last.id, until=NOW + 3 * day + 2 * HOUR, now=NOW + 71 * HOUR, address="test"
        )
    drills.prolong(exercised.conn, chief, last.id, until=NOW + 72 * HOUR, now=NOW + 71 * HOUR, address="test")
    at = NOW + 73 * HOUR
    drills.end_due(exercised.conn, now=at)
    exercised.start("cam-2", at=at, hours=24)
    for device in ("cam-1", ""):
        with pytest.raises(Conflict):
            exercised.start(device, at=at, hours=2)
    later = NOW + 8 * day
    exercised.start("cam-1", at=later, hours=20)
