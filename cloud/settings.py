"""What the cloud is told by its environment: `GRIDWARD_…`, read once at the start. Secrets never show in logs."""

from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_HERE = Path(__file__).resolve().parent

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class CloudSettings(BaseSettings):
    """All settings of one cloud process. Durations in seconds, sizes in bytes, unless the name says otherwise."""

    model_config = SettingsConfigDict(env_prefix="GRIDWARD_", frozen=True, extra="ignore")

    database_url: SecretStr
    database_pool: Annotated[int, Field(ge=2, le=200)] = 12

    mqtt_url: str | None = None
    mqtt_user: str | None = None
    mqtt_password: SecretStr | None = None
    mqtt_password_file: Path | None = None
    mqtt_ca_file: Path | None = None
    mqtt_shared: bool = False
    """Several ingest processes divide the messages among them (`$share`, not with every broker)."""

    broker_auth_secret: SecretStr | None = None
    """What a broker that asks us (EMQX) shows; without it nobody is answered."""
    command_key_file: Path | None = None
    """The key that signs commands; `keys/command.key` in the data directory unless told otherwise."""
    configuration_keys: Path | None = None
    """A folder of public keys (`*.pub`) that nodes are given at enrolment, to believe configurations that these sign."""
    node_absence_s: Positive = 180.0
    """A node that is away for longer is an incident."""

    data_directory: Path = Path(".gridward")
    evidence_url: str = ""
    evidence_maximum_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 32)] = 64 << 20
    evidence_partial_quota_bytes: Annotated[int, Field(ge=1 << 20)] = 2 << 30
    evidence_partial_age_s: Positive = 86_400.0
    evidence_days: dict[str, int] = {}
    """How long files are kept, by `kind` or `kind/severity`, where that is not as `cloud.evidence.retention` says; JSON."""
    evidence_node_quota_bytes: Annotated[int, Field(ge=1 << 20)] = 64 << 30
    """What the files of one node may take: beyond it those of closed cases go, the least severe and oldest first."""

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8620
    behind_proxy: bool = False
    trusted_proxies: str = "127.0.0.1,::1"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    web_directory: Path = _HERE / "web" / "dist"
    metrics_token: SecretStr | None = None

    notice_key_file: Path | None = None
    """What addresses of people are encrypted with, and what browsers know us by; `keys/notice.key` in the data directory unless told
    otherwise. All processes of one cloud share it."""
    notice_addresses: list[str] = []
    """Networks beside the public ones to which notices may be sent (an own mail server, an SMS gateway): `10.1.2.3/32`; JSON."""
    notice_contact: str = "mailto:operator@gridward.invalid"
    """Whom the operator of a push service can ask about us (RFC 8292 §2.1)."""
    public_url: str = ""
    """Where people reach the page, for links in notices; they have to sign in there."""

    session_s: Positive = 12 * 3_600.0
    timezone: str = "Asia/Shanghai"

    fold_window_s: Positive = 600.0
    """An incident folds into an open case of the same danger at the same spot up to this long after its last activity."""
    storm_window_s: Positive = 7_200.0
    """The same for what is part of a flooded case: a windy night is no new case with each gust."""
    again_within_s: Positive = 86_400.0
    """What comes again so long after its case was closed opens it again, or opens one that is linked to it."""
    false_alarm_times: Annotated[int, Field(ge=1, le=1_000)] = 3
    """After so many incidents of one camera, zone and rule were judged false within `false_alarm_within_s`, the next are told once
    per `false_alarm_window_s`, with their number."""
    false_alarm_within_s: Positive = 12 * 3_600.0
    false_alarm_window_s: Positive = 6 * 3_600.0
    late_ring_s: Positive = 86_400.0
    """An ended critical incident that arrives late still rings up to this age."""

    live_retention_s: Positive = 3_600.0
    """Who was away for longer reads anew; a stream carries back only the newest few thousand events anyway."""
    live_queue: Annotated[int, Field(ge=8, le=100_000)] = 512
    live_clients: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    live_heartbeat_s: Positive = 15.0

    @field_validator("database_url")
    @classmethod
    def _address_of_postgres(cls, url: SecretStr) -> SecretStr:
        try:
            conninfo_to_dict(url.get_secret_value())
        except ProgrammingError:
            readable = False  # what the library says of it may hold the password
        else:
            readable = url.get_secret_value().startswith(("postgresql://", "postgres://"))
        if not readable:
            raise ValueError("an address of PostgreSQL looks like postgresql://user@host:5432/name")
        return url

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no such time zone: {name}") from error
        return name

    @field_validator("notice_addresses")
    @classmethod
    def _networks(cls, networks: list[str]) -> list[str]:
        for network in networks:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"no network: {network} (an example: 10.1.2.3/32)") from error
        return networks

    @field_validator("public_url")
    @classmethod
    def _address_of_page(cls, url: str) -> str:
        if url and not url.startswith(("https://", "http://")):
            raise ValueError("where people reach the page begins with https://")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("GRIDWARD_TLS_CERT and GRIDWARD_TLS_KEY belong together")
        if self.mqtt_password is not None and self.mqtt_password_file is not None:
            raise ValueError("give GRIDWARD_MQTT_PASSWORD or GRIDWARD_MQTT_PASSWORD_FILE, not both")
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone in which days are counted."""
        return ZoneInfo(self.timezone)

    @property
    def evidence_store_url(self) -> str:
        """Where evidence is kept; a folder in the data directory unless told otherwise."""
        return self.evidence_url or (self.data_directory.resolve() / "evidence").as_uri()

    def read_mqtt_password(self) -> str | None:
        """The broker's password, from the setting or its file. Raises OSError when the file can't be read."""
        if self.mqtt_password is not None:
            return self.mqtt_password.get_secret_value()
        if self.mqtt_password_file is not None:
            return self.mqtt_password_file.read_text(encoding="utf-8").strip()
        return None
