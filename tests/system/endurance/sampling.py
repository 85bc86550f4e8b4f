"""Reading what grows: processes, files of the node, the database. One reading is a dict of numbers by series name."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, LiteralString

import psutil
import psycopg

from tests.system.endurance.series import Judgement, Kind, Level

KEPT_TABLES: Final = frozenset(
    {
        *("reading", "rollup_minute", "rollup_hour", "state_change", "gap", "receipt", "case_counter", "grid_case"),
        *("incident", "case_incident", "incident_revision", "case_event", "evidence", "incident_evidence", "audit"),
    }
)
"""What people have to keep, for months or for ever: it grows with the load by nature."""

PRUNED_TABLES: Final = frozenset({"event"})
"""Pruned every ten minutes of what is older than the retention."""

_PRUNE_S: Final = 1_200.0
"""Two rounds of ten minutes: the second finds the room that the first one made."""
_PRUNE_EVERY_S: Final = 600.0
_SLACK_S: Final = 60.0
"""Of three samples: ages are known no closer than one of them, and a sweep waits its turn."""
_MARKED_S: Final = 1_800.0
"""By then a node of this load has as many marks of kept messages as it ever keeps (measured: 0.53 MB of store, 0.3 MB before)."""
_VACUUM_S: Final = 300.0
_CHANCE_ROWS: Final = 80.0
"""Twice the deviation of the difference of two counts of 800: so many events come more or less in ten minutes by chance. Whether they go
is told without chance, by the age of the oldest.
"""
_PLANS_BYTES: Final = 512 << 10
"""Backends are replaced, and each knows the statements that it happened to get."""
_UNVACUUMED_BYTES: Final = 256 << 10
"""Pruned rows leave their room only when the vacuum has come by."""
_JOURNAL_BYTES: Final = 16 << 20
_BURST_BYTES: Final = 128 << 10
"""A store from which everything leaves is as large as the largest burst that ever waited in it: tens of pages, not hundreds."""

PROCESS_SERIES: Final = {
    "rss": Kind("bytes", "caches and windows have fixed sizes"),
    "threads": Kind("threads", "a fixed set of named threads, and those of decoders", step=1.0, level=Level.HIGH),
    "files": Kind(
        "descriptors",
        "connections and files are closed by who opened them; those to the database apart",
        step=1.0,
        level=Level.HIGH,
    ),
}


def pool_kinds(pool: int) -> dict[str, Kind]:
    """A process with a pool of so many: it opens them as they are needed, and keeps them. One more is a lead or the listener of the
    live stream, one looks past connections that wait.
    """
    bound = "the size of the pool, a connection of its own, the look past those that wait"
    return {"database_connections": Kind("connections", bound, Judgement.CAPPED, limit=pool + 2)}


def database_kinds(*, backends: int, wal_bytes: int, retention_s: float) -> dict[str, Kind]:
    """`backends`: all pools and single connections together."""
    settled_s = retention_s + _PRUNE_S + _VACUUM_S
    return {
        "backend_private": Kind("bytes", "plans and catalogues of one backend, mean of all", step=_PLANS_BYTES),
        "backends": Kind("processes", "the sizes of the pools", Judgement.CAPPED, limit=backends),
        "wal": Kind(
            "bytes", "max_wal_size, which the server may pass by half", Judgement.CAPPED, limit=wal_bytes * 1.5
        ),
        "pruned_age": Kind(
            "seconds",
            "live_retention_s and the ten minutes between two sweeps",
            Judgement.CAPPED,
            limit=retention_s + _PRUNE_EVERY_S + _SLACK_S,
        ),
        "pruned_rows": Kind(
            "rows", "what comes in that time", settled_s=settled_s, step=_CHANCE_ROWS, level=Level.PEAK
        ),
        "pruned_tables": Kind("bytes", "live_retention_s and the vacuum", step=_UNVACUUMED_BYTES, settled_s=settled_s),
        "bounded_tables": Kind("bytes", "one row per thing that exists, swept after each use"),
        "kept_tables": Kind("bytes", "readings, incidents, the audit: what has to be kept", Judgement.GROWS),
    }


class ProcessProbe:
    """One process of ours, or the broker's. `database_port`: it has a pool of connections to what listens there."""

    def __init__(self, pid: int, *, database_port: int | None = None) -> None:
        self._process = psutil.Process(pid)
        self._database_port = database_port

    def read(self) -> dict[str, float]:
        """Resident bytes, threads, open descriptors and connections. Raises psutil.NoSuchProcess when it has ended."""
        connections = 0
        if self._database_port is not None:
            lines = self._process.net_connections("tcp")
            connections = sum(bool(line.raddr) and line.raddr.port == self._database_port for line in lines)
        with self._process.oneshot():
            found = {
                "rss": float(self._process.memory_info().rss),
                "threads": float(self._process.num_threads()),
                "files": float(self._process.num_fds() - connections),
            }
        return found if self._database_port is None else {**found, "database_connections": float(connections)}

    def census(self, servers: Mapping[int, str]) -> dict[str, Counter[str]]:
        """What the threads and descriptors are, by name; `servers` are ports and who listens there. What goes away meanwhile is
        left out.
        """
        place = Path("/proc") / str(self._process.pid)
        threads = Counter(_words(task / "comm") for task in (place / "task").iterdir())
        lines = {
            line.fd: servers.get(line.raddr.port, "a peer") if line.raddr else f"{line.status.lower()} socket"
            for line in self._process.net_connections("inet")
        }
        files = Counter(lines.get(int(entry.name)) or _kind_of(entry) for entry in (place / "fd").iterdir())
        return {"threads": threads, "files": files}


