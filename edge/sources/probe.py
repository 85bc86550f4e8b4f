"""One question to a far end, and how long its answer took: a TCP connection, a UDP echo, or an ICMP echo without privileges.

Nothing is resolved and no program is started: an address and a socket.
"""

import asyncio
import itertools
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

from edge.settings.leased_lines import LeasedLineSettings, ProbeMethod

_ECHO_REQUEST: Final = {socket.AF_INET: 8, socket.AF_INET6: 128}
_ECHO_REPLY: Final = {socket.AF_INET: 0, socket.AF_INET6: 129}
_PROTOCOL: Final = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_TOKEN_BYTES: Final = 16
_LARGEST_ANSWER_BYTES: Final = 1_500
_MOST_STRANGERS: Final = 100
"""Datagrams that answer something else, before a question counts as unanswered."""

_numbers = itertools.count(1)


async def ask(line: LeasedLineSettings, *, monotonic: Callable[[], float] = time.monotonic) -> float | None:
    """The latency in ms, or None where no answer came within the line's time-out. Raises PermissionError where the kernel does not let
    this be asked at all.
    """
    began_s = monotonic()
    try:
        answered = await asyncio.wait_for(_METHODS[line.method](str(line.target), line.port or 0), line.timeout_s)
    except PermissionError:
        raise
    except OSError:  # no route, host unreachable, time-out: the line says nothing
        return None
    return 1_000 * (monotonic() - began_s) if answered else None


async def _tcp(address: str, port: int) -> bool:
    """A far end that refuses the connection is there; nothing is said on one that it takes."""
    with _socket(address, socket.SOCK_STREAM, 0) as connection:
        # without a linger the connection is simply dropped: nothing of it stays behind in either kernel
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
        except ConnectionRefusedError:
            return True
    return True


async def _udp(address: str, port: int) -> bool:
    """What comes back has to be what went out; a far end that says that nobody listens is there as well."""
    with _socket(address, socket.SOCK_DGRAM, 0) as connection:
        token = os.urandom(_TOKEN_BYTES)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
            await asyncio.get_running_loop().sock_sendall(connection, token)
            return await _hear(connection, lambda data: data == token)
        except ConnectionRefusedError:
            return True


async def _icmp(address: str, _port: int) -> bool:
    """RFC 792, RFC 4443. The kernel puts its own identifier and checksum in, and hands over the replies to that alone."""
    family = _family(address)
    number = next(_numbers) & 0xFFFF
    token = os.urandom(_TOKEN_BYTES)
    request = _icmp_message(_ECHO_REQUEST[family], number, token)
    with _socket(address, socket.SOCK_DGRAM, _PROTOCOL[family]) as connection:
        await asyncio.get_running_loop().sock_connect(connection, (address, 0))
        await asyncio.get_running_loop().sock_sendall(connection, request)
        return await _hear(connection, lambda data: data[:1] == bytes([_ECHO_REPLY[family]]) and data[8:] == token)


_METHODS: Final = {ProbeMethod.TCP: _tcp, ProbeMethod.UDP: _udp, ProbeMethod.ICMP: _icmp}


async def _hear(connection: socket.socket, is_answer: Callable[[bytes], bool]) -> bool:
    for _ in range(_MOST_STRANGERS):
        if is_answer(await asyncio.get_running_loop().sock_recv(connection, _LARGEST_ANSWER_BYTES)):
            return True
    return False


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _socket(address: str, kind: socket.SocketKind, protocol: int) -> socket.socket:
    made = socket.socket(_family(address), kind, protocol)
    made.setblocking(False)
    return made


def _icmp_message(kind: int, number: int, token: bytes) -> bytes:
    """Checksum of RFC 1071; over ICMPv6 the kernel makes it."""
    message = struct.pack(">BBHHH", kind, 0, 0, 0, number) + token
    total = sum(struct.unpack(f">{len(message) // 2}H", message))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return message[:2] + struct.pack(">H", ~total & 0xFFFF) + message[4:]
