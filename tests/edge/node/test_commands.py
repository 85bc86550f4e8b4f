"""Commands are carried out one after the other, in their time, and what goes wrong is told in safe words."""

import threading
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from edge.contract.answer import AnswerOutcome
from edge.contract.downlink import Command
from edge.contract.fields import uuid7
from edge.errors import CommandRefused, SourceLost
from edge.node.commands import AT_ONCE, WAITING, CommandWorker, Handler, Request
from tests.edge.waiting import wait_until

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
Said = tuple[AnswerOutcome, str | None, dict[str, Any] | None]


class Desk:
    """A worker whose answers are kept."""

    def __init__(
        self, handlers: dict[str, Handler], lengthy: Collection[str] = (), by_device: Collection[str] = ()
    ) -> None:
        self.now = AT
        self.said: list[Said] = []
        self.worker = CommandWorker(handlers, clock=lambda: self.now, lengthy=lengthy, by_device=by_device)
        self.worker.start()

    def ask(self, name: str, **arguments: Any) -> bool:
        command = Command(
            command_id=uuid7(1),
            node="station-01",
            session=uuid7(2),
            issued_at=AT,
            deadline=AT + timedelta(seconds=20),
            name=name,
            device="cam-1",
            arguments=arguments,
        )
        return self.worker.submit(command, lambda *said: self.said.append(said))

    def answer(self, name: str, **arguments: Any) -> Said:
        count = len(self.said)
        assert self.ask(name, **arguments)
        wait_until(lambda: len(self.said) > count, "an answer")
        return self.said[-1]


class Made(Protocol):
    def __call__(self, handlers: dict[str, Handler], lengthy: Collection[str] = ()) -> Desk: ...


@pytest.fixture
def made() -> Iterator[Made]:
    desks: list[Desk] = []

    def make(handlers: dict[str, Handler], lengthy: Collection[str] = ()) -> Desk:
        desks.append(Desk(handlers, lengthy))
        return desks[-1]

    yield make
    for desk in desks:
        desk.worker.stop()


def refuse(_request: Request) -> dict[str, Any]:
    raise CommandRefused("not with password=sesame")


def lose(_request: Request) -> dict[str, Any]:
    raise SourceLost("rtsp://user:sesame@camera/1 is away")


def break_down(_request: Request) -> dict[str, Any]:
    raise ValueError("sesame")


def test_a_handler_sees_what_was_asked_and_its_result_is_the_answer(made: Made) -> None:
    desk = made({"echo": lambda request: {"device": request.device, "left": request.left_s(), **request.arguments}})
    assert desk.answer("echo", x=1) == (AnswerOutcome.DONE, None, {"device": "cam-1", "left": 20.0, "x": 1})
    assert desk.worker.outcomes == {("echo", "done"): 1}


def test_what_goes_wrong_is_told_without_secrets_and_the_next_one_is_served(made: Made) -> None:
    unwritable: Handler = lambda _request: {"x": object()}  # noqa: E731
    desk = made({"refuse": refuse, "lose": lose, "break": break_down, "write": unwritable, "fine": lambda _: {}})
    said = [desk.answer(name) for name in ("refuse", "lose", "break", "write")]
    assert [outcome.value for outcome, _, _ in said] == ["refused", "failed", "failed", "failed"]
    assert not any("sesame" in str(reason) or result for _, reason, result in said)
    assert "camera/1 is away" in str(said[1][1])
    assert desk.answer("fine") == (AnswerOutcome.DONE, None, {})


def test_a_command_whose_time_is_over_is_not_begun(made: Made) -> None:
    desk = made({"slow": lambda _request: {}})
    desk.now = AT + timedelta(seconds=21)
    assert desk.answer("slow") == (AnswerOutcome.FAILED, "there was not enough time", None)


def test_only_so_many_wait_and_a_stop_ends_the_one_that_runs(made: Made) -> None:
    entered, ended = threading.Event(), threading.Event()

    def last(request: Request) -> dict[str, Any]:
        entered.set()
        wait_until(lambda: request.left_s() == 0, "the stop")
        ended.set()
        return {}

    desk = made({"last": last})
    assert desk.ask("last")
    assert entered.wait(10)
    assert [desk.ask("last") for _ in range(WAITING + 1)] == [True] * WAITING + [False]
    desk.worker.stop()
    assert ended.wait(10)
    assert not desk.ask("last")
    assert len(desk.said) == 1


def test_a_device_that_does_not_answer_keeps_no_other_from_being_asked() -> None:
    go_on = threading.Event()
    act: Handler = lambda request: {"waited": request.arguments["slow"] and go_on.wait(20)}  # noqa: E731
    desk = Desk({"act": act}, by_device=["act"])
    try:
        assert all(desk.ask("act", slow=True) for _ in range(AT_ONCE - 1))
        assert desk.answer("act", slow=False) == (AnswerOutcome.DONE, None, {"waited": False})
        go_on.set()
        wait_until(lambda: len(desk.said) == AT_ONCE, "the slow ones")
    finally:
        desk.worker.stop()


def test_who_asks_for_little_does_not_wait_for_who_asks_for_much(made: Made) -> None:
    go_on = threading.Event()
    much: Handler = lambda _request: {"waited": go_on.wait(20)}  # noqa: E731
    desk = made({"much": much, "little": lambda _request: {}}, lengthy=["much"])
    assert desk.ask("much")
    assert desk.answer("little") == (AnswerOutcome.DONE, None, {})
    go_on.set()
    wait_until(lambda: len(desk.said) == 2, "the longer one")
    assert desk.said[-1][2] == {"waited": True}
