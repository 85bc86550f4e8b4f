"""The HTTP interface of WVP-GB28181-pro: log in, list channels, invite one. Lives inside of one asyncio loop.

An answer is `{code, msg, data}`, 0 for success; HTTP 401 or code 401 mean that the token is worn out (it lasts for half an
hour). What the gateway sends is bounded in size and time: a call to play can be held for 180 s by it.
"""

import asyncio
import hashlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec

from edge.errors import ChannelRefused, ConfigurationError, GatewayLost
from edge.settings import GatewaySettings
from edge.sources.gb28181 import Channel, channel_of, device_of, play_addresses, reason_in, rows_of

ASK_TIMEOUT_S: Final = 8.0
"""For everything but an invitation."""

LONGEST_S: Final = 150.0
"""Never waited for: every call has a shorter time-out as a whole."""

WALK_REST_S: Final = 60.0
"""Between two walks through the channels of all devices for the sake of one that is nowhere."""

LOGIN_REST_S: Final = 30.0
"""After a refused log-in: an account that is guessed at gets locked."""

MOST_CHANNELS: Final = 20_000
_PAGE: Final = 100
_LARGEST_ANSWER_BYTES: Final = 4 << 20
_UNAUTHORISED: Final = 401
_NOT_FOUND: Final = frozenset({400, 404, 405})
"""How versions answer at addresses that they do not have."""

Secret = Callable[[Path | None], str | None]


class NoSuchInterface(ChannelRefused):
    """This version of the gateway does not have what was asked for."""


class NoStreamInTime(ChannelRefused):
    """The gateway holds an invitation for longer than one waits: that says nothing of its other channels."""


class NoAnswerInTime(GatewayLost):
    """The gateway holds a call for longer than one waits."""


