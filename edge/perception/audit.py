"""The audit of a gate (解码闸门抽查): how much of what decoding everything finds it would have missed. Pure.

Now and then, for some seconds, everything is decoded while the gate only says what it would have done: it gets the sizes of the packets
and those key frames that it would have looked at, nothing else. What the analysis sees to move meanwhile is found by both when the gate
has opened for it in time, and was missed by the gate when it has not; it is opened for it then, so that an audit never costs an event.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from edge.flow import GateOrder, GateReason, GateState, Packet, Picture, Scene
from edge.perception.gate import GateCounters, PacketGate

_OF_A_LOOK: Final = timedelta(seconds=0.5)
"""The frame of a look is analysed when its period is due: this much later at most."""


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Seconds of event time. A stretch of `for_s` begins every `every_s` on an average, half as much sooner or later, so that no two cameras
    march in step: a hundredth of the time. What moves for `movement_s`, or is followed, is a movement; the gate has `grace_s` from its
    beginning to open, which is as long as two looks may be apart.
    """

    every_s: float = 1_200.0
    for_s: float = 12.0
    movement_s: float = 0.6
    grace_s: float = 6.0


@dataclass(slots=True)
class AuditCounters:
    """Since the start: `audited_s` of event time in `stretches`, and the movements in them, `found` by the gate too or `missed` by it."""

    stretches: int = 0
    audited_s: float = 0.0
    found: int = 0
    missed: int = 0


@dataclass(slots=True)
class _Movement:
    """What the analysis sees to move: since when, how lately, and whether it is more than a flicker."""

    began_at: datetime
    last_at: datetime
    certain: bool = False


@dataclass(slots=True)
class _Stretch:
    """An audit under way. `look_at`: a look that the gate wanted and whose analysis it has not heard of yet."""

    began_at: datetime
    newest_at: datetime
    movement: _Movement | None = None
    opened_at: datetime | None = None
    look_at: datetime | None = None


class AuditedGate:
    """A gate that is audited; to everyone else it is the gate."""

    def __init__(
        self,
        gate: PacketGate | None = None,
        settings: AuditSettings | None = None,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` gives numbers from 0 to 1: when the stretches begin."""
        self.audit = AuditCounters()
        self._gate = gate or PacketGate()
        self._settings = settings or AuditSettings()
        self._chance = chance
        self._stretch: _Stretch | None = None
        self._next_at: datetime | None = None

    @property
    def counters(self) -> GateCounters:
        """What the gate itself decided."""
        return self._gate.counters

    @property
    def state(self) -> GateState:
        """What it does."""
        return GateState.OPEN if self._only_audited else self._gate.state

    @property
    def reason(self) -> GateReason:
        """Why."""
        return GateReason.AUDITED if self._only_audited else self._gate.reason

    @property
    def began_at(self) -> datetime | None:
        """When what it is open for may have begun."""
        return self._gate.began_at

    @property
    def _only_audited(self) -> bool:
        return self._stretch is not None and self._gate.state is GateState.WATCHING

    def begin(self) -> None:
        """A connection was opened; a stretch that was under way is not counted to its end."""
        self._stretch = None
        self._gate.begin()

    def take(self, packet: Packet) -> GateOrder:
        """The next packet, in the order of arrival."""
        order = self._gate.take(packet)
        if self._stretch is None and order is not GateOrder.DECODE and packet.encoded.key and self._due(packet):
            self._stretch = _Stretch(packet.captured_at, packet.captured_at)
            self.audit.stretches += 1
        stretch = self._stretch
        if stretch is None:
            return order
        self._pass(stretch, packet.captured_at)
        if order is GateOrder.SPARE:
            self._gate.counters.spared -= 1  # it was not
            return GateOrder.DECODE
        if order is GateOrder.LOOK:
            stretch.look_at = packet.captured_at
            return GateOrder.CHECK
        return order

    def looked(self, picture: Picture, at: datetime) -> bool:
        """The key frame that it asked for; whether the gate is open now because of it."""
        return self._gate.looked(picture, at)

    def damaged(self, at: datetime) -> None:
        """The key frame that it asked for could not be decoded."""
        self._gate.damaged(at)

    def asked(self, at: datetime) -> None:
        """Somebody wants to see what there is from this moment on. A stretch that is under way is not counted to its end: the gate would not have
        opened by itself.
        """
        self._stretch = None
        self._gate.asked(at)

    def attend(self, scene: Scene, *, followed: bool) -> None:
        """What the analysis made of a frame: in a stretch the gate hears only of frames that it would have had decoded."""
        stretch = self._stretch
        if stretch is None or self._gate.state is not GateState.WATCHING:
            self._gate.attend(scene, followed=followed)
        elif stretch.look_at is not None and scene.at >= stretch.look_at:
            if scene.at - stretch.look_at <= _OF_A_LOOK:
                self._gate.attend(
                    scene, followed=False
                )  # what it follows, it would not follow without the frames between
            stretch.look_at = None
        if stretch is not None:
            self._note(stretch, scene, busy=scene.moving or followed, certain=bool(scene.tracks))

    def _due(self, packet: Packet) -> bool:
        if self._next_at is None:
            self._next_at = packet.captured_at + timedelta(seconds=self._settings.every_s * self._chance())
        if packet.captured_at < self._next_at:
            return False
        later_s = self._settings.every_s * (0.5 + self._chance())
        self._next_at = packet.captured_at + timedelta(seconds=later_s)
        return True

    def _pass(self, stretch: _Stretch, at: datetime) -> None:
        """Time passes: what the gate has not opened for by now it has missed, and the stretch ends when nothing is undecided."""
        settings = self._settings
        self.audit.audited_s += max(0.0, (at - stretch.newest_at).total_seconds())
        stretch.newest_at = max(stretch.newest_at, at)
        if self._gate.state in {GateState.LEARNING, GateState.UNSUITED}:
            self._stretch = None
            return
        if self._gate.state is GateState.OPEN and stretch.opened_at is None:
            stretch.opened_at = at
        movement = stretch.movement
        if movement is not None:
            self._judge(stretch, movement)
        elif _seconds(stretch.opened_at or stretch.began_at, at) >= (
            settings.for_s if stretch.opened_at is None else settings.grace_s
        ):
            self._stretch = None

    def _judge(self, stretch: _Stretch, movement: _Movement) -> None:
        if movement.certain and stretch.opened_at is not None:
            self.audit.found += 1
            self._stretch = None
        elif _seconds(movement.began_at, stretch.newest_at) >= self._settings.grace_s:
            stretch.movement = None
            if movement.certain:
                self.audit.missed += 1
                self._stretch = None
                self._gate.overlooked(movement.began_at)

    def _note(self, stretch: _Stretch, scene: Scene, *, busy: bool, certain: bool) -> None:
        if not busy or not scene.seen:
            return
        movement = stretch.movement
        if movement is None:
            stretch.movement = movement = _Movement(scene.at, scene.at)
        elif _seconds(movement.last_at, scene.at) > self._settings.movement_s and not movement.certain:
            movement.began_at = scene.at  # one flicker, and later another
        movement.last_at = max(movement.last_at, scene.at)
        lasted_s = _seconds(movement.began_at, movement.last_at)
        movement.certain = movement.certain or certain or lasted_s >= self._settings.movement_s


def _seconds(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds()
