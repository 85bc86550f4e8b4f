"""One trial: cameras are watched for a while by a process of its own, which tells what it did and what it took.

`python -m edge.benches.watching` reads an order as JSON and answers as JSON.
"""

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import msgspec

from edge.benches.openings import Opening
from edge.benches.systems import SYSTEMS, Counts, System
from edge.errors import MeasurementFailed
from edge.logs import log_to_stderr
from edge.settings import CameraSettings

_PATIENCE_S: Final = 180.0
_CALM_S: Final = 2.0
"""After the last gate has learnt its stream, what it has just decoded still has to be looked at."""


@dataclass(frozen=True, slots=True)
class Order:
    """Cameras are opened over `spread_s`. `settled_s` is waited, then up to `settling_s` for gates that learn; then the cameras are measured for `seconds`. `folder` may be
    written to.
    """

    system: str
    cameras: Sequence[Mapping[str, Any]]
    settled_s: float
    seconds: float
    settling_s: float = 0.0
    spread_s: float = 0.0
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was measured. `openings` are all since the start; `settled`: whether all gates had learnt their streams; `lost`: cameras that were
    lost at any time, `lost_meanwhile` those while it was measured.
    """

    analysed_hz: Mapping[str, float]
    cpu_cores: float
    wall_s: float
    looks_per_s: float
    decoded: int
    spared: int
    audited_s: float
    lost: int
    lost_meanwhile: int
    settled: bool
    gates: Mapping[str, str]
    openings: Mapping[str, tuple[Opening, ...]]
    memory_mib: float


def watch(order: Order, folder: Path) -> Watched:
    """Have it done by another process, which writes below `folder`. Raises MeasurementFailed."""
    longest_s = order.spread_s + order.settled_s + order.settling_s + order.seconds + _PATIENCE_S
    order = replace(order, folder=tempfile.mkdtemp(dir=folder))
    log = folder / "watching.log"
    with log.open("ab") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge.benches.watching"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told
        )
        try:
            answer, _ = process.communicate(msgspec.json.encode(order), timeout=longest_s)
        except subprocess.TimeoutExpired as error:
            raise MeasurementFailed(
                f"watching {len(order.cameras)} cameras did not end within {longest_s:.0f} s"
            ) from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode != 0 or not answer:
        raise MeasurementFailed(f"watching {len(order.cameras)} cameras broke off: {_last_line(log)}")
    return msgspec.json.decode(answer, type=Watched)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip()[:500] for line in reversed(lines) if line.strip()), "it said nothing")


def _measured(system: System, order: Order) -> Watched:
    stop = threading.Event()
    stop.wait(order.settled_s)
    if order.settling_s > 0:
        until_s = time.monotonic() + order.settling_s
        while not system.settled() and time.monotonic() < until_s:
            stop.wait(0.5)
        stop.wait(_CALM_S)
    losses = len(system.tally.losses)
    before, cpu_s, began_s = system.counts(), time.process_time(), time.perf_counter()
    stop.wait(order.seconds)
    after, wall_s = system.counts(), time.perf_counter() - began_s
    cpu_s = time.process_time() - cpu_s
    return _told(system, before, after, cpu_s=cpu_s, wall_s=wall_s, losses=system.tally.losses[losses:])


def _told(
    system: System, before: Counts, after: Counts, *, cpu_s: float, wall_s: float, losses: Sequence[str]
) -> Watched:
    return Watched(
        analysed_hz={name: (count - before.analysed[name]) / wall_s for name, count in after.analysed.items()},
        cpu_cores=cpu_s / wall_s,
        wall_s=wall_s,
        looks_per_s=(after.looks - before.looks) / wall_s,
        decoded=after.decoded - before.decoded,
        spared=after.spared - before.spared,
        audited_s=after.audited_s - before.audited_s,
        lost=len(set(system.tally.losses)),
        lost_meanwhile=len(set(losses)),
        settled=system.settled(),
        gates=system.gates(),
        openings=system.tally.all_openings(list(after.analysed)),
        memory_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


def main() -> int:
    """Watch as ordered, and answer."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    log_to_stderr()
    cv2.setNumThreads(1)  # as the node does it, for all systems alike
    cameras = [CameraSettings.model_validate(each) for each in order.cameras]
    system = SYSTEMS[order.system](cameras, Path(order.folder))
    system.start(order.spread_s)
    sys.stdout.buffer.write(msgspec.json.encode(_measured(system, order)))
    sys.stdout.buffer.flush()
    os._exit(0)  # all is told; closing forty cameras one by one would only take time


if __name__ == "__main__":
    sys.exit(main())
