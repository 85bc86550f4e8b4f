"""Composites: what becomes worse when two signs of it meet at one spot."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.contract.incident import Severity
from edge.settings.fields import Identifier, Strict

Names = Annotated[tuple[Identifier, ...], Field(max_length=64)]


class SignSettings(Strict):
    """One kind of sign: incidents of `kinds`, at `points` (a bare quantity stands for every connector), with `faults`, of `devices`, all of
    them as far as they are given; or what a camera of the spot `sees` (person, vehicle …) when something opens there. Several of one name
    are one sign that shows in several ways. A `required` one has to be among those that meet.
    """

    name: Identifier
    kinds: Names = ()
    points: Names = ()
    faults: Names = ()
    devices: Names = ()
    sees: Names = ()
    required: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.kinds or self.points or self.faults or self.devices or self.sees):
            raise ValueError(
                "a sign needs one of `kinds`, `points`, `faults`, `devices` and `sees`, else everything would be one"
            )
        if self.sees and (self.kinds or self.points or self.faults or self.devices):
            raise ValueError("what a camera `sees` is a sign of its own: leave out the rest")
        return self


class CompositeSettings(Strict):
    """Signs (复合告警) that lie within `within_s` seconds of event time of each other at one spot, `at_least` so many different ones, are an
    incident of their own. The single ones stay as they are. `spots`: none means every one.
    """

    id: Identifier
    kind: Literal["composite"] = "composite"
    spots: Names = ()
    signs: Annotated[tuple[SignSettings, ...], Field(min_length=2, max_length=16)]
    at_least: Annotated[int, Field(ge=2, le=16)] = 2
    within_s: Annotated[float, Field(ge=1, le=3_600, allow_inf_nan=False)] = 120.0
    severity: Severity = Severity.CRITICAL
    category: Identifier = "fire_safety"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = {sign.name for sign in self.signs}
        if self.at_least > len(names):
            raise ValueError(f"`at_least` {self.at_least} is more than there are different signs ({len(names)})")
        if len(self.required) > self.at_least:
            raise ValueError("more signs are `required` than `at_least` asks for")
        return self

    @property
    def required(self) -> frozenset[str]:
        """The names of the signs without which it is none."""
        return frozenset(sign.name for sign in self.signs if sign.required)
