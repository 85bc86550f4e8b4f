"""One HTTPS request to an address that somebody gave: never into our own network, never along a redirection, never for long.

Whoever can name an address could have the cloud ask inside of its own network (SSRF). So a name is resolved once, every address of it has to be
public or in a network that the operator has named, and the connection goes to the address that was looked at, not to the name again.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import certifi
import httpcore

from cloud.errors import ChannelAway, ChannelRefused
from cloud.notify.model import Failure

CONNECT_S = 5.0
ANSWER_S = 10.0
WHOLE_S = 20.0
"""The longest that one request takes, however often the other side says a little of its answer."""
_SLICE_BYTES = 16_384

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name. Raises ChannelAway."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ChannelAway(Failure.UNREACHABLE) from None
    return [str(entry[4][0]) for entry in found]


class Addresses:
    """Where notices may be sent: public addresses, and the networks that the operator has named."""

    def __init__(self, allowed: Iterable[str] = (), *, resolve: Resolve = resolve) -> None:
        self._allowed: list[Network] = [ipaddress.ip_network(each) for each in allowed]
        self._resolve = resolve

    def admit(self, host: str, port: int) -> str:
        """The one address to connect to. Raises ChannelRefused when any address of the host is not allowed, ChannelAway when it has none."""
        found = self._resolve(host, port)
        if not found:
            raise ChannelAway(Failure.UNREACHABLE)
        if not all(self._is_allowed(each) for each in found):
            raise ChannelRefused(Failure.FORBIDDEN_ADDRESS)
        return found[0]

    def _is_allowed(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped is not None:
            address = mapped
        inside = any(address in network for network in self._allowed if network.version == address.version)
        return inside or (address.is_global and not address.is_multicast and not _embeds(address))


_EMBEDDING = tuple(
    ipaddress.IPv6Network(each)
    for each in (
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "64:ff9b:1::/48",  # NAT64 of one's own (RFC 8215)
        "2002::/16",  # 6to4 (RFC 3056)
        "2001::/32",  # Teredo (RFC 4380)
        "::/96",  # IPv4-compatible (RFC 4291 §2.5.5.1)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
    )
)
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""The upper half of an interface identifier with an IPv4 address in the lower (RFC 5214 §6.1)."""


def _embeds(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address carries another one, which a router of ours could unwrap."""
    if isinstance(address, ipaddress.IPv4Address):
        return False
    return any(address in network for network in _EMBEDDING) or int(address) >> 32 & 0xFFFF_FFFF in _ISATAP


class _Deadline:
    """When a request is over, whoever is still talking. The timeouts of the library hold for each read by itself."""

    def __init__(self, whole_s: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._over_at = clock() + whole_s

    def left_s(self, timeout_s: float | None) -> float:
        """How long one operation may still take. Raises httpcore.TimeoutException."""
        left = self._over_at - self._clock()
        if left <= 0:
            raise httpcore.TimeoutException
        return left if timeout_s is None else min(left, timeout_s)


class _Limited(httpcore.NetworkStream):
    """A connection that no reading and no writing keeps open beyond the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _SLICE_BYTES):
            self._stream.write(buffer[start : start + _SLICE_BYTES], self._deadline.left_s(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left_s(timeout))
        return _Limited(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    """Connects only where it may, and only until the deadline."""

    def __init__(self, addresses: Addresses, deadline: _Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        address = self._addresses.admit(host, port)
        left_s = self._deadline.left_s(timeout)
        return _Limited(super().connect_tcp(address, port, left_s, local_address, socket_options), self._deadline)


class Post:
    """Sends bodies by POST. Keeps no connection and no cookie: what is sent to one says nothing to the next."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        trust: ssl.SSLContext | None = None,
        whole_s: float = WHOLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses = addresses
        self._whole_s = whole_s
        self._clock = clock
        self._trust = trust or ssl.create_default_context(cafile=certifi.where())

    def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send; a status of 2xx is success. Raises ChannelAway, ChannelRefused."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username is not None:
            raise ChannelRefused(Failure.FORBIDDEN_ADDRESS)
        backend = _Backend(self._addresses, _Deadline(self._whole_s, self._clock))
        timeout = {"connect": CONNECT_S, "read": ANSWER_S, "write": ANSWER_S, "pool": CONNECT_S}
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._trust, max_connections=1, network_backend=backend) as pool,
                pool.stream(
                    "POST", url, headers=list(headers.items()), content=body, extensions={"timeout": timeout}
                ) as answer,
            ):
                status = answer.status
        except httpcore.TimeoutException:
            raise ChannelAway(Failure.TIMED_OUT) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError):
            raise ChannelAway(Failure.UNREACHABLE) from None
        judge(status)


def judge(status: int) -> None:
    """What a status means. Raises ChannelAway where it can help to try again, ChannelRefused where it can't."""
    match status:
        case _ if 200 <= status < 300:
            return
        case 404 | 410:
            raise ChannelRefused(Failure.GONE)
        case 408 | 425 | 429:
            raise ChannelAway(Failure.BUSY)
        case _ if status >= 500:
            raise ChannelAway(Failure.BUSY)
        case _:  # a redirection too: where it leads nobody has looked at
            raise ChannelRefused(Failure.REFUSED)
