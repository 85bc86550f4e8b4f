"""Where a report belongs: the area that was named, or the one in whose outline its place lies. Takes the caller's transaction."""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection

from cloud.access import areas
from cloud.db.queries import load
from cloud.errors import NotFound
from cloud.intake.model import Report

_queries = load("cloud.intake")


def place(conn: Connection[Any], report: Report, scope: str) -> tuple[str, str]:
    """Code and path of the area. Raises NotFound where it lies outside of the scope, or nowhere."""
    if report.area_code is not None:
        area = areas.find(conn, report.area_code)
        if area is None or not area.path.startswith(scope):
            raise NotFound("there is no such area in your scope")
        return area.code, area.path
    if report.longitude is not None and report.latitude is not None:
        for row in _queries.grids_around(conn, scope=scope, longitude=report.longitude, latitude=report.latitude):
            if contains(row.boundary, report.longitude, report.latitude):
                return row.code, row.path
    raise NotFound("no area in your scope is drawn around this place")


def contains(geometry: dict[str, Any], longitude: float, latitude: float) -> bool:
    """Whether a GeoJSON polygon, or one of several, is drawn around a place; holes are outside."""
    kind, coordinates = geometry.get("type"), geometry.get("coordinates", [])
    polygons = coordinates if kind == "MultiPolygon" else [coordinates] if kind == "Polygon" else []
    return any(_in_polygon(polygon, longitude, latitude) for polygon in polygons)


def _in_polygon(rings: Sequence[Sequence[Sequence[float]]], x: float, y: float) -> bool:
    return bool(rings) and _in_ring(rings[0], x, y) and not any(_in_ring(hole, x, y) for hole in rings[1:])


def _in_ring(ring: Sequence[Sequence[float]], x: float, y: float) -> bool:
    """By how often a ray to the east meets the line (even-odd rule)."""
    inside = False
    for (ax, ay), (bx, by) in _edges(ring):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            inside = not inside
    return inside


def _edges(ring: Sequence[Sequence[float]]) -> Iterable[tuple[tuple[float, float], tuple[float, float]]]:
    points = [(point[0], point[1]) for point in ring]
    return zip(points, [*points[1:], *points[:1]], strict=True)
