"""Which body travels on which channel: the one table that ingest, uplink, schemas and golden files read."""

from typing import Any

from edge.contract.answer import Answer
from edge.contract.birth import Birth, NodeStatus
from edge.contract.downlink import Ack, Command, DesiredProfile
from edge.contract.envelope import Envelope
from edge.contract.health import NodeHealth
from edge.contract.incident import Incident
from edge.contract.telemetry import Gap, TelemetryBatch
from edge.contract.topics import Channel

SHAPES: dict[Channel, Any] = {
    Channel.BIRTH: Envelope[Birth],
    Channel.TELEMETRY: Envelope[TelemetryBatch],
    Channel.INCIDENT: Envelope[Incident],
    Channel.GAP: Envelope[Gap],
    Channel.HEALTH: NodeHealth,
    Channel.ANSWER: Answer,
    Channel.ACK: Ack,
    Channel.COMMAND: Command,
    Channel.DESIRED: DesiredProfile,
    Channel.STATUS: NodeStatus,
}
