import socket
import subprocess
import sys

import pytest

from edge.settings.modbus import RegisterTable
from edge.simulators.modbus_server import STORIES, ModbusServer, tell, words
from edge.sources.modbus_link import Failed, Failure, ModbusLink
from edge.sources.modbus_registers import Block
from tests.edge.waiting import wait_until

pytestmark = pytest.mark.system


def test_a_unit_has_what_was_set_and_refuses_the_rest() -> None:
    with ModbusServer([1, 2]) as server:
        server.units[1].set(RegisterTable.COIL, 17, [1, 0, 1])
        server.units[1].set(RegisterTable.HOLDING, 9, words(-2.5, "float32"))
        link = ModbusLink(*server.address, 5)
        assert link.read(1, Block(RegisterTable.COIL, 17, 3, ())) == (1, 0, 1)
        assert link.read(1, Block(RegisterTable.HOLDING, 9, 2, ())) == tuple(words(-2.5, "float32"))
        for unit, table, address in (
            (1, RegisterTable.HOLDING, 8),
            (1, RegisterTable.DISCRETE, 0),
            (2, RegisterTable.INPUT, 0),
        ):
            refused = link.read(unit, Block(table, address, 1, ()))
            assert isinstance(refused, Failed)
            assert (refused.failure, refused.code) == (Failure.REFUSED, 2)
        link.close()


def test_a_message_of_a_story_stands_in_registers() -> None:
    with ModbusServer([1]) as server:
        tell(server.units[1], {"time": "now", "obscuration": 8.4, "temperature_c": -3.5, "simulated": True})
        link = ModbusLink(*server.address, 5)
        assert link.read(1, Block(RegisterTable.INPUT, 0, 4, ())) == (0, 84, *words(-35, "int32"))
        assert link.read(1, Block(RegisterTable.DISCRETE, 0, 1, ())) == (1,)
        link.close()


def test_the_demonstration_plays_until_it_is_told_to_stop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "edge.simulators.modbus_server", "--port", str(port)]
    with subprocess.Popen(command) as process:
        try:
            link = ModbusLink("127.0.0.1", port, 2)

            def told() -> bool:
                return all(
                    not isinstance(link.read(unit, Block(RegisterTable.INPUT, 0, 2, ())), Failed) for unit in STORIES
                )

            wait_until(told, "all four stories")
            link.close()
        finally:
            process.terminate()
        assert process.wait(10) == 0
