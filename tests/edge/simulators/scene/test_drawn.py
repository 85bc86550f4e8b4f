import asyncio
import errno
import socket

import av
import pytest
from av.codec.codec import UnknownCodecError
from av.packet import Packet

from edge.errors import ConfigurationError, MediaUnusable
from edge.simulators.scene.camera import serve_scene
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


def test_whatever_drawing_fails_over_is_told_to_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UnknownCodecError("libx264")

    monkeypatch.setattr(Scene, "frames", fail)
    with pytest.raises(MediaUnusable, match="libx264"), DrawnFootage(scene(6.0)) as footage:
        footage.wait_until_drawn()


def test_a_port_that_is_taken_is_said_in_words() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigurationError, match="--port"):
            serve_scene(scene(2.0), "127.0.0.1", other.getsockname()[1])


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_said_in_words(host: str) -> None:
    with pytest.raises(ConfigurationError, match="can't be listened at"):
        serve_scene(scene(2.0), host, 0)


def test_another_failure_is_not_told_as_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: DrawnFootage) -> DrawnFootage:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(DrawnFootage, "__enter__", full)
    with pytest.raises(OSError, match="No space"):
        serve_scene(scene(2.0), "127.0.0.1", 0)


def test_a_shape_of_pictures_that_shows_no_ground_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--size"):
        random_scene(7, Parameters(duration_s=2.0, aspect=30.0))
