"""Who takes part in a made scene: a shape on its way, with what becomes of it. Pure."""

from dataclasses import dataclass, replace
from math import pi
from typing import Final

from edge.simulators.scene.motion import Course
from edge.simulators.scene.people import Figure, step_phase
from edge.simulators.scene.shapes import Pose, Shape

FALLING_S: Final = 0.8
RISING_S: Final = 2.5
_LIES_FROM: Final = 0.6


@dataclass(frozen=True, slots=True)
class Fall:
    """Somebody falls at a moment and gets up at another, or lies until the end."""

    at_s: float
    up_at_s: float | None = None

    def tilt_at(self, at_s: float) -> float:
        """0 upright … 1 lying."""
        down = min(max((at_s - self.at_s) / FALLING_S, 0.0), 1.0)
        if self.up_at_s is None or at_s < self.up_at_s:
            return down
        return max(0.0, down - (at_s - self.up_at_s) / RISING_S)

    def lies_at(self, at_s: float) -> bool:
        """Whether he counts as lying."""
        return self.tilt_at(at_s) >= _LIES_FROM


@dataclass(frozen=True, slots=True)
class Actor:
    """One thing. `turns_s`: from then on it is `turned`, a label and a shape: how a bin overflows."""

    id: int
    label: str
    shape: Shape
    course: Course
    fall: Fall | None = None
    turns_s: float | None = None
    turned: tuple[str, Shape] | None = None

    def at(self, at_s: float) -> tuple[str, Shape, Pose] | None:
        """Its label, shape and pose at a moment; None when it is not there."""
        there = self.course.at(at_s)
        if there is None:
            return None
        pose, way_m = there
        if self.turned is not None and self.turns_s is not None and at_s >= self.turns_s:
            return *self.turned, pose
        if isinstance(self.shape, Figure):
            tilt = self.fall.tilt_at(at_s) if self.fall is not None else 0.0
            pose = replace(pose, phase=step_phase(way_m, self.shape.looks) + self.id * pi / 3, tilt=tilt)
            lies = self.fall is not None and self.fall.lies_at(at_s)
            return "fallen_person" if lies else self.label, self.shape, pose
        return self.label, self.shape, pose
