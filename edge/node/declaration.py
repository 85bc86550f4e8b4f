"""What a birth tells of the node's devices. Pure."""

from importlib import metadata

from edge.contract.birth import Device, DeviceKind, Point, PointKind
from edge.settings import CameraSettings, NodeConfiguration, SensorSettings


def software() -> str:
    """Name and version of what runs here."""
    try:
        return f"gridward {metadata.version('gridward')}"
    except metadata.PackageNotFoundError:
        return "gridward (not installed)"


def devices(configuration: NodeConfiguration) -> tuple[Device, ...]:
    """All configured cameras and sensors with their points."""
    return (*map(_camera, configuration.cameras), *map(_sensor, configuration.sensors))


def _camera(camera: CameraSettings) -> Device:
    return Device(
        id=camera.id,
        kind=DeviceKind.CAMERA.value,
        name=camera.name or None,
        spot=camera.spot,
        simulated=camera.simulated,
    )


def _sensor(sensor: SensorSettings) -> Device:
    points = tuple(
        Point(
            name=point.name,
            kind=PointKind(point.kind),
            unit=point.unit,
            minimum=point.minimum,
            maximum=point.maximum,
            period_s=point.period_s,
        )
        for point in sensor.points
    )
    return Device(
        id=sensor.id,
        kind=sensor.kind,
        name=sensor.name or None,
        spot=sensor.spot,
        points=points,
        simulated=sensor.simulated,
    )
