"""Modbus against the library's own server, and against what is no server: silent, slow, flooding, mad."""

import random
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from edge.errors import OutboxFull
from edge.flow import Health, Parcel, Reading
from edge.settings import ModbusDeviceSettings, NodeConfiguration
from edge.settings.modbus import RegisterTable
from edge.simulators.modbus_server import ModbusServer, words
from edge.sources.modbus import ModbusSource
from edge.sources.modbus_gateway import Surroundings
from edge.sources.modbus_link import LARGEST_BUFFER_BYTES, Failed, Failure, ModbusLink
from edge.sources.modbus_registers import Block
from tests.edge.waiting import wait_until

pytestmark = pytest.mark.system


class Keeper:
    """What was kept and told, from any thread."""

    def __init__(self) -> None:
        self.kept: list[Reading] = []
        self.statuses: list[tuple[str, Health, str | None]] = []
        self.refusing = False
        self.refused = 0

    def keep(self, parcel: Parcel) -> None:
        if self.refusing:
            self.refused += 1
            raise OutboxFull("no room in this test")
        self.kept += parcel.readings

    def on_status(self, device: str, health: Health, reason: str | None) -> None:
        self.statuses.append((device, health, reason))

    def of(self, device: str, point: str | None = None) -> list[float | str]:
        return [each.value for each in list(self.kept) if each.device == device and point in (None, each.point)]

    def has_more(self, device: str, than: int) -> bool:
        return len(self.of(device)) > than

    def health(self, device: str) -> Health | None:
        told = [health for name, health, _ in list(self.statuses) if name == device]
        return told[-1] if told else None


def device(name: str, address: tuple[str, int], unit: int = 1, **more: Any) -> ModbusDeviceSettings:
    points = more.pop("points", [{"name": "t", "address": 0, "table": "input", "type": "int16", "scale": 0.1}])
    return ModbusDeviceSettings.model_validate(
        {
            "id": name,
            "gateway": f"{address[0]}:{address[1]}",
            "unit": unit,
            "timeout_s": 5,
            "points": [{"period_s": 0.1, **point} for point in points],
            **more,
        }
    )


def with_modbus(*devices: ModbusDeviceSettings) -> NodeConfiguration:
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "n", "district": "110105", "data_directory": "/nowhere"},
            "cloud": {"mqtt": "mqtt://c:1", "https": "http://c"},
            "modbus": [each.model_dump(exclude_unset=True) for each in devices],
        }
    )


@contextmanager
def source(keeper: Keeper, devices: Sequence[ModbusDeviceSettings], **around: Any) -> Iterator[ModbusSource]:
    made = ModbusSource(devices, Surroundings(keeper.keep, keeper.on_status, **around))
    made.start()
    try:
        yield made
    finally:
        made.stop()
    assert not [each.name for each in threading.enumerate() if each.name.startswith("modbus-127")]


