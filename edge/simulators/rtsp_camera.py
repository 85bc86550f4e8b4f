"""A simulated network camera: a file served as H.264 or H.265 over RTSP (TCP) in real time, looped, with growing timestamps.

`python -m edge.simulators.rtsp_camera FILE [--port N] [--user U --password-file F] [--frame-log F] [--control]`

Every client sees the clip from its first frame, unless `--shared`: then all see the same moment and wait for the next
key frame, as with a real camera. Frame k of loop n is due at start + n * duration + k / rate; `--frame-log` writes when
it really was sent. For tests it can be frozen, slowed, cut off and made to send garbage, and it can show another film from now on,
of another size or codec, in the midst of its streams (`edge.simulators.camera_process`).
"""

import asyncio
import contextlib
import itertools
import json
import random
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO
from urllib.parse import urlsplit

from edge.simulators import rtp
from edge.simulators.codec import LAYOUTS, kind_of
from edge.simulators.footage import Playable, Sample
from edge.simulators.playback import Behaviour, Playhead, Sender
from edge.simulators.rtsp_login import Login

_LARGEST_HEADER_BYTES = 16_384
_LARGEST_BODY_BYTES = 65_536
_IDLE_S = 75.0
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    501: "Not Implemented",
}


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    address: str
    headers: Mapping[str, str] = field(repr=False)

    @property
    def path(self) -> str:
        return urlsplit(self.address).path


_Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class _Malformed(Exception):
    """Bytes that are no request."""


class RtspCamera:
    """The camera: `start` it inside a running loop, `close` it there. `port` is known after the start."""

    def __init__(
        self,
        footage: Playable,
        *,
        login: Login | None = None,
        path: str = "/live",
        shared: bool = False,
        frame_log: IO[str] | None = None,
        also: Sequence[Playable] = (),
    ) -> None:
        """`also`: other films that it can be told to show."""
        self.films = (footage, *also)
        self.footage = footage
        self.behaviour = Behaviour()
        self.path = path
        self.port = 0
        self._login = login
        self._frame_log = frame_log
        self._connections: set[_Connection] = set()
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None
        self.shared_playhead = Playhead(footage, self.behaviour) if shared else None
        self.noise = random.Random(0)  # noqa: S311 - the same garbage each time

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_LARGEST_HEADER_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        if self.shared_playhead is not None:
            self.shared_playhead.advance(asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Stop listening and cut every client off."""
        if self._server is not None:
            self._server.close()
        self.cut_off()
        await asyncio.sleep(0)

    def show(self, number: int) -> None:
        """Show one of the films from now on: those who watch get it in the stream that they have, as with a camera whose settings
        somebody changes. Raises IndexError.
        """
        self.footage = self.films[number]

    def cut_off(self) -> None:
        """Break every connection, as a power cut of the switch would."""
        for connection in tuple(self._connections):
            connection.abort()

    @property
    def clients(self) -> int:
        """How many are playing."""
        return sum(connection.playing for connection in self._connections)

    def knows(self, path: str) -> bool:
        """Whether a request is for this camera's stream."""
        return path.rstrip("/").removesuffix("/trackID=0") == self.path.rstrip("/")

    def refuses(self, request: "_Request") -> str | None:
        """The challenge for a request without a valid log-in."""
        if self._login is None or self._login.accepts(request.headers.get("authorization"), request.method):
            return None
        return self._login.challenge()

    def note(self, client: int, loop: int, sample: Sample) -> None:
        """Write into the frame log when a frame was sent."""
        if self._frame_log is not None:
            entry = {"client": client, "loop": loop, "frame": sample.frame, "sent_at": datetime.now(UTC).isoformat()}
            self._frame_log.write(json.dumps(entry) + "\n")
            self._frame_log.flush()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, next(self._numbers), reader, writer)
        self._connections.add(connection)
        try:
            await connection.run()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, _Malformed):
            pass  # the client went away, or what it sent was no RTSP
        finally:
            connection.abort()
            self._connections.discard(connection)


