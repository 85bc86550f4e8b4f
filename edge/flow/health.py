"""How the parts of a node are, and what a camera's thread is at."""

from enum import IntEnum, StrEnum
from typing import Protocol


class Health(StrEnum):
    """How a part of the node is."""

    STARTING = "starting"
    OK = "ok"
    DEGRADED = "degraded"
    LOST = "lost"


class NativeStep(IntEnum):
    """What a camera's thread does inside of a foreign library, where a bad stream can end the whole process."""

    NONE = 0
    WAITING = 1
    """For the next packet: most of a live camera's time."""
    OPENING = 2
    DECODING = 3
    ANALYSING = 4


class NativeMark(Protocol):
    """Where one thread of one camera tells what it does; who looks after a crash finds it there."""

    def tell(self, step: NativeStep) -> None:
        """From now on it does this. Costs a microsecond: it is told twice per packet."""
        ...
