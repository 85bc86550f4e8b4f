"""What a camera shows of one moment, for an incident that another device has told."""

from dataclasses import dataclass, field
from datetime import datetime

from edge.contract.view import SightCount
from edge.flow.evidence import EvidenceFile


@dataclass(frozen=True, slots=True)
class Sight:
    """A look at what one camera shows: masked pictures (none where they could not be masked), and what was counted in them, None where
    nobody could count. `trouble` is what is wrong with the picture.
    """

    camera: str
    captured_at: datetime
    pictures: tuple[EvidenceFile, ...] = field(repr=False)
    counts: tuple[SightCount, ...] | None
    trouble: str | None = None
