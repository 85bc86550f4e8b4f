"""What rules on readings are configured with."""

from typing import Annotated, Literal

from pydantic import Field

from edge.contract.incident import Severity
from edge.settings.fields import Identifier, Seconds
from edge.settings.rule import RuleSettings


class ThresholdSettings(RuleSettings):
    """The point lies above (or below) a limit for `for_s` seconds; it ends once it has been past `clear` for `clear_for_s`."""

    kind: Literal["threshold"]
    point: Identifier
    above: Annotated[float, Field(allow_inf_nan=False)] | None = None
    below: Annotated[float, Field(allow_inf_nan=False)] | None = None
    clear: Annotated[float, Field(allow_inf_nan=False)] | None = None
    for_s: Seconds = 0.0
    clear_for_s: Seconds = 0.0
    severity: Severity = Severity.HIGH
    category: Identifier = "fire_safety"


ReadingRuleSettings = ThresholdSettings
"""Every rule on the readings of one device."""
