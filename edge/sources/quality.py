"""How good a stream is: what of it is damaged, and how often its clock jumps."""

from typing import Final

_JUMP_S: Final = 5.0
_QUALITY_WINDOW_S: Final = 10.0
_DAMAGED_SHARE: Final = 0.1


class Steps:
    """Counts the jumps of a stream's clock: backwards, standing still, or further ahead than a pause."""

    def __init__(self) -> None:
        self.jumps = 0
        self._pts_s: float | None = None

    def take(self, pts_s: float | None) -> None:
        """The next frame's time."""
        if pts_s is None:
            return
        if self._pts_s is not None and not 0 < pts_s - self._pts_s <= _JUMP_S:
            self.jumps += 1
        self._pts_s = pts_s


class Quality:
    """How much of what comes is damaged, told once per window so that a picture's health does not flicker."""

    def __init__(self) -> None:
        self._from_s: float | None = None
        self._frames = self._damaged_before = 0
        self._flaw: str | None = None

    def flaw(self, damaged: int, now_s: float) -> str | None:
        """With one more frame, and `damaged` packets since the beginning: what is wrong, or None."""
        self._frames += 1
        if self._from_s is None:
            self._from_s = now_s
        if now_s - self._from_s >= _QUALITY_WINDOW_S:
            share = (damaged - self._damaged_before) / (self._frames + damaged - self._damaged_before)
            self._flaw = "a part of the stream is damaged and can't be decoded" if share >= _DAMAGED_SHARE else None
            self._from_s, self._frames, self._damaged_before = now_s, 0, damaged
        return self._flaw
