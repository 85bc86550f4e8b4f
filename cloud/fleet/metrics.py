"""What waits in all nodes together, for /metrics of the process that runs the jobs: sums, not one series for each node."""

from datetime import datetime

from prometheus_client import Gauge

from cloud.fleet.model import FleetBacklog

NODES = Gauge(
    "gridward_fleet_nodes", "Accepted nodes by how full their outbox is; silent ones have not told lately", ["level"]
)
WAITING = Gauge("gridward_fleet_waiting", "What waits in the outboxes of the nodes that told lately", ["what"])
OLDEST = Gauge(
    "gridward_fleet_oldest_waiting_seconds", "Age of the oldest thing that waits in any node, 0 when nothing does"
)
DROPPED = Gauge(
    "gridward_fleet_dropped_readings", "Readings that nodes dropped and declared, since their stores were made"
)
REJECTED = Gauge("gridward_fleet_rejected_incidents", "Incidents that nodes were told to be rejected for good")


def show(backlog: FleetBacklog, now: datetime) -> None:
    """Set all of them."""
    NODES.labels("silent").set(backlog.silent)
    NODES.labels("warning").set(backlog.warning)
    NODES.labels("critical").set(backlog.critical)
    NODES.labels("normal").set(backlog.nodes - backlog.silent - backlog.warning - backlog.critical)
    WAITING.labels("readings").set(backlog.readings_waiting)
    WAITING.labels("incidents").set(backlog.incidents_waiting)
    WAITING.labels("files").set(backlog.files_waiting)
    age_s = 0.0 if backlog.oldest_at is None else max(0.0, (now - backlog.oldest_at).total_seconds())
    OLDEST.set(age_s)
    DROPPED.set(backlog.dropped)
    REJECTED.set(backlog.rejected_incidents)
