import copy
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.access import areas, sample, schemes
from cloud.access.codes import Alphabet, CodeForm
from cloud.access.model import Principal, Role
from cloud.access.schemes import LevelWish
from cloud.errors import Conflict, Invalid, NotFound
from tests.cloud.samples import GRID, NOW, STREET, take_in_areas


@pytest.fixture
def conn(migrated_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as connection:
        yield connection


@pytest.fixture
def document() -> Any:
    return json.loads(sample.DOCUMENT.read_text(encoding="utf-8"))


def person(path: str) -> Principal:
    return Principal(1, "p", "P", Role.GRID_WORKER, path.rstrip("/") or None, path)


def test_the_sample_district_is_whole(conn: Connection[Any]) -> None:
    take_in_areas(conn)
    found = areas.in_scope(conn, person(""))
    assert [sum(area.level == level for area in found) for level in areas.levels(conn)] == [1, 3, 6, 60]
    grid = areas.find(conn, GRID)
    assert grid is not None
    assert grid.ancestry == ("110105", "110105001", "110105001001", GRID)


def test_a_second_import_changes_nothing(conn: Connection[Any], document: Any) -> None:
    take_in_areas(conn)
    report = areas.take_in(conn, document, now=NOW)
    assert (len(report.unchanged), report.added, report.redrawn) == (70, [], [])


def test_a_grid_that_is_redrawn_gets_a_version_and_the_old_one_ends(conn: Connection[Any], document: Any) -> None:
    take_in_areas(conn)
    document["features"][-1]["properties"]["name"] = "新的网格"
    report = areas.take_in(conn, document, now=NOW)
    code = document["features"][-1]["properties"]["code"]
    assert report.redrawn == [code]
    rows = conn.execute("select name, valid_from, valid_to from area where code = %s order by id", [code]).fetchall()
    assert [row[2] for row in rows] == [NOW, None]
    assert rows[1][:2] == ("新的网格", NOW)


def test_one_bad_row_and_nothing_is_taken_in_but_each_is_named(conn: Connection[Any], document: Any) -> None:
    rows = document["features"]
    rows[3]["properties"]["code"] = "12"
    rows[5]["geometry"]["coordinates"][0].pop()
    rows[7]["properties"]["level"] = "precinct"
    rows.append(copy.deepcopy(rows[20]))
    rows.append("no feature")
    report = areas.take_in(conn, document, now=NOW)
    assert [problem.row for problem in report.problems] == sorted(problem.row for problem in report.problems)
    assert {4, 6, 8, 71, 72} <= {problem.row for problem in report.problems}
    assert conn.execute("select count(*) from area").fetchone() == (0,)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"type": "FeatureCollection"},
        {"type": "FeatureCollection", "features": []},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": None}]},
        {
            "type": "FeatureCollection",
            "features": [{"type": "Feature", "properties": {"code": "1\x00", "level": "grid"}}],
        },
    ],
)
def test_what_is_no_collection_is_a_problem_not_a_crash(conn: Connection[Any], document: object) -> None:
    assert areas.take_in(conn, document, now=NOW).problems


def grid_feature(coordinates: Any) -> Any:
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"code": "110105", "level": "district", "name": "x"},
                "geometry": {"type": "Polygon", "coordinates": coordinates},
            }
        ],
    }


@pytest.mark.parametrize(
    "ring",
    [
        [[0, 0], [1, 0], [0, 0]],
        [[0, 0], [1, 0], [2, 0], [0, 0]],
        [[0, 0], [1, 0], [1, 1], [0, 1]],
        [[0, 0], [181, 0], [1, 1], [0, 0]],
        [[0, 0], [float("nan"), 0], [1, 1], [0, 0]],
        [[0, 0], ["1", 0], [1, 1], [0, 0]],
        [[0, 0], [True, 0], [1, 1], [0, 0]],
        "ring",
    ],
)
def test_a_ring_that_is_none_is_refused(conn: Connection[Any], ring: Any) -> None:
    assert areas.take_in(conn, grid_feature([ring]), now=NOW).problems


def test_an_unknown_scheme_is_refused(conn: Connection[Any], document: Any) -> None:
    with pytest.raises(Invalid, match="cn15"):
        areas.take_in(conn, document, scheme="mars", now=NOW)


def test_a_community_that_moves_without_its_grids_is_refused(conn: Connection[Any]) -> None:
    def feature(code: str, level: str, parent: str | None) -> dict[str, Any]:
        return {"type": "Feature", "properties": {"code": code, "level": level, "name": code, "parent": parent}}

    def collection(*features: dict[str, Any]) -> dict[str, Any]:
        return {"type": "FeatureCollection", "features": list(features)}

    first = collection(
        feature("D", "district", None),
        feature("S1", "street", "D"),
        feature("S2", "street", "D"),
        feature("C", "community", "S1"),
        feature("G", "grid", "C"),
    )
    assert not areas.take_in(conn, first, scheme="free", now=NOW - timedelta(days=1)).problems
    moved = feature("C", "community", "S2")
    with pytest.raises(Invalid, match="G"):
        areas.take_in(conn, collection(moved), scheme="free", now=NOW)
    conn.rollback()
    assert not areas.take_in(conn, first, scheme="free", now=NOW - timedelta(days=1)).problems
    assert not areas.take_in(conn, collection(moved, feature("G", "grid", "C")), scheme="free", now=NOW).problems
    grid = areas.find(conn, "G")
    assert grid is not None
    assert grid.path == "D/S2/C/G/"