class Wvp:
    """One log-in at one gateway. Neither password nor token nor address of a stream stands in an error or a log."""

    def __init__(
        self, settings: GatewaySettings, secret: Secret, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        """`secret` reads a secret's file; it is read anew for each log-in. Nothing is connected before the first call."""
        self.logins = 0
        self._settings = settings
        self._secret = secret
        self._monotonic_s = monotonic_s
        self._host = urlsplit(str(settings.url)).hostname or ""
        self._client: httpx.AsyncClient | None = None
        self._token: str | None = None
        self._logging_in = asyncio.Lock()
        self._walking = asyncio.Lock()
        self._walk_from_s = float("-inf")
        self._walked: dict[str, Channel] = {}
        self._devices: dict[str, str] = {}
        self._rest_until_s = float("-inf")
        self._refusal = ""

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.aclose()

    # --- channels -----------------------------------------------------------------------------------------------

    async def channels(self) -> AsyncIterator[Channel]:
        """All channels of all devices, each once, `MOST_CHANNELS` at most. Raises GatewayLost and ChannelRefused."""
        seen: set[str] = set()
        try:
            async for row in self._rows("/api/common/channel/list", {}):
                channel = channel_of(row)
                if channel is not None and channel.code not in seen:
                    seen.add(channel.code)
                    yield channel
        except NoSuchInterface:
            async for row in self._rows("/api/device/query/devices", {}):
                device = device_of(row)
                if device is None:
                    continue
                async for channel in self._channels_of(device, {}):
                    if channel.code not in seen:
                        seen.add(channel.code)
                        yield channel

    async def channel(self, code: str, device: str | None) -> Channel | None:
        """One channel, of a device where that is known; None when the gateway does not know it."""
        device = device or self._devices.get(code)
        if device is None:
            try:
                rows = [row async for row in self._rows("/api/common/channel/list", {"query": code})]
            except NoSuchInterface:
                return await self._walk_for(code)
            found = [channel_of(row) for row in rows]
        else:
            found = [channel async for channel in self._channels_of(device, {"query": code})]
        return next((channel for channel in found if channel is not None and channel.code == code), None)

    async def _walk_for(self, code: str) -> Channel | None:
        """Look through the channels of all devices, seldom; whose they are is remembered."""
        async with self._walking:
            if self._monotonic_s() >= self._walk_from_s:
                walked = [channel async for channel in self.channels()]
                self._walked = {channel.code: channel for channel in walked}
                self._devices = {channel.code: channel.device for channel in walked if channel.device is not None}
                self._walk_from_s = self._monotonic_s() + WALK_REST_S
            return self._walked.get(code)

    async def _channels_of(self, device: str, query: Mapping[str, str]) -> AsyncIterator[Channel]:
        async for row in self._rows(f"/api/device/query/devices/{device}/channels", query):
            channel = channel_of(row, device=device)
            if channel is not None:
                yield channel

    async def _rows(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Any]:
        """The elements of all pages. The last one is not full, or comes again: what is told of the total is not needed."""
        before: list[Any] = []
        for page in range(1, MOST_CHANNELS // _PAGE + 1):
            rows = rows_of(await self._ask(path, {**query, "page": str(page), "count": str(_PAGE)}, ASK_TIMEOUT_S))
            if rows == before:
                return
            for row in rows[:_PAGE]:
                yield row
            if len(rows) < _PAGE:
                return
            before = rows

    # --- invitations --------------------------------------------------------------------------------------------

    async def play(self, channel: Channel) -> tuple[str, ...]:
        """Invite a channel and tell where its stream can be read, the likeliest address first.

        The gateway ends it by itself twenty seconds after its last reader went. It is never stopped from here: others may
        watch the same stream. Raises GatewayLost, and ChannelRefused when there is no stream.
        """
        timeout_s = self._settings.play_timeout_s
        query: dict[str, str] = {}
        if channel.device is not None:
            path = f"/api/play/start/{channel.device}/{channel.code}"
        elif channel.number is not None:
            path, query = "/api/common/channel/play", {"channelId": str(channel.number)}
        else:
            raise ChannelRefused("the gateway lists this channel without a way to play it: name its device")
        try:
            data = await self._ask(path, query, timeout_s)
        except NoAnswerInTime as error:
            raise NoStreamInTime(f"the gateway got no stream of this channel within {timeout_s:g} s") from error
        found = play_addresses(data, gateway_host=self._host, stream_host=self._settings.stream_host)
        if not found:
            raise ChannelRefused("the gateway names no RTSP address of the stream: its media server has to offer RTSP")
        return found

    # --- calls --------------------------------------------------------------------------------------------------

    async def _ask(self, path: str, query: Mapping[str, str], timeout_s: float) -> Any:
        """`data` of a call; one that meets a worn-out token is made again after a new log-in."""
        try:
            async with asyncio.timeout(timeout_s):
                headers = await self._admission(None)
                status, answer = await self._get(path, query, headers)
                if _is_shut_out(status, answer):
                    headers = await self._admission(headers)
                    status, answer = await self._get(path, query, headers)
        except TimeoutError as error:
            raise NoAnswerInTime(f"the gateway did not answer within {timeout_s:g} s") from error
        if _is_shut_out(status, answer):
            raise GatewayLost("the gateway does not let this node in: user, password or key are wrong or have no right")
        return _data(status, answer)

    async def _admission(self, worn: Mapping[str, str] | None) -> dict[str, str]:
        """The header that lets a call in; `worn` is one that did not any more."""
        settings = self._settings
        if settings.api_key_file is not None:
            return {"api-key": self._read(settings.api_key_file)}
        if settings.user is None:
            return {}
        async with self._logging_in:
            if self._token is None or (worn or {}).get("access-token") == self._token:
                self._token = None
                self._token = await self._log_in(settings.user, self._read(settings.password_file))
            return {"access-token": self._token}

    async def _log_in(self, user: str, password: str) -> str:
        if self._monotonic_s() < self._rest_until_s:
            raise GatewayLost(self._refusal)
        self.logins += 1
        digest = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
        status, answer = await self._get("/api/user/login", {"username": user, "password": digest}, {})
        data = answer.get("data")
        token = data.get("accessToken") if isinstance(data, dict) else None
        if _code_of(answer) == 0 and isinstance(token, str) and token.isprintable() and token.isascii() and token:
            return token
        if status < 500:
            self._refusal = f"the gateway refuses the log-in of `{user}`: {reason_in(answer.get('msg'))}"
            self._rest_until_s = self._monotonic_s() + LOGIN_REST_S
            raise GatewayLost(self._refusal)
        raise GatewayLost(f"the gateway fails at the log-in: HTTP {status}")

    def _read(self, file: Path | None) -> str:
        try:
            return self._secret(file) or ""
        except ConfigurationError as error:
            raise GatewayLost(f"the log-in of the gateway can't be read: {error}") from error

    async def _get(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """HTTP status and answer; an answer that is none is empty."""
        if self._client is None:
            self._client = self._make_client()
        content = bytearray()
        try:
            async with self._client.stream("GET", path, params=dict(query), headers=dict(headers)) as response:
                async for part in response.aiter_raw():
                    content += part
                    if len(content) > _LARGEST_ANSWER_BYTES:
                        raise GatewayLost("the gateway's answer is larger than any that is meant")
        except (httpx.HTTPError, ssl.SSLError, OSError) as error:
            raise GatewayLost(f"the gateway does not answer: {type(error).__name__}") from error
        try:
            answer = msgspec.json.decode(bytes(content))
        except (ValueError, RecursionError):
            answer = None
        return response.status_code, answer if isinstance(answer, dict) else {}

    def _make_client(self) -> httpx.AsyncClient:
        url = str(self._settings.url)
        tls: ssl.SSLContext | bool = False
        if url.startswith("https:"):
            try:
                tls = ssl.create_default_context(cafile=self._settings.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise GatewayLost(
                    f"the file with the gateway's authority can't be used: {type(error).__name__}"
                ) from error
        return httpx.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=LONGEST_S,
            verify=tls,
            follow_redirects=False,
            trust_env=False,
        )


def _code_of(answer: Mapping[str, Any]) -> int | None:
    """The code of an answer; None for what is none."""
    code = answer.get("code")
    try:
        return int(code) if isinstance(code, int | str) else None
    except ValueError:
        return None


def _is_shut_out(status: int, answer: Mapping[str, Any]) -> bool:
    return status == _UNAUTHORISED or _code_of(answer) == _UNAUTHORISED


def _data(status: int, answer: Mapping[str, Any]) -> Any:
    """What a good answer holds. Raises GatewayLost for what is none, and ChannelRefused for a refusal."""
    code = _code_of(answer)
    if status in _NOT_FOUND and (code is None or code in _NOT_FOUND):
        raise NoSuchInterface(f"the gateway does not have this: HTTP {status}")
    if code is None:
        raise GatewayLost(f"the gateway answers what it can't mean: HTTP {status}")
    if code != 0:
        raise ChannelRefused(f"the gateway says: {reason_in(answer.get('msg'))} (code {code})")
    return answer.get("data")
