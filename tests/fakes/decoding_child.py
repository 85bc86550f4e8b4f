"""Decodes what it is told, in a process of its own: `python -m tests.fakes.decoding_child`.

Reads paths, one per line, and answers each with a line of JSON: pictures, reason, damaged packets, changes of size, and the most
memory so far. If a clip ends the process, the one who asks finds out.
"""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import av.logging

from edge.errors import EdgeError
from edge.flow import Frame
from edge.perception.pipeline import CameraPipeline
from edge.settings import CameraSettings
from edge.video import Video

_START = datetime(2000, 1, 1, tzinfo=UTC)


def decode(path: str) -> dict[str, Any]:
    """All pictures of a clip, each looked at for motion and in colour."""
    pipeline = CameraPipeline(CameraSettings(id="c", url=path, model=None), None)
    count, reason, damaged, changes = 0, None, 0, 0
    try:
        with Video(path) as video:
            try:
                for decoded in video.frames():
                    at = _START + timedelta(seconds=count / 10)
                    pipeline.analyse(Frame("c", count, at, count / 10, decoded.picture))
                    assert decoded.picture.image.ndim == 3
                    count += 1
            finally:
                damaged, changes = video.damaged_packets, video.changes
    except EdgeError as error:
        reason = str(error)
    return {"pictures": count, "reason": reason, "damaged": damaged, "changes": changes, "most_mib": _most_mib()}


def _most_mib() -> int:
    """The most memory that this program ever had; `ru_maxrss` would count that of the process which started it, too."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("the system does not say how much memory was used")


def main() -> None:
    """Answer until the input ends."""
    av.logging.set_level(av.logging.PANIC)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(decode(line.rstrip("\n"))) + "\n")
        sys.stdout.flush()


class DecodingChild:
    """The handle of such a process."""

    def __init__(self) -> None:
        self._answers: Queue[str] = Queue()
        self._process = self._begin()

    def decode(self, path: Path | str, *, timeout_s: float = 120.0) -> dict[str, Any]:
        """What came of a clip. Fails when the process ends over it, or does not come back."""
        if self._process.poll() is not None:
            self._process = self._begin()
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=timeout_s)
        except Empty:
            self.close()
            raise AssertionError(f"{path} was still being decoded after {timeout_s:.0f} s") from None
        assert line, f"{path} ended the process: {self._process.wait(10)}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _begin(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.decoding_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        answers: Queue[str] = Queue()
        self._answers = answers
        Thread(target=_listen, args=(process, answers), daemon=True).start()
        return process


def _listen(process: "subprocess.Popen[str]", answers: "Queue[str]") -> None:
    assert process.stdout is not None
    with process.stdout as output:
        for line in output:
            answers.put(line)
    answers.put("")


if __name__ == "__main__":
    main()
