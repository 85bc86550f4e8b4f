"""Where a report belongs: by the outlines, and only by those near it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.cases.model import CaseOrigin
from cloud.errors import NotFound
from cloud.intake.model import Report
from cloud.intake.placing import contains, place
from tests.cloud.samples import GRID, take_in_areas
from tests.databases import DatabaseServer

DEGREES = st.floats(-2, 2, allow_nan=False).map(lambda value: round(value, 3))
RING = st.lists(st.tuples(DEGREES, DEGREES).map(list), min_size=3, max_size=8).map(lambda ring: [*ring, ring[0]])
POLYGON = st.lists(RING, min_size=1, max_size=2)
OUTLINE = POLYGON.map(lambda rings: {"type": "Polygon", "coordinates": rings}) | st.lists(
    POLYGON, min_size=1, max_size=3
).map(lambda polygons: {"type": "MultiPolygon", "coordinates": polygons})


@pytest.fixture(scope="session")
def placed_url(postgres_server: DatabaseServer, migrated_template: str) -> str:
    url = postgres_server.create_database("intake_placing", template=migrated_template)
    with psycopg.connect(url) as conn:
        take_in_areas(conn)
    return url


@pytest.fixture
def conn(placed_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(placed_url) as opened:
        yield opened
        opened.rollback()


def at(longitude: float, latitude: float) -> Report:
    return Report(origin=CaseOrigin.PATROL, category_code="E0101", title="x", longitude=longitude, latitude=latitude)


@given(outline=OUTLINE, longitude=DEGREES, latitude=DEGREES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_box_leaves_out_no_outline_that_has_the_place(
    conn: Connection[Any], outline: dict[str, Any], longitude: float, latitude: float
) -> None:
    inside = contains(outline, longitude, latitude)
    row = conn.execute("select outline_box(%s) @> point(%s, %s)", [Jsonb(outline), longitude, latitude]).fetchone()
    assert row is not None
    assert row[0] or not inside


@pytest.mark.parametrize(
    "outline", [{}, {"type": "Point", "coordinates": [1, 2]}, {"type": "Polygon", "coordinates": []}]
)
def test_what_is_no_outline_has_no_box(conn: Connection[Any], outline: dict[str, Any]) -> None:
    assert conn.execute("select outline_box(%s)", [Jsonb(outline)]).fetchone() == (None,)


def test_a_place_is_looked_up_by_index_and_finds_what_all_outlines_would(conn: Connection[Any]) -> None:
    drawn = conn.execute(
        "select code, boundary from area a where boundary is not null and valid_to is null"
        " and not exists (select from area b where b.parent_code = a.code and b.valid_to is null) order by code"
    ).fetchall()
    for code, boundary in drawn:
        ring = boundary["coordinates"][0] if boundary["type"] == "Polygon" else boundary["coordinates"][0][0]
        longitude = sum(point[0] for point in ring[:-1]) / (len(ring) - 1)
        latitude = sum(point[1] for point in ring[:-1]) / (len(ring) - 1)
        whole = next((each for each, outline in drawn if contains(outline, longitude, latitude)), None)
        if whole is None:
            continue
        found, path = place(conn, at(longitude, latitude), "")
        assert found == whole, code
        assert path.endswith(f"{whole}/")
    conn.execute("set local enable_seqscan = off")
    plan = conn.execute(
        "explain select from area where valid_to is null and boundary is not null and outline_box(boundary) @> point(1, 2)"
    ).fetchall()
    assert "area_outline" in str(plan)
    with pytest.raises(NotFound):
        place(conn, at(0.0, 0.0), "")
    with pytest.raises(NotFound):
        place(conn, at(116.45, 39.92), "310000/")
    assert GRID in {code for code, _ in drawn}
