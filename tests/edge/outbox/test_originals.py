"""Sealed originals stay at the node: they go when they are ordered, and are let go of when their time or their room is over."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import SEALED_MIME, Severity
from edge.contract.originals import OriginalState
from edge.errors import EvidenceNotKept
from edge.flow import EvidenceFile
from edge.outbox import outbox as outboxes
from edge.outbox.folder import SEALED_SHARE
from edge.outbox.opening import STORE
from edge.outbox.outbox import Outbox
from edge.outbox.store import Counter
from edge.settings import OutboxSettings
from tests.edge.records import START, SteppedClock, incident, snapshot

SETTINGS = OutboxSettings(quota_mib=4, incident_reserve_mib=1, evidence_quota_mib=1, originals_days=30)
HOUR = timedelta(hours=1)
ABSENT = "0" * 64


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def outbox(tmp_path: Path, clock: SteppedClock) -> Iterator[Outbox]:
    opened = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    yield opened
    opened.close()


def sealed(content: bytes) -> EvidenceFile:
    return snapshot(content, mime=SEALED_MIME)


def keep(outbox: Outbox, *files: EvidenceFile, number: int = 1) -> list[str]:
    """Hashes of files whose incident the cloud has accepted."""
    outbox.incident(incident(number, evidence=tuple(file.reference for file in files)), list(files))
    for record in outbox.pending(Lane.INCIDENT, fresh_since=START - HOUR, old=False, skip=(), limit=50):
        outbox.settle({record.message_id: (Outcome.ACCEPTED, None)})
    return [file.reference.sha256 for file in files]


def test_nobody_has_ordered_it_and_it_stays(outbox: Outbox, clock: SteppedClock) -> None:
    keep(outbox, sealed(b"original"))
    clock.step(86_400)
    assert outbox.next_upload() is None
    figures = outbox.figures()
    assert (figures.evidence_waiting, figures.evidence_share) == (0, 0.0)
    assert (figures.originals, figures.originals_bytes) == (1, 8)


def test_what_was_ordered_goes_and_stays_all_the_same(outbox: Outbox, clock: SteppedClock) -> None:
    [name] = keep(outbox, sealed(b"original"))
    for _ in range(2):  # what was looked at once may be asked for again
        assert outbox.order_originals([name, ABSENT], clock() + HOUR) == {
            name: OriginalState.ORDERED,
            ABSENT: OriginalState.GONE,
        }
        assert outbox.figures().evidence_waiting == 1
        upload = outbox.next_upload()
        assert upload is not None
        assert upload.path.read_bytes() == b"original"
        outbox.uploaded(name)
        assert outbox.next_upload() is None
        assert upload.path.exists()
    assert outbox.figures().counters[Counter.EVIDENCE_DELIVERED] == 2


def test_an_order_ends_and_the_cloud_that_does_not_take_it_costs_nothing(outbox: Outbox, clock: SteppedClock) -> None:
    [name] = keep(outbox, sealed(b"original"))
    outbox.order_originals([name], clock() + HOUR)
    clock.step(3_601)
    assert outbox.next_upload() is None
    outbox.order_originals([name], clock() + HOUR)
    outbox.refuse_upload(name, "404 no incident names it")
    assert outbox.next_upload() is None
    assert outbox.dead_letters() == []
    clock.step(1)
    assert outbox.order_originals([name], clock() + HOUR) == {name: OriginalState.ORDERED}


def test_an_order_that_the_cloud_refused_is_over_though_it_is_repeated(
    tmp_path: Path, outbox: Outbox, clock: SteppedClock
) -> None:
    [name] = keep(outbox, sealed(b"original"))
    until = clock() + HOUR
    outbox.order_originals([name], until)
    assert outbox.refusals([name], until) == {}
    outbox.refuse_upload(name, "410 deleted")
    outbox.close()
    again = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    for _ in range(3):  # a cloud that is waiting asks where it is
        clock.step(600)
        assert again.order_originals([name], until) == {name: OriginalState.NOT_TAKEN}
        assert again.refusals([name, ABSENT], until) == {name: "410 deleted"}
        assert again.next_upload() is None
    later = until + HOUR  # another person wants to see it
    assert again.order_originals([name], later) == {name: OriginalState.ORDERED}
    assert again.refusals([name], later) == {}
    upload = again.next_upload()
    assert upload is not None
    assert upload.path.exists()
    again.close()


def test_what_can_not_be_sent_yet_is_tried_more_and_more_seldom_until_the_order_ends(
    outbox: Outbox, clock: SteppedClock
) -> None:
    [name] = keep(outbox, sealed(b"original"))
    outbox.order_originals([name], clock() + HOUR)
    for tries in range(3):
        upload = outbox.next_upload()
        assert upload is not None
        assert upload.attempts == tries
        outbox.delay_upload(name, 600.0)
        assert outbox.next_upload() is None
        clock.step(601)
    clock.step(3_600)
    assert outbox.next_upload() is None


def test_an_order_outlasts_a_restart(tmp_path: Path, clock: SteppedClock) -> None:
    first = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    [name] = keep(first, sealed(b"original"))
    first.order_originals([name], clock() + HOUR)
    first.close()
    again = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    upload = again.next_upload()
    assert upload is not None
    assert upload.sha256 == name
    again.close()


def test_what_is_old_goes_but_not_what_is_held_or_ordered(
    outbox: Outbox, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "ORIGINALS_AGED_EVERY_S", 0.0)
    old, held, ordered, picture = keep(outbox, *map(sealed, (b"old", b"held", b"ordered")), snapshot(b"picture"))
    assert outbox.hold_originals([held, ABSENT], None) == {held: OriginalState.KEPT, ABSENT: OriginalState.GONE}
    clock.step(31 * 86_400)
    outbox.order_originals([ordered], clock() + HOUR)
    upload = outbox.next_upload()
    assert upload is not None
    assert upload.sha256 == picture
    assert outbox.order_originals([old], clock() + HOUR) == {old: OriginalState.GONE}
    assert outbox.hold_originals([held], clock() - HOUR) == {held: OriginalState.RELEASED}
    outbox.uploaded(ordered)
    outbox.next_upload()
    assert outbox.order_originals([held, ordered], clock() + HOUR) == dict.fromkeys((held, ordered), OriginalState.GONE)


def test_what_is_held_or_ordered_gives_way_to_nothing(outbox: Outbox, clock: SteppedClock) -> None:
    third = SEALED_SHARE * SETTINGS.evidence_quota_mib * (1 << 20) / 3
    held, ordered = keep(outbox, *(sealed(bytes([number]) * int(third)) for number in range(2)))
    outbox.hold_originals([held], clock() + HOUR)
    outbox.order_originals([ordered], clock() + HOUR)
    other = sealed(b"x" * int(third * 1.5))
    with pytest.raises(EvidenceNotKept):
        outbox.stage(other, Severity.CRITICAL)
    clock.step(3_601)
    outbox.stage(other, Severity.CRITICAL)


def test_no_more_is_held_than_leaves_room_for_today(outbox: Outbox, clock: SteppedClock) -> None:
    most = int(outboxes.HELD_SHARE * SEALED_SHARE * SETTINGS.evidence_quota_mib * (1 << 20))
    first, second = keep(outbox, sealed(bytes(most - 10)), sealed(b"y" * 11))
    assert outbox.hold_originals([first, second], None) == {first: OriginalState.KEPT, second: OriginalState.NO_ROOM}
    assert outbox.hold_originals([first], None) == {first: OriginalState.KEPT}  # asked twice
    outbox.hold_originals([first], clock())
    assert outbox.hold_originals([second], None) == {second: OriginalState.KEPT}


def of_version_four(directory: Path) -> sqlite3.Connection:
    """The store as the last release has left it, which sent its originals unasked."""
    connection = sqlite3.connect(directory / STORE)
    for column in ("original", "wanted_until_us", "held_until_us"):
        connection.execute(f"ALTER TABLE evidence DROP COLUMN {column}")
    connection.execute("PRAGMA user_version = 4")
    return connection


@pytest.mark.parametrize("is_damaged", [False, True])
def test_what_waited_unasked_before_an_update_stays_when_it_was_ordered(
    tmp_path: Path, clock: SteppedClock, *, is_damaged: bool
) -> None:
    before = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    ordered, held, picture = keep(before, sealed(b"ordered"), sealed(b"held"), snapshot(b"picture"))
    before.close()
    with closing(of_version_four(tmp_path)) as connection:
        if is_damaged:
            connection.execute("DROP TABLE dead_letter")
        connection.commit()
    outbox = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    try:
        assert (outbox.set_aside is not None) == is_damaged
        assert outbox.figures().originals == 2
        assert outbox.order_originals([ordered, picture], clock() + HOUR) == {
            ordered: OriginalState.ORDERED,
            picture: OriginalState.GONE,
        }
        assert outbox.hold_originals([held], None) == {held: OriginalState.KEPT}
        for name in (picture, ordered):
            upload = outbox.next_upload()
            assert upload is not None
            assert upload.sha256 == name
            outbox.uploaded(name)
            assert upload.path.exists() == (name == ordered)
        assert outbox.next_upload() is None
    finally:
        outbox.close()


def test_what_was_taken_for_a_backlog_stays_once_it_is_ordered_or_held(tmp_path: Path, clock: SteppedClock) -> None:
    outbox = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    names = keep(outbox, sealed(b"ordered"), sealed(b"held"))
    outbox.close()
    with closing(sqlite3.connect(tmp_path / STORE)) as connection:
        connection.execute("UPDATE evidence SET original = 0")
        connection.commit()
    outbox = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    try:
        assert outbox.order_originals(names[:1], clock() + HOUR) == {names[0]: OriginalState.ORDERED}
        assert outbox.hold_originals(names[1:], None) == {names[1]: OriginalState.KEPT}
        upload = outbox.next_upload()
        assert upload is not None
        assert upload.sha256 == names[0]
        outbox.uploaded(names[0])
        assert upload.path.exists()
        assert outbox.next_upload() is None
    finally:
        outbox.close()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.integers(0, 3), st.integers(1, 50)),
        st.tuples(st.just("hold"), st.integers(0, 3), st.integers(-1, 50)),
        st.tuples(st.just("step"), st.integers(1, 20), st.just(0)),
        st.tuples(st.just("upload"), st.just(0), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=20, deadline=None)
@given(steps)
def test_nothing_leaves_that_was_not_ordered(
    tmp_path_factory: pytest.TempPathFactory, taken: list[tuple[str, int, int]]
) -> None:
    clock = SteppedClock()
    outbox = Outbox(tmp_path_factory.mktemp("originals"), SETTINGS, clock=clock, window_s=0.0)
    try:
        names = keep(outbox, *(sealed(b"original %d" % number) for number in range(4)))
        until = dict.fromkeys(names, clock())
        for step, number, days in taken:
            match step:
                case "order":
                    until[names[number]] = clock() + timedelta(days=days)
                    outbox.order_originals([names[number]], until[names[number]])
                case "hold":
                    outbox.hold_originals([names[number]], clock() + timedelta(days=days))
                case "step":
                    clock.step(number * 86_400)
                case _:
                    upload = outbox.next_upload()
                    wanted = {name for name, end in until.items() if end > clock()}
                    assert (upload.sha256 in wanted) if upload is not None else not wanted
                    if upload is not None:
                        outbox.uploaded(upload.sha256)
                        until[upload.sha256] = clock()
    finally:
        outbox.close()
