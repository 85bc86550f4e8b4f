from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cloud.fleet.model import BirthStanding, Presence
from cloud.fleet.policy import birth_wins, presence_after
from edge.contract.birth import NodeStatus, PresenceState
from edge.contract.fields import uuid7
from tests.fakes.node import AT

OLD, NEW = uuid7(1_000), uuid7(2_000)
ONLINE, OFFLINE = PresenceState.ONLINE, PresenceState.OFFLINE


def standing(
    session: UUID | None = OLD,
    *,
    birth_id: UUID | None = None,
    seq: int = 5,
    presence: Presence = Presence.ONLINE,
    presence_session: UUID | None = OLD,
) -> BirthStanding:
    return BirthStanding(session, birth_id or uuid7(1_500), seq, presence, presence_session)


def status(session: UUID, state: PresenceState) -> NodeStatus:
    return NodeStatus(node="station-01", session=session, state=state, at=AT)


def test_the_first_birth_wins() -> None:
    assert birth_wins(BirthStanding(None, None, None, Presence.UNKNOWN, None), session=OLD, birth_id=NEW, seq=1)


def test_within_a_session_the_higher_number_wins() -> None:
    assert birth_wins(standing(), session=OLD, birth_id=uuid7(1), seq=6)
    assert not birth_wins(standing(), session=OLD, birth_id=uuid7(9_000), seq=5)


def test_a_new_session_wins_and_an_old_one_that_comes_late_does_not() -> None:
    assert birth_wins(standing(), session=NEW, birth_id=uuid7(2_500), seq=1)
    assert not birth_wins(standing(), session=uuid7(500), birth_id=uuid7(600), seq=1)


def test_a_node_whose_clock_jumped_back_is_believed_once_its_old_session_is_gone() -> None:
    jumped = uuid7(10)
    assert not birth_wins(standing(), session=jumped, birth_id=uuid7(11), seq=1)
    assert birth_wins(standing(presence=Presence.LOST), session=jumped, birth_id=uuid7(11), seq=1)
    assert birth_wins(standing(presence_session=jumped), session=jumped, birth_id=uuid7(11), seq=1)


def test_a_late_will_changes_nothing() -> None:
    now = standing(NEW, presence_session=NEW)
    assert presence_after(now, status(OLD, OFFLINE)) is None
    assert presence_after(now, status(NEW, OFFLINE)) is Presence.LOST
    assert presence_after(now, status(NEW, ONLINE)) is None
    assert presence_after(now, status(OLD, ONLINE)) is Presence.ONLINE


@given(st.lists(st.tuples(st.sampled_from([OLD, NEW]), st.sampled_from([ONLINE, OFFLINE])), max_size=12))
def test_presence_is_that_of_the_last_session_that_came_online(told: list[tuple[UUID, PresenceState]]) -> None:
    presence, session = Presence.UNKNOWN, None
    wanted: tuple[UUID, bool] | None = None
    for speaker, state in told:
        after = presence_after(standing(presence=presence, presence_session=session), status(speaker, state))
        if after is not None:
            presence, session = after, speaker
        if state is ONLINE:
            wanted = (speaker, True)
        elif wanted is None or wanted[0] == speaker:
            wanted = (speaker, False)
    if wanted is not None:
        assert (session, presence is Presence.ONLINE) == wanted
