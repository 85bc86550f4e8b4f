"""What is exercised is told to those who take part, in their pages, and hides nothing that is real."""

from datetime import timedelta

import pytest

from cloud.access.model import Role
from cloud.cases import reality
from cloud.cases.model import CaseStatus
from cloud.drills import service as drills
from cloud.drills.model import ChosenSource, DrillBounds, DrillWish
from cloud.drills.service import Drill
from cloud.notify.exercise import taking_part
from cloud.notify.model import Candidate, Happening
from edge.contract.incident import Severity
from tests.cloud.notify.conftest import COMMUNITY, District
from tests.cloud.samples import GRID, NOW, incident

AREA = "110105/110105001/"


def candidate(account_id: int, path: str, *, on_duty: bool = True, department_id: int | None = None) -> Candidate:
    role = Role.DUTY_CHIEF if department_id is None else Role.DEPARTMENT
    return Candidate(account_id=account_id, role=role, area_path=path, on_duty=on_duty, department_id=department_id)


@pytest.mark.parametrize(
    ("who", "takes_part"),
    [
        (candidate(1, AREA), True),
        (candidate(1, f"{AREA}110105001001/"), True),
        (candidate(1, AREA, on_duty=False), False),
        (candidate(2, AREA, on_duty=False), True),
        (candidate(1, "110105/"), False),
        (candidate(1, ""), False),
        (candidate(3, "110105/", on_duty=False), True),
        (candidate(1, "", department_id=7), True),
        (candidate(1, AREA, department_id=8), False),
    ],
)
def test_who_takes_part(who: Candidate, takes_part: bool) -> None:
    happening = Happening(
        word="opened", status=CaseStatus.REPORTED, severity=Severity.HIGH, area_path=f"{AREA}x/", holder_id=2
    )
    bounds = DrillBounds(area_path=AREA, departments=frozenset({7}), started_by=3)
    assert taking_part([who], happening, bounds) == [who] * takes_part


def start(district: District, *, area: str = COMMUNITY, channels: bool = False) -> Drill:
    district.run(
        "insert into device (node_id, name, kind, created_at) select id, 'cam-1', 'camera', now() from node on conflict do nothing"
    )
    wish = DrillWish(
        name="Fire",
        purpose="spring",
        area_code=area,
        planned_end_at=NOW + timedelta(hours=2),
        sources=(ChosenSource("node-1", "cam-1"),),
        channels=channels,
    )
    drill = drills.start(district.conn, district.principal("chief"), wish, now=NOW, address="test")
    district.conn.commit()
    return drill


def give_channels(district: District) -> None:
    district.run(
        "insert into notice_channel (account_id, kind, label, place, target, fingerprint, created_at)"
        " select id, 'chat', 'x', 0, '', sha256('x'), now() from account"
    )


def deliveries(district: District) -> int:
    return int(district.rows("select count(*) as n from notice_delivery")[0].n)


@pytest.mark.parametrize("channels", [False, True])
def test_a_drill_is_told_on_duty_and_in_the_page(district: District, channels: bool) -> None:
    give_channels(district)
    start(district, channels=channels)
    district.on_duty = {district.people["near"]}
    district.receive(incident(start_s=60, severity=Severity.CRITICAL))
    assert district.told() == {("near", "opened"): "ring", ("chief", "opened"): "ring"}, "he who started it hears of it"
    assert (deliveries(district) > 0) is channels
    assert {row.drill for row in district.rows("select drill from notice")} == {True}


def test_nobody_outside_of_the_area_hears_of_it(district: District) -> None:
    start(district, area=GRID)
    district.on_duty = set(district.people.values())
    district.receive(incident(start_s=60, severity=Severity.CRITICAL))
    assert set(district.told()) == {("worker", "opened"), ("chief", "opened")}


def test_a_storm_of_the_drill_hides_nothing_real(district: District) -> None:
    start(district)
    district.on_duty = {district.people["near"]}
    for number in range(1, 8):
        district.receive(incident(number, start_s=60 + 700.0 * number))
    district.told(timedelta(hours=2))
    district.receive(incident(90, start_s=7_000, device="cam-2"))
    assert district.told()["near", "opened"] == "ring"


def test_declared_real_it_rings_as_what_it_is_for_all(district: District) -> None:
    give_channels(district)
    drill = start(district)
    district.receive(incident(start_s=60, severity=Severity.HIGH))
    district.told()
    case = district.rows("select id, drill from grid_case")[0]
    worker = district.principal("worker")
    shown = reality.make_real(district.conn, worker, case.id, note="real smoke", now=district.now, address="test")
    district.conn.commit()
    assert (shown.drill, shown.history[-1].action, shown.history[-1].note) == (False, "made_real", "real smoke")
    told = district.told()
    assert told == {("near", "made_real"): "ring", ("chief", "made_real"): "ring"}
    assert deliveries(district) == len(told)
    district.receive(incident(2, start_s=90), received_at=NOW + timedelta(seconds=90))
    assert {row.drill_id for row in district.rows("select drill_id from incident")} == {None}, "its future too"
    steps = [row.action for row in district.rows("select action from drill_step where drill_id = %s", drill.id)]
    assert steps == ["started", "made_real"]
