"""One situation from its beginning to its verdicts."""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.system.endurance.door import Manner
from tests.system.endurance.sampling import (
    PROCESS_SERIES,
    DatabaseProbe,
    ProcessProbe,
    database_kinds,
    node_files,
    node_kinds,
    pool_kinds,
)
from tests.system.endurance.series import Kind, Series, Verdict, judge_all
from tests.system.endurance.site import (
    BACKENDS,
    EVIDENCE_MIB,
    LIVE_RETENTION_S,
    MIB,
    POOL,
    POOLED,
    QUOTA_MIB,
    WAL_MIB,
    Site,
    Visitor,
)
from tests.system.endurance.situations import SCRIPTS, Situation
from tests.system.endurance.tempo import Tempo

SAMPLES_PER_MINUTE: Final = 3
"""Of load."""

_START_S = 90.0
_DRAIN_S = 180.0
_FRESH_READINGS = 3_000
_FRESH_MESSAGES = 50
_FRESH_EVIDENCE_BYTES = 200_000
Say = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """What one situation came to."""

    situation: Situation
    series: dict[str, Series]
    verdicts: dict[str, Verdict]
    happened: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every series is as it has to be."""
        return all(verdict.passed for verdict in self.verdicts.values())


class Measurement:
    """Runs one situation for so many hours of load at a speed. Raises RuntimeError when a process ends."""

    def __init__(self, situation: Situation, *, hours: float, speed: float, say: Say) -> None:
        self._situation = situation
        self._script = SCRIPTS[situation]
        self._hours = hours
        self._speed = speed
        self._say = say
        self._series: dict[str, Series] = {}

    def run(self) -> Outcome:
        """Start a site, load it, watch it."""
        directory = Path(tempfile.mkdtemp(prefix="gridward-flat-"))
        directory.chmod(0o711)
        try:
            with ExitStack() as running:
                site = running.enter_context(Site(directory, Tempo(self._speed, time.time())))
                site.wait_for("connected node", lambda: site.status()["uplink"]["connected"], timeout_s=_START_S)
                visitor = running.enter_context(site.visitor())
                database = DatabaseProbe(site.database.superuser_url(), "gridward")
                running.callback(database.close)
                happened = self._watch(site, database)
                happened["tables_bytes"] = database.sizes()
                happened |= self._afterwards(site, visitor)
        except RuntimeError:
            self._say(f"the logs are in {directory}")
            raise
        shutil.rmtree(directory, ignore_errors=True)
        return Outcome(self._situation, self._series, judge_all(self._series), happened)

    def _watch(self, site: Site, database: DatabaseProbe) -> dict[str, Any]:
        probes = {
            name: ProcessProbe(child.pid, database_port=site.database.port if name in POOLED else None)
            for name, child in site.children.items()
            if name != "sensors"
        }
        probes["broker"] = ProcessProbe(site.broker.pid)
        of_node = node_kinds(
            outbox_quota_bytes=QUOTA_MIB * MIB,
            evidence_quota_bytes=EVIDENCE_MIB * MIB,
            delivers=self._situation is not Situation.CLOUD_AWAY,
        )
        of_process = {**PROCESS_SERIES, **pool_kinds(POOL)}
        census: dict[str, dict[str, dict[str, list[int]]]] = {}
        of_database = database_kinds(backends=BACKENDS, wal_bytes=WAL_MIB * MIB, retention_s=LIVE_RETENTION_S)
        before = site.status()
        began_s = time.monotonic()
        period_s = 60.0 / SAMPLES_PER_MINUTE / self._speed
        manner: Manner | None = None
        for number in range(int(self._hours * 60 * SAMPLES_PER_MINUTE)):
            at_s = number * 60.0 / SAMPLES_PER_MINUTE
            threading.Event().wait(max(0.0, began_s + number * period_s - time.monotonic()))
            manner = self._turn(site, at_s, manner)
            site.check_alive()
            for name, probe in probes.items():
                self._note(f"{name}.", at_s, probe.read(), of_process)
            self._note("database.", at_s, database.read(at_s), of_database)
            self._note("node.", at_s, node_files(site.node_directory, site.status()), of_node)
            if number % (10 * SAMPLES_PER_MINUTE) == 0:
                self._say(f"{self._situation}: {at_s / 60:.0f} of {self._hours * 60:.0f} minutes of load")
                _count(census, number // (10 * SAMPLES_PER_MINUTE), probes, site.servers)
        lasted_s = time.monotonic() - began_s
        return {"real_s": round(lasted_s, 1), **_difference(before, site.status()), "census": census}

    def _turn(self, site: Site, at_s: float, manner: Manner | None) -> Manner | None:
        wanted = self._script.manner_at(at_s)
        if wanted is not None and wanted is not manner:
            for name in self._script.doors:
                getattr(site, name).set(wanted)
        return wanted

    def _note(self, prefix: str, at_s: float, found: dict[str, float], kinds: dict[str, Kind]) -> None:
        for name, value in found.items():
            series = self._series.setdefault(prefix + name, Series(kinds[name]))
            series.add(at_s, value)

    def _afterwards(self, site: Site, visitor: Visitor) -> dict[str, Any]:
        """Everything comes back: how long until nothing waits any more, and what the visitor saw."""
        told: dict[str, Any] = {
            "visitor": {
                "events": visitor.events,
                "streams": visitor.streams,
                "answers": visitor.answers,
                "errors": dict(visitor.errors),
            }
        }
        for name in self._script.doors:
            getattr(site, name).set(Manner.OPEN)
        if self._situation is Situation.CLOUD_AWAY:
            real_s = site.wait_for("empty outbox", lambda: _is_drained(site.status()), timeout_s=_DRAIN_S)
            told["drained_after_s_of_load"] = round(real_s * self._speed)
        return told


def _count(
    census: dict[str, dict[str, dict[str, list[int]]]],
    number: int,
    probes: Mapping[str, ProcessProbe],
    servers: Mapping[int, str],
) -> None:
    """Add the `number`-th count of every process' threads and descriptors by name: who reads the verdicts wants to know what grew."""
    for process, probe in probes.items():
        for sort, found in probe.census(servers).items():
            known = census.setdefault(process, {}).setdefault(sort, {})
            for name in known.keys() | found.keys():
                counts = known.setdefault(name, [0] * number)
                counts.append(found.get(name, 0))


def _is_drained(status: dict[str, Any]) -> bool:
    """Nothing waits but what came in the last seconds; the evidence has left too."""
    outbox = status["outbox"]
    waiting = sum(outbox["messages_waiting"].values())
    return bool(
        outbox["readings_waiting"] < _FRESH_READINGS
        and waiting < _FRESH_MESSAGES
        and outbox["evidence_bytes"] < _FRESH_EVIDENCE_BYTES
    )


def _difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What went through the node meanwhile: the growth of every counter of the status file."""
    return {
        part: {
            name: value - before[part].get(name, 0)
            for name, value in after[part].items()
            if isinstance(value, int) and not isinstance(value, bool)
        }
        for part in ("uplink", "outbox")
    } | {"cameras": after["cameras"], "faults": after["faults"], "degraded": after["degraded"]}
