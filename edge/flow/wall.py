"""A picture that somebody looks at now, on its way to the cloud."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class WallPicture:
    """A masked JPEG of a camera. `captured_at` is event time."""

    camera: str
    captured_at: datetime
    content: bytes = field(repr=False)
