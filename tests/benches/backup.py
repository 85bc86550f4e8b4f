"""A backup and its restore: seconds, rows per second, size, and the most memory that the program took.

`python -m tests.benches.backup [--json] [--rows 2000000] [--files 500] [--file-kib 200]`

A populated cloud gets `--rows` readings more (a sensor a second, with noise) and `--files` files of evidence. Backup,
verification and restore into an empty database run one after the other as processes of their own, as an operator runs them.
Memory is the peak resident size of that process (VmHWM, read twenty times a second); the server's is not in it.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from cloud.db.migrate import migrate
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.evidence.files import EvidenceFiles
from tests.cloud.populated import populate

READINGS = """
    insert into reading (series_id, observed_at, value, flag)
    select 1 + n %% 20, timestamptz '2026-01-01' + n * interval '50 ms', round((20 + 5 * random())::numeric, 2), 0
    from generate_series(1, %s) as n
    on conflict do nothing
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One command."""

    name: str
    seconds: float
    peak_mib: float


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--file-kib", type=int, default=200)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gridward-bench-") as made:
        place = Path(made)
        place.chmod(0o711)
        with EmbeddedPostgres(place / "postgres") as server:
            url = _fill(server, place, rows=wanted.rows, files=wanted.files, file_kib=wanted.file_kib)
            target = server.create_database("target")
            backup = str(place / "backup")
            steps = [
                _run("backup", url, place / "store", "backup", backup),
                _run("verify", url, place / "store", "restore", backup, "--verify"),
                _run("restore", target, place / "restored", "restore", backup),
            ]
            size_bytes = sum(path.stat().st_size for path in (place / "backup" / "tables").iterdir())
    told = {
        "rows": wanted.rows,
        "evidence_files": wanted.files,
        "evidence_mib": wanted.files * wanted.file_kib / 1024,
        "tables_mib": round(size_bytes / (1 << 20), 1),
        "steps": [asdict(step) for step in steps],
        "rows_per_s": {step.name: round(wanted.rows / step.seconds) for step in steps},
    }
    if wanted.json:
        sys.stdout.write(json.dumps(told) + "\n")
        return
    for step in steps:
        sys.stdout.write(f"{step.name:8} {step.seconds:7.1f} s  peak {step.peak_mib:5.0f} MiB\n")


def _fill(server: EmbeddedPostgres, place: Path, *, rows: int, files: int, file_kib: int) -> str:
    url = server.create_database()
    migrate(url)
    store = (place / "store").as_uri()
    populate(url, store, place / "scratch")
    draw = random.Random(7)  # noqa: S311  # bytes for a measurement
    with psycopg.connect(url) as conn:
        conn.execute(READINGS, [rows])
        for _ in range(files):
            content = draw.randbytes(file_kib << 10)
            sha256 = hashlib.sha256(content).hexdigest()
            source = place / "scratch" / "file"
            source.write_bytes(content)
            EvidenceFiles(store).put(sha256, source)
            conn.execute(
                "insert into evidence (node, sha256, kind, mime, bytes, stored_at)"
                " values ('station-01', %s, 'snapshot', 'image/jpeg', %s, now())",
                [sha256, len(content)],
            )
    return url


def _run(name: str, url: str, store: Path, *words: str) -> Step:
    """Run `gridward-cloud` to its end."""
    environment = {**os.environ, "GRIDWARD_DATABASE_URL": url, "GRIDWARD_EVIDENCE_URL": store.as_uri()}
    command = [sys.executable, "-m", "cloud.cli", *words, "--json"]
    began_s, peak_kib = time.perf_counter(), 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak_kib = max(peak_kib, _peak_kib(process.pid))
            time.sleep(0.05)
    if process.returncode != 0:
        raise SystemExit(f"{name} failed: {process.returncode}")
    return Step(name, round(time.perf_counter() - began_s, 2), round(peak_kib / 1024, 1))


def _peak_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    main()
