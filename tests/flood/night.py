"""One windy night (大风夜), made of a seed: 48 cameras, 10,000 incidents, and three that are real and must not drown.

What floods: branches and shadows move with the gusts, headlights sweep over walls, rain streaks before the lens. Each camera has its
own exposure, zones and rules; those at one spot see the same tree. Gusts come in bursts all night, the wind rises until after midnight.
Between them people live: somebody loiters, an e-bike stands in a hallway.

The three: on a camera that floods, in the same zone and of the same kind, something *worse*; at a spot that floods, from a camera that
floods and no worse than the rest, *another kind*; and at a spot that floods, same kind, no worse, from a *camera that was quiet*.

What arrives is what a network makes of it: revisions apart from each other, doubled, out of order, one node cut off for a while.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from cloud.correlate.model import IncidentReport
from edge.contract.fields import uuid7
from edge.contract.incident import Incident, IncidentState, RuleReference, Severity
from tests.cloud.samples import GRID

CAMERAS = 48
NODES = 4
INCIDENTS = 10_000
BEGIN = datetime(2026, 3, 17, 10, 0, tzinfo=UTC)
"""Six in the evening in the district."""
LASTS = timedelta(hours=12)
_BLOWN = 0.6
"""The exposure of a camera that finds a hundred things in a night, and not ten."""
HIDDEN = ("worse", "another kind", "quiet camera")


@dataclass(frozen=True)
class Camera:
    """A camera at its spot. `exposure` is its share of what the wind moves, 0 for one that looks at a wall."""

    number: int
    node: str
    spot: str
    exposure: float
    zones: tuple[tuple[str, str, Severity], ...]
    """Zone, kind of its rule, severity of its rule."""

    @property
    def name(self) -> str:
        """As its node calls it."""
        return f"cam-{self.number:02}"


@dataclass(frozen=True)
class Delivery:
    """A report, and when it arrives."""

    at: datetime
    report: IncidentReport


@dataclass
class Night:
    """What the night brings, in the order of arrival; which incidents are real, and which of those are the three hidden."""

    seed: int
    incidents: int = INCIDENTS
    cameras: list[Camera] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    hidden: dict[str, UUID] = field(default_factory=dict)
    real: set[UUID] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Make it."""
        self._noise = random.Random(self.seed)  # noqa: S311  # no secret
        self._number = 0
        self._pending: list[Delivery] = []
        self.cameras = [self._camera(number) for number in range(CAMERAS)]
        cut_from = BEGIN + timedelta(minutes=self._noise.uniform(120, 540))
        self._cut = f"node-{self._noise.randrange(NODES)}", cut_from, cut_from + timedelta(minutes=20)
        self._hide()
        for _ in range(24):
            self._little_thing()
        self._flood(self.incidents - len(self.real))
        self.deliveries = sorted(self._pending, key=lambda each: (each.at, each.report.incident.incident_id.int))

    def _camera(self, number: int) -> Camera:
        draw = self._noise
        exposed = number % 8 != 7  # one of eight looks at a wall
        first = ("yard", "intrusion", draw.choice((Severity.LOW, Severity.MEDIUM, Severity.MEDIUM)))
        second = ("gate", draw.choice(("loitering", "line_crossing")), Severity.LOW)
        zones = (first, second) if draw.random() < 0.35 else (first,)
        exposure = draw.lognormvariate(0.0, 0.9) if exposed else 0.0
        return Camera(number, f"node-{number % NODES}", f"spot-{number // 8}-{number % NODES}", exposure, zones)

    def _gusts(self) -> list[tuple[datetime, float, float]]:
        """When each begins, how long it blows in seconds, how strong it is."""
        at, gusts = BEGIN, []
        while at < BEGIN + LASTS:
            share = (at - BEGIN) / LASTS
            wind = 0.4 + 1.2 * max(0.0, 1.0 - abs(share - 0.6) / 0.6)
            gusts.append((at, self._noise.uniform(40, 400), wind * self._noise.lognormvariate(0.0, 0.6)))
            at += timedelta(seconds=self._noise.expovariate(wind / 500))
        return gusts

    def _flood(self, count: int) -> None:
        draw, gusts = self._noise, self._gusts()
        weights = [length * strength for _, length, strength in gusts]
        blown = draw.choices(gusts, weights, k=round(count * 0.82))
        exposures = [camera.exposure for camera in self.cameras]
        for begin, length_s, _ in blown:
            camera = draw.choices(self.cameras, exposures)[0]
            self._false(camera, begin + timedelta(seconds=draw.uniform(0, length_s)))
        rain_from = BEGIN + timedelta(hours=draw.uniform(1, 8))
        wet = draw.sample([camera for camera in self.cameras if camera.exposure > 0], 14)
        roadside = draw.sample([camera for camera in self.cameras if camera.exposure > 0], 6)
        for _ in range(count - len(blown)):
            if draw.random() < 0.6:
                self._false(draw.choice(wet), rain_from + timedelta(hours=draw.uniform(0, 3)))
            else:
                self._false(draw.choice(roadside), BEGIN + timedelta(hours=draw.betavariate(1, 3) * 12))

    def _false(self, camera: Camera, at: datetime) -> None:
        zone, kind, severity = self._noise.choices(camera.zones, (4, 1)[: len(camera.zones)])[0]
        self._happen(camera, at, zone=zone, kind=kind, severity=severity, lasts_s=self._noise.expovariate(1 / 9))

    def _little_thing(self) -> None:
        """What happens on any evening."""
        draw = self._noise
        camera = draw.choice(self.cameras)
        kind = draw.choice(("loitering", "two_wheeler", "vehicle_dwell", "line_crossing"))
        at = BEGIN + timedelta(hours=draw.uniform(0, 11.5))
        found = self._happen(camera, at, zone="way", kind=kind, severity=Severity.LOW, lasts_s=draw.uniform(20, 300))
        self.real.add(found)

    def _hide(self) -> None:
        draw = self._noise
        flooding = sorted(self.cameras, key=lambda camera: -camera.exposure)
        camera = flooding[draw.randrange(4)]
        zone, kind, severity = camera.zones[0]
        worse = list(Severity)[min(severity.rank + draw.choice((1, 2)), 3)]
        when = [BEGIN + timedelta(hours=draw.uniform(3, 11)) for _ in HIDDEN]
        self.hidden["worse"] = self._happen(camera, when[0], zone=zone, kind=kind, severity=worse, lasts_s=50)
        other = flooding[4 + draw.randrange(4)]
        zone, _, severity = other.zones[0]
        self.hidden["another kind"] = self._happen(
            other, when[1], zone=zone, kind="abandoned_object", severity=severity, lasts_s=400
        )
        quiet = draw.choice([each for each in self.cameras if each.exposure == 0.0 and self._floods_beside(each)])
        zone, kind, severity = quiet.zones[0]
        self.hidden["quiet camera"] = self._happen(
            quiet, when[2], zone=zone, kind=kind, severity=severity, lasts_s=45, alone=True
        )
        self.real |= set(self.hidden.values())

    def _happen(
        self,
        camera: Camera,
        at: datetime,
        *,
        zone: str,
        kind: str,
        severity: Severity,
        lasts_s: float,
        alone: bool = False,
    ) -> UUID:
        """An incident and its revisions on their way. `alone`: delivered at once, so that its time can be told."""
        self._number += 1
        incident_id = uuid7(self._number, random_bytes=bytes)
        for revision, (state, after_s) in enumerate(self._states(lasts_s), start=1):
            told_at = at + timedelta(seconds=after_s)
            incident = Incident(
                incident_id=incident_id,
                revision=revision,
                state=state,
                kind=kind,
                category="public_order",
                severity=severity,
                started_at=at,
                updated_at=told_at,
                ended_at=told_at if state is IncidentState.ENDED else None,
                device=camera.name,
                spot=camera.spot,
                zone=zone,
                rule=RuleReference(id=f"{kind}-{zone}", version="1", sha256="0" * 64),
            )
            self._send(camera, incident, told_at, alone=alone)
        return incident_id

    def _floods_beside(self, camera: Camera) -> bool:
        """Whether another camera of the spot is blown about; the worst exposed one counts for a night without any such."""
        quiet = [each for each in self.cameras if each.exposure == 0.0]
        floods = {
            each.name: sum(
                other.exposure for other in self.cameras if (other.node, other.spot) == (each.node, each.spot)
            )
            for each in quiet
        }
        return floods[camera.name] >= min(_BLOWN, max(floods.values()))

    def _states(self, lasts_s: float) -> Iterator[tuple[IncidentState, float]]:
        yield IncidentState.OPEN, 0.0
        if lasts_s > 20:
            yield IncidentState.UPDATE, lasts_s / 2
        yield IncidentState.ENDED, lasts_s

    def _send(self, camera: Camera, incident: Incident, told_at: datetime, *, alone: bool) -> None:
        draw = self._noise
        node, cut_from, cut_until = self._cut
        arrives = told_at + timedelta(seconds=draw.uniform(0.2, 2.5))
        historical = not alone and camera.node == node and cut_from <= told_at < cut_until
        if historical:
            arrives = cut_until + timedelta(seconds=draw.uniform(5, 120))
        times = [arrives]
        if draw.random() < 0.03:
            times.append(arrives + timedelta(seconds=draw.uniform(1, 40)))
        for at in times:
            self._pending.append(Delivery(at, _report(camera, incident, at, historical=historical)))


def _report(camera: Camera, incident: Incident, at: datetime, *, historical: bool) -> IncidentReport:
    return IncidentReport(
        node=camera.node,
        device_id=None,
        device_kind="camera",
        grid_code=GRID,
        incident=incident,
        raw=msgspec.json.encode(incident),
        historical=historical,
        received_at=at,
        district="110105",
    )


def described(night: Night) -> dict[str, Any]:
    """The night in figures."""
    noisy: dict[str, int] = {}
    for delivery in night.deliveries:
        noisy[delivery.report.incident.device] = noisy.get(delivery.report.incident.device, 0) + 1
    counts = sorted(noisy.values())
    return {
        "incidents": len({each.report.incident.incident_id for each in night.deliveries}),
        "deliveries": len(night.deliveries),
        "spots": len({(camera.node, camera.spot) for camera in night.cameras}),
        "deliveries_per_camera": {"median": counts[len(counts) // 2], "most": counts[-1]},
    }
