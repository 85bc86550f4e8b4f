"""A district's desks over years of cases: how long each answer takes.

`python -m tests.benches.desk [--json] [--data DIR] [--open 50000] [--closed 5000000] [--rate 20] [--seconds 120] [--steps 1] [--seed 1]`

The database lies in `--data` and is kept: filled once for a size and a seed, brought up to date by the migrations after that. The service
is the one that `gridward-cloud serve` runs, in one process with ingest and all its sweeps; people sign in with their passwords. Questions
come at their times, whatever became of those before, and a late answer is counted from when it was due to be asked; beside them somebody
takes a step of a case each second. The result is written to `tests/benches/reports/desk.json` when `--keep` says so. The exit status is 0
only when 95 % of the answers came within 200 ms, over all and of each kind, and none was an error.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from psycopg import sql

from cloud.api.paging import encode_cursor
from cloud.embedded.process import Child, Command, free_port, log_tail
from tests.benches.desk import load, mix
from tests.benches.desk.database import SETTINGS, ZONE, Kept, kept
from tests.benches.desk.filling import Size, told
from tests.benches.desk.judgement import judge
from tests.brokers import ReadyBroker

_ROOT = Path(__file__).resolve().parents[3]
_REPORT = _ROOT / "tests" / "benches" / "reports" / "desk.json"
_START_S = 60.0
_WARM_S = 120.0


@contextmanager
def _service(place: Path, database: Kept, broker: ReadyBroker) -> Iterator[tuple[str, Child]]:
    """`gridward-cloud serve`; its address."""
    port = free_port()
    environment = {
        "GRIDWARD_DATABASE_URL": database.url,
        "GRIDWARD_MQTT_URL": broker.url,
        "GRIDWARD_MQTT_USER": broker.cloud_user,
        "GRIDWARD_MQTT_PASSWORD": broker.cloud_password,
        "GRIDWARD_DATA_DIRECTORY": str(place / "cloud"),
        "GRIDWARD_HTTP_PORT": str(port),
        "GRIDWARD_TIMEZONE": str(ZONE),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWARD_")}
    child = Child(
        Command(
            name="cloud",
            arguments=[sys.executable, "-m", "cloud.cli", "serve"],
            log=place / "cloud.log",
            environment={**inherited, **environment},
            inherit_environment=False,
            directory=_ROOT,
        )
    ).start()
    try:
        address, until = f"http://127.0.0.1:{port}", time.monotonic() + _START_S
        while not _answers(address):
            if not child.running or time.monotonic() > until:
                raise RuntimeError(f"the service does not start: {log_tail(place / 'cloud.log')}")
            time.sleep(0.2)
        yield address, child
    finally:
        child.stop()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/api/v1/session", timeout=5).status_code == httpx.codes.UNAUTHORIZED
    except httpx.HTTPError:
        return False


def _refresh(url: str) -> None:
    """Cases are as old as the database; what is due next lies ahead again, as if somebody had looked after it all the time."""
    with psycopg.connect(url) as conn:
        for table in ("case_clock", "whole_clock"):
            conn.execute(
                sql.SQL("""
                update {table} set due_at = due_at + w.late, amber_at = amber_at + w.late, next_at = next_at + w.late
                from (select greatest(interval '0', now() + interval '10 minutes' - min(next_at)) as late from {table}
                      where state = 'running') w
                where state = 'running' and next_at is not null and w.late > interval '0'
                """).format(table=sql.Identifier(table))
            )


def _deep_cursors(url: str) -> list[str]:
    """Where pages of a year ago, and of two, begin."""
    with psycopg.connect(url) as conn:
        row = conn.execute("select max(id) from grid_case").fetchone()
    last = int(row[0]) if row is not None else 0
    return [encode_cursor(last * share // 100) for share in range(10, 100, 5)]


async def _ask(address: str, database: Kept, pids: dict[str, int], given: argparse.Namespace) -> dict[str, Any]:
    people = mix.people(database.url)
    deep = _deep_cursors(database.url)
    async with httpx.AsyncClient(base_url=address, limits=httpx.Limits(max_connections=64)) as client:
        seats = await load.sign_in(client, people, database.password, deep)
        told(f"{len(seats)} people are signed in")
        # the first minutes read the disk, and a service that runs for weeks has them behind it
        await load.ask_for(client, seats, rate=given.rate, seconds=_WARM_S, steps_rate=0, seed=given.seed + 1)
        told(f"asking for {given.seconds:g} s")
        meter, began_s = load.CpuMeter(pids), time.monotonic()
        answers = await load.ask_for(
            client, seats, rate=given.rate, seconds=given.seconds, steps_rate=given.steps, seed=given.seed
        )
        lasted_s = time.monotonic() - began_s
    cores = {name: round(spent / lasted_s, 2) for name, spent in meter.spent().items()}
    groups = {kind.name: kind.group for kind in mix.MIX}
    return {
        **judge(answers.took_ms, groups, errors=len(answers.errors)),
        "errors": len(answers.errors),
        "first_errors": answers.errors[:10],
        "cores_used": cores,
        "lasted_s": round(lasted_s, 1),
    }


def _counted(url: str) -> dict[str, int]:
    with psycopg.connect(url) as conn:
        return {
            str(status): int(count)
            for status, count in conn.execute("select status, count(*) from grid_case group by 1 order by 1")
        }


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Fill what is missing, serve, ask, judge."""
    size = Size(open_cases=given.open, closed_cases=given.closed)
    with (
        kept(given.data, size, seed=given.seed) as database,
        ReadyBroker(given.data / "broker") as broker,
    ):
        _refresh(database.url)
        statuses = _counted(database.url)
        with _service(given.data, database, broker) as (address, child):
            pids = {"service": child.pid, "postgres": database.pid, "bench": os.getpid()}
            result = asyncio.run(_ask(address, database, pids, given))
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "memory_gib": round(psutil.virtual_memory().total / 2**30, 1)},
        "load": {"rate_per_s": given.rate, "steps_per_s": given.steps, "seconds": given.seconds, "seed": given.seed},
        "mix": {kind.name: kind.weight for kind in mix.MIX},
        "cases": statuses,
        "postgres": SETTINGS,
        **result,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The bench; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write the result to the reports")
    parser.add_argument("--data", type=Path, default=Path(".desk-bench"))
    parser.add_argument("--open", type=int, default=50_000)
    parser.add_argument("--closed", type=int, default=5_000_000)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--steps", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    given.data = given.data.resolve()
    result = measure(given)
    text = json.dumps(result, indent=2, ensure_ascii=False)
    if given.keep:
        _REPORT.write_text(text + "\n", encoding="utf-8")
    if given.json:
        print(text)
    else:
        for name, found in {**result["kinds"], **result["groups"], "all": result["all"]}.items():
            print(f"{name:32}", *(f"{key} {value}" for key, value in found.items()))
        print(
            "too slow:",
            ", ".join(result["too_slow"]) or "nothing",
            "| errors:",
            result["errors"],
            *result["first_errors"],
        )
        print("cores used:", result["cores_used"])
    return 0 if result["right"] else 1


if __name__ == "__main__":
    sys.exit(main())
