import asyncio

import av
import pytest
from av.packet import Packet

from edge.errors import MediaUnusable
from edge.simulators.scene.drawn import AHEAD_S, DrawnFootage
from edge.simulators.scene.scene import Scene, random_scene
from edge.simulators.scene.story import Parameters
from tests.waiting import wait_until

START = b"\x00\x00\x00\x01"


def scene(duration_s: float, frame_period_s: float = 0.25) -> Scene:
    return random_scene(5, Parameters(duration_s=duration_s), size=(160, 90), frame_period_s=frame_period_s)


async def all_of(footage: DrawnFootage) -> list[bytes]:
    return [b"".join(START + nal for nal in (await footage.sample(number)).nals) for number in range(footage.count)]


def test_it_gives_every_picture_once_and_in_order() -> None:
    with DrawnFootage(scene(6.0)) as footage:
        units = asyncio.run(all_of(footage))
        samples = [asyncio.run(footage.sample(number)) for number in range(footage.count)]
        footage.wait_until_drawn()
    assert (footage.count, footage.frame_rate, footage.duration_s) == (24, 4.0, 6.0)
    assert [sample.frame for sample in samples] == list(range(24))
    assert [sample.present_s for sample in samples] == [number / 4 for number in range(24)]
    assert samples[0].key
    assert all(any(each.key for each in samples[number : number + 8]) for number in range(0, 24, 8))
    assert [nal[0] & 31 for nal in footage.parameter_sets] == [7, 8]
    decoder = av.CodecContext.create("h264", "r")
    shown = [frame for unit in units for frame in decoder.decode(Packet(unit))] + decoder.decode(None)
    assert [(frame.width, frame.height) for frame in shown] == [(160, 90)] * 24


def test_it_draws_no_farther_ahead_than_it_says() -> None:
    with DrawnFootage(scene(3_600.0)) as footage:
        most = round(AHEAD_S * footage.frame_rate) + 1
        wait_until(lambda: footage.drawn == most)
        asyncio.run(footage.sample(8))
        wait_until(lambda: footage.drawn == most + 8)


def test_who_waits_when_it_is_closed_is_told() -> None:
    with DrawnFootage(scene(3_600.0)) as footage:
        pass
    with pytest.raises(MediaUnusable, match="closed"):
        asyncio.run(footage.sample(footage.count - 1))
