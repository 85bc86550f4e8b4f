"""What desks read, brought into the database server's own memory before somebody asks for it.

A list shows cases of many years, each of which lies somewhere else: read from a disk they cost milliseconds a row, and a page of fifty
half a second; from memory nothing. A server that runs for weeks has read them all by and by. This reads them at the start, in some
minutes, by PostgreSQL's own `pg_prewarm`; without that extension everything works, and is slow at first.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
import structlog

from cloud.db.pool import LINE, SERVER_LINE
from cloud.db.queries import load

DESK_TABLES: Final = (
    ("grid_case", "incident_evidence", "evidence", "case_department", "case_incident", "case_clock", "whole_clock"),
    ("incident", "case_event"),
)
"""What lists are made of, and then what details of old cases read besides. Of each group the indexes come first, through which every
question goes, and of those the rows in the order in which they are worth the room.
"""

SHARE: Final = 0.8
"""Of the server's buffers: the rest is for what is written, and for what nobody foresaw."""

WAY_OUT: Final = "the database has no pg_prewarm: have a superuser run `create extension pg_prewarm` in it (it is part of PostgreSQL's contrib)"

_CHUNK_BLOCKS: Final = 512
"""At a time, 4 MiB: a stop waits for one of them, and so does whoever else wants the disk."""

_REST: Final = 1.0
"""After each chunk, for so many times as long as it took: half of the disk is left to those who ask already."""

_queries = load("cloud.db")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or an index as it lies on disk."""

    oid: int
    name: str
    blocks: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks of a relation, the last one included."""

    relation: Relation
    first: int
    last: int

    @property
    def blocks(self) -> int:
        """How many."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Warmed:
    """What was read; `wanted_bytes` are all of the tables, of which only so many fit as the server has room for."""

    read_bytes: int
    wanted_bytes: int
    room_bytes: int


def stretches(relations: Iterable[Relation], room_blocks: int, chunk_blocks: int = _CHUNK_BLOCKS) -> list[Stretch]:
    """What fits into the room: relation by relation, of one that does not fit the end, where the newest rows are. Chunk by chunk."""
    found: list[Stretch] = []
    for relation in relations:
        first = max(0, relation.blocks - room_blocks)
        room_blocks -= relation.blocks - first
        found += [
            Stretch(relation, start, min(start + chunk_blocks, relation.blocks) - 1)
            for start in range(first, relation.blocks, chunk_blocks)
        ]
    return found


def warm(
    database_url: str,
    *,
    tables: Sequence[Sequence[str]] = DESK_TABLES,
    share: float = SHARE,
    rest: float = 0.0,
    stopping: threading.Event | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Warmed | None:
    """Read what fits; None where the extension is missing. `tell` hears of each relation; `rest` is how long it lets others read after
    each chunk, as a multiple of what that took. Raises psycopg.Error.
    """
    stopping = stopping or threading.Event()
    with psycopg.connect(
        database_url, autocommit=True, application_name="gridward", options=f"-c timezone=UTC {SERVER_LINE}", **LINE
    ) as conn:
        if not _queries.has_prewarm(conn):
            return None
        block_bytes, room_bytes = _queries.block_bytes(conn), int(_queries.buffer_bytes(conn) * share)
        relations = [Relation(*row) for group in tables for row in _queries.relations_to_warm(conn, tables=list(group))]
        read = 0
        last: Relation | None = None
        for stretch in stretches(relations, room_bytes // block_bytes):
            if stopping.is_set():
                break
            began_s = time.monotonic()
            if stretch.relation is not last:
                last = stretch.relation
                tell(f"{last.name}, {last.blocks * block_bytes / 2**20:,.0f} MiB")
            read += _queries.warm(conn, relation=stretch.relation.oid, first=stretch.first, last=stretch.last)
            stopping.wait(rest * (time.monotonic() - began_s))
        return Warmed(
            read_bytes=read * block_bytes,
            wanted_bytes=sum(relation.blocks for relation in relations) * block_bytes,
            room_bytes=room_bytes,
        )


class Warming:
    """Reads once, on a thread of its own; that it can't is logged and hinders nobody."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="warming", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End after the chunk that is being read."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            warmed = warm(self._database_url, rest=_REST, stopping=self._stopping)
        except psycopg.Error as error:
            _log.warning("the desks' tables were not read into memory", reason=type(error).__name__)
            return
        if warmed is None:
            _log.info("the first questions read the disk", reason=WAY_OUT)
        else:
            _log.info("the desks' tables are in memory", read_bytes=warmed.read_bytes, of_bytes=warmed.wanted_bytes)
