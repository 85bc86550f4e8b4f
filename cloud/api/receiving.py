"""Bodies that are files: read as they come, piece by piece, with patience for slow lines and none for silence."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from cloud.errors import Invalid, TooLarge, TooSlow
from cloud.evidence.files import Partial
from cloud.evidence.policy import Part

_HOP_BYTES = 256 << 10  # collected before a thread writes it
_SILENCE_S = 8.0
"""Less than a node's own patience: where the way has swallowed an upload, the next try finds the file's place free."""
_GRACE_S = 60.0
_SLOWEST_BYTES_PER_S = 4_096


class BrokenOff(Invalid):
    """The body ended before its announced length."""


async def receive(request: Request, partial: Partial, part: Part) -> None:
    """Append the body. What came before a broken connection stays: the sender goes on behind it."""
    left = part.end - part.start
    waiting = bytearray()
    try:
        async for chunk in _chunks(request):
            left -= len(chunk)
            if left < 0:
                raise TooLarge("the body is longer than was said")
            waiting += chunk
            if len(waiting) >= _HOP_BYTES:
                await run_in_threadpool(partial.append, bytes(waiting))
                waiting.clear()
    except ClientDisconnect as error:
        raise BrokenOff("the body broke off") from error
    except TimeoutError as error:
        raise TooSlow("the body came too slowly") from error
    finally:
        if waiting and left >= 0:
            partial.append(bytes(waiting))
    if left > 0:
        raise BrokenOff("the body is shorter than was said")


async def read_whole(request: Request, maximum_bytes: int) -> bytes:
    """A body that is small enough to be held. Raises TooLarge, BrokenOff, TooSlow."""
    content = bytearray()
    try:
        async for chunk in _chunks(request):
            content += chunk
            if len(content) > maximum_bytes:
                raise TooLarge(f"at most {maximum_bytes} bytes are taken")
    except ClientDisconnect as error:
        raise BrokenOff("the body broke off") from error
    except TimeoutError as error:
        raise TooSlow("the body came too slowly") from error
    return bytes(content)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises TimeoutError where nothing comes for long, or so little that it would never end."""
    stream = request.stream()
    clock = asyncio.get_running_loop().time
    began_s, received = clock(), 0
    while True:
        until_s = min(clock() + _SILENCE_S, began_s + _GRACE_S + received / _SLOWEST_BYTES_PER_S)
        async with asyncio.timeout_at(until_s):
            try:
                chunk = await anext(stream)
            except StopAsyncIteration:
                return
        received += len(chunk)
        yield chunk
