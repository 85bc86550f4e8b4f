"""What may become a case, and where (事项准入). Pure; the rules are rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cloud.access.model import Area, codes_of
from edge.contract.incident import Severity


class Found(Protocol):
    """What rules ask of something that was found: an incident, or many of one sort."""

    @property
    def kind(self) -> str:
        """What it is."""

    @property
    def category(self) -> str:
        """Of which field."""

    @property
    def severity(self) -> Severity:
        """How bad it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionWish:
    """What a rule is to say. None fits everything; `area_path` fits all below it, `level` is of the area where an incident lies.

    From `admitted_from` on an incident becomes a case. What is critical always does.
    """

    area_code: str | None = None
    level: str | None = None
    category: str | None = None
    kind: str | None = None
    admitted_from: Severity
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRule(AdmissionWish):
    """A rule that holds, or did until `ended_at`. `incidents` became no case by it."""

    rule_id: int
    area_path: str
    made_by: str
    made_at: datetime
    ended_by: str | None = None
    ended_at: datetime | None = None
    incidents: int = 0

    def fits(self, incident: Found, area: Area | None) -> bool:
        """Whether it says anything of an incident in an area."""
        return (
            (self.area_path == "" or (area is not None and area.path.startswith(self.area_path)))
            and (self.level is None or (area is not None and area.level == self.level))
            and self.category in {None, incident.category}
            and self.kind in {None, incident.kind}
        )

    @property
    def narrowness(self) -> tuple[int, bool, bool, bool, int]:
        """The nearer the area the narrower, then by kind, category and level; of two alike the newer."""
        return (
            len(codes_of(self.area_path)),
            self.kind is not None,
            self.category is not None,
            self.level is not None,
            self.rule_id,
        )


def refusing(rules: Iterable[AdmissionRule], incident: Found, area: Area | None) -> AdmissionRule | None:
    """The rule by which an incident becomes no case; None where it may. Of the rules that fit the narrowest decides."""
    narrowest = max(
        (rule for rule in rules if rule.fits(incident, area)), key=lambda rule: rule.narrowness, default=None
    )
    if narrowest is None or incident.severity is Severity.CRITICAL:
        return None
    return narrowest if incident.severity.rank < narrowest.admitted_from.rank else None
