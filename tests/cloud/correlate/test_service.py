import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import dict_row

from cloud.access import areas
from cloud.access.model import Role
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction, CaseStatus, DismissalReason
from cloud.cases.service import CaseFilter
from cloud.cases.view import CaseSummary
from cloud.correlate import service
from cloud.correlate.model import IncidentReport
from cloud.db.pool import open_pool
from cloud.errors import Invalid
from edge.contract.incident import EvidenceKind, EvidenceReference, IncidentState, Severity
from tests.cloud.samples import GRID, NOW, incident, incident_id, principal, report, take_in_areas

ENDED = IncidentState.ENDED
UPDATE = IncidentState.UPDATE


@pytest.fixture
def conn(migrated_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as connection:
        take_in_areas(connection)
        yield connection


def everything(conn: Connection[Any]) -> list[CaseSummary]:
    return cases.page(conn, CaseFilter(area_path=""), before=None, count=100)


def only_case(conn: Connection[Any]) -> CaseSummary:
    (case,) = everything(conn)
    return case


def events(conn: Connection[Any]) -> list[tuple[str, dict[str, Any]]]:
    return conn.execute("select kind, payload from event order by id").fetchall()


def test_an_incident_opens_a_case_in_its_grid_and_tells_of_it(conn: Connection[Any]) -> None:
    service.receive(conn, report(incident(spot="gate", simulated=True)))
    case = only_case(conn)
    assert case.number == "110105-20260317-0001"
    assert (case.status, case.severity, case.kind) == (CaseStatus.REPORTED, Severity.MEDIUM, "intrusion")
    assert case.grid is not None
    assert case.grid.code == GRID
    assert case.community is not None
    assert case.street is not None
    assert case.street.code == "110105001"
    assert (case.ongoing, case.late, case.simulated, case.incident_count) == (True, False, True, 1)
    ((kind, payload),) = events(conn)
    assert kind == "case.opened"
    assert payload["id"] == case.id
    assert payload["started_at"].startswith("2026-03-17T04:30:00")


def test_a_double_changes_nothing_and_tells_nothing(conn: Connection[Any]) -> None:
    service.receive(conn, report(incident()))
    before = only_case(conn)
    service.receive(conn, report(incident()))
    assert only_case(conn) == before
    assert len(events(conn)) == 1


def test_the_same_id_of_another_node_is_another_incident(conn: Connection[Any]) -> None:
    service.receive(conn, report(incident()))
    service.receive(conn, report(incident(severity=Severity.CRITICAL, revision=9), node="node-2"))
    assert sorted(case.severity for case in everything(conn)) == ["critical", "medium"]


def test_a_second_incident_folds_within_the_window_and_not_beyond(conn: Connection[Any]) -> None:
    service.receive(conn, report(incident(1, state=ENDED, update_s=60)))
    service.receive(conn, report(incident(2, start_s=660)))
    assert only_case(conn).incident_count == 2
    service.receive(conn, report(incident(3, start_s=660 + 601)))
    assert [case.incident_count for case in everything(conn)] == [1, 2]


def test_another_kind_or_device_is_another_case(conn: Connection[Any]) -> None:
    service.receive_all(
        conn,
        [report(incident(1)), report(incident(2, kind="loitering")), report(incident(3, device="cam-2"))],
    )
    assert len(everything(conn)) == 3


@pytest.mark.parametrize("actions", [["dismiss"], ["confirm", "resolve"], ["confirm", "resolve", "close"]])
def test_a_settled_case_never_swallows_a_new_incident(conn: Connection[Any], actions: list[str]) -> None:
    chief = principal(conn, "chief", Role.DUTY_CHIEF)
    service.receive(conn, report(incident(1)))
    case = only_case(conn)
    other = principal(conn, "other", Role.DUTY_CHIEF)
    for action in actions:
        act(conn, other if action == "close" else chief, case.id, action)
    service.receive(conn, report(incident(2, start_s=5)))
    assert sorted(found.status is CaseStatus.REPORTED for found in everything(conn)) == [False, True]


def act(conn: Connection[Any], user: Any, case_id: int, action: str) -> None:
    version = cases.detail(conn, user, case_id, now=NOW).version
    reason = DismissalReason.ANIMAL if action == "dismiss" else None
    order = Order(action=CaseAction(action), version=version, reason=reason)
    cases.act(conn, user, case_id, order, now=NOW, address="test")


def test_an_incident_that_outgrows_its_dismissed_case_goes_on_in_a_new_one(conn: Connection[Any]) -> None:
    chief = principal(conn, "chief", Role.DUTY_CHIEF)
    service.receive(conn, report(incident(1)))
    first = only_case(conn)
    act(conn, chief, first.id, "dismiss")
    service.receive(conn, report(incident(1, revision=2, state=UPDATE, update_s=30)))
    assert len(everything(conn)) == 1
    service.receive(conn, report(incident(1, revision=3, state=UPDATE, update_s=40, severity=Severity.CRITICAL)))
    second, old = everything(conn)
    assert (second.severity, second.status, second.ongoing) == (Severity.CRITICAL, CaseStatus.REPORTED, True)
    assert (old.severity, old.incident_count, old.ongoing) == (Severity.MEDIUM, 1, False)
    assert cases.detail(conn, chief, first.id, now=NOW).history[-1].action == "continued"
    service.receive(conn, report(incident(1, revision=4, state=ENDED, update_s=50, severity=Severity.CRITICAL)))
    assert [found.ongoing for found in everything(conn)] == [False, False]


def test_a_rise_of_severity_stands_in_the_history_and_changes_the_version(conn: Connection[Any]) -> None:
    chief = principal(conn, "chief", Role.DUTY_CHIEF)
    service.receive(conn, report(incident(1)))
    version = only_case(conn).version
    service.receive(conn, report(incident(1, revision=2, state=UPDATE, update_s=5)))
    assert only_case(conn).version == version
    service.receive(conn, report(incident(1, revision=3, state=UPDATE, update_s=9, severity=Severity.HIGH)))
    case = cases.detail(conn, chief, only_case(conn).id, now=NOW)
    assert (case.severity, case.version) == (Severity.HIGH, version + 1)
    assert [(entry.action, entry.severity) for entry in case.history] == [
        ("opened", Severity.MEDIUM),
        ("severity_raised", Severity.HIGH),
    ]


def test_a_lower_revision_that_comes_late_takes_nothing_back(conn: Connection[Any]) -> None:
    service.receive(conn, report(incident(revision=3, state=ENDED, update_s=90)))
    service.receive(conn, report(incident(revision=2, state=UPDATE, update_s=30, severity=Severity.HIGH)))
    case = only_case(conn)
    assert (case.ongoing, case.severity) == (False, Severity.HIGH)
    assert case.last_activity_at == NOW + timedelta(seconds=90)
    assert conn.execute("select revision, state from incident").fetchall() == [(3, "ended")]
    assert conn.execute("select count(*) from incident_revision").fetchone() == (2,)


def test_any_order_of_deliveries_gives_the_same_case(migrated_url: str) -> None:
    stream = [
        report(incident(1, revision=1)),
        report(incident(1, revision=2, state=UPDATE, update_s=30, severity=Severity.HIGH)),
        report(incident(1, revision=3, state=ENDED, update_s=60)),
        report(incident(2, revision=1, start_s=100)),
        report(incident(2, revision=2, state=ENDED, start_s=100, update_s=130)),
    ]
    seen = set()
    chosen = random.Random(7).sample(list(permutations(stream)), 12)  # noqa: S311 - the same orders each time
    with psycopg.connect(migrated_url) as conn:
        take_in_areas(conn)
        conn.commit()
        for order in chosen:
            for item in (*order, *order[::2]):
                service.receive(conn, item)
            seen.add(state_of(conn))
            conn.rollback()
    assert len(seen) == 1


def state_of(conn: Connection[Any]) -> str:
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            "select severity, status, started_at, last_activity_at, late, incident_count, ongoing from case_summary"
        ).fetchall()
        incidents = cursor.execute(
            "select incident_id, revision, state, severity, updated_at, ended_at from incident order by incident_id"
        ).fetchall()
    return repr((found, incidents))


