from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge.clock import CLOUD_TOLERANCE_US, REMEMBERED, STEP_US, Computer, Look, NodeClock
from tests.edge.records import START, SteppedClock

DAY_S = 86_400.0
NEVER_SET = datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC)


@dataclass
class Box:
    """A machine whose wall clock is `wrong_s` away from the truth; the truth goes on by `run`."""

    wrong_s: float = 0.0
    synchronised: bool = False
    up_s: float = 30.0
    boot: str = "boot-1"
    truth: datetime = START
    rate: float = 1.0

    def run(self, seconds: float) -> None:
        self.up_s += seconds
        self.truth += timedelta(seconds=seconds)

    def boot_us(self) -> int:
        return round(self.up_s * self.rate * 1e6)

    def look(self) -> Look:
        wall = self.truth + timedelta(seconds=self.wrong_s + self.up_s * (self.rate - 1))
        return Look(
            self.boot_us(), round((wall - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6), self.synchronised
        )


def wrong_by_s(clock: NodeClock, box: Box) -> float:
    return (clock.told() - box.truth).total_seconds()


def test_node_time_is_not_moved_by_a_wall_clock_that_is_set() -> None:
    box = Box(wrong_s=-DAY_S)
    clock = NodeClock(box)
    began = clock()
    box.run(5)
    box.wrong_s = 0
    assert clock.check()
    assert (clock() - began).total_seconds() == 5
    assert abs(wrong_by_s(clock, box)) < 0.001
    assert clock.figures.steps == 1


def test_what_was_recorded_before_the_network_time_came_is_corrected_afterwards() -> None:
    box = Box(wrong_s=(NEVER_SET - START).total_seconds())
    clock = NodeClock(box)
    recorded_at, timebase = clock(), clock.timebase
    assert recorded_at == NEVER_SET
    box.run(600)
    box.wrong_s, box.synchronised = 0, True
    clock.check()
    assert recorded_at + timedelta(microseconds=clock.correction_us(timebase)) == START


def test_the_kernels_word_weighs_more_than_the_cloud_and_the_cloud_more_than_an_unsynchronised_clock() -> None:
    box = Box(wrong_s=-DAY_S)
    clock = NodeClock(box)
    asked_at = clock()
    box.run(0.2)
    clock.hear(asked_at, box.truth, clock())
    assert abs(wrong_by_s(clock, box)) <= 0.2
    assert clock.figures.skew_s is not None
    assert abs(clock.figures.skew_s + DAY_S) < 1
    box.wrong_s = 7 * DAY_S
    clock.check()
    assert abs(wrong_by_s(clock, box)) <= 0.2
    box.synchronised, box.wrong_s = True, 60.0
    clock.check()
    assert wrong_by_s(clock, box) == 60.0


def test_a_slow_answer_says_nothing_about_the_time() -> None:
    box = Box(wrong_s=-DAY_S)
    clock = NodeClock(box)
    asked_at = clock()
    box.run(CLOUD_TOLERANCE_US / 1e6 + 1)
    clock.hear(asked_at, box.truth, clock())
    assert clock.correction == timedelta(0)
    assert clock.figures.skew_s is None


def test_once_confirmed_a_clock_that_somebody_sets_wrongly_changes_nothing() -> None:
    box = Box(synchronised=True)
    clock = NodeClock(box)
    box.synchronised, box.wrong_s = False, -DAY_S
    box.run(60)
    assert not clock.check()
    assert wrong_by_s(clock, box) == 0


def test_a_paused_machine_lost_time_and_what_was_recorded_before_stays_right() -> None:
    box = Box(synchronised=True)
    clock = NodeClock(box)
    recorded_at, timebase = clock(), clock.timebase
    box.truth += timedelta(hours=2)
    clock.check()
    assert clock.correction_us(timebase) == 0
    assert recorded_at == START
    assert wrong_by_s(clock, box) == 0


def test_within_one_start_of_the_machine_node_time_outlives_the_process(tmp_path: Path) -> None:
    box = Box(wrong_s=-DAY_S)
    file = tmp_path / "clock.json"
    first = NodeClock(box, path=file)
    began, timebase = first(), first.timebase
    box.run(10)
    box.wrong_s = 0
    again = NodeClock(box, path=file)
    assert (again() - began).total_seconds() == 10
    assert again.timebase == timebase
    assert again.correction_us(timebase) == DAY_S * 1e6


def test_another_process_tells_node_time_and_changes_nothing(tmp_path: Path) -> None:
    box = Box(wrong_s=-DAY_S)
    file = tmp_path / "clock.json"
    node = NodeClock(box, path=file)
    kept = file.read_bytes()
    box.wrong_s = 0
    box.run(10)
    beside = NodeClock(box, path=file, keeps=False)
    assert beside() == node()
    assert file.read_bytes() == kept
    assert [each.name for each in tmp_path.iterdir()] == ["clock.json"]


def test_another_start_of_the_machine_is_another_timebase_and_the_old_ones_are_remembered(tmp_path: Path) -> None:
    box = Box(wrong_s=-DAY_S)
    file = tmp_path / "clock.json"
    first = NodeClock(box, path=file)
    box.wrong_s = 0
    first.check()
    numbers = [first.timebase]
    for number in range(REMEMBERED + 5):
        box.boot, box.up_s, box.wrong_s = f"boot-{number + 2}", 1.0, -2 * DAY_S
        numbers.append(NodeClock(box, path=file).timebase)
    assert len(set(numbers)) == len(numbers)
    last = NodeClock(box, path=file)
    assert last.correction_us(numbers[0]) == 0, "forgotten"
    assert len(file.read_text().split("number")) - 1 == REMEMBERED


def test_a_correction_is_known_after_the_next_start_of_the_machine(tmp_path: Path) -> None:
    box = Box(wrong_s=-DAY_S)
    file = tmp_path / "clock.json"
    first = NodeClock(box, path=file)
    box.wrong_s = 0
    first.check()
    box.boot, box.up_s = "boot-2", 1.0
    assert NodeClock(box, path=file).correction_us(first.timebase) == DAY_S * 1e6


def test_a_broken_file_is_none(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    for content in ("", "[", '{"number": 1}', '[{"number": "x"}]', "[1]", "null"):
        file.write_text(content)
        assert NodeClock(Box(), path=file)() == START


def test_a_folder_that_takes_nothing_does_not_stop_the_clock(tmp_path: Path) -> None:
    assert NodeClock(Box(), path=tmp_path / "nowhere" / "clock.json")() == START


def test_a_clock_that_somebody_else_tells_needs_no_correction() -> None:
    told = SteppedClock()
    clock = NodeClock.of(told)
    told.step(-3600)
    clock.check()
    assert (clock(), clock.told(), clock.correction_us(clock.timebase)) == (told.now, told.now, 0)


def test_this_computer_answers() -> None:
    computer = Computer()
    before, after = computer.look(), computer.look()
    assert before.boot_us <= after.boot_us
    clock = NodeClock(computer)
    assert abs((clock() - datetime.now(UTC)).total_seconds()) < 60


STEPS = st.lists(
    st.tuples(st.floats(0.1, 900.0), st.sampled_from([-DAY_S, -3600.0, -1.5, 0.0, 0.4, 2.0, 3600.0, DAY_S])), max_size=8
)


@given(first=st.sampled_from([(NEVER_SET - START).total_seconds(), -DAY_S, 0.0, DAY_S]), steps=STEPS)
def test_whatever_is_done_to_the_wall_clock_durations_hold_and_the_last_word_puts_all_times_right(
    first: float, steps: list[tuple[float, float]]
) -> None:
    box = Box(wrong_s=first)
    clock = NodeClock(box)
    recorded = [(clock(), clock.timebase, box.truth)]
    for wait_s, step_s in steps:
        box.run(wait_s)
        box.wrong_s += step_s
        clock.check()
        before, true = recorded[-1][0], recorded[-1][2]
        recorded.append((clock(), clock.timebase, box.truth))
        assert abs((clock() - before) - (box.truth - true)) <= timedelta(microseconds=2)
    box.wrong_s, box.synchronised = 0, True
    clock.check()
    for at, timebase, true in recorded:
        told = at + timedelta(microseconds=clock.correction_us(timebase))
        assert abs((told - true) / timedelta(microseconds=1)) <= STEP_US


@given(st.floats(0.99, 1.01), st.integers(1, 20))
def test_a_clock_that_runs_too_fast_or_slow_is_put_right_in_small_steps(rate: float, hours: int) -> None:
    box = Box(rate=rate)
    clock = NodeClock(box)
    for _ in range(hours * 4):
        box.run(900)
        asked_at = clock()
        clock.hear(asked_at, box.truth, clock())
        assert abs(wrong_by_s(clock, box)) <= CLOUD_TOLERANCE_US / 1e6 + 0.001
