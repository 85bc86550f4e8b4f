"""The camera of a made scene: a pinhole at a height above flat ground. Pure.

World: metres, x to the right, y away from the camera, z up, the camera above the origin. Picture: shares of its width and height.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEAREST_M: Final = 0.6
"""What is nearer than this to the plane of the lens is not shown."""


@dataclass(frozen=True)
class View:
    """`focal` as share of the width; `aspect` is width through height; angles in radians, yaw to the right, pitch down.

    `shift` moves the picture, in shares of width and height: how a camera trembles.
    """

    height_m: float
    yaw: float
    pitch: float
    roll: float
    focal: float
    aspect: float
    shift: tuple[float, float] = (0.0, 0.0)

    @cached_property
    def matrix(self) -> Floats:
        """(3, 4): from a point of the world to picture and depth, homogeneous; the last row is the depth in metres."""
        sin_yaw, cos_yaw = np.sin(self.yaw), np.cos(self.yaw)
        sin_pitch, cos_pitch = np.sin(self.pitch), np.cos(self.pitch)
        ahead = np.array([sin_yaw * cos_pitch, cos_yaw * cos_pitch, -sin_pitch])
        right = np.array([cos_yaw, -sin_yaw, 0.0])
        down = np.cross(ahead, right)
        turned_right = right * np.cos(self.roll) + down * np.sin(self.roll)
        turned_down = down * np.cos(self.roll) - right * np.sin(self.roll)
        rows = np.stack(
            [
                turned_right * self.focal + (0.5 + self.shift[0]) * ahead,
                turned_down * self.focal * self.aspect + (0.5 + self.shift[1]) * ahead,
                ahead,
            ]
        )
        return np.hstack([rows, -rows @ np.array([[0.0], [0.0], [self.height_m]])])

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Where points (n, 3) of the world are: (n, 2) in shares of the picture, and (n,) depths in metres.

        A depth below `NEAREST_M` comes with a place that means nothing.
        """
        matrix = self.matrix
        seen = points @ matrix[:, :3].T + matrix[:, 3]
        depths = seen[:, 2]
        return seen[:, :2] / np.maximum(depths, NEAREST_M)[:, None], depths

    def plane(self, origin: Floats, along: Floats, across: Floats) -> Floats:
        """(3, 3): from coordinates (u, v, 1) on a plane of the world to the picture, homogeneous, depth last."""
        laid: Floats = self.matrix @ np.stack(
            [np.append(along, 0.0), np.append(across, 0.0), np.append(origin, 1.0)], axis=1
        )
        return laid

    def ground_at(self, place: tuple[float, float]) -> tuple[float, float] | None:
        """The point of the ground that is seen at a place of the picture; None above the horizon."""
        ground = self.plane(np.zeros(3), np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
        u, v, w = np.linalg.solve(ground, np.array([*place, 1.0]))
        return (float(u / w), float(v / w)) if w > 0 else None

    def moved(self, shift: tuple[float, float]) -> "View":
        """The same camera a tremble later."""
        return self if shift == self.shift else replace(self, shift=shift)
