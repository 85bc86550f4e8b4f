"""Where stations call, whatever they speak: a port that is taken, orders from other threads, and the end."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from edge.errors import CommandRefused, DeviceUnreachable
from edge.flow import Health, Parcel
from edge.sources.reception import Reception, Rhythm, at_moments
from tests.edge.waiting import wait_until

FAST = Rhythm(look_s=0.02, grace_s=60.0, listen_s=0.02)


@dataclass(frozen=True, slots=True)
class Where:
    host: str = "127.0.0.1"
    port: int = 7_001


class Door:
    """Opens once it may."""

    def __init__(self) -> None:
        self.may_open = threading.Event()
        self.asked: list[int] = []
        self.closed = 0

    async def open(self, host: str, port: int) -> int:
        self.asked.append(port)
        if not self.may_open.is_set():
            raise OSError(98, "Address already in use")
        assert host == "127.0.0.1"
        return port

    async def close(self) -> None:
        self.closed += 1


class Node:
    def __init__(self) -> None:
        self.statuses: list[tuple[str, Health, str | None]] = []
        self.looks = 0

    def keep(self, parcel: Parcel) -> None:
        raise AssertionError(f"nothing is to be kept here: {parcel}")

    def on_status(self, device: str, health: Health, reason: str | None) -> None:
        self.statuses.append((device, health, reason))

    def look(self) -> None:
        self.looks += 1


@contextmanager
def reception(node: Node, door: Door) -> Iterator[Reception]:
    made = Reception("here", node.keep, node.on_status, rhythm=FAST, look=node.look)
    made.adopt(Where(), {"pile-1": 60.0})
    made.start(door)
    try:
        yield made
    finally:
        made.stop()
    assert not made.is_running


def open_door() -> Door:
    door = Door()
    door.may_open.set()
    return door


def test_a_port_that_is_taken_is_tried_for_and_the_stations_are_told_lost() -> None:
    node, door = Node(), Door()
    with reception(node, door) as made:
        wait_until(lambda: bool(node.statuses), "somebody is told")
        assert node.statuses == [("pile-1", Health.LOST, "nothing listens for it: port 7001: Address already in use")]
        made.call(made.adopt, Where(port=7_002), {"pile-1": 60.0})
        wait_until(lambda: 7_002 in door.asked, "the new port")
        door.may_open.set()
        wait_until(lambda: made.port == 7_002, "it listens")
        made.call(made.heard, "pile-1")
        wait_until(lambda: node.statuses[-1] == ("pile-1", Health.OK, None), "it is there")
    assert door.closed == 1
    assert node.looks > 0


def test_the_end_comes_while_the_port_is_not_to_be_had() -> None:
    with reception(Node(), Door()) as made:
        wait_until(lambda: made.is_running, "it runs")
    assert made.port is None


def test_an_order_comes_back_with_its_answer_or_its_error() -> None:
    async def answer() -> int:
        return 7

    async def refusal() -> int:
        raise CommandRefused("no")

    with reception(Node(), open_door()) as made:
        assert made.ask("pile-1", answer, wait_s=60.0) == 7
        with pytest.raises(CommandRefused):
            made.ask("pile-1", refusal, wait_s=60.0)


def test_an_order_that_nothing_comes_of_is_given_up_and_ended() -> None:
    ended = threading.Event()

    async def silence() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    with reception(Node(), open_door()) as made:
        with pytest.raises(DeviceUnreachable, match="did not answer"):
            made.ask("pile-1", silence, wait_s=-1.0)
        assert ended.wait(60)


def test_nothing_is_asked_where_nobody_is() -> None:
    async def never() -> None:
        raise AssertionError("nobody is there")

    with reception(Node(), open_door()) as made:
        pass
    with pytest.raises(DeviceUnreachable, match="nothing listens"):
        made.ask("pile-1", never, wait_s=60.0)
    made.call(made.heard, "pile-1")  # too late, and no mistake
    made.stop()


def test_what_goes_on_beside_ends_with_it() -> None:
    began, ended = threading.Event(), threading.Event()

    async def errand() -> None:
        began.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    with reception(Node(), open_door()) as made:
        made.call(lambda: made.spawn(errand()))
        assert began.wait(60)
    assert ended.is_set()


def test_the_same_is_done_at_each_moment_until_it_fails() -> None:
    done: list[int] = []

    async def do() -> None:
        done.append(len(done))
        if len(done) == 3:
            raise DeviceUnreachable("gone")

    with pytest.raises(DeviceUnreachable):
        asyncio.run(at_moments((0.0, 0.0, 0.0, 0.0), do))
    assert done == [0, 1, 2]
