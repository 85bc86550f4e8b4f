"""A run: the load flows, faults come and go, everything is lifted, everything drains, the judge looks."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
import psycopg

from edge.contract.telemetry import from_microseconds
from tests.system.chaos.camera import CAMERA
from tests.system.chaos.faults import INJURIES, Fault
from tests.system.chaos.judge import Observation, Verdict, judge
from tests.system.chaos.load import Amount, Load
from tests.system.chaos.observation import observe, waiting
from tests.system.chaos.schedule import Episode, Turn, steps
from tests.system.chaos.truth import ALARM_FROM
from tests.system.chaos.world import World, wait_for

DRAIN_S = 120.0
JUDGED_FOR_S = 30.0
"""What drained a moment ago may not stand everywhere yet: the node's status and the rollups follow in seconds."""

LOOKS = 5
"""What is wrong is so at each of them: the camera tells its counts each minute, and the node's status follows in its own time."""

UNSEEN_S = 120.0

PROBE_EVERY_S = 0.5
PROBED_FOR_S = 90.0

STILL_S = 5.0
"""Before the load ends, the cars do: a round of the camera's footage lasts so long."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. `drained_s`: from the lifting of everything to the empty outbox; None: it never was. `pictures`: how
    many files the cloud has of it.
    """

    episodes: tuple[Episode, ...]
    readings: int
    incidents: int
    declared: int
    pictures: int
    drained_s: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one fault did. Seconds from its end until a fresh reading, a fresh incident and a fresh picture are told by the API;
    None: never.
    """

    fault: Fault
    lasted_s: float
    reading_s: float | None
    incident_s: float | None
    picture_s: float | None
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def recovery_s(self) -> float | None:
        """Until all are there."""
        if self.reading_s is None or self.incident_s is None or self.picture_s is None:
            return None
        return max(self.reading_s, self.incident_s, self.picture_s)


def quiet(_text: str) -> None:
    """Say nothing."""


def run(
    world: World,
    load: Load,
    episodes: Sequence[Episode],
    amount: Amount,
    *,
    drain_s: float = DRAIN_S,
    judged_for_s: float = JUDGED_FOR_S,
    rollups: bool = True,
    say: Say = quiet,
) -> Outcome:
    """One run; without `rollups` they are neither waited for nor looked at. Raises TimeoutError when the sources' own broker
    does not answer.
    """
    since = datetime.now(UTC) - timedelta(minutes=1)
    world.footage.drive()
    sender = _send(load, amount)
    began_s = time.monotonic()
    pause = threading.Event()
    for step in steps(episodes):
        pause.wait(max(0.0, began_s + step.at_s - time.monotonic()))
        say(f"{time.monotonic() - began_s:6.1f} s  {step.turn.value} {step.fault.value}")
        injury = INJURIES[step.fault]
        (injury.inflict if step.turn is Turn.INFLICT else injury.lift)(world, load)
    sender.join(max(0.0, began_s + amount.seconds - STILL_S - time.monotonic()))
    world.footage.still()
    sender.join()
    load.settle()
    lifted_s = time.monotonic()
    say(f"{lifted_s - began_s:6.1f} s  all is sent and lifted")
    drained_s = _drain(world, lifted_s, drain_s, rollups=rollups)
    verdict, seen = settled_verdict(world, load, since, judged_for_s=judged_for_s, rollups=rollups)
    return Outcome(
        tuple(episodes),
        load.truth.readings,
        load.truth.incidents,
        0 if seen is None else seen.dropped,
        0 if seen is None else len(seen.kept_files),
        drained_s,
        verdict,
    )


def _send(load: Load, amount: Amount) -> threading.Thread:
    sender = threading.Thread(target=load.run, args=(amount,), name="load", daemon=True)
    sender.start()
    return sender


def _drain(world: World, lifted_s: float, patience_s: float, *, rollups: bool = True) -> float | None:
    """Seconds until nothing is under way any more; None when that did not come."""

    def look() -> bool | None:
        try:
            found = waiting(world)
        except (psycopg.Error, KeyError):
            return None
        if not rollups:
            del found["rollups"]
        return None if any(found.values()) else True

    try:
        wait_for("empty outbox", look, timeout_s=patience_s, every_s=0.25)
    except TimeoutError:
        return None
    return round(time.monotonic() - lifted_s, 1)


def settled_verdict(
    world: World, load: Load, since: datetime, *, judged_for_s: float = JUDGED_FOR_S, rollups: bool = True
) -> tuple[Verdict, Observation | None]:
    """The verdict, asked again until it is good or has been bad for `judged_for_s` and at `LOOKS` looks: a busy machine takes its time for
    each. A cloud that does not answer is waited for, `UNSEEN_S` at most.
    """
    began_s = time.monotonic()
    looks = 0
    pause = threading.Event()
    while True:
        seen = None
        verdict = Verdict()
        try:
            seen = observe(world, load.truth, since=since)
            verdict = judge(load.truth, seen if rollups else replace(seen, wrong_rollups=0))
            looks += 1
        except (psycopg.Error, httpx.HTTPError, KeyError) as error:
            verdict.find_wrong("cloud", f"{type(error).__name__}: {error}")
        waited_s = time.monotonic() - began_s
        enough = waited_s > judged_for_s and looks >= LOOKS if seen is not None else waited_s > UNSEEN_S
        if verdict.good or enough:
            return verdict, seen
        pause.wait(0.5)


def recover(world: World, load: Load, fault: Fault, lasts_s: float, since: datetime) -> Recovery:
    """One fault under a light load: how long fresh data needs to be told again, and whether anything is lost or twice. The
    verdict is on everything that `load` ever sent.
    """
    injury = INJURIES[fault]
    if injury.longest_s == 0.0:
        lasts_s = 0.0
    world.footage.drive()
    sender = _send(load, Amount(lasts_s + 5.0, rounds=10, bank_messages=1, crossings_per_switch=1))
    threading.Event().wait(1.0)
    injury.inflict(world, load)
    threading.Event().wait(lasts_s)
    injury.lift(world, load)
    lifted_s = time.monotonic()
    probe = _Probe(world, load, lifted_s)
    with contextlib.suppress(TimeoutError):
        wait_for("fresh data", probe.look, timeout_s=PROBED_FOR_S, every_s=0.05)
    world.footage.still()
    sender.join()
    load.settle()
    _drain(world, lifted_s, DRAIN_S, rollups=False)
    verdict, _ = settled_verdict(world, load, since, rollups=False)
    return Recovery(fault, lasts_s, probe.reading_s, probe.incident_s, probe.picture_s, verdict)


class _Probe:
    """Sends a reading and a crossing twice a second and looks whether the API tells one that was sent since the fault was
    lifted (monotonic seconds), and a picture that was taken since.
    """

    def __init__(self, world: World, load: Load, lifted_s: float) -> None:
        self._world = world
        self._load = load
        self._lifted_s = lifted_s
        self._first_at = datetime.max.replace(tzinfo=UTC)
        self._first_value = float("inf")
        self._device_ids: dict[str, int] = {}
        self._sent_s = float("-inf")
        self.reading_s: float | None = None
        self.incident_s: float | None = None
        self.picture_s: float | None = None

    def look(self) -> bool | None:
        """Send what is due, look; True when all were seen."""
        now_s = time.monotonic()
        if now_s - self._sent_s >= PROBE_EVERY_S:
            self._sent_s = now_s
            self._load.send("probe", alarm=True)
            value = self._load.send("probe")
            if self._first_value == float("inf"):
                self._first_value = value
                self._first_at = from_microseconds(self._load.truth.crossings[-1].started_us)
        for look in (self._look_for_reading, self._look_for_incident, self._look_for_picture):
            with contextlib.suppress(httpx.HTTPError):
                look(self._first_at)
        return None if None in {self.reading_s, self.incident_s, self.picture_s} else True

    def _passed_s(self) -> float:
        return round(time.monotonic() - self._lifted_s, 2)

    def _look_for_reading(self, first_at: datetime) -> None:
        del first_at
        if self.reading_s is None:
            latest = self._latest()
            if latest is not None and self._first_value <= latest < ALARM_FROM:
                self.reading_s = self._passed_s()

    def _look_for_incident(self, first_at: datetime) -> None:
        if self.incident_s is None:
            cases = self._world.get("/cases", limit=20)["items"]
            starts = [
                datetime.fromisoformat(case["started_at"]) for case in cases if case["device"]["device"] == "probe"
            ]
            if any(started_at >= first_at for started_at in starts):
                self.incident_s = self._passed_s()

    def _look_for_picture(self, first_at: datetime) -> None:
        if self.picture_s is not None or CAMERA not in self._device_ids:
            return
        cases = self._world.get("/cases", device=self._device_ids[CAMERA], limit=20)["items"]
        for case in cases:  # one for each line, and those of earlier rounds
            if datetime.fromisoformat(case["last_activity_at"]) < first_at:
                continue
            files = [
                file
                for incident in self._world.get(f"/cases/{case['id']}")["incidents"]
                for file in incident["evidence"]
                if file["stored"]
            ]
            if any(datetime.fromisoformat(file["captured_at"]) >= first_at for file in files):
                self.picture_s = self._passed_s()

    def _latest(self) -> float | None:
        if "probe" not in self._device_ids:
            items = self._world.get("/devices", limit=200)["items"]
            self._device_ids = {device["device"]: device["id"] for device in items}
        if "probe" not in self._device_ids:
            return None
        points = self._world.get(f"/devices/{self._device_ids['probe']}")["points"]
        latest = next((point["latest"] for point in points if point["name"] == "level"), None)
        return None if latest is None else float(latest["value"])
