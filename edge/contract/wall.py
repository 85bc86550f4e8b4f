"""Pictures of a camera as it is now, for a picture wall (画面墙): asked for by lease, masked like evidence, kept by nobody.

The command `snapshot` begins a lease on its `device`; each answer to a picture says how long it still stands. So a lease that
nobody renews ends by itself, whatever became of the cloud, and no picture is made that nobody looks at.
"""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

LONGEST_LEASE_S: Final = 60.0
SHORTEST_PERIOD_S: Final = 2.0
LONGEST_PERIOD_S: Final = 60.0
WIDEST_PIXELS: Final = 640
HIGHEST_PIXELS: Final = 1_280
"""A camera that stands upright is not wider than the others."""

LARGEST_PICTURE_BYTES: Final = 200 * 1024
CAPTURED_AT_HEADER: Final = "Captured-At"
"""When the picture was taken, by the node's corrected clock, RFC 3339."""


class Absence(StrEnum):
    """Why there is no picture of a camera that somebody looks at."""

    WAITING = "waiting"
    """None has come from the camera yet."""
    LOST = "lost"
    """The camera gives none."""
    REFUSED = "refused"
    """What would have to be masked is not known: nothing is shown rather than somebody."""
    OVERLOADED = "overloaded"
    """The machine has no time beside its work."""
    UNTAKEN = "untaken"
    """There are pictures, and the cloud does not take them."""


class SnapshotArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the command `snapshot` asks: pictures of its device for `lease_s` seconds, one each `period_s` at most."""

    lease_s: Annotated[float, Meta(ge=1.0, le=LONGEST_LEASE_S)]
    period_s: Annotated[float, Meta(ge=SHORTEST_PERIOD_S, le=LONGEST_PERIOD_S)] = SHORTEST_PERIOD_S


class AbsenceTold(Struct, frozen=True, kw_only=True):
    """The body of what a node sends in place of a picture."""

    reason: Absence


class LeaseLeft(Struct, frozen=True, kw_only=True):
    """The answer to a picture: so long somebody looks at this camera still, seconds; 0: nobody does."""

    left_s: Annotated[float, Meta(ge=0.0)]
