"""A camera's rules over what is remembered of it: the rules themselves, fed with the scenes of the memory in the order of their times."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from edge.contract.incident import CameraTrouble, IncidentState, TrackPoint
from edge.flow import Finding, Reading, Scene, SceneRule
from edge.recollection.block import Block, Told, Watched
from edge.recollection.scenes import Break, SceneReader, from_ms
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings

RUN_UP: Final = timedelta(minutes=15)
"""The memory is read from so long before the span on: what began before it is none of it."""

UNSEEN: Final = timedelta(seconds=30)
"""A camera of which nothing is remembered for longer was not seen meanwhile."""

_TICK: Final = timedelta(seconds=1)
_SLOW_TICK: Final = timedelta(seconds=30)
_TICKS: Final = 60
_COUNTED_EVERY: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class TrialIncident:
    """One incident, found now or told then. `ended_at` is None where it had not ended when the span did."""

    rule: str
    kind: str
    zone: str | None
    severity: str
    started_at: datetime
    ended_at: datetime | None
    dwell_s: float | None
    direction: str | None
    count: int | None
    point: str | None
    path: tuple[TrackPoint, ...] = field(default=(), compare=False)
    background: str | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """A span in which the camera was not seen, and why: `node_off`, `camera_lost`, `no_picture`, `not_kept`."""

    begins_at: datetime
    ends_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class CameraTrial:
    """What the rules find in what is remembered of a camera within a span, what was told of it then, and what nobody saw.

    `ways` are those of everything that was followed, thinned for a picture. `watched`: what was looked for, over the span.
    """

    camera: CameraSettings
    begins_at: datetime | None
    ends_at: datetime | None
    seen_s: float
    holes: tuple[Hole, ...]
    watched: tuple[Watched, ...]
    now: tuple[TrialIncident, ...]
    then: tuple[TrialIncident, ...]
    counts: dict[str, int]
    ways: tuple[tuple[TrackPoint, ...], ...]


def tried(
    camera: CameraSettings,
    blocks: Iterable[Block],
    *,
    since: datetime,
    until: datetime,
    go_on: Callable[[], None] = lambda: None,
) -> CameraTrial:
    """Run the camera's rules over its blocks, which begin `RUN_UP` before the span. `go_on` is called for each block and may raise."""
    trial = _Trial(camera, since, until)
    reader = SceneReader(camera.id)
    for block in blocks:
        go_on()
        begins_at, begun = from_ms(block.from_ms + block.correction_ms), False
        for moment in reader.take(block):
            if not begun and moment.at >= begins_at:  # what comes before is the end of another watch
                trial.block(block)
                begun = True
            trial.moment(moment)
        if not begun:
            trial.block(block)
    return trial.result()


class _Trial:
    """One camera's rules while they run."""

    def __init__(self, camera: CameraSettings, since: datetime, until: datetime) -> None:
        self._camera, self._since, self._until = camera, since, until
        self._rules = self._anew()
        self._ledger = _Ledger()
        self._then = _Ledger()
        self._seen = _Seen(since, until)
        self._counts: Counter[str] = Counter()
        self._counted_at: datetime | None = None
        self._last: datetime | None = None
        self._ways = _Ways(since)
        self._watched: dict[Watched, None] = {}
        self._before: tuple[int, int, int] | None = None

    def block(self, block: Block) -> None:
        """What a block says beside its scenes."""
        if from_ms(block.to_ms + block.correction_ms) >= self._since:
            self._watched[block.watched] = None
        self._seen.process = block.process
        before, self._before = self._before, (block.process, block.run, block.number)
        if before is not None and before[:2] == self._before[:2] and block.number > before[2] + 1:
            self._seen.not_kept = True
        self._then.recall(block.told, block.correction_ms)

    def moment(self, moment: Scene | Break) -> None:
        """The next scene, or the end of an unbroken watch."""
        if moment.at > self._until:
            return
        if isinstance(moment, Break):
            self._break(moment.at)
            return
        self._pass_time(moment.at)
        self._seen.take(moment)
        self._ways.take(moment)
        for rule in self._rules:
            self._ledger.take(rule.observe(moment))
        self._last = moment.at
        if self._counted_at is None or moment.at - self._counted_at >= _COUNTED_EVERY:
            self._count(moment.at)

    def result(self) -> CameraTrial:
        """All of it; what is open stays open."""
        if self._last is not None:
            self._break(self._last, keep=True)
        seen = self._seen.closed()
        within = (self._since, self._until)
        return CameraTrial(
            camera=self._camera,
            begins_at=seen.first,
            ends_at=seen.last,
            seen_s=round(seen.seen_s, 3),
            holes=tuple(seen.holes),
            watched=tuple(self._watched),
            now=self._ledger.incidents(*within),
            then=self._then.incidents(*within),
            counts=dict(self._counts),
            ways=self._ways.all(),
        )

    def _anew(self) -> list[SceneRule]:
        return [scene_rule(settings, self._camera) for settings in self._camera.rules]

    def _pass_time(self, at: datetime) -> None:
        """Between two looks the rules were told that time passes: what is held back may open, what is folded may close."""
        if self._last is None or at - self._last <= _TICK:
            return
        for moment in _ticks(self._last, at):
            for rule in self._rules:
                self._ledger.take(rule.passed(moment))

    def _break(self, at: datetime, *, keep: bool = False) -> None:
        for rule in self._rules:
            findings = rule.finish(at)
            if not keep:
                self._ledger.take(findings)
        self._count(at)
        self._rules = self._anew()
        self._last = self._counted_at = None

    def _count(self, at: datetime) -> None:
        self._counted_at = at
        readings: Iterator[Reading] = (reading for rule in self._rules for reading in rule.readings(at))
        for reading in readings:
            if reading.observed_at >= self._since:
                self._counts[reading.point] += int(reading.value)


