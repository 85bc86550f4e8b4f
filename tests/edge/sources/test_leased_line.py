import asyncio
import errno
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.errors import OutboxFull
from edge.flow import Health, Parcel, Reading
from edge.settings import LeasedLineSettings, NodeConfiguration
from edge.sources.leased_line import LeasedLineSource
from edge.sources.probe import _icmp_message, ask
from tests.edge.waiting import wait_until


def line(name: str = "line-1", **more: Any) -> LeasedLineSettings:
    return LeasedLineSettings.model_validate(
        {
            "id": name,
            "target": "127.0.0.1",
            "port": 9,
            "period_s": 0.1,
            "timeout_s": 0.1,
            "lost_after": 2,
            "report_s": 1,
            **more,
        }
    )


def with_lines(*lines: LeasedLineSettings) -> NodeConfiguration:
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "n", "district": "110105", "data_directory": "/nowhere"},
            "cloud": {"mqtt": "mqtt://c:1", "https": "http://c"},
            "leased_lines": [each.model_dump(exclude_unset=True) for each in lines],
        }
    )


class Far:
    """Answers for the far ends of lines, as told."""

    def __init__(self) -> None:
        self.latency_ms: dict[str, float | None] = {}
        self.forbidden: set[str] = set()
        self.failing: set[str] = set()
        self.hanging: set[str] = set()
        self.asked: dict[str, int] = defaultdict(int)

    async def ask(self, asked: LeasedLineSettings) -> float | None:
        self.asked[asked.id] += 1
        if asked.id in self.failing:
            raise ValueError("a mistake of this program")
        if asked.id in self.forbidden:
            raise PermissionError(errno.EACCES, "Permission denied")
        if asked.id in self.hanging:
            await asyncio.sleep(3_600)
        return self.latency_ms.get(asked.id, 5.0)


class Keeper:
    def __init__(self) -> None:
        self.kept: list[Reading] = []
        self.statuses: list[tuple[str, Health, str | None]] = []
        self.refusing = False
        self.refused = 0

    def keep(self, parcel: Parcel) -> None:
        if self.refusing:
            self.refused += 1
            raise OutboxFull("no room in this test")
        self.kept += parcel.readings

    def on_status(self, device: str, health: Health, reason: str | None) -> None:
        self.statuses.append((device, health, reason))

    def states(self, device: str) -> list[float | str]:
        return [each.value for each in list(self.kept) if (each.device, each.point) == (device, "reachable")]


@contextmanager
def source(far: Far, keeper: Keeper, *lines: LeasedLineSettings) -> Iterator[LeasedLineSource]:
    made = LeasedLineSource(lines, keeper.keep, keeper.on_status, question=far.ask, jitter=lambda: 0.0)
    made.start()
    try:
        yield made
    finally:
        made.stop()
    assert not [each.name for each in threading.enumerate() if each.name.startswith("leased-lines")]


def test_a_line_that_is_cut_is_lost_and_comes_back_while_the_others_stay() -> None:
    far, keeper = Far(), Keeper()
    with source(far, keeper, line("a"), line("b")) as made:
        wait_until(lambda: keeper.states("a") == keeper.states("b") == ["up"], "both")
        far.latency_ms["a"] = None
        wait_until(lambda: keeper.states("a") == ["up", "down"], "the loss")
        far.latency_ms["a"] = 3.0
        wait_until(lambda: keeper.states("a") == ["up", "down", "up"], "the return")
        wait_until(lambda: len([each for each in keeper.statuses if each[0] == "a"]) == 3, "its presence")
        assert keeper.states("b") == ["up"]
        assert made.tally()["unanswered"]["a"] >= 2
    assert [health for name, health, _ in keeper.statuses if name == "a"] == [Health.OK, Health.LOST, Health.OK]
    assert {each.point for each in keeper.kept} == {"reachable", "loss_pct", "latency_ms"}


def test_what_the_kernel_forbids_is_said_and_no_line_is_called_down_for_it() -> None:
    far, keeper = Far(), Keeper()
    far.forbidden.add("a")
    with source(far, keeper, line("a"), line("b")) as made:
        wait_until(lambda: keeper.statuses and made.tally()["forbidden"] >= 2, "the refusals")
        wait_until(lambda: keeper.states("b") == ["up"], "the other")
    [(_, health, reason)] = [each for each in keeper.statuses if each[0] == "a"]
    assert health is Health.LOST
    assert "Permission denied" in str(reason)
    assert keeper.states("a") == []


