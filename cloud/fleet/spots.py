"""Spots (点位): places that devices share, as births tell of them. Takes a connection, never commits."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from psycopg import Connection

from cloud.db.queries import load

MOST_AROUND = 24

_queries = load("cloud.fleet")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place of a node, and the cameras that show it. `name` is None where only its id is known."""

    id: str
    name: str | None
    cameras: tuple[str, ...]


class Neighbour(NamedTuple):
    """A device at the same place, or a camera that shows it."""

    id: int
    device: str
    name: str
    kind: str
    simulated: bool


def spot_of(conn: Connection[Any], node: str, spot: str) -> Spot:
    """The place that a device of a node names as its own."""
    row = _queries.spot_of(conn, node=node, spot=spot)
    return Spot(spot, None, ()) if row is None else Spot(row.id, row.name, tuple(row.cameras))


def devices_around(conn: Connection[Any], *, node: str, spot: str | None, device: str, scope: str) -> list[Neighbour]:
    """The device itself first, then what stands where it stands, or at the spots that it shows, then the cameras; `MOST_AROUND` at most."""
    rows = _queries.devices_around(conn, node=node, spot=spot, device=device, scope=scope, count=MOST_AROUND)
    return [Neighbour(*row) for row in rows]
