"""Which source speaks which protocol: the tables that a node is built from.

A new protocol is one module and one row here. What a configuration asks for and no row offers stops the start.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from edge.errors import ConfigurationError
from edge.flow import Gate, Health, NativeMark, Parcel
from edge.mqtt import Endpoint
from edge.settings import CameraSettings, NodeConfiguration
from edge.sources.address import AddressProvider
from edge.sources.camera import CameraSource
from edge.sources.camera import StatusListener as CameraStatusListener
from edge.sources.gb28181 import SCHEME
from edge.sources.mailbox import Mailbox
from edge.sources.mqtt_sensor import RECEIPTS, MqttSensorSource
from edge.sources.video_gateway import Gateways, is_channel
from edge.video import is_live


class ReadingSource(Protocol):
    """Something that runs in threads of its own and hands readings over."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End within a few seconds; what was not kept is not acknowledged."""
        ...

    def adopt(self, configuration: NodeConfiguration) -> None:
        """Go on with the devices of another configuration. Any thread; nothing that comes meanwhile is lost."""
        ...

    def tally(self) -> Mapping[str, Any]:
        """What it did since the start, ready for JSON."""
        ...


@dataclass(frozen=True, slots=True)
class ReadingHandover:
    """What a reading source gets from the node.

    `keep` returns once the readings are kept; it may raise Retryable. `receipts` are the marks that a source left.
    `on_status` takes device id (empty: the link itself), health and reason. `secret` reads a secret's file. `clock` tells node
    time, `correction` what is to be added to it to have the true time, as far as that is known.
    """

    keep: Callable[[Parcel], None]
    receipts: Callable[[str], Sequence[bytes]]
    on_status: Callable[[str, Health, str | None], None]
    secret: Callable[[Path | None], str | None]
    clock: Callable[[], datetime]
    correction: Callable[[], timedelta] = timedelta


class FrameSourceFactory(Protocol):
    """Makes the source of one camera."""

    def __call__(
        self,
        camera: CameraSettings,
        mailbox: Mailbox,
        on_status: CameraStatusListener,
        *,
        now: Callable[[], datetime],
        mark: NativeMark,
        addresses: AddressProvider | None,
        gate: Gate | None,
        defers: bool,
    ) -> CameraSource:
        """`now` tells node time; `mark` is told what the source's thread does, for those who look into a crash. `addresses`
        tells what to open where that is asked for anew each time; `gate` says which packets are decoded; who `defers` leaves decoding to
        the thread that analyses where it can.
        """
        ...


ReadingSourceFactory = Callable[[NodeConfiguration, ReadingHandover], Sequence[ReadingSource]]


def _mqtt_sensors(configuration: NodeConfiguration, handover: ReadingHandover) -> Sequence[ReadingSource]:
    broker = configuration.local_mqtt
    if not configuration.sensors:
        return ()
    if broker is None:
        raise ConfigurationError("sensors need a local broker: `local_mqtt` is missing")
    source = MqttSensorSource(
        configuration.sensors,
        Endpoint.of(broker.url, user=broker.user, password=handover.secret(broker.password_file)),
        handover.keep,
        handover.on_status,
        receipts=handover.receipts(RECEIPTS),
        client_id=f"gridward-{configuration.node.id}-sensors",
        clock=handover.clock,
        correction=handover.correction,
    )
    return (source,)


FRAME_SOURCES: Mapping[str, FrameSourceFactory] = {
    "rtsp": CameraSource,
    "rtsps": CameraSource,
    "file": CameraSource,
    SCHEME: CameraSource,
}
"""By the scheme of a camera's address; a path is a file. A channel of a gateway is a camera whose address has to be asked for."""

READING_SOURCES: Mapping[str, ReadingSourceFactory] = {
    "mqtt": _mqtt_sensors,
}
"""By protocol. Each one looks for its part of the configuration and makes what that needs: nothing, one or several."""


def frame_source_factory(camera: CameraSettings) -> FrameSourceFactory:
    """What speaks a camera's address. Raises ConfigurationError when no row does."""
    scheme = urlsplit(camera.url).scheme if "://" in camera.url else "file"
    factory = FRAME_SOURCES.get(scheme)
    if factory is None:
        raise ConfigurationError(
            f"camera {camera.id}: nothing here speaks `{scheme}`; {', '.join(FRAME_SOURCES)} are possible"
        )
    return factory


def is_sent(url: str) -> bool:
    """Whether pictures of this address are sent as they are made, so that a gate may decide which are decoded; a film is decoded whole."""
    return is_live(url) or is_channel(url)


def frame_source(
    camera: CameraSettings,
    mailbox: Mailbox,
    on_status: CameraStatusListener,
    *,
    clock: Callable[[], datetime],
    mark: NativeMark,
    gateways: Gateways,
    gate: Gate | None = None,
) -> CameraSource:
    """The source of a camera, for a thread that fetches what was put off.

    Raises ConfigurationError when no row speaks its address, or its gateway is not there.
    """
    factory = frame_source_factory(camera)
    addresses = gateways.address(camera) if is_channel(camera.url) else None
    return factory(camera, mailbox, on_status, now=clock, mark=mark, addresses=addresses, gate=gate, defers=True)


def succeeded(
    running: Sequence[ReadingSource], configuration: NodeConfiguration, handover: ReadingHandover
) -> list[ReadingSource]:
    """The sources of readings with which a node goes on: those that run get other devices, one that has none any more ends, and
    where none runs those that are needed start.
    """
    for source in running:
        source.adopt(configuration)
    if configuration.sensors and running:
        return list(running)
    for source in running:
        threading.Thread(target=source.stop, name="stop-sensors", daemon=True).start()
    begun = reading_sources(configuration, handover)
    for source in begun:
        source.start()
    return begun


def reading_sources(configuration: NodeConfiguration, handover: ReadingHandover) -> list[ReadingSource]:
    """All sources of readings that the configuration asks for."""
    return [source for factory in READING_SOURCES.values() for source in factory(configuration, handover)]
