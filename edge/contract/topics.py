"""Topic strings, built and parsed here alone: `gw/1/<district>/<node>/…`."""

import re
from dataclasses import dataclass
from enum import StrEnum

from edge.contract.errors import UnknownTopic

ROOT = "gw/1"


class Channel(StrEnum):
    """The last part of a topic."""

    BIRTH = "up/birth"
    TELEMETRY = "up/telemetry"
    INCIDENT = "up/incident"
    GAP = "up/gap"
    HEALTH = "up/health"
    ANSWER = "up/answer"
    ACK = "down/ack"
    COMMAND = "down/command"
    DESIRED = "down/desired"
    STATUS = "status"


UPLINK = (Channel.BIRTH, Channel.TELEMETRY, Channel.INCIDENT, Channel.GAP, Channel.HEALTH, Channel.ANSWER)
DOWNLINK = (Channel.ACK, Channel.COMMAND, Channel.DESIRED)

_TOPIC = re.compile(
    r"gw/1/(?P<district>[0-9]{6})/(?P<node>[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?)/(?P<channel>[a-z/]+)"
)


@dataclass(frozen=True, slots=True)
class Topic:
    """A parsed topic."""

    district: str
    node: str
    channel: Channel

    def __str__(self) -> str:
        return f"{ROOT}/{self.district}/{self.node}/{self.channel.value}"


def parse(topic: str) -> Topic:
    """Read a topic. Raises UnknownTopic for anything that is not ours, wildcards included."""
    match = _TOPIC.fullmatch(topic)
    if match is None:
        raise UnknownTopic(topic[:200])
    try:
        channel = Channel(match["channel"])
    except ValueError as error:
        raise UnknownTopic(topic[:200]) from error
    return Topic(match["district"], match["node"], channel)


def for_all_nodes(channel: Channel) -> str:
    """The subscription of the cloud to one channel of every node."""
    return f"{ROOT}/+/+/{channel.value}"
