"""Reading areas out of GeoJSON (RFC 7946), with a word on every row that can't be taken. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cloud.errors import Invalid

MAXIMUM_VERTICES = 20_000


@dataclass(frozen=True, slots=True)
class Feature:
    """One area as the file has it; `row` counts from 1. `geometry` is a Polygon, a MultiPolygon or None.

    `ended`: there is no such area any more.
    """

    row: int
    code: str
    level: str
    name: str
    parent: str | None
    kind: str
    geometry: dict[str, Any] | None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row can't be taken."""

    row: int
    code: str | None
    reason: str


def read(document: object) -> tuple[list[Feature], list[Problem]]:
    """The features that are whole, and a problem for each that is not."""
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        return [], [Problem(0, None, "the file is no GeoJSON FeatureCollection")]
    rows = document.get("features")
    if not isinstance(rows, list) or not rows:
        return [], [Problem(0, None, "the file has no features")]
    features, problems = [], []
    for number, row in enumerate(rows, start=1):
        code = _code(row)
        try:
            features.append(_feature(number, row))
        except Invalid as error:
            problems.append(Problem(number, code, str(error)))
    return features, problems


def _code(row: object) -> str | None:
    properties = row.get("properties") if isinstance(row, dict) else None
    code = properties.get("code") if isinstance(properties, dict) else None
    return code[:64] if isinstance(code, str) else None


def _feature(number: int, row: object) -> Feature:
    if not isinstance(row, dict) or row.get("type") != "Feature":
        raise Invalid("it is no Feature")
    properties = row.get("properties")
    if not isinstance(properties, dict):
        raise Invalid("it has no properties")
    ended = properties.get("ended", False)
    if not isinstance(ended, bool):
        raise Invalid("ended must be true or false")
    parent = properties.get("parent")
    return Feature(
        row=number,
        code=_text(properties, "code", 32),
        level=_text(properties, "level", 32),
        name=_text(properties, "name", 200),
        parent=_text(properties, "parent", 32) if parent is not None else None,
        kind=_text(properties, "kind", 32) if "kind" in properties else "basic",
        geometry=_geometry(row.get("geometry")),
        ended=ended,
    )


def _text(properties: dict[str, Any], name: str, longest: int) -> str:
    value = properties.get(name)
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > longest:
        raise Invalid(f"{name} must be a text of 1 to {longest} printable characters")
    return value.strip()


def _geometry(geometry: object) -> dict[str, Any] | None:
    if geometry is None:
        return None
    if not isinstance(geometry, dict):
        raise Invalid("its geometry is no object")
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "Polygon":
        _check_polygon(coordinates)
    elif kind == "MultiPolygon":
        if not isinstance(coordinates, list) or not coordinates:
            raise Invalid("its MultiPolygon is empty")
        for polygon in coordinates:
            _check_polygon(polygon)
    else:
        raise Invalid("its geometry is neither Polygon nor MultiPolygon")
    return {"type": kind, "coordinates": coordinates}


def _check_polygon(rings: object) -> None:
    if not isinstance(rings, list) or not rings:
        raise Invalid("a polygon has at least one ring")
    for ring in rings:
        if not isinstance(ring, list) or len(ring) < 4:
            raise Invalid("a ring has at least four positions")
        if len(ring) > MAXIMUM_VERTICES:
            raise Invalid(f"a ring has at most {MAXIMUM_VERTICES} positions")
        for position in ring:
            _check_position(position)
        if ring[0] != ring[-1]:
            raise Invalid("a ring ends where it began")
        if doubled_area(ring) == 0:
            raise Invalid("a ring encloses no area")


def _check_position(position: object) -> None:
    if not isinstance(position, list) or len(position) < 2:
        raise Invalid("a position is a list of longitude and latitude")
    for value, limit in zip(position[:2], (180, 90), strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Invalid("a position is made of numbers")
        if not math.isfinite(value) or abs(value) > limit:
            raise Invalid("a position is longitude, latitude in degrees")


def centre(geometry: dict[str, Any] | None) -> tuple[float, float] | None:
    """Longitude and latitude of the centroid of the outline (of the largest part), None without one. Of a geometry that was checked."""
    if geometry is None:
        return None
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    ring = max((polygon[0] for polygon in polygons), key=lambda each: abs(doubled_area(each)))
    x0, y0 = ring[0][:2]  # small numbers keep their digits
    moved = [(x - x0, y - y0) for x, y, *_ in ring]
    parts = [(x1 * y2 - x2 * y1, x1 + x2, y1 + y2) for (x1, y1), (x2, y2) in pairwise(moved)]
    weight = 3 * math.fsum(part[0] for part in parts)
    east, north = (math.fsum(part[0] * part[axis] for part in parts) / weight for axis in (1, 2))
    return x0 + east, y0 + north


def doubled_area(ring: Sequence[Sequence[float]]) -> float:
    """Twice the signed area of a closed ring in square degrees, positive when it runs against the clock."""
    return math.fsum(x1 * y2 - x2 * y1 for (x1, y1, *_), (x2, y2, *_) in pairwise(ring))
