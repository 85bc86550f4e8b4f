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
from edge.flow import DeviceControl, FirmwareControl, Gate, Health, NativeMark, Parcel
from edge.mqtt import Endpoint
from edge.settings import CameraSettings, NodeConfiguration
from edge.sources.address import AddressProvider
from edge.sources.camera import CameraSource
from edge.sources.camera import StatusListener as CameraStatusListener
from edge.sources.ebike import ebike_devices
from edge.sources.gb28181 import SCHEME
from edge.sources.leased_line import LeasedLineSource
from edge.sources.mailbox import Mailbox
from edge.sources.modbus import ModbusSource
from edge.sources.modbus_gateway import Surroundings
from edge.sources.mqtt_device import MqttDevice
from edge.sources.mqtt_devices import RECEIPTS, MqttDeviceSource
from edge.sources.mqtt_sensor import sensor_devices
from edge.sources.ocpp.source import RECEIPTS as OCPP_RECEIPTS
from edge.sources.ocpp.source import OcppSource, check_files
from edge.sources.terminal import terminal_devices
from edge.sources.video_gateway import Gateways, is_channel
from edge.sources.ykc.source import RECEIPTS as YKC_RECEIPTS
from edge.sources.ykc.source import YkcSource
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
        """What it did since the start, ready for JSON: `refused` (`device: reason` → how often), `clamped` (by device) and `replayed` at
        least.
        """
        ...

    def control(self, device: str) -> DeviceControl | None:
        """What acts on a device of this source; None where nothing can, or the device is not one of its own."""
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


@dataclass(frozen=True, slots=True)
class ReadingProtocol:
    """A protocol of devices that tell readings. `wants` says whether a configuration needs it, and raises ConfigurationError
    where that configuration lacks something; `make` makes its one source.
    """

    wants: Callable[[NodeConfiguration], bool]
    make: Callable[[NodeConfiguration, ReadingHandover], ReadingSource]


MQTT_DEVICES: tuple[Callable[[NodeConfiguration], Sequence[MqttDevice]], ...] = (
    sensor_devices,
    terminal_devices,
    ebike_devices,
)
"""The sections whose devices speak over the local broker; all of them share one connection."""


def mqtt_devices(configuration: NodeConfiguration) -> tuple[MqttDevice, ...]:
    """All devices that speak over the local broker."""
    return tuple(device for section in MQTT_DEVICES for device in section(configuration))


def _wants_mqtt(configuration: NodeConfiguration) -> bool:
    devices = mqtt_devices(configuration)
    if devices and configuration.local_mqtt is None:
        raise ConfigurationError(f"{devices[0].settings.id} needs a local broker: `local_mqtt` is missing")
    return bool(devices)


def _mqtt_source(configuration: NodeConfiguration, handover: ReadingHandover) -> ReadingSource:
    broker = configuration.local_mqtt
    if broker is None:
        raise ConfigurationError("devices over MQTT need a local broker: `local_mqtt` is missing")
    return MqttDeviceSource(
        mqtt_devices(configuration),
        Endpoint.of(broker.url, user=broker.user, password=handover.secret(broker.password_file)),
        handover.keep,
        handover.on_status,
        devices_of=mqtt_devices,
        receipts=handover.receipts(RECEIPTS),
        client_id=f"gridward-{configuration.node.id}-sensors",
        clock=handover.clock,
        correction=handover.correction,
    )


def _wants_ocpp(configuration: NodeConfiguration) -> bool:
    if configuration.ocpp is None or not configuration.ocpp.piles:
        return False
    check_files(configuration.ocpp)
    return True


def _ocpp(configuration: NodeConfiguration, handover: ReadingHandover) -> ReadingSource:
    if configuration.ocpp is None:
        raise ConfigurationError("there is no part `ocpp`")
    return OcppSource(
        configuration.ocpp,
        handover.keep,
        handover.on_status,
        secret=handover.secret,
        receipts=handover.receipts(OCPP_RECEIPTS),
        clock=handover.clock,
        correction=handover.correction,
    )


def _modbus_source(configuration: NodeConfiguration, handover: ReadingHandover) -> ReadingSource:
    return ModbusSource(configuration.modbus, Surroundings(handover.keep, handover.on_status, clock=handover.clock))


def _leased_line_source(configuration: NodeConfiguration, handover: ReadingHandover) -> ReadingSource:
    return LeasedLineSource(configuration.leased_lines, handover.keep, handover.on_status, clock=handover.clock)


def _wants_ykc(configuration: NodeConfiguration) -> bool:
    return configuration.ykc is not None and bool(configuration.ykc.piles)


def _ykc(configuration: NodeConfiguration, handover: ReadingHandover) -> ReadingSource:
    if configuration.ykc is None:
        raise ConfigurationError("`ykc` is missing")
    return YkcSource(
        configuration.ykc,
        handover.keep,
        handover.on_status,
        receipts=handover.receipts(YKC_RECEIPTS),
        clock=handover.clock,
        correction=handover.correction,
    )


FRAME_SOURCES: Mapping[str, FrameSourceFactory] = {
    "rtsp": CameraSource,
    "rtsps": CameraSource,
    "file": CameraSource,
    SCHEME: CameraSource,
}
"""By the scheme of a camera's address; a path is a file. A channel of a gateway is a camera whose address has to be asked for."""

READING_SOURCES: Mapping[str, ReadingProtocol] = {
    "ocpp": ReadingProtocol(_wants_ocpp, _ocpp),
    "mqtt": ReadingProtocol(_wants_mqtt, _mqtt_source),
    "modbus": ReadingProtocol(lambda configuration: bool(configuration.modbus), _modbus_source),
    "leased-lines": ReadingProtocol(lambda configuration: bool(configuration.leased_lines), _leased_line_source),
    "ykc": ReadingProtocol(_wants_ykc, _ykc),
}
"""By protocol; a node has one source of each that its configuration wants."""


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
    running: Mapping[str, ReadingSource], configuration: NodeConfiguration, handover: ReadingHandover
) -> dict[str, ReadingSource]:
    """The sources of readings with which a node goes on, by protocol: one that runs gets other devices, or ends where none is left
    to it, and one that is wanted now starts.
    """
    going_on = dict[str, ReadingSource]()
    for name, protocol in READING_SOURCES.items():
        source, wanted = running.get(name), protocol.wants(configuration)
        if source is not None:
            source.adopt(configuration)
            if not wanted:
                threading.Thread(target=source.stop, name=f"stop-{name}", daemon=True).start()
                continue
        elif wanted:
            source = protocol.make(configuration, handover)
            source.start()
        if source is not None:
            going_on[name] = source
    return going_on


def check_reading_sources(configuration: NodeConfiguration) -> None:
    """Raises ConfigurationError where a protocol that is wanted lacks something."""
    for protocol in READING_SOURCES.values():
        protocol.wants(configuration)


def reading_sources(configuration: NodeConfiguration, handover: ReadingHandover) -> dict[str, ReadingSource]:
    """All sources of readings that the configuration asks for, by protocol."""
    return {
        name: protocol.make(configuration, handover)
        for name, protocol in READING_SOURCES.items()
        if protocol.wants(configuration)
    }


def device_control(running: Mapping[str, ReadingSource], device: str) -> DeviceControl | None:
    """What acts on a device; None where no source that runs can."""
    return next((found for source in running.values() if (found := source.control(device)) is not None), None)


def firmware_control(running: Mapping[str, ReadingSource]) -> FirmwareControl | None:
    """What gives devices their firmware; None where no source that runs can."""
    return next((source for source in running.values() if isinstance(source, OcppSource)), None)
