"""A simulated Modbus TCP gateway with devices behind it: the library's own server, in a thread, on registers that a story or a test sets.

`python -m edge.simulators.modbus_server --port 1502 [--seed N]` plays a smoke detector (unit 1), a water level (unit 2), a temperature
(unit 3) and a current transformer (unit 4) that get into trouble now and then.
"""

import argparse
import asyncio
import struct
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.settings.modbus import RegisterTable
from edge.simulators.sensors import Sensor
from edge.simulators.stopping import told_to_stop

SIZE: Final = 256
"""Addresses of each table that can be set."""

_SILENCE_S: Final = 0.02

_FUNCTIONS: Final[Mapping[int, RegisterTable]] = {
    1: RegisterTable.COIL,
    2: RegisterTable.DISCRETE,
    3: RegisterTable.HOLDING,
    4: RegisterTable.INPUT,
}


def words(number: float, kind: str) -> list[int]:
    """The registers of a number, the more significant one first; `kind` as in a configuration."""
    sign = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}[kind]
    packed = struct.pack(sign, number if kind == "float32" else int(number))
    return list(struct.unpack(f">{len(packed) // 2}H", packed))


class SimulatedUnit:
    """One device: what was never set, it does not have."""

    def __init__(self) -> None:
        self.reads = 0
        self.refusing: ExcCodes | None = None
        """Answered to everything, where one is given."""
        self.silent = False
        """Questions wait for as long as it is; then they are answered after all, late."""
        self._lock = threading.Lock()
        self._held: dict[tuple[RegisterTable, int], int] = {}

    def set(self, table: RegisterTable, address: int, values: Sequence[int]) -> None:
        """From now on this stands there."""
        with self._lock:
            self._held.update({(table, address + index): value for index, value in enumerate(values)})

    async def answer(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        _set: Any,
    ) -> ExcCodes | None:
        """What the library asks before it reads `registers`, its own copy."""
        self.reads += 1
        while self.silent:  # noqa: ASYNC110 (set from another thread)
            await asyncio.sleep(_SILENCE_S)
        table = _FUNCTIONS.get(function)
        if self.refusing is not None or table is None:
            return self.refusing or ExcCodes.ILLEGAL_FUNCTION
        with self._lock:
            if table.of_bits:
                first = address // 16
                for index in range(first, first + count):
                    bits = [self._held.get((table, 16 * index + bit), 0) for bit in range(16)]
                    registers[index - start] = sum(value << bit for bit, value in enumerate(bits))
                return None if (table, address) in self._held else ExcCodes.ILLEGAL_ADDRESS
            for at in range(address, address + count):
                if (table, at) not in self._held:
                    return ExcCodes.ILLEGAL_ADDRESS
                registers[at - start] = self._held[table, at]
        return None


class ModbusServer:
    """The gateway. Context manager; `port` 0 takes a free one."""

    def __init__(self, units: Collection[int], *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.units: Mapping[int, SimulatedUnit] = {unit: SimulatedUnit() for unit in units}
        self.address = (host, port)
        self.connections = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._server: ModbusTcpServer | None = None
        self._thread = threading.Thread(target=self._run, name="modbus-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the simulated gateway does not start")
        return self

    def __exit__(self, *_: object) -> None:
        server = self._server
        for unit in self.units.values():
            unit.silent = False
        if server is not None:
            shutdown: Any = server.shutdown  # without types in the library
            asyncio.run_coroutine_threadsafe(shutdown(), self._loop).result(10)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.run_until_complete(asyncio.sleep(2 * _SILENCE_S))  # answers that still wait
        self._loop.close()

    async def _serve(self) -> None:
        tables = tuple([SimData(0, count=SIZE, datatype=DataType.BITS, values=False)] for _ in range(2))
        registers = tuple([SimData(0, count=SIZE, datatype=DataType.REGISTERS)] for _ in range(2))
        devices = [
            SimDevice(id=unit, simdata=(*tables, *registers), action=simulated.answer)  # type: ignore[arg-type]
            for unit, simulated in self.units.items()
        ]
        server = ModbusTcpServer(devices, address=self.address, trace_connect=self._count)
        await server.serve_forever(background=True)
        self._server = server
        listening: Any = server.transport
        self.address = listening.sockets[0].getsockname()[:2]
        self._ready.set()
        await server.serving

    def _count(self, connected: bool) -> None:
        self.connections += connected


STORIES: Final[Mapping[int, str]] = {1: "smoke-1", 2: "water-1", 3: "climate-1", 4: "pile-1"}
"""Whose story each unit of the demonstration tells (`edge.simulators.sensors`)."""


def tell(unit: SimulatedUnit, message: Mapping[str, object]) -> None:
    """A message of a story, as input registers: tenths from address 0 on, two registers for each value, in the order of the message; and the
    first value above 1 as an alarm bit, discrete input 0.
    """
    values = [value for value in message.values() if isinstance(value, int | float) and not isinstance(value, bool)]
    for index, value in enumerate(values):
        unit.set(RegisterTable.INPUT, 2 * index, words(round(10 * value), "int32"))
    unit.set(RegisterTable.DISCRETE, 0, [int(bool(values) and values[0] > 1)])


def main(arguments: list[str] | None = None) -> int:
    """Play until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m edge.simulators.modbus_server", description="Simulated Modbus devices."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    stories = {unit: Sensor(name, seed=options.seed) for unit, name in STORIES.items()}
    stop = told_to_stop()
    began = datetime.now(UTC)
    with ModbusServer(stories, host=options.host, port=options.port) as server:
        while not stop.wait(1.0):
            at_s = (datetime.now(UTC) - began) / timedelta(seconds=1)
            for unit, story in stories.items():
                tell(server.units[unit], story.message(at_s, datetime.now(UTC)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
