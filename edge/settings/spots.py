"""Spots (点位): named places, with the cameras that show them."""

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from edge.settings.fields import Identifier, Strict

MOST_CAMERAS: Final = 4
"""That show one spot: each one's pictures and films have to find room in one incident."""


class SpotCameraSettings(Strict):
    """A camera that shows the spot. What is seen there is counted in these of its `zones` as well; where none are named, in all of them."""

    camera: Identifier
    zones: Annotated[tuple[Identifier, ...], Field(max_length=16)] | None = None


def _named(value: object) -> object:
    """`cameras: [cam-1]` is short for `cameras: [{camera: cam-1}]`."""
    return {"camera": value} if isinstance(value, str) else value


class SpotSettings(Strict):
    """A place that devices and cameras share. A device, and a camera that stands there, names it as its `spot`; `cameras` are those that
    show it, from wherever they stand. Where none are named, those that stand there show it.
    """

    id: Identifier
    name: str = Field(default="", max_length=200)
    cameras: Annotated[
        tuple[Annotated[SpotCameraSettings, BeforeValidator(_named)], ...], Field(max_length=MOST_CAMERAS)
    ] = ()
