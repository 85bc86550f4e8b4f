"""What nodes are told after a commit: one acknowledgement for each node and session, in pieces that a reader takes. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from cloud.ingest.model import Verdict
from edge.contract.downlink import Ack, Result
from edge.contract.envelope import encode
from edge.contract.topics import Channel, Topic

RESULTS_PER_MESSAGE = 250
REASON_CHARACTERS = 500


def acknowledgements(verdicts: Iterable[Verdict], sent_at: datetime) -> Iterator[tuple[str, bytes]]:
    """(topic, payload) for every node that is named in the verdicts."""
    by_session: dict[tuple[str, str, UUID | None], list[Result]] = {}
    for verdict in verdicts:
        reason = None if verdict.reason is None else verdict.reason[:REASON_CHARACTERS]
        result = Result(id=verdict.message_id, outcome=verdict.outcome, reason=reason)
        by_session.setdefault((verdict.topic.district, verdict.topic.node, verdict.session), []).append(result)
    for (district, node, session), results in by_session.items():
        topic = str(Topic(district, node, Channel.ACK))
        for start in range(0, len(results), RESULTS_PER_MESSAGE):
            piece = tuple(results[start : start + RESULTS_PER_MESSAGE])
            yield topic, encode(Ack(node=node, session=session, sent_at=sent_at, results=piece))
