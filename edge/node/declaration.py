"""What a birth tells of the node's devices. Pure."""

from collections.abc import Mapping
from importlib import metadata

import msgspec
from msgspec.structs import replace

from edge.contract.birth import Birth, Degradation, Device, DeviceKind, ModelVersion, Point, PointKind, Spot
from edge.contract.envelope import MAXIMUM_BYTES
from edge.contract.health import NODE_POINTS
from edge.errors import ConfigurationError
from edge.node.firmware_job import Book
from edge.provisioning.record import Record
from edge.rules.counting import count_points
from edge.settings import (
    CameraSettings,
    DeviceSettings,
    LineCrossingSettings,
    NodeConfiguration,
    NodeSettings,
    SpotSettings,
)
from edge.sources.gb28181 import department_of

MOST_DEGRADATIONS = 50
LARGEST_DECLARATION_BYTES = MAXIMUM_BYTES - 64 * 1024


def software() -> str:
    """Name and version of what runs here."""
    try:
        return f"gridward {metadata.version('gridward')}"
    except metadata.PackageNotFoundError:
        return "gridward (not installed)"


def birth_of(
    configuration: NodeConfiguration, models: tuple[ModelVersion, ...], degraded: tuple[Degradation, ...]
) -> Birth:
    """The birth; of more degradations than a message should hold, the oldest ones."""
    return Birth(
        name=configuration.node.name or None,
        software=software(),
        models=models,
        devices=devices(configuration),
        spots=tuple(map(_spot, configuration.spots)),
        degraded=degraded[:MOST_DEGRADATIONS],
    )


def software_version() -> str:
    """The version alone, as profiles ask for it."""
    try:
        return metadata.version("gridward")
    except metadata.PackageNotFoundError:
        return "0.0.0"


def provisioned(birth: Birth, configuration: NodeConfiguration, versions: Mapping[str, str], record: Record) -> Birth:
    """The birth with what the node was given to run: `versions` are those of the profiles that hold, by kind."""
    named = {camera.id: camera.profile for camera in configuration.cameras}
    named |= {device.id: device.profile for device in configuration.devices}
    return replace(
        birth,
        profile=_profile(configuration.node.profile, versions),
        devices=tuple(replace(device, profile=_profile(named.get(device.id), versions)) for device in birth.devices),
        artifacts=record.running(),
        steps=record.steps(),
    )


def with_firmware(birth: Birth, book: Book) -> Birth:
    """The birth with what the node's devices run themselves, of those that it declares."""
    declared = {device.id for device in birth.devices}
    return replace(
        birth,
        firmware=tuple(each for each in book.running() if each.device in declared),
        firmware_steps=tuple(each for each in book.steps() if each.device in declared),
    )


def _profile(kind: str | None, versions: Mapping[str, str]) -> str | None:
    return f"{kind}/{versions[kind]}" if kind is not None and kind in versions else None


def check_size(configuration: NodeConfiguration, models: tuple[ModelVersion, ...]) -> None:
    """Raises ConfigurationError when the node declares more than one message can hold."""
    size = len(msgspec.json.encode(birth_of(configuration, models, ())))
    if size > LARGEST_DECLARATION_BYTES:
        raise ConfigurationError(
            f"all devices and points together take {size} bytes of a birth, {LARGEST_DECLARATION_BYTES} are possible: "
            "divide them among several nodes"
        )


def devices(configuration: NodeConfiguration) -> tuple[Device, ...]:
    """The node itself, and all configured cameras and devices with their points."""
    return (_node(configuration.node), *sources(configuration))


def sources(configuration: NodeConfiguration) -> tuple[Device, ...]:
    """The devices whose readings go through the outbox."""
    behind = configuration.behind
    declared = (*map(_camera, configuration.cameras), *map(_device, configuration.devices))
    return tuple(replace(device, behind=behind[device.id]) if device.id in behind else device for device in declared)


def _node(node: NodeSettings) -> Device:
    """The node as a device: what its own incidents name, and what its health is charted under (the cloud makes the readings
    of the health that it is told: a chart of the queue must not go through the queue).
    """
    return Device(id=node.id, kind=DeviceKind.NODE.value, name=node.name or None, points=NODE_POINTS)


def _spot(spot: SpotSettings) -> Spot:
    return Spot(id=spot.id, name=spot.name or None, cameras=tuple(each.camera for each in spot.cameras))


def _camera(camera: CameraSettings) -> Device:
    return Device(
        id=camera.id,
        kind=DeviceKind.CAMERA.value,
        name=camera.name or None,
        spot=camera.spot,
        department=_department(camera),
        points=tuple(
            point for rule in camera.rules if isinstance(rule, LineCrossingSettings) for point in count_points(rule)
        ),
        simulated=camera.simulated,
    )


def _department(camera: CameraSettings) -> str | None:
    """Whose camera it is: as configured, else as its code of 20 digits says (GB/T 28181)."""
    department = camera.department or department_of(camera.id)
    return None if department is None else department.value


def _device(device: DeviceSettings) -> Device:
    points = tuple(
        Point(
            name=point.name,
            kind=PointKind.NUMBER if point.kind == "number" else PointKind.STATE,
            event=point.kind == "event",
            unit=point.unit,
            minimum=point.minimum,
            maximum=point.maximum,
            period_s=point.period_s,
        )
        for point in device.declared
    )
    return Device(
        id=device.id,
        kind=device.device_kind,
        name=device.name or None,
        spot=device.spot,
        points=points,
        simulated=device.simulated,
    )
