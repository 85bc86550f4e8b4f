"""Gateways shared by the threads of cameras: the stand-in over HTTP, and real RTSP streams behind it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.errors import ChannelRefused, ConfigurationError, GatewayLost, SourceLost
from edge.flow import Health
from edge.settings import CameraSettings, GatewaySettings
from edge.simulators.camera_process import CameraProcess
from edge.simulators.wvp_gateway import WvpGateway
from edge.simulators.wvp_shapes import StandInChannel
from edge.sources.camera import CameraSource, RetryDelay
from edge.sources.mailbox import Mailbox
from edge.sources.video_gateway import ASK_ANYWAY_S, ChannelAddress, Gateways, VideoGateway, gateway_and_device
from tests.edge.waiting import wait_until
from tests.fakes.footage import write_clip

DEVICE = "11010500002000000001"
GATE, ROAD = "11010500081310000001", "11010500041310000002"
NEVER = threading.Event()


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def stand_in() -> Iterator[WvpGateway]:
    channels = (StandInChannel(code, address=f"rtsp://192.0.2.9:554/{code}", device=DEVICE) for code in (GATE, ROAD))
    with WvpGateway(*channels) as running:
        yield running


class Used:
    """A started gateway and what it said of itself."""

    def __init__(self, stand_in: WvpGateway, **more: Any) -> None:
        self.said: list[str | None] = []
        settings = GatewaySettings.model_validate({"id": "sharp-eyes", "url": stand_in.url, **more})
        self.gateway = VideoGateway(settings, lambda _file: None, lambda _name, problem: self.said.append(problem))
        self.gateway.start()


@pytest.fixture
def use(stand_in: WvpGateway) -> Iterator[Callable[..., Used]]:
    used: list[Used] = []

    def start(**more: Any) -> Used:
        used.append(Used(stand_in, **more))
        return used[-1]

    yield start
    for each in used:
        each.gateway.stop()
        assert each.gateway._thread is not None
        assert not each.gateway._thread.is_alive()


def test_an_address_names_gateway_and_device() -> None:
    assert gateway_and_device("gb28181://sharp-eyes") == ("sharp-eyes", None)
    assert gateway_and_device(f"GB28181://sharp-eyes/{DEVICE}") == ("sharp-eyes", DEVICE)
    for wrong in ("rtsp://x", "gb28181://u:p@x", "gb28181://x:80", "gb28181://x?a=1", "gb28181://[", "gb28181"):
        with pytest.raises(ValueError, match=r".+"):
            gateway_and_device(wrong)


def test_a_camera_of_an_unknown_gateway_is_a_mistake() -> None:
    gateways = Gateways((), lambda _file: None, lambda _name, _problem: None)
    camera = CameraSettings.model_validate({"id": GATE, "url": "gb28181://elsewhere"})
    with pytest.raises(ConfigurationError, match="no gateway `elsewhere`"):
        gateways.address(camera)


# --- invitations --------------------------------------------------------------------------------------------------


def test_hosts_are_tried_in_turn_and_the_one_that_answered_first(use: Callable[..., Used]) -> None:
    address = ChannelAddress(use().gateway, GATE, None)
    told, gateways = f"rtsp://192.0.2.9:554/{GATE}", f"rtsp://127.0.0.1:554/{GATE}"
    assert address.obtain(NEVER) == told
    assert address.obtain(NEVER) == gateways, "the first did not answer"
    assert address.obtain(NEVER) == told
    assert address.obtain(NEVER) == gateways
    address.opened()
    for _ in range(3):
        assert address.obtain(NEVER) == gateways, "it answered before"
        address.opened()


def test_an_invitation_without_an_address_accuses_no_host(use: Callable[..., Used], stand_in: WvpGateway) -> None:
    address = ChannelAddress(use().gateway, GATE, DEVICE)
    told = address.obtain(NEVER)
    address.opened()
    stand_in.channels[GATE].refusal = (-1, "信令超时")
    for _ in range(3):
        with pytest.raises(ChannelRefused, match="信令超时"):
            address.obtain(NEVER)
    stand_in.channels[GATE].refusal = None
    assert address.obtain(NEVER) == told


def test_an_offline_channel_is_asked_after_and_invited_once_a_minute(
    use: Callable[..., Used], stand_in: WvpGateway
) -> None:
    clock = Clock()
    used = use()
    address = ChannelAddress(used.gateway, GATE, None, monotonic_s=clock)
    channel = stand_in.channels[GATE]
    channel.online = False
    channel.refusal = (-1, "信令超时")
    for _ in range(5):
        with pytest.raises(ChannelRefused, match="this channel is offline"):
            address.obtain(NEVER)
        clock.now_s += ASK_ANYWAY_S / 6
    assert channel.plays == 0
    clock.now_s += ASK_ANYWAY_S / 6
    with pytest.raises(ChannelRefused, match="信令超时"):
        address.obtain(NEVER)
    with pytest.raises(ChannelRefused, match="this channel is offline"):
        address.obtain(NEVER)
    assert channel.plays == 1
    channel.online, channel.refusal = True, None
    assert address.obtain(NEVER)
    counters = used.gateway.counters
    assert (counters.offline, counters.refused, counters.invitations, counters.streams) == (6, 7, 2, 1)


def test_a_channel_without_a_status_is_invited(use: Callable[..., Used], stand_in: WvpGateway) -> None:
    stand_in.channels[GATE].fields = {"gbStatus": None}
    assert ChannelAddress(use().gateway, GATE, None).obtain(NEVER)


def test_a_channel_that_vanished_comes_back_by_itself(use: Callable[..., Used], stand_in: WvpGateway) -> None:
    used = use()
    address = ChannelAddress(used.gateway, GATE, None)
    gone = stand_in.channels.pop(GATE)
    with pytest.raises(ChannelRefused, match="does not know this channel"):
        address.obtain(NEVER)
    stand_in.channels[GATE] = gone
    assert address.obtain(NEVER)
    assert used.said == [], "the gateway itself was well"


def test_no_right_to_the_list_is_no_reason_not_to_play(use: Callable[..., Used], stand_in: WvpGateway) -> None:
    stand_in.refused_lists = (403, "无权限操作")
    assert ChannelAddress(use().gateway, GATE, DEVICE).obtain(NEVER)
    with pytest.raises(ChannelRefused, match="无权限操作"):
        ChannelAddress(use().gateway, GATE, None).obtain(NEVER)


def test_a_held_call_holds_nobody_else_and_says_nothing_of_the_gateway(
    use: Callable[..., Used], stand_in: WvpGateway
) -> None:
    used = use(play_timeout_s=120)
    stand_in.channels[GATE].held = True
    stopping = threading.Event()
    outcome: list[str] = []

    def invite() -> None:
        try:
            outcome.append(used.gateway.invite(GATE, None, stopping, anyway=False)[0])
        except SourceLost as error:
            outcome.append(str(error))

    waiting = threading.Thread(target=invite)
    waiting.start()
    wait_until(lambda: stand_in.channels[GATE].plays == 1)
    assert used.gateway.invite(ROAD, None, NEVER, anyway=False), "another camera is served meanwhile"
    assert outcome == []
    stopping.set()
    waiting.join(20)
    assert outcome == ["the camera is being closed"]
    assert used.said == []


def test_a_held_call_is_given_up_and_counted(use: Callable[..., Used], stand_in: WvpGateway) -> None:
    used = use(play_timeout_s=0.2)
    stand_in.channels[GATE].held = True
    with pytest.raises(ChannelRefused, match="no stream of this channel within"):
        used.gateway.invite(GATE, DEVICE, NEVER, anyway=False)
    assert (used.gateway.counters.held, used.gateway.counters.refused, used.gateway.counters.lost) == (1, 1, 0)
    assert used.said == []


def test_a_gateway_that_goes_and_comes_back_says_so_once(use: Callable[..., Used], stand_in: WvpGateway) -> None:
    used = use()
    stand_in.stop()
    for code in (GATE, ROAD, GATE):
        with pytest.raises(GatewayLost, match="does not answer"):
            used.gateway.invite(code, None, NEVER, anyway=False)
    assert used.said == ["the gateway does not answer: ConnectError"]
    assert used.gateway.problem == used.said[0]
    stand_in.start()
    assert used.gateway.invite(GATE, None, NEVER, anyway=False)
    assert used.said[1:] == [None]
    assert used.gateway.counters.lost == 3


def test_stopping_ends_whoever_waits_and_refuses_the_next(stand_in: WvpGateway) -> None:
    used = Used(stand_in, play_timeout_s=120)
    stand_in.channels[GATE].held = True
    outcome: list[str] = []

    def invite() -> None:
        with pytest.raises(GatewayLost) as lost:
            used.gateway.invite(GATE, None, NEVER, anyway=False)
        outcome.append(str(lost.value))

    waiting = threading.Thread(target=invite)
    waiting.start()
    wait_until(lambda: stand_in.channels[GATE].plays == 1)
    used.gateway.stop()
    waiting.join(20)
    assert outcome == ["the gateway is not in use any more"]
    with pytest.raises(GatewayLost, match="not in use"):
        used.gateway.invite(ROAD, None, NEVER, anyway=False)
    used.gateway.stop()


def test_one_that_was_never_started_is_stopped_without_a_word(stand_in: WvpGateway) -> None:
    gateways = Gateways(
        [GatewaySettings.model_validate({"id": "g", "url": stand_in.url})], lambda _file: None, lambda _n, _p: None
    )
    with pytest.raises(GatewayLost, match="not in use"):
        gateways.gateway("g").channels()
    gateways.stop()


def test_all_channels_can_be_listed(use: Callable[..., Used], stand_in: WvpGateway) -> None:
    assert [channel.code for channel in use().gateway.channels()] == [GATE, ROAD]
    stand_in.broken = b"<html>"
    with pytest.raises(GatewayLost):
        use().gateway.channels()


# --- with pictures ------------------------------------------------------------------------------------------------


class Watched:
    """A camera behind a gateway, what it said and how many pictures came."""

    def __init__(self, gateway: VideoGateway) -> None:
        self.said: list[tuple[Health, str | None]] = []
        self.mailbox = Mailbox()
        camera = CameraSettings.model_validate({"id": GATE, "url": "gb28181://sharp-eyes", "analysis_hz": 10})
        self.source = CameraSource(
            camera,
            self.mailbox,
            lambda health, reason: self.said.append((health, reason)),
            delay=RetryDelay(lambda: 0.0),
            addresses=ChannelAddress(gateway, GATE, None),
        )

    def sees(self) -> None:
        """Wait for a picture that is new."""
        self.mailbox.take(0.0)
        wait_until(lambda: self.mailbox.take(0.2), "a picture", timeout_s=60)

    def loses(self, words: str) -> None:
        heard = len(self.said)
        wait_until(
            lambda: any(health is Health.LOST and words in (reason or "") for health, reason in self.said[heard - 1 :]),
            words,
            timeout_s=60,
        )


@pytest.fixture
def watched(use: Callable[..., Used]) -> Iterator[Watched]:
    watched = Watched(use().gateway)
    watched.source.start()
    yield watched
    watched.source.stop()
    assert not watched.source._thread.is_alive()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "gate.mp4")


def test_pictures_come_by_invitation_and_a_lost_stream_is_invited_anew(
    stand_in: WvpGateway, watched: Watched, clip: Path, rtsp_camera: Callable[..., CameraProcess]
) -> None:
    channel = stand_in.channels[GATE]
    channel.address = ""
    watched.loses("no RTSP address")
    first = rtsp_camera(clip)
    channel.address = first.url
    watched.sees()
    plays = channel.plays
    first.kill()
    second = rtsp_camera(clip)
    channel.address = second.url  # the media server opened another port for the same channel
    watched.loses("")
    watched.sees()
    assert channel.plays > plays
    first.stop()
    second.stop()


def test_a_wrong_host_is_left_for_the_gateways_own(
    stand_in: WvpGateway, watched: Watched, clip: Path, rtsp_camera: Callable[..., CameraProcess]
) -> None:
    camera = rtsp_camera(clip)
    stand_in.channels[GATE].address = camera.url.replace("127.0.0.1", "192.0.2.9")
    watched.sees()
    assert watched.source.counters.losses >= 1
    connections = watched.source.counters.connections
    camera.cut_off()
    wait_until(lambda: watched.source.counters.connections > connections, timeout_s=60)
    watched.sees()


def test_what_the_gateway_says_of_a_channel_is_the_reason_of_its_loss(
    stand_in: WvpGateway, watched: Watched, clip: Path, rtsp_camera: Callable[..., CameraProcess]
) -> None:
    camera = rtsp_camera(clip)
    channel = stand_in.channels[GATE]
    channel.address = camera.url
    watched.sees()
    channel.online = False
    watched.sees()
    camera.kill()
    watched.loses("this channel is offline")
    stand_in.channels.pop(GATE)
    watched.loses("does not know this channel")
    stand_in.stop()
    watched.loses("the gateway does not answer")
    stand_in.channels[GATE] = channel
    channel.online = True
    camera.start()
    stand_in.start()
    watched.sees()
    assert watched.said[-1][0] is Health.OK
