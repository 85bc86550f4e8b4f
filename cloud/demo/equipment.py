"""What stands at the demo's stations beside cameras and sensors: terminals, a Modbus gateway, a leased line. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class TerminalPlan:
    """A terminal of a kind; `id` is a name that the simulator knows."""

    id: str
    name: str
    kind: str


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
class Equipment:
    """All of it at one station."""

    terminals: tuple[TerminalPlan, ...] = ()
    registers: tuple[RegisterPlan, ...] = ()
    lines: tuple[LinePlan, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        """The ids of all of it."""
        return (
            *(terminal.id for terminal in self.terminals),
            *(register.id for register in self.registers),
            *(line.id for line in self.lines),
        )

    def configuration(self, topic: str, *, modbus_port: int, line_port: int) -> dict[str, Any]:
        """Its parts of the node's configuration: terminals speak below `topic`, the gateway listens at `modbus_port`, and so does the
        far end of each line at `line_port`, on this machine.
        """
        return {
            "terminals": [
                {
                    "id": each.id,
                    "name": each.name,
                    "kind": each.kind,
                    "topic": f"{topic}/{each.id}",
                    "heartbeat_s": 10.0,
                    "spot": each.id,
                    "simulated": True,
                }
                for each in self.terminals
            ],
            "modbus": [_registers(each, modbus_port) for each in self.registers],
            "leased_lines": [
                {
                    "id": each.id,
                    "name": each.name,
                    "target": "127.0.0.1",
                    "port": line_port,
                    "carries": list(each.carries),
                    "simulated": True,
                }
                for each in self.lines
            ],
        }


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
        terminals=(
            TerminalPlan("sos-1", "驿站求助柱", "sos"),
            TerminalPlan("kiosk-1", "驿站服务终端", "kiosk"),
        ),
    ),
    "gate-1": Equipment(
        terminals=(TerminalPlan("door-1", "门房门禁", "gate"),),
        registers=(
            RegisterPlan("modbus-water-1", "地下车库水位", 2, "water_level", (("level_mm", 0),)),
            RegisterPlan("modbus-climate-1", "配电间温度", 3, "temperature_sensor", (("temperature_c", 0),)),
        ),
        lines=(LinePlan("line-1", "东门专线", ("smoke-1", "water-1")),),
    ),
}
"""By node."""
