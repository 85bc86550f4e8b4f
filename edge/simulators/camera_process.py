"""A simulated camera in a process of its own: the command line, and the handle that tests and the demo hold it by.

The process says on its output where it is, as one line of JSON, and takes orders as lines of JSON on its input:
`{"do": "freeze"}`, `thaw`, `cut_off`, `{"do": "slow", "rate": 0.5}`, `{"do": "garbage", "units": 20}`, `{"do": "show", "film": 1}`.
With `--control` it ends when its input does, so that it never outlives who started it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import IO, Any, Self

from edge.errors import MediaUnusable
from edge.simulators.codec import Codec
from edge.simulators.footage import Footage, load
from edge.simulators.rtsp_camera import RtspCamera
from edge.simulators.rtsp_login import Login, Scheme

_START_TIMEOUT_S = 120.0
_LONGEST_ORDER_BYTES = 4_096


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; 2 when the file can't be played."""
    options = _options(arguments)
    try:
        asyncio.run(_serve(options))
    except (MediaUnusable, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m edge.simulators.rtsp_camera", description="A simulated camera.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="any free one unless given")
    parser.add_argument("--path", default="/live")
    parser.add_argument("--user")
    parser.add_argument("--password-file", type=Path)
    parser.add_argument("--basic", action="store_true", help="Basic instead of Digest")
    parser.add_argument("--shared", action="store_true", help="all clients see the same moment")
    parser.add_argument(
        "--encode", action="store_true", help="encode even H.264, so that no frame waits for later ones"
    )
    parser.add_argument("--codec", type=Codec, choices=list(Codec), help="encode as this, unless it is that already")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="[CODEC:]FILE",
        help="another film that it can be told to show; may be given again",
    )
    parser.add_argument("--least-seconds", type=float, default=0.0, help="the last picture stays until then")
    parser.add_argument("--frame-log", type=Path, help="write when each frame was sent, as lines of JSON")
    parser.add_argument("--control", action="store_true", help="take orders on the input, end with it")
    options = parser.parse_args(arguments)
    if (options.user is None) != (options.password_file is None):
        parser.error("--user and --password-file belong together")
    return options


async def _serve(options: argparse.Namespace) -> None:
    footage = await asyncio.to_thread(
        load, options.file, encode=options.encode, least_s=options.least_seconds, codec=options.codec
    )
    also = [await asyncio.to_thread(_film, told, encode=options.encode) for told in options.also]
    login = None
    if options.user is not None:
        password = options.password_file.read_text(encoding="utf-8").strip()
        login = Login(options.user, password, Scheme.BASIC if options.basic else Scheme.DIGEST)
    with contextlib.ExitStack() as opened:
        frame_log: IO[str] | None = None
        if options.frame_log is not None:
            frame_log = opened.enter_context(options.frame_log.open("a", encoding="utf-8"))
        camera = RtspCamera(
            footage, login=login, path=options.path, shared=options.shared, frame_log=frame_log, also=also
        )
        await serve(camera, options.host, options.port, orders=options.control)