def test_late_history_opens_a_late_case_that_rings_when_its_condition_holds(conn: Connection[Any]) -> None:
    later = NOW + timedelta(hours=3)
    service.receive(conn, report(incident(1, state=ENDED, update_s=20), historical=True, received_at=later))
    assert only_case(conn).late
    service.receive(conn, report(incident(2, start_s=60), historical=True, received_at=later))
    case = only_case(conn)
    assert not case.late
    assert case.incident_count == 2


def test_a_lower_revision_of_an_ended_incident_does_not_make_it_ring(conn: Connection[Any]) -> None:
    later = NOW + timedelta(hours=3)
    service.receive(conn, report(incident(1, revision=2, state=ENDED, update_s=20), historical=True, received_at=later))
    service.receive(conn, report(incident(1, revision=1), historical=True, received_at=later))
    assert only_case(conn).late


def test_an_unknown_grid_falls_back_to_the_district(conn: Connection[Any]) -> None:
    service.receive(conn, report(incident(), grid_code="110105009009009"))
    case = only_case(conn)
    assert case.grid is None
    assert case.number.startswith("110105-")
    assert conn.execute("select area_path from grid_case").fetchone() == ("110105/",)


def test_an_unplaced_case_is_seen_by_those_who_see_everything(conn: Connection[Any]) -> None:
    service.receive(conn, report(incident(), grid_code=None, district=None))
    assert only_case(conn).number.startswith("000000-")
    assert cases.page(conn, CaseFilter(area_path="110105/"), before=None, count=10) == []


