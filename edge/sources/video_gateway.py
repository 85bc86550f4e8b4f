"""The video gateways of a node (视频网关): one thread with one asyncio loop for each, shared by all its cameras.

A camera's thread asks for an address and waits; what it asks for is cancelled as soon as the camera stops or its time is
over, so that a gateway that holds every call costs a node nothing but those cameras.
"""

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import structlog

from edge.errors import ChannelRefused, ConfigurationError, GatewayLost, SourceLost
from edge.settings import CameraSettings, GatewaySettings
from edge.sources.gb28181 import SCHEME, Channel
from edge.sources.wvp import NoStreamInTime, Secret, Wvp

ASK_ANYWAY_S: Final = 60.0
"""So often a channel that is told to be offline is invited all the same: not every platform keeps its word up to date."""

LISTING_TIMEOUT_S: Final = 120.0
_POLL_S: Final = 0.05
_STOP_PATIENCE_S: Final = 2.0

_log = structlog.get_logger(__name__)

_Result = TypeVar("_Result")
HealthListener = Callable[[str, str | None], None]


@dataclass(slots=True)
class GatewayCounters:
    """What was asked of one gateway since the start. `invitations`: calls to play, of which `streams` came to an address and
    `held` were given up. `refused`: answered without a stream, for whatever reason; `offline` of them because the channel was
    told to be off. `lost`: the gateway did not answer, or did not let the node in.
    """

    invitations: int = 0
    streams: int = 0
    held: int = 0
    refused: int = 0
    offline: int = 0
    lost: int = 0


class ChannelOffline(ChannelRefused):
    """The gateway says that the channel is off; it was not invited."""


