"""The gate (解码闸门): whether the packets of a camera have to be decoded. Pure, one per camera, calibrated while it runs.

Most cameras show an empty scene most of the time, and decoding is what that costs. While the sizes of the packets are those of the
empty scene, only a key frame is decoded now and then, for what changes slowly and for camera trouble. The analysis is the judge: what
it calls empty is what sizes are learnt from, and as long as it sees or follows anything, everything is decoded.

Not every stream suits. Where sizes tell nothing (noise at a constant bitrate), where they missed what key frames showed, and where key
frames are further apart than five seconds, everything is decoded, and the gate says so. A stream that nobody analyses is one of those.
A frozen camera has to be found in time as well: packets of a still picture are smaller than ever, two key frames that are the same
open it, and where the former would not show, key frames more than three seconds apart do not suit either.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contract.incident import CameraTrouble
from edge.flow import GateOrder, GateReason, GateState, Packet, Picture, Scene
from edge.perception.motion import MotionDetector
from edge.perception.packet_sizes import PacketSizes, SizeSettings, spent_bytes

_LEVEL_S: Final = timedelta(seconds=1.0)
_OPENINGS: Final = 10
_ROWS_APART: Final = 16
_SAME_SHARE: Final = 0.02
"""Of two key frames every sixteenth row is compared. A picture that is encoded again is the same but for a few pixels, grain changes half of them."""


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Seconds of event time. `look_s`: least time between two decoded key frames; `hold_s`: so long it stays open after the last sign;
    `fresh_s`: the analysis may be so late for the gate to close on its word; `empty_s`: so long before and
    after a moment nothing has to move for it to count as the empty scene; `rare_s`: key frames further apart do not suit, nor, where sizes
    do not tell a frozen camera, those further apart than `frozen_s`. `trouble_s`: a change of what is wrong with the picture is looked at closely for so long.
    `learning_s`: who has not seen so much of the empty scene by then says so. `missed`: after so many of the last ten openings that sizes had not told of, they are not believed for `distrust_s`.
    """

    look_s: float = 1.9
    hold_s: float = 3.0
    fresh_s: float = 2.0
    empty_s: float = 2.5
    rare_s: float = 5.0
    frozen_s: float = 3.2
    trouble_s: float = 15.0
    learning_s: float = 120.0
    missed: int = 3
    distrust_s: float = 600.0


@dataclass(slots=True)
class GateCounters:
    """What it decided since the start. `told`: openings in which the analysis saw something and sizes told of it, `missed`: those
    in which they did not even while it moved: together they are the recall of the sizes.
    """

    spared: int = 0
    looks: int = 0
    openings: int = 0
    told: int = 0
    missed: int = 0


