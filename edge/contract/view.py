"""What a camera saw of a spot (点位) when something happened there: beside the incident of another device, part of the wire."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from edge.contract.fields import Instant, Name, Sha256, require_possible

MOST_VIEWS = 8
MOST_COUNTS = 64
MOST_FILES = 8


class ViewAbsence(StrEnum):
    """Why there is no picture. The wire takes any name."""

    CAMERA_LOST = "camera_lost"
    QUARANTINED = "quarantined"
    NOT_MASKED = "not_masked"
    """What shows people could not be masked, so nothing was made of it."""
    NOT_KEPT = "not_kept"
    """The node's disk had no room for it."""
    NO_FRAME = "no_frame"
    """The camera gave no picture in time, or the node had no time for it."""
    MOMENT_PASSED = "moment_passed"
    """The node heard of it too late, and what was sent then is not kept any more: a present picture would show another moment."""


class SightCount(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """So many of a kind were to be seen: `person`, `vehicle`, `two_wheeler`, or what else a model knows; in a zone of the camera, or, without
    one, in all of its picture.
    """

    label: Name
    count: Annotated[int, Meta(ge=0, le=10_000)]
    zone: Name | None = None


class CameraView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one camera had to say of the moment. `captured_at` is when what was counted was filmed. `counts` is None where nobody could count;
    what was looked for and not seen is counted as 0. `evidence` are the hashes of those files of the incident that this camera has taken.
    `absence` says why there is no picture, `trouble` what is wrong with the one that there is (a member of `CameraTrouble`).
    """

    camera: Name
    captured_at: Instant | None = None
    counts: Annotated[tuple[SightCount, ...], Meta(max_length=MOST_COUNTS)] | None = None
    evidence: Annotated[tuple[Sha256, ...], Meta(max_length=MOST_FILES)] = ()
    absence: Name | None = None
    trouble: Name | None = None

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.captured_at)


def joined(views: tuple[CameraView, ...], later: CameraView) -> tuple[CameraView, ...]:
    """What is known, with one view more; of a camera that is among them already, one view with the files of both. A picture is not taken back by a later
    word that there is none.
    """
    place = next((index for index, view in enumerate(views) if view.camera == later.camera), len(views))
    before = views[place] if place < len(views) else CameraView(camera=later.camera)
    files = tuple(dict.fromkeys((*before.evidence, *later.evidence)))[:MOST_FILES]
    merged = CameraView(
        camera=later.camera,
        captured_at=before.captured_at or later.captured_at,
        counts=later.counts if before.counts is None else before.counts,
        evidence=files,
        absence=None if files else later.absence or before.absence,
        trouble=later.trouble or before.trouble,
    )
    return (*views[:place], merged, *views[place + 1 :])[:MOST_VIEWS]