def test_hostile_values_are_kept_harmless(conn: Connection[Any]) -> None:
    far = incident(count=2**64 - 1, note="a\x00b", unit="\x00", point="p", value=1e308)
    service.receive(conn, report(far))
    assert only_case(conn).incident_count == 1
    with pytest.raises(Invalid):
        report(incident(revision=2**63))


def test_times_at_the_ends_of_the_calendar_can_be_read_again(conn: Connection[Any]) -> None:
    east, west = timezone(timedelta(hours=12)), timezone(-timedelta(hours=12))
    file = EvidenceReference(
        sha256="0" * 64,
        kind=EvidenceKind.SNAPSHOT,
        mime="image/jpeg",
        bytes=9,
        captured_at=datetime(9999, 12, 30, 11, 59, 59, 999999, tzinfo=west),
    )
    early = datetime(1970, 1, 1, 12, tzinfo=east)
    files = (file, msgspec.structs.replace(file, captured_at=early))
    for number, named in enumerate(files):
        found = incident(number, device=f"cam-{number}", evidence=(named,))
        service.receive(conn, report(msgspec.structs.replace(found, started_at=early), received_at=NOW))
    user = principal(conn, "chief", Role.DUTY_CHIEF)
    details = [cases.detail(conn, user, case.id, now=NOW) for case in everything(conn)]
    assert {case.started_at.year for case in details} == {1970}
    assert {case.incidents[0].evidence[0].captured_at.year for case in details} == {1970, NOW.year}


def test_the_history_of_a_case_that_goes_on_and_on_ends_with_the_newest(
    conn: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "HISTORY_SHOWN", 3)
    for number in range(1, 6):
        service.receive(conn, report(incident(number, start_s=60 * number)))
    user = principal(conn, "chief", Role.DUTY_CHIEF)
    case = only_case(conn)
    order = Order(action=CaseAction.CONFIRM, version=case.version)
    told = cases.act(conn, user, case.id, order, now=NOW, address="test").history
    assert [step.action for step in told] == ["incident_added", "incident_added", "confirm"]


def test_outlines_count_the_open_cases_within_and_tell_the_worst(conn: Connection[Any]) -> None:
    for number, (grid, severity) in enumerate(
        [
            (GRID, Severity.LOW),
            (GRID, Severity.HIGH),
            ("110105001002001", Severity.MEDIUM),
            (GRID[:9], Severity.CRITICAL),
        ]
    ):
        service.receive(conn, report(incident(number, device=f"cam-{number}", severity=severity), grid_code=grid))

    def told(level: str, scope: str = "") -> list[tuple[str, int, str | None]]:
        drawn = areas.boundaries(conn, scope, level, open_statuses=["reported"])
        return [(outline.code, outline.open_cases, outline.severity) for outline in drawn if outline.open_cases]

    assert told("district") == [("110105", 4, "critical")]
    assert told("community") == [("110105001001", 2, "high"), ("110105001002", 1, "medium")]
    assert told("grid", "110105/110105001/110105001002/") == [("110105001002001", 1, "medium")]
    assert areas.boundaries(conn, "", "district", open_statuses=["filed"])[0].open_cases == 0


