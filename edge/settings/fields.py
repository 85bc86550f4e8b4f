"""What the values of a configuration are made of."""

from typing import Annotated

from pydantic import AnyUrl, BaseModel, ConfigDict, Field, StringConstraints, UrlConstraints

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
UnitInterval = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Vertex = tuple[UnitInterval, UnitInterval]
Polygon = Annotated[tuple[Vertex, ...], Field(min_length=3, max_length=100)]
Line = Annotated[tuple[Vertex, ...], Field(min_length=2, max_length=2)]
Seconds = Annotated[float, Field(ge=0, le=7 * 86_400, allow_inf_nan=False)]
MqttUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["mqtt", "mqtts"])]
HttpUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["http", "https"])]


class Strict(BaseModel):
    """Frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Classes = Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=100)]
