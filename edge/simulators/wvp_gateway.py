"""A stand-in for a WVP-GB28181-pro gateway: its HTTP interface, and the oddities that were seen in it.

The shapes of its answers stand in `wvp_shapes`. What is behind the channels are real RTSP streams: whoever makes the stand-in
says at which address each channel plays.

| oddity | as seen in |
|---|---|
| fields that are missing, empty, null, of another type | lists of cascaded platforms; `status` is 0/1 in older versions, ON/OFF since |
| `channelId` beside `deviceId` | older versions |
| no `/api/common/…` | older versions: HTTP 404 without an envelope |
| a call to play that is held for 180 s | `play-timeout: 180000`, a device that never sends; who calls meanwhile waits for the same invitation |
| code 100 点播超时, -1, -2, 486 in HTTP 200 | a device that does not answer the INVITE |
| the same call of `/api/common/channel/play` that is held ends with HTTP 500, code 500 and no words | nobody sees to its end there |
| a channel that is gone: code 100 通道不存在 in HTTP 200; 设备不存在, 未找到设备 | a device that was registered anew, or is gone |
| HTTP 401 with code 401 | a token after 30 minutes, or after a restart with a new key |
| an address with the host of a container, 127.0.0.1 or nothing at all | `stream-ip` that was never set |
| POST of a log-in: HTTP 400 with code 400 | two mappings on one method, of which only GET counts |
"""

import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from edge.simulators import wvp_shapes as shapes
from edge.simulators.wvp_shapes import StandInChannel

HELD_S: Final = 180.0
_LOOK_S: Final = 0.05
_HELD: Final = shapes.fail(100, "点播超时")


