"""A node whose native code ends the process: `python -m tests.fakes.aborting_node run-node …`.

The cameras' names say where: `abort-…` while decoding its tenth picture, `fault-…` while the third one is analysed. Everything
else is the program as it is.
"""

import ctypes
import os
from collections import Counter
from collections.abc import Callable, Sequence
from threading import current_thread
from typing import Any

from av.video.frame import VideoFrame

from edge.cli import main
from edge.flow import Frame, Scene
from edge.perception.pipeline import CameraPipeline
from edge.video import Video

_decoded = Video._decoded
_analyse = CameraPipeline.analyse
_seen: Counter[str] = Counter()


def _abort() -> Sequence[VideoFrame]:
    os.abort()


def _decode_or_abort(video: Video, decode: Callable[[], Sequence[Any]], **told: Any) -> Sequence[VideoFrame]:
    name = current_thread().name
    _seen[name] += 1
    if name.startswith("camera-abort") and _seen[name] >= 10:
        return _decoded(video, _abort, **told)
    return _decoded(video, decode, **told)


def _analyse_or_fault(pipeline: CameraPipeline, frame: Frame, **wanted: bool) -> Scene:
    name = current_thread().name
    _seen[name] += 1
    if name.startswith("watch-fault") and _seen[name] >= 3:
        ctypes.string_at(8)
    return _analyse(pipeline, frame, **wanted)


Video._decoded = _decode_or_abort  # type: ignore[method-assign, assignment]
CameraPipeline.analyse = _analyse_or_fault  # type: ignore[method-assign, assignment]

if __name__ == "__main__":
    main()