@contextmanager
def stand_in(answer: Any) -> Iterator[tuple[str, int]]:
    """A gateway of one's own: `answer` gets each connection, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            threading.Thread(target=_quietly, args=(answer, connection), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()
    finally:
        listener.close()
        for each in open_ones:
            each.close()


def _quietly(answer: Any, connection: socket.socket) -> None:
    try:
        answer(connection)
    except OSError:
        return


def test_what_stands_in_registers_is_kept_with_its_kinds_units_and_words() -> None:
    keeper = Keeper()
    with ModbusServer([3]) as server:
        unit = server.units[3]
        unit.set(RegisterTable.INPUT, 0, words(215, "int16"))
        unit.set(RegisterTable.HOLDING, 10, words(-3.25, "float32"))
        unit.set(RegisterTable.DISCRETE, 4, [1])
        unit.set(RegisterTable.COIL, 7, [0])
        points = [
            {"name": "temperature_c", "address": 0, "table": "input", "type": "int16", "scale": 0.1},
            {"name": "level", "address": 10, "type": "float32"},
            {"name": "smoke", "address": 4, "table": "discrete"},
            {"name": "door", "address": 7, "table": "coil", "states": {0: "shut", 1: "open"}},
        ]
        smoke = device("smoke-1", server.address, 3, points=points, kind="smoke_detector", simulated=True)
        with source(keeper, [smoke]) as made:
            wait_until(lambda: len(keeper.of("smoke-1", "temperature_c")) > 2, "three rounds")
            assert set(keeper.of("smoke-1", "temperature_c")) == {21.5}
            assert set(keeper.of("smoke-1", "level")) == {-3.25}
            assert keeper.of("smoke-1", "smoke") == ["alarm"]
            assert keeper.of("smoke-1", "door") == ["shut"]
            unit.set(RegisterTable.COIL, 7, [1])
            wait_until(lambda: keeper.of("smoke-1", "door") == ["shut", "open"], "the change")
            wait_until(lambda: keeper.health("smoke-1") is Health.OK, "its presence")
            assert made.tally()["refused"] == {}
            assert server.connections == 1
    assert {each.raw_code for each in keeper.kept if each.point == "smoke"} == {"1"}
    assert smoke.declared[0].unit == "°C"


def test_a_register_that_the_device_does_not_have_costs_itself_alone() -> None:
    keeper = Keeper()
    with ModbusServer([1]) as server:
        server.units[1].set(RegisterTable.HOLDING, 0, [1, 2])
        server.units[1].set(RegisterTable.HOLDING, 3, [4])
        points = [{"name": f"p{address}", "address": address} for address in range(4)]
        with source(keeper, [device("d", server.address, points=points)]) as made:
            wait_until(lambda: keeper.of("d", "p3"), "the readings")
            assert [keeper.of("d", f"p{address}")[:1] for address in range(4)] == [[1], [2], [], [4]]
            wait_until(lambda: made.tally()["refused"].get("d: refused"), "the refusal")
            assert made.tally()["exceptions"]["d: 2"] >= 1
            assert keeper.health("d") is not Health.LOST


def test_values_out_of_their_range_are_counted_and_not_kept() -> None:
    keeper = Keeper()
    with ModbusServer([1]) as server:
        server.units[1].set(RegisterTable.INPUT, 0, words(9_999, "int16"))
        points = [{"name": "t", "address": 0, "table": "input", "type": "int16", "maximum": 150}]
        with source(keeper, [device("d", server.address, points=points)]) as made:
            wait_until(lambda: made.tally()["refused"].get("d: out_of_range", 0) > 2, "refusals")
            assert keeper.kept == []
            server.units[1].set(RegisterTable.INPUT, 0, words(20, "int16"))
            wait_until(lambda: keeper.of("d") == [20.0] * len(keeper.of("d")) and keeper.of("d"), "a plausible one")


def test_a_silent_device_is_lost_while_its_neighbour_is_read_on_and_comes_back() -> None:
    keeper = Keeper()
    now_s = [0.0]
    with ModbusServer([1, 2]) as server:
        for unit in server.units.values():
            unit.set(RegisterTable.INPUT, 0, [1])
        devices = [device("good", server.address, 1, timeout_s=0.3), device("mute", server.address, 2, timeout_s=0.3)]
        with source(keeper, devices, monotonic=lambda: now_s[0], jitter=lambda: 0.0) as made:
            wait_until(lambda: keeper.health("good") is keeper.health("mute") is Health.OK, "both")
            server.units[2].silent = True
            for _ in range(13):
                now_s[0] += 1.0
                wait_until(partial(keeper.has_more, "good", len(keeper.of("good"))), "the neighbour's reading")
            wait_until(lambda: keeper.health("mute") is Health.LOST, "the loss")
            assert keeper.health("good") is Health.OK
            assert "no answer of unit 2" in str([why for name, _, why in keeper.statuses if name == "mute"][-1])
            server.units[2].silent = False
            server.units[2].set(RegisterTable.INPUT, 0, [77])
            now_s[0] += 61.0
            wait_until(lambda: keeper.health("mute") is Health.OK, "its return")
            assert 7.7 in keeper.of("mute")
            assert made.tally()["failures"]["mute: silent"] < 12  # asked less and less often


def test_an_answer_that_comes_too_late_is_never_taken_for_the_next_one() -> None:
    keeper = Keeper()
    with ModbusServer([1]) as server:
        unit = server.units[1]
        unit.set(RegisterTable.INPUT, 0, [10])
        unit.silent = True
        with source(keeper, [device("d", server.address, timeout_s=0.3)], jitter=lambda: 1.0) as made:
            wait_until(lambda: made.tally()["failures"].get("d: silent"), "the time-out")
            unit.set(RegisterTable.INPUT, 0, [20])
            unit.silent = False
            wait_until(lambda: len(keeper.of("d")) > 2, "answers")
        assert set(keeper.of("d")) == {2.0}


def test_a_gateway_that_is_not_there_or_says_nothing_holds_no_other_up() -> None:
    keeper = Keeper()
    free = socket.create_server(("127.0.0.1", 0))
    gone = free.getsockname()
    free.close()
    with ModbusServer([1]) as server, stand_in(lambda _connection: threading.Event().wait(5)) as mute:
        server.units[1].set(RegisterTable.INPUT, 0, [1])
        devices = [device("good", server.address), device("gone", gone), device("mute", mute, timeout_s=0.3)]
        with source(keeper, devices) as made:
            wait_until(lambda: len(keeper.of("good")) >= 10, "ten rounds of the good one")
            wait_until(lambda: made.tally()["unreachable"] >= 1, "the attempts at the one that is gone")
            wait_until(lambda: made.tally()["failures"].get("mute: silent"), "the silent one's time-out")
            assert {each.device for each in keeper.kept} == {"good"}


def test_a_gateway_that_floods_or_is_mad_is_hung_up_on_and_bounded() -> None:
    def flood(connection: socket.socket) -> None:
        while connection.recv(300):
            for _ in range(1_000):
                connection.sendall(b"\xff" * 65_536)

    with stand_in(flood) as address:
        link = ModbusLink(*address, 0.5)
        failed = link.read(1, Block(RegisterTable.INPUT, 0, 4, ()))
        assert isinstance(failed, Failed)
        assert failed.failure is Failure.MALFORMED
        assert int(failed.reason.split()[0]) <= LARGEST_BUFFER_BYTES + 4_096
        link.close()


def test_whatever_a_gateway_answers_a_read_has_a_value_or_a_reason() -> None:
    randomness = random.Random(5)  # noqa: S311

    def mad(connection: socket.socket) -> None:
        while question := connection.recv(300):
            body = randomness.choice(
                [
                    randomness.randbytes(randomness.randrange(0, 40)),
                    question[7:8] + randomness.randbytes(randomness.randrange(0, 30)),
                    bytes([question[7] | 0x80]) + randomness.randbytes(randomness.randrange(0, 3)),
                    question[7:8] + bytes([4]) + randomness.randbytes(4),
                ]
            )
            header = question[:2] + b"\0\0" + (len(body) + 1).to_bytes(2, "big") + question[6:7]
            connection.sendall(header + body if randomness.random() < 0.9 else randomness.randbytes(60))
            if randomness.random() < 0.3:
                connection.close()
                return

    tables, found = list(RegisterTable), set[str]()
    with stand_in(mad) as address:
        link = ModbusLink(*address, 0.05)
        for number in range(250):
            block = Block(tables[number % 4], 0, 2, ())
            held = link.read(1, block)
            found.add(held.failure.value if isinstance(held, Failed) else "held")
            assert isinstance(held, Failed) or len(held) == 2
        link.close()
    assert {"held", "refused", "malformed"} <= found


def test_a_full_outbox_makes_reading_wait_and_a_state_is_not_lost() -> None:
    keeper = Keeper()
    keeper.refusing = True
    with ModbusServer([1]) as server:
        server.units[1].set(RegisterTable.COIL, 0, [1])
        points = [{"name": "door", "address": 0, "table": "coil"}]
        with source(keeper, [device("d", server.address, points=points)]):
            wait_until(lambda: keeper.refused >= 1, "the refusal")
            reads = server.units[1].reads
            keeper.refusing = False
            wait_until(lambda: keeper.of("d") == ["on"], "the state")
            assert server.units[1].reads <= reads + 1


def test_after_a_reload_it_runs_as_if_started_so() -> None:
    keeper = Keeper()
    with ModbusServer([1, 2]) as server, ModbusServer([1]) as other:
        for unit in (*server.units.values(), *other.units.values()):
            unit.set(RegisterTable.INPUT, 0, [1])
        first = [device("a", server.address, 1), device("b", server.address, 2)]
        with source(keeper, first) as made:
            wait_until(lambda: keeper.of("a") and keeper.of("b"), "both")
            made.adopt(with_modbus(device("a", server.address, 1), device("c", other.address)))
            wait_until(lambda: keeper.of("c"), "the new one")
            count = len(keeper.of("a"))
            wait_until(lambda: len(keeper.of("a")) > count, "the one that stays")
            gone = len(keeper.of("b"))
            count = len(keeper.of("a"))
            wait_until(lambda: len(keeper.of("a")) > count + 2, "more of it")
            assert len(keeper.of("b")) <= gone + 1
            assert server.connections == 1
            made.adopt(with_modbus(device("c", other.address)))
            wait_until(lambda: f"modbus-127.0.0.1:{server.address[1]}" not in names(), "the end")


def names() -> set[str]:
    return {each.name for each in threading.enumerate()}


def test_four_hundred_devices_take_one_thread_for_each_gateway() -> None:
    keeper = Keeper()
    with ModbusServer(range(1, 201)) as first, ModbusServer(range(1, 201)) as second:
        devices = []
        for number, server in enumerate((first, second)):
            for unit, simulated in server.units.items():
                simulated.set(RegisterTable.INPUT, 0, [unit])
                points = [{"name": "t", "address": 0, "table": "input", "period_s": 5}]
                devices.append(device(f"d-{number}-{unit}", server.address, unit, points=points))
        with source(keeper, devices):
            wait_until(lambda: len({each.device for each in list(keeper.kept)}) == 400, "a reading of each")
            assert len([name for name in names() if name.startswith("modbus-127")]) == 2
            assert first.connections == second.connections == 1
