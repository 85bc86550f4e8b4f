"""From analysed moments to blocks: what one camera's watch leaves behind. Pure; knows no clock but the scenes' own.

A look is kept where something is followed or something has changed; of looks that see the same emptiness again the first and the last
are, and one every `QUIET_MS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from edge.contract.incident import IncidentState, TrackPoint
from edge.contract.telemetry import to_microseconds
from edge.flow import Finding, Look, Scene, StillObject, Track
from edge.recollection.block import VERSION, Block, Ending, Looked, Seen, Thing, Things, Told, Trouble, Watched, Way
from edge.recollection.courses import CourseThinner, KeyPoint, in_steps, packed

QUIET_MS: Final = 5_000
MANY: Final = 20_000
"""Looks and points in one block from which on it should be cut, however short it is."""

_THOUSANDTHS: Final = 1_000
_TREMBLING_MS: Final = 500
_TREMBLING_STEPS: Final = 50


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970."""
    return to_microseconds(at) // 1_000


@dataclass(slots=True)
class _Followed:
    """A thing that has not ended: `seen_us` is its last sight that was taken."""

    track: Track
    course: CourseThinner = field(default_factory=CourseThinner)
    shown_ms: int | None = None
    seen_us: int = -1

    def unseen(self, track: Track) -> list[TrackPoint]:
        """Its sights that are new, oldest first."""
        new: list[TrackPoint] = []
        for point in reversed(track.path):
            if point.at_us <= self.seen_us:
                break
            new.append(point)
        return new[::-1]

    def take(self, track: Track, at_ms: int | None = None) -> None:
        """Take the sights that are new, and where it is at a look. Of several sights at once nothing is known of what lies
        between them: it did not count then. Without one at the look it is only expected there.
        """
        new = self.unseen(track)
        for point in new:
            point_ms = point.at_us // 1_000
            if len(new) > 1:
                self.course.miss()
            if point_ms != at_ms:
                self.course.see(point_ms, (point.left, point.top, point.right, point.bottom))
            self.seen_us = point.at_us
        if at_ms is not None:
            self.course.see(at_ms, track.box, expected=self.seen_us // 1_000 != at_ms)
        self.track = track


class SceneRecorder:
    """One watch of one camera from its beginning to its end."""

    def __init__(self, camera: str, watched: Watched, *, process: int, run: int) -> None:
        self.watched = watched
        self._camera, self._process, self._run = camera, process, run
        self._number = 0
        self._followed: dict[int, _Followed] = {}
        self._state = _State()
        self._at_ms = self._kept_ms = run
        self._pending_ms: int | None = None
        self._quiet = False
        self._looked = False
        self._page = _Page()

    @property
    def size(self) -> int:
        """How many looks and points wait for `cut`."""
        points = sum(len(each.course) for each in self._followed.values())
        seen = sum(len(each.seen) for each in self._page.looks)
        return len(self._page.moments) + len(self._page.told) + self._page.points + points + seen

    def scene(self, scene: Scene) -> None:
        """Take one analysed moment. One that is not later than the last one is taken only for what has ended in it."""
        at_ms = to_ms(scene.at)
        if at_ms <= self._at_ms and self._number + len(self._page.moments):
            if not scene.ended:
                return
            at_ms = self._at_ms + 1
        self._at_ms = at_ms
        state = _State.of(scene, self._state)
        looked = scene.objects is not None
        if scene.tracks or scene.ended or scene.look is not None or not state.like(self._state):
            self._flush()
            self._looked = self._looked or looked
            self._append(at_ms, state if not state.like(self._state) else self._state)
            self._quiet = False
            self._follow(scene, at_ms)
            if scene.look is not None:
                self._page.looks.append(_looked(len(self._page.moments) - 1, scene.look))
        else:
            self._looked = self._looked or looked
            self._pass(at_ms)
        seen = {track.track_id for track in scene.tracks}
        for track_id, followed in self._followed.items():
            if track_id not in seen:
                followed.course.miss()

    def told(self, finding: Finding, background: str | None = None) -> None:
        """Take what was told of an incident, with the hash of the camera's background; beginnings and ends are kept."""
        if finding.state is not IncidentState.UPDATE:
            self._page.told.append(_told(finding, background))

    def cut(self, *, ended: bool = False) -> Block | None:
        """What was taken since the last cut; None where there is nothing. After one that `ended` nothing may follow.

        What has to be added to the times is known to the one that writes.
        """
        self._flush()
        page, self._page = self._page, _Page()
        if not page.moments and not page.told and not (ended and self._number):
            return None
        from_ms = page.moments[0] >> 1 if page.moments else self._kept_ms
        ways = [*page.ways, *(self._way(track_id, each) for track_id, each in self._followed.items())]
        self._number += 1
        return Block(
            version=VERSION,
            camera=self._camera,
            process=self._process,
            run=self._run,
            number=self._number - 1,
            watched=self.watched,
            from_ms=from_ms,
            to_ms=max(self._kept_ms, from_ms),
            correction_ms=0,
            moments=_differences(page.moments, from_ms),
            ways=tuple(each.packed(from_ms) for each in ways if each.points),
            endings=tuple(msgspec.structs.replace(each, last_ms=each.last_ms - from_ms) for each in page.endings),
            troubles=tuple(page.troubles),
            things=tuple(page.things),
            told=tuple(page.told),
            ended=ended,
            looks=tuple(page.looks),
        )

    # --- looks --------------------------------------------------------------------------------------------------

    def _pass(self, at_ms: int) -> None:
        """A look at the same emptiness."""
        if not self._quiet or not self._page.moments or at_ms - self._kept_ms >= QUIET_MS:
            self._append(at_ms, self._state)
            self._quiet = True
        else:
            self._pending_ms = at_ms

    def _flush(self) -> None:
        """The last look before something else happens is kept too."""
        if self._pending_ms is not None:
            self._append(self._pending_ms, self._state)

    def _append(self, at_ms: int, state: "_State") -> None:
        page, number = self._page, len(self._page.moments)
        if not number or state.troubles != self._state.troubles:
            page.troubles.append(Trouble(number, state.troubles))
        if not number or state.things != self._state.things:
            page.things.append(Things(number, state.things))
        page.moments.append(2 * at_ms + self._looked)
        self._state, self._looked, self._pending_ms, self._kept_ms = state, False, None, at_ms

    # --- what is followed ---------------------------------------------------------------------------------------

    def _follow(self, scene: Scene, at_ms: int) -> None:
        for track in scene.tracks:
            followed = self._followed.setdefault(track.track_id, _Followed(track))
            anew = followed.track.label != track.label or len(followed.unseen(track)) > 1
            if anew and followed.shown_ms is not None:  # it is called something else, or was known again from before
                self._put_down(track.track_id, followed)
                followed.shown_ms = None
            followed.take(track, at_ms)
            followed.shown_ms = at_ms if followed.shown_ms is None else followed.shown_ms
        for track in scene.ended:
            known = self._followed.pop(track.track_id, None)
            followed = _Followed(track) if known is None else known
            followed.take(track)
            self._put_down(track.track_id, followed)
            last_ms, moment = to_ms(track.last_seen_at), len(self._page.moments) - 1
            self._page.endings.append(Ending(moment, track.track_id, last_ms, in_steps(track.box)))

    def _put_down(self, track_id: int, followed: _Followed) -> None:
        way = self._way(track_id, followed)
        self._page.ways.append(way)
        self._page.points += len(way.points)

    def _way(self, track_id: int, followed: _Followed) -> "_LooseWay":
        track = followed.track
        return _LooseWay(
            track_id,
            track.label,
            to_ms(track.first_seen_at),
            followed.shown_ms,
            round(track.peak_confidence * _THOUSANDTHS),
            followed.course.cut(),
        )


@dataclass(frozen=True, slots=True)
class _State:
    """What holds until a look sees something else."""

    troubles: tuple[str, ...] | None = None
    things: tuple[Thing, ...] = ()

    @classmethod
    def of(cls, scene: Scene, before: "_State") -> "_State":
        """What the look saw; where it did not look for things, those of the look before."""
        troubles = None if scene.troubles is None else tuple(sorted(each.value for each in scene.troubles))
        return cls(troubles, before.things if scene.objects is None else tuple(map(_thing, scene.objects)))

    def like(self, other: "_State") -> bool:
        """Whether nothing has changed that is worth a word: boxes of what stands still tremble."""
        if self.troubles != other.troubles or len(self.things) != len(other.things):
            return False
        return all(
            thing.number == before.number
            and abs(thing.since_ms - before.since_ms) < _TREMBLING_MS
            and all(abs(edge - was) <= _TREMBLING_STEPS for edge, was in zip(thing.edges, before.edges, strict=True))
            for thing, before in zip(self.things, other.things, strict=True)
        )


@dataclass(frozen=True, slots=True)
class _LooseWay:
    """A way whose block has no beginning yet."""

    track_id: int
    label: str
    first_ms: int
    shown_ms: int | None
    peak: int
    points: tuple[KeyPoint, ...]

    def packed(self, from_ms: int) -> Way:
        """As it stands in the block."""
        shown_ms = None if self.shown_ms is None else self.shown_ms - from_ms
        return Way(self.track_id, self.label, self.first_ms, shown_ms, self.peak, packed(self.points, from_ms))


@dataclass(slots=True)
class _Page:
    """A block that is being filled."""

    moments: list[int] = field(default_factory=list)
    ways: list[_LooseWay] = field(default_factory=list)
    points: int = 0
    endings: list[Ending] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    things: list[Things] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    looks: list[Looked] = field(default_factory=list)


def _thing(thing: StillObject) -> Thing:
    return Thing(thing.number, in_steps(thing.box), to_ms(thing.since))


def _looked(moment: int, look: Look) -> Looked:
    seen = tuple(Seen(each.label, in_steps(each.box), round(each.score * _THOUSANDTHS)) for each in look.spotted)
    return Looked(moment, None if look.region is None else in_steps(look.region), seen)


def _told(finding: Finding, background: str | None) -> Told:
    ended = finding.state is IncidentState.ENDED
    return Told(
        key=finding.key,
        rule=finding.rule,
        kind=finding.kind,
        severity=finding.severity.value,
        ended=ended,
        at_ms=to_ms(finding.at),
        started_ms=to_ms(finding.started_at),
        ended_ms=to_ms(finding.ended_at) if ended and finding.ended_at is not None else None,
        dwell_s=finding.dwell_s,
        zone=finding.zone,
        direction=finding.direction,
        count=finding.count,
        point=finding.point,
        background=background,
    )


def _differences(moments: Sequence[int], from_ms: int) -> tuple[int, ...]:
    numbers, before_ms = [], from_ms
    for moment in moments:
        at_ms = moment >> 1
        numbers.append(2 * (at_ms - before_ms) + (moment & 1))
        before_ms = at_ms
    return tuple(numbers)
