"""Whatever happens to a channel and in whichever order: who is invited, how often, and where one looks for the stream.

And whatever a gateway does: threads, descriptors and connections do not grow.
"""

import threading
from typing import cast

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ChannelRefused, GatewayLost, SourceLost
from edge.settings import GatewaySettings
from edge.simulators.wvp_gateway import WvpGateway
from edge.simulators.wvp_shapes import StandInChannel
from edge.sources.video_gateway import ASK_ANYWAY_S, ChannelAddress, ChannelOffline, VideoGateway

CODE, DEVICE = "11010500081310000001", "11010500002000000001"
NEVER = threading.Event()
HOSTS = ("rtsp://told/x", "rtsp://gateway/x")

TROUBLES: dict[str, type[SourceLost]] = {"refused": ChannelRefused, "lost": GatewayLost}
ANSWERING = {"first answers": HOSTS[0], "second answers": HOSTS[1], "none answers": None}
EVENTS = st.one_of(st.sampled_from(["off", "on", *TROUBLES, *ANSWERING]), st.floats(0, 2 * ASK_ANYWAY_S))


class FakeGateway:
    """What a test says of the channel; it notes when it was really invited."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.offline = False
        self.trouble: type[SourceLost] | None = None
        self.answering: str | None = None
        self._invited_s = 0.0

    def meet(self, event: str | float) -> None:
        """Something happens, or time passes."""
        if not isinstance(event, str):
            self.now_s += event
        elif event in {"off", "on"}:
            self.offline, self.trouble = event == "off", None
        elif event in TROUBLES:
            self.trouble = TROUBLES[event]
        else:
            self.answering = ANSWERING[event]

    def invite(self, code: str, device: str | None, stopping: threading.Event, *, anyway: bool) -> tuple[str, ...]:
        assert (code, device, stopping) == (CODE, DEVICE, NEVER)
        if self.trouble is GatewayLost:
            raise GatewayLost("lost")
        if self.offline and not anyway:
            raise ChannelOffline("off")
        assert not self.offline or self.now_s - self._invited_s >= ASK_ANYWAY_S, "invited again too soon"
        self._invited_s = self.now_s
        if self.trouble is not None:
            raise self.trouble("refused")
        return HOSTS


@given(st.lists(EVENTS, max_size=60))
def test_an_offline_channel_is_invited_seldom_and_an_answering_host_is_kept(events: list[str | float]) -> None:
    gateway = FakeGateway()
    address = ChannelAddress(cast("VideoGateway", gateway), CODE, DEVICE, monotonic_s=lambda: gateway.now_s)
    answered: str | None = None
    failed: str | None = None
    for event in events:
        gateway.meet(event)
        try:
            found = address.obtain(NEVER)
        except SourceLost:
            continue
        assert answered is None or found == answered, "the host that answered is tried first"
        assert found != failed, "the other host is tried before the same one again"
        if found == gateway.answering:
            address.opened()
            answered, failed = found, None
        else:
            answered, failed = None, found


@pytest.mark.parametrize("trouble", ["held", "refused", "gone", "broken", "shut"])
def test_a_gateway_in_trouble_costs_nothing_that_stays(trouble: str) -> None:
    with WvpGateway(StandInChannel(CODE, address="rtsp://192.0.2.9/x", device=DEVICE)) as stand_in:
        settings = GatewaySettings.model_validate({"id": "g", "url": stand_in.url, "play_timeout_s": 0.05})
        gateway = VideoGateway(settings, lambda _file: None, lambda _name, _problem: None)
        gateway.start()
        try:
            channel = stand_in.channels[CODE]
            channel.held = trouble == "held"
            channel.refusal = (-2, "收流超时") if trouble == "refused" else None
            if trouble == "gone":
                del stand_in.channels[CODE]
            if trouble == "broken":
                stand_in.broken = b"<html>"
            if trouble == "shut":
                stand_in.stop()
            for _ in range(10):
                with pytest.raises(SourceLost):
                    gateway.invite(CODE, DEVICE, NEVER, anyway=False)
            before = _connections_to(stand_in.port)
            for _ in range(40):
                with pytest.raises(SourceLost):
                    gateway.invite(CODE, DEVICE, NEVER, anyway=False)
            assert _connections_to(stand_in.port) <= before + 1
            assert gateway._loop is not None
            assert sum(thread.name == "gateway-g" for thread in threading.enumerate()) == 1
        finally:
            gateway.stop()
        assert _connections_to(stand_in.port) == 0
        assert not any(thread.name == "gateway-g" for thread in threading.enumerate())


def _connections_to(port: int) -> int:
    """How many connections of this process lead there."""
    return sum(
        connection.raddr.port == port for connection in psutil.Process().net_connections("tcp") if connection.raddr
    )
