"""Which word counts when several were said: births and presence, in any order of arrival. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from cloud.fleet.model import BirthStanding, HealthTold, Presence, SortedDevices, WaitReason
from edge.contract.birth import Device, DeviceKind, NodeStatus, PresenceState
from edge.contract.health import NodeHealth

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def birth_wins(standing: BirthStanding, *, session: UUID, birth_id: UUID, seq: int) -> bool:
    """Whether a birth replaces what the registry holds.

    Within one session the higher `seq` is newer. Between sessions the one that is online wins, else the newer id
    (UUIDv7); a node whose clock jumped back is believed as soon as the old session is no longer online.
    """
    if standing.session is None or standing.birth_id is None:
        return True
    if session == standing.session:
        return seq > (standing.birth_seq or 0)
    if standing.presence is Presence.ONLINE and standing.presence_session in {session, standing.session}:
        return session == standing.presence_session or birth_id > standing.birth_id
    return True


def sort_devices(
    declared: Iterable[Device], known: Mapping[str, str], *, node: str, trusts_births: bool
) -> SortedDevices:
    """Which devices of a birth are taken as they are; `known` has the kinds of those that were accepted before.

    A device that says that it has become another kind waits as well: what is known of it stays until a person has looked. The node
    itself is a device, too, and was accepted with its key.
    """
    devices = {device.id: device for device in declared}
    if trusts_births:
        return SortedDevices(tuple(devices.values()))
    accepted, waiting = [], []
    for device in devices.values():
        if device.id == node and device.kind == DeviceKind.NODE:
            accepted.append(device)
        elif device.id not in known:
            waiting.append((device, WaitReason.NEW))
        elif known[device.id] != device.kind:
            waiting.append((device, WaitReason.KIND_CHANGED))
        else:
            accepted.append(device)
    return SortedDevices(tuple(accepted), tuple(waiting))


def presence_after(standing: BirthStanding, status: NodeStatus) -> Presence | None:
    """The presence that a status leads to, None where it changes nothing.

    `online` always counts: the topic is retained and read in the broker's order. `offline` counts only for the session
    that was last online, so that a late will of an old session can't mark a live node as lost.
    """
    if status.state is PresenceState.ONLINE:
        unchanged = standing.presence is Presence.ONLINE and standing.presence_session == status.session
        return None if unchanged else Presence.ONLINE
    if standing.presence_session is not None and standing.presence_session != status.session:
        return None
    return None if standing.presence is Presence.LOST else Presence.LOST


def newest_reports(told: Iterable[HealthTold]) -> list[HealthTold]:
    """Of each node the report that came last, by node: of one session that is the one with the highest number."""
    newest: dict[int, HealthTold] = {}
    for one in told:
        known = newest.get(one.node_id)
        if known is None or known.health.session != one.health.session or known.health.seq < one.health.seq:
            newest[one.node_id] = one
    return [newest[node_id] for node_id in sorted(newest)]


def on_our_clock(health: NodeHealth, received_at: datetime) -> NodeHealth:
    """The report with the node's own times moved by what its clock is off: an age is right whatever the clock says.

    A report is never kept, so it is received when it is told. Event times of readings stay: they are what charts use.
    """
    offset = received_at - health.at

    def moved(instant: datetime) -> datetime:
        return min(received_at, max(_EPOCH, instant + offset))

    def optional(instant: datetime | None) -> datetime | None:
        return None if instant is None else moved(instant)

    replace = msgspec.structs.replace
    return replace(
        health,
        at=received_at,
        backlog=replace(health.backlog, oldest_at=optional(health.backlog.oldest_at)),
        evidence=replace(health.evidence, oldest_at=optional(health.evidence.oldest_at)),
        link=replace(health.link, connected_since=moved(health.link.connected_since)),
        dead_letters=tuple(
            replace(each, first_at=moved(each.first_at), last_at=moved(each.last_at)) for each in health.dead_letters
        ),
    )
