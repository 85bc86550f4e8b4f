"""A report on its way to its case."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from psycopg import Connection

from cloud.access import areas
from cloud.access.model import Area
from cloud.correlate import policy
from cloud.correlate.admission import AdmissionRule
from cloud.correlate.believable import believable_form
from cloud.correlate.candidates import NOWHERE, Place
from cloud.correlate.model import IncidentReport
from cloud.correlate.rules import CorrelationRules
from cloud.correlate.source import Source, source_of
from edge.contract.incident import Incident


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A report under the rules; `incident` is its believable form, `source` who found it, `drill_id` the drill that it belongs to."""

    report: IncidentReport
    incident: Incident
    source: Source
    rules: CorrelationRules
    admission: tuple[AdmissionRule, ...] = ()
    drill_id: int | None = None

    @classmethod
    def of(cls, report: IncidentReport, rules: CorrelationRules, place: Place = NOWHERE) -> "Arrival":
        """A report as it is worked on; `place` is its device's."""
        incident = believable_form(report.incident, report.received_at)
        source = source_of(report.node, incident, grid_code=report.grid_code, position=place.position, link=place.link)
        return cls(report=report, incident=incident, source=source, rules=rules)

    @property
    def was_clamped(self) -> bool:
        """Whether a time of it could not be."""
        told, kept = self.report.incident, self.incident
        return (told.started_at, told.updated_at, told.ended_at) != (kept.started_at, kept.updated_at, kept.ended_at)

    @cached_property
    def rings(self) -> bool:
        """Whether it is told aloud."""
        return policy.rings(
            self.incident,
            historical=self.report.historical,
            taken_at=self.report.taken_at or self.report.received_at,
            late_ring=self.rules.late_ring,
        )

    @property
    def columns(self) -> dict[str, Any]:
        """What the store keeps of the report beside the incident."""
        return {
            "device_id": self.report.device_id,
            "historical": self.report.historical,
            "received_at": self.report.received_at,
        }

    def area(self, conn: Connection[Any]) -> Area | None:
        """Where it lies: the device's grid, else the district of the node's topic."""
        found = areas.find(conn, self.report.grid_code) if self.report.grid_code is not None else None
        if found is None and self.report.district is not None:
            return areas.find(conn, self.report.district)
        return found
