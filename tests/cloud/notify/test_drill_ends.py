"""That a drill is over is told to those who took part in it, once."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.cases import reality
from cloud.drills import service as drills
from cloud.notify import drill_ends, inbox
from cloud.notify.policy import DRILL_ENDED
from tests.cloud.notify.conftest import District
from tests.cloud.notify.test_exercise import deliveries, give_channels, start
from tests.cloud.samples import GRID, NOW, incident

HOUR = timedelta(hours=1)
ZONE = ZoneInfo("Asia/Shanghai")


def exercise(district: District, *, channels: bool = False) -> int:
    """A drill in which somebody on duty was told of a case."""
    drill = start(district, channels=channels)
    district.on_duty = {district.people["near"]}
    district.receive(incident(start_s=60))
    assert ("near", "opened") in district.told()
    return drill.id


def end(district: District, drill_id: int) -> None:
    drills.end(district.conn, district.principal("chief"), drill_id, now=NOW + HOUR, address="test")
    district.conn.commit()
    district.now = NOW + HOUR


def test_who_took_part_is_told_what_it_was_and_how_many_cases_it_made(district: District) -> None:
    drill_id = exercise(district)
    assert district.told(HOUR / 2) == {}, "it runs"
    end(district, drill_id)
    assert district.told() == {("near", DRILL_ENDED): "ring", ("chief", DRILL_ENDED): "quiet"}, "he ended it himself"
    thread = inbox.threads(district.conn, district.principal("near"), before=2**62, count=1)[0]
    assert (thread.drill_id, thread.drill_name, thread.cases, thread.drill) == (drill_id, "Fire", 1, True)
    assert district.told(HOUR) == {}


def test_it_ends_by_itself_and_a_department_that_took_part_hears_of_it(district: District) -> None:
    drill = start(district, area=GRID)
    department = district.principal("sanitation").department_id
    district.conn.execute("insert into drill_department values (%s, %s)", (drill.id, department))
    late = NOW + 3 * HOUR
    drills.end_due(district.conn, now=late)
    district.conn.commit()
    district.on_duty = set(district.people.values())
    assert district.told(late - district.now) == {("chief", DRILL_ENDED): "ring", ("sanitation", DRILL_ENDED): "ring"}


@pytest.mark.parametrize("channels", [False, True])
def test_it_goes_as_far_as_the_drill_did(district: District, channels: bool) -> None:
    give_channels(district)
    drill_id = exercise(district, channels=channels)
    before = deliveries(district)
    end(district, drill_id)
    district.told()
    assert deliveries(district) - before == (1 if channels else 0)


def test_who_was_told_that_it_is_real_hears_of_the_end_too(district: District) -> None:
    drill_id = exercise(district)
    case = district.rows("select id from grid_case")[0]
    reality.make_real(district.conn, district.principal("worker"), case.id, note=None, now=district.now, address="test")
    district.conn.commit()
    district.told()
    end(district, drill_id)
    assert {name for name, _ in district.told()} == {"near", "chief", "worker"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(crashes=st.lists(st.booleans(), min_size=1, max_size=5))
def test_each_is_told_once_whatever_crashes(district: District, crashes: list[bool]) -> None:
    drill_id = start(district).id
    end(district, drill_id)
    for crashed in [*crashes, False, False]:
        drill_ends.tell_all(district.conn, roster=lambda *_: set(), zone=ZONE, now=district.now)
        if crashed:
            district.conn.rollback()
        else:
            district.conn.commit()
    rows = district.rows("select account_id from notice where drill_id = %s", drill_id)
    assert [row.account_id for row in rows] == [district.people["chief"]]
