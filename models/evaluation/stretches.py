"""When nobody and nothing of a class is in a clip, looked at picture by picture."""

from dataclasses import dataclass
from typing import Final

from models.datasets.labels import Label

_CARS: Final = (Label.CAR, Label.TRUCK, Label.BUS)

Stretch = tuple[float, float]
"""From when to when, seconds of clip time."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A clip of the catalogue: what never shows in it, and the stretches in which the classes that do show are not there either."""

    clip: str
    present: tuple[Label, ...]
    stretches: tuple[Stretch, ...]

    def empty_of(self, label: Label, duration_s: float) -> tuple[Stretch, ...]:
        """When there is nothing of a class: all the time, or in the stretches."""
        return self.stretches if label in self.present else ((0.0, duration_s),)


QUIET: Final = (
    Quiet(
        "one_by_one_person_detection",
        (Label.PERSON,),
        ((0.0, 5.4), (20.9, 22.1), (46.2, 49.8), (71.2, 73.8), (88.2, 91.8), (121.3, 122.8), (137.0, 139.3)),
    ),
    Quiet("car_detection", _CARS, ((0.0, 3.9), (9.0, 14.1), (19.5, 24.8), (28.6, 30.1))),
    Quiet("house_fire", (), ()),
)
"""A hall, a lane from above, a doll's house that burns in a garden. At both ends of a stretch 0.5 s and more are left out, for an edge is known
to 0.7 s and a track ends up to 1.3 s late. The two short previews have somebody in them all the time.
"""
