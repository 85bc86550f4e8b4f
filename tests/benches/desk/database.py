"""A server that is kept between runs, filled once, with the settings that a district of that size would use."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg

from cloud.db.migrate import migrate
from cloud.db.pool import open_pool
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.figures import rolling
from cloud.figures.window import Window
from tests.benches.desk.filling import Size, fill, told

ZONE = ZoneInfo("Asia/Shanghai")
SETTINGS = {
    "shared_buffers": "8GB",
    "effective_cache_size": "12GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "checkpoint_timeout": "15min",
}
"""For 24 GB of memory and a solid-state disk: a third of it is the server's own, as a virtual machine may take back at any time what the
kernel only keeps of files. jit: questions that answer in milliseconds are not compiled first."""

_FIGURE_DAYS = 100
_NAME = "desk"
_VERSION = 3
"""Of what `filling` writes: grows with every change of it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A filled database that runs."""

    url: str
    superuser_url: str
    pid: int
    password: str
    filled_at: datetime


@contextmanager
def kept(data: Path, size: Size, *, seed: int) -> Iterator[Kept]:
    """The database in `data`: filled anew where it is missing or of another size, seed or version, brought up to date where it is older."""
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o711)
    note, wanted = data / "filled.json", {"version": _VERSION, "seed": seed, **asdict(size)}
    found = json.loads(note.read_text(encoding="utf-8")) if note.exists() else {}
    if {name: found.get(name) for name in wanted} != wanted:
        note.unlink(missing_ok=True)
        found = _filled(data, size, seed)
        note.write_text(json.dumps(wanted | found, indent=2), encoding="utf-8")
    with EmbeddedPostgres(data / "postgres", settings=SETTINGS) as server:
        for name in migrate(server.url(_NAME)):
            told(f"migration {name}")
        with psycopg.connect(server.superuser_url(_NAME), autocommit=True) as conn:
            conn.execute("create extension if not exists pg_prewarm")  # as the README advises
        _count_figures(server.url(_NAME))
        yield Kept(
            server.url(_NAME),
            server.superuser_url(_NAME),
            server.pid,
            str(found["password"]),
            datetime.fromisoformat(str(found["filled_at"])),
        )


def _filled(data: Path, size: Size, seed: int) -> dict[str, str]:
    now, password = datetime.now(UTC), secrets.token_urlsafe(16)
    with EmbeddedPostgres(data / "postgres", durable=False, settings=SETTINGS) as server:
        server.drop_database(_NAME)
        url = server.create_database(_NAME)
        migrate(url)
        fill(server.superuser_url(_NAME), url, size, now=now, zone=ZONE, password=password, seed=seed)
    return {"filled_at": now.isoformat(), "password": password}


def _count_figures(url: str) -> None:
    """The roll-up of the figures by its own way, once, for the days that pages ask for: all years take an hour."""
    pool = open_pool(url, size=2, statement_timeout_s=3_600)
    try:
        with pool.connection() as conn:
            row = conn.execute("select exists (select from figure_tally)").fetchone()
        window = rolling.extent(pool, zone=ZONE)
        if window is not None and row is not None and not row[0]:
            first = max(window.from_day, window.to_day - timedelta(days=_FIGURE_DAYS))
            rolling.recompute(pool, Window(first, window.to_day), zone=ZONE, tell=lambda done: told(f"figures {done}"))
    finally:
        pool.close()
