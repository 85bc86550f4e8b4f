"""Truth against what the cloud holds: what is lost, what is there twice, what is out of order. Pure."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.system.chaos.truth import Crossing, Truth

SHOWN = 5
"""Findings of one kind that are named; all are counted."""


@dataclass(frozen=True, slots=True)
class DeclaredGap:
    """A drop as the chart draws it."""

    device: str
    from_us: int
    to_us: int
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class SeenIncident:
    """An incident in the cloud. `revisions` are the numbers that came, `cases` how many cases hold it."""

    incident_id: str
    device: str
    started_us: int
    ended_us: int | None
    state: str
    revision: int
    revisions: tuple[int, ...]
    cases: int


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A file as a revision that came named it. `is_stored`: the cloud says that it has it."""

    incident_id: str
    sha256: str
    size_bytes: int
    is_stored: bool


@dataclass(frozen=True, slots=True)
class KeptFile:
    """What lies in the cloud's store under a name: its own hash and size."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Observation:
    """What the cloud holds of one node, and what the node says of itself, at one moment.

    `values`: (device, point) → (time µs, value) in the order of time. `node_*` are the node's own counters; `rows` and
    `dropped` are all readings and changes of state of the sensors and the camera that are stored, and all that their gaps
    declare. `sightings` are the camera's incidents, `revisions` those of all incidents, `kept_files` the store by name.
    """

    values: Mapping[tuple[str, str], Sequence[tuple[int, float]]]
    states: Mapping[str, Sequence[tuple[int, str]]]
    latest: Mapping[tuple[str, str], tuple[int, float]]
    gaps: Sequence[DeclaredGap]
    charted_gaps: Sequence[DeclaredGap]
    incidents: Sequence[SeenIncident]
    cases: int
    wrong_rollups: int
    missing_by_lane: Mapping[str, int]
    quarantined: int
    dead_letters: int
    rows: int
    dropped: int
    sightings: Sequence[SeenIncident]
    pictures: Sequence[NamedPicture]
    kept_files: Mapping[str, KeptFile]
    revisions: int
    node_accepted: int
    node_waiting: int
    node_revisions: int
    node_pictures_waiting: int
    node_pictures_refused: int


@dataclass(slots=True)
class Verdict:
    """Findings by kind: how many, and the first few in words."""

    lost: int = 0
    twice: int = 0
    wrong: int = 0
    words: list[str] = field(default_factory=list)
    _named: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return not (self.lost or self.twice or self.wrong)

    def find_lost(self, kind: str, text: str, count: int = 1) -> None:
        """Something accepted is neither there nor declared."""
        self.lost += count
        self._name("lost", kind, text)

    def find_twice(self, kind: str, text: str, count: int = 1) -> None:
        """Something is there more than once."""
        self.twice += count
        self._name("twice", kind, text)

    def find_wrong(self, kind: str, text: str) -> None:
        """Something is not as it should be."""
        self.wrong += 1
        self._name("wrong", kind, text)

    def _name(self, sort: str, kind: str, text: str) -> None:
        self._named[kind] += 1
        if self._named[kind] <= SHOWN:
            self.words.append(f"{sort}: {kind}: {text}")


def judge(truth: Truth, seen: Observation) -> Verdict:
    """Compare. An empty verdict says: delivered + declared gaps = accepted, by id, and each incident once."""
    verdict = Verdict()
    _judge_readings(truth, seen, verdict)
    _judge_states(truth, seen, verdict)
    _judge_incidents(truth, seen, verdict)
    _judge_pictures(seen, verdict)
    _judge_books(seen, verdict)
    return verdict


def _judge_readings(truth: Truth, seen: Observation, verdict: Verdict) -> None:
    gaps: dict[str, list[DeclaredGap]] = defaultdict(list)
    for gap in seen.gaps:
        gaps[gap.device].append(gap)
    for name, given in truth.values.items():
        declared = sum(gap.count for gap in gaps[name])
        missing = undeclared = 0
        for point in truth.devices[name].points:
            stored = seen.values.get((name, point), ())
            counts = Counter(value for _, value in stored)
            for value, count in counts.items():
                if value not in given:
                    verdict.find_wrong("reading", f"{name}/{point}: {value} was never sent")
                elif count > 1:
                    verdict.find_twice("reading", f"{name}/{point}: {value} is there {count} times", count - 1)
            absent = [value for value in given if value not in counts]
            missing += len(absent)
            for value in absent:
                at_us = given[value]
                if at_us is not None and not any(gap.from_us <= at_us <= gap.to_us for gap in gaps[name]):
                    undeclared += 1
            _judge_order(name, point, stored, given, verdict)
            _judge_latest(name, point, stored, seen, verdict)
        if missing > declared or undeclared:
            text = f"{name}: {missing} are missing, {declared} declared, {undeclared} lie in no declared gap"
            verdict.find_lost("reading", text, max(missing - declared, undeclared))


def _judge_order(
    name: str,
    point: str,
    stored: Sequence[tuple[int, float]],
    given: Mapping[float, int | None],
    verdict: Verdict,
) -> None:
    numbers = {value: number for number, value in enumerate(given)}
    order = [numbers[value] for _, value in stored if value in numbers]
    if any(later < earlier for earlier, later in itertools.pairwise(order)):
        verdict.find_wrong("order", f"{name}/{point}: values stand in another order than they were sent")
    for at_us, value in stored:
        told_us = given.get(value)
        if told_us is not None and told_us != at_us:
            verdict.find_wrong("time", f"{name}/{point}: {value} of {told_us} is stored at {at_us}")


def _judge_latest(
    name: str, point: str, stored: Sequence[tuple[int, float]], seen: Observation, verdict: Verdict
) -> None:
    if not stored:
        return
    latest = seen.latest.get((name, point))
    if latest != stored[-1]:
        verdict.find_wrong("latest", f"{name}/{point}: {latest} is told as the newest, {stored[-1]} is")


def _judge_states(truth: Truth, seen: Observation, verdict: Verdict) -> None:
    """Words in the order of time. A restarted node tells the present one again, and dropped ones may be absent."""
    for name, given in truth.states.items():
        times = dict(given)
        stored = seen.states.get(name, ())
        for at_us, word in stored:
            if at_us in times and times[at_us] != word:
                verdict.find_wrong("state", f"{name}: {word} at {at_us}, it was {times[at_us]}")
        changes = [word for index, (_, word) in enumerate(stored) if index == 0 or stored[index - 1][1] != word]
        expected = iter(word for _, word in given)
        if not all(any(word == other for other in expected) for word in changes):
            verdict.find_wrong("state", f"{name}: words stand in another order than they were told")
        if given and not any(gap.device == name for gap in seen.gaps):
            absent = {word for _, word in given} - {word for _, word in stored}
            if absent:
                verdict.find_lost("state", f"{name}: never told {sorted(absent)[:3]}", len(absent))


def _judge_incidents(truth: Truth, seen: Observation, verdict: Verdict) -> None:
    by_start: dict[tuple[str, int], list[SeenIncident]] = defaultdict(list)
    for incident in seen.incidents:
        by_start[incident.device, incident.started_us].append(incident)
    expected = {(crossing.device, crossing.started_us): crossing for crossing in truth.crossings}
    for key, crossing in expected.items():
        found = by_start.get(key, [])
        if not found:
            verdict.find_lost("incident", f"{key[0]} at {key[1]}")
        elif len(found) > 1:
            verdict.find_twice("incident", f"{key[0]} at {key[1]}: {len(found)} times", len(found) - 1)
        for incident in found:
            _judge_incident(crossing, incident, verdict)
    for key, found in by_start.items():
        if key not in expected:
            verdict.find_twice("incident", f"{key[0]} at {key[1]}: nothing crossed then", len(found))
    if seen.cases != len(seen.incidents):
        verdict.find_twice(
            "case", f"{seen.cases} cases for {len(seen.incidents)} incidents that do not belong together"
        )


def _judge_incident(crossing: Crossing, incident: SeenIncident, verdict: Verdict) -> None:
    where = f"{crossing.device} at {crossing.started_us}"
    if incident.state != "ended":  # its end was acknowledged to the source as much as its beginning
        verdict.find_lost("incident", f"{where}: {incident.state}, its end at {crossing.ended_us} is not here")
    elif incident.ended_us != crossing.ended_us:
        verdict.find_wrong("incident", f"{where}: ended at {incident.ended_us}, it was at {crossing.ended_us}")
    _judge_telling(where, incident, verdict)


def _judge_telling(where: str, incident: SeenIncident, verdict: Verdict) -> None:
    if incident.revisions != tuple(range(1, incident.revision + 1)):
        verdict.find_lost("revision", f"{where}: {incident.revisions} of {incident.revision}")
    if incident.cases != 1:
        verdict.find_twice("case", f"{where}: in {incident.cases} cases")


def _judge_pictures(seen: Observation, verdict: Verdict) -> None:
    """Each sighting names a picture, each that is named is there, whole, and nothing else is."""
    named = {picture.sha256 for picture in seen.pictures}
    with_picture = {picture.incident_id for picture in seen.pictures}
    for sighting in seen.sightings:
        where = f"{sighting.device} at {sighting.started_us}"
        _judge_telling(where, sighting, verdict)
        if sighting.incident_id not in with_picture:
            verdict.find_lost("picture", f"{where}: its incident names none")
    for picture in seen.pictures:
        where = f"{picture.sha256[:12]} of {picture.incident_id}"
        kept = seen.kept_files.get(picture.sha256)
        if kept is None:
            verdict.find_lost("picture", f"{where}: not in the store{', and said to be' if picture.is_stored else ''}")
        elif kept != KeptFile(picture.sha256, picture.size_bytes):
            verdict.find_lost("picture", f"{where}: {kept.size_bytes} bytes of {kept.sha256[:12]} are in its place")
        elif not picture.is_stored:
            verdict.find_wrong("picture", f"{where}: in the store, and not said to be")
    for name in sorted(seen.kept_files.keys() - named):
        verdict.find_twice("picture", f"{name[:12]}: no incident names it")
    if seen.node_pictures_waiting:
        verdict.find_lost("picture", f"{seen.node_pictures_waiting} wait on the node", seen.node_pictures_waiting)
    if seen.node_pictures_refused:
        verdict.find_wrong("picture", f"{seen.node_pictures_refused} were refused for good")


def _judge_books(seen: Observation, verdict: Verdict) -> None:
    kept = seen.rows + seen.dropped + seen.node_waiting
    if kept < seen.node_accepted:
        verdict.find_lost("books", f"the node accepted {seen.node_accepted}, {kept} are accounted for")
    elif kept > seen.node_accepted:
        verdict.find_twice("books", f"the node accepted {seen.node_accepted}, {kept} are accounted for")
    if seen.revisions != seen.node_revisions:
        text = f"the node accepted {seen.node_revisions} revisions of incidents, {seen.revisions} are here"
        (verdict.find_lost if seen.revisions < seen.node_revisions else verdict.find_twice)("books", text)
    if sorted(map(_key, seen.gaps)) != sorted(map(_key, seen.charted_gaps)):
        verdict.find_wrong("chart", f"{len(seen.charted_gaps)} gaps are drawn, {len(seen.gaps)} are declared")
    if seen.wrong_rollups:
        verdict.find_wrong("rollup", f"{seen.wrong_rollups} buckets differ from a recount")
    for lane, count in sorted(seen.missing_by_lane.items()):
        if count:
            verdict.find_wrong("sequence", f"{count} messages of the lane {lane} are said to be missing")
    if seen.quarantined:
        verdict.find_wrong("quarantine", f"{seen.quarantined} messages wait in quarantine")
    if seen.dead_letters:
        verdict.find_wrong("dead letters", f"{seen.dead_letters} messages were refused")


def _key(gap: DeclaredGap) -> tuple[str, int, int, int, str]:
    return gap.device, gap.from_us, gap.to_us, gap.count, gap.reason
