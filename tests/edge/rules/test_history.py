"""What a device sends late by itself: found as it would have been live, and told as what it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.incident import IncidentState
from edge.contract.telemetry import ReadingFlag
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.device_rules import DeviceRules, Standing
from edge.rules.history import SETTLE_S, History
from edge.rules.registry import reading_rule
from edge.settings import ReadingRuleSettings, SensorSettings
from tests.fakes.scenes import at, seconds

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED
HOUR_S = 3600.0
HOT, WARM, COOL = 80.0, 57.0, 40.0

RULES: list[dict[str, object]] = [
    {"kind": "threshold", "point": "temperature_c", "above": 60, "clear": 55, "for_s": 60, "clear_for_s": 60},
    {"kind": "state", "point": "status", "states": ["faulted"], "for_s": 120, "clear_for_s": 30},
    {"kind": "event", "point": "sos", "fold_s": 120, "hold_s": 30},
    {"kind": "device_fault", "hold_s": 60},
    {"kind": "overlong_charge", "limit_s": 600},
]
POINTS: list[dict[str, object]] = [
    {"name": "temperature_c", "period_s": 30},
    {"name": "status", "kind": "state"},
    {"name": "faults", "kind": "state"},
    {"name": "faults.1", "kind": "state"},
    {"name": "faults.2", "kind": "state"},
    {"name": "charging", "kind": "state"},
    {"name": "sos", "kind": "event"},
    {"name": "stop_reason", "kind": "event"},
]


def device(rules: Sequence[dict[str, object]] = RULES) -> SensorSettings:
    return SensorSettings.model_validate({"id": "pile-1", "topic": "piles/1", "points": POINTS, "rules": list(rules)})


def standing(of: SensorSettings) -> list[Standing]:
    def made(rule: ReadingRuleSettings) -> Callable[[], ReadingRule]:
        return lambda: reading_rule(rule, of)

    return [Standing(made(rule)(), made(rule), rule) for rule in of.standing_rules]


@dataclass
class Desk:
    """A node's desk for one device, without the disk."""

    now: datetime = field(default_factory=lambda: at(0))
    told: list[Finding] = field(default_factory=list)
    rules: Sequence[dict[str, object]] = field(default_factory=lambda: RULES)

    def __post_init__(self) -> None:
        self.device = DeviceRules(standing(device(self.rules)), lambda ask: ask())
        self.history = History(lambda: self.now)

    def hear(self, reading: Reading) -> None:
        self.now = max(self.now, reading.received_at)
        seen = self.history.take(reading)
        if seen is not None:
            self.told += [finding for _, finding in self.device.observe(seen)]

    def tick(self, step_s: float = 0.0) -> None:
        self.now += timedelta(seconds=step_s)
        for past in self.history.due():
            self.told += [finding for _, finding in self.device.past(past, self.now)]
        if not self.history.is_begun("pile-1"):
            self.told += [finding for _, finding in self.device.passed(self.now)]

    def settle(self) -> None:
        self.tick(SETTLE_S)

    def incidents(self) -> list[tuple[str, str | None, float, float | None]]:
        """Rule, fault, beginning and end of all that was told, once each."""
        known: dict[tuple[str, datetime], Finding] = {}
        for finding in self.told:
            known[finding.key.partition("@")[0], finding.started_at] = finding
        return sorted(
            (
                each.rule,
                each.fault,
                seconds(each.started_at),
                None if each.ended_at is None else seconds(each.ended_at),
            )
            for each in known.values()
        )


def live(point: str, time_s: float, value: float | str) -> Reading:
    is_event = point in {"sos", "stop_reason"}
    return Reading("pile-1", point, at(time_s), value, at(time_s), own_time=True, is_event=is_event)


def late(reading: Reading, received_s: float) -> Reading:
    return replace(reading, received_at=at(received_s), flag=reading.flag | ReadingFlag.REPLAYED)


def told_live(readings: Sequence[Reading]) -> Desk:
    """What would have been told had each of them come when it was measured, with the ticks of the node between."""
    desk = Desk()
    ticks = iter(range(0, int(HOUR_S) + 1, 10))
    tick_s = next(ticks)
    for reading in sorted(readings, key=lambda each: (each.observed_at, each.point)):
        while at(tick_s) < reading.observed_at:
            desk.now = at(tick_s)
            desk.tick()
            tick_s = next(ticks)
        desk.hear(reading)
    desk.now = at(HOUR_S)
    desk.tick()
    return all_is_well(desk)


def all_is_well(desk: Desk) -> Desk:
    """Whatever is open ends."""
    for index in range(8):
        time_s = HOUR_S + 60 + 30 * index
        for point, value in (
            ("temperature_c", COOL),
            ("status", "available"),
            ("faults", "none"),
            ("charging", "none"),
        ):
            desk.hear(live(point, time_s, value))
        desk.tick()
    desk.tick(300)
    return desk


