"""What stands at the demo's stations beside cameras and sensors: charging piles, terminals, a Modbus gateway, a leased line. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class TerminalPlan:
    """A terminal of a kind; `id` is a name that the simulator knows. `spot`, where it is not a spot of its own, is a site's: its uses are counted there."""

    id: str
    name: str
    kind: str
    spot: str | None = None


@dataclass(frozen=True, slots=True)
class RegisterPlan:
    """A device behind the station's Modbus gateway: its unit, its kind, and its points (name, address) as the simulator tells them."""

    id: str
    name: str
    unit: int
    kind: str
    points: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class LinePlan:
    """A leased line to where its `carries` are."""

    id: str
    name: str
    carries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OcppPlan:
    """A charging pile that speaks OCPP 1.6J and obeys a stop; the camera of its `spot` shows it."""

    id: str
    name: str
    spot: str
    connectors: int


@dataclass(frozen=True, slots=True)
class YkcPlan:
    """A charging pile that speaks YKC V1.6, with the number that it logs in with."""

    id: str
    name: str
    spot: str
    number: str


@dataclass(frozen=True, slots=True)
class EquipmentPorts:
    """Where the simulated equipment is on this machine. The piles call the node, all else is called by it."""

    modbus: int = 502
    line: int = 80
    ocpp: int = 9_000
    ykc: int = 8_767


@dataclass(frozen=True, slots=True)
class Equipment:
    """All of it at one station."""

    piles: tuple[OcppPlan, ...] = ()
    ykc_piles: tuple[YkcPlan, ...] = ()
    terminals: tuple[TerminalPlan, ...] = ()
    registers: tuple[RegisterPlan, ...] = ()
    lines: tuple[LinePlan, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        """The ids of all of it."""
        return (
            *(pile.id for pile in self.piles),
            *(pile.id for pile in self.ykc_piles),
            *(terminal.id for terminal in self.terminals),
            *(register.id for register in self.registers),
            *(line.id for line in self.lines),
        )

    def configuration(self, topic: str, ports: EquipmentPorts, password_file: str) -> dict[str, Any]:
        """Its parts of the node's configuration: terminals speak below `topic`, piles of OCPP log in with what `password_file` holds."""
        return {
            **self._piles(ports, password_file),
            "terminals": [
                {
                    "id": each.id,
                    "name": each.name,
                    "kind": each.kind,
                    "topic": f"{topic}/{each.id}",
                    "heartbeat_s": 10.0,
                    "spot": each.spot or each.id,
                    "simulated": True,
                }
                for each in self.terminals
            ],
            "modbus": [_registers(each, ports.modbus) for each in self.registers],
            "leased_lines": [
                {
                    "id": each.id,
                    "name": each.name,
                    "target": "127.0.0.1",
                    "port": ports.line,
                    "carries": list(each.carries),
                    "simulated": True,
                }
                for each in self.lines
            ],
        }

    def _piles(self, ports: EquipmentPorts, password_file: str) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        if self.piles:
            parts["ocpp"] = {
                "host": "127.0.0.1",
                "port": ports.ocpp,
                "security_profile": 1,
                "piles": [
                    {
                        "id": each.id,
                        "name": each.name,
                        "spot": each.spot,
                        "password_file": password_file,
                        "connectors": each.connectors,
                        "meter_period_s": 5,
                        "allow_stop": True,
                        "simulated": True,
                    }
                    for each in self.piles
                ],
            }
        if self.ykc_piles:
            parts["ykc"] = {
                "host": "127.0.0.1",
                "port": ports.ykc,
                "piles": [
                    {
                        "id": each.id,
                        "name": each.name,
                        "spot": each.spot,
                        "number": each.number,
                        "allow_stop": True,
                        "simulated": True,
                    }
                    for each in self.ykc_piles
                ],
            }
        return parts


def _registers(plan: RegisterPlan, port: int) -> dict[str, Any]:
    return {
        "id": plan.id,
        "name": plan.name,
        "kind": plan.kind,
        "gateway": f"127.0.0.1:{port}",
        "unit": plan.unit,
        "spot": plan.id,
        "points": [
            {"name": name, "address": address, "table": "input", "type": "int32", "scale": 0.1}
            for name, address in plan.points
        ],
        "simulated": True,
    }


EQUIPMENT: Final[Mapping[str, Equipment]] = {
    "station-1": Equipment(
        piles=(OcppPlan("pile-11", "驿站快充桩", "hall", 2),),
        terminals=(
            TerminalPlan("sos-1", "驿站求助柱", "sos"),
            TerminalPlan("kiosk-1", "驿站服务终端", "kiosk", "station-1"),
        ),
    ),
    "gate-1": Equipment(
        ykc_piles=(YkcPlan("pile-21", "东门直流桩", "lane", "32010600019236"),),
        terminals=(TerminalPlan("door-1", "门房门禁", "gate", "gate-1"),),
        registers=(
            RegisterPlan("modbus-water-1", "地下车库水位", 2, "water_level", (("level_mm", 0),)),
            RegisterPlan("modbus-climate-1", "配电间温度", 3, "temperature_sensor", (("temperature_c", 0),)),
        ),
        lines=(LinePlan("line-1", "东门专线", ("smoke-1", "water-1")),),
    ),
}
"""By node."""
