"""What would go unheard is raised beforehand: once, to the next level, until it is over. Whoever is on duty is called before the posts."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import REGISTRY
from psycopg import Connection

from cloud.deadlines.holidays import covered_until
from cloud.escalation import lookahead, service
from cloud.escalation.roster import Duty, Posts, levels_above
from cloud.organisation import duty
from cloud.organisation.duty import ShiftWish
from cloud.organisation.model import DutyKind
from tests.cloud.escalation.town import GRID_PATH, NINE, Town, minutes

SHANGHAI = ZoneInfo("Asia/Shanghai")
GRID = "110105001001003"


def sweep(conn: Connection[Any], now: datetime) -> int:
    return lookahead.sweep(conn, Duty(), now=now, zone=SHANGHAI)


def warnings(town: Town, kind: str) -> list[tuple[str | None, str | None, str | None]]:
    everyone = town.people["chief"]
    found = service.warnings(town.conn, everyone, count=500)
    return [(each.area_code, each.account, each.told) for each in found if each.kind == kind]


def shift(town: Town, name: str, area: str, kind: DutyKind, *, hours: int) -> None:
    wish = ShiftWish(
        account_id=town.people[name].user_id,
        area_code=area,
        kind=kind,
        from_at=NINE,
        until_at=NINE + timedelta(hours=hours),
    )
    duty.add_shift(town.conn, wish, now=NINE)


def test_an_area_without_anybody_is_raised_once_and_ends(town: Town) -> None:
    assert sweep(town.conn, NINE) > 0
    assert sweep(town.conn, NINE + minutes(1)) == 0
    before = warnings(town, "nobody_on_duty")
    assert GRID not in [area for area, _, _ in before], "a lead and a worker are there"
    duty.require_cover(town.conn, GRID, "grid", DutyKind.GRID_WORKER, "24/7", now=NINE)
    assert sweep(town.conn, NINE + minutes(2)) == 1
    raised = [each for each in warnings(town, "nobody_on_duty") if each[0] == GRID]
    assert raised == [(GRID, None, "Community")], "told to whoever answers for the level above"
    shift(town, "worker", GRID, DutyKind.GRID_WORKER, hours=24)
    assert sweep(town.conn, NINE + minutes(3)) == 2, "it is over, and the worker on duty has no channel"
    assert warnings(town, "nobody_on_duty") == before


def test_a_person_without_a_channel_is_told_to_somebody_else(town: Town) -> None:
    sweep(town.conn, NINE)
    told = {account: who for _, account, who in warnings(town, "no_channel")}
    assert told == {"Lead": "Community", "Community": "Street", "Street": "Chief", "Chief": None}


def test_a_calendar_that_ends_is_said_in_time(town: Town) -> None:
    def ends(day: date) -> bool:
        sweep(town.conn, datetime.combine(day, datetime.min.time(), SHANGHAI))
        row = town.conn.execute(
            "select count(*) from duty_warning where kind = 'calendar_ends' and over_at is null"
        ).fetchone()
        assert row is not None
        return bool(row[0])

    assert not ends(covered_until() - timedelta(days=90))
    assert ends(covered_until() - timedelta(days=30))
    town.conn.execute(
        "insert into special_day (day, worked, name, created_at) values (%s, false, 'Spring', now())",
        [covered_until() + timedelta(days=120)],
    )
    assert not ends(covered_until() - timedelta(days=29)), "the new year's days have been entered"


def test_who_is_on_duty_is_called_before_the_posts_and_where_duty_is_planned_nobody_else(town: Town) -> None:
    grid, community, street, district = levels_above(town.conn, GRID_PATH, at=NINE)
    names = [
        [person.display_name for person in Duty().answering(town.conn, area, at=NINE)] for area in (grid, community)
    ]
    assert names == [["Lead"], ["Community"]]
    shift(town, "chief", "110105001", DutyKind.DUTY_CHIEF, hours=8)
    assert [person.display_name for person in Duty().answering(town.conn, street, at=NINE)] == ["Chief"]
    night = NINE + timedelta(hours=12)
    assert [person.display_name for person in Duty().answering(town.conn, street, at=night)] == ["Street"]
    duty.require_cover(town.conn, "110105", "street", DutyKind.DUTY_CHIEF, "24/7", now=NINE)
    assert Duty().answering(town.conn, street, at=night) == []
    assert [person.display_name for person in Posts().answering(town.conn, district, at=night)] == ["Chief"]


def test_outside_of_the_hours_that_are_planned_the_posts_answer(town: Town) -> None:
    street = levels_above(town.conn, GRID_PATH, at=NINE)[2]
    duty.require_cover(town.conn, "110105", "street", DutyKind.DUTY_CHIEF, "1-5 08:00-18:00", now=NINE)
    assert Duty().answering(town.conn, street, at=NINE) == [], "planned, and nobody is there"
    night = NINE + timedelta(hours=12)
    assert [person.display_name for person in Duty().answering(town.conn, street, at=night)] == ["Street"]
    town.conn.execute("update account set disabled_at = now() where name = 'street'")
    assert Duty().answering(town.conn, street, at=night) == []


def test_that_nobody_will_answer_for_a_level_is_said_beforehand(town: Town) -> None:
    sweep(town.conn, NINE)
    assert "110105001" not in [area for area, _, _ in warnings(town, "nobody_on_duty")]
    town.conn.execute("update account set disabled_at = now() where name = 'street'")
    shift(town, "chief", "110105001", DutyKind.DUTY_CHIEF, hours=8)
    sweep(town.conn, NINE + minutes(1))
    raised = [each for each in service.warnings(town.conn, town.people["chief"]) if each.area_code == "110105001"]
    assert [(each.from_at, each.told) for each in raised] == [(NINE + timedelta(hours=8), "Chief")]
    shift(town, "chief", "110105001", DutyKind.DUTY_OFFICER, hours=24)
    sweep(town.conn, NINE + minutes(2))
    assert "110105001" not in [area for area, _, _ in warnings(town, "nobody_on_duty")]


def test_what_is_too_much_for_one_sweep_is_left_to_the_next_and_ends_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookahead, "NEW_MOST", 3)
    monkeypatch.setattr(lookahead, "PAGE", 2)
    raised: list[float] = []
    while sweep(town.conn, NINE + minutes(len(raised))):
        raised.append(REGISTRY.get_sample_value("gridward_duty_warnings_left") or 0.0)
    assert len(raised) > 2
    assert raised == sorted(raised, reverse=True)
    assert raised[-1] == 0
    everything = service.warnings(town.conn, town.people["chief"])
    town.conn.execute("delete from duty_warning")
    monkeypatch.undo()
    sweep(town.conn, NINE)
    assert len(service.warnings(town.conn, town.people["chief"])) == len(everything)