TIMES = st.integers(0, 359)
HISTORIES = st.builds(
    lambda temperatures, others: [
        *(live("temperature_c", 30.0 * index, value) for index, value in enumerate(temperatures)),
        *(live(point, 10.0 * time, value) for (point, time), value in others.items()),
    ],
    st.lists(st.sampled_from([HOT, WARM, COOL]), min_size=1, max_size=118),
    st.one_of(
        st.dictionaries(st.tuples(st.just("status"), TIMES), st.sampled_from(["faulted", "available"]), max_size=12),
        st.dictionaries(
            st.tuples(st.just("faults"), TIMES),
            st.sampled_from(["none", "over_temperature", "lock+over_temperature", "vendor_47"]),
            max_size=12,
        ),
        st.dictionaries(st.tuples(st.just("charging"), TIMES), st.sampled_from(["none", "17", "18"]), max_size=8),
        st.dictionaries(st.tuples(st.just("sos"), TIMES), st.just("pressed"), max_size=8),
        st.dictionaries(
            st.tuples(st.just("stop_reason"), TIMES), st.sampled_from(["remote", "insulation", "lock"]), max_size=8
        ),
    ),
)


@settings(max_examples=100, deadline=None)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_an_hour_that_is_replayed_opens_what_it_would_have_opened_live_and_nothing_of_it_rings_as_if_it_were_now(
    readings: list[Reading], chance: object
) -> None:
    shuffled = [each for each in readings for _ in range(chance.choice([1, 1, 2]))]  # type: ignore[attr-defined]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    desk = Desk()
    for index, reading in enumerate(shuffled):
        desk.hear(late(reading, HOUR_S + 1 + index * 0.01))
        if index % 10 == 0:
            desk.tick()
    desk.settle()
    for finding in desk.told:
        assert finding.replayed
        if finding.state is OPEN:
            rule = desk.device.standing_for(finding.rule).rule
            assert rule.stands_alone(finding) or finding.key in {each.key for each in rule.holding()}
        else:
            assert finding.state is ENDED
    all_is_well(desk)
    assert desk.incidents() == told_live(readings).incidents()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([HOT, COOL]), min_size=4, max_size=100), st.randoms(use_true_random=False))
def test_history_that_comes_behind_live_readings_finds_what_was_missed_and_ends_nothing_that_holds(
    values: list[float], chance: object
) -> None:
    rule: dict[str, object] = {"kind": "threshold", "point": "temperature_c", "above": 60}
    history = [live("temperature_c", 30.0 * index, value) for index, value in enumerate(values)]
    chance.shuffle(history)  # type: ignore[attr-defined]
    desk = Desk(rules=[rule])
    desk.hear(live("temperature_c", HOUR_S, COOL))
    for reading in history:
        desk.hear(late(reading, HOUR_S + 1))
    desk.hear(live("temperature_c", HOUR_S + 2, HOT))
    desk.settle()
    states = [(finding.state, finding.replayed) for finding in desk.told]
    assert states[0] == (OPEN, False)
    assert set(states[1:]) <= {(ENDED, True)}
    runs = sum(value == HOT and before != HOT for before, value in zip([COOL, *values], values, strict=False))
    assert len(states) == 1 + runs
    assert len({finding.key for finding in desk.told}) == len(states)


def test_what_still_holds_at_the_end_of_a_history_is_open_once_all_of_it_is_there() -> None:
    desk = Desk()
    for index in range(60):
        desk.hear(late(live("temperature_c", 3000.0 + 10 * index, HOT), HOUR_S + index * 0.1))
        desk.tick()
    assert desk.told == []
    desk.settle()
    (opened,) = desk.told
    assert (opened.state, opened.replayed, seconds(opened.started_at)) == (OPEN, True, 3000)


def test_what_seems_to_end_at_the_end_of_a_history_waits_for_the_next_word() -> None:
    desk = Desk()
    for index in range(60):
        value = HOT if index < 58 else COOL
        desk.hear(late(live("temperature_c", 3000.0 + 10 * index, value), HOUR_S + index * 0.1))
    desk.settle()
    assert desk.told == []
    for index in range(8):
        desk.hear(live("temperature_c", HOUR_S + 20 + 10 * index, COOL))
    (ended,) = desk.told
    assert (ended.state, ended.replayed, seconds(ended.started_at)) == (ENDED, True, 3000)