def test_a_scope_shows_its_areas_and_the_way_there(conn: Connection[Any]) -> None:
    take_in_areas(conn)
    worker = person(f"110105/{STREET}/")
    found = areas.in_scope(conn, worker)
    assert [area.code for area in found[:2]] == ["110105", STREET]
    assert len(found) == 1 + 1 + 2 + 20
    assert areas.find_in_scope(conn, worker, GRID).code == GRID
    with pytest.raises(NotFound):
        areas.find_in_scope(conn, worker, "110105")
    with pytest.raises(NotFound):
        areas.find_in_scope(conn, worker, "110105\x00")


def test_outlines_come_with_the_level_asked_for(conn: Connection[Any]) -> None:
    take_in_areas(conn)
    drawn = areas.boundaries(conn, f"110105/{STREET}/", "community", open_statuses=["reported"])
    assert [(boundary.parent, boundary.open_cases, boundary.severity) for boundary in drawn] == [(STREET, 0, None)] * 2
    assert all(boundary.geometry is not None for boundary in drawn)
    with pytest.raises(Invalid):
        areas.boundaries(conn, "", "galaxy", open_statuses=[])


def digits(level: str, length: int, position: int | None = None) -> LevelWish:
    return LevelWish(level=level, form=CodeForm(Alphabet.DIGITS, length), position=position)


def collection(*rows: tuple[str, str]) -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"code": code, "level": level, "name": code}} for code, level in rows
        ],
    }


def test_a_city_without_streets(conn: Connection[Any]) -> None:
    schemes.add(conn, "flat", [digits("district", 6), digits("community", 9), digits("grid", 12)], nested=True)
    whole = collection(("330102", "district"), ("330102001", "community"), ("330102001001", "grid"))
    assert not areas.take_in(conn, whole, scheme="flat", now=NOW).problems
    grid = areas.find(conn, "330102001001")
    assert grid is not None
    assert grid.path == "330102/330102001/330102001001/"
    street = areas.take_in(conn, collection(("330102002", "street")), scheme="flat", now=NOW)
    assert "no level" in street.problems[0].reason


def test_a_city_with_three_levels_of_grids(conn: Connection[Any]) -> None:
    levels = [
        digits("district", 6),
        digits("street", 9),
        digits("community", 12),
        digits("grid", 14),
        digits("small_grid", 16, 50),
        digits("micro_grid", 18, 60),
    ]
    schemes.add(conn, "deep", levels, nested=True)
    schemes.add(conn, "deep", levels, nested=True)
    codes = ["330102", "330102001", "330102001001", "33010200100101", "3301020010010102", "330102001001010203"]
    rows = [(code, wish.level) for code, wish in zip(codes, levels, strict=True)]
    assert not areas.take_in(conn, collection(*rows[::-1]), scheme="deep", now=NOW).problems
    smallest = areas.find(conn, codes[-1])
    assert smallest is not None
    assert smallest.ancestry == tuple(codes)
    assert areas.levels(conn)[-2:] == ["small_grid", "micro_grid"]
    orphan = areas.take_in(conn, collection(("330102001001020101", "micro_grid")), scheme="deep", now=NOW)
    assert not orphan.problems, "a grid may hang below the community where nothing lies between"
    upside_down = collection(("3301020010010109", "grid"))
    assert areas.take_in(conn, upside_down, scheme="deep", now=NOW).problems
    with pytest.raises(Conflict):
        schemes.add(conn, "deep", levels[:-1], nested=True)
    with pytest.raises(Conflict):
        schemes.add(conn, "third", [digits("district", 6), digits("block", 8, 50)], nested=True)
    with pytest.raises(Invalid, match="order"):
        schemes.add(conn, "third", [digits("street", 9), digits("district", 6)], nested=False)


def test_what_was_drawn_then_is_found_by_time(conn: Connection[Any], document: Any) -> None:
    take_in_areas(conn, now=NOW - timedelta(days=30))
    last, gone = document["features"][-1]["properties"], document["features"][-2]["properties"]
    last["name"], gone["ended"] = "新的网格", True
    report = areas.take_in(conn, document, now=NOW)
    assert (report.redrawn, report.ended, report.problems) == ([last["code"]], [gone["code"]], [])
    earlier, later = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
    then, since = (areas.find_at(conn, last["code"], at) for at in (earlier, later))
    assert then is not None
    assert since is not None
    assert then.name != since.name == "新的网格"
    assert areas.find_at(conn, gone["code"], earlier) is not None
    assert areas.find_at(conn, gone["code"], NOW) is None
    assert areas.find_at(conn, last["code"], NOW - timedelta(days=31)) is None
    assert [version.valid_to for version in areas.versions(conn, last["code"])] == [NOW, None]
    again = areas.take_in(conn, document, now=later)
    assert "could end" in again.problems[0].reason


def test_what_has_something_below_it_does_not_end(conn: Connection[Any], document: Any) -> None:
    take_in_areas(conn)
    community = next(row for row in document["features"] if row["properties"]["level"] == "community")
    community["properties"]["ended"] = True
    with pytest.raises(Invalid, match="ended"):
        areas.take_in(conn, {"type": "FeatureCollection", "features": [community]}, now=NOW)
