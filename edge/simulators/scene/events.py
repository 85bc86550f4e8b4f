"""What happens in a made scene, told from its moments: stays in zones, crossings of lines, falls, litter, full bins. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from edge.geometry import Point, contains, foot_point, passage, side_of
from edge.simulators.scene.truth import Event, EventKind, Moment, Thing

_LASTING: Final = {
    "fallen_person": EventKind.FALL,
    "litter": EventKind.LITTER,
    "bin_overflow": EventKind.OVERFLOW,
}
_Key = tuple[EventKind, int | None, str | None]


@dataclass(slots=True)
class Teller:
    """Takes the moments of a scene in their order, and tells what happened.

    A thing is where its foot point is: the middle of the lower edge of the box around all of it, moved into the picture. What is not in the
    picture at all is nowhere.
    """

    zones: Mapping[str, tuple[Point, ...]]
    lines: Mapping[str, tuple[Point, Point]]
    _open: dict[_Key, Event] = field(default_factory=dict)
    _over: list[Event] = field(default_factory=list)
    _feet: dict[int, Point] = field(default_factory=dict)
    _last_s: float = 0.0

    def take(self, moment: Moment, still: frozenset[int]) -> None:
        """One moment; `still` are the ids of what stands."""
        present: dict[_Key, Event] = {}
        feet: dict[int, Point] = {}
        for thing in moment.objects:
            foot = foot_point(thing.full)
            feet[thing.id] = foot
            self._cross(moment.at_s, thing, foot)
            self._add(present, moment.at_s, thing, _LASTING.get(thing.label), None)
            for name, polygon in self.zones.items():
                if contains(polygon, foot):
                    self._add(present, moment.at_s, thing, EventKind.STAY, name)
                    if thing.id in still:
                        self._add(present, moment.at_s, thing, EventKind.DWELL, name)
        if moment.cover is not None:
            dark = Event(EventKind.BLACKOUT, moment.at_s, None, label=moment.cover.value)
            present[EventKind.BLACKOUT, None, None] = dark
        self._close(present, moment.at_s)
        for key, event in present.items():
            self._open.setdefault(key, event)
        self._feet, self._last_s = feet, moment.at_s

    def events(self) -> tuple[Event, ...]:
        """All so far, in the order in which they began; what still goes on has no end."""
        return tuple(sorted([*self._over, *self._open.values()], key=lambda event: (event.begin_s, event.id or 0)))

    def _add(
        self, present: dict[_Key, Event], at_s: float, thing: Thing, kind: EventKind | None, where: str | None
    ) -> None:
        if kind is not None:
            present[kind, thing.id, where] = Event(kind, at_s, None, thing.id, thing.label, where)

    def _close(self, present: Mapping[_Key, Event], at_s: float) -> None:
        for key in [key for key in self._open if key not in present]:
            event = self._open.pop(key)
            self._over.append(
                Event(event.kind, event.begin_s, at_s, event.id, event.label, event.where, event.direction)
            )

    def _cross(self, at_s: float, thing: Thing, foot: Point) -> None:
        before = self._feet.get(thing.id)
        if before is None:
            return
        for name, line in self.lines.items():
            share = passage(line, before, foot)
            if share is not None:
                crossed_s = self._last_s + share * (at_s - self._last_s)
                direction = "in" if side_of(line, foot) >= 0 else "out"
                self._over.append(
                    Event(EventKind.CROSSING, crossed_s, crossed_s, thing.id, thing.label, name, direction)
                )
