import dataclasses

from cloud.access.model import Role
from cloud.cases.model import CaseStatus
from cloud.notify.audience import called, is_unheard
from cloud.notify.model import Audience, Candidate, Happening, Urgency
from edge.contract.incident import Severity

GRID = "110105/110105001/110105001001/110105001001003/"
COMMUNITY = "110105/110105001/110105001001/"
STREET = "110105/110105001/"
DISTRICT = "110105/"


def person(
    account_id: int, role: Role, path: str, *, department: int | None = None, on_duty: bool = False
) -> Candidate:
    return Candidate(account_id=account_id, role=role, area_path=path, department_id=department, on_duty=on_duty)


PEOPLE = [
    person(1, Role.DUTY_CHIEF, DISTRICT),
    person(2, Role.DUTY_CHIEF, STREET),
    person(3, Role.DUTY_CHIEF, COMMUNITY),
    person(4, Role.GRID_WORKER, GRID),
    person(5, Role.GRID_WORKER, GRID),
    person(6, Role.GRID_WORKER, COMMUNITY),
    person(7, Role.DISPATCHER, DISTRICT),
    person(8, Role.DEPARTMENT, DISTRICT, department=70),
    person(9, Role.DEPARTMENT, DISTRICT, department=71),
    person(10, Role.GRID_WORKER, "110105/110105003/"),
    person(11, Role.ADMINISTRATOR, ""),
]
OPENED = Happening(word="opened", status=CaseStatus.REPORTED, severity=Severity.MEDIUM, area_path=GRID)


def told(happening: Happening, people: list[Candidate] = PEOPLE) -> dict[int, Urgency]:
    return {each.account_id: each.urgency for each in called(happening, people)}


def test_a_case_rings_for_the_workers_of_its_grid_and_the_nearest_chief() -> None:
    assert set(told(OPENED)) == {3, 4, 5}


def test_the_worse_it_is_the_higher_it_is_heard() -> None:
    heard = {severity: {1, 2, 3} & set(told(dataclasses.replace(OPENED, severity=severity))) for severity in Severity}
    assert heard == {Severity.LOW: {3}, Severity.MEDIUM: {3}, Severity.HIGH: {2, 3}, Severity.CRITICAL: {1, 2, 3}}
    assert set(told(dataclasses.replace(OPENED, severity=Severity.LOW)).values()) == {Urgency.DIGEST}


def test_of_a_grid_those_on_duty_are_told_and_all_where_nobody_is() -> None:
    on_duty = [dataclasses.replace(each, on_duty=each.account_id == 5) for each in PEOPLE]
    assert set(told(OPENED, on_duty)) == {3, 5}


def test_late_history_that_did_not_ring_tells_nobody_but_what_people_ask_of_it_does() -> None:
    assert not told(dataclasses.replace(OPENED, late=True))
    asked = dataclasses.replace(OPENED, word="verify", late=True, person_id=6)
    assert told(asked) == {6: Urgency.RING}


def test_a_department_hears_of_what_it_was_told_to_handle_and_no_other_does() -> None:
    dispatched = dataclasses.replace(OPENED, word="dispatch", status=CaseStatus.DISPATCHED, handler_id=70, actor_id=7)
    assert set(told(dispatched)) == {8}
    whistle = dataclasses.replace(dispatched, word="whistle", department_id=71, handler_id=None, person_id=2)
    assert told(whistle) == {2: Urgency.ALARM, 9: Urgency.ALARM}


def test_nobody_is_told_of_his_own_doing_or_of_what_he_could_not_open() -> None:
    by_himself = dataclasses.replace(OPENED, word="verify", person_id=4, actor_id=4)
    assert not told(by_himself)
    assert not told(dataclasses.replace(OPENED, word="verify", person_id=10))


