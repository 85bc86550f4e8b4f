"""A broker as tests use it: the cloud's user is there from the start, nodes are added by name."""

from typing import Self

from cloud.embedded.broker import EmbeddedBroker
from cloud.fleet.grants import CLOUD_GRANTS, node_grants, user


class ReadyBroker(EmbeddedBroker):
    """A broker that knows the cloud."""

    cloud_user = "cloud"
    cloud_password = "cloud"

    def start(self) -> Self:
        self.add_users((user(self.cloud_user, self.cloud_password, CLOUD_GRANTS),))
        return super().start()

    def add_node(self, district: str, node: str) -> str:
        """Add a node's user; its password."""
        password = f"password of {node}"
        self.add_user(node, password, node_grants(district, node))
        return password