class PacketGate:
    """The gate of one camera. Its word on a packet holds for the next one too unless something happens."""

    def __init__(self, settings: GateSettings | None = None, sizes: SizeSettings | None = None) -> None:
        self.counters = GateCounters()
        self._settings = settings or GateSettings()
        self._sizes = PacketSizes(sizes)
        self._state, self._reason = GateState.LEARNING, GateReason.BEGUN
        self._began_at: datetime | None = None
        self._key_s: float | None = None
        self._apart_s = 0.0
        self._looked_s = self._active_s = self._busy_s = self._attended_s = float("-inf")
        self._troubled_s = self._distrusted_s = float("-inf")
        self._learning_since_s = float("inf")
        self._troubles: frozenset[CameraTrouble] = frozenset()
        self._looks: MotionDetector | None = None
        self._looked_at: datetime | None = None
        self._sample: NDArray[np.uint8] | None = None
        self._same_known = False
        self._seen_at: datetime | None = None
        self._damaged_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._confirmed = True
        self._unsaid_until_s: float | None = None
        self._openings: deque[bool] = deque(maxlen=_OPENINGS)

    @property
    def state(self) -> GateState:
        """What it does."""
        return self._state

    @property
    def reason(self) -> GateReason:
        """Why."""
        return self._reason

    @property
    def began_at(self) -> datetime | None:
        """When what it is open for may have begun."""
        return self._began_at

    def begin(self) -> None:
        """A connection was opened. What was learnt stays; a camera that comes back shows what it showed, or the sizes are learnt anew."""
        self._sizes.interrupt()
        self._key_s, self._apart_s = None, 0.0
        self._open(GateReason.BEGUN, None)
        self._state = GateState.LEARNING

    def take(self, packet: Packet) -> GateOrder:
        """The next packet, in the order of arrival."""
        at_s = packet.captured_at.timestamp()
        since_s = 0.0 if self._key_s is None else at_s - self._key_s
        if packet.encoded.key:
            self._apart_s, self._key_s = since_s, at_s
            self._sizes.add_key(spent_bytes(packet.encoded.data))
        else:
            self._apart_s = max(self._apart_s, since_s)
            self._sizes.add(at_s, spent_bytes(packet.encoded.data))
        objection = self._objection(at_s)
        if objection is not None:
            self._state, self._reason = objection
            self._active_s, self._asked_at = at_s, None  # everything is decoded anyway
            return GateOrder.DECODE
        if self._state is not GateState.WATCHING:
            return self._while_open(packet, at_s)
        return self._while_watching(packet, at_s)

    def looked(self, picture: Picture, at: datetime) -> bool:
        """The key frame that it asked for: whether something in it is not where it was in the one before, or nothing at all has changed. Then
        the gate is open since that one.
        """
        if self._looks is None:
            self._looks = MotionDetector()
        moved = self._looks.observe(picture.luma[::2, ::2], at.timestamp()).moving  # a quarter of it tells as much
        same = self._is_the_same(picture)
        before_at, self._looked_at = self._looked_at, at
        if before_at is None or not (moved or same):
            return False
        if moved:
            self._unsaid_until_s = at.timestamp() + self._settings.hold_s
        self._opened(GateReason.SEEN if moved else GateReason.SAME, before_at, at.timestamp())
        return True

    def damaged(self, at: datetime) -> None:
        """The key frame that it asked for could not be decoded: something is wrong, and only decoding tells what."""
        self._damaged_at = at

    def overlooked(self, at: datetime) -> None:
        """An audit found that something has moved since then, and nothing has told."""
        self._seen_at = at

    def asked(self, at: datetime) -> None:
        """Somebody wants to see what there is from this moment on: that is no word on how well the sizes tell."""
        self._asked_at = at if self._asked_at is None else min(at, self._asked_at)

    def attend(self, scene: Scene, *, followed: bool) -> None:
        """What the analysis made of a frame, and whether it follows anything."""
        at_s = scene.at.timestamp()
        self._attended_s = max(self._attended_s, at_s)
        if scene.troubles is not None and scene.troubles != self._troubles:
            self._troubles, self._troubled_s = scene.troubles, at_s
        if scene.moving or followed or at_s - self._troubled_s < self._settings.trouble_s:
            self._busy_s = max(self._busy_s, at_s)
            self._sizes.discard()
            if self._state is GateState.WATCHING:
                self._seen_at = scene.at
            elif not self._confirmed:
                self._confirmed = True
                self._score(told=True)
        elif at_s - self._busy_s < self._settings.empty_s:
            self._sizes.discard()
        else:
            self._sizes.settle(at_s - self._settings.empty_s)

    def _is_the_same(self, picture: Picture) -> bool:
        """Whether this look shows the very picture of the one before, and that is news: some cameras show a still picture for ever."""
        sample = np.array(picture.luma[::_ROWS_APART])
        before, self._sample = self._sample, sample
        if before is None:
            return False
        same = before.shape == sample.shape and int((before != sample).sum()) <= _SAME_SHARE * sample.size
        news, self._same_known = same and not self._same_known, same
        return news

    def _objection(self, at_s: float) -> tuple[GateState, GateReason] | None:
        """Why this stream does not suit at the moment."""
        if self._apart_s > self._settings.rare_s:
            return GateState.UNSUITED, GateReason.KEY_FRAMES_RARE
        if self._sizes.intra:
            return GateState.UNSUITED, GateReason.SIZES_TELL_NOTHING
        if not self._sizes.known:
            self._learning_since_s = min(self._learning_since_s, at_s)
            late = at_s - self._learning_since_s >= self._settings.learning_s
            return GateState.LEARNING, GateReason.NEVER_STILL if late else GateReason.BEGUN
        if not self._sizes.telling or at_s < self._distrusted_s:
            return GateState.UNSUITED, GateReason.SIZES_TELL_NOTHING
        if self._apart_s > self._settings.frozen_s and not self._sizes.telling_stillness:
            return GateState.UNSUITED, GateReason.KEY_FRAMES_RARE
        return None

    def _while_open(self, packet: Packet, at_s: float) -> GateOrder:
        settings = self._settings
        if self._state is not GateState.OPEN:
            self._open(GateReason.BEGUN, None)
            self._active_s = at_s
        if self._asked_at is not None:
            self._asked_at, self._active_s = None, at_s
        if self._sizes.unusual:
            self._active_s = at_s
            if self._unsaid_until_s is not None:
                self._unsaid_until_s = None
                self._score(told=True)
        elif self._unsaid_until_s is not None and at_s > self._unsaid_until_s:
            self._unsaid_until_s = None
            self._score(told=False, at_s=at_s)
        over = at_s - max(self._active_s, self._busy_s) >= settings.hold_s
        if not packet.encoded.key or not over or at_s - self._attended_s > settings.fresh_s:
            return (
                GateOrder.DECODE
            )  # it closes with a key frame, the first to be looked at: what comes then is held against that one
        self._state, self._reason, self._began_at = GateState.WATCHING, GateReason.STILL, None
        self._confirmed, self._unsaid_until_s = True, None
        self._looks = self._looked_at = None
        self._looked_s = float("-inf")
        return self._while_watching(packet, at_s)

    def _while_watching(self, packet: Packet, at_s: float) -> GateOrder:
        if self._sizes.unusual:
            self._confirmed = False
            return self._opened(GateReason.SIZES, self._looked_at or packet.captured_at - _LEVEL_S, at_s)
        if self._seen_at is not None:
            self._unsaid_until_s = at_s + self._settings.hold_s
            return self._opened(GateReason.SEEN, self._seen_at, at_s)
        if self._damaged_at is not None:
            return self._opened(GateReason.DAMAGED, self._damaged_at, at_s)
        if self._asked_at is not None:
            return self._opened(GateReason.ASKED, self._asked_at, at_s)
        if packet.encoded.key and at_s - self._looked_s >= self._settings.look_s:
            self._looked_s = at_s
            self.counters.looks += 1
            return GateOrder.LOOK
        self.counters.spared += 1
        return GateOrder.SPARE

    def _opened(self, reason: GateReason, began_at: datetime, at_s: float) -> GateOrder:
        self._open(reason, began_at)
        self._active_s = at_s
        self.counters.openings += 1
        return GateOrder.DECODE

    def _open(self, reason: GateReason, began_at: datetime | None) -> None:
        self._state, self._reason, self._began_at = GateState.OPEN, reason, began_at
        self._seen_at = self._damaged_at = self._asked_at = None

    def _score(self, *, told: bool, at_s: float = 0.0) -> None:
        self._openings.append(told)
        self.counters.told += told
        self.counters.missed += not told
        if self._openings.count(False) >= self._settings.missed:
            self._openings.clear()
            self._distrusted_s = at_s + self._settings.distrust_s
