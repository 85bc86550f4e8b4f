"""Leased lines (专线) as watched assets: where their far end is, how it is asked, and what is reached over them."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, IPvAnyAddress, model_validator

from edge.contract.birth import DeviceKind
from edge.contract.incident import Severity
from edge.settings.device import DeviceSettings, PointSettings
from edge.settings.fields import Identifier
from edge.settings.reading_rules import ReadingRuleSettings, StateSettings, ThresholdSettings

REACHABLE: Final = "reachable"
LATENCY: Final = "latency_ms"
LOSS: Final = "loss_pct"
UP: Final = "up"
DOWN: Final = "down"


class ProbeMethod(StrEnum):
    """How the far end is asked."""

    TCP = "tcp"
    """A connection to `port`; a refused one is an answer as well."""
    UDP = "udp"
    """An echo service (RFC 862) at `port`; that nobody listens there is an answer as well."""
    ICMP = "icmp"
    """An echo request, where the kernel lets an ordinary user send one (`net.ipv4.ping_group_range`)."""


class LeasedLineSettings(DeviceSettings):
    """One line: every `period_s` its far end `target` (an address: no name service stands between) is asked, and has `timeout_s` to answer.

    It is down after `lost_after` unanswered questions, up after `back_after` answers, both in a row. Every `report_s` the median of
    the latencies and the loss over the last `window` questions are told. `carries` names what is reached over it: cameras, devices,
    other lines.
    """

    target: IPvAnyAddress
    method: ProbeMethod = ProbeMethod.TCP
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    period_s: Annotated[float, Field(ge=0.1, le=300, allow_inf_nan=False)] = 5.0
    timeout_s: Annotated[float, Field(ge=0.05, le=30, allow_inf_nan=False)] = 2.0
    lost_after: Annotated[int, Field(ge=1, le=100)] = 3
    back_after: Annotated[int, Field(ge=1, le=100)] = 2
    window: Annotated[int, Field(ge=2, le=1_000)] = 20
    report_s: Annotated[float, Field(ge=1, le=3_600, allow_inf_nan=False)] = 30.0
    carries: Annotated[tuple[Identifier, ...], Field(max_length=500)] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.port is None) != (self.method is ProbeMethod.ICMP):
            raise ValueError(
                "`icmp` knows no port" if self.method is ProbeMethod.ICMP else f"`{self.method}` needs a `port`"
            )
        if self.timeout_s > self.period_s:
            raise ValueError(
                "`timeout_s` is longer than `period_s`: a question would still wait when the next one is due"
            )
        if self.id in self.carries:
            raise ValueError("a line can't be reached over itself")
        return self

    @property
    def device_kind(self) -> str:
        """A leased line."""
        return DeviceKind.LEASED_LINE.value

    @property
    def declared(self) -> tuple[PointSettings, ...]:
        """Whether it is up, and how well."""
        return (
            PointSettings(name=REACHABLE, kind="state"),
            PointSettings(name=LATENCY, unit="ms", minimum=0, maximum=60_000, period_s=self.report_s),
            PointSettings(name=LOSS, unit="%", minimum=0, maximum=100, period_s=self.report_s),
        )

    @property
    def default_rules(self) -> tuple[ReadingRuleSettings, ...]:
        """A line that is down, and one that loses much, are for the maintenance staff."""
        return (
            StateSettings(
                kind="state",
                id="line-lost",
                point=REACHABLE,
                states=(DOWN,),
                incident_kind="line_lost",
                clear_for_s=10.0,
                fold_s=300.0,
                severity=Severity.HIGH,
                category="maintenance",
            ),
            ThresholdSettings(
                kind="threshold",
                id="line-loss",
                point=LOSS,
                above=20,
                clear=10,
                for_s=120,
                clear_for_s=120,
                fold_s=600,
                severity=Severity.MEDIUM,
                category="maintenance",
            ),
        )
