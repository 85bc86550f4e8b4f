"""Sensors behind Modbus TCP gateways (Modbus 网关): all gateways of a node, a thread for each, so that a silent one holds nobody else up."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from edge.flow import DeviceControl
from edge.settings import ModbusDeviceSettings, NodeConfiguration
from edge.sources.modbus_gateway import Address, ModbusGateway, Surroundings

MOST_GATEWAYS: Final = 64


class ModbusSource:
    """All Modbus gateways of a node."""

    def __init__(self, devices: Sequence[ModbusDeviceSettings], around: Surroundings) -> None:
        self._around = around
        self._lock = threading.Lock()
        self._started = False
        self._gateways = {
            address: ModbusGateway(address, behind, around) for address, behind in by_gateway(devices).items()
        }

    def start(self) -> None:
        """Begin to read, at all gateways."""
        with self._lock:
            self._started = True
            for gateway in self._gateways.values():
                gateway.start()

    def adopt(self, configuration: NodeConfiguration) -> None:
        """Go on with other devices; a gateway whose address stays keeps its connection."""
        wanted = by_gateway(configuration.modbus)
        with self._lock:
            for address in [address for address in self._gateways if address not in wanted]:
                self._gateways.pop(address).stop(wait=False)
            for address, devices in wanted.items():
                known = self._gateways.get(address)
                if known is not None:
                    known.adopt(devices)
                    continue
                self._gateways[address] = ModbusGateway(address, devices, self._around)
                if self._started:
                    self._gateways[address].start()

    def stop(self) -> None:
        """End all of them."""
        with self._lock:
            gateways = list(self._gateways.values())
        for gateway in gateways:
            gateway.stop(wait=False)
        for gateway in gateways:
            gateway.stop()

    def control(self, device: str) -> DeviceControl | None:  # noqa: ARG002 (asked of every source)
        """Registers are read, never written."""
        return None

    def tally(self) -> Mapping[str, Any]:
        """What was done since the start, ready for JSON; of a gateway that is gone nothing."""
        with self._lock:
            figures = [gateway.figures for gateway in self._gateways.values()]
        return {
            "reads": sum(each.reads for each in figures),
            "readings": sum(each.readings for each in figures),
            "unreachable": sum(each.unreachable for each in figures),
            "refused": _plain(*(each.refusals for each in figures)),
            "failures": _plain(*(each.failures for each in figures)),
            "exceptions": _plain(*(each.exceptions for each in figures)),
            "clamped": {},
            "replayed": 0,
        }


def by_gateway(devices: Sequence[ModbusDeviceSettings]) -> dict[Address, list[ModbusDeviceSettings]]:
    """The devices by the address that they stand behind."""
    found: dict[Address, list[ModbusDeviceSettings]] = {}
    for device in devices:
        found.setdefault(device.host_and_port, []).append(device)
    return found


def _plain(*counters: Mapping[tuple[str, Any], int]) -> dict[str, int]:
    return {f"{device}: {why}": count for counter in counters for (device, why), count in dict(counter).items()}
