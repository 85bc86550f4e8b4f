"""What every device that tells readings has: who it is, which points it declares, and the rules on them."""

from abc import abstractmethod
from typing import Annotated, Literal

from pydantic import Field

from edge.settings.fields import Identifier, Strict
from edge.settings.reading_rules import DeviceFaultSettings, LostWhileChargingSettings, ReadingRuleSettings


class PointSettings(Strict):
    """A declared point. `path` leads into the JSON message (`a.b.0`); the point's name is the default. A number is a sample, a
    state is told when it changes, and of an event each one is an occurrence.

    `minimum` and `maximum` are the plausible range: a value outside of it is counted and refused, never stored.
    """

    name: Identifier
    path: str | None = Field(default=None, max_length=200)
    kind: Literal["number", "state", "event"] = "number"
    unit: str | None = Field(default=None, max_length=40)
    minimum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    maximum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    period_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class DeviceSettings(Strict):
    """A device that tells readings, whatever it speaks.

    What its entry does not say, its `profile` does. What belongs to a connector or socket is the point `<quantity>.<number>`, and a
    rule that names the bare quantity stands for each of them.
    """

    id: Identifier
    name: str = Field(default="", max_length=200)
    spot: Identifier | None = None
    profile: Identifier | None = None
    rules: Annotated[tuple[ReadingRuleSettings, ...], Field(max_length=200)] = ()
    simulated: bool = False

    @property
    @abstractmethod
    def device_kind(self) -> str:
        """What it is, as the registry calls it."""

    @property
    @abstractmethod
    def declared(self) -> tuple[PointSettings, ...]:
        """The points that can be read of it."""

    @property
    def may_be_stopped(self) -> bool:
        """Whether the node may end by itself what it does (保护动作): where its kind has `allow_stop`, and says so."""
        return bool(getattr(self, "allow_stop", False))

    @property
    def default_rules(self) -> tuple[ReadingRuleSettings, ...]:
        """What holds of such a device where its configuration says nothing of `rules`. None at all: `rules: []`."""
        return ()

    @property
    def standing_rules(self) -> tuple[ReadingRuleSettings, ...]:
        """The rules, those on a bare quantity once for each connector that has it."""
        names = [point.name for point in self.declared]
        rules = self.rules if "rules" in self.model_fields_set else self.default_rules
        return tuple(each for rule in rules for each in _per_connector(rule, names))


def _per_connector(rule: ReadingRuleSettings, points: list[str]) -> tuple[ReadingRuleSettings, ...]:
    if isinstance(rule, DeviceFaultSettings | LostWhileChargingSettings) or rule.point in points:
        return (rule,)
    numbers = [name.rpartition(".")[2] for name in points if name.rpartition(".")[0] == rule.point]
    if not numbers:
        return (rule,)
    return tuple(
        rule.model_copy(update={"point": f"{rule.point}.{number}", "id": rule.id and f"{rule.id}.{number}"})
        for number in numbers
        if number.isdigit()
    )