class VideoGateway:
    """One gateway. Threads of cameras call `invite`; all else happens in the thread `gateway-<id>`."""

    def __init__(
        self,
        settings: GatewaySettings,
        secret: Secret,
        on_health: HealthListener,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_health` is told the gateway's id and what is wrong with it, None once it is well; on changes only."""
        self.settings = settings
        self.counters = GatewayCounters()
        self._secret = secret
        self._on_health = on_health
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._problem: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wvp: Wvp | None = None
        self._thread: threading.Thread | None = None

    @property
    def logins(self) -> int:
        """How often this node logged in, or tried to."""
        return 0 if self._wvp is None else self._wvp.logins

    @property
    def problem(self) -> str | None:
        """What is wrong with the gateway at present."""
        return self._problem

    def start(self) -> None:
        """Be ready for calls; nothing is connected before the first one."""
        if self._thread is not None:
            return
        self._loop = asyncio.new_event_loop()
        self._wvp = Wvp(self.settings, self._secret, monotonic_s=self._monotonic_s)
        self._thread = threading.Thread(target=self._run, name=f"gateway-{self.settings.id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; calls that still wait end with GatewayLost."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_PATIENCE_S)

    def channels(self) -> list[Channel]:
        """All channels of the gateway. Raises GatewayLost and ChannelRefused."""

        async def listed(wvp: Wvp) -> list[Channel]:
            async with asyncio.timeout(LISTING_TIMEOUT_S):
                return [channel async for channel in wvp.channels()]

        try:
            return self._call(listed, threading.Event())
        except TimeoutError as error:
            raise GatewayLost(f"the list of channels did not end within {LISTING_TIMEOUT_S:.0f} s") from error

    def invite(self, code: str, device: str | None, stopping: threading.Event, *, anyway: bool) -> tuple[str, ...]:
        """Where the stream of a channel can be read, the likeliest address first.

        `anyway`: also when the channel is told to be offline. Raises GatewayLost and ChannelRefused, and SourceLost when
        `stopping` was set meanwhile.
        """
        try:
            found = self._call(lambda wvp: self._invite(wvp, code, device, anyway=anyway), stopping)
        except GatewayLost as error:
            self._count(lost=1)
            self._tell(str(error))
            raise
        except ChannelRefused as error:
            self._count(refused=1, held=isinstance(error, NoStreamInTime), offline=isinstance(error, ChannelOffline))
            self._tell(None)
            raise
        self._count(streams=1)
        self._tell(None)
        return found

    async def _invite(self, wvp: Wvp, code: str, device: str | None, *, anyway: bool) -> tuple[str, ...]:
        try:
            channel = await wvp.channel(code, device)
        except ChannelRefused:
            if device is None:
                raise
            channel = Channel(code, device=device)  # no right to the list is no reason not to play
        if channel is None:
            raise ChannelRefused("the gateway does not know this channel, or does not know it any more")
        if channel.online is False and not anyway:
            raise ChannelOffline("the gateway says that this channel is offline")
        self._count(invitations=1)
        return await wvp.play(channel)

    def _call(self, ask: Callable[[Wvp], Coroutine[Any, Any, _Result]], stopping: threading.Event) -> _Result:
        """Run in the gateway's thread and wait here; cancelled when `stopping` is set."""
        loop, wvp = self._loop, self._wvp
        if loop is None or wvp is None or loop.is_closed():
            raise GatewayLost("the gateway is not in use any more")
        asking = ask(wvp)
        try:
            future = asyncio.run_coroutine_threadsafe(asking, loop)
        except RuntimeError as error:
            asking.close()
            raise GatewayLost("the gateway is not in use any more") from error
        while not concurrent.futures.wait([future], _POLL_S).done:
            if stopping.is_set():
                future.cancel()
                raise SourceLost("the camera is being closed")
            if self._thread is None or not self._thread.is_alive():
                raise GatewayLost("the gateway is not in use any more")
        try:
            return future.result()
        except concurrent.futures.CancelledError as error:
            raise GatewayLost("the gateway is not in use any more") from error

    def _run(self) -> None:
        loop, wvp = self._loop, self._wvp
        assert loop is not None  # noqa: S101 (made before the thread)
        assert wvp is not None  # noqa: S101
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            waiting = asyncio.all_tasks(loop)
            for task in waiting:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
            loop.run_until_complete(wvp.close())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def _count(self, **steps: int) -> None:
        with self._lock:
            for name, step in steps.items():
                setattr(self.counters, name, getattr(self.counters, name) + step)

    def _tell(self, problem: str | None) -> None:
        with self._lock:
            if problem == self._problem:
                return
            self._problem = problem
        self._on_health(self.settings.id, problem)


class ChannelAddress:
    """Invites one channel before each connection, and tries the hosts of the answer in turn until one answers.

    An address that worked once is tried first; a stream that is lost is invited anew: where the gateway still has it, it says
    so at once.
    """

    def __init__(
        self,
        gateway: VideoGateway,
        code: str,
        device: str | None,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway, self._code, self._device = gateway, code, device
        self._monotonic_s = monotonic_s
        self._host = 0
        self._pending = False
        self._invited_s = monotonic_s()

    def obtain(self, stopping: threading.Event) -> str:
        """Invite the channel. Raises GatewayLost, ChannelRefused, SourceLost."""
        if self._pending:
            self._host += 1
        self._pending = False
        anyway = self._monotonic_s() - self._invited_s >= ASK_ANYWAY_S
        try:
            found = self._gateway.invite(self._code, self._device, stopping, anyway=anyway)
        except ChannelOffline:
            raise
        except SourceLost:
            self._invited_s = self._monotonic_s()
            raise
        self._invited_s = self._monotonic_s()
        self._pending = True
        return found[self._host % len(found)]

    def opened(self) -> None:
        """The stream answers where it was last told to be."""
        self._pending = False


class Gateways:
    """All gateways of a configuration, by id."""

    def __init__(self, settings: Sequence[GatewaySettings], secret: Secret, on_health: HealthListener) -> None:
        self._secret, self._on_health = secret, on_health
        self._gateways = {each.id: VideoGateway(each, secret, on_health) for each in settings}

    def __iter__(self) -> Iterator[VideoGateway]:
        """The gateways in the order of the configuration."""
        return iter(self._gateways.values())

    def start(self) -> None:
        """Be ready for calls."""
        for gateway in self._gateways.values():
            gateway.start()

    def stop(self) -> None:
        """End all of them."""
        for gateway in self._gateways.values():
            gateway.stop()

    def adopt(self, settings: Sequence[GatewaySettings]) -> list[VideoGateway]:
        """Go on with these gateways; what is new is ready for calls. Those that are gone or changed come back, to be stopped
        once nobody calls them any more.
        """
        before = self._gateways
        kept = {each.id: before[each.id] for each in settings if each.id in before and before[each.id].settings == each}
        self._gateways = {
            each.id: kept.get(each.id) or VideoGateway(each, self._secret, self._on_health) for each in settings
        }
        self.start()
        return [gateway for name, gateway in before.items() if name not in kept]

    def gateway(self, name: str) -> VideoGateway:
        """One of them. Raises ConfigurationError when there is none of this name."""
        if name not in self._gateways:
            known = ", ".join(self._gateways) or "none is configured"
            raise ConfigurationError(f"there is no gateway `{name}`: {known}")
        return self._gateways[name]

    def address(self, camera: CameraSettings) -> ChannelAddress:
        """Where the stream of a camera with a `gb28181:` address is asked for. Raises ConfigurationError."""
        name, device = gateway_and_device(camera.url)
        return ChannelAddress(self.gateway(name), camera.id, device)


def gateway_of(url: str) -> str | None:
    """The gateway's id in the address of a camera; None for a camera without one."""
    return gateway_and_device(url)[0] if is_channel(url) else None


def is_channel(url: str) -> bool:
    """Whether a camera's address means a channel of a gateway."""
    return url.lower().startswith(f"{SCHEME}://")


def gateway_and_device(url: str) -> tuple[str, str | None]:
    """The gateway's id, and the code of the device where it stands in the address. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme != SCHEME or parts.query or parts.fragment or "@" in parts.netloc or ":" in parts.netloc:
        raise ValueError("write gb28181://GATEWAY, or gb28181://GATEWAY/DEVICE")
    return parts.netloc, parts.path.strip("/") or None
