"""Years of cases and their clocks, each in its own database: what was missed, what fired twice, and how long it took.

`python -m tests.benches.escalation [--json] [--cases 200] [--seeds 3] [--first 1]`

The world of each seed is that of `tests.cloud.escalation.simulation`: cases that arrive all year round, people who are quick, slow or away,
sweepers that die before any statement, that come twice at once or sleep for days, wall clocks that are set back and forth, the country's
holidays. What should have fired is worked out beside the program. The exit status is 0 only when nothing was missed, nothing fired twice
and nothing at the wrong time. Told besides: how many clocks a second a sweep fires when everything is due at once.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import structlog

from cloud.db.migrate import migrate
from cloud.db.pool import open_pool
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.escalation import sweeps
from cloud.escalation.roster import Posts
from tests.cloud.escalation.simulation import Simulation, people
from tests.cloud.escalation.town import NINE, open_case

BACKLOG = 1_000


def year(url: str, *, seed: int, cases: int) -> dict[str, Any]:
    """One year and its judgement."""
    began_s = time.monotonic()
    report = Simulation(url, people(url), seed=seed, cases=cases).run()
    return {"seed": seed, "right": report.right, "took_s": round(time.monotonic() - began_s, 2)} | asdict(report)


def backlog(url: str, cases: int) -> dict[str, Any]:
    """Everything is due at once, as after days without a sweep."""
    people(url)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        for number in range(cases):
            open_case(conn, number + 1)
    pool = open_pool(url, size=2)
    try:
        began_s = time.monotonic()
        sweeps.sweep(pool, now=NINE + timedelta(days=30), roster=Posts())
        took_s = time.monotonic() - began_s
    finally:
        pool.close()
    return {"clocks": cases, "took_s": round(took_s, 2), "clocks_per_s": round(cases / took_s, 1)}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=1)
    given = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(prefix="gridward-bench-") as place:
        Path(place).chmod(0o711)
        with EmbeddedPostgres(Path(place) / "postgres", durable=False) as server:
            migrate(server.create_database("migrated"))
            years = [
                year(server.create_database(f"year_{seed}", template="migrated"), seed=seed, cases=given.cases)
                for seed in range(given.first, given.first + given.seeds)
            ]
            late = backlog(server.create_database("late", template="migrated"), BACKLOG)
    right = all(each["right"] for each in years)
    if given.json:
        print(json.dumps({"right": right, "years": years, "backlog": late}, indent=2))
    else:
        for each in years:
            words = ", ".join(f"{name} {value}" for name, value in each.items() if not isinstance(value, list))
            print(words, *each["missed"][:5], *each["twice"][:5], *each["wrong"][:5], sep="\n  ")
        print(f"a backlog of {late['clocks']} clocks: {late['took_s']} s, {late['clocks_per_s']} clocks/s")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
