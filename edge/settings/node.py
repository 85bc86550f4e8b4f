"""The node itself: who it is, where its cloud and its broker are, how much it keeps."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from edge.settings.fields import HttpUrl, Identifier, MqttUrl, Strict


class NodeSettings(Strict):
    """Who the node is. `district` is the six-digit code of its enrolment. With `http_port` the node answers `/healthz` and
    `/metrics` on the loopback address. With `district_key`, a file of the district's public keys (age1…), the unmasked original
    of each snapshot is kept as well, sealed so that only the district can open it. At most `wall_cameras` cameras are shown on
    picture walls at a time, masked; 0: none ever. `profile` names the one of the node itself: what the file does not say of `node`, `outbox`
    and `memory` stands in it. What the cloud has it run anew is tried for `trial_s` seconds, its own program for twice as long, before it stays.
    """

    id: Identifier
    district: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
    name: str = Field(default="", max_length=200)
    data_directory: Path
    district_key: Path | None = None
    http_port: Annotated[int, Field(ge=1024, le=65_535)] | None = None
    wall_cameras: Annotated[int, Field(ge=0, le=64)] = 4
    profile: Identifier | None = None
    trial_s: Annotated[float, Field(ge=1, le=120, allow_inf_nan=False)] = 60.0


class CloudSettings(Strict):
    """Where the cloud is. Secrets stand in files, never in the configuration."""

    mqtt: MqttUrl
    https: HttpUrl
    mqtt_user: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    mqtt_password_file: Path | None = None
    token_file: Path | None = None
    ca_file: Path | None = None


class BrokerSettings(Strict):
    """The local broker that sensors and terminals talk to."""

    url: MqttUrl
    user: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    password_file: Path | None = None


class OutboxSettings(Strict):
    """Disk that unsent records may take. Incidents have a reserve of their own and are never dropped. Sealed originals stay on the node
    for `originals_days`, as long as there is room.
    """

    quota_mib: Annotated[int, Field(ge=4, le=1_000_000)] = 512
    incident_reserve_mib: Annotated[int, Field(ge=1, le=100_000)] = 64
    evidence_quota_mib: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    originals_days: Annotated[int, Field(ge=1, le=3_650)] = 90
    historical_after_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0


class MemorySettings(Strict):
    """What the node remembers of what its cameras saw, so that zones and rules can be tried on it: ways of what was followed, and
    masked pictures of the background. The oldest goes when `quota_mib` is full, or after `keep_days`; with 0 MiB nothing is kept.
    """

    quota_mib: Annotated[int, Field(ge=0, le=1_000_000)] = 256
    keep_days: Annotated[int, Field(ge=1, le=366)] = 14
