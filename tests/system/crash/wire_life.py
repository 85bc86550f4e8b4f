"""One life of a node's outbox at a real broker: what it keeps, and the uplink that sends it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from edge.contract.birth import Birth, Device, Point
from edge.contract.fields import uuid7
from edge.contract.incident import IncidentState
from edge.mqtt import Endpoint, MqttLink
from edge.outbox.outbox import Outbox
from edge.uplink.publisher import Identity, Publisher
from tests.edge.records import START, SteppedClock
from tests.fakes.node import DISTRICT
from tests.system.crash import fuse as points
from tests.system.crash.fuse import Fuse
from tests.system.crash.life import FIRST, SECOND, Life
from tests.waiting import wait_until

BIRTH = Birth(
    software="0.1.0",
    devices=(
        Device(id="pile-1", kind="sensor", name="Pile", points=(Point(name="temperature_c", unit="°C", period_s=1.0),)),
        Device(id="cam-1", kind="camera", name="Camera", points=()),
    ),
)
DRAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Link:
    """Where the node sends to, and as who. `life` counts its starts; `number` is its own among all nodes."""

    port: int
    node: str
    password: str
    life: int
    number: int

    def session(self) -> UUID:
        """A later one for each life."""
        return uuid7(int(START.timestamp() * 1000) + self.life)


def lay_link(fuse: Fuse) -> None:
    """Lead what the uplink sends and what the cloud answers through the fuse. For a process that ends with it."""
    publish, settle = MqttLink.publish, Outbox.settle

    def fused_publish(self: MqttLink, *values: Any, **options: Any) -> bool:
        fuse.burn(points.Point.PUBLISH)
        sent = publish(self, *values, **options)
        fuse.burn(points.Point.PUBLISHED)
        return sent

    def fused_settle(self: Outbox, *values: Any) -> None:
        fuse.burn(points.Point.ACKNOWLEDGED)
        settle(self, *values)
        fuse.burn(points.Point.SETTLED)

    MqttLink.publish = fused_publish  # type: ignore[method-assign]
    Outbox.settle = fused_settle  # type: ignore[method-assign,assignment]


class WireLife(Life):
    """Some parcels and an incident that goes on, sent by the uplink while they come."""

    def __init__(self, directory: Path, fuse: Fuse, link: Link) -> None:
        lay_link(fuse)
        self._publisher: Publisher | None = None
        super().__init__(directory, fuse, on_commit=self._nudge)
        self._number = link.number
        self._publisher = Publisher(
            Identity(DISTRICT, link.node, link.session()),
            Endpoint("127.0.0.1", link.port, user=link.node, password=link.password),
            self.outbox,
            lambda: BIRTH,
            historical_after_s=60.0,
            clock=SteppedClock(),
        )

    def _nudge(self) -> None:
        if self._publisher is not None:
            self._publisher.nudge()

    def run(self) -> None:
        """Everything, up to an outbox that is empty."""
        assert self._publisher is not None
        self.receive(0)
        self._publisher.start()
        self.find(self._number, 1, IncidentState.OPEN, FIRST)
        self.receive(1)
        self.find(self._number, 2, IncidentState.UPDATE, SECOND)
        self.receive(2)
        wait_until(self._is_told, timeout_s=DRAIN_S, what="an empty outbox")
        self._publisher.stop()

    def _is_told(self) -> bool:
        figures = self.outbox.figures()
        return figures.readings_waiting == 0 and not figures.messages_waiting
