"""A whole node whose cloud takes nothing for a while: it says so while it fills, and that it is over when it is."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from cloud.embedded.broker import EmbeddedBroker
from edge.contract.downlink import Outcome
from edge.contract.envelope import Envelope
from edge.contract.health import Level
from edge.contract.incident import Incident, IncidentState, Severity
from edge.contract.telemetry import TelemetryBatch
from edge.node.health import NodeCollector
from edge.node.wording import status_lines
from tests.edge.node.test_node import RunningNode
from tests.edge.waiting import wait_until

pytestmark = pytest.mark.system

POINTS = 200
TWELFTH = 20
"""Messages that take a twelfth of the room."""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


class Filling:
    """Sends readings as long as they are wanted; each message holds one of every point."""

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._number = 0

    def more(self, twelfths: int = 1) -> bool:
        """Some of the room, once the node has told of all before: each level is looked at on the way. Whether it has."""
        if self._node.status()["outbox"]["readings_accepted"] < self._number * POINTS:
            return False
        for _ in range(twelfths * TWELFTH):
            self._number += 1
            payload = json.dumps({f"p{point}": self._number for point in range(POINTS)})
            self._node.sensor.publish("fill/1", payload, qos=1).wait_for_publish(10)
        return True


def alarms(node: RunningNode) -> list[Incident]:
    newest = {each.revision: each for each in node.incidents() if each.kind == "outbox_pressure"}
    return [newest[revision] for revision in sorted(newest)]


def test_an_outbox_that_fills_is_told_at_a_half_and_nine_tenths_and_when_it_is_empty(
    tmp_path: Path, open_broker: EmbeddedBroker, stack: ExitStack
) -> None:
    node = RunningNode(tmp_path, open_broker, None, stack)
    file = yaml.safe_load(node.file.read_text())
    file["outbox"] = {"quota_mib": 4, "incident_reserve_mib": 1}
    file["sensors"].append(
        {"id": "fill-1", "topic": "fill/1", "points": [{"name": f"p{point}"} for point in range(POINTS)]}
    )
    node.file.write_text(yaml.safe_dump(file))
    node.start()
    node.ready()
    filling = Filling(node)

    def silent(envelope: Envelope[object]) -> Outcome | None:
        return None if isinstance(envelope.body, TelemetryBatch) else Outcome.ACCEPTED

    node.cloud.answer = silent

    def told(severity: Severity) -> bool:
        filling.more()
        return any(each.severity is severity for each in alarms(node))

    wait_until(lambda: filling.more(5), "the first of it")
    wait_until(lambda: told(Severity.MEDIUM), "the alarm at a half", timeout_s=120)
    wait_until(lambda: filling.more(3), "all before")
    wait_until(lambda: told(Severity.HIGH), "the alarm at nine tenths", timeout_s=120)
    wait_until(lambda: any(each.backlog.level is Level.CRITICAL for each in node.cloud.healths), "the health")
    wait_until(lambda: node.status()["outbox"]["level"] == "critical", "the status")
    [shown] = [each for each in node.status()["degraded"] if each["reason"] == "pressure"]
    assert shown["subject"] == "outbox"
    lines = "\n".join(status_lines(node.status()))
    assert "(critical)" in lines
    assert "wait, the oldest since" in lines
    metrics = {
        sample.name: sample.value for family in NodeCollector(node.status).collect() for sample in family.samples
    }
    assert metrics["gridward_edge_outbox_level"] == 2
    assert metrics["gridward_edge_outbox_share"] >= 0.8
    assert metrics["gridward_edge_outbox_readings_waiting"] > 0

    node.cloud.answer = lambda _envelope: Outcome.ACCEPTED

    waiting = [each.id for each in list(node.cloud.sent) if isinstance(each.body, TelemetryBatch)]
    for start in range(0, len(waiting), 500):
        node.cloud.acknowledge(waiting[start : start + 500])
    wait_until(lambda: alarms(node)[-1].state is IncidentState.ENDED, "the end of the alarm", timeout_s=120)
    assert len({each.incident_id for each in alarms(node)}) == 1
    first = alarms(node)[0]
    assert (first.state, first.device, first.category) == (IncidentState.OPEN, "station-01", "maintenance")
    wait_until(
        lambda: node.cloud.healths[-1].backlog.level is Level.NORMAL, "a health that is well again", timeout_s=60
    )
