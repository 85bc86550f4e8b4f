"""As whom the node speaks: the parts that show credentials are given new ones while they run."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from edge.contract.enrolment import Credentials
from edge.mqtt import Endpoint
from edge.provisioning.enrolment import CloudDoor, command_keys
from edge.provisioning.login import Login
from edge.provisioning.renewal import Renewal
from edge.settings import CloudSettings
from edge.uplink.downlink import CommandDesk
from edge.uplink.publisher import Publisher

CREDENTIALS = "credentials"
NOT_RENEWED = "not_renewed"


class Bearer(Protocol):
    """Shows a token over HTTPS."""

    def use_token(self, token: str) -> None:
        """Show another one from the next request on."""
        ...


def endpoint_of(cloud: CloudSettings, login: Login) -> Endpoint:
    """Where the cloud's broker is and as whom the node logs in."""
    return Endpoint.of(cloud.mqtt, user=login.mqtt_user, password=login.mqtt_password, ca_file=cloud.ca_file)


class LoginDesk:
    """Hands new credentials to all that show them, and the cloud's keys to what verifies its orders."""

    def __init__(self, cloud: CloudSettings, publisher: Publisher, commands: CommandDesk, *bearers: Bearer) -> None:
        self._cloud = cloud
        self._publisher = publisher
        self._commands = commands
        self._bearers = bearers

    def use(self, given: Credentials) -> bool:
        """Go on with these; where they are in use already nothing happens. Whether the broker has let the node in with them."""
        self._commands.cloud_keys = command_keys(given)
        for bearer in self._bearers:
            bearer.use_token(given.token)
        is_settled = self._publisher.logged_in_as == given.mqtt_user
        if not is_settled:
            endpoint = Endpoint.of(
                self._cloud.mqtt, user=given.mqtt_user, password=given.mqtt_password, ca_file=self._cloud.ca_file
            )
            self._publisher.log_in_as(endpoint)
        return is_settled


def renewal_of(
    login: Login,
    cloud: CloudSettings,
    data_directory: Path,
    desk: LoginDesk,
    *,
    clock: Callable[[], datetime],
    trouble: Callable[[str | None], None],
) -> Renewal | None:
    """What sees to new credentials; None where the node was not enrolled with a key, or its files name other secrets."""
    if not login.is_renewed or login.key is None or login.given is None:
        return None
    door = CloudDoor(str(cloud.https), cloud.ca_file)
    return Renewal(data_directory, door, login.key, login.given, clock=clock, use=desk.use, trouble=trouble)
