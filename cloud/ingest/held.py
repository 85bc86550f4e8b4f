"""What waits in quarantine, by node, and its way out when nobody will ever accept or declare it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import audit
from cloud.errors import NotFound
from cloud.fleet import store as fleet
from cloud.ingest import store
from cloud.ingest.model import Reason
from cloud.ingest.refused import STRANGERS
from cloud.refusals import store as refusals


@dataclass(frozen=True, slots=True)
class Held:
    """Messages of one node by kind and by reason. `enrolled`: an accepted one, which let go of them when it was told that they
    are kept. `refused` counts what of a stranger found no room.

    `since` and `latest_at` are when the oldest and the newest were received, of a stranger of which nothing waits when it was
    seen.
    """

    node: str
    enrolled: bool
    since: datetime
    latest_at: datetime
    messages: int
    size_bytes: int
    refused: int
    kinds: dict[str, int]
    reasons: dict[str, int]


def waiting(conn: Connection[Any]) -> list[Held]:
    """All that is held, and the strangers of which nothing is, by name. What was released is on its way in already."""
    strangers = {each.name: each for each in fleet.quarantined_nodes(conn)}
    groups: dict[str, list[store.HeldGroup]] = {name: [] for name in strangers}
    for node, group in store.held(conn):
        groups.setdefault(node, []).append(group)
    enrolled = {row.name for row in fleet.nodes_by_name(conn, list(groups))}
    return [_held(name, groups[name], strangers.get(name), enrolled=name in enrolled) for name in sorted(groups)]


def discard(conn: Connection[Any], node: str, *, now: datetime) -> Held:
    """Let go of what waits of a node, for good, and take a stranger off the list; one that speaks again is listed again.

    What went stands in the audit log and is counted among the refusals. Raises NotFound when nothing waits.
    """
    stranger = fleet.quarantined_node(conn, node)  # locked first, as ingest and an acceptance do
    groups = store.discard_held(conn, node)
    if stranger is None and not groups:
        raise NotFound(f"nothing of {node} waits in quarantine")
    fleet.remove_quarantined_node(conn, node)
    gone = _held(node, groups, stranger, enrolled=bool(fleet.nodes_by_name(conn, [node])))
    detail = {
        "messages": gone.messages,
        "bytes": gone.size_bytes,
        "since": gone.since.isoformat(),
        "latest_at": gone.latest_at.isoformat(),
        "kinds": gone.kinds,
        "reasons": gone.reasons,
    }
    audit.write(conn, "quarantine.discarded", node, actor_name="command line", detail=detail)
    if gone.messages:
        sender = node if gone.enrolled else STRANGERS
        words = f"{gone.messages} messages of {node} that had waited in quarantine"
        refusals.count(conn, {(sender, str(Reason.DISCARDED)): (gone.messages, words)}, at=now)
    return gone


def _held(
    node: str, groups: Sequence[store.HeldGroup], stranger: fleet.QuarantinedNode | None, *, enrolled: bool
) -> Held:
    kinds: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for group in groups:
        kinds[group.channel.rpartition("/")[2]] += group.messages
        reasons[group.reason] += group.messages
    times = [at for group in groups for at in (group.since, group.latest_at)]
    if stranger is not None and not times:
        times = [stranger.first_seen_at, stranger.last_seen_at]
    return Held(
        node,
        enrolled,
        since=min(times),
        latest_at=max(times),
        messages=sum(group.messages for group in groups),
        size_bytes=sum(group.size_bytes for group in groups),
        refused=stranger.refused if stranger is not None else 0,
        kinds=dict(kinds),
        reasons=dict(reasons),
    )
