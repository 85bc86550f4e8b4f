"""Questions at their times, whatever became of those before: a slow answer is counted from when it was due to be asked."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from tests.benches.desk.mix import MIX, Desk, Kind, Person, next_page

_LATE_S = 30.0


@dataclass(slots=True)
class Answers:
    """How long answers took, by kind, in milliseconds from the planned time; and what went wrong."""

    took_ms: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, kind: str, took_ms: float) -> None:
        """Note one."""
        self.took_ms.setdefault(kind, []).append(took_ms)


@dataclass(slots=True)
class Seat:
    """A person with a session, and what his page remembers."""

    person: Person
    headers: dict[str, str]
    memory: dict[str, Any]


async def sign_in(
    client: httpx.AsyncClient, people: Sequence[Person], password: str, deep: Sequence[str]
) -> list[Seat]:
    """Sessions of all of them, one after the other, by the form that people use."""
    seats = []
    for person in people:
        answer = await client.post("/api/v1/session", json={"name": person.name, "password": password})
        answer.raise_for_status()
        headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        seats.append(Seat(person, headers, {"deep": deep}))
    return seats


async def ask_for(
    client: httpx.AsyncClient, seats: Sequence[Seat], *, rate: float, seconds: float, steps_rate: float, seed: int
) -> Answers:
    """The mix at `rate` questions a second, and steps of cases at their own rate beside it."""
    draw, answers = random.Random(seed), Answers()  # noqa: S311  # whose turn it is
    by_desk = {desk: [seat for seat in seats if seat.person.desk is desk] for desk in Desk}
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        group.create_task(_steps(client, by_desk[Desk.WORKER], answers, begin, steps_rate, seconds, seed))
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            kind = draw.choices(MIX, [kind.weight for kind in MIX])[0]
            seat = draw.choice(by_desk[draw.choice(kind.desks)])
            group.create_task(_ask(client, kind, seat, draw, answers, due))
    return answers


async def _ask(  # noqa: PLR0917
    client: httpx.AsyncClient, kind: Kind, seat: Seat, draw: random.Random, answers: Answers, due: float
) -> None:
    address = kind.draw(draw, seat.person, seat.memory)
    try:
        answer = await client.get(address, headers=seat.headers, timeout=_LATE_S)
    except httpx.HTTPError as error:
        answers.errors.append(f"{kind.name} {address}: {type(error).__name__}")
        answers.add(kind.name, _LATE_S * 1000)
        return
    answers.add(kind.name, (time.perf_counter() - due) * 1000)
    if answer.status_code != httpx.codes.OK:
        answers.errors.append(f"{kind.name} {address}: {answer.status_code} {answer.text[:200]}")
    elif kind.group == "list":
        seat.memory["next"] = next_page(address, answer.json()["next"])


async def _steps(  # noqa: PLR0917
    client: httpx.AsyncClient,
    seats: Sequence[Seat],
    answers: Answers,
    begin: float,
    rate: float,
    seconds: float,
    seed: int,
) -> None:
    """Somebody confirms, handles, or writes a word, once per turn; who comes too late (409) looks again."""
    draw = random.Random(f"{seed} steps")  # noqa: S311
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        seat = draw.choice(seats)
        case_id = draw.choice(seat.person.open_cases)
        try:
            found = await client.get(f"/api/v1/cases/{case_id}", headers=seat.headers, timeout=_LATE_S)
            offered = [action for action in ("confirm", "take", "verify") if action in found.json()["actions"]]
            action = offered[0] if offered else "comment"
            order = {"action": action, "version": found.json()["version"], "note": "现场已查看"}
            asked = time.perf_counter()
            done = await client.post(
                f"/api/v1/cases/{case_id}/actions", json=order, headers=seat.headers, timeout=_LATE_S
            )
        except httpx.HTTPError as error:
            answers.errors.append(f"step {case_id}: {type(error).__name__}")
            continue
        answers.add("step", (time.perf_counter() - asked) * 1000)
        if done.status_code not in {httpx.codes.OK, httpx.codes.CONFLICT}:
            answers.errors.append(f"step {case_id} {order['action']}: {done.status_code} {done.text[:200]}")


class CpuMeter:
    """CPU seconds of processes: of `bench` its own, of the others with all that they started, dead children included."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._began = self._read()

    def _read(self) -> dict[str, float]:
        return {name: _used(process, alone=name == "bench") for name, process in self._processes.items()}

    def spent(self) -> dict[str, float]:
        """Seconds since it was made, by process."""
        return {name: round(used - self._began[name], 2) for name, used in self._read().items()}


def _used(process: psutil.Process, *, alone: bool) -> float:
    if alone:
        own = process.cpu_times()
        return float(own.user + own.system)
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
