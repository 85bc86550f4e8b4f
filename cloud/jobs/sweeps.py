"""The sweeps: what each does, how often, in transactions of its own. A click on the table shows all."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.access import sessions
from cloud.commands import service as commands
from cloud.correlate import absence
from cloud.correlate.service import CorrelationRules
from cloud.db import live
from cloud.db.pool import Pool
from cloud.enrolment import service as enrolment
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.pruning import prune
from cloud.evidence.retention import terms_of
from cloud.evidence.store import to_prune
from cloud.fleet import metrics
from cloud.fleet import service as fleet
from cloud.maintenance import faults
from cloud.maintenance import figures as maintenance_figures
from cloud.rollouts import artifacts
from cloud.rollouts.advance import advance_all
from cloud.settings import CloudSettings
from cloud.telemetry import service as telemetry
from cloud.wall import service as wall

SESSION_AGE = timedelta(days=7)
FILES_AT_A_SWEEP = 5_000


@dataclass(frozen=True, slots=True)
class Sweeper:
    """What sweeps work with."""

    pool: Pool
    settings: CloudSettings


@dataclass(frozen=True, slots=True)
class Sweep:
    """One sweep: `run` answers how many things it did; it may be run at any time, by anyone, twice."""

    name: str
    every_s: float
    run: Callable[[Sweeper, datetime], int]


def roll_up(sweeper: Sweeper, _now: datetime) -> int:
    """Recompute the minutes and hours that readings touched."""
    return telemetry.roll_up(sweeper.pool)


def open_partitions(sweeper: Sweeper, now: datetime) -> int:
    """Make the partitions of this month and the next two."""
    return telemetry.open_partitions_ahead(sweeper.pool, now)


def sweep_presence(sweeper: Sweeper, now: datetime) -> int:
    """Mark nodes that have been silent for long."""
    with sweeper.pool.connection() as conn:
        return fleet.sweep_presence(conn, now=now)


def sweep_absence(sweeper: Sweeper, now: datetime) -> int:
    """Tell of nodes that are away, and of those that are back."""
    grace = timedelta(seconds=sweeper.settings.node_absence_s)
    with sweeper.pool.connection() as conn:
        return absence.sweep(conn, now=now, grace=grace, rules=CorrelationRules.of(sweeper.settings))


def prune_live(sweeper: Sweeper, now: datetime) -> int:
    """Forget events that no stream resumes from any more."""
    with sweeper.pool.connection() as conn:
        return int(live.prune(conn, now - timedelta(seconds=sweeper.settings.live_retention_s)) or 0)


def prune_sessions(sweeper: Sweeper, now: datetime) -> int:
    """Forget sessions that ended a week ago."""
    with sweeper.pool.connection() as conn:
        return int(sessions.prune(conn, now - SESSION_AGE) or 0)


def count_backlog(sweeper: Sweeper, now: datetime) -> int:
    """Show what waits in all nodes together; how many are nearly full."""
    with sweeper.pool.connection() as conn:
        backlog = fleet.backlog(conn, now=now)
    metrics.show(backlog, now)
    return backlog.critical


def time_out_commands(sweeper: Sweeper, now: datetime) -> int:
    """End commands that no node answered in time."""
    with sweeper.pool.connection() as conn:
        return commands.time_out(conn, now=now)


def prune_commands(sweeper: Sweeper, now: datetime) -> int:
    """Forget what commands brought, and old ones altogether."""
    with sweeper.pool.connection() as conn:
        return commands.prune(conn, now=now)


def prune_enrolment(sweeper: Sweeper, now: datetime) -> int:
    """Forget claims, challenges and credentials that are over for long."""
    with sweeper.pool.connection() as conn:
        return enrolment.prune(conn, now=now)


def advance_rollouts(sweeper: Sweeper, now: datetime) -> int:
    """Bring rollouts up to what nodes announced and to the time; how many moved."""
    return advance_all(sweeper.pool, now=now)


def add_shipped(sweeper: Sweeper, now: datetime) -> int:
    """Register the profiles that come with this program."""
    files = EvidenceFiles(sweeper.settings.evidence_store_url)
    with sweeper.pool.connection() as conn:
        return artifacts.add_shipped(conn, files, artifacts.trusted_keys(sweeper.settings), now=now)


def sweep_orders(sweeper: Sweeper, now: datetime) -> int:
    """Open work orders for devices that are lost for long, and end those of devices that have been well for hours."""
    with sweeper.pool.connection() as conn:
        return faults.sweep(conn, now=now, zone=sweeper.settings.zone)


def prune_presence(sweeper: Sweeper, now: datetime) -> int:
    """Forget when devices came and went before any window of the figures."""
    with sweeper.pool.connection() as conn:
        return maintenance_figures.prune(conn, now=now)


def forget_wall(sweeper: Sweeper, now: datetime) -> int:
    """Delete the pictures that people looked at minutes ago."""
    with sweeper.pool.connection() as conn:
        return wall.forget(conn, now=now)


def prune_evidence(sweeper: Sweeper, now: datetime) -> int:
    """Delete files whose time is over or whose node has more than its share; an hour's work at most at once."""
    with sweeper.pool.connection() as conn:
        due = to_prune(
            conn,
            terms_of(sweeper.settings),
            quota_bytes=sweeper.settings.evidence_node_quota_bytes,
            now=now,
            count=FILES_AT_A_SWEEP,
        )
    if not due:
        return 0
    files, gone = EvidenceFiles(sweeper.settings.evidence_store_url), 0
    for file in due:
        with sweeper.pool.connection() as conn:
            gone += prune(conn, files, file, now=now, actor_name="retention")
    return gone


SWEEPS = (
    Sweep("roll_up", 10, roll_up),
    Sweep("open_partitions", 6 * 3_600, open_partitions),
    Sweep("sweep_presence", 30, sweep_presence),
    Sweep("sweep_absence", 15, sweep_absence),
    Sweep("count_backlog", 30, count_backlog),
    Sweep("sweep_orders", 60, sweep_orders),
    Sweep("prune_presence", 24 * 3_600, prune_presence),
    Sweep("time_out_commands", 5, time_out_commands),
    Sweep("prune_commands", 3_600, prune_commands),
    Sweep("prune_enrolment", 3_600, prune_enrolment),
    Sweep("advance_rollouts", 5, advance_rollouts),
    Sweep("add_shipped", 3_600, add_shipped),
    Sweep("forget_wall", 60, forget_wall),
    Sweep("prune_live", 600, prune_live),
    Sweep("prune_sessions", 3_600, prune_sessions),
    Sweep("prune_evidence", 3_600, prune_evidence),
)