def _ticks(after: datetime, until: datetime) -> Iterator[datetime]:
    at, number = after, 0
    while True:
        at += _TICK if number < _TICKS else _SLOW_TICK
        number += 1
        if at >= until:
            return
        yield at


def _gone_on(known: TrialIncident, last: TrialIncident) -> TrialIncident:
    return replace(last, started_at=known.started_at, background=known.background)


class _Ledger:
    """Incidents in the order of their beginnings."""

    def __init__(self) -> None:
        self._incidents: dict[str, TrialIncident] = {}

    def take(self, findings: Sequence[Finding]) -> None:
        """What the rules say now."""
        for finding in findings:
            known = self._incidents.get(finding.key)
            self._incidents[finding.key] = TrialIncident(
                rule=finding.rule,
                kind=finding.kind,
                zone=finding.zone,
                severity=finding.severity.value,
                started_at=finding.started_at if known is None else known.started_at,
                ended_at=finding.ended_at if finding.state is IncidentState.ENDED else None,
                dwell_s=finding.dwell_s,
                direction=finding.direction,
                count=finding.count,
                point=finding.point,
                path=finding.path or (() if known is None else known.path),
            )

    def recall(self, told: Iterable[Told], correction_ms: int) -> None:
        """What was said then. The end of something whose beginning is not remembered tells that as well."""
        for each in told:
            known = self._incidents.get(each.key)
            incident = TrialIncident(
                rule=each.rule,
                kind=each.kind,
                zone=each.zone,
                severity=each.severity,
                started_at=from_ms(each.started_ms + correction_ms),
                ended_at=None if each.ended_ms is None else from_ms(each.ended_ms + correction_ms),
                dwell_s=each.dwell_s,
                direction=each.direction,
                count=each.count,
                point=each.point,
                background=each.background,
            )
            self._incidents[each.key] = incident if known is None else _gone_on(known, incident)

    def incidents(self, since: datetime, until: datetime) -> tuple[TrialIncident, ...]:
        """Those that began within a span."""
        found = [each for each in self._incidents.values() if since <= each.started_at <= until]
        return tuple(sorted(found, key=lambda each: (each.started_at, each.rule, each.point or "")))


@dataclass(slots=True)
class _Seen:
    """When the camera was seen, and when not."""

    since: datetime
    until: datetime
    process: int = 0
    not_kept: bool = False
    first: datetime | None = None
    last: datetime | None = None
    seen_s: float = 0.0
    holes: list[Hole] = field(default_factory=list)
    _look: tuple[datetime, int, bool] | None = None

    def take(self, scene: Scene) -> None:
        """A look, or the word that there is no picture."""
        lost = scene.troubles is not None and CameraTrouble.STREAM_LOST in scene.troubles
        before, self._look = self._look, (scene.at, self.process, lost)
        if scene.at < self.since:
            return
        if self.first is None:
            self.first = max(before[0], self.since) if before is not None and not before[2] else scene.at
        if before is not None:
            self._between(max(before[0], self.since), scene.at, *before[1:], lost=lost)
        self.last = scene.at

    def closed(self) -> "_Seen":
        """With what lies between the last look and the end of the span."""
        if self.last is not None and self.until - self.last > UNSEEN:
            self._hole(self.last, self.until, "not_kept")
        return self

    def _between(self, begins_at: datetime, at: datetime, process: int, was_lost: bool, *, lost: bool) -> None:
        if was_lost or lost:
            self._hole(begins_at, at, "camera_lost")
        elif process != self.process:
            self._hole(begins_at, at, "node_off")
        elif at - begins_at <= UNSEEN:
            self.seen_s += (at - begins_at).total_seconds()
        elif self.not_kept:
            self._hole(begins_at, at, "not_kept")
        else:
            self._hole(begins_at, at, "no_picture")
        self.not_kept = False

    def _hole(self, begins_at: datetime, ends_at: datetime, why: str) -> None:
        """One that goes on is one."""
        if self.holes and self.holes[-1].ends_at == begins_at and self.holes[-1].why == why:
            self.holes[-1] = replace(self.holes[-1], ends_at=ends_at)
        elif ends_at > begins_at:
            self.holes.append(Hole(begins_at, ends_at, why))


class _Ways:
    """The ways of everything that was followed, for a picture."""

    MOST = 2_000
    POINTS = 40

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._ended: list[tuple[TrackPoint, ...]] = []

    def take(self, scene: Scene) -> None:
        """What has ended in this look."""
        for track in scene.ended:
            if scene.at >= self._since and len(self._ended) < self.MOST and track.path:
                step = max(len(track.path) // self.POINTS, 1)
                self._ended.append((*track.path[::step], track.path[-1]))

    def all(self) -> tuple[tuple[TrackPoint, ...], ...]:
        """In the order of their ends."""
        return tuple(self._ended)
