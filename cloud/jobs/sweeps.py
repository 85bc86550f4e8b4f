"""The sweeps: what each does, how often, in transactions of its own. A click on the table shows all."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.access import audit_chain, sessions
from cloud.cases import service as cases
from cloud.commands import service as commands
from cloud.correlate import absence
from cloud.correlate.service import CorrelationRules
from cloud.db import live
from cloud.db.pool import Pool
from cloud.drills import service as drills
from cloud.enrolment import service as enrolment
from cloud.escalation import lookahead
from cloud.escalation import sweeps as escalation
from cloud.escalation.roster import Duty
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.pruning import prune
from cloud.evidence.retention import terms_of
from cloud.evidence.store import to_prune
from cloud.figures import rolling as figures
from cloud.fleet import metrics
from cloud.fleet import service as fleet
from cloud.handover import records as shift_records
from cloud.intake import requests, retention
from cloud.maintenance import faults
from cloud.maintenance import figures as maintenance_figures
from cloud.notify import inbox
from cloud.organisation import patterns, positions, swaps
from cloud.proof import keys as proof_keys
from cloud.proof import linking, ordering
from cloud.rollouts import artifacts
from cloud.rollouts.advance import advance_all
from cloud.settings import CloudSettings
from cloud.signing import Signer
from cloud.telemetry import service as telemetry
from cloud.verdicts import settling as verdicts
from cloud.wall import service as wall

SESSION_AGE = timedelta(days=7)
FILES_AT_A_SWEEP = 5_000
NOTICE_AGE = timedelta(days=90)
CASES_AT_ONCE = 200
BATCHES_AT_A_SWEEP = 10
"""Of chains: a backlog of millions is worked off in turns, and holds up no other sweep."""


@dataclass(frozen=True, slots=True)
class Sweeper:
    """What sweeps work with."""

    pool: Pool
    settings: CloudSettings


@dataclass(frozen=True, slots=True)
class Sweep:
    """One sweep: `run` answers how many things it did; it may be run at any time, by anyone, twice.

    `urgent`: what people's deadlines and answers hang on; it has threads that no other sweep takes, however long those need.
    """

    name: str
    every_s: float
    run: Callable[[Sweeper, datetime], int]
    urgent: bool = False


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


def seal_audit(sweeper: Sweeper, now: datetime) -> int:
    """Chain what came into the audit log, and sign the end of the chain."""
    head_file = sweeper.settings.data_directory.resolve() / audit_chain.HEAD_FILE
    signer = Signer.of_audit(sweeper.settings)
    return audit_chain.seal_all(sweeper.pool, signer, head_file, now=now, most_batches=BATCHES_AT_A_SWEEP)


def link_cases(sweeper: Sweeper, now: datetime) -> int:
    """Link what happened to cases into their chains, and sign the end of the ledger."""
    head_file = sweeper.settings.data_directory.resolve() / linking.HEAD_FILE
    signer = proof_keys.signer_of(sweeper.settings)
    return linking.link_all(sweeper.pool, signer, head_file, now=now, most_batches=BATCHES_AT_A_SWEEP)


def order_originals(sweeper: Sweeper, now: datetime) -> int:
    """Order sealed originals of their nodes that two people want to see or a held case needs, and read what nodes say."""
    return ordering.sweep(sweeper.pool, now=now)


def drop_fetched(sweeper: Sweeper, now: datetime) -> int:
    """Let copies of originals go that nobody may see any more."""
    return ordering.drop_fetched(sweeper.pool, EvidenceFiles(sweeper.settings.evidence_store_url), now=now)


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
    return advance_all(sweeper.pool, now=now, revoked=artifacts.trusted_keys(sweeper.settings).revoked)


def add_shipped(sweeper: Sweeper, now: datetime) -> int:
    """Register the profiles that come with this program."""
    files = EvidenceFiles(sweeper.settings.evidence_store_url)
    with sweeper.pool.connection() as conn:
        return artifacts.add_shipped(conn, files, artifacts.trusted_keys(sweeper.settings), now=now)


def end_drills(sweeper: Sweeper, now: datetime) -> int:
    """End drills whose planned end has come."""
    with sweeper.pool.connection() as conn:
        return drills.end_due(conn, now=now)


def resume_cases(sweeper: Sweeper, now: datetime) -> int:
    """Bring suspended cases whose date has come back to work."""
    done = 0
    while True:
        with sweeper.pool.connection() as conn:
            resumed = cases.resume_due(conn, now=now, count=CASES_AT_ONCE)
        done += resumed
        if resumed < CASES_AT_ONCE:
            return done


def forget_requests(sweeper: Sweeper, now: datetime) -> int:
    """Let the links of residents end, and forget what they wrote, when it is over for long."""
    with sweeper.pool.connection() as conn:
        return requests.forget(conn, now=now, count=CASES_AT_ONCE)


def sweep_orders(sweeper: Sweeper, now: datetime) -> int:
    """Open work orders for devices that are lost for long, and end those of devices that have been well for hours."""
    with sweeper.pool.connection() as conn:
        return faults.sweep(conn, now=now, zone=sweeper.settings.zone)


def sweep_deadlines(sweeper: Sweeper, now: datetime) -> int:
    """Fire what the clocks of cases have due, and call the levels that have to know."""
    return escalation.sweep(sweeper.pool, now=now, roster=Duty(sweeper.settings.zone))


def look_ahead(sweeper: Sweeper, now: datetime) -> int:
    """Raise beforehand what would go unheard: nobody on duty, nobody reachable, a calendar that ends."""
    with sweeper.pool.connection() as conn:
        return lookahead.sweep(conn, Duty(sweeper.settings.zone), now=now, zone=sweeper.settings.zone)


def adopt_cases(sweeper: Sweeper, now: datetime) -> int:
    """Give a clock to running cases that have none."""
    return escalation.adopt_all(sweeper.pool, now=now)


def prune_presence(sweeper: Sweeper, now: datetime) -> int:
    """Forget when devices came and went before any window of the figures."""
    with sweeper.pool.connection() as conn:
        return maintenance_figures.prune(conn, now=now)


def make_verdicts(sweeper: Sweeper, _now: datetime) -> int:
    """Lay what people found on the incidents that they looked at; how many changed."""
    return verdicts.sweep(sweeper.pool)


def count_figures(sweeper: Sweeper, now: datetime) -> int:
    """Count the days anew on which something has changed; how many notes of that were worked off."""
    with sweeper.pool.connection() as conn:
        figures.take_back(conn, now=now)
    return figures.sweep(sweeper.pool, zone=sweeper.settings.zone)


def fill_figures(sweeper: Sweeper, _now: datetime) -> int:
    """Count days that were never counted, the last ones first; how many."""
    return figures.fill(sweeper.pool, zone=sweeper.settings.zone)


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


def prune_pictures(sweeper: Sweeper, now: datetime) -> int:
    """Delete pictures of reports whose time is over; an hour's work at most at once."""
    files = EvidenceFiles(sweeper.settings.evidence_store_url)
    return retention.prune_pictures(sweeper.pool, files, now=now, count=FILES_AT_A_SWEEP)


