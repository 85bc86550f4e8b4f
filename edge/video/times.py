"""Times that a stream tells, and those that can't be meant."""

from math import isfinite
from typing import Final

from av.video.frame import VideoFrame

SHORTEST_PERIOD_S: Final = 1 / 1000
LONGEST_PERIOD_S: Final = 60.0
LARGEST_TIME_S: Final = 1e10


def lasts_s(frame: VideoFrame) -> float | None:
    """How long a picture stands, seconds; None where the stream does not say."""
    return time_s(float(frame.duration * frame.time_base)) if frame.duration and frame.time_base else None


def time_s(told_s: float | None) -> float | None:
    """A time that a stream tells; None for one that can't be meant."""
    return told_s if told_s is not None and isfinite(told_s) and abs(told_s) <= LARGEST_TIME_S else None


def clock_s(text: str, begin_s: float) -> float | None:
    """Seconds from `begin_s` to a time such as 00:02:19.400000000."""
    try:
        hours, minutes, seconds = (float(part) for part in text.split(":"))
    except ValueError:
        return None
    return hours * 3600 + minutes * 60 + seconds - begin_s
