from datetime import UTC, datetime, timedelta

import pytest

from edge.contract.device_command import DeviceAction
from edge.settings import YkcPileSettings
from edge.simulators.ykc_pile import SimulatedPile, Story, main
from edge.sources.ykc.messages import TransactionRecord
from tests.edge.sources.ykc.running import LONG, Keeper, port_of, source
from tests.edge.sources.ykc.saying import NUMBER, settings
from tests.edge.waiting import wait_until

NOW = datetime(2026, 3, 16, 9, tzinfo=UTC)


def lived(story: Story, until_s: int) -> list[TransactionRecord]:
    for at_s in range(until_s):
        story.advance(float(at_s), NOW + timedelta(seconds=at_s))
    return story.records


def test_two_runs_tell_the_same_story() -> None:
    first, second = (lived(Story(NUMBER, seed=4), 3_600) for _ in range(2))
    assert first == second
    assert len(first) > 4
    assert first != lived(Story(NUMBER, seed=5), 3_600)


def test_trouble_comes_when_it_is_wanted_and_ends_the_charge() -> None:
    story = Story(NUMBER, guns=1, first_trouble_s=0.0)
    hottest, faults = 0, 0
    for at_s in range(600):
        story.advance(float(at_s), NOW + timedelta(seconds=at_s))
        data = story.data(1, float(at_s))
        hottest, faults = max(hottest, data.cable_temperature_raw - 50), faults | data.hardware_faults
    assert hottest > 85
    assert faults == 1 << 2
    assert story.records[0].stop_reason == 0x74


def test_it_speaks_with_the_node_and_stops_when_it_is_told() -> None:
    keeper = Keeper()
    piles = (YkcPileSettings(id="pile-1", number=NUMBER, guns=1),)
    with source(keeper, LONG, configured=settings(piles=piles)) as made:
        story = Story(NUMBER, guns=1)
        pile = SimulatedPile(story, ("127.0.0.1", port_of(made)))
        pile._began_s -= 6.0  # its first charge begins
        pile.start()
        try:
            wait_until(lambda: "charging" in keeper.values("status.1"), "a charge")
            assert made.act("pile-1", DeviceAction.STOP_CHARGE, {}, wait_s=10.0)["result"] == "accepted"
            wait_until(lambda: keeper.values("current_a.1")[-1] == 0.0, "that no current flows")
            wait_until(lambda: keeper.values("stop_reason.1") == ["remote"], "its record")
        finally:
            pile.stop()


def test_what_it_is_told_on_the_command_line() -> None:
    for wrong in (["123", "--server", "a:1"], [NUMBER, "--server", "a"]):
        with pytest.raises(SystemExit):
            main(wrong)