def plan_duty(sweeper: Sweeper, now: datetime) -> int:
    """Make the shifts of the next days out of weekly patterns; how many."""
    made = 0
    while True:
        with sweeper.pool.connection() as conn:
            expanded, shifts = patterns.expand(conn, now=now, zone=sweeper.settings.zone)
        made += shifts
        if expanded < patterns.AT_ONCE:
            return made


def draw_up_records(sweeper: Sweeper, now: datetime) -> int:
    """Make the records of shifts that end."""
    with sweeper.pool.connection() as conn:
        return shift_records.draw_up(conn, now=now)


def lapse_swaps(sweeper: Sweeper, now: datetime) -> int:
    """End swaps that nobody decided before the shift began."""
    with sweeper.pool.connection() as conn:
        return swaps.lapse(conn, now=now)


def forget_positions(sweeper: Sweeper, now: datetime) -> int:
    """Delete where workers were whose shift is over."""
    with sweeper.pool.connection() as conn:
        return positions.forget(conn, now=now)


def prune_notices(sweeper: Sweeper, now: datetime) -> int:
    """Forget what people were told a season ago; the history of cases keeps what it was about."""
    with sweeper.pool.connection() as conn:
        return inbox.prune(conn, before=now - NOTICE_AGE)


SWEEPS = (
    Sweep("roll_up", 10, roll_up),
    Sweep("open_partitions", 6 * 3_600, open_partitions),
    Sweep("sweep_presence", 30, sweep_presence, urgent=True),
    Sweep("sweep_absence", 15, sweep_absence, urgent=True),
    Sweep("count_backlog", 30, count_backlog),
    Sweep("sweep_orders", 60, sweep_orders),
    Sweep("resume_cases", 60, resume_cases, urgent=True),
    Sweep("end_drills", 10, end_drills),
    Sweep("forget_requests", 3_600, forget_requests),
    Sweep("sweep_deadlines", 10, sweep_deadlines, urgent=True),
    Sweep("adopt_cases", 300, adopt_cases),
    Sweep("look_ahead", 300, look_ahead),
    Sweep("prune_presence", 24 * 3_600, prune_presence),
    Sweep("time_out_commands", 5, time_out_commands, urgent=True),
    Sweep("prune_commands", 3_600, prune_commands),
    Sweep("prune_enrolment", 3_600, prune_enrolment),
    Sweep("advance_rollouts", 5, advance_rollouts),
    Sweep("add_shipped", 3_600, add_shipped),
    Sweep("make_verdicts", 15, make_verdicts),
    Sweep("count_figures", 20, count_figures),
    Sweep("fill_figures", 20, fill_figures),
    Sweep("plan_duty", 60, plan_duty),
    Sweep("lapse_swaps", 60, lapse_swaps),
    Sweep("draw_up_records", 60, draw_up_records),
    Sweep("forget_positions", 30, forget_positions),
    Sweep("forget_wall", 60, forget_wall),
    Sweep("prune_live", 600, prune_live),
    Sweep("seal_audit", 30, seal_audit),
    Sweep("link_cases", 10, link_cases),
    Sweep("order_originals", 5, order_originals),
    Sweep("drop_fetched", 300, drop_fetched),
    Sweep("prune_sessions", 3_600, prune_sessions),
    Sweep("prune_notices", 3_600, prune_notices),
    Sweep("prune_evidence", 3_600, prune_evidence),
    Sweep("prune_pictures", 3_600, prune_pictures),
)
