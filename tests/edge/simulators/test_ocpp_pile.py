"""The simulated pile against the real listener."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge.flow import DeviceAction
from edge.simulators.ocpp_story import AMBIENT_C, COOL_C, HOT_C, Pile, Socket, Story
from tests.edge.sources.ocpp.running import Keeper, address, source
from tests.edge.waiting import wait_until

pytestmark = pytest.mark.system
PATIENT_S = 40.0


@contextmanager
def simulated(url: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [
        sys.executable,
        "-m",
        "edge.simulators.ocpp_pile",
        url,
        "--period",
        "0.1",
        "--charge-after",
        "0",
        *options,
    ]
    child = subprocess.Popen(arguments, stderr=subprocess.PIPE)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(20)
        if child.stderr is not None:
            child.stderr.close()


def test_it_charges_stops_and_updates_as_it_is_told() -> None:
    keeper = Keeper()
    with source(keeper) as made, simulated(f"{address(made)}/pile-1", "--replay", "10", "--heat-after", "0") as child:
        wait_until(lambda: len(keeper.values("current_a.1")) > 3, "the meter", timeout_s=PATIENT_S)
        assert keeper.values("stop_reason.1") == ["local"]
        assert max(float(value) for value in keeper.values("temperature_c.1")) > 90
        made.act("pile-1", DeviceAction.STOP_CHARGE, {}, wait_s=20)
        wait_until(lambda: keeper.values("stop_reason.1")[-1] == "remote", "the stop", timeout_s=PATIENT_S)
        made.act("pile-1", DeviceAction.UPDATE_FIRMWARE, {"location": "https://example.org/m-2.0.1.bin"}, wait_s=20)
        wait_until(lambda: keeper.values("firmware") == ["1.0.0", "2.0.1"], "its new version", timeout_s=PATIENT_S)
        assert keeper.values("firmware_status")[-1] == "installed"
        child.terminate()
        assert child.wait(20) == 0


def test_it_disobeys_as_it_is_told() -> None:
    keeper = Keeper()
    with source(keeper) as made, simulated(f"{address(made)}/pile-1", "--ignore-stop", "--fault-after", "0.5"):
        wait_until(
            lambda: keeper.values("raw_code.1")[-1:] == ["GunOverheat/GunOverheat"], "its fault", timeout_s=PATIENT_S
        )
        assert made.act("pile-1", DeviceAction.STOP_CHARGE, {}, wait_s=20) == {"status": "Accepted"}
        before = len(keeper.values("current_a.1"))
        wait_until(lambda: len(keeper.values("current_a.1")) > before + 3, "the meter", timeout_s=PATIENT_S)
        assert float(keeper.values("current_a.1")[-1]) > 10


def test_one_that_is_not_let_in_says_so_and_ends() -> None:
    with source(Keeper()) as made, simulated(f"{address(made)}/nobody") as child:
        assert child.wait(30) == 2


def test_what_glows_cools_down_once_nothing_flows() -> None:
    socket = Socket(1, flows=True, hot=True)
    socket.pass_time(600)
    assert socket.temperature_c == pytest.approx(HOT_C, abs=1)
    socket.flows = False
    socket.pass_time(600)
    assert socket.temperature_c == pytest.approx(AMBIENT_C, abs=1)


def test_after_a_stop_it_rests_until_it_is_cool_and_glows_again_much_later() -> None:
    pile = Pile.of(Story(charge_after_s=20.0, heat_after_s=0.0))
    [socket] = pile.sockets
    pile.age_s = 100.0
    socket.temperature_c, socket.hot = HOT_C, True
    pile.let_go(socket)
    assert not pile.wants_to_charge(socket)
    pile.age_s = 121.0
    assert not pile.wants_to_charge(socket), "it is hot yet"
    socket.temperature_c = COOL_C - 1
    assert pile.wants_to_charge(socket)
    assert not socket.hot
    assert pile.heats_from_s is not None
    assert pile.heats_from_s > 3_600