def test_a_question_that_hangs_or_fails_holds_no_other_line_up() -> None:
    far, keeper = Far(), Keeper()
    far.hanging.add("a")
    far.failing.add("b")
    with source(far, keeper, line("a"), line("b"), line("c")) as made:
        wait_until(lambda: keeper.states("c") == ["up"] and far.asked["c"] > 2, "the third line")
        wait_until(lambda: made.tally()["faults"] >= 2, "the faults, counted")
        assert far.asked["a"] == 1


def test_a_full_outbox_loses_no_state_and_asking_goes_on() -> None:
    far, keeper = Far(), Keeper()
    keeper.refusing = True
    with source(far, keeper, line("a")):
        wait_until(lambda: keeper.refused and far.asked["a"] >= 2, "the refusal")
        far.latency_ms["a"] = None
        wait_until(lambda: far.asked["a"] >= 5, "two losses")
        keeper.refusing = False
        wait_until(lambda: keeper.states("a") == ["up", "down"], "both states")


def test_after_a_reload_what_is_known_of_a_far_end_stays_known() -> None:
    far, keeper = Far(), Keeper()
    with source(far, keeper, line("a"), line("b")) as made:
        wait_until(lambda: keeper.states("a") == keeper.states("b") == ["up"], "both")
        made.adopt(with_lines(line("a", lost_after=3), line("c")))
        wait_until(lambda: keeper.states("c") == ["up"], "the new line")
        asked = far.asked["a"]
        wait_until(lambda: far.asked["a"] > asked + 1, "the old one")
        gone = far.asked["b"]
        wait_until(lambda: far.asked["a"] > asked + 2, "more of it")
        assert far.asked["b"] == gone
        assert keeper.states("a") == ["up"]  # nothing new: it was up before


def test_seventy_lines_take_two_threads() -> None:
    far, keeper = Far(), Keeper()
    with source(far, keeper, *(line(f"line-{number}") for number in range(70))):
        wait_until(lambda: len({each.device for each in list(keeper.kept)}) == 70, "a reading of each")
        assert len([each for each in threading.enumerate() if each.name.startswith("leased-lines")]) == 2


# --- what is really asked -----------------------------------------------------------------------------------------


def asked(watched: LeasedLineSettings) -> float | None:
    return asyncio.run(ask(watched))


def test_a_far_end_that_takes_or_refuses_a_connection_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        latency_ms = asked(line(port=listener.getsockname()[1], period_s=9, timeout_s=9))
        assert latency_ms is not None
        assert 0 < latency_ms < 9_000
        port = listener.getsockname()[1]
    assert asked(line(port=port, period_s=9, timeout_s=9)) is not None


def test_an_echo_has_to_be_the_same_and_to_come_in_time() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        port = far.getsockname()[1]
        answers = ("as it came", "turned round", "empty")

        def serve() -> None:
            for answer in answers:
                data, sender = far.recvfrom(2_000)
                far.sendto({"as it came": data, "turned round": data[::-1]}.get(answer, b""), sender)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        told = [
            asked(line(method="udp", port=port, period_s=9, timeout_s=timeout_s)) is not None
            for timeout_s in (9, 0.2, 0.2)
        ]
        thread.join(10)
    assert told == [True, False, False]
    assert (
        asked(line(method="udp", port=port, period_s=9, timeout_s=9)) is not None
    )  # nobody listens there any more, and it says so


def test_a_stranger_that_floods_is_not_listened_to_for_ever() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))

        def flood() -> None:
            _, sender = far.recvfrom(2_000)
            for _ in range(500):
                far.sendto(b"nonsense", sender)

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        assert asked(line(method="udp", port=far.getsockname()[1], period_s=1, timeout_s=0.5)) is None
        thread.join(10)


def test_an_echo_request_is_asked_where_the_kernel_lets_it() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ping_group_range").read_text().split())
    watched = line(method="icmp", port=None, period_s=9, timeout_s=9)
    if low > high:
        with pytest.raises(PermissionError):
            asked(watched)
    else:
        assert asked(watched) is not None


def test_the_checksum_of_an_echo_request_is_that_of_the_standard() -> None:
    message = _icmp_message(8, 1, bytes(range(16)))
    total = sum(int.from_bytes(message[at : at + 2], "big") for at in range(0, len(message), 2))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": "gateway.example"},
        {"port": None},
        {"method": "icmp"},
        {"timeout_s": 3},
        {"carries": ["line-1"]},
        {"method": "carrier-pigeon"},
    ],
)
def test_a_line_that_contradicts_itself_is_a_mistake(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="LeasedLineSettings"):
        line(**wrong)
