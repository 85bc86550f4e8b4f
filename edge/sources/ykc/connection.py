"""One pile's connection: bytes in, frames out, never more of either than fits, and nothing answered before it is kept."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edge.sources.ykc.conversation import Conversation, Turn
from edge.sources.ykc.frame import Frame, FrameReader

READ_BYTES: Final = 4096
RECEIVE_BYTES: Final = 16 * 1024
"""What the system keeps of a connection (it may double it); a read takes no more than that at once."""

_MOST_UNSENT_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may do, in seconds and numbers; tests have less patience.

    `strangers`: so many may not have logged in yet beside one for each configured pile, since all of those may come back at once. `login_s`: until it has logged in. `silent_s`: three heartbeats (§6.3). `quiet_s`: after so long what looks like the beginning of a
    frame is none. `write_s`: until it has read what it was told. A pile that says more than `frames_per_s` waits, with room for
    `most_frames` that it has stored.
    """

    strangers: int = 32
    login_s: float = 10.0
    silent_s: float = 30.0
    quiet_s: float = 2.0
    write_s: float = 5.0
    frames_per_s: float = 50.0
    most_frames: float = 1_000.0


class _Pace:
    """A measure that fills with time; what is taken beyond it has to be waited for."""

    def __init__(self, per_s: float, most: float, now_s: float) -> None:
        self._per_s, self._most = per_s, most
        self._held, self._at_s = most, now_s

    def wait_s(self, count: int, now_s: float) -> float:
        self._held = min(self._most, self._held + (now_s - self._at_s) * self._per_s) - count
        self._at_s = now_s
        return max(0.0, -self._held / self._per_s)


class Connection:
    """`run` lives as long as the connection. `keep` returns once a turn is kept; `on_turn` hears of each one before, in the loop."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        conversation: Conversation,
        *,
        keep: Callable[["Connection", Sequence[Turn]], Awaitable[bool]],
        on_turn: Callable[["Connection", Turn], None],
        received_at: Callable[[], datetime],
        limits: Limits,
        address: str = "",
    ) -> None:
        self.address = address
        self.conversation = conversation
        self.frames = FrameReader()
        self.heard_s = self._began_s = time.monotonic()
        self._reader, self._writer = reader, writer
        self._keep, self._on_turn, self._received_at = keep, on_turn, received_at
        self._limits = limits
        self._pace = _Pace(limits.frames_per_s, limits.most_frames, self._began_s)
        self._farewell: str | None = None
        writer.transport.set_write_buffer_limits(high=_MOST_UNSENT_BYTES)

    @property
    def device(self) -> str | None:
        """Whose it is; None before it has logged in."""
        return None if self.conversation.pile is None else self.conversation.pile.id

    @property
    def ending(self) -> bool:
        """Whether it was hung up on."""
        return self._farewell is not None

    async def run(self) -> str:
        """Until it ends; why comes back."""
        try:
            while self._farewell is None:
                farewell = await self._step()
                if farewell is not None:
                    return self._farewell or farewell
        except (ConnectionError, OSError) as error:
            return self._farewell or f"the connection broke: {type(error).__name__}"
        finally:
            self._writer.transport.abort()
        return self._farewell

    def hang_up(self, reason: str) -> None:
        """End it; what is on its way to be kept is kept."""
        self._farewell = self._farewell or reason
        self._writer.transport.abort()

    def send(self, frames: Sequence[Frame]) -> None:
        """Say something without being asked; who does not read what he is told is hung up on."""
        if not frames or self._farewell is not None:
            return
        if self._writer.transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            self.hang_up("it does not read what it is told")
            return
        self._writer.write(b"".join(frame.encoded() for frame in frames))

    async def _step(self) -> str | None:
        """Read once, and take what is complete; why the connection ends, where it does."""
        try:
            async with asyncio.timeout(self._limits.quiet_s):
                data = await self._reader.read(READ_BYTES)
        except TimeoutError:
            frames = list(self.frames.give_up())
        else:
            if not data:
                return "it closed the connection"
            frames = list(self.frames.feed(data))
        return await self._take(frames) or self._overdue()

    def _overdue(self) -> str | None:
        now_s = time.monotonic()
        if self.device is None:
            return "it did not log in" if now_s - self._began_s > self._limits.login_s else None
        silent = now_s - self.heard_s > self._limits.silent_s
        return f"it said nothing for {self._limits.silent_s:.0f} s" if silent else None

    async def _take(self, frames: Sequence[Frame]) -> str | None:
        if not frames:
            return None
        wait_s = self._pace.wait_s(len(frames), time.monotonic())
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        turns = list[Turn]()
        for frame in frames:
            if self._farewell is not None:  # somebody else speaks for this pile meanwhile, or nobody may
                break
            turn = self.conversation.hear(frame, self._received_at(), time.monotonic())
            turns.append(turn)
            self._on_turn(self, turn)
            if turn.farewell is not None:
                break
        if self.device is not None:
            self.heard_s = time.monotonic()
        if not await self._keep(self, turns):
            return "what it says can't be kept"
        self.heard_s = time.monotonic()
        return await self._answer(turns)

    async def _answer(self, turns: Sequence[Turn]) -> str | None:
        """What they say in return; the reason to end, where one has it."""
        if self._farewell is not None:
            return self._farewell
        answers = [frame.encoded() for turn in turns for frame in turn.frames]
        if answers:
            self._writer.write(b"".join(answers))
            try:
                async with asyncio.timeout(self._limits.write_s):
                    await self._writer.drain()
            except TimeoutError:
                return "it does not read what it is told"
        farewell = turns[-1].farewell if turns else None
        if farewell is not None:  # a refusal is to arrive before the end
            self._writer.write_eof()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.quiet_s):
                    while await self._reader.read(READ_BYTES):
                        pass
        return farewell
