"""What ingest hands to correlation."""

from dataclasses import dataclass
from datetime import datetime

from cloud.errors import Invalid
from edge.contract.incident import Incident

_LARGEST_REVISION = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentReport:
    """One revision of an incident (事件) as it arrived from an accepted node.

    `device_id` and `grid_code` come from the registry, None where it does not know them; `grid_code` may name an area of
    any level (a node's own area, when its device has none). `district` is the six-digit code of the node's topic, the
    last resort for placing. `raw` are the bytes as they came, kept for the hash chain. `received_at` is the cloud's clock.
    `historical` is the node's word, or that of whoever kept it waiting here; `taken_at` is when that was over.
    """

    node: str
    device_id: int | None
    device_kind: str
    grid_code: str | None
    incident: Incident
    raw: bytes
    historical: bool
    received_at: datetime
    district: str | None = None
    taken_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse, with Invalid, a revision that no table holds."""
        if self.incident.revision > _LARGEST_REVISION:
            raise Invalid("the revision is too large")

    @property
    def key(self) -> str:
        """The correlation key: incidents of one device and kind may be one case."""
        return f"{self.node}/{self.incident.device}/{self.incident.kind}"
