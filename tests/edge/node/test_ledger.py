from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.node.crashes import Crash
from edge.node.ledger import COOL_DOWN, CRASHES_TO_QUARANTINE, SUSPECTS_APART, TRY, WINDOW, Held, Ledger, sources_of
from edge.settings import CameraSettings

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
SOURCES = {"a": "1", "b": "2", "c": "3"}


def crash(*cameras: str, certain: bool = True) -> Crash:
    return Crash("Aborted", cameras, certain)


def crashed(ledger: Ledger, *crashes: Crash, now: datetime = NOW) -> Ledger:
    for each in crashes:
        ledger = ledger.crashed(each, SOURCES, now)
    return ledger


def test_the_third_crash_quarantines_that_camera_and_no_other() -> None:
    two = crashed(Ledger(), crash("a"), crash("b"), crash("a"))
    assert not two.holds("a")
    three = crashed(two, crash("a"))
    assert three.holds("a")
    assert not three.holds("b")
    assert (three.crashes, three.without_suspect) == (4, 0)
    record = three.records["a"]
    assert (record.held, record.held_since, record.retry_at) == (Held.CRASHES, NOW, NOW + COOL_DOWN)


def test_crashes_of_another_day_do_not_count() -> None:
    ledger = crashed(Ledger(), crash("a"), crash("a"))
    later = NOW + WINDOW + timedelta(seconds=1)
    assert not crashed(ledger, crash("a"), now=later).holds("a")
    assert crashed(ledger, crash("a"), now=NOW + WINDOW).holds("a")
    assert ledger.reconciled(SOURCES, later).records == {}


def test_a_crash_without_a_suspect_is_counted_and_quarantines_nobody() -> None:
    ledger = crashed(Ledger(), *[crash(certain=False)] * 5, crash("gone"))
    assert ledger.records == {}
    assert (ledger.crashes, ledger.without_suspect) == (6, 6)


def test_suspects_of_the_same_crashes_are_all_held_and_tried_one_by_one() -> None:
    ledger = crashed(Ledger(), *[crash("a", "b", certain=False)] * 3)
    assert ledger.holds("a")
    assert ledger.holds("b")
    first = NOW + SUSPECTS_APART
    assert ledger.due(first - timedelta(seconds=1)) is None
    assert ledger.due(first) == "a"
    trying = ledger.tried("a", first)
    assert not trying.holds("a")
    assert trying.due(first + timedelta(minutes=5)) is None  # `b` waits for the end of the try
    guilty = crashed(trying, crash("a", "c", certain=False), now=first + timedelta(minutes=1))
    assert guilty.holds("a")
    assert guilty.records["a"].retry_at == first + timedelta(minutes=1) + COOL_DOWN
    assert "c" not in guilty.records  # the one that was tried takes it
    second = NOW + 2 * SUSPECTS_APART
    assert guilty.due(second) == "b"
    innocent = guilty.tried("b", second)
    assert innocent.on_trial(second + TRY) == ("b",)
    assert innocent.passed("b").record("b") is None


def test_one_crash_in_a_try_puts_it_back_for_a_day() -> None:
    ledger = crashed(Ledger(), *[crash("a")] * 3)
    later = NOW + COOL_DOWN
    assert ledger.due(later) == "a"
    again = crashed(ledger.tried("a", later), crash("a"), now=later)
    assert again.holds("a")
    assert again.due(later + COOL_DOWN - timedelta(seconds=1)) is None
    assert again.due(later + COOL_DOWN) == "a"


def test_an_operator_s_quarantine_ends_by_his_order_alone() -> None:
    ledger = Ledger().quarantined("a", SOURCES, NOW)
    assert ledger.holds("a")
    assert ledger.due(NOW + 100 * COOL_DOWN) is None
    assert ledger.reconciled(SOURCES, NOW + 100 * COOL_DOWN).holds("a")
    assert not ledger.passed("a").holds("a")


def test_another_configuration_of_the_camera_frees_it_and_a_restart_does_not() -> None:
    ledger = crashed(Ledger(), *[crash("a")] * 3)
    kept: Ledger = msgspec.json.decode(msgspec.json.encode(ledger), type=Ledger)
    assert kept == ledger
    assert kept.reconciled(SOURCES, NOW).holds("a")
    assert not kept.reconciled({**SOURCES, "a": "9"}, NOW).holds("a")
    assert not kept.reconciled({"b": "2"}, NOW).holds("a")


def test_a_clock_that_was_set_back_makes_no_quarantine_longer() -> None:
    ledger = crashed(Ledger(), *[crash("a")] * 3)
    earlier = NOW - timedelta(days=400)
    assert ledger.reconciled(SOURCES, earlier).due(earlier + COOL_DOWN) == "a"


def test_what_makes_another_camera() -> None:
    plain = {"id": "a", "url": "rtsp://192.0.2.1/"}
    [(name, source)] = sources_of([CameraSettings.model_validate(plain)]).items()
    assert name == "a"
    for change, differs in (
        ({"url": "rtsp://192.0.2.2/"}, True),
        ({"model": None}, True),
        ({"user": "viewer"}, True),
        ({"name": "Gate"}, False),
        ({"zones": {"z": [[0, 0], [1, 0], [1, 1]]}}, False),
    ):
        changed = sources_of([CameraSettings.model_validate({**plain, **change})])["a"]
        assert (changed != source) is differs, change


class Life(RuleBasedStateMachine):
    """Whatever happens in whatever order: nobody is held without three crashes, a failed try or an operator."""

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.ledger = Ledger()
        self.counted = dict.fromkeys(SOURCES, 0)
        self.tried: set[str] = set()
        self.ordered: set[str] = set()

    @rule(cameras=st.sets(st.sampled_from([*SOURCES, "gone"])), certain=st.booleans())
    def crash(self, cameras: set[str], certain: bool) -> None:
        open_before = {name for name in SOURCES if not self.ledger.holds(name)}
        self.ledger = self.ledger.crashed(crash(*sorted(cameras), certain=certain), SOURCES, self.now)
        for name in cameras & open_before:
            self.counted[name] += 1

    @rule(seconds=st.sampled_from([1, 600, 86_400, -86_400 * 30]))
    def time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def start(self) -> None:
        self.ledger = self.ledger.reconciled(SOURCES, self.now)

    @rule()
    def try_one(self) -> None:
        due = self.ledger.due(self.now)
        if due is not None:
            self.ledger = self.ledger.tried(due, self.now)
            self.tried.add(due)
            assert not self.ledger.holds(due)

    @rule(name=st.sampled_from(list(SOURCES)))
    def release(self, name: str) -> None:
        self.ledger = self.ledger.passed(name)
        self.counted[name] = 0
        self.tried.discard(name)
        self.ordered.discard(name)
        assert not self.ledger.holds(name)

    @rule(name=st.sampled_from(list(SOURCES)))
    def order(self, name: str) -> None:
        self.ledger = self.ledger.quarantined(name, SOURCES, self.now)
        self.ordered.add(name)

    @invariant()
    def nobody_is_held_for_nothing(self) -> None:
        for name, record in self.ledger.records.items():
            assert name in SOURCES
            assert len(record.crashes) <= CRASHES_TO_QUARANTINE
            if record.held is Held.CRASHES:
                assert self.counted[name] >= CRASHES_TO_QUARANTINE or name in self.tried
                assert record.retry_at is not None
            if record.held is Held.OPERATOR:
                assert name in self.ordered


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=30)