class _Connection:
    """One client."""

    def __init__(
        self, camera: RtspCamera, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._camera = camera
        self._number = number
        self._reader = reader
        self._writer = writer
        self._session = secrets.token_hex(8)
        self._channel: int | None = None
        self._player: asyncio.Task[None] | None = None

    @property
    def playing(self) -> bool:
        return self._player is not None and not self._player.done()

    def abort(self) -> None:
        if self._player is not None:
            self._player.cancel()
        self._writer.transport.abort()

    async def run(self) -> None:
        while True:
            async with asyncio.timeout(_IDLE_S if not self.playing else None):
                request = await self._read()
            status, headers, body = self._answer(request)
            lines = [f"RTSP/1.0 {status} {_REASONS[status]}", f"CSeq: {request.headers.get('cseq', '0')}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            if body:
                lines.append(f"Content-Length: {len(body)}")
            self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await self._writer.drain()
            if request.method == "TEARDOWN" and status == 200:
                return
            if request.method == "PLAY" and status == 200 and not self.playing:
                self._player = asyncio.create_task(self._play())

    async def _read(self) -> _Request:
        """The next request; receiver reports between requests are skipped."""
        first = await self._reader.readexactly(1)
        while first in {b"$", b"\r", b"\n"}:
            if first == b"$":
                head = await self._reader.readexactly(3)
                await self._reader.readexactly(int.from_bytes(head[1:], "big"))
            first = await self._reader.readexactly(1)
        text = (first + await self._reader.readuntil(b"\r\n\r\n")).decode("utf-8", "replace")
        start, *lines = text.strip().split("\r\n")
        words = start.split(" ")
        if len(words) != 3 or not words[2].startswith("RTSP/"):
            raise _Malformed(start[:80])
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _LARGEST_BODY_BYTES:
            raise _Malformed(f"content length {length[:20]}")
        await self._reader.readexactly(int(length))
        return _Request(words[0], words[1], headers)

    def _answer(self, request: _Request) -> _Answer:
        if request.method == "OPTIONS":
            return 200, {"Public": _METHODS}, b""
        if (challenge := self._camera.refuses(request)) is not None:
            return 401, {"WWW-Authenticate": challenge}, b""
        if (status := self._objection(request)) is not None:
            return status, {}, b""
        if request.method == "DESCRIBE":
            body = rtp.description(self._camera.footage, host="127.0.0.1").encode()
            return 200, {"Content-Type": "application/sdp", "Content-Base": request.address.rstrip("/") + "/"}, body
        if request.method == "SETUP":
            return self._set_up(request)
        if request.method == "PAUSE" and self._player is not None:
            self._player.cancel()
        return 200, {"Session": self._session, **({"Range": "npt=now-"} if request.method == "PLAY" else {})}, b""

    def _objection(self, request: _Request) -> int | None:
        if request.method not in _METHODS.split(", "):
            return 501
        if not self._camera.knows(request.path):
            return 404
        if request.method in {"DESCRIBE", "SETUP"}:
            return None
        if request.headers.get("session", "").partition(";")[0] != self._session:
            return 454
        return 455 if request.method == "PLAY" and self._channel is None else None

    def _set_up(self, request: _Request) -> _Answer:
        for offer in request.headers.get("transport", "").split(","):
            parts = offer.strip().split(";")
            if parts[0].upper() != "RTP/AVP/TCP":
                continue
            wanted = next((part.partition("=")[2] for part in parts if part.startswith("interleaved=")), "0-1")
            number = wanted.partition("-")[0]
            self._channel = int(number) if number.isdecimal() and int(number) < 255 else 0
            channels = f"{self._channel}-{self._channel + 1}"
            return (
                200,
                {"Transport": f"RTP/AVP/TCP;unicast;interleaved={channels}", "Session": f"{self._session};timeout=60"},
                b"",
            )
        return 461, {}, b""

    async def _play(self) -> None:
        camera = self._camera
        sender = Sender(self._writer, self._channel or 0)
        playhead = camera.shared_playhead or Playhead(camera.footage, camera.behaviour)
        begun_s, origin_s = playhead.advance(asyncio.get_running_loop().time()), 0.0
        with contextlib.suppress(OSError):
            while True:
                await self._play_film(camera.footage, sender, playhead, origin_s, begun_s)
                begun_s = origin_s = playhead.advance(asyncio.get_running_loop().time())

    async def _play_film(
        self, footage: Playable, sender: Sender, playhead: Playhead, origin_s: float, begun_s: float
    ) -> None:
        """Play from a moment on, until the camera shows another film. The first loop began at `origin_s`."""
        camera = self._camera
        waiting_for_key = True
        for loop in itertools.count(int((begun_s - origin_s) // footage.duration_s)):
            from_s = origin_s + loop * footage.duration_s
            for number in range(footage.count):
                sample = await footage.sample(number)
                due_s = from_s + sample.decode_s
                waiting_for_key = waiting_for_key and not sample.key
                if waiting_for_key or due_s < begun_s:
                    waiting_for_key = True
                    continue
                await playhead.wait_until(due_s)
                if camera.footage is not footage:
                    return
                await sender.send(self._content(footage, sample), from_s + sample.present_s, footage.codec)
                camera.note(self._number, loop, sample)

    def _content(self, footage: Playable, sample: Sample) -> tuple[bytes, ...]:
        behaviour, noise, layout = self._camera.behaviour, self._camera.noise, LAYOUTS[footage.codec]
        nals, head = sample.nals, layout.head_bytes
        if behaviour.garbage > 0:
            behaviour.garbage -= 1
            return tuple(nal[:head] + noise.randbytes(len(nal) - head) for nal in nals)
        if sample.key and not any(kind_of(nal, footage.codec) == layout.parameter_sets[0] for nal in nals):
            return *footage.parameter_sets, *nals
        return nals


if __name__ == "__main__":
    from edge.simulators.camera_process import main

    sys.exit(main())
