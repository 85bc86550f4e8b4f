"""What rules take and what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from edge.contract.incident import Incident, IncidentState, Severity, TrackPoint
from edge.flow.reading import Reading
from edge.flow.scene import Scene


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says at one moment. `key` is stable from `open` to `ended` and becomes one incident.

    `fault` is a member of the safety taxonomy, `raw_code` what the device called it. What is `replayed` was found in what a device
    sent late by itself. `track_ids` name the tracks that evidence has to show and mask.
    """

    key: str
    state: IncidentState
    rule: str
    kind: str
    category: str
    severity: Severity
    device: str
    started_at: datetime
    at: datetime
    ended_at: datetime | None = None
    zone: str | None = None
    confidence: float | None = None
    dwell_s: float | None = None
    direction: str | None = None
    count: int | None = None
    point: str | None = None
    value: float | None = None
    unit: str | None = None
    track_ids: tuple[int, ...] = ()
    path: tuple[TrackPoint, ...] = ()
    note: str | None = None
    fault: str | None = None
    raw_code: str | None = None
    replayed: bool = False


class SceneObserver(Protocol):
    """What decides on tracks: one file per kind of rule."""

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; scenes of a camera come in order of event time."""
        ...

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open: the source has ended or the node stops."""
        ...

    def readings(self, at: datetime) -> Sequence[Reading]:
        """What the rule has counted and is complete at a moment, each count once; after `finish` all that is left."""
        ...


class SceneRule(SceneObserver, Protocol):
    """A configured rule on a camera: what it decides, as far as its schedule and its folding let it be told."""

    def passed(self, at: datetime) -> Sequence[Finding]:
        """Time has passed without a picture."""
        ...


class ReadingRule(Protocol):
    """A rule on the readings of a device. All time is the readings' own, and only where none comes that of the node."""

    @property
    def id(self) -> str:
        """What the rule is called on its device."""
        ...

    @property
    def set_back(self) -> int:
        """How often the clock that tells the readings' times was set back."""
        return 0

    @property
    def takes_late(self) -> bool:
        """Whether it makes no difference to it in which order readings come."""
        return False

    def stands_alone(self, finding: Finding) -> bool:  # noqa: ARG002
        """Whether what is found has happened and needs no state that holds: it is told, whatever is told afterwards."""
        return False

    def concerns(self, reading: Reading) -> bool:
        """Whether it looks at this reading at all."""
        ...

    def observe(self, reading: Reading) -> Sequence[Finding]:
        """Take one reading; late ones are allowed and never end or start anything in the past of what was decided."""
        ...

    def passed(self, at: datetime) -> Sequence[Finding]:  # noqa: ARG002 (of many rules nothing ends without a reading)
        """Node time has gone on, with readings or without."""
        return ()

    def holding(self) -> Sequence[Finding]:
        """What is open and holds as far as was told last, as the updates of it: not what only waits for its end."""
        return ()

    def resume(self, incident: Incident) -> bool:  # noqa: ARG002
        """Go on with what this rule had opened before the node restarted; False when it is not this rule's any more."""
        return False

    def pass_over(self, until: datetime) -> None:  # noqa: ARG002
        """Everything up to `until` was decided before the node restarted; what is delivered again changes nothing."""
        return

    def memory(self) -> Mapping[str, str] | None:
        """What has to be known after a restart that no incident tells; None where nothing has."""
        return None

    def recall(self, memory: Mapping[str, str]) -> None:  # noqa: ARG002
        """What `memory` gave before the restart, to be told before `resume`; what makes no sense is left out."""
        return
