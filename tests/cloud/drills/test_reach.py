"""No level above the area of a drill is called by it."""

from datetime import timedelta

import pytest

from cloud.db.queries import load
from cloud.deadlines import rulebook
from cloud.errors import Forbidden
from cloud.escalation import service as escalation
from cloud.escalation import whistles
from cloud.escalation.roster import Posts
from tests.cloud.drills.conftest import Exercised
from tests.cloud.samples import GRID, NOW, STREET, incident

AT = NOW + timedelta(minutes=5)
_queries = load("cloud.escalation")


@pytest.mark.parametrize(
    ("area", "level", "called"), [(STREET, "street", "street"), (STREET, "district", None), (GRID, "street", None)]
)
def test_a_deadline_calls_levels_inside_of_its_area(
    exercised: Exercised, area: str, level: str, called: str | None
) -> None:
    exercised.start("cam-1", area=area)
    exercised.receive(incident(1, start_s=300), received_at=AT)
    conn, case_id = exercised.conn, exercised.cases()[0][0]
    case = _queries.case_of(conn, case_id=case_id)
    found = whistles.raise_to(conn, case, level, Posts(), book=rulebook.read(conn), at=AT, clock_id=None)
    assert (found.level if found is not None else None) == called
    told = conn.execute("select action from case_event where action in ('nobody_on_duty', 'escalated')").fetchall()
    assert [row[0] for row in told] == ["escalated"] * (called is not None)


def test_nobody_whistles_for_a_level_above_it(exercised: Exercised) -> None:
    exercised.start("cam-1", area=STREET)
    exercised.receive(incident(1, start_s=300), received_at=AT)
    conn, chief, case_id = exercised.conn, exercised.who("chief"), exercised.cases()[0][0]
    assert "district" not in escalation.of_case(conn, chief, case_id).levels
    assert "street" in escalation.of_case(conn, chief, case_id).levels
    with pytest.raises(Forbidden):
        escalation.blow(conn, chief, case_id, level="district", called=[1], note="x", now=AT, address="test")
