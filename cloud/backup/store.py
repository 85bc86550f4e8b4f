"""Statements of backup and restore, with their types. All take a connection; none commits.

Table and column names come from the server's own catalogue, never from a backup.
"""

import graphlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor, sql

from cloud.db.queries import load

_queries = load("cloud.backup")

Columns = tuple[str, ...]
GATHERED_BYTES = 256 << 10


def write_portably(conn: Connection[Any]) -> None:
    """Have this session write and read text as every server does, and take its time."""
    _queries.write_portably(conn)


def tables(conn: Connection[Any]) -> dict[str, Columns]:
    """The tables of our schema with the columns that hold something of their own (generated ones do not)."""
    return {row.name: tuple(row.columns) for row in _queries.tables(conn)}


def parents_first(conn: Connection[Any], names: Iterable[str]) -> list[str]:
    """The tables in an order in which rows find what they refer to. Raises graphlib.CycleError."""
    wanted = set(names)
    order: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter({name: set() for name in sorted(wanted)})
    for row in _queries.references_between(conn):
        if row.child in wanted and row.parent in wanted:
            order.add(row.child, row.parent)
    return list(order.static_order())


def copy_out(cursor: Cursor[Any], table: str, columns: Columns) -> Iterator[bytes]:
    """The rows of a table in pieces of about `GATHERED_BYTES`; their number is the cursor's `rowcount` afterwards."""
    gathered: list[bytes] = []
    size = 0
    # through a query: COPY of a partitioned table or a hypertable itself would write nothing
    statement = sql.SQL("copy (select {} from {}) to stdout").format(_list(columns), sql.Identifier(table))
    with cursor.copy(statement) as rows:
        for row in rows:
            gathered.append(bytes(row))
            size += len(row)
            if size >= GATHERED_BYTES:
                yield b"".join(gathered)
                gathered, size = [], 0
    yield b"".join(gathered)


def copy_in(conn: Connection[Any], table: str, columns: Columns, pieces: Iterable[bytes]) -> int:
    """Write rows as `copy_out` gave them; how many. Numbers of identity columns are kept as they come."""
    statement = sql.SQL("copy {} ({}) from stdin").format(sql.Identifier(table), _list(columns))
    with conn.cursor() as cursor:
        with cursor.copy(statement) as rows:
            for piece in pieces:
                rows.write(piece)
        return cursor.rowcount


def empty(conn: Connection[Any], names: Sequence[str]) -> None:
    """Take out what migrations have put in."""
    conn.execute(sql.SQL("truncate {}").format(sql.SQL(", ").join(map(sql.Identifier, names))))


def has_rows(conn: Connection[Any], table: str) -> bool:
    """Whether there is anything in a table."""
    return conn.execute(sql.SQL("select from {} limit 1").format(sql.Identifier(table))).fetchone() is not None


@contextmanager
def without_triggers(conn: Connection[Any]) -> Iterator[None]:
    """Let rows in as they were, past triggers of our own. References and checks stay watched."""
    names = [row.name for row in _queries.guarded(conn)]
    for name in names:
        conn.execute(sql.SQL("alter table {} disable trigger user").format(sql.Identifier(name)))
    yield
    for name in names:
        conn.execute(sql.SQL("alter table {} enable trigger user").format(sql.Identifier(name)))


def sequences(conn: Connection[Any]) -> dict[str, int]:
    """The last number of each sequence that has given out one."""
    return {row.name: row.last_value for row in _queries.sequences(conn)}


def all_sequences(conn: Connection[Any]) -> set[str]:
    """The names of all sequences."""
    return {row.name for row in _queries.all_sequences(conn)}


def set_sequences(conn: Connection[Any], last_values: Mapping[str, int]) -> None:
    """Let sequences go on behind these numbers."""
    for name, last_value in last_values.items():
        _queries.set_sequence(conn, name=name, last_value=last_value)


def reading_months(conn: Connection[Any]) -> list[datetime]:
    """The first moments of the months that there are readings of."""
    return [row.month for row in _queries.reading_months(conn)]


def others(conn: Connection[Any]) -> dict[str, int]:
    """Sessions of others in this database, by the name of their program."""
    return {row.name: row.sessions for row in _queries.other_sessions(conn)}


def refresh_statistics(conn: Connection[Any]) -> None:
    """Tell the planner what is in the tables now, so that the first queries need not wait for autovacuum."""
    conn.execute("analyze")


def _list(columns: Columns) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
