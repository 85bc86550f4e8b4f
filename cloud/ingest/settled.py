"""What a transaction of ingest did. Told to metrics and live readings once it is committed."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from cloud.ingest.model import Verdict
from cloud.ingest.registry import RegisteredNode
from cloud.telemetry.model import Sample


class Timed(StrEnum):
    """What carries times that may have to be clamped."""

    READING = "reading"
    CHANGE = "change"
    GAP = "gap"
    INCIDENT = "incident"


@dataclass(slots=True)
class Settled:
    """Filled while the transaction runs; worth nothing before its commit."""

    verdicts: list[Verdict] = field(default_factory=list)
    nodes: dict[str, RegisteredNode] = field(default_factory=dict)
    newest: dict[int, Sample] = field(default_factory=dict)
    minutes: set[tuple[int, int]] = field(default_factory=set)
    readings: int = 0
    readings_new: int = 0
    clamped: Counter[Timed] = field(default_factory=Counter)
    corrected: int = 0
    ignored: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    letters_left_out: int = 0
    mended: int = 0
