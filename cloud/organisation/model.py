"""What the organisation is made of: its kinds, and the life of a swap as one table. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class SiteKind(StrEnum):
    """指挥中心, 街道服务中心, 社区工作站, 驿站, 门房."""

    COMMAND_CENTRE = "command_centre"
    SERVICE_CENTRE = "service_centre"
    WORKSTATION = "workstation"
    STATION = "station"
    GATE_HOUSE = "gate_house"


class MemberKind(StrEnum):
    """Who belongs to the team of a grid (1+5+N): 网格长; 社区民警, 社区工作人员, 城管执法, 市场监管, 环卫保洁; 动态成员."""

    LEAD = "lead"
    POLICE = "police"
    COMMUNITY_WORKER = "community_worker"
    URBAN_MANAGEMENT = "urban_management"
    MARKET_SUPERVISION = "market_supervision"
    SANITATION = "sanitation"
    DYNAMIC = "dynamic"


FIXED_KINDS: Final = tuple(kind for kind in MemberKind if kind not in {MemberKind.LEAD, MemberKind.DYNAMIC})
"""The five that every grid has."""


class DutyKind(StrEnum):
    """What somebody is on duty as: 网格员, 网格长, 社区/街道值班员, 值班长, 派遣员, 受理员, 驿站/门房值守."""

    GRID_WORKER = "grid_worker"
    GRID_LEAD = "grid_lead"
    DUTY_OFFICER = "duty_officer"
    DUTY_CHIEF = "duty_chief"
    DISPATCHER = "dispatcher"
    INTAKE_CLERK = "intake_clerk"
    SITE_KEEPER = "site_keeper"


class SwapStatus(StrEnum):
    """Where a swap stands. `declined` by the other, `refused` by who decides, `lapsed`: the shift began or is no more."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    APPROVED = "approved"
    REFUSED = "refused"
    LAPSED = "lapsed"


OPEN_SWAPS: Final = frozenset({SwapStatus.ASKED, SwapStatus.ACCEPTED})


class SwapAction(StrEnum):
    """What somebody does with a swap."""

    ACCEPT = "accept"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    REFUSE = "refuse"


class SwapParty(StrEnum):
    """Who does it: who has asked, who was asked, who decides over both."""

    ASKER = "asker"
    ASKED = "asked"
    DECIDER = "decider"


@dataclass(frozen=True, slots=True)
class SwapStep:
    """One row of the table."""

    action: SwapAction
    party: SwapParty
    before: frozenset[SwapStatus]
    after: SwapStatus


SWAP_STEPS: Final = {
    step.action: step
    for step in (
        SwapStep(SwapAction.ACCEPT, SwapParty.ASKED, frozenset({SwapStatus.ASKED}), SwapStatus.ACCEPTED),
        SwapStep(SwapAction.DECLINE, SwapParty.ASKED, OPEN_SWAPS, SwapStatus.DECLINED),
        SwapStep(SwapAction.WITHDRAW, SwapParty.ASKER, OPEN_SWAPS, SwapStatus.WITHDRAWN),
        SwapStep(SwapAction.APPROVE, SwapParty.DECIDER, frozenset({SwapStatus.ACCEPTED}), SwapStatus.APPROVED),
        SwapStep(SwapAction.REFUSE, SwapParty.DECIDER, OPEN_SWAPS, SwapStatus.REFUSED),
    )
}
"""The life of a swap. Only `approved` changes who is on duty, and of both shifts at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One shift. `area_path` is None where the area is no more."""

    id: int
    account_id: int
    display_name: str
    area_code: str
    area_path: str | None
    area_name: str | None
    kind: DutyKind
    from_at: datetime
    until_at: datetime
    ended_at: datetime | None
    cancelled_at: datetime | None
    pattern_id: int | None

    @property
    def ends_at(self) -> datetime:
        """When it ends, or has ended early."""
        return self.until_at if self.ended_at is None else min(self.ended_at, self.until_at)

    def runs(self, at: datetime) -> bool:
        """Whether somebody is on duty by it at a time."""
        return self.cancelled_at is None and self.from_at <= at < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDuty:
    """Somebody who is on duty, where, as what and until when."""

    shift_id: int
    account_id: int
    display_name: str
    role: str
    kind: DutyKind
    area_code: str
    area_path: str
    area_name: str
    from_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time in which nobody is on duty where somebody has to be."""

    area_code: str
    area_path: str
    area_name: str
    level: str
    kind: DutyKind
    from_at: datetime
    until: datetime
