import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloud.db.leader import Duty, Leadership
from cloud.db.pool import Pool, open_pool
from cloud.jobs.service import JobService, make_jobs
from cloud.jobs.sweeps import SWEEPS, Sweep, Sweeper
from cloud.settings import CloudSettings
from tests.databases import has_timescaledb

TIMEOUT_S = 20.0


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    pool = open_pool(migrated_url, size=3)
    yield pool
    pool.close()


@pytest.fixture
def sweeper(pool: Pool, migrated_url: str, tmp_path: Path) -> Sweeper:
    settings = {"database_url": migrated_url, "data_directory": tmp_path}
    return Sweeper(pool, CloudSettings.model_validate(settings))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_every_sweep_may_run_at_any_time_and_twice(sweeper: Sweeper, migrated_url: str) -> None:
    now = datetime.now(UTC)
    opened = 0 if has_timescaledb(migrated_url) else 3
    assert {sweep.name: sweep.run(sweeper, now) for sweep in SWEEPS}["open_partitions"] == opened
    assert sum(sweep.run(sweeper, now) for sweep in SWEEPS) == 0


def test_one_process_runs_the_sweeps_and_the_next_takes_over(sweeper: Sweeper, migrated_url: str) -> None:
    ran: list[str] = []

    def service(name: str) -> JobService:
        def note(_sweeper: Sweeper, _now: datetime) -> int:
            ran.append(name)
            return 1

        sweep = Sweep("noted", 0.05, note)
        return JobService(sweeper, Leadership(migrated_url, Duty.JOBS), sweeps=(sweep,), lead_check_s=0.05)

    first, second = service("first"), service("second")
    first.start()
    wait_for(lambda: len(ran) > 2)
    second.start()
    wait_for(lambda: len(ran) > 5)
    assert set(ran) == {"first"}
    assert (first.leads, second.leads, second.problem()) == (True, False, None)
    first.stop()
    wait_for(lambda: "second" in ran)
    second.stop()
    assert second.problem() is not None
    count = len(ran)
    assert not any(thread.name.startswith("jobs") for thread in threading.enumerate())
    assert len(ran) == count


def test_a_sweep_that_fails_runs_again(sweeper: Sweeper, migrated_url: str) -> None:
    tries: list[int] = []

    def fail(_sweeper: Sweeper, _now: datetime) -> int:
        tries.append(1)
        raise RuntimeError("on purpose")

    sweep = Sweep("failing", 0.05, fail)
    service = JobService(sweeper, Leadership(migrated_url, Duty.JOBS), sweeps=(sweep,), lead_check_s=0.05)
    service.start()
    wait_for(lambda: len(tries) > 1)
    service.stop()


def test_what_is_urgent_waits_for_no_long_sweep(sweeper: Sweeper, migrated_url: str) -> None:
    release, begun, ran = threading.Event(), [], []

    def hang(_sweeper: Sweeper, _now: datetime) -> int:
        begun.append(1)
        release.wait(TIMEOUT_S)
        return 1

    def fire(_sweeper: Sweeper, _now: datetime) -> int:
        ran.append(len(begun))
        return 1

    long = tuple(Sweep(f"long_{number}", 3_600, hang) for number in range(4))
    sweeps = (*long, Sweep("urgent", 0.05, fire, urgent=True))
    service = JobService(sweeper, Leadership(migrated_url, Duty.JOBS), sweeps=sweeps, lead_check_s=0.05)
    service.start()
    try:
        wait_for(lambda: len(begun) == 2 and ran[-1:] == [2])  # both ordinary threads are taken, and it goes on
    finally:
        release.set()
        service.stop()


def test_deadlines_and_what_hangs_on_them_are_urgent() -> None:
    assert {sweep.name for sweep in SWEEPS if sweep.urgent} == {
        *("sweep_deadlines", "resume_cases", "sweep_absence", "sweep_presence", "time_out_commands"),
    }


def test_the_jobs_of_a_process_start_and_stop(sweeper: Sweeper) -> None:
    service = make_jobs(sweeper.settings, sweeper.pool)
    service.start()
    wait_for(lambda: service.leads)
    service.stop()


def test_a_clock_that_is_set_back_does_not_stop_the_sweeps(sweeper: Sweeper, migrated_url: str) -> None:
    ran: list[datetime] = []

    def note(_sweeper: Sweeper, now: datetime) -> int:
        ran.append(now)
        return 1

    service = JobService(
        sweeper, Leadership(migrated_url, Duty.JOBS), sweeps=(Sweep("noted", 0.05, note),), lead_check_s=0.05
    )
    service.start()
    try:
        wait_for(lambda: len(ran) > 2)
        # what is planned lies a day ahead, as after a step back by a day
        service._scheduler.get_job("noted").modify(next_run_time=datetime.now(UTC) + timedelta(days=1))
        done = len(ran)
        wait_for(lambda: len(ran) > done + 2)
    finally:
        service.stop()
