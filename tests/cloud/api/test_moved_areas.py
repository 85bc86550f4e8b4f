"""A community that was moved to another street is the same one: its figures hold what happened before, those of the streets stay theirs."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from cloud.figures import rolling
from tests.cloud.api.conftest import Cloud, Template, answering, made_settings
from tests.cloud.figures.town import SHANGHAI
from tests.cloud.samples import GRID, NOW, OTHER_GRID, incident, report
from tests.databases import DatabaseServer

MOVED = GRID[:12]
OLD_STREET, NEW_STREET = GRID[:9], OTHER_GRID[:9]
BEFORE, AFTER = 3, 2
MARCH = {"from": "2026-03-01", "to": "2026-03-31"}
WHERE = [("worker", {}), ("chief", {"area": MOVED})]
"""Somebody whose scope is the community asks for all that he sees; somebody above asks for it by its code."""

_MOVE = (
    "update area set valid_to = %(at)s where valid_to is null and path ^@ %(old)s",
    """
    insert into area (code, scheme, level, parent_code, name, kind, path, boundary, valid_from)
    select code, scheme, level, case when code = %(code)s then %(street)s else parent_code end, name, kind,
        %(new)s || substr(path, length(%(old)s) + 1), boundary, %(at)s
    from area where valid_to = %(at)s and path ^@ %(old)s
    """,
)


@pytest.fixture(scope="module")
def town(
    postgres_server: DatabaseServer, peopled: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """Cases in one grid, a community that moves, and more cases in the same grid: it lies on another path."""
    with (
        made_settings(postgres_server, peopled, tmp_path_factory.mktemp("moved")) as settings,
        answering(settings, peopled) as cloud,
    ):
        for number in range(BEFORE):
            _happens(cloud, number, days=0)
        _happens(cloud, 9, days=0, grid=OTHER_GRID)
        moves = {"at": NOW + timedelta(days=5), "code": MOVED, "street": NEW_STREET}
        moves |= {"old": f"110105/{OLD_STREET}/{MOVED}/", "new": f"110105/{NEW_STREET}/{MOVED}/"}
        for statement in _MOVE:
            cloud.conn.execute(statement.encode(), moves)
        for number in range(BEFORE, BEFORE + AFTER):
            _happens(cloud, number, days=7)
        cloud.conn.execute(
            "insert into case_event (case_id, at, action, from_status, to_status)"
            " select id, opened_at + interval '1 day', 'close', 'checking', 'closed' from grid_case"
        )
        cloud.conn.execute(
            "insert into case_event (case_id, at, action) select max(id), %s, 'deadline_red' from grid_case where area_path ^@ %s",
            [NOW + timedelta(days=1), moves["old"]],
        )
        while rolling.settle(cloud.conn, zone=SHANGHAI):
            pass
        cloud.conn.commit()
        yield cloud


def _happens(cloud: Cloud, number: int, *, days: int, grid: str = GRID) -> None:
    found = incident(number, start_s=days * 86_400.0 + number * 7_200.0, device=f"cam-{number}")
    cloud.receive(report(found, grid_code=grid))


def get(cloud: Cloud, path: str, who: str, **asked: Any) -> Any:
    with cloud.anyone() as client:
        headers = {"Authorization": f"Bearer {cloud.session(who)}"}
        answer = client.get(f"/api/v1/figures/{path}", params=MARCH | asked, headers=headers)
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.json()


def figures(view: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each for each in view["figures"]}


def opened(cells: list[dict[str, Any]]) -> dict[str, int]:
    return {each["code"]: each["opened"] for each in cells if each["opened"]}


@pytest.mark.parametrize(("who", "asked"), WHERE)
def test_report(town: Cloud, who: str, asked: dict[str, str]) -> None:
    told = get(town, "report", who, by="category", **asked)
    found = figures(told)
    assert found["opened"]["value"] == BEFORE + AFTER
    assert found["close_p50"]["whole"] == BEFORE + AFTER
    assert [figures(each)["opened"]["value"] for each in told["groups"]] == [BEFORE + AFTER]
    later = figures(get(town, "report", who, **asked, **{"from": "2026-03-22", "to": "2026-03-27"}))
    assert (later["opened"]["value"], later["opened"]["before"]) == (AFTER, BEFORE)


@pytest.mark.parametrize(("who", "asked"), WHERE)
def test_series(town: Cloud, who: str, asked: dict[str, str]) -> None:
    days = get(town, "series", who, **asked)["days"]
    by_day = {each["day"]: each["figures"]["opened"]["value"] for each in days if each["figures"]["opened"]["whole"]}
    assert by_day == {"2026-03-17": BEFORE, "2026-03-24": AFTER}


def test_what_was_below_a_street_stays_there(town: Cloud) -> None:
    streets = {code: get(town, "report", "chief", area=code) for code in (OLD_STREET, NEW_STREET)}
    assert {code: figures(told)["opened"]["value"] for code, told in streets.items()} == {
        OLD_STREET: BEFORE,
        NEW_STREET: AFTER + 1,
    }
    assert opened(get(town, "ranking", "chief", level="street")["areas"]) == {OLD_STREET: BEFORE, NEW_STREET: AFTER + 1}
    assert opened(get(town, "heat", "elsewhere", level="street")["cells"]) == {NEW_STREET: AFTER + 1}
    assert figures(get(town, "report", "chief"))["opened"]["value"] == BEFORE + AFTER + 1


@pytest.mark.parametrize("path", ["ranking", "heat"])
@pytest.mark.parametrize(("level", "code"), [("community", MOVED), ("grid", GRID)])
def test_ranking_and_heat(town: Cloud, path: str, level: str, code: str) -> None:
    for who, asked in (*WHERE, ("chief", {}), ("elsewhere", {})):
        told = get(town, path, who, level=level, **asked)
        assert opened(told["areas" if path == "ranking" else "cells"])[code] == BEFORE + AFTER, who
    left = get(town, path, "chief", level=level, area=OLD_STREET)
    assert code not in {each["code"] for each in left["areas" if path == "ranking" else "cells"]}


def test_days_without(town: Cloud) -> None:
    for who, asked in WHERE:
        told = get(town, "days-without", who, level="grid", **asked)
        [grid] = [each for each in told["areas"] if each["code"] == GRID]
        assert told["area"]["overdue"] == grid["overdue"] == {"days": 13, "last_on": "2026-03-18"}
    there = get(town, "days-without", "elsewhere")
    assert there["area"]["overdue"]["last_on"] is None, "it was in another street"
    [moved] = [each for each in there["areas"] if each["code"] == MOVED]
    assert moved["overdue"]["last_on"] == "2026-03-18"