def test_what_seems_to_end_and_holds_after_all_is_open_with_its_true_beginning() -> None:
    desk = Desk()
    for index in range(60):
        value = HOT if index < 58 else COOL
        desk.hear(late(live("temperature_c", 3000.0 + 10 * index, value), HOUR_S + index * 0.1))
    desk.settle()
    desk.hear(live("temperature_c", HOUR_S + 20, HOT))
    (opened,) = desk.told
    assert (opened.state, seconds(opened.started_at)) == (OPEN, 3000)


OTHER_WORDS = st.tuples(
    st.sampled_from(["faults.2", "stop_reason", "faults"]), st.sampled_from(["none", "lock", "remote"])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(OTHER_WORDS, max_size=4), st.lists(OTHER_WORDS, max_size=4))
def test_what_is_heard_of_one_connector_makes_no_fault_of_another_one_a_thing_of_the_past(
    before: list[tuple[str, str]], meanwhile: list[tuple[str, str]]
) -> None:
    desk = Desk(rules=[{"kind": "device_fault", "hold_s": 60}])
    for point, value in before:
        desk.hear(live(point, HOUR_S - 1, value))
    desk.hear(late(live("faults.1", HOUR_S - 1800, "over_temperature"), HOUR_S))
    for index, (point, value) in enumerate(meanwhile):
        desk.hear(live(point, HOUR_S + 1 + index, value))
    desk.settle()
    (opened,) = [each for each in desk.told if each.point == "faults.1"]
    assert (opened.state, opened.replayed, seconds(opened.started_at)) == (OPEN, True, HOUR_S - 1800)
    assert opened.key in {each.key for each in desk.device.standing_for(opened.rule).rule.holding()}


def test_a_call_for_help_that_comes_late_is_told_as_soon_as_all_of_the_history_is_there() -> None:
    desk = Desk()
    desk.hear(late(live("sos", HOUR_S, "pressed"), HOUR_S + 65))
    desk.settle()
    (opened,) = desk.told
    assert (opened.state, opened.replayed, seconds(opened.started_at)) == (OPEN, True, HOUR_S)
    desk.tick(300)
    assert [each.state for each in desk.told] == [OPEN, ENDED]


def test_a_stop_for_a_fault_that_comes_late_is_told_as_soon_as_all_of_the_history_is_there() -> None:
    desk = Desk(rules=[{"kind": "device_fault", "hold_s": 600}])
    desk.hear(late(live("stop_reason", HOUR_S, "smoke"), HOUR_S + 65))
    desk.settle()
    (opened,) = desk.told
    assert (opened.state, opened.replayed, opened.fault) == (OPEN, True, "smoke")


def test_what_waits_for_a_word_that_it_is_over_is_told_where_the_node_stops() -> None:
    desk = Desk(rules=[RULES[0]])
    for index in range(60):
        desk.hear(late(live("temperature_c", 3000.0 + 10 * index, HOT if index < 58 else COOL), HOUR_S + index * 0.1))
    desk.settle()
    assert desk.told == []
    (standing,) = desk.device.standing
    for _ in range(2):
        desk.told += [finding for _, finding in desk.device.flush(standing)]
    assert [(each.state, each.replayed) for each in desk.told] == [(OPEN, True)]


def test_a_slow_clock_is_no_history() -> None:
    desk = Desk(rules=[{"kind": "threshold", "point": "temperature_c", "above": 60}])
    for index in range(20):
        desk.hear(late(live("temperature_c", 5.0 * index, COOL), 5.0 * index + 900))
        desk.tick()
    desk.hear(late(live("temperature_c", 100.0, HOT), 1000.4))
    (opened,) = desk.told
    assert (opened.state, opened.replayed, seconds(opened.started_at)) == (OPEN, False, 1000.4)
    assert desk.history.kept < 10


def test_a_history_that_is_too_long_for_the_memory_rings_no_sooner() -> None:
    """Twenty-two thousand readings: what is open where the memory is full is over in what follows."""
    desk = Desk(rules=[{"kind": "threshold", "point": "temperature_c", "above": 60}])
    for index in range(22_000):
        value = HOT if 9_990 < index < 12_000 or index > 21_000 else COOL
        desk.hear(late(live("temperature_c", index / 7, value), HOUR_S + index * 0.001))
        if index % 1000 == 0:
            desk.tick()
        assert desk.history.kept <= 11_000
    assert [(each.state, each.replayed) for each in desk.told] == [(ENDED, True)]
    desk.settle()
    assert [(each.state, each.replayed) for each in desk.told] == [(ENDED, True), (OPEN, True)]


def test_a_history_is_bounded() -> None:
    history = History(lambda: at(HOUR_S))
    for index in range(25_000):
        history.take(late(live("temperature_c", index / 10, COOL), HOUR_S))
        for past in history.due():
            assert history.kept == 0
            assert not past.complete
    assert history.kept <= 10_000