def _words(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return "gone"


def _kind_of(descriptor: Path) -> str:
    """A file by its name without numbers, all else by what the system calls it."""
    try:
        target = os.readlink(descriptor)  # noqa: PTH115  # `socket:[1]` is no path
    except OSError:
        return "gone"
    return re.sub(r"\d+", "", Path(target).name if target.startswith("/") else target.partition(":[")[0])


class Ages:
    """How old the oldest row of a table is, by the time of the load: ids grow, and each was first seen at some moment. The database's
    own clock is not hastened.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def of_oldest(self, at_s: float, oldest: int | None, newest: int | None) -> float:
        """Take the ids of the oldest and the newest row at a moment; the age is too high by the time between two moments at most."""
        if oldest is None or newest is None:
            return 0.0
        self._seen.append((at_s, newest))
        while len(self._seen) > 1 and self._seen[1][1] < oldest:
            del self._seen[0]
        return at_s - self._seen[0][0]


class DatabaseProbe:
    """The server's backends, its write-ahead log and its tables. Shared buffers are configured, so memory counts as private."""

    def __init__(self, superuser_url: str, database: str) -> None:
        self._connection = psycopg.connect(superuser_url, dbname=database, autocommit=True)
        self._ages = Ages()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def read(self, at_s: float) -> dict[str, float]:
        """The series of `database_kinds`, at a time of load."""
        private = list(self._private_bytes())
        tables = dict.fromkeys(("pruned_tables", "bounded_tables", "kept_tables"), 0.0)
        for name, size in self.sizes().items():
            group = "kept" if name in KEPT_TABLES else "pruned" if name in PRUNED_TABLES else "bounded"
            tables[f"{group}_tables"] += size
        (wal_bytes,) = self._rows("SELECT sum(size) FROM pg_ls_waldir()")[0]
        ((rows, oldest, newest),) = self._rows("SELECT count(*), min(id), max(id) FROM event")
        return {
            "pruned_age": self._ages.of_oldest(at_s, oldest, newest),
            "pruned_rows": float(rows),
            "backend_private": sum(private) / len(private) if private else 0.0,
            "backends": float(len(private)),
            "wal": float(wal_bytes),
            **tables,
        }

    def sizes(self) -> dict[str, int]:
        """Every table with its indexes, in bytes; partitions count for their table."""
        rows = self._rows(
            "SELECT coalesce(parent.relname, child.relname), sum(pg_total_relation_size(child.oid)) "
            "FROM pg_class AS child LEFT JOIN pg_inherits ON pg_inherits.inhrelid = child.oid "
            "LEFT JOIN pg_class AS parent ON parent.oid = pg_inherits.inhparent "
            "WHERE child.relkind IN ('r', 'p') AND child.relnamespace = 'public'::regnamespace GROUP BY 1"
        )
        return {str(name): int(size) for name, size in rows}

    def _private_bytes(self) -> Iterator[int]:
        """Of every backend that serves a client other than this one."""
        rows = self._rows(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        for (pid,) in rows:
            try:
                yield int(psutil.Process(pid).memory_full_info().uss)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # it ended meanwhile

    def _rows(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement).fetchall()


def node_kinds(*, outbox_quota_bytes: int, evidence_quota_bytes: int, delivers: bool) -> dict[str, Kind]:
    """The files of a node; where it can't deliver, its store fills up to the quota and stays there."""
    store = Kind("bytes", "outbox.quota_mib", Judgement.CAPPED, limit=outbox_quota_bytes)
    return {
        "outbox_used": store,
        "evidence": Kind("bytes", "outbox.evidence_quota_mib", Judgement.CAPPED, limit=evidence_quota_bytes),
        "sqlite": Kind(
            "bytes",
            "delivered rows leave, their pages are used again; the marks of 10,000 kept messages, after half an hour",
            step=_BURST_BYTES,
            settled_s=_MARKED_S,
        )
        if delivers
        else store,
        "sqlite_all": Kind("bytes", "store, log and index together") if delivers else _with_log(outbox_quota_bytes),
        "sqlite_wal": Kind("bytes", "journal_size_limit; checkpoints start it anew"),
        "sqlite_shm": Kind("bytes", "the index of the log"),
        "other_files": Kind("files", "one status, one lock, one mark per camera being opened", step=1.0),
    }


def _with_log(quota_bytes: int) -> Kind:
    limit = quota_bytes + _JOURNAL_BYTES
    return Kind("bytes", "outbox.quota_mib and journal_size_limit", Judgement.CAPPED, limit=limit)


def node_files(directory: Path, status: Mapping[str, Any]) -> dict[str, float]:
    """What a node's data directory takes; `status` is its status file."""
    outbox = status["outbox"]
    evidence = [path for path in (directory / "evidence").glob("??/*") if path.is_file()]
    others = [path for path in directory.rglob("*") if path.is_file() and "evidence" not in path.parts]
    store = {
        name: _size(directory / f"outbox.db{suffix}")
        for name, suffix in (("sqlite", ""), ("sqlite_wal", "-wal"), ("sqlite_shm", "-shm"))
    }
    return {
        "outbox_used": float(outbox["used_bytes"]),
        "evidence": float(sum(_size(path) for path in evidence)),
        **store,
        "sqlite_all": sum(store.values()),
        "other_files": float(len(others)),
    }


def _size(path: Path) -> float:
    try:
        return float(path.stat().st_size)
    except FileNotFoundError:
        return 0.0
