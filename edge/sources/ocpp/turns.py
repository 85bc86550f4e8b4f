"""Whose order is on its way (排队): a station is asked one thing at a time, and orders to stop go before all others."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Turns:
    """In one loop. `hurry` is called when an urgent one begins to wait for what is under way and not urgent."""

    def __init__(self, hurry: Callable[[], None]) -> None:
        self._hurry = hurry
        self._running: bool | None = None
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    def count(self, *, urgent: bool) -> int:
        """So many have the turn or wait for it."""
        return len(self._urgent if urgent else self._others) + (self._running is urgent)

    @property
    def is_pressing(self) -> bool:
        """Whether an urgent one waits for one that is not."""
        return self._running is False and any(not given.done() for given in self._urgent)

    @asynccontextmanager
    async def turn(self, *, urgent: bool) -> AsyncIterator[None]:
        """The turn, as long as this lasts. Each kind goes in the order of coming, the urgent ones first."""
        if self._running is None:
            self._running = urgent
        else:
            await self._waited(urgent)
        try:
            yield
        finally:
            self._pass_on()

    async def _waited(self, urgent: bool) -> None:
        waiting = self._urgent if urgent else self._others
        given = asyncio.get_running_loop().create_future()
        waiting.append(given)
        if urgent and self.is_pressing:
            self._hurry()
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():  # it was given, and nobody is there to take it
                self._pass_on()
            elif given in waiting:
                waiting.remove(given)
            raise

    def _pass_on(self) -> None:
        for urgent, waiting in ((True, self._urgent), (False, self._others)):
            while waiting:
                given = waiting.popleft()
                if not given.done():  # whoever has gone is on the way out
                    self._running = urgent
                    given.set_result(None)
                    return
        self._running = None