def test_a_wrong_clock_does_not_stretch_a_case_into_the_future(conn: Connection[Any]) -> None:
    service.receive(conn, report(incident(1, update_s=10 * 86_400), received_at=NOW))
    assert only_case(conn).last_activity_at == NOW + timedelta(minutes=1)
    service.receive(conn, report(incident(2, start_s=3600)))
    assert len(everything(conn)) == 2


def test_many_at_once_give_one_case(migrated_url: str) -> None:
    with psycopg.connect(migrated_url) as conn:
        take_in_areas(conn)
    count = 8
    barrier = threading.Barrier(count)
    pool = open_pool(migrated_url, size=count)
    failures: list[BaseException] = []

    def deliver(number: int) -> None:
        batch: list[IncidentReport] = [
            report(incident(number * 10 + extra, start_s=number, device=f"cam-{extra}")) for extra in range(3)
        ]
        random.Random(number).shuffle(batch)  # noqa: S311 - the same orders each time
        try:
            barrier.wait(timeout=20)
            with pool.connection() as conn:
                service.receive_all(conn, batch)
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with pool.connection() as conn:
        found = everything(conn)
    pool.close()
    assert failures == []
    assert sorted((case.device.device if case.device else "", case.incident_count) for case in found) == [
        ("cam-0", count),
        ("cam-1", count),
        ("cam-2", count),
    ]
    assert len({case.number for case in found}) == 3


def test_ids_of_incidents_are_their_own(conn: Connection[Any]) -> None:
    service.receive(conn, report(incident(5)))
    assert conn.execute("select incident_id from incident").fetchone() == (incident_id(5),)


def everybody(conn: Connection[Any]) -> tuple[Any, Any]:
    return principal(conn, "chief", Role.DUTY_CHIEF), principal(conn, "other", Role.DUTY_CHIEF)


def words(conn: Connection[Any], user: Any, case_id: int) -> list[str]:
    return [entry.action for entry in cases.detail(conn, user, case_id, now=NOW).history]


def test_one_spots_trouble_is_one_case_whoever_finds_it(conn: Connection[Any]) -> None:
    found = [report(incident(number, device=f"cam-{number}", spot="gate", start_s=number)) for number in range(3)]
    service.receive_all(conn, found)
    assert only_case(conn).incident_count == 3
    service.receive(conn, report(incident(9, device="cam-9", spot="yard", start_s=9)))
    service.receive(conn, report(incident(8, device="cam-8", spot="gate", start_s=9), node="node-2"))
    assert len(everything(conn)) == 3


