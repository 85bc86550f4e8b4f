"""How messages come in from the broker: what somebody waits for comes by a connection of its own and overtakes history.

A broker hands a client its messages in the order in which they came, and only so many before the first is acknowledged: what
stands behind a night of readings can't be seen from here. So urgent channels have a session, a window and a queue apart.
"""

from collections.abc import Mapping
from enum import StrEnum

from cloud.mqtt import Endpoint, Mailbox, Subscriber
from edge.contract.topics import Channel, for_all_nodes

CLIENT_ID = "gridward-ingest"
SHARE_GROUP = "gridward"
URGENT_MESSAGES = 500
URGENT_BYTES = 16 << 20


class Precedence(StrEnum):
    """What is settled first (优先级)."""

    URGENT = "urgent"
    ROUTINE = "routine"


CHANNELS: Mapping[Precedence, tuple[Channel, ...]] = {
    # An incident needs no birth before it. What is measured does: births stay before the readings of what they declare.
    Precedence.URGENT: (Channel.INCIDENT, Channel.ANSWER),
    Precedence.ROUTINE: (Channel.BIRTH, Channel.TELEMETRY, Channel.GAP, Channel.HEALTH),
}


def subscriptions(precedence: Precedence, *, shared: bool) -> list[str]:
    """What ingest subscribes to for one precedence. `shared` lets several processes divide it among them.

    Not every broker has shared subscriptions (they begin with `$share`; amqtt has none).
    """
    prefix = f"$share/{SHARE_GROUP}/" if shared else ""
    return [prefix + for_all_nodes(channel) for channel in CHANNELS[precedence]]


class Intake:
    """The connections for `IngestService`, one for each precedence. Two processes at one broker need two client ids, and `shared`.

    The routine one has the client id that ingest always had: what an earlier version subscribed to under it, and left in
    the broker, is still delivered by it. It leaves the urgent topics once the other connection has been granted them; in
    between a message may come twice, and counts once.
    """

    def __init__(self, endpoint: Endpoint, *, client_id: str = CLIENT_ID, shared: bool = False) -> None:
        self._moved = subscriptions(Precedence.URGENT, shared=shared)
        self.urgent = Subscriber(
            endpoint,
            client_id=f"{client_id}:urgent",  # no host has a colon in its name: it is nobody else's id
            topics=self._moved,
            mailbox=Mailbox(URGENT_MESSAGES, URGENT_BYTES),
            on_subscribed=self._leave_moved,
        )
        self.routine = Subscriber(
            endpoint,
            client_id=client_id,
            topics=subscriptions(Precedence.ROUTINE, shared=shared),
            on_subscribed=self._leave_moved,
        )

    def __getitem__(self, precedence: Precedence) -> Subscriber:
        """The connection of a precedence."""
        return self.urgent if precedence is Precedence.URGENT else self.routine

    @property
    def connected(self) -> bool:
        """Whether the broker is there now, for both."""
        return self.urgent.connected and self.routine.connected

    def start(self) -> None:
        """Connect in the background and keep trying."""
        self.urgent.start()
        self.routine.start()

    def wait_subscribed(self, timeout_s: float) -> bool:
        """Wait, for each up to `timeout_s`, until the broker has answered the subscriptions; whether it has."""
        return self.urgent.wait_subscribed(timeout_s) and self.routine.wait_subscribed(timeout_s)

    def close(self) -> None:
        """Send what waits, say good-bye. The sessions stay in the broker."""
        self.urgent.close()
        self.routine.close()

    def _leave_moved(self) -> None:
        """Called with every answer to a subscription of either: the later one finds that both are there."""
        if self.urgent.granted and self.routine.connected:
            self.routine.unsubscribe(self._moved)
