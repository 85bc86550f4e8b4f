"""What a measurement of cameras is asked to do."""

from dataclasses import dataclass
from typing import Final

TRIES: Final = 6
CORES_OF_THE_BARS: Final = 2

SETTLING_S: Final = 90.0
"""So long gates may take to learn their streams before they are measured as they are."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which parts, on how many cores, for how long; None where the part's own length or number counts. `scenes`: made ones, and no
    film.
    """

    idle: bool
    busy: bool
    cores: int
    seconds: float | None = None
    cameras: int | None = None
    tries: int = TRIES
    settling_s: float = SETTLING_S
    scenes: bool = False
