"""What began in a drill and is there after it is real: it is told, and is in no case of the drill."""

from datetime import timedelta

import pytest

from cloud.drills import report
from cloud.drills import service as drills
from cloud.maintenance.model import CATEGORY
from edge.contract.incident import Incident, IncidentState, Severity
from tests.cloud.drills.conftest import Exercised
from tests.cloud.samples import NOW, incident

BEGAN = NOW + timedelta(minutes=5)
AFTER = NOW + timedelta(hours=4)
AFTER_S = AFTER.timestamp() - NOW.timestamp()


def fault(revision: int, *, update_s: float = 300) -> Incident:
    return incident(
        1,
        revision=revision,
        start_s=300,
        update_s=update_s,
        kind="camera_lost",
        category=CATEGORY,
        fault="camera_lost",
    )


def opened(exercised: Exercised) -> list[int]:
    rows = exercised.conn.execute("select case_id from case_event where action = 'opened' order by id").fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize("severity", [Severity.MEDIUM, Severity.CRITICAL])
def test_what_goes_on_after_the_end_continues_in_a_real_case(exercised: Exercised, severity: Severity) -> None:
    drill = exercised.start("cam-1")
    exercised.receive(incident(1, start_s=300, severity=Severity.MEDIUM), received_at=BEGAN)
    drills.end_due(exercised.conn, now=NOW + timedelta(hours=2))
    exercised.receive(incident(1, revision=2, start_s=300, update_s=AFTER_S, severity=severity), received_at=AFTER)
    (first, _, of_drill, _), (second, _, real, marked) = exercised.cases()
    assert (of_drill, real, marked) == (drill.id, None, False)
    assert opened(exercised) == [first, second], "people are told of a new case"
    assert exercised.conn.execute("select case_id, drill_id from incident").fetchall() == [(second, None)]
    assert exercised.conn.execute("select case_id from case_incident").fetchall() == [(second,)]
    continued = exercised.conn.execute("select case_id from case_event where action = 'continued'").fetchall()
    assert continued == [(first,)], "the drill's case says where it went"


def test_that_it_is_over_or_was_told_late_opens_nothing_real(exercised: Exercised) -> None:
    drill = exercised.start("cam-1", "cam-2")
    for number, device in ((1, "cam-1"), (2, "cam-2")):
        exercised.receive(incident(number, start_s=300, device=device), received_at=BEGAN)
    drills.end_due(exercised.conn, now=NOW + timedelta(hours=2))
    over = incident(1, revision=2, start_s=300, update_s=AFTER_S, state=IncidentState.ENDED)
    exercised.receive(over, received_at=AFTER)
    late = incident(2, revision=2, start_s=300, update_s=600, device="cam-2", severity=Severity.CRITICAL)
    exercised.receive(late, received_at=AFTER, historical=True)
    assert {row[2] for row in exercised.cases()} == {drill.id}


def test_an_order_of_a_fault_that_stays_is_real(exercised: Exercised) -> None:
    exercised.start("cam-1")
    exercised.receive(fault(1), received_at=BEGAN)
    assert exercised.conn.execute("select drill_id is null from work_order").fetchall() == [(False,)]
    drills.end_due(exercised.conn, now=NOW + timedelta(hours=2))
    exercised.receive(fault(2, update_s=AFTER_S), received_at=AFTER)
    assert exercised.conn.execute("select drill_id from work_order").fetchall() == [(None,)]
    assert exercised.conn.execute("select drill_id from incident").fetchall() == [(None,)]


def test_the_end_says_what_is_still_going_on(exercised: Exercised) -> None:
    drill, chief = exercised.start("cam-1", "cam-2"), exercised.who("chief")
    exercised.receive(incident(1, start_s=300), received_at=BEGAN)
    ended = incident(2, start_s=300, update_s=360, device="cam-2", state=IncidentState.ENDED)
    exercised.receive(ended, received_at=NOW + timedelta(minutes=7))
    told = drills.end(exercised.conn, chief, drill.id, now=NOW + timedelta(hours=1), address="test")
    assert told.going_on == 1
    payload = exercised.conn.execute("select payload->>'going_on' from event where kind = 'drill.ended'").fetchall()
    assert payload == [("1",)]
    found = report.report(exercised.conn, chief, drill.id, now=NOW + timedelta(hours=1))
    assert [(each.device, each.case_number is not None) for each in found.going_on] == [("cam-1", True)]
