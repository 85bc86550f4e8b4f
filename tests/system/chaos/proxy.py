"""A TCP proxy that misbehaves on order: between a node and its broker, between the cloud and its database.

It runs on a thread of its own. What it does to a connection is the network's doing: a connection that fell into a black
hole stays silent for ever, also when new ones pass again, as one does whose way has forgotten it.
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, TypeVar

CHUNK_BYTES = 65_536
_LEAST_PIECE_BYTES = 512
_PIECE_S = 0.1
_RESET = struct.pack("ii", 1, 0)

Result = TypeVar("Result")


class Conduct(StrEnum):
    """What the proxy does with what it is given."""

    PASS = "pass"
    REFUSE = "refuse"  # connections are reset, new ones too
    BLACK_HOLE = "black_hole"  # accepts, and says nothing ever again
    DELAY = "delay"  # each piece comes later
    THROTTLE = "throttle"  # so many bytes a second
    HALVE = "halve"  # after a few pieces, half of one passes, then the connection is reset


@dataclass(frozen=True, slots=True)
class Weather:
    """A conduct with its figures."""

    conduct: Conduct = Conduct.PASS
    delay_s: float = 0.0
    bytes_per_s: float = float("inf")


FAIR = Weather()


@dataclass(slots=True)
class ProxyFigures:
    """What went through, for reports."""

    connections: int = 0
    resets: int = 0
    swallowed_bytes: int = 0
    passed_bytes: int = 0


@dataclass(eq=False, slots=True)
class _Passage:
    """One connection: both ends. `lost`: it fell into a black hole."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    lost: bool = False
    pieces_left: int = field(default_factory=lambda: random.randint(6, 40))  # noqa: S311  # no secret

    def reset(self) -> None:
        for writer in (self.near, self.far):
            if writer is None:
                continue
            with contextlib.suppress(OSError):
                known: socket.socket = writer.get_extra_info("socket")
                known.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


class Proxy:
    """Listens on a free loopback port and passes on to `target_port`, in the present weather."""

    def __init__(self, name: str, target_port: int) -> None:
        self.name = name
        self.target_port = target_port
        self.port = 0
        self.figures = ProxyFigures()
        self._weather = FAIR
        self._passages: set[_Passage] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, name=f"proxy-{name}", daemon=True)

    def start(self) -> Self:
        """Listen."""
        self._thread.start()
        self._server = self._call(self._listen)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        """Reset everything and end the thread."""
        self._call(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def weather(self) -> Weather:
        """What it does now."""
        return self._weather

    def turn(self, weather: Weather) -> None:
        """Change the weather, for the connections that there are and those that come."""

        async def change() -> None:
            self._weather = weather
            for passage in list(self._passages):
                if weather.conduct is Conduct.REFUSE:
                    self._reset(passage)
                elif weather.conduct is Conduct.BLACK_HOLE:
                    passage.lost = True

        self._call(change)

    def cut(self) -> None:
        """Reset every connection once; new ones pass."""

        async def reset_all() -> None:
            for passage in list(self._passages):
                self._reset(passage)

        self._call(reset_all)

    # --- on the loop --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _call(self, work: Callable[[], Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(10.0)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for passage in list(self._passages):
            passage.reset()
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.figures.connections += 1
        passage = _Passage(writer)
        if self._weather.conduct is Conduct.REFUSE:
            self._reset(passage)
            return
        self._passages.add(passage)
        try:
            if self._weather.conduct is Conduct.BLACK_HOLE:
                passage.lost = True
                await self._swallow(reader)
                return
            far_reader, passage.far = await asyncio.open_connection("127.0.0.1", self.target_port)
            up = asyncio.create_task(self._pump(passage, reader, passage.far))
            down = asyncio.create_task(self._pump(passage, far_reader, writer))
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            if passage.lost:  # the other end does not hear of it
                await asyncio.wait({up, down})
        except asyncio.CancelledError:
            return  # the proxy stops
        except OSError:
            self.figures.resets += 1
        finally:
            passage.reset()
            self._passages.discard(passage)

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                self.figures.swallowed_bytes += len(chunk)

    @property
    def _piece_bytes(self) -> int:
        """What is passed on at a time: a narrow way lets a little through all the time, not much now and then."""
        if self._weather.conduct is not Conduct.THROTTLE:
            return CHUNK_BYTES
        return max(_LEAST_PIECE_BYTES, min(CHUNK_BYTES, int(self._weather.bytes_per_s * _PIECE_S)))

    async def _pump(self, passage: _Passage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, to the end of its sender. Of a lost connection neither end hears that the other has gone."""
        with contextlib.suppress(OSError):
            while chunk := await reader.read(self._piece_bytes):
                weather = self._weather
                if passage.lost:
                    self.figures.swallowed_bytes += len(chunk)
                    continue
                if weather.conduct is Conduct.DELAY:
                    await asyncio.sleep(weather.delay_s)
                elif weather.conduct is Conduct.THROTTLE:
                    await asyncio.sleep(len(chunk) / weather.bytes_per_s)
                elif weather.conduct is Conduct.HALVE:
                    passage.pieces_left -= 1
                    if passage.pieces_left <= 0:
                        writer.write(chunk[: len(chunk) // 2])
                        await writer.drain()
                        self._reset(passage)
                        return
                writer.write(chunk)
                await writer.drain()
                self.figures.passed_bytes += len(chunk)

    def _reset(self, passage: _Passage) -> None:
        self.figures.resets += 1
        passage.reset()
