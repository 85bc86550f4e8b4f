"""Areas as figures know them: one place under its code, with every path that it has had.

A sum of the roll-up lies under the path that an area had when things happened. An area that is moved keeps its past, and those above it
keep theirs: what happened below a street stays there, whatever was moved out of it since. Takes a connection, never commits.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.db.queries import load

_queries = load("cloud.figures")


@dataclass(frozen=True, slots=True)
class Place:
    """An area, however often it was drawn anew; an empty code and path are those of everything."""

    code: str
    name: str
    paths: frozenset[str]
    began_at: datetime | None


EVERYTHING = Place("", "", frozenset({""}), None)


def at(conn: Connection[Any], path: str) -> Place:
    """The area that a path ends in."""
    if not path:
        return EVERYTHING
    row = _queries.place(conn, code=path.rstrip("/").rpartition("/")[2])
    return Place(row.code, row.name, frozenset({path, *row.paths}), row.began_at)


def below(conn: Connection[Any], scope: str, level: str) -> list[Place]:
    """The valid areas of a level below a path."""
    rows = _queries.places_below(conn, scope=scope, level=level)
    return [Place(row.code, row.name, frozenset(row.paths), row.began_at) for row in rows]


def paths_of(places: Collection[Place]) -> frozenset[str]:
    """All paths that any of them has had."""
    return frozenset(path for place in places for path in place.paths)
