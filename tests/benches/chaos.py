"""Faults on the whole path: `python -m tests.benches.chaos --json [--seeds N] [--broker B] [--faults F,…] [--report DIRECTORY]`.

Single faults with their recovery on both brokers, ten runs from a seed (the brokers in turn), and the deliberate defects
that the judge has to find. With `--report`, what is done is kept after every row in `chaos.json`, the tables in `chaos.md`;
`--resume` goes on with what is there. `--defect NAME` shows one defect: the exit status is 1, as it has to be.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from cloud.embedded.broker import BrokerKind
from tests.system.chaos import report as reports
from tests.system.chaos.defects import Defect
from tests.system.chaos.faults import Fault
from tests.system.chaos.runs import defective_run, long_run, single_faults

BROKERS = (BrokerKind.MOSQUITTO, BrokerKind.AMQTT)
NONE = "none"


class Bench:
    """The report, row by row."""

    def __init__(self, directory: Path | None, *, resume: bool) -> None:
        self._directory = directory
        self.report: dict[str, Any] = {"circumstances": _circumstances(), "single": [], "seeds": [], "defects": []}
        if resume and directory is not None and (directory / "chaos.json").exists():
            self.report = json.loads((directory / "chaos.json").read_text(encoding="utf-8"))

    def add(self, part: str, row: dict[str, Any]) -> None:
        """Keep a row at once."""
        self.report[part].append(row)
        if self._directory is None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "chaos.json").write_text(
            json.dumps(self.report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        (self._directory / "chaos.md").write_text(reports.markdown(self.report), encoding="utf-8")

    def has(self, part: str, **wanted: Any) -> bool:
        """Whether a row is there already."""
        return any(all(row[name] == value for name, value in wanted.items()) for row in self.report[part])

    def single(self, brokers: Iterable[BrokerKind], faults: Iterable[Fault]) -> None:
        """Each fault alone."""
        wanted = tuple(faults)
        for broker in brokers:
            left = tuple(fault for fault in wanted if not self.has("single", broker=broker.value, fault=fault.value))
            for found in single_faults(broker, left, say=say) if left else ():
                self.add("single", reports.recovery_row(broker.value, found))

    def seeds(self, brokers: tuple[BrokerKind, ...], count: int) -> None:
        """Runs with many faults."""
        for seed in range(1, count + 1):
            broker = brokers[seed % len(brokers)]
            if not self.has("seeds", broker=broker.value, seed=seed):
                say(f"seed {seed} on {broker}")
                self.add("seeds", reports.seed_row(broker.value, seed, long_run(seed, broker, say=say)))

    def defects(self, names: Iterable[str]) -> None:
        """What has to be found."""
        for name in names:
            if not self.has("defects", defect=name):
                say(f"defect {name}")
                outcome = defective_run(None if name == NONE else Defect(name), say=say)
                self.add("defects", reports.defect_row(name, outcome))


def say(text: str) -> None:
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)


def _circumstances() -> dict[str, Any]:
    describe = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(describe, capture_output=True, text=True, check=False)
    memory_gib = round(psutil.virtual_memory().total / (1 << 30))
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or "unknown",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {memory_gib} GiB, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """0 when nothing is lost, twice or late, and every defect is found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON in place of the tables")
    parser.add_argument("--seeds", type=int, default=10, help="how many long runs")
    parser.add_argument("--broker", choices=[broker.value for broker in BROKERS], help="on one broker alone")
    parser.add_argument("--faults", help="single faults, with commas between; `none` for none of them")
    parser.add_argument("--defect", choices=[defect.value for defect in Defect], help="show one defect, nothing else")
    parser.add_argument("--report", type=Path, metavar="DIRECTORY", help="keep chaos.json and chaos.md there")
    parser.add_argument("--resume", action="store_true", help="go on with the report that is there")
    options = parser.parse_args()
    bench = Bench(options.report, resume=options.resume)
    brokers = BROKERS if options.broker is None else (BrokerKind(options.broker),)
    if options.defect is not None:
        bench.defects([options.defect])
        print(json.dumps(bench.report["defects"], indent=2, ensure_ascii=False))
        return int(bench.report["defects"][0]["caught"])
    if options.faults != NONE:
        bench.single(brokers, Fault if options.faults is None else map(Fault, options.faults.split(",")))
    bench.seeds(brokers, options.seeds)
    if options.faults is None:
        bench.defects([NONE, *(defect.value for defect in Defect)])
    print(json.dumps(bench.report, indent=2, ensure_ascii=False) if options.json else reports.markdown(bench.report))
    return 0 if reports.good(bench.report) else 1


if __name__ == "__main__":
    sys.exit(main())
