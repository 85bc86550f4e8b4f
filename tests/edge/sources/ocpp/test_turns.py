"""Turns: one at a time, stops first, and whoever goes away while waiting holds nobody up."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from edge.sources.ocpp.turns import Turns

steps = st.lists(
    st.tuples(st.sampled_from(["come", "come urgently", "end", "go away", "go away at once"]), st.integers(0, 9)),
    max_size=40,
)


class Visitors:
    """Who wants a turn, who has it, and in which order it was had."""

    def __init__(self) -> None:
        self.hurried = 0
        self.turns = Turns(self._hurry)
        self.had: list[tuple[int, bool]] = []
        self.inside: set[int] = set()
        self.ends: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    def _hurry(self) -> None:
        assert self.turns.is_pressing
        self.hurried += 1

    async def come(self, *, urgent: bool) -> None:
        number = len(self.tasks)
        self.ends[number] = asyncio.Event()
        self.tasks[number] = asyncio.create_task(self._visit(number, urgent=urgent))
        await settled()

    async def _visit(self, number: int, *, urgent: bool) -> None:
        async with self.turns.turn(urgent=urgent):
            assert not self.inside, "one at a time"
            self.inside.add(number)
            self.had.append((number, urgent))
            try:
                await self.ends[number].wait()
            finally:
                self.inside.discard(number)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_each_kind_goes_in_the_order_of_coming_and_the_urgent_ones_first() -> None:
    async def visits() -> None:
        visitors = Visitors()
        for urgent in (False, False, True, False, True):
            await visitors.come(urgent=urgent)
        assert visitors.hurried == 2
        assert (visitors.turns.count(urgent=True), visitors.turns.count(urgent=False)) == (2, 3)
        for number in (0, 2, 4, 1, 3):
            visitors.ends[number].set()
            await settled()
        assert [number for number, _ in visitors.had] == [0, 2, 4, 1, 3]
        assert visitors.turns.count(urgent=True) == visitors.turns.count(urgent=False) == 0

    asyncio.run(visits())


@given(steps)
def test_whoever_comes_and_goes_there_is_one_turn_and_none_is_lost(wanted: list[tuple[str, int]]) -> None:
    async def visits() -> None:
        visitors = Visitors()
        for step, which in wanted:
            waiting = [number for number, task in visitors.tasks.items() if not task.done()]
            if step.startswith("come"):
                await visitors.come(urgent=step == "come urgently")
            elif step == "end":
                for number in list(visitors.inside):
                    visitors.ends[number].set()
                await settled()
            elif waiting:
                task = visitors.tasks[waiting[which % len(waiting)]]
                if step == "go away at once":  # in the very moment in which the turn passes on
                    for number in list(visitors.inside):
                        visitors.ends[number].set()
                    await asyncio.sleep(0)
                task.cancel()
                await settled()
            still = [number for number, task in visitors.tasks.items() if not task.done()]
            assert bool(visitors.inside) == bool(still), "the turn is had by somebody as long as anybody wants it"
        for event in visitors.ends.values():
            event.set()
        await asyncio.gather(*visitors.tasks.values(), return_exceptions=True)
        assert visitors.turns.count(urgent=True) == visitors.turns.count(urgent=False) == 0

    asyncio.run(visits())
