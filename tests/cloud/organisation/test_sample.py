from collections import Counter
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg import Connection

from cloud.access.codes import CN15
from cloud.access.geojson import doubled_area, read
from cloud.organisation import duty, exchange, founding, places
from cloud.organisation.exchange import TableKind
from cloud.organisation.model import DutyKind
from cloud.organisation.sample import Layout, SampleDistrict, Unit
from tests.cloud.samples import NOW

SHANGHAI = ZoneInfo("Asia/Shanghai")
SMALL = Layout(
    columns=5, rows=4, bands=2, streets_in_band=1, members=100, estates_in_community=1, buildings_in_estate=2
)


@pytest.fixture(scope="module")
def district() -> SampleDistrict:
    return SampleDistrict()


def test_it_is_as_large_as_it_is_said_to_be(district: SampleDistrict) -> None:
    assert Counter(unit.level for unit in district.units) == {"district": 1, "street": 8, "community": 17, "grid": 783}
    assert len(district.members()) - 1 == 3_688
    assert len({unit.code for unit in district.units}) == len(district.units)
    assert all(CN15.problem(unit.code, unit.level, unit.parent) is None for unit in district.units)
    assert len({unit.name for unit in district.units}) == len(district.units)


def test_the_same_seed_makes_the_same_district(district: SampleDistrict) -> None:
    day = date(2026, 3, 16)
    again, other = SampleDistrict(), SampleDistrict(seed=2)
    for each in ("areas", "sites", "estates", "buildings", "members", "accounts"):
        assert getattr(again, each)() == getattr(district, each)()
    assert again.patterns(day) == district.patterns(day)
    assert other.areas() != district.areas()
    assert other.members() != district.members()


def rings(district: SampleDistrict, level: str) -> dict[str, list[Any]]:
    return {
        feature["properties"]["code"]: feature["geometry"]["coordinates"][0]
        for feature in district.areas()["features"]
        if feature["properties"]["level"] == level
    }


@pytest.mark.parametrize("level", ["street", "community", "grid"])
def test_areas_tile_what_lies_above_them(district: SampleDistrict, level: str) -> None:
    """Each edge is walked once each way, but for the outline of the district: nothing overlaps, and there is no hole."""
    edges: Counter[tuple[tuple[float, ...], tuple[float, ...]]] = Counter()
    for ring in rings(district, level).values():
        assert doubled_area(ring) > 0, "against the clock"
        edges.update(zip(map(tuple, ring), map(tuple, ring[1:]), strict=False))
    assert set(edges.values()) == {1}
    [outline] = rings(district, "district").values()
    border = set(zip(map(tuple, outline), map(tuple, outline[1:]), strict=False))
    assert {edge for edge in edges if edge[::-1] not in edges} == border
    areas = sum(doubled_area(ring) for ring in rings(district, level).values())
    assert areas == pytest.approx(doubled_area(outline))


def test_numbers_run_from_west_to_east_and_from_north_to_south(district: SampleDistrict) -> None:
    def place(unit: Unit) -> tuple[int, int]:
        return unit.block.top, unit.block.left

    for parent in district.units:
        below = sorted((unit for unit in district.units if unit.parent == parent.code), key=lambda unit: unit.code)
        assert [place(unit) for unit in below] == sorted(place(unit) for unit in below)


def test_geojson_of_it_can_be_taken_in(district: SampleDistrict) -> None:
    features, problems = read(district.areas())
    assert (len(features), problems) == (809, [])


def test_a_cloud_is_filled_once(conn: Connection[Any]) -> None:
    small = SampleDistrict("990102", layout=SMALL)
    made = founding.found(conn, small, now=NOW, zone=SHANGHAI, password="a sample to try")
    assert (made.areas, made.rows["members"], made.rows["patterns"]) == (1 + 2 + 5 + 20, 100, 40 + 5 + 3)
    grid = small.of_level("grid")[0]
    path = f"990102/{grid.code[:9]}/{grid.code[:12]}/{grid.code}/"
    assert {each.kind for each in duty.on_duty(conn, path, at=NOW)} == {
        DutyKind.GRID_WORKER,
        DutyKind.GRID_LEAD,
        DutyKind.DUTY_OFFICER,
        DutyKind.DUTY_CHIEF,
    }
    team = places.members(conn, path, at=NOW, with_above=True)
    assert {"lead", "police", "market_supervision"} <= {member.kind.value for member in team}
    found = exchange.check(conn, "990102/", level="grid", now=NOW, ahead=timedelta(days=7), zone=SHANGHAI)
    assert (found.teams, found.gaps) == ([], [])
    again = founding.found(conn, small, now=NOW, zone=SHANGHAI)
    assert (again.areas, again.shifts) == (made.areas, 0)
    assert len(places.members(conn, "990102/", at=NOW)) == 100
    assert exchange.give_out(conn, TableKind.ESTATES, "990102/", now=NOW, zone=SHANGHAI).count("\r\n") == 1 + 5
