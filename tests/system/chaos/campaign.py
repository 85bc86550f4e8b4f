"""A run: the load flows, faults come and go, everything is lifted, everything drains, the judge looks."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import psycopg

from tests.system.chaos.faults import INJURIES, Fault
from tests.system.chaos.judge import Observation, Verdict, judge
from tests.system.chaos.load import Amount, Load
from tests.system.chaos.observation import observe, waiting
from tests.system.chaos.schedule import Episode, Turn, steps
from tests.system.chaos.world import World, wait_for

DRAIN_S = 120.0
JUDGED_FOR_S = 15.0
"""What drained a moment ago may not stand everywhere yet: the node's status and the rollups follow in seconds."""

PROBE_EVERY_S = 0.5
PROBED_FOR_S = 90.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. `drained_s`: from the lifting of everything to the empty outbox; None: it never was."""

    episodes: tuple[Episode, ...]
    readings: int
    incidents: int
    declared: int
    drained_s: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one fault did. Seconds from its end until fresh readings, and a fresh incident, are told by the API; None: never."""

    fault: Fault
    lasted_s: float
    reading_s: float | None
    incident_s: float | None
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def recovery_s(self) -> float | None:
        """Until both are there."""
        if self.reading_s is None or self.incident_s is None:
            return None
        return max(self.reading_s, self.incident_s)


def quiet(_text: str) -> None:
    """Say nothing."""


def run(
    world: World,
    load: Load,
    episodes: Sequence[Episode],
    amount: Amount,
    *,
    drain_s: float = DRAIN_S,
    say: Say = quiet,
) -> Outcome:
    """One run. Raises TimeoutError when the sources' own broker does not answer."""
    since = datetime.now(UTC) - timedelta(minutes=1)
    sender = threading.Thread(target=load.run, args=(amount,), name="load", daemon=True)
    sender.start()
    began_s = time.monotonic()
    pause = threading.Event()
    for step in steps(episodes):
        pause.wait(max(0.0, began_s + step.at_s - time.monotonic()))
        say(f"{time.monotonic() - began_s:6.1f} s  {step.turn.value} {step.fault.value}")
        injury = INJURIES[step.fault]
        (injury.inflict if step.turn is Turn.INFLICT else injury.lift)(world, load)
    sender.join()
    load.settle()
    lifted_s = time.monotonic()
    say(f"{lifted_s - began_s:6.1f} s  all is sent and lifted")
    drained_s = _drain(world, lifted_s, drain_s)
    verdict, seen = settled_verdict(world, load, since)
    return Outcome(
        tuple(episodes),
        load.truth.readings,
        load.truth.incidents,
        0 if seen is None else seen.dropped,
        drained_s,
        verdict,
    )


def _drain(world: World, lifted_s: float, patience_s: float) -> float | None:
    def look() -> bool | None:
        try:
            return None if any(waiting(world).values()) else True
        except (psycopg.Error, KeyError):
            return None

    try:
        wait_for("empty outbox", look, timeout_s=patience_s, every_s=0.25)
    except TimeoutError:
        return None
    return round(time.monotonic() - lifted_s, 1)


def settled_verdict(world: World, load: Load, since: datetime) -> tuple[Verdict, Observation | None]:
    """The verdict, asked again until it is good or has been bad for `JUDGED_FOR_S`."""
    until_s = time.monotonic() + JUDGED_FOR_S
    pause = threading.Event()
    verdict, seen = Verdict(), None
    verdict.find_wrong("cloud", "no answer")
    while True:
        try:
            seen = observe(world, load.truth, since=since)
            verdict = judge(load.truth, seen)
        except (psycopg.Error, httpx.HTTPError, KeyError) as error:
            verdict = Verdict()
            verdict.find_wrong("cloud", f"{type(error).__name__}: {error}")
        if verdict.good or time.monotonic() > until_s:
            return verdict, seen
        pause.wait(0.5)


def recover(world: World, load: Load, fault: Fault, lasts_s: float) -> Recovery:
    """Inflict one fault, lift it, and measure how long fresh data needs to be told again."""
    injury = INJURIES[fault]
    injury.inflict(world, load)
    threading.Event().wait(lasts_s)
    if lasts_s > 0:
        injury.lift(world, load)
    lifted_s = time.monotonic()
    first_us = time.time_ns() // 1000
    probe = _Probe(world, load, first_us)
    try:
        wait_for("fresh data", lambda: probe.look(time.monotonic() - lifted_s), timeout_s=PROBED_FOR_S, every_s=0.05)
    except TimeoutError:
        pass
    return Recovery(fault, lasts_s, probe.reading_s, probe.incident_s)


class _Probe:
    """Sends a reading and a crossing twice a second and looks whether the API tells one that was sent since `first_us`."""

    def __init__(self, world: World, load: Load, first_us: int) -> None:
        self._world = world
        self._load = load
        self._first = datetime.fromtimestamp(first_us / 1e6, UTC)
        self._device_id: int | None = None
        self._least_value: float | None = None
        self._sent_s = float("-inf")
        self.reading_s: float | None = None
        self.incident_s: float | None = None

    def look(self, now_s: float) -> bool | None:
        if now_s - self._sent_s >= PROBE_EVERY_S:
            self._sent_s = now_s
            self._load.send("probe", alarm=True)
            value = self._load.send("probe")
            self._least_value = value if self._least_value is None else self._least_value
        try:
            self._look(now_s)
        except (httpx.HTTPError, KeyError):
            return None
        return True if self.reading_s is not None and self.incident_s is not None else None

    def _look(self, now_s: float) -> None:
        if self._device_id is None:
            items = self._world.get("/devices", limit=200)["items"]
            self._device_id = next((device["id"] for device in items if device["device"] == "probe"), None)
        if self.reading_s is None and self._device_id is not None:
            device = self._world.get(f"/devices/{self._device_id}")
            latest = next(point["latest"] for point in device["points"] if point["name"] == "level")
            if latest is not None and latest["value"] >= (self._least_value or 0.0):
                self.reading_s = round(now_s, 2)
        if self.incident_s is None:
            cases = self._world.get("/cases", limit=20)["items"]
            fresh = [case for case in cases if case["device"]["device"] == "probe"]
            if any(
                datetime.fromisoformat(case["started_at"]) >= self._first - timedelta(seconds=0.2) for case in fresh
            ):
                self.incident_s = round(now_s, 2)
