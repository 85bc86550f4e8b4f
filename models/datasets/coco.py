"""What networks that were trained on COCO call a thing, and what we call it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from models.datasets.labels import LABELS, Label

OF_COCO: Final[Mapping[str, Label]] = MappingProxyType(
    {
        "person": Label.PERSON,
        "bicycle": Label.TWO_WHEELER,
        "motorcycle": Label.TWO_WHEELER,
        "car": Label.CAR,
        "truck": Label.TRUCK,
        "bus": Label.BUS,
    }
)
"""COCO's names on the left. What is not among them is no class of ours."""


def ours(name: str) -> Label | None:
    """The class that a network means by one of its labels, in COCO's words or in our own; None when we have none for it."""
    return Label(name) if name in LABELS else OF_COCO.get(name)
