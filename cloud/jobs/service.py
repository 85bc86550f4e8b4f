"""The scheduler: one process at a time runs the sweeps, under a session advisory lock.

Every sweep is idempotent and reads what is due from rows, so that a sweep which ran twice, late or never does no harm.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from prometheus_client import Counter, Gauge, Histogram

from cloud.db.leader import Duty, Leadership
from cloud.db.pool import Pool
from cloud.jobs.sweeps import SWEEPS, Sweep, Sweeper
from cloud.settings import CloudSettings

LEAD_CHECK_S = 5.0
MISFIRE_GRACE_S = 300
JITTER_MOST_S = 30.0
ORDINARY = "default"
URGENT = "urgent"
CLOCK_TOLERANCE = timedelta(seconds=5)

_RUNS = Counter("gridward_job_runs_total", "Sweeps by how they ended", ["job", "outcome"])
_SECONDS = Histogram("gridward_job_seconds", "How long a sweep took", ["job"])
_BROUGHT_FORWARD = Counter(
    "gridward_job_brought_forward_total", "Sweeps planned for after a step of the clock", ["job"]
)
_LEADS = Gauge("gridward_jobs_leader", "1 in the process that runs the jobs")

_log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def make_jobs(settings: CloudSettings, pool: Pool) -> "JobService":
    """The jobs of this process, not started."""
    leadership = Leadership(settings.database_url.get_secret_value(), Duty.JOBS)
    return JobService(Sweeper(pool, settings), leadership)


class JobService:
    """Runs the sweeps while this process leads; looks every few seconds whether it does."""

    def __init__(
        self,
        sweeper: Sweeper,
        leadership: Leadership,
        *,
        sweeps: tuple[Sweep, ...] = SWEEPS,
        clock: Callable[[], datetime] = utc_now,
        lead_check_s: float = LEAD_CHECK_S,
    ) -> None:
        self._sweeper = sweeper
        self._leadership = leadership
        self._sweeps = sweeps
        self._clock = clock
        self._lead_check_s = lead_check_s
        self._scheduler: Any = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow_lead, name="jobs-lead", daemon=True)

    def start(self) -> None:
        """Begin to try for the lead."""
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Let the sweep under way finish, then give up the lead."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def problem(self) -> str | None:
        """What keeps it from working, None when nothing does; another process that leads is no problem."""
        return None if self._thread.is_alive() else "the jobs thread has ended"

    @property
    def leads(self) -> bool:
        """Whether this process runs the sweeps now."""
        return self._scheduler is not None

    def _follow_lead(self) -> None:
        try:
            while not self._stopping.is_set():
                if self._leadership.held() != self.leads:
                    self._lay_down() if self.leads else self._take_up()
                elif self.leads:
                    self._catch_up()
                self._stopping.wait(self._lead_check_s)
        finally:
            if self.leads:
                self._lay_down()
            self._leadership.release()

    def _take_up(self) -> None:
        _log.info("jobs_lead_taken")
        _LEADS.set(1)
        scheduler = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": MISFIRE_GRACE_S},
            executors={lane: {"type": "threadpool", "max_workers": 2} for lane in (ORDINARY, URGENT)},
        )
        for sweep in self._sweeps:
            scheduler.add_job(
                self._run,
                "interval",
                args=[sweep],
                id=sweep.name,
                executor=URGENT if sweep.urgent else ORDINARY,
                seconds=sweep.every_s,
                jitter=min(sweep.every_s / 10, JITTER_MOST_S),
                next_run_time=self._clock(),
            )
        scheduler.start()
        self._scheduler = scheduler

    def _catch_up(self) -> None:
        """The scheduler plans by the wall clock: where that was set back, everything would rest until it has caught up."""
        final = {sweep.name: timedelta(seconds=sweep.every_s + JITTER_MOST_S) for sweep in self._sweeps}
        now = self._clock()
        for job in self._scheduler.get_jobs():
            if job.next_run_time - now > final[job.id] + CLOCK_TOLERANCE:
                _log.warning(
                    "job_brought_forward", job=job.id, ahead_s=round((job.next_run_time - now).total_seconds())
                )
                _BROUGHT_FORWARD.labels(job.id).inc()
                job.modify(next_run_time=now)

    def _lay_down(self) -> None:
        _log.info("jobs_lead_given_up")
        _LEADS.set(0)
        self._scheduler.shutdown(wait=True)
        self._scheduler = None

    def _run(self, sweep: Sweep) -> None:
        began_s = time.monotonic()
        try:
            count = sweep.run(self._sweeper, self._clock())
        except Exception:  # noqa: BLE001  # the thread's top: counted, logged, tried again when it is due next
            _RUNS.labels(sweep.name, "failed").inc()
            _log.exception("job_failed", job=sweep.name)
            return
        _RUNS.labels(sweep.name, "done").inc()
        _SECONDS.labels(sweep.name).observe(time.monotonic() - began_s)
        if count:
            _log.debug("job_done", job=sweep.name, count=count)
