"""The situations in which everything has to stay flat, and what happens in each of them over time. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.system.endurance.door import Manner

TURN_S: Final = 100.0
"""Of load: so long a peer is away in one manner before it is away in the next. The first ten minutes hold each manner."""

AWAY: Final = (Manner.REFUSING, Manner.SILENT, Manner.SLAMMING)


class Situation(StrEnum):
    """An hour of what."""

    NORMAL = "normal"
    CLOUD_AWAY = "cloud-away"
    CAMERA_AWAY = "camera-away"


@dataclass(frozen=True, slots=True)
class Script:
    """What happens: `manners` take turns at `doors` (names of the site's); without any, nothing happens."""

    text: str
    doors: tuple[str, ...] = ()
    manners: tuple[Manner, ...] = ()

    def manner_at(self, at_s: float) -> Manner | None:
        """How the doors are at a time of load; None where they are left open."""
        return self.manners[int(at_s // TURN_S) % len(self.manners)] if self.manners else None


SCRIPTS: Final[Mapping[Situation, Script]] = {
    Situation.NORMAL: Script("two cameras with people, twenty sensors, uploads, a page that listens and looks"),
    Situation.CLOUD_AWAY: Script(
        "broker and HTTPS refuse, say nothing, slam the door, in turn", ("broker_door", "https_door"), AWAY
    ),
    Situation.CAMERA_AWAY: Script(
        "one of two cameras refuses, says nothing, slams the door, comes for a moment and breaks off, in turn",
        ("camera_door",),
        (*AWAY, Manner.BREAKING),
    ),
}
