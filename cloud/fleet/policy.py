"""Which word counts when several were said: births and presence, in any order of arrival. Pure."""

from uuid import UUID

from cloud.fleet.model import BirthStanding, Presence
from edge.contract.birth import NodeStatus, PresenceState


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