class WvpGateway:
    """The gateway, on a free port of the loopback address; a context manager."""

    def __init__(
        self,
        *channels: StandInChannel,
        user: str | None = None,
        password: str = "",
        api_key: str | None = None,
        unified: bool = True,
        old_fields: bool = False,
        last_page_again: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Without `user` and `api_key` everybody is let in. `unified`: the lists over all devices are there.

        `old_fields`: elements look as in older versions. `last_page_again`: so does a page behind the last one
        (`pagehelper.reasonable`).
        """
        self.channels = {channel.code: channel for channel in channels}
        self.vanished: dict[str, StandInChannel] = {}
        """Channels that it does not know any more."""
        self.requests: list[str] = []
        self.port = 0
        self.unified, self.old_fields, self.last_page_again = unified, old_fields, last_page_again
        self.refused_lists: tuple[int, str] | None = None
        """Code and words that lists are answered with: a user without the right to them."""
        self.broken: bytes | None = None
        """What every call is answered with instead."""
        self._user, self._api_key, self._tls = user, api_key, tls
        self._digest = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
        self._tokens: set[str] = set()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._held_until_s: dict[str, float] = {}
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen; again on the same port after `stop`."""
        self._over.clear()
        self._server = _Server(("127.0.0.1", self.port), _handler_of(self))
        self.port = self._server.server_address[1]
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="wvp-gateway", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """End it; calls that are held are let go. May be called again."""
        self._over.set()
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.shutdown()
            server.server_close()
            self._thread.join()

    def expire_tokens(self) -> None:
        """Every log-in is worn out, as after thirty minutes."""
        self._tokens.clear()

    def vanish(self, code: str) -> None:
        """The gateway does not know a channel any more."""
        self.vanished[code] = self.channels.pop(code)

    def appear(self, code: str) -> None:
        """It knows it again."""
        self.channels[code] = self.vanished.pop(code)

    def asked(self, path: str) -> int:
        """How often something under this path was asked for."""
        return sum(request.startswith(path) for request in self.requests)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    # --- answers ------------------------------------------------------------------------------------------------

    def answer(self, path: str, query: dict[str, str], headers: Callable[[str], str | None]) -> tuple[int, bytes]:
        """HTTP status and body of a GET."""
        self.requests.append(path)
        if self.broken is not None:
            return 200, self.broken
        if path == "/api/user/login":
            return _json(200, self._log_in(query))
        if not self._lets_in(headers, query):
            return _json(401, {"code": 401, "msg": "请登录后重新请求"})
        if self.refused_lists is not None and "/play/" not in f"{path}/":
            return _json(200, shapes.fail(*self.refused_lists))
        return self._call(path, query)

    def _log_in(self, query: dict[str, str]) -> dict[str, Any]:
        if self._user is None or query.get("username") != self._user or query.get("password") != self._digest:
            return shapes.fail(100, "用户名或密码错误")
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        return shapes.success(shapes.user(self._user, token))

    def _lets_in(self, headers: Callable[[str], str | None], query: dict[str, str]) -> bool:
        if self._user is None and self._api_key is None:
            return True
        if self._api_key is not None and headers("api-key") == self._api_key:
            return True
        return (headers("access-token") or query.get("access-token", "")) in self._tokens

    def _call(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        channels = self.channels.values()
        match path.strip("/").split("/"):
            case ["api", "common", "channel", "list"] if self.unified:
                rows = [shapes.common(c, _number(c)) for c in self._matching(query)]
                return _json(200, shapes.success(self._page(rows, query)))
            case ["api", "common", "channel", "play"] if self.unified:
                number = query.get("channelId", "")
                answer = self._play(next((c for c in channels if str(_number(c)) == number), None))
                return _json(500, shapes.fail(500, None)) if answer == _HELD else _json(200, answer)
            case ["api", "device", "query", "devices"]:
                devices = dict.fromkeys(channel.device for channel in channels)
                rows = [shapes.device(code, self._count(code)) for code in devices]
                return _json(200, shapes.success(self._page(rows, query)))
            case ["api", "device", "query", "devices", device, "channels"]:
                return _json(200, self._channels_of(device, query))
            case ["api", "play", "start", device, code]:
                return _json(200, self._play_of(device, self.channels.get(code)))
        return _json(404, shapes.not_found(path))

    def _channels_of(self, device: str, query: dict[str, str]) -> dict[str, Any]:
        if not self._count(device):
            return shapes.fail(100, f"未找到设备：{device}")
        found = [c for c in self._matching(query) if c.device == device]
        rows = [shapes.channel(c, _number(c), old=self.old_fields) for c in found]
        return shapes.success(self._page(rows, query))

    def _play_of(self, device: str, channel: StandInChannel | None) -> dict[str, Any]:
        if not self._count(device):
            return shapes.fail(100, "设备不存在")
        return self._play(channel if channel is not None and channel.device == device else None)

    def _play(self, channel: StandInChannel | None) -> dict[str, Any]:
        if channel is None:
            return shapes.fail(100, "通道不存在")
        channel.plays += 1
        if channel.held and not self._came(channel):
            return _HELD
        if channel.refusal is not None:
            return shapes.fail(*channel.refusal)
        return shapes.success(shapes.stream(channel))

    def _came(self, channel: StandInChannel) -> bool:
        """Wait with all that call meanwhile; whether the device has sent in the end."""
        with self._lock:
            until_s = self._held_until_s.setdefault(channel.code, time.monotonic() + HELD_S)
        while channel.held and time.monotonic() < until_s and not self._over.wait(_LOOK_S):
            pass
        with self._lock:
            self._held_until_s.pop(channel.code, None)
        return not channel.held

    def _matching(self, query: dict[str, str]) -> list[StandInChannel]:
        words = query.get("query", "")
        return [c for c in self.channels.values() if words in c.code or words in c.name]

    def _count(self, device: str) -> int:
        return sum(channel.device == device for channel in self.channels.values())

    def _page(self, rows: list[shapes.Row], query: dict[str, str]) -> shapes.Row:
        page, count = int(query.get("page", "1")), int(query.get("count", "10"))
        return shapes.page(rows, page, count, last_again=self.last_page_again)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _handler_of(gateway: WvpGateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self._say(*gateway.answer(parts.path, query, self.headers.get))

        def do_POST(self) -> None:
            self._say(*_json(400, shapes.fail(400, "参数或方法错误")))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
            """Nothing: addresses hold log-ins."""

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json;charset=UTF-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _number(channel: StandInChannel) -> int:
    """The number of a channel's row in the gateway's database."""
    return 1 + int(channel.code[-8:])


def _json(status: int, answer: dict[str, Any]) -> tuple[int, bytes]:
    return status, json.dumps(answer, ensure_ascii=False).encode()
