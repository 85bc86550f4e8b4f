from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg import Connection

from cloud.access import areas, departments
from cloud.access.departments import DepartmentKind
from cloud.access.model import Principal
from cloud.organisation import exchange, places
from cloud.organisation.exchange import Intake, TableKind, TableReport
from cloud.organisation.model import MemberKind, SiteKind
from cloud.organisation.places import Outcome
from tests.cloud.samples import GRID, NOW

Who = Callable[[str], Principal]
SHANGHAI = ZoneInfo("Asia/Shanghai")
COMMUNITY = GRID[:12]

TABLES = {
    TableKind.SITES: "code,kind,name,area,longitude,latitude,hours\n"
    f"Z1,command_centre,指挥中心,110105,116.4,39.9,24/7\nY1,station,=东门驿站,{COMMUNITY},,,1-5 08:00-20:00\n",
    TableKind.ESTATES: f"code,name,area,property\nE1,望春园,{COMMUNITY},wangchun\n",
    TableKind.BUILDINGS: f"estate,code,name,area,floors,households\nE1,1,1号楼,{GRID},18,72\nE1,2,2号楼,{GRID},,\n",
    TableKind.MEMBERS: "area,kind,name,phone,account\n"
    f"{GRID},lead,李明,+86 10 5555 0101,lead\n{GRID},police,张卫,,\n{GRID},dynamic,志愿者甲,,\n",
    TableKind.COVERS: f"area,level,kind,hours\n{COMMUNITY},grid,grid_worker,1-7 08:00-20:00\n",
    TableKind.PATTERNS: "account,area,kind,weekdays,begins,lasts_min,first_day\n"
    f"wang,{GRID},grid_worker,1-5,08:00,480,2026-03-16\n",
    TableKind.SHIFTS: f"account,area,kind,from,until\nli,{GRID},grid_worker,2026-03-18 22:00,2026-03-19 06:00\n",
}


def take(conn: Connection[Any], kind: TableKind, text: str, *, skips_bad: bool = False) -> TableReport:
    intake = Intake(now=NOW, zone=SHANGHAI, skips_bad=skips_bad)
    return exchange.take_in_csv(conn, kind, text.encode(), intake)


@pytest.fixture
def organised(conn: Connection[Any]) -> Connection[Any]:
    departments.add(conn, code="wangchun", name="望春物业", kind=DepartmentKind.PROPERTY, now=NOW)
    for kind, text in TABLES.items():
        report = take(conn, kind, text)
        assert report.problems == []
        assert set(report.outcomes) == {Outcome.ADDED}
    return conn


def test_the_organisation_comes_in_and_goes_out_and_comes_in_unchanged(organised: Connection[Any]) -> None:
    for kind in TableKind:
        text = exchange.give_out(organised, kind, "", now=NOW, zone=SHANGHAI)
        report = take(organised, kind, text)
        assert report.problems == []
        assert set(report.outcomes) == {Outcome.UNCHANGED}, kind
        assert sum(report.outcomes.values()) == TABLES[kind].count("\n") - 1, kind


def test_what_was_taken_in_is_there_in_scope(organised: Connection[Any], who: Who) -> None:
    scope = who("lead").area_path
    assert [(site.code, site.kind) for site in places.sites(organised, scope)] == [("Y1", SiteKind.STATION)]
    [estate] = places.estates(organised, scope)
    assert (estate.property, estate.buildings) == ("wangchun", 2)
    assert [building.households for building in places.buildings(organised, scope, estate="E1")] == [72, None]
    team = places.members(organised, scope, at=NOW)
    assert [(member.kind, member.account) for member in team if member.account] == [(MemberKind.LEAD, "lead")]
    assert places.sites(organised, who("far").area_path) == []
    assert places.members(organised, "", at=NOW - timedelta(days=1)) == [], "there was no team before"


