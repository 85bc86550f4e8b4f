import json
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import Connection, errors

from cloud.access import accounts, sessions
from cloud.access.model import Role, SignedIn
from cloud.cases import reality
from cloud.correlate import service as correlate
from cloud.drills import service as drills
from cloud.drills.model import ChosenSource, DrillWish
from cloud.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.escalation import lookahead
from cloud.escalation.roster import Posts
from cloud.fleet import service as fleet
from cloud.handover import model, records
from cloud.handover.records import Which
from cloud.organisation import duty
from cloud.organisation.duty import ShiftWish
from cloud.organisation.model import DutyKind
from edge.contract.incident import Severity
from tests.cloud.samples import GRID, NOW, add_person, incident, report, take_in_areas
from tests.databases import DatabaseServer

HOUR = timedelta(hours=1)
PEOPLE = {
    "day": (Role.DUTY_CHIEF, "110105001"),
    "night": (Role.DUTY_CHIEF, "110105001"),
    "above": (Role.DUTY_CHIEF, "110105"),
    "sender": (Role.DISPATCHER, "110105"),
    "far": (Role.DUTY_CHIEF, "110105003"),
}


@pytest.fixture(scope="session")
def desk_url(postgres_server: DatabaseServer, migrated_template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    url = postgres_server.create_database(name, template=migrated_template)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        for each, (role, area) in PEOPLE.items():
            add_person(conn, each, role, area)
        wish = ShiftWish(
            account_id=who(conn, "day").principal.user_id,
            area_code="110105001",
            kind=DutyKind.DUTY_CHIEF,
            from_at=NOW - 8 * HOUR,
            until_at=NOW,
        )
        duty.add_shift(conn, wish, now=NOW - 9 * HOUR)
        follow(conn, "night")
    yield url
    postgres_server.drop_database(name)


@pytest.fixture
def conn(desk_url: str) -> Iterator[Connection[Any]]:
    """A transaction that is rolled back."""
    with psycopg.connect(desk_url, options="-c timezone=UTC") as opened:
        yield opened
        opened.rollback()


def who(conn: Connection[Any], name: str) -> SignedIn:
    """Somebody in a session of his own."""
    account = accounts.in_use(conn, name)
    assert account is not None
    _, session_id = sessions.start(conn, account.user_id, now=NOW, lasts_s=360_000, address="test", agent="")
    session = sessions.refresh(conn, session_id, now=NOW)
    assert session is not None
    return session


def follow(conn: Connection[Any], name: str, *, begins_at: datetime = NOW) -> None:
    """Somebody's shift at the desk that is handed over."""
    wish = ShiftWish(
        account_id=who(conn, name).principal.user_id,
        area_code="110105001",
        kind=DutyKind.DUTY_CHIEF,
        from_at=begins_at,
        until_at=begins_at + 8 * HOUR,
    )
    duty.add_shift(conn, wish, now=NOW - 9 * HOUR)


def drawn(conn: Connection[Any]) -> int:
    assert records.draw_up(conn, now=NOW) == 1
    return records.page(conn, who(conn, "day").principal, Which.GIVE, now=NOW)[0].id


def given(conn: Connection[Any], words: str = "Gate 7 is broken") -> tuple[int, str]:
    record_id = drawn(conn)
    found = records.give(conn, who(conn, "day"), record_id, words=words, now=NOW, address="test").record
    assert found.sha256 is not None
    return record_id, found.sha256


def take(conn: Connection[Any], name: str, record_id: int, sha256: str) -> records.RecordDetail:
    return records.take(conn, who(conn, name), record_id, sha256=sha256, now=NOW + HOUR / 4, address="test")


def test_a_record_is_drawn_up_once_before_the_end_of_a_shift(conn: Connection[Any]) -> None:
    assert [records.draw_up(conn, now=at) for at in (NOW - HOUR, NOW - HOUR / 2, NOW, NOW + HOUR)] == [0, 1, 0, 0]


def test_it_says_how_things_stand_and_nothing_of_drills_but_that_they_run(conn: Connection[Any]) -> None:
    correlate.receive_all(conn, [report(incident(1, severity=Severity.CRITICAL)), report(incident(2, device="cam-2"))])
    wish = DrillWish(name="Fire", purpose="spring", area_code=GRID, planned_end_at=NOW + 3 * HOUR, reports=True)
    drills.start(conn, who(conn, "above").principal, wish, now=NOW, address="test")
    conn.execute("update grid_case set urged_at = now() where device = 'cam-2'")
    record_id, sha256 = given(conn)
    found = records.detail(conn, who(conn, "night").principal, record_id, now=NOW)
    told = found.contents
    assert told["open"]["together"] == 2
    assert [(each["severity"], each["urged"]) for each in told["pressing"]["items"]] == [
        ("medium", True),
        ("critical", False),
    ]
    assert [each["name"] for each in told["drills"]["items"]] == ["Fire"]
    assert found.record.words == "Gate 7 is broken"
    assert (found.intact, model.digest(model.canonical(told)).hex()) == (True, sha256)


def test_a_drill_over_the_change_tells_what_is_open_in_it_and_what_was_none(conn: Connection[Any]) -> None:
    fleet.add_node(conn, "node-1", district="110105", area_code=GRID, now=NOW - HOUR)
    conn.execute(
        "insert into device (node_id, name, kind, created_at, declared)"
        " select n.id, c.name, 'camera', n.created_at, true from node n, unnest(array['cam-1', 'cam-2']) as c (name)"
    )
    above = who(conn, "above").principal
    wish = DrillWish(
        name="Fire",
        purpose="spring",
        area_code=GRID,
        planned_end_at=NOW + 3 * HOUR,
        sources=tuple(ChosenSource("node-1", device) for device in ("cam-1", "cam-2")),
    )
    drills.start(conn, above, wish, now=NOW - HOUR, address="test")
    found = [incident(number, device=f"cam-{number}", start_s=-60) for number in (1, 2)]
    correlate.receive_all(conn, [report(each, received_at=NOW) for each in found])
    real = conn.execute("select id, number from grid_case where device = 'cam-2'").fetchone()
    assert real is not None
    reality.make_real(conn, above, real[0], note=None, now=NOW, address="test")
    record_id, _ = given(conn)
    told = records.detail(conn, who(conn, "night").principal, record_id, now=NOW).contents
    (drill,) = told["drills"]["items"]
    assert (drill["name"], drill["exercised_open"], drill["times_real"]) == ("Fire", 1, 1)
    assert told["open"]["together"] == 1, "of what is exercised nothing is counted"
    assert [(each["number"], each["made_real"]) for each in told["pressing"]["items"]] == [(real[1], True)]


def test_what_is_simulated_says_so_in_every_line(conn: Connection[Any]) -> None:
    fleet.add_node(conn, "node-1", district="110105", area_code=GRID, now=NOW - HOUR)
    conn.execute("update node set presence = 'online'")
    conn.execute(
        "insert into device (node_id, name, kind, created_at, declared, presence, presence_since, simulated)"
        " select n.id, c.name, 'camera', n.created_at, true, 'lost', %s, c.name = 'cam-1'"
        " from node n, unnest(array['cam-1', 'cam-2']) as c (name)",
        [NOW - HOUR],
    )
    found = [incident(number, device=f"cam-{number}", severity=Severity.HIGH) for number in (1, 2)]
    correlate.receive_all(conn, [report(each) for each in found])
    conn.execute("update grid_case set simulated = device = 'cam-1'")
    record_id, _ = given(conn)
    told = records.detail(conn, who(conn, "night").principal, record_id, now=NOW).contents
    assert sorted(each["simulated"] for each in told["pressing"]["items"]) == [False, True]
    assert {each["name"]: each["simulated"] for each in told["machines"]["items"]} == {"cam-1": True, "cam-2": False}


def test_two_persons_confirm_and_then_nothing_changes(conn: Connection[Any]) -> None:
    record_id, sha256 = given(conn)
    correlate.receive_all(conn, [report(incident(1))])
    taken = take(conn, "night", record_id, sha256)
    assert (taken.record.taker, taken.record.overdue, taken.contents["open"]["together"]) == ("Night", False, 0)
    later = records.remark(
        conn, who(conn, "day").principal, record_id, note="keys in box 3", now=NOW + HOUR, address="test"
    )
    assert [(each.by, each.note) for each in later.remarks] == [("Day", "keys in box 3")]
    for statement in (
        "update shift_record set words = 'else'",
        "update shift_record set taken_at = now()",
        "update shift_record set taking_note = 'else'",
        "delete from shift_record",
        "update shift_remark set note = 'else'",
        "delete from shift_remark",
    ):
        with pytest.raises(errors.RestrictViolation), conn.transaction():
            conn.execute(statement.encode())
    audited = conn.execute("select action from audit where action like 'shift_record.%%' order by id", []).fetchall()
    assert [row[0] for row in audited] == ["shift_record.given", "shift_record.taken", "shift_record.remarked"]


def test_what_was_given_stays_before_it_is_taken(conn: Connection[Any]) -> None:
    record_id, sha256 = given(conn)
    with pytest.raises(Conflict):
        records.give(conn, who(conn, "day"), record_id, words="else", now=NOW, address="test")
    with pytest.raises(errors.RestrictViolation), conn.transaction():
        conn.execute("update shift_record set contents = '{}'")
    assert take(conn, "night", record_id, sha256).record.sha256 == sha256


@pytest.mark.parametrize(
    "statement",
    [
        "update shift_record set words = 'else'",
        "update shift_record set kind = 'dispatcher'",
        "update shift_record set due_at = due_at + interval '1 day'",
        "update shift_record set ledger_position = 9, ledger = sha256('x')",
        "update shift_record set giver_role = 'dispatcher'",
        "update shift_record set giver_id = (select id from account where name = 'far')",
    ],
)
def test_what_says_whose_record_it_is_stays_and_is_hashed(conn: Connection[Any], statement: str) -> None:
    record_id, _ = given(conn)
    with pytest.raises(errors.RestrictViolation), conn.transaction():
        conn.execute(statement.encode())
    assert records.detail(conn, who(conn, "above").principal, record_id, now=NOW).intact is True
    conn.execute("alter table shift_record disable trigger user")
    conn.execute(statement.encode())
    assert records.detail(conn, who(conn, "above").principal, record_id, now=NOW).intact is False


@pytest.mark.parametrize(
    "statement",
    [
        "update shift_record set area_path = '110105/'",
        "update shift_record set due_at = due_at + interval '1 day'",
    ],
)
def test_before_it_is_given_its_desk_stays_as_it_is(conn: Connection[Any], statement: str) -> None:
    drawn(conn)
    with pytest.raises(errors.RestrictViolation), conn.transaction():
        conn.execute(statement.encode())


def test_who_has_left_keeps_what_he_gave_and_sees_nothing_more(conn: Connection[Any]) -> None:
    record_id = drawn(conn)
    conn.execute("update account set area_code = '110105003' where name = 'day'")
    day = who(conn, "day")
    assert records.page(conn, day.principal, Which.ALL, now=NOW) == []
    with pytest.raises(NotFound):
        records.detail(conn, day.principal, record_id, now=NOW)
    with pytest.raises(NotFound):
        records.give(conn, day, record_id, words="", now=NOW, address="test")


def test_who_has_left_reads_on_what_he_gave(conn: Connection[Any]) -> None:
    record_id, _ = given(conn)
    conn.execute("update account set area_code = '110105003' where name = 'day'")
    assert records.detail(conn, who(conn, "day").principal, record_id, now=NOW).intact is True


def test_no_record_where_the_same_person_goes_on_or_nobody_follows(conn: Connection[Any]) -> None:
    with conn.transaction(force_rollback=True):
        follow(conn, "day")
        assert records.draw_up(conn, now=NOW) == 0
    conn.execute("update duty_shift set cancelled_at = now() where from_at = %s", [NOW])
    assert records.draw_up(conn, now=NOW) == 0
    follow(conn, "night", begins_at=NOW + model.GRACE)
    assert records.draw_up(conn, now=NOW) == 1


def test_who_takes_it_has_a_shift_there_or_is_above_and_says_why(conn: Connection[Any]) -> None:
    record_id, sha256 = given(conn)
    conn.execute("update duty_shift set from_at = %s where from_at = %s", [NOW + HOUR, NOW])
    assert records.detail(conn, who(conn, "night").principal, record_id, now=NOW + HOUR / 4).record.may_take is False
    with pytest.raises(Forbidden):
        take(conn, "night", record_id, sha256)
    with pytest.raises(Invalid):
        take(conn, "above", record_id, sha256)
    seen = records.detail(conn, who(conn, "above").principal, record_id, now=NOW).record
    assert (seen.may_take, seen.needs_reason) == (True, True)
    taken = records.take(
        conn, who(conn, "above"), record_id, sha256=sha256, reason="ill", now=NOW + HOUR / 4, address="test"
    )
    assert (taken.record.taker, taken.record.taken_instead) == ("Above", "ill")


def test_as_what_it_was_given_stays(conn: Connection[Any]) -> None:
    record_id, sha256 = given(conn)
    conn.execute("update account set role = 'dispatcher' where name = 'day'")
    assert take(conn, "night", record_id, sha256).record.taken_instead is None


@pytest.mark.parametrize(("name", "error"), [("day", Forbidden), ("sender", Forbidden), ("far", NotFound)])
def test_who_does_not_take_it(conn: Connection[Any], name: str, error: type[Exception]) -> None:
    record_id, sha256 = given(conn)
    with pytest.raises(error):
        take(conn, name, record_id, sha256)


def test_who_takes_it_says_what_he_has_read(conn: Connection[Any]) -> None:
    record_id, sha256 = given(conn)
    with pytest.raises(Conflict):
        take(conn, "night", record_id, "0" * 64)
    take(conn, "night", record_id, sha256)
    with pytest.raises(Conflict):
        take(conn, "above", record_id, sha256)


def test_nobody_takes_it_in_the_session_in_which_it_was_given(conn: Connection[Any]) -> None:
    record_id, sha256 = given(conn)
    session = who(conn, "night")
    conn.execute("alter table shift_record disable trigger user")
    conn.execute("update shift_record set given_session = %s", [session.session_id])
    with pytest.raises(Forbidden):
        records.take(conn, session, record_id, sha256=sha256, now=NOW, address="test")


def test_each_finds_what_is_his_to_do(conn: Connection[Any]) -> None:
    record_id, sha256 = given(conn)

    def waiting(name: str) -> list[int]:
        return [each.id for each in records.page(conn, who(conn, name).principal, Which.TAKE, now=NOW)]

    assert [waiting(name) for name in ("night", "above", "day", "sender", "far")] == [
        [record_id],
        [record_id],
        [],
        [],
        [],
    ]
    take(conn, "night", record_id, sha256)
    assert waiting("above") == []
    with pytest.raises(NotFound):
        records.detail(conn, who(conn, "far").principal, record_id, now=NOW)


def test_what_is_not_confirmed_in_time_is_raised_to_the_level_above(conn: Connection[Any]) -> None:
    record_id, sha256 = given(conn)

    def raised(after: timedelta) -> list[tuple[str, str | None]]:
        lookahead.sweep(conn, Posts(), now=NOW + after, zone=ZoneInfo("Asia/Shanghai"))
        return conn.execute(
            "select p.name, t.name from duty_warning w join account p on p.id = w.account_id"
            " left join account t on t.id = w.told_account_id where w.kind = 'handover_unconfirmed' and w.over_at is null"
        ).fetchall()

    assert raised(model.GRACE - timedelta(seconds=1)) == []
    assert raised(model.GRACE) == [("day", "above")]
    assert records.page(conn, who(conn, "night").principal, Which.TAKE, now=NOW + HOUR)[0].overdue is True
    take(conn, "night", record_id, sha256)
    assert raised(2 * HOUR) == []


def test_the_canonical_text_is_the_same_whatever_the_order() -> None:
    one = model.canonical({"b": [1, "未结"], "a": NOW})
    assert one == model.canonical({"a": NOW, "b": [1, "未结"]}) == '{"a":"2026-03-17T04:30:00+00:00","b":[1,"未结"]}'
    assert json.loads(one)["b"] == [1, "未结"]
    with pytest.raises(TypeError):
        model.canonical({"a": object()})