async def serve(
    camera: RtspCamera,
    host: str,
    port: int,
    *,
    orders: bool = False,
    making: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Be that camera until a signal comes, or the input ends from which it takes `orders`. `making`: what still makes its film; its error
    ends the camera, and is raised.
    """
    await camera.start(host, port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listening = await _take_orders(camera, stop) if orders else None
    made = None if making is None else asyncio.ensure_future(making())
    if made is not None:
        made.add_done_callback(lambda done: stop.set() if done.cancelled() or done.exception() else None)
    sys.stdout.write(json.dumps({"url": f"rtsp://{host}:{camera.port}{camera.path}", "port": camera.port}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    if listening is not None:
        listening.cancel()
    await camera.close()
    if made is not None and made.done():
        made.result()


def _film(told: str, *, encode: bool) -> Footage:
    """A film as it stands on the command line."""
    codec, separator, file = told.partition(":")
    if separator and codec in set(Codec):
        return load(Path(file), encode=encode, codec=Codec(codec))
    return load(Path(told), encode=encode)


async def _take_orders(camera: RtspCamera, stop: asyncio.Event) -> asyncio.Task[None]:
    """The task that takes orders from the input. Whoever starts it has to hold it: the loop itself does not."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LONGEST_ORDER_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def listen() -> None:
        while line := await reader.readline():
            _obey(camera, json.loads(line))
        stop.set()

    task = asyncio.create_task(listen())
    task.add_done_callback(lambda done: None if done.cancelled() else stop.set())
    return task


def _obey(camera: RtspCamera, order: dict[str, Any]) -> None:
    match order:
        case {"do": "freeze"}:
            camera.behaviour.frozen = True
        case {"do": "thaw"}:
            camera.behaviour.frozen = False
        case {"do": "cut_off"}:
            camera.cut_off()
        case {"do": "slow", "rate": int() | float() as rate} if rate > 0:
            camera.behaviour.rate = float(rate)
        case {"do": "garbage", "units": int() as units}:
            camera.behaviour.garbage = units
        case {"do": "show", "film": int() as film} if 0 <= film < len(camera.films):
            camera.show(film)
        case _:
            sys.stderr.write(f"unknown order {order}\n")


class CameraProcess:
    """A running camera. `url` and `port` stay the same over `kill` and `start`."""

    def __init__(
        self,
        video: Path,
        *,
        log: Path | None = None,
        user: str | None = None,
        password_file: Path | None = None,
        basic: bool = False,
        shared: bool = False,
        encode: bool = False,
        frame_log: Path | None = None,
        port: int = 0,
        codec: Codec | None = None,
        also: Sequence[tuple[Path, Codec | None]] = (),
    ) -> None:
        """`also`: other films, that `show` turns to."""
        self.port = port
        self.url = ""
        self.frame_log = frame_log
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._arguments = [str(video), "--control"]
        for name, given in (("--user", user), ("--password-file", password_file), ("--frame-log", frame_log)):
            self._arguments += [] if given is None else [name, str(given)]
        for name, chosen in (("--basic", basic), ("--shared", shared), ("--encode", encode)):
            self._arguments += [name] if chosen else []
        self._arguments += [] if codec is None else ["--codec", codec.value]
        for film, own in also:
            self._arguments += ["--also", str(film.absolute()) if own is None else f"{own.value}:{film.absolute()}"]

    def start(self) -> Self:
        """Start it and wait until it listens. Raises MediaUnusable when it can't play the file."""
        with self._log.open("ab") if self._log is not None else contextlib.nullcontext() as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge.simulators.rtsp_camera", *self._arguments, "--port", str(self.port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=Path(__file__).resolve().parents[2],
                start_new_session=True,
            )
        output = self._process.stdout
        ready = output is not None and select.select([output], [], [], _START_TIMEOUT_S)[0]
        line = output.readline() if output is not None and ready else b""
        if not line:
            self.stop()
            raise MediaUnusable(f"the simulated camera did not start: {' '.join(self._arguments)}")
        said = json.loads(line)
        self.url, self.port = said["url"], said["port"]
        return self

    @property
    def pid(self) -> int:
        """The process id, 0 when it does not run."""
        return 0 if self._process is None or self._process.poll() is not None else self._process.pid

    def freeze(self) -> None:
        """Send nothing any more, and keep the connections."""
        self._order({"do": "freeze"})

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._order({"do": "thaw"})

    def cut_off(self) -> None:
        """Break every connection; new ones are welcome."""
        self._order({"do": "cut_off"})

    def slow(self, rate: float) -> None:
        """Play at this speed: 0.5 is half."""
        self._order({"do": "slow", "rate": rate})

    def show(self, film: int) -> None:
        """Show another film from now on, in the streams that there are: 0 is the first."""
        self._order({"do": "show", "film": film})

    def send_garbage(self, units: int) -> None:
        """Send random bytes in place of the next access units."""
        self._order({"do": "garbage", "units": units})

    def kill(self) -> None:
        """End it at once; `start` brings it back on the same port."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """End it. May be called again."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _order(self, order: dict[str, object]) -> None:
        if self._process is None or self._process.stdin is None:
            raise MediaUnusable("the simulated camera does not run")
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