def stand(conn: Connection[Any], name: str, *, longitude: float | None = None, behind: str | None = None) -> int:
    """A declared device; its id."""
    conn.execute(
        "insert into node (name, district, area_code, created_at) values ('node-1', '110105', %s, %s)"
        " on conflict (name) do nothing",
        [GRID, NOW],
    )
    row = conn.execute(
        "insert into device (node_id, name, kind, created_at, longitude, latitude, behind)"
        " select id, %s, 'sensor', %s, %s, %s, %s from node where name = 'node-1' returning id",
        [name, NOW, longitude, None if longitude is None else 39.9, behind],
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_devices_that_stand_near_in_one_grid_are_at_one_spot(conn: Connection[Any]) -> None:
    for number, (longitude, grid) in enumerate(
        [(116.4, GRID), (116.4002, GRID), (116.41, GRID), (116.4001, "110105001002001")]
    ):
        name = f"pole-{number}"
        seen = replace(
            report(incident(number, device=name, start_s=number), node="node-1", grid_code=grid),
            device_id=stand(conn, name, longitude=longitude),
        )
        service.receive(conn, seen)
    assert sorted(case.incident_count for case in everything(conn)) == [1, 1, 2]


def test_forty_devices_behind_one_dead_line_are_one_case(conn: Connection[Any]) -> None:
    batch = []
    for number in range(40):
        lost = incident(
            number, device=f"pile-{number:02}", kind="lost_while_charging", category="fire_safety", start_s=number
        )
        batch.append(replace(report(lost), device_id=stand(conn, f"pile-{number:02}", behind="line-7")))
    random.Random(3).shuffle(batch)  # noqa: S311 - the same order each time
    for first in range(0, 40, 7):
        service.receive_all(conn, batch[first : first + 7])
    assert only_case(conn).incident_count == 40


def test_another_order_within_a_batch_makes_no_other_cases(migrated_url: str) -> None:
    draw = random.Random(5)  # noqa: S311 - the same batches each time
    batch = [
        report(
            incident(
                number,
                device=f"cam-{number % 3}",
                spot="gate",
                zone="yard",
                start_s=draw.uniform(0, 4_000),
                severity=draw.choice((Severity.LOW, Severity.LOW, Severity.HIGH)),
            )
        )
        for number in range(40)
    ]
    seen = set()
    with psycopg.connect(migrated_url) as conn:
        take_in_areas(conn)
        conn.commit()
        for _ in range(4):
            draw.shuffle(batch)
            service.receive_all(conn, [*batch, *batch[::3]])
            seen.add(
                repr(
                    conn.execute(
                        "select severity, array_agg(i.incident_id order by 1) from case_incident ci"
                        " join incident i on i.id = ci.incident_id group by ci.case_id, severity order by 1, 2"
                    ).fetchall()
                )
            )
            conn.rollback()
    assert len(seen) == 1


def flood(conn: Connection[Any], count: int = 25, **fields: Any) -> None:
    service.receive_all(
        conn, [report(incident(1_000 + number, start_s=number * 20.0, **fields)) for number in range(count)]
    )


def test_in_a_flood_the_history_tells_numbers_and_people_can_act(conn: Connection[Any]) -> None:
    chief, _ = everybody(conn)
    flood(conn, 4)
    case = only_case(conn)
    service.receive_all(conn, [report(incident(number, start_s=90 + number)) for number in range(20)])
    told = words(conn, chief, case.id)
    assert [told.count(word) for word in ("opened", "incident_added", "folded")] == [1, 3, 2]
    assert [
        entry.note for entry in cases.detail(conn, chief, case.id, now=NOW).history if entry.action == "folded"
    ] == ["10", "20"]
    assert (only_case(conn).version, only_case(conn).incident_count) == (case.version, 24)


def test_a_known_incident_that_gets_worse_leaves_the_flood(conn: Connection[Any]) -> None:
    chief, _ = everybody(conn)
    flood(conn)
    worse = incident(1_024, revision=2, state=UPDATE, start_s=480, update_s=490, severity=Severity.CRITICAL)
    service.receive(conn, report(worse))
    new, old = everything(conn)
    assert (new.severity, new.incident_count, old.severity) == (Severity.CRITICAL, 1, Severity.MEDIUM)
    assert "continued" in words(conn, chief, old.id)
    service.receive(conn, report(incident(1, start_s=500)))
    assert [found.incident_count for found in everything(conn)] == [1, 26]


def test_a_lasting_thing_found_again_opens_its_case_again(conn: Connection[Any]) -> None:
    chief, other = everybody(conn)
    thing: dict[str, Any] = {"kind": "abandoned_object", "category": "public_order"}
    service.receive(conn, report(incident(1, **thing)))
    case = only_case(conn)
    for action in ("confirm", "resolve"):
        act(conn, chief, case.id, action)
    act(conn, other, case.id, "close")
    version = only_case(conn).version
    service.receive(conn, report(incident(2, start_s=300, **thing)))
    again = only_case(conn)
    assert (again.status, again.incident_count) == (CaseStatus.FILED, 2)
    assert again.version > version
    assert words(conn, chief, case.id)[-2:] == ["incident_added", "came_again"]


@pytest.mark.parametrize(
    ("kind", "category", "severity", "code", "comes_again"),
    [
        ("litter", "environment", Severity.LOW, "E0101", True),
        ("bin_overflow", "environment", Severity.LOW, "E0101", True),
        ("fallen_person", "public_safety", Severity.CRITICAL, "E0504", False),
    ],
)
def test_what_cameras_tell_of_places_is_of_its_category_and_rubbish_was_never_gone(
    conn: Connection[Any], *, kind: str, category: str, severity: Severity, code: str, comes_again: bool
) -> None:
    chief, other = everybody(conn)
    thing: dict[str, Any] = {"kind": kind, "category": category, "severity": severity, "zone": "bins"}
    service.receive(conn, report(incident(1, **thing)))
    case = only_case(conn)
    assert (case.kind, case.category, case.severity) == (kind, category, severity)
    row = conn.execute("select category_code from grid_case where id = %s", (case.id,)).fetchone()
    assert row is not None
    assert row[0] == code
    for action in ("confirm", "resolve"):
        act(conn, chief, case.id, action)
    act(conn, other, case.id, "close")
    service.receive(conn, report(incident(2, start_s=300, **thing)))
    assert (len(everything(conn)) == 1) is comes_again


def test_what_still_lasts_is_filed_anew_though_it_was_said_to_be_resolved(conn: Connection[Any]) -> None:
    chief, _ = everybody(conn)
    heat: dict[str, Any] = {"kind": "threshold", "category": "fire_safety", "point": "temperature_c"}
    service.receive(conn, report(incident(1, **heat)))
    case = only_case(conn)
    for action in ("confirm", "resolve"):
        act(conn, chief, case.id, action)
    service.receive(conn, report(incident(1, revision=2, state=UPDATE, update_s=500, **heat)))
    assert only_case(conn).status is CaseStatus.RESOLVED
    service.receive(conn, report(incident(1, revision=3, state=UPDATE, update_s=700, **heat)))
    assert only_case(conn).status is CaseStatus.FILED


def test_what_happens_anew_after_a_case_was_resolved_is_linked_to_it(conn: Connection[Any]) -> None:
    chief, _ = everybody(conn)
    service.receive(conn, report(incident(1)))
    first = only_case(conn)
    for action in ("confirm", "resolve"):
        act(conn, chief, first.id, action)
    version = everything(conn)[0].version
    service.receive(conn, report(incident(2, start_s=300)))
    second, old = everything(conn)
    assert (second.status, old.status) == (CaseStatus.REPORTED, CaseStatus.RESOLVED)
    assert old.version == version + 1
    assert words(conn, chief, old.id)[-1] == "came_again"
    linked = conn.execute(
        "select action, case_id, other_case_id from case_event where other_case_id is not null order by id"
    ).fetchall()
    assert linked == [("opened", second.id, old.id), ("came_again", old.id, second.id)]


def test_what_was_merged_goes_on_in_the_case_that_took_it_in(conn: Connection[Any]) -> None:
    chief, _ = everybody(conn)
    service.receive(conn, report(incident(1)))
    service.receive(conn, report(incident(2, device="cam-2", kind="loitering")))
    into, merged = (case.id for case in reversed(everything(conn)))
    version = cases.detail(conn, chief, merged, now=NOW).version
    cases.act(
        conn, chief, merged, Order(action=CaseAction.MERGE, version=version, target=into), now=NOW, address="test"
    )
    service.receive(conn, report(incident(3, device="cam-2", kind="loitering", start_s=60)))
    assert sorted((case.id, case.incident_count) for case in everything(conn)) == [(into, 3), (merged, 1)]


def test_a_repeated_false_alarm_is_counted_in_one_case_and_what_is_worse_is_not(conn: Connection[Any]) -> None:
    chief, _ = everybody(conn)
    flood(conn, 4)
    act(conn, chief, only_case(conn).id, "dismiss")
    for number in range(30):
        service.receive(conn, report(incident(number, start_s=1_200 + number * 600.0)))
    echo, first = everything(conn)
    assert (echo.incident_count, first.incident_count, echo.status) == (30, 4, CaseStatus.REPORTED)
    assert words(conn, chief, echo.id) == ["false_alarm_again", "folded_false_alarm", "folded_false_alarm"]
    act(conn, chief, echo.id, "dismiss")
    service.receive(conn, report(incident(80, start_s=19_300)))
    service.receive(conn, report(incident(81, start_s=19_310, severity=Severity.HIGH)))
    service.receive(conn, report(incident(82, start_s=19_320, kind="loitering")))
    assert [case.incident_count for case in everything(conn)] == [1, 1, 31, 4]
    service.receive(conn, report(incident(83, start_s=1_200 + 6 * 3_600 + 60)))
    assert len(everything(conn)) == 5


def test_a_drill_takes_nothing_real(conn: Connection[Any]) -> None:
    service.receive(conn, report(incident(1)))
    conn.execute("update grid_case set drill = true")
    service.receive(conn, report(incident(2, start_s=5)))
    assert len(everything(conn)) == 2
