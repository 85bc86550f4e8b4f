"""Figures over the API: what is shown, to whom, as what."""

import csv
import io
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

MARCH = {"from": "2026-03-01", "to": "2026-03-31"}
EVIL = '=HYPERLINK("http://192.0.2.1","x")'


@pytest.fixture(scope="module")
def town(
    postgres_server: DatabaseServer, peopled: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """Twelve cases in one grid and one in another, in March; one of them is simulated. A station that is used more and more."""
    with (
        made_settings(postgres_server, peopled, tmp_path_factory.mktemp("figures")) as settings,
        answering(settings, peopled) as cloud,
    ):
        for number in range(1, 13):
            cloud.receive(
                report(
                    incident(number, start_s=number * 7_200.0, device=f"cam-{number}", simulated=number == 12),
                    received_at=NOW + timedelta(hours=2 * number),
                )
            )
        cloud.receive(report(incident(20, device="cam-20", category="fire"), grid_code=OTHER_GRID))
        _close_all(cloud)
        for statement in STATION:
            cloud.conn.execute(statement.encode())
        cloud.conn.execute("update area set name = %s where code = %s", [EVIL, GRID[:12]])
        while rolling.settle(cloud.conn, zone=SHANGHAI):
            pass
        cloud.conn.commit()
        yield cloud


def _close_all(cloud: Cloud) -> None:
    """Every case is closed a day after it was opened: the history alone says so."""
    cloud.conn.execute(
        "insert into case_event (case_id, at, action, from_status, to_status)"
        " select id, opened_at + interval '1 day', 'close', 'checking', 'closed' from grid_case"
    )


STATION = (
    """
    insert into site (code, kind, name, area_code, created_at)
    select code, kind, '驿站', '110105001001003', now()
    from (values ('YZ-1', 'station'), ('YZ-2', 'station'), ('YZ-3', 'gate_house'), ('DS-1', 'workstation')) as place (code, kind)
    """,
    """
    insert into device (node_id, name, kind, spot, created_at) select id, 'counter', 'camera', 'yz-1', now() from node
    """,
    """
    insert into series (device_id, point, kind) select id, 'door.in_count', 'number' from device where name = 'counter'
    """,
    """
    insert into rollup_hour (series_id, bucket_at, count, total, minimum, maximum)
    select s.id, at, 1, case when at >= '2026-02-28 16:00+00' then 20 else 10 end, 0, 0
    from series s, generate_series('2026-02-01 04:00+00'::timestamptz, '2026-03-30 04:00+00', '1 day') at
    """,
    """
    insert into device (node_id, name, kind, spot, created_at) select id, 'kiosk', 'kiosk', 'yz-3', now() from node
    """,
    """
    insert into series (device_id, point, kind) select id, 'use_count', 'number' from device where name = 'kiosk'
    """,
    """
    insert into rollup_hour (series_id, bucket_at, count, total, minimum, maximum)
    select s.id, date_trunc('day', at) + interval '4 hours', 360, 360 * counted, counted - used, counted
    from series s
    cross join generate_series('2026-01-20 04:00+00'::timestamptz, '2026-03-30 04:00+00', '1 day') at
    cross join lateral (select case when at >= '2026-03-01' then 30 else 10 end as used) u
    cross join lateral (
        select case
            when at >= '2026-03-11' then 30 * (1 + date_part('day', at - '2026-03-11 04:00+00'))
            when at >= '2026-03-01' then 7000 + 30 * (1 + date_part('day', at - '2026-03-01 04:00+00'))
            else 7000 - 10 * date_part('day', '2026-02-28 04:00+00' - at)
        end as counted
    ) c
    where s.point = 'use_count'
    """,
)
"""One that counts who comes in, twice as many from March on; one with a machine that says how often it was ever used, and was exchanged in
March; one without a counter; and what is no station."""


def get(cloud: Cloud, path: str, who: str = "chief", **asked: Any) -> Any:
    with cloud.anyone() as client:
        answer = client.get(
            f"/api/v1/figures/{path}",
            params=MARCH | asked,
            headers={"Authorization": f"Bearer {cloud.session(who)}"},
        )
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.json() if "json" in answer.headers["content-type"] else answer.text


def refused(cloud: Cloud, path: str, who: str = "chief", **asked: Any) -> tuple[int, str]:
    with cloud.anyone() as client:
        answer = client.get(
            f"/api/v1/figures/{path}", params=asked, headers={"Authorization": f"Bearer {cloud.session(who)}"}
        )
    return answer.status_code, answer.json()["detail"]


def figures(view: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each for each in view["figures"]}


def test_devices_that_are_made_are_online_in_figures_of_their_own(town: Cloud) -> None:
    for name, simulated, presence in (("cam-real", False, "lost"), ("cam-made", True, "online")):
        town.conn.execute(
            "with device_row as ("
            "  insert into device (node_id, name, kind, simulated, created_at)"
            "  select id, %s, 'camera', %s, %s from node where name = 'node-1' returning id, node_id"
            "), node_row as (insert into presence_change (node_id, at, presence) select node_id, %s, 'online' from device_row)"
            " insert into presence_change (node_id, device_id, at, presence) select node_id, id, %s, %s from device_row",
            [name, simulated, NOW, NOW, NOW, presence],
        )
    town.conn.commit()
    share = {of: figures(get(town, "report", of=of))["device_online_rate"]["value"] for of in ("real", "simulated")}
    assert share == {"real": 0.0, "simulated": 1.0}


def test_figures_of_an_area_beside_the_days_before(town: Cloud) -> None:
    told = get(town, "report")
    assert (told["area"], told["waiting"], told["before_from_day"]) == ("110105", 0, "2026-01-29")
    found = figures(told)
    assert (found["opened"]["value"], found["opened"]["before"]) == (12.0, 0.0)
    assert found["close_p50"]["value"] == pytest.approx(86_400, rel=0.05)
    assert found["reopen_rate"]["value"] == 0.0
    assert (found["reopen_rate"]["whole"], found["reopen_rate"]["is_few"]) == (12, True)
    assert found["false_alarm_rate"]["value"] is None
    assert "device_online_rate" in found
    assert figures(get(town, "report", area=GRID))["opened"]["value"] == 11.0
    assert figures(get(town, "report", category="fire"))["opened"]["value"] == 1.0
    assert figures(get(town, "report", severity="low"))["opened"]["value"] == 0.0
    groups = get(town, "report", by="category")["groups"]
    assert [(each["key"], figures(each)["opened"]["value"]) for each in groups] == [
        ("public_order", 11.0),
        ("fire", 1.0),
    ]
    later = figures(get(town, "report", **{"from": "2026-04-01", "to": "2026-05-01"}))
    assert (later["opened"]["value"], later["opened"]["before"]) == (0.0, 12.0)


def test_simulated_cases_are_never_added_to_real_ones(town: Cloud) -> None:
    assert figures(get(town, "report", of="simulated"))["opened"]["value"] == 1.0


def test_each_day_of_a_window_is_there(town: Cloud) -> None:
    told = get(town, "series", figure=["opened", "close_p90"])
    assert [each["day"] for each in told["days"]] == [f"2026-03-{day:02}" for day in range(1, 32)]
    opened = {
        each["day"]: each["figures"]["opened"]["value"] for each in told["days"] if each["figures"]["opened"]["whole"]
    }
    assert opened == {"2026-03-17": 6.0, "2026-03-18": 6.0}


def test_the_ranking_names_who_has_too_few(town: Cloud) -> None:
    town.conn.execute("delete from figure_weights")
    town.conn.commit()
    told = get(town, "ranking")
    first, *rest = told["areas"]
    assert (first["code"], first["rank"], first["closed"], first["rank_before"]) == (GRID[:12], 1, 11, None)
    assert all(each["too_few"] and each["rank"] is None and each["score"] is None for each in rest)
    assert {part["measure"] for part in first["parts"]} == set(told["weights"]["weights"])
    streets = get(town, "ranking", level="street")["areas"]
    assert sum(each["opened"] for each in streets) == 12


def test_heat_has_all_areas_of_a_level(town: Cloud) -> None:
    told = get(town, "heat")
    assert [(each["code"], each["heat"]) for each in told["cells"][:2]] == [
        (GRID, 1.0),
        (OTHER_GRID, pytest.approx(1 / 11)),
    ]
    assert len(told["cells"]) == len(get(town, "heat", of="simulated")["cells"])


def becomes(town: Cloud, severity: str) -> None:
    """The case of the other grid, whatever another test made of it."""
    town.conn.execute("update grid_case set severity = %s where area_code = %s", [severity, OTHER_GRID])
    while rolling.settle(town.conn, zone=SHANGHAI):
        pass
    town.conn.commit()


def test_days_without(town: Cloud) -> None:
    becomes(town, "medium")
    told = get(town, "days-without")
    assert told["counted_from"] == "2026-03-17"
    assert told["area"]["all"] == {"days": 15, "last_on": None}
    becomes(town, "critical")
    told = get(town, "days-without")
    assert told["area"]["serious"] == {"days": 14, "last_on": "2026-03-17"}
    assert told["area"]["overdue"]["days"] == 15
    [there] = [each for each in told["areas"] if each["code"] == OTHER_GRID[:12]]
    assert (there["all"]["days"], told["areas"][0]["all"]["days"]) == (14, 15)
    assert told["areas"] == sorted(told["areas"], key=lambda each: (-each["all"]["days"], each["code"]))


def test_days_that_were_not_are_not_counted(town: Cloud) -> None:
    told = get(town, "days-without", **{"from": "2199-12-01", "to": "2199-12-31"})
    assert told["on_day"] < "2199-12-01", "today"
    becomes(town, "critical")
    code = OTHER_GRID[:12]
    town.conn.execute("update area set valid_to = '2026-03-25T00:00:00Z' where code = %s", [code])
    town.conn.execute(
        "insert into area (code, scheme, level, parent_code, name, path, valid_from) "
        "select code, scheme, level, parent_code, name, '110105/999/' || code || '/', valid_to from area where code = %s",
        [code],
    )
    fresh = "110105777777"
    town.conn.execute(
        "insert into area (code, scheme, level, parent_code, name, path, valid_from) "
        "select %s, scheme, level, parent_code, name, '110105/999/' || %s || '/', valid_from from area where code = %s and valid_to is null",
        [fresh, fresh, code],
    )
    town.conn.commit()
    there = {each["code"]: each for each in get(town, "days-without")["areas"]}
    assert there[code]["serious"] == {"days": 14, "last_on": "2026-03-17"}, "drawn anew, and the same"
    assert there[fresh]["all"] == {"days": 7, "last_on": None}, "it is there for a week"


def test_a_station_is_measured_against_itself(town: Cloud) -> None:
    machine, used, silent = get(town, "popularity")["stations"]
    assert (used["site"], used["index"], used["days"], used["days_before"]) == ("YZ-1", 200.0, 30, 28)
    assert (machine["site"], machine["index"]) == ("YZ-3", 300.0)
    assert (machine["visits"], machine["visits_before"]) == (30 * 30, 28 * 10)
    assert (silent["site"], silent["index"], silent["why"]) == ("YZ-2", None, "no_counter")


@pytest.mark.parametrize("path", ["report", "series", "ranking", "heat", "days-without", "popularity"])
def test_a_spreadsheet_runs_nothing(town: Cloud, path: str) -> None:
    by_query = get(town, path, who="admin", format="csv")
    with town.anyone() as client:
        headers = {"Authorization": f"Bearer {town.session('admin')}", "Accept": "text/csv"}
        by_header = client.get(f"/api/v1/figures/{path}", params=MARCH, headers=headers)
    assert by_header.text == by_query
    assert by_header.headers["content-disposition"].startswith("attachment")
    head, *rows = csv.reader(io.StringIO(by_query.removeprefix("\ufeff")))
    assert rows
    assert all(len(row) == len(head) for row in rows)
    assert not any(cell.startswith(("=", "@", "+", "\t")) for row in rows for cell in row)
    if path == "ranking":
        assert f"'{EVIL}" in {row[3] for row in rows}


def test_windows_have_their_bounds(town: Cloud) -> None:
    for window in (
        {"from": "2024-01-01", "to": "2026-01-01"},
        {"from": "2026-02-01", "to": "2026-01-01"},
        {"to": "0001-01-01"},
        {"to": "9999-12-31"},
        {"from": "9999-12-31"},
    ):
        status, detail = refused(town, "report", **window)
        assert status == httpx.codes.UNPROCESSABLE_ENTITY
        assert "lies" in detail
    assert refused(town, "ranking", level="galaxy")[0] == httpx.codes.UNPROCESSABLE_ENTITY
    assert refused(town, "series", figure="beauty")[0] == httpx.codes.UNPROCESSABLE_ENTITY


def test_everybody_sees_his_own_area(town: Cloud) -> None:
    assert figures(get(town, "report", who="elsewhere"))["opened"]["value"] == 1.0
    assert {each["code"][:9] for each in get(town, "heat", who="elsewhere")["cells"]} <= {
        each["code"][:9] for each in get(town, "heat", area="110105003")["cells"]
    }
    for path in ("report", "series", "ranking", "heat", "days-without", "popularity"):
        assert refused(town, path, who="elsewhere", area=GRID)[0] == httpx.codes.NOT_FOUND
        status, detail = refused(town, path, who="sanitation")
        assert (status, "list of cases" in detail) == (httpx.codes.FORBIDDEN, True)


def test_other_weights_hold_for_all_and_the_old_ones_are_kept(town: Cloud) -> None:
    wish = {"weights": {"closed": 3.0, "on_time_closure": 1.0}, "least_cases": 1, "note": "数量优先"}
    with town.anyone() as client:
        as_admin = {"Authorization": f"Bearer {town.session('admin')}"}
        told = client.put("/api/v1/figures/weights", json=wish, headers=as_admin)
        assert told.status_code == httpx.codes.OK, told.text
        assert told.json()["current"]["weights"] == {"closed": 0.75, "on_time_closure": 0.25}
        assert (told.json()["current"]["by"], told.json()["history"][-1]["since"]) == ("Admin", None)
        nonsense = client.put("/api/v1/figures/weights", json={"weights": {"beauty": 1}}, headers=as_admin)
        assert nonsense.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        as_chief = {"Authorization": f"Bearer {town.session('chief')}"}
        assert client.put("/api/v1/figures/weights", json=wish, headers=as_chief).status_code == httpx.codes.FORBIDDEN
    ranked = [each for each in get(town, "ranking")["areas"] if each["rank"] is not None]
    assert [each["rank"] for each in ranked] == [1, 2]
    row = town.conn.execute("select detail ->> 'note' from audit where action = 'figures.weights'").fetchone()
    assert row == ("数量优先",)


def test_each_figure_is_defined(town: Cloud) -> None:
    with town.anyone() as client:
        told = client.get(
            "/api/v1/figures/definitions", headers={"Authorization": f"Bearer {town.session('sanitation')}"}
        ).json()
    assert {each["name"] for each in told["figures"]} == set(figures(get(town, "report")))
    assert all(each["numerator"] and each["term"] for each in told["figures"])
    assert told["relative_error"] < 0.05
