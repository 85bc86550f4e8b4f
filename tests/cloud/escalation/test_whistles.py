"""What people do with whistles: who may blow which, who reports in, who ends one; and two who press at once."""

from datetime import timedelta
from typing import Any

import pytest

from cloud.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.escalation import service
from cloud.escalation.service import Whistles
from tests.cloud.escalation.town import NINE, Town, minutes

LATER = NINE + minutes(5)


def blow(town: Town, name: str, case_id: int, level: str, *departments: int, **given: Any) -> Whistles:
    wanted: dict[str, Any] = {"note": "come", "now": LATER, "address": "test"} | given
    return service.blow(town.conn, town.people[name], case_id, level=level, called=departments, **wanted)


def arrive(town: Town, name: str, case_id: int, whistle: int, call: int) -> Whistles:
    user = town.people[name]
    return service.arrive(town.conn, user, case_id, whistle, call, note="here", now=LATER, address="test")


def end(town: Town, name: str, case_id: int, whistle: int, note: str = "") -> Whistles:
    return service.end(town.conn, town.people[name], case_id, whistle, note=note, now=LATER, address="test")


def test_blown_answered_and_ended(town: Town) -> None:
    case_id = town.open()
    blown = blow(town, "street", case_id, "street", town.department, town.other_department).items[0]
    assert {call.department for call in blown.calls} >= {"Sanitation", "Water"}
    sanitation = next(call for call in blown.calls if call.department == "Sanitation")
    assert sanitation.due_at == LATER + timedelta(hours=1)
    seen = service.of_case(town.conn, town.people["sanitation"], case_id).items[0]
    assert [call.department for call in seen.calls if call.mine] == ["Sanitation"], "whom it calls may read the case"
    after = arrive(town, "sanitation", case_id, blown.id, sanitation.id)
    assert next(call for call in after.items[0].calls if call.id == sanitation.id).arrived_by == "Sanitation"
    with pytest.raises(Conflict):
        arrive(town, "sanitation", case_id, blown.id, sanitation.id)
    with pytest.raises(Invalid, match="has not come"):
        end(town, "street", case_id, blown.id)
    ended = end(town, "street", case_id, blown.id, "they were not needed").items[0]
    assert ended.ended_by == "Street"
    with pytest.raises(Conflict):
        end(town, "street", case_id, blown.id, "x")
    with pytest.raises(Conflict):
        arrive(town, "chief", case_id, blown.id, blown.calls[-1].id)
    words = [word for word, _, _ in town.told(case_id)]
    assert words.count("whistle") == len(blown.calls)
    assert words[-1] == "whistle_ended"


def test_nobody_blows_above_his_own_level_or_without_the_right(town: Town) -> None:
    case_id = town.open()
    assert service.of_case(town.conn, town.people["community"], case_id).levels == ["grid", "community"]
    assert service.of_case(town.conn, town.people["chief"], case_id).levels == [
        "grid",
        "community",
        "street",
        "district",
    ]
    assert service.of_case(town.conn, town.people["worker"], case_id).levels == []
    with pytest.raises(Forbidden):
        blow(town, "community", case_id, "street", town.department)
    with pytest.raises(Forbidden):
        blow(town, "worker", case_id, "grid", town.department)
    with pytest.raises(Forbidden):
        blow(town, "chief", case_id, "moon", town.department)
    for wrong in ((), (999_999,)):
        with pytest.raises(Invalid):
            blow(town, "chief", case_id, "district", *wrong)
    with pytest.raises(NotFound):
        service.of_case(town.conn, town.people["sanitation"], case_id)
    town.conn.execute("update grid_case set status = 'voided' where id = %s", [case_id])
    with pytest.raises(Conflict):
        blow(town, "chief", case_id, "district", town.department)


def test_who_is_called_twice_is_called_once_and_others_join(town: Town) -> None:
    case_id = town.open()
    first = blow(town, "chief", case_id, "street", town.department).items
    with pytest.raises(Conflict):
        blow(town, "street", case_id, "street", town.department)
    joined = blow(town, "street", case_id, "street", town.department, town.other_department).items
    assert [whistle.id for whistle in joined] == [whistle.id for whistle in first]
    assert sorted(call.department for call in joined[0].calls if call.department) == ["Sanitation", "Water"]


def test_others_answer_only_for_themselves(town: Town) -> None:
    case_id = town.open()
    blown = blow(town, "community", case_id, "community", town.department, town.other_department).items[0]
    water = next(call for call in blown.calls if call.department == "Water")
    with pytest.raises(Forbidden):
        arrive(town, "sanitation", case_id, blown.id, water.id)
    with pytest.raises(NotFound):
        arrive(town, "chief", case_id, blown.id + 1, water.id)
    above = blow(town, "chief", case_id, "district", town.department).items[-1]
    with pytest.raises(Forbidden):
        arrive(town, "street", case_id, above.id, above.calls[0].id)
    assert arrive(town, "chief", case_id, blown.id, water.id).items[0].calls, "who is in charge may do it for others"
    with pytest.raises(Forbidden):
        end(town, "dispatcher", case_id, blown.id, "x")


def test_who_does_not_come_is_told_to_the_level_above_of_a_whistle_that_a_person_blew(town: Town) -> None:
    case_id = town.open()
    blow(town, "community", case_id, "community", town.department)
    town.sweep(LATER + minutes(20))
    assert "whistle_overdue" not in [word for word, _, _ in town.told(case_id)]
    town.sweep(LATER + minutes(61))
    told = [(word, level) for word, level, _ in town.told(case_id)]
    assert told.count(("whistle_overdue", "community")) == 1
    assert ("escalated", "street") in told
    town.sweep(LATER + minutes(62))
    assert [(word, level) for word, level, _ in town.told(case_id)] == told
