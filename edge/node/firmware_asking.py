"""Asking devices to take a firmware (询问设备): several at a time, as one that is silent must hold up no other.

Workers ask and nothing else. What came of it is taken, and written down, by the thread that had them asked.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from msgspec.structs import replace

from edge.contract.artifacts import StepCode, StepState
from edge.contract.device_command import DeviceAction
from edge.errors import CommandRefused, DeviceUnreachable
from edge.flow import FirmwareControl
from edge.masking import without_secrets
from edge.node import firmware_job
from edge.node.firmware_job import Job

AT_ONCE: Final = 8
ANSWER_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """That a device shall fetch from an address. `token` is that of the address; `is_repeated`: it may have heard it before."""

    device: str
    location: str
    token: str
    is_repeated: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question came to: the device agrees where there is no problem."""

    question: Question
    problem: Exception | None = None

    @property
    def is_mistake(self) -> bool:
        """Whether it came to nothing by a mistake of the node's."""
        return self.problem is not None and not isinstance(self.problem, CommandRefused | DeviceUnreachable)

    @property
    def refusal(self) -> str | None:
        """Why the device refuses, without the address; None where it does not."""
        if not isinstance(self.problem, CommandRefused):
            return None
        return without_secrets(str(self.problem)).replace(self.question.token, "…")


def in_thread(work: Callable[[], None]) -> None:
    """Have it done beside everything else; the end of the process waits for nothing of it. Raises RuntimeError without a thread to be had."""
    threading.Thread(target=work, name="firmware-ask", daemon=True).start()


class Asking:
    """The questions that are under way. One thread alone calls what is public here; `on_answer` is called in those that ask."""

    def __init__(self, on_answer: Callable[[], None], *, spawn: Callable[[Callable[[], None]], None]) -> None:
        self._on_answer, self._spawn = on_answer, spawn
        self._under_way: set[str] = set()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()

    def has_room_for(self, device: str) -> bool:
        """Whether it can be asked now: nobody waits here, as what was looked at before a question must not grow old."""
        return device not in self._under_way and len(self._under_way) < AT_ONCE

    def begin(self, control: FirmwareControl, question: Question) -> None:
        """Have it asked; returns at once. Raises ValueError where there is no room for it."""
        if not self.has_room_for(question.device):
            raise ValueError(f"{question.device} can't be asked now")
        self._under_way.add(question.device)
        try:
            self._spawn(partial(self._ask, control, question))
        except RuntimeError as error:
            self._answers.put(Answer(question, error))

    def answers(self) -> Iterator[Answer]:
        """What has come since; whoever gives up on one finds those after it the next time."""
        while True:
            try:
                answer = self._answers.get_nowait()
            except queue.Empty:
                return
            self._under_way.discard(answer.question.device)
            yield answer

    def _ask(self, control: FirmwareControl, question: Question) -> None:
        problem: Exception | None = None
        try:
            control.act(question.device, DeviceAction.UPDATE_FIRMWARE, {"location": question.location}, wait_s=ANSWER_S)
        except Exception as error:  # noqa: BLE001 (the top of the thread)
            problem = error
        self._answers.put(Answer(question, problem))
        self._on_answer()


def settled(job: Job, answer: Answer, now: datetime) -> Job:
    """The job as it stands after an answer; as it was where that decides nothing, and the device is asked again for the same.

    Who refuses what it was asked again may be at work on what it heard before: what it says of that tells, or the deadline.
    """
    if answer.problem is None:
        return replace(job, is_asked=True)
    if answer.refusal is None or answer.question.is_repeated:
        return job
    job = replace(job, is_asked=False)  # whatever it seemed to begin meanwhile was not this
    return firmware_job.told(job, StepState.REFUSED, now, StepCode.UNSUPPORTED, answer.refusal)
