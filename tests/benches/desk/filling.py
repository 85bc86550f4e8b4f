"""Years of cases in a migrated database, written by the database itself: the same for the same seed, size and end.

Rows are as correlation, steps and clocks would have left them, with the skew of a district: few grids have many cases, most come
by day, one case in five has several incidents. Every draw is a hash of the case's number and the seed. Left out is what no page
reads: revisions as they came, links of the chain, the sources by which correlation finds a case.

User triggers and foreign keys are off while it writes, and secondary indexes are built afterwards: hence a superuser's connection.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, LiteralString
from zoneinfo import ZoneInfo

import psycopg
from psycopg import Connection, sql

from cloud.organisation import founding
from cloud.organisation.sample import Layout, SampleDistrict

DISTRICT = "990101"
_CHUNK = 100_000
_STEPS = (
    "grid_case",
    "incident",
    "case_incident",
    "case_event",
    "case_clock",
    "whole_clock",
    "whole_stop",
    "case_department",
    "incident_verdict",
    "evidence",
    "incident_evidence",
    "notice",
)
"""Of each chunk of cases in this order; each is a file of `sql/`."""
_KEYED = ("grid_case", "incident", "case_event", "case_clock", "whole_stop", "notice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """So many cases. Beside the open ones a tenth as many are suspended, resolved or being checked."""

    open_cases: int
    closed_cases: int
    years: int = 3

    @property
    def cases(self) -> int:
        """All of them."""
        return self.open_cases + self.open_cases // 10 + self.closed_cases


def fill(
    superuser_url: str,
    url: str,
    size: Size,
    *,
    now: datetime,
    zone: ZoneInfo,
    password: str,
    seed: int = 1,
    layout: Layout = Layout(),  # noqa: B008  # frozen
    workers: int = 2,
) -> None:
    """Found the sample district in an empty, migrated database, and write its cases up to `now`. Both addresses are of that database."""
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        founding.found(conn, SampleDistrict(DISTRICT, layout=layout), now=now, zone=zone, password=password)
    told("the district is founded")
    parameters = _parameters(size, layout, now, seed)
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        _run(conn, "before", parameters)
        with _without_indexes(conn, url, workers):
            _write(superuser_url, size, parameters, workers)
        _run(conn, "after", parameters)
        for table in _KEYED:
            conn.execute(
                sql.SQL("select setval(pg_get_serial_sequence({name}, 'id'), (select max(id) from {table}))").format(
                    name=sql.Literal(table), table=sql.Identifier(table)
                )
            )
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        told("analyse")
        conn.execute("vacuum (analyze)")


def told(words: str) -> None:
    """Progress, for whoever waits."""
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def _parameters(size: Size, layout: Layout, now: datetime, seed: int) -> dict[str, Any]:
    unended = size.open_cases + size.open_cases // 10
    recent = unended * 4 // 5
    return {
        "total": size.cases,
        "recent_from": size.cases - 2 * recent,
        "old_every": max(1, (size.cases - 2 * recent) // max(1, unended - recent)),
        "recent": recent,
        "unended": unended,
        "now": now,
        "span_s": size.years * 365 * 86_400,
        "seed": seed,
        "district": DISTRICT,
        "places": layout.grids,
    }


def _statement(step: str) -> LiteralString:
    # files of this package, no words of anybody else
    return (Path(__file__).with_name("sql") / f"{step}.sql").read_text(encoding="utf-8")


def _run(conn: Connection[Any], step: str, parameters: dict[str, Any]) -> None:
    for statement in _statement(step).split(";\n\n"):
        conn.execute(statement, parameters if "%(" in statement else None)


def _write(superuser_url: str, size: Size, parameters: dict[str, Any], workers: int) -> None:
    lows = range(1, size.cases + 1, _CHUNK)
    done = 0

    def chunk(low: int) -> None:
        nonlocal done
        bounds = {"low": low, "high": min(low + _CHUNK - 1, size.cases)}
        with psycopg.connect(
            superuser_url, options="-c session_replication_role=replica -c enable_nestloop=off -c timezone=UTC"
        ) as conn:
            for step in _STEPS:
                conn.execute(_statement(step), parameters | bounds)
        done += 1
        told(f"cases {done}/{len(lows)}")

    _at_once([partial(chunk, low) for low in lows], workers)


@contextmanager
def _without_indexes(conn: Connection[Any], url: str, workers: int) -> Iterator[None]:
    """Secondary indexes and unique constraints are made anew behind the body; the primary keys stay."""
    tables = [*_STEPS]
    found = conn.execute(
        """
        select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
        from pg_index i left join pg_constraint c on c.conindid = i.indexrelid and c.contype in ('p', 'u')
        where i.indrelid = any(%s::text[]::regclass[]) and c.oid is null
        order by i.indexrelid
        """,
        [tables],
    ).fetchall()
    for name, _ in found:
        conn.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
    yield
    told(f"{len(found)} indexes")

    def build(definition: str) -> None:
        with psycopg.connect(url, autocommit=True, options="-c maintenance_work_mem=512MB") as own:
            own.execute(definition)

    _at_once([partial(build, definition) for _, definition in found], workers)


def _at_once(jobs: Sequence[Callable[[], None]], workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()
