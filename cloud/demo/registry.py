"""The demo's rows in the database: areas, people, nodes, sites, and where the devices stand."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

from cloud.access import accounts, areas, departments, sample
from cloud.db.migrate import migrate
from cloud.demo.plan import DEPARTMENTS, DISTRICT, NODES, PEOPLE
from cloud.errors import Conflict, NotFound
from cloud.fleet import service as fleet
from cloud.fleet.model import NodeCredentials
from cloud.organisation import duty, places
from cloud.organisation.duty import ShiftWish

SHIFT: Final = timedelta(hours=12)
"""The people of the demo are on duty from its first start."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A grid and a point inside of it (WGS 84)."""

    grid_code: str
    longitude: float
    latitude: float


def prepare(
    database_url: str, passwords: Mapping[str, str], *, renew: bool = False
) -> tuple[dict[str, NodeCredentials], dict[str, Spot]]:
    """Bring the schema up, enter areas, people and nodes; the nodes' new credentials and their places by id.

    People who are there already keep their passwords and sessions, unless `renew` gives them these passwords.
    """
    migrate(database_url)
    document = json.loads(sample.DOCUMENT.read_text(encoding="utf-8"))
    spots = _spots(document)
    now = datetime.now(UTC)
    with psycopg.connect(database_url) as connection:
        report = areas.take_in(connection, document, now=now)
        if report.problems:
            raise ValueError(f"the sample areas have mistakes: {report.problems[:3]}")
    with psycopg.connect(database_url) as connection:
        credentials = {
            node.id: fleet.add_node(
                connection, node.id, district=DISTRICT, area_code=spots[node.id].grid_code, now=now, replace=True
            )
            for node in NODES
        }
    home = spots[NODES[0].id].grid_code
    _enter_departments(database_url, now)
    _enter_sites(database_url, spots, now)
    for person in PEOPLE:
        area = None if person.area_digits is None else home[: person.area_digits]
        try:
            with psycopg.connect(database_url) as connection:
                account_id = accounts.add(
                    connection,
                    name=person.name,
                    password=passwords[person.name],
                    role=person.role,
                    display_name=person.display_name,
                    area_code=area,
                    department=person.department,
                    now=now,
                )
                if person.duty is not None and area is not None:
                    wish = ShiftWish(
                        account_id=account_id, area_code=area, kind=person.duty, from_at=now, until_at=now + SHIFT
                    )
                    duty.add_shift(connection, wish, now=now)
        except Conflict:
            if renew:
                with psycopg.connect(database_url) as connection:
                    accounts.set_password(connection, person.name, passwords[person.name], now=now)
    return credentials, spots


def _enter_departments(database_url: str, now: datetime) -> None:
    for code, name, kind in DEPARTMENTS:
        with contextlib.suppress(Conflict), psycopg.connect(database_url) as connection:
            departments.add(connection, code=code, name=name, kind=kind, now=now)


def _enter_sites(database_url: str, spots: Mapping[str, Spot], now: datetime) -> None:
    with psycopg.connect(database_url) as connection:
        for node in NODES:
            spot = spots[node.id]
            site = {"code": node.site_code, "kind": node.site, "name": node.name, "area": spot.grid_code}
            where = {"longitude": spot.longitude, "latitude": spot.latitude, "address": None, "hours": None}
            places.take_site(connection, {**site, **where, "closed": False}, now=now)


def _spots(document: Mapping[str, object]) -> dict[str, Spot]:
    """One grid for each node, in the middle of different communities where there are several."""
    features = document["features"]
    if not isinstance(features, list):
        raise TypeError("the sample areas are no feature collection")
    grids = sorted(
        (feature for feature in features if feature["properties"]["level"] == "grid"),
        key=lambda feature: str(feature["properties"]["code"]),
    )
    step = max(1, len(grids) // len(NODES))
    chosen = [grids[(index * step + 2) % len(grids)] for index in range(len(NODES))]
    return {node.id: _spot(grid) for node, grid in zip(NODES, chosen, strict=True)}


def _spot(grid: Mapping[str, object]) -> Spot:
    properties, geometry = grid["properties"], grid["geometry"]
    if not isinstance(properties, Mapping) or not isinstance(geometry, Mapping):
        raise TypeError("a sample grid has no properties or no outline")
    rings = geometry["coordinates"] if geometry["type"] == "Polygon" else geometry["coordinates"][0]
    corners = rings[0][:-1]
    return Spot(
        str(properties["code"]),
        sum(corner[0] for corner in corners) / len(corners),
        sum(corner[1] for corner in corners) / len(corners),
    )


def place_devices(database_url: str, unplaced: set[tuple[str, str]], spots: Mapping[str, Spot]) -> set[tuple[str, str]]:
    """Put the devices that are known by now on the map, each a little apart; what is left over."""
    left: set[tuple[str, str]] = set()
    with psycopg.connect(database_url) as connection:
        for number, (node, device) in enumerate(sorted(unplaced)):
            spot = spots[node]
            try:
                fleet.place_device(
                    connection,
                    node,
                    device,
                    grid_code=spot.grid_code,
                    longitude=spot.longitude + 0.00015 * (number % 3 - 1),
                    latitude=spot.latitude + 0.0001 * (number // 3 % 3 - 1),
                )
            except NotFound:
                left.add((node, device))
    return left
