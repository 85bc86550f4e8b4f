from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from edge.contract.device_command import DeviceAction
from edge.contract.downlink import CommandName
from edge.errors import CommandOverdue, CommandRefused
from edge.node.commands import Request
from edge.node.device_commands import device_action_of


class Pile:
    """Does what it is asked and remembers it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, DeviceAction, dict[str, Any], int | None, float]] = []

    def actions(self, device: str) -> Collection[DeviceAction]:
        return {DeviceAction.STOP_CHARGE, DeviceAction.RESET} if device == "pile-1" else ()

    def act(
        self,
        device: str,
        action: DeviceAction,
        arguments: Mapping[str, Any],
        *,
        connector: int | None = None,
        wait_s: float,
    ) -> dict[str, Any]:
        self.asked.append((device, action, dict(arguments), connector, wait_s))
        return {"status": "Accepted"}


def ask(
    pile: Pile, arguments: dict[str, Any], *, device: str | None = "pile-1", left_s: float = 30.0
) -> dict[str, Any]:
    handler = device_action_of(lambda name: pile if name.startswith("pile") else None)
    request = Request(CommandName.DEVICE_ACTION, device, arguments, datetime.now(UTC), lambda: left_s)
    return handler(request)


def test_a_device_is_asked_in_the_time_that_is_left() -> None:
    pile = Pile()
    assert ask(pile, {"action": "stop_charge", "connector": 2}) == {
        "action": "stop_charge",
        "answer": {"status": "Accepted"},
    }
    assert pile.asked == [("pile-1", DeviceAction.STOP_CHARGE, {}, 2, 25.0)]


@pytest.mark.parametrize(
    ("arguments", "device", "words"),
    [
        ({}, "pile-1", "not understood"),
        ({"action": "explode"}, "pile-1", "not understood"),
        ({"action": "reset", "more": 1}, "pile-1", "not understood"),
        ({"action": "reset", "connector": 0}, "pile-1", "not understood"),
        ({"action": "reset"}, None, "which device"),
        ({"action": "reset"}, "camera-1", "nothing here acts on camera-1"),
        ({"action": "set_clock"}, "pile-1", "reset, stop_charge"),
        ({"action": "reset"}, "pile-2", "it knows nothing"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(arguments: dict[str, Any], device: str | None, words: str) -> None:
    pile = Pile()
    with pytest.raises(CommandRefused, match=words):
        ask(pile, arguments, device=device)
    assert pile.asked == []


def test_what_comes_too_late_is_not_done() -> None:
    pile = Pile()
    with pytest.raises(CommandOverdue):
        ask(pile, {"action": "reset"}, left_s=0.0)
    assert pile.asked == []
