"""The classes of our own detector, in the order of its scores."""

from enum import StrEnum
from typing import Final


class Label(StrEnum):
    """What our own detector tells apart."""

    PERSON = "person"
    TWO_WHEELER = "two_wheeler"
    """A bicycle, an e-bike or a motorcycle (两轮车), with or without its rider."""
    CAR = "car"
    TRUCK = "truck"
    BUS = "bus"
    FALLEN_PERSON = "fallen_person"
    """Somebody who lies or crouches on the ground (倒地人员)."""
    LITTER = "litter"
    """Rubbish on the ground (暴露垃圾)."""
    BIN = "bin"
    BIN_OVERFLOW = "bin_overflow"
    """A bin whose content stands out of it or lies around it (垃圾满溢)."""


LABELS: Final[tuple[Label, ...]] = tuple(Label)
"""Index = class number in arrays and in the network's scores."""

NUMBER: Final[dict[Label, int]] = {label: number for number, label in enumerate(LABELS)}
