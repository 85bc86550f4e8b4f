"""As whom the node logs in (登录身份): by secrets in files that the configuration names, else by what the cloud gave for its key."""

from dataclasses import dataclass, field
from typing import Self

import structlog

from edge.contract.enrolment import Credentials
from edge.provisioning.credentials import read_secret
from edge.provisioning.enrolment import read_credentials, require_same
from edge.provisioning.key import NodeKey, read_key
from edge.settings import CloudSettings, NodeSettings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """User and password at the broker, token over HTTPS. `key` and `given` are those of an enrolled node."""

    mqtt_user: str | None
    mqtt_password: str | None = field(repr=False)
    token: str | None = field(repr=False)
    key: NodeKey | None = None
    given: Credentials | None = field(default=None, repr=False)

    @classmethod
    def read(cls, node: NodeSettings, cloud: CloudSettings) -> Self:
        """What the files hold. Raises ConfigurationError, EnrolmentRefused where they are those of another node."""
        key, given = read_key(node.data_directory), read_credentials(node.data_directory)
        if given is not None:
            require_same(given, node=node.id, district=node.district)
        password, token = read_secret(cloud.mqtt_password_file), read_secret(cloud.token_file)
        if given is None:
            return cls(cloud.mqtt_user, password, token, key)
        if password is not None or token is not None:
            _log.warning("secrets of the configuration go before those of the enrolment: leave them out of the file")
        return cls(
            cloud.mqtt_user if password is not None else given.mqtt_user,
            given.mqtt_password if password is None else password,
            given.token if token is None else token,
            key,
            given,
        )

    @property
    def is_renewed(self) -> bool:
        """Whether the node itself sees to new credentials: not where a file of the configuration names them."""
        given = self.given
        return self.key is not None and given is not None and self.token == given.token
