"""How full something is, in levels with hysteresis: what hovers at a limit does not come and go. Pure."""

from dataclasses import dataclass

from edge.contract.health import Level

CLEARANCE = 0.1
"""So far below its limit a level ends."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From which share on a level holds; without `warning` there is only the critical one."""

    critical: float = 0.9
    warning: float | None = 0.5


def level_after(present: Level, share: float, limits: Limits) -> Level:
    """The level at a share (0 to 1), coming from `present`."""
    if share >= limits.critical - (CLEARANCE if present is Level.CRITICAL else 0.0):
        return Level.CRITICAL
    if limits.warning is None:
        return Level.NORMAL
    if share >= limits.warning - (0.0 if present is Level.NORMAL else CLEARANCE):
        return Level.WARNING
    return Level.NORMAL
