"""What decides which packets of a camera are decoded."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from edge.flow.picture import Picture
from edge.flow.scene import Scene
from edge.flow.stream import Packet


class GateOrder(StrEnum):
    """What is to be done with a packet."""

    SPARE = "spare"
    """Keep it and decode nothing."""
    LOOK = "look"
    """Decode this key frame alone."""
    DECODE = "decode"
    """Decode it and what it depends on."""
    CHECK = "check"
    """Decode it as `DECODE` says, and show the gate the picture of this key frame all the same: it wants to know what a look would have told."""


class GateState(StrEnum):
    """What the gate of a camera does at the moment."""

    LEARNING = "learning"
    WATCHING = "watching"
    OPEN = "open"
    UNSUITED = "unsuited"


class GateReason(StrEnum):
    """Why it does that."""

    BEGUN = "begun"
    """Too little has been seen yet to know how large the packets of the empty scene are."""
    NEVER_STILL = "never_still"
    """Something has moved in this scene all the time, so that nobody knows how large the packets of the empty one are."""
    STILL = "still"
    SIZES = "sizes"
    """Packets are larger or smaller than they are when nothing moves."""
    SEEN = "seen"
    """The analysis of a key frame saw what the sizes had not told."""
    SAME = "same"
    """A key frame shows what the one before it showed, grain and all: the camera may be frozen."""
    ASKED = "asked"
    """Another device at the spot has something to tell, and somebody wants to see it."""
    DAMAGED = "damaged"
    """A key frame could not be decoded."""
    AUDITED = "audited"
    """Everything is decoded for a while, to see what the gate would have missed."""
    SIZES_TELL_NOTHING = "sizes_tell_nothing"
    KEY_FRAMES_RARE = "key_frames_rare"


class Gate(Protocol):
    """Decides of each packet of one camera whether it is decoded. Knows no clock but the packets' own."""

    @property
    def state(self) -> GateState:
        """What it does."""
        ...

    @property
    def reason(self) -> GateReason:
        """Why."""
        ...

    @property
    def began_at(self) -> datetime | None:
        """When what it is open for may have begun: decoding begins with the key frame before."""
        ...

    def begin(self) -> None:
        """A connection was opened."""
        ...

    def take(self, packet: Packet) -> GateOrder:
        """The next packet, in the order of arrival."""
        ...

    def looked(self, picture: Picture, at: datetime) -> bool:
        """The key frame that it asked for; whether the gate is open now because of it."""
        ...

    def damaged(self, at: datetime) -> None:
        """The key frame that it asked for could not be decoded."""
        ...

    def attend(self, scene: Scene, *, followed: bool) -> None:
        """What the analysis made of a frame, and whether it follows anything."""
        ...

    def asked(self, at: datetime) -> None:
        """Somebody wants to see what there is to be seen from this moment on, whether it moves or not."""
        ...