def test_one_bad_row_keeps_all_out_unless_it_is_to_be_skipped(conn: Connection[Any]) -> None:
    text = TABLES[TableKind.SITES] + "X1,station,x,999999,,,\nY 2,station,x,110105,,,\nX3,station,x,110105,1,,\n"
    report = take(conn, TableKind.SITES, text)
    assert (report.taken, report.outcomes, report.skipped) == (False, {}, 3)
    assert [(problem.line, problem.column) for problem in report.problems] == [(4, None), (5, "code"), (6, None)]
    assert places.sites(conn, "") == []
    report = take(conn, TableKind.SITES, text, skips_bad=True)
    assert (report.taken, report.outcomes, report.skipped) == (True, {Outcome.ADDED: 2}, 3)
    assert len(places.sites(conn, "")) == 2


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        (TableKind.MEMBERS, f"{GRID},lead,王二,,"),
        (TableKind.MEMBERS, f"{GRID},police,王二,,nobody"),
        (TableKind.MEMBERS, "1,police,王二,,"),
        (TableKind.ESTATES, f"E2,x,{COMMUNITY},nobody"),
        (TableKind.BUILDINGS, f"E9,1,x,{GRID},1,1"),
        (TableKind.COVERS, f"{COMMUNITY},galaxy,grid_worker,24/7"),
        (TableKind.PATTERNS, f"far,{GRID},grid_worker,1-5,08:00,480,2026-03-16"),
        (TableKind.SHIFTS, f"li,{GRID},grid_worker,2026-03-19 05:00,2026-03-19 09:00"),
        (TableKind.SHIFTS, f"nobody,{GRID},grid_worker,2026-03-19 05:00,2026-03-19 09:00"),
    ],
)
def test_what_can_not_be_is_named(organised: Connection[Any], kind: TableKind, row: str) -> None:
    header = TABLES[kind].split("\n", maxsplit=1)[0]
    report = take(organised, kind, f"{header}\n{row}\n")
    assert not report.taken
    assert [problem.line for problem in report.problems] == [2]


def test_who_leaves_stays_in_the_past(organised: Connection[Any]) -> None:
    later = Intake(now=NOW + timedelta(days=9), zone=SHANGHAI)
    left = f"area,kind,name,phone,left\n{GRID},lead,李明,+86 10 5555 0101,yes\n{GRID},lead,王新,,no\n"
    report = exchange.take_in_csv(organised, TableKind.MEMBERS, left.encode(), later)
    assert report.outcomes == {Outcome.CLOSED: 1, Outcome.ADDED: 1}
    for at, name in ((NOW, "李明"), (later.now, "王新")):
        leads = [member for member in places.members(organised, "", at=at) if member.kind is MemberKind.LEAD]
        assert [member.name for member in leads] == [name]


def test_an_estate_closes_with_its_buildings(organised: Connection[Any]) -> None:
    report = take(organised, TableKind.ESTATES, f"code,name,area,closed\nE1,望春园,{COMMUNITY},是\n")
    assert report.outcomes == {Outcome.CLOSED: 1}
    assert places.estates(organised, "") == []
    assert places.buildings(organised, "") == []


def test_a_check_tells_what_is_not_in_order(organised: Connection[Any]) -> None:
    ended = {"code": GRID, "level": "grid", "name": "x", "ended": True}
    document = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": ended, "geometry": None}]}
    ahead = timedelta(days=1)
    found = exchange.check(organised, f"110105/{GRID[:9]}/", level="grid", now=NOW, ahead=ahead, zone=SHANGHAI)
    missing = {row["code"]: row["missing"] for row in found.teams}
    assert "lead" not in missing[GRID]
    assert len(missing) == 20
    assert found.dangling == []
    assert {gap["kind"] for gap in found.gaps} == {"grid_worker"}
    assert not areas.take_in(organised, document, now=NOW).problems
    found = exchange.check(organised, "", level="grid", now=NOW, ahead=ahead, zone=SHANGHAI)
    assert {row["what"] for row in found.dangling} == {"building", "team", "duty_pattern"}