def test_whoever_has_the_next_step_is_responsible() -> None:
    amber = dataclasses.replace(OPENED, word="deadline_amber")
    assert set(told(amber)) == {4, 5}
    assert set(told(dataclasses.replace(amber, status=CaseStatus.VERIFYING, holder_id=6))) == {6}
    assert set(told(dataclasses.replace(amber, status=CaseStatus.FILED))) == {7}
    assert set(told(dataclasses.replace(amber, status=CaseStatus.IN_PROGRESS, handler_id=71))) == {9}
    assert set(told(dataclasses.replace(amber, status=CaseStatus.CHECKING, checker_id=6))) == {6}
    assert set(told(dataclasses.replace(amber, status=CaseStatus.RESOLVED))) == {3}
    assert not told(dataclasses.replace(amber, status=CaseStatus.CLOSED))


def test_the_loudest_of_several_capacities_counts() -> None:
    red = dataclasses.replace(OPENED, word="deadline_red", status=CaseStatus.RESOLVED, person_id=3)
    found = called(red, PEOPLE)
    assert [(each.account_id, each.urgency, each.audience) for each in found] == [
        (3, Urgency.ALARM, Audience.RESPONSIBLE)
    ]


def test_words_that_nobody_knows_tell_nobody() -> None:
    assert not told(dataclasses.replace(OPENED, word="unheard_of"))
    assert not told(dataclasses.replace(OPENED, word="incident_added"))


def test_a_case_without_a_place_is_for_those_who_see_everything() -> None:
    everything = [*PEOPLE, person(12, Role.DUTY_CHIEF, "")]
    assert set(told(dataclasses.replace(OPENED, area_path=""), everything)) == {12}


def test_where_nobody_has_the_role_the_next_one_hears_of_it() -> None:
    no_dispatcher = [each for each in PEOPLE if each.role is not Role.DISPATCHER]
    filed = dataclasses.replace(OPENED, status=CaseStatus.FILED, actor_id=4)
    for word in ("confirm", "ask_return", "ask_suspension", "ask_extension", "urge", "deadline_amber"):
        assert set(told(dataclasses.replace(filed, word=word))) == {7}
        assert set(told(dataclasses.replace(filed, word=word), no_dispatcher)) == {3}
    lead = person(20, Role.GRID_LEAD, COMMUNITY)
    no_worker = [each for each in PEOPLE if each.role is not Role.GRID_WORKER]
    assert set(told(OPENED, [*no_worker, lead])) == {3, 20}
    assert set(told(dataclasses.replace(OPENED, word="deadline_amber"), no_worker)) == {3}


def test_for_a_department_without_accounts_the_dispatcher_hears() -> None:
    dispatched = dataclasses.replace(OPENED, word="dispatch", status=CaseStatus.DISPATCHED, handler_id=72, actor_id=2)
    assert set(told(dispatched)) == {7}
    assert set(told(dispatched, [each for each in PEOPLE if each.role is not Role.DISPATCHER])) == {3}
    assert set(told(dataclasses.replace(dispatched, word="deadline_amber"))) == {7}


def test_a_fact_that_reaches_nobody_is_known_and_ones_own_step_is_none() -> None:
    assert is_unheard(OPENED, [])
    assert is_unheard(OPENED, [person(10, Role.GRID_WORKER, "110105/110105003/")])
    assert not is_unheard(OPENED, PEOPLE)
    assert not is_unheard(dataclasses.replace(OPENED, word="confirm", actor_id=3), PEOPLE[:3])
    assert not is_unheard(dataclasses.replace(OPENED, word="comment"), [])
    assert not is_unheard(dataclasses.replace(OPENED, status=CaseStatus.CLOSED), [])


def test_what_is_published_reaches_the_departments_that_may_claim_it() -> None:
    published = dataclasses.replace(OPENED, word="publish", offered_ids=frozenset({71}))
    assert set(told(published)) == {4, 5, 9}
    assert 9 not in told(dataclasses.replace(published, word="confirm"))


def test_whoever_has_a_case_hears_that_it_became_worse() -> None:
    worse = dataclasses.replace(OPENED, status=CaseStatus.IN_PROGRESS, handler_id=71)
    for word in ("severity_raised", "came_again", "rang"):
        assert told(dataclasses.replace(worse, word=word))[9] is Urgency.RING
