import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.incident import SEALED_MIME, Incident, IncidentState, ModelReference, Severity, TrackPoint
from edge.errors import EvidenceNotKept, OutboxFull
from edge.flow import EvidenceFile, Finding, StagedFile
from edge.incidents import EVIDENCE_FILES, UNSAVED, UNSAVED_MOST, IncidentBook, RuleCards, rule_cards, thinned
from edge.settings import (
    BrokerSettings,
    CameraSettings,
    CloudSettings,
    IntrusionSettings,
    NodeConfiguration,
    NodeSettings,
    PointSettings,
    SensorSettings,
    ThresholdSettings,
)
from tests.edge.records import START, SteppedClock, snapshot


class FakeKeeper:
    """Keeps what the outbox would, in memory."""

    def __init__(self) -> None:
        self.kept: list[Incident] = []
        self.replayed: list[bool] = []
        self.files: list[StagedFile] = []
        self.staged: dict[int, EvidenceFile] = {}
        self.severities: list[Severity] = []
        self.lost: list[Incident] = []
        self.full = False
        self.room = True
        self.room_for_sealed = True
        self.takes_files = True

    def stage(self, file: EvidenceFile, severity: Severity) -> StagedFile:
        self.severities.append(severity)
        if not (self.room_for_sealed if file.reference.mime == SEALED_MIME else self.room):
            raise EvidenceNotKept("no room in this test")
        staged = StagedFile(file.reference, len(self.staged) + 1)
        self.staged[staged.number] = file
        return staged

    def discard(self, file: StagedFile) -> None:
        assert file not in self.files
        del self.staged[file.number]

    def incident(self, incident: Incident, evidence: Sequence[StagedFile] = (), *, replayed: bool = False) -> None:
        if self.full:
            raise OutboxFull("no room in this test")
        if evidence and not self.takes_files:
            raise EvidenceNotKept("no room for files in this test")
        assert all(file.number in self.staged for file in evidence)
        self.kept.append(incident)
        self.replayed.append(replayed)
        self.files += evidence

    def ongoing(self) -> Sequence[Incident]:
        newest = {each.incident_id: each for each in self.kept}
        return [each for each in newest.values() if each.state is not IncidentState.ENDED]

    def decided(self) -> Mapping[tuple[str, str], datetime]:
        return {}

    def chain_head(self) -> str | None:
        return hashlib.sha256(msgspec.json.encode(self.kept[-1])).hexdigest() if self.kept else None

    def undeclared(self) -> Sequence[Incident]:
        lost, self.lost = self.lost, []
        return lost


def configuration(**camera: object) -> NodeConfiguration:
    return NodeConfiguration(
        node=NodeSettings(id="station-01", district="110105", data_directory=Path("data")),
        cloud=CloudSettings.model_validate({"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"}),
        local_mqtt=BrokerSettings.model_validate({"url": "mqtt://127.0.0.1"}),
        cameras=(
            CameraSettings.model_validate(
                {
                    "id": "cam-1",
                    "url": "rtsp://127.0.0.1/",
                    "spot": "north-gate",
                    "zones": {"floor": [[0, 0], [1, 0], [1, 1]]},
                    "rules": [IntrusionSettings(kind="intrusion", zone="floor")],
                    **camera,
                }
            ),
        ),
        sensors=(
            SensorSettings(
                id="pile-1",
                topic="piles/1",
                points=(PointSettings(name="t"),),
                rules=(ThresholdSettings(kind="threshold", point="t", above=50, for_s=30),),
                simulated=True,
            ),
        ),
    )


CARDS = rule_cards(configuration())
SEEN = Finding(
    key="cam-1/intrusion-floor/1/0",
    state=IncidentState.OPEN,
    rule="intrusion-floor",
    kind="intrusion",
    category="public_order",
    severity=Severity.MEDIUM,
    device="cam-1",
    started_at=START,
    at=START + timedelta(seconds=1),
    zone="floor",
    confidence=0.8,
    dwell_s=1.0,
)
HOT = Finding(
    key="pile-1/threshold-t",
    state=IncidentState.OPEN,
    rule="threshold-t",
    kind="threshold",
    category="fire_safety",
    severity=Severity.HIGH,
    device="pile-1",
    started_at=START,
    at=START + timedelta(seconds=30),
    point="t",
    value=61.0,
)


def after(finding: Finding, seconds: float, state: IncidentState = IncidentState.UPDATE, **changes: object) -> Finding:
    at = START + timedelta(seconds=seconds)
    ended_at = at if state is IncidentState.ENDED else None
    return replace(finding, at=at, state=state, ended_at=ended_at, **changes)  # type: ignore[arg-type]


def book(keeper: FakeKeeper, clock: SteppedClock, cards: RuleCards = CARDS) -> IncidentBook:
    return IncidentBook(keeper, cards, clock=clock)


def summary(keeper: FakeKeeper) -> list[tuple[int, str]]:
    return [(each.revision, each.state.value) for each in keeper.kept]


def test_one_walk_through_is_one_incident() -> None:
    keeper = FakeKeeper()
    written = book(keeper, SteppedClock())
    model = ModelReference(id="yolox", version="1", sha256="ab" * 32)
    written.report(SEEN, model=model)
    for second in range(2, 40):
        written.report(after(SEEN, second, dwell_s=float(second)), model=model)
    written.report(after(SEEN, 40, IncidentState.ENDED, dwell_s=40.0), model=model)
    assert summary(keeper) == [(1, "open"), (2, "update"), (3, "update"), (4, "update"), (5, "ended")]
    assert len({each.incident_id for each in keeper.kept}) == 1
    last = keeper.kept[-1]
    assert (last.started_at, last.ended_at, last.dwell_s) == (START, START + timedelta(seconds=40), 40.0)
    assert (last.spot, last.zone, last.simulated, last.model) == ("north-gate", "floor", False, model)
    assert last.rule == CARDS["cam-1", "intrusion-floor"].reference
    written.report(after(SEEN, 50, IncidentState.OPEN))
    assert len({each.incident_id for each in keeper.kept}) == 2


def test_something_worse_is_told_at_once() -> None:
    keeper = FakeKeeper()
    written = book(keeper, SteppedClock())
    written.report(SEEN)
    written.report(after(SEEN, 1.2))
    written.report(after(SEEN, 1.4, severity=Severity.CRITICAL))
    assert [each.severity for each in keeper.kept] == [Severity.MEDIUM, Severity.CRITICAL]


def test_the_chain_runs_over_all_incidents_in_the_order_of_creation() -> None:
    keeper, clock = FakeKeeper(), SteppedClock()
    written = book(keeper, clock)
    written.report(SEEN)
    written.report(HOT)
    book(keeper, clock).report(after(SEEN, 30, IncidentState.ENDED))
    head = None
    for each in keeper.kept:
        assert each.prev_hash == head
        head = hashlib.sha256(msgspec.json.encode(each)).hexdigest()


def test_evidence_is_named_by_every_later_revision() -> None:
    keeper = FakeKeeper()
    written = book(keeper, SteppedClock())
    written.report(SEEN, [snapshot(b"first")])
    written.report(after(SEEN, 2), [snapshot(b"second")])
    written.report(after(SEEN, 30, IncidentState.ENDED))
    assert [len(each.evidence) for each in keeper.kept] == [1, 2, 2]
    assert len(keeper.files) == 2


def test_without_room_for_evidence_the_incident_goes_alone() -> None:
    keeper = FakeKeeper()
    keeper.room = False
    book(keeper, SteppedClock()).report(SEEN, [snapshot()])
    assert (len(keeper.kept), keeper.kept[0].evidence, keeper.files) == (1, (), [])


def test_what_the_disk_refuses_is_kept_in_order_and_saved_later() -> None:
    keeper = FakeKeeper()
    written = book(keeper, SteppedClock())
    keeper.full = True
    written.report(SEEN, [snapshot()])
    written.report(HOT)
    written.report(after(SEEN, 30, IncidentState.ENDED))
    assert (keeper.kept, written.unsaved) == ([], 3)
    keeper.full = False
    written.tick()
    assert [(each.device, each.state.value) for each in keeper.kept] == [
        ("cam-1", "open"),
        ("pile-1", "open"),
        ("cam-1", "ended"),
    ]
    assert written.unsaved == 0


def test_what_is_just_being_written_does_not_wait_for_the_disk() -> None:
    """The housekeeping looks at any moment; a commit under way is no trouble with the disk."""
    seen: list[int] = []

    class WatchedKeeper(FakeKeeper):
        def incident(self, incident: Incident, evidence: Sequence[StagedFile] = (), *, replayed: bool = False) -> None:
            seen.append(written.unsaved)
            super().incident(incident, evidence, replayed=replayed)

    keeper = WatchedKeeper()
    written = book(keeper, SteppedClock())
    written.report(SEEN)
    keeper.full = True
    written.report(HOT)
    written.tick()
    keeper.full = False
    written.tick()
    assert (seen, written.unsaved) == ([0, 0, 1, 1], 0)


def test_a_finding_that_cannot_be_told_holds_nothing_up() -> None:
    keeper = FakeKeeper()
    written = book(keeper, SteppedClock())
    written.report(replace(SEEN, started_at=None))  # type: ignore[arg-type]
    written.report(HOT)
    assert [each.device for each in keeper.kept] == ["pile-1"]
    assert (written.faults, written.unsaved) == (1, 0)


def test_after_a_crash_a_cameras_incident_ends_where_it_was_last_seen() -> None:
    keeper, clock = FakeKeeper(), SteppedClock()
    written = book(keeper, clock)
    written.report(SEEN)
    written.report(after(SEEN, 20))
    clock.step(3600)
    book(keeper, clock).resume()
    last = keeper.kept[-1]
    assert (last.revision, last.state, last.ended_at) == (3, IncidentState.ENDED, START + timedelta(seconds=20))
    assert "restarted" in (last.note or "")
    assert keeper.ongoing() == []


def test_after_a_crash_a_condition_that_still_holds_goes_on() -> None:
    keeper, clock = FakeKeeper(), SteppedClock()
    book(keeper, clock).report(HOT)
    again = book(keeper, clock)
    again.resume()
    clock.step(60)
    again.report(after(HOT, 90, IncidentState.OPEN, started_at=START + timedelta(seconds=60)))
    clock.step(3600)
    again.tick()
    assert summary(keeper) == [(1, "open"), (2, "update")]
    assert keeper.kept[0].incident_id == keeper.kept[1].incident_id
    assert keeper.kept[1].started_at == START


def test_after_a_crash_a_condition_of_which_nothing_is_heard_stays_open() -> None:
    keeper, clock = FakeKeeper(), SteppedClock()
    book(keeper, clock).report(HOT)
    again = book(keeper, clock)
    again.resume()
    clock.step(7 * 86_400)
    again.tick()
    assert summary(keeper) == [(1, "open")]
    assert [each.device for each in again.ongoing()] == ["pile-1"]


def test_a_rule_that_is_no_longer_configured_lets_its_incident_end_and_says_so() -> None:
    keeper, clock = FakeKeeper(), SteppedClock()
    book(keeper, clock).report(HOT)
    without = book(keeper, clock, cards={})
    keeper.full = True
    without.resume()
    assert summary(keeper) == [(1, "open")]
    keeper.full = False
    without.tick()
    without.tick()
    assert summary(keeper) == [(1, "open"), (2, "ended")]
    assert "not configured" in (keeper.kept[-1].note or "")


@pytest.mark.parametrize("found", [HOT, SEEN, replace(HOT, key="pile-1/threshold-t/1773652487000000/1", fault="smoke")])
def test_what_its_rule_can_not_go_on_with_ends_once_and_everybody_who_listens_hears_of_it(found: Finding) -> None:
    keeper, clock = FakeKeeper(), SteppedClock()
    written = book(keeper, clock)
    told: list[Finding] = []
    written.listen(told.append)
    written.report(found)
    assert list(written.ongoing_by_key()) == [found.key]
    (incident,) = written.ongoing()
    keeper.full = True
    written.end(incident, "its rule is not configured any more")
    assert written.ongoing() == [], "its end only waits for the disk"
    assert [(each.key, each.state) for each in told] == [
        (found.key, IncidentState.OPEN),
        (found.key, IncidentState.ENDED),
    ]
    assert told[-1].ended_at == found.at
    keeper.full = False
    written.tick()
    written.end(incident, "its rule is not configured any more")
    written.tick()
    assert summary(keeper) == [(1, "open"), (2, "ended")]
    assert len(told) == 2


def test_of_two_incidents_that_one_rule_left_open_one_goes_on() -> None:
    keeper, clock = FakeKeeper(), SteppedClock()
    for _ in range(2):
        book(keeper, clock).report(HOT)
    again = book(keeper, clock)
    again.resume()
    assert len(again.ongoing()) == 1
    assert len(keeper.ongoing()) == 1


def test_a_clock_that_was_set_back_does_not_silence_an_incident() -> None:
    keeper, clock = FakeKeeper(), SteppedClock()
    written = book(keeper, clock)
    written.report(HOT)
    written.report(after(HOT, -3600))
    written.report(after(HOT, -3590, IncidentState.ENDED))
    assert summary(keeper) == [(1, "open"), (2, "update"), (3, "ended")]


def test_a_disk_that_takes_nothing_for_long_costs_pictures_and_progress_but_neither_beginning_nor_end() -> None:
    keeper, clock = FakeKeeper(), SteppedClock()
    written = book(keeper, clock)
    keeper.full = True
    for number in range(3 * UNSAVED):
        each = replace(SEEN, key=f"cam-1/intrusion-floor/{number}/0")
        written.report(each, [snapshot(b"picture %d" % number)])
        for second in range(20):
            written.report(after(each, 10.0 * second))
        written.report(after(each, 300, severity=Severity.CRITICAL))
        written.report(after(each, 300, IncidentState.ENDED, severity=Severity.CRITICAL))
    assert written.unsaved <= UNSAVED_MOST
    keeper.full = False
    written.tick()
    ended = {each.incident_id for each in keeper.kept if each.state is IncidentState.ENDED}
    assert len(ended) == 3 * UNSAVED
    assert written.lost == 0
    assert 0 < len(keeper.files) <= UNSAVED
    assert written.evidence_left_out == 3 * UNSAVED - len(keeper.files)


def test_memory_has_an_end_and_what_it_costs_is_counted() -> None:
    keeper, clock = FakeKeeper(), SteppedClock()
    written = book(keeper, clock)
    keeper.full = True
    for number in range(UNSAVED_MOST + 7):
        written.report(replace(SEEN, key=f"cam-1/intrusion-floor/{number}/0"))
    assert (written.unsaved, written.lost) == (UNSAVED_MOST, 7)


def test_the_rules_hash_is_that_of_everything_it_stands_on() -> None:
    def digest(**camera: object) -> str:
        return rule_cards(configuration(**camera))["cam-1", "intrusion-floor"].reference.sha256

    same = digest()
    assert digest() == digest(name="another name") == same
    assert digest(zones={"floor": [[0, 0], [1, 0], [1, 0.9]]}) != same
    assert digest(rules=[{"kind": "intrusion", "zone": "floor", "severity": "high"}]) != same


def test_simulated_devices_say_so() -> None:
    keeper = FakeKeeper()
    book(keeper, SteppedClock()).report(HOT)
    assert keeper.kept[0].simulated


def test_what_began_as_simulated_ends_so_whatever_became_of_its_rule() -> None:
    keeper = FakeKeeper()
    written = book(keeper, SteppedClock())
    written.report(HOT)
    written.adopt(HOT.device, {})
    written.report(after(HOT, 5, IncidentState.ENDED))
    assert [(each.state, each.simulated, each.rule is None) for each in keeper.kept] == [
        (IncidentState.OPEN, True, False),
        (IncidentState.ENDED, True, True),
    ]


def test_an_end_before_its_start_is_moved() -> None:
    keeper = FakeKeeper()
    written = book(keeper, SteppedClock())
    written.report(SEEN)
    written.report(after(SEEN, -5, IncidentState.ENDED, confidence=1.7))
    assert keeper.kept[-1].ended_at == START
    assert keeper.kept[-1].confidence == 1.0


@given(st.integers(0, 2_000))
def test_tracks_are_thinned_and_keep_both_ends(count: int) -> None:
    path = [TrackPoint(at_us=number, left=0, top=0, right=1, bottom=1) for number in range(count)]
    thin = thinned(path, 120)
    assert len(thin) == min(count, 120)
    assert list(thin) == sorted(set(thin), key=lambda point: point.at_us)
    if path:
        assert (thin[0], thin[-1]) == (path[0], path[-1])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from([SEEN, HOT]), st.sampled_from(list(IncidentState)), st.booleans())))
def test_whatever_rules_say_revisions_grow_and_nothing_follows_an_end(
    steps: list[tuple[Finding, IncidentState, bool]],
) -> None:
    keeper = FakeKeeper()
    written = book(keeper, SteppedClock())
    for second, (finding, state, full) in enumerate(steps):
        keeper.full = full
        written.report(after(finding, second * 7.0, state))
    keeper.full = False
    written.tick()
    newest: dict[object, Incident] = {}
    for each in keeper.kept:
        known = newest.get(each.incident_id)
        assert each.revision == (1 if known is None else known.revision + 1)
        assert known is None or known.state is not IncidentState.ENDED
        newest[each.incident_id] = each


@pytest.mark.parametrize("state", [IncidentState.UPDATE, IncidentState.OPEN])
def test_a_first_word_always_opens(state: IncidentState) -> None:
    keeper = FakeKeeper()
    book(keeper, SteppedClock()).report(after(SEEN, 5, state))
    assert summary(keeper) == [(1, "open")]


def test_an_incident_whose_files_the_disk_does_not_take_goes_without_them() -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, CARDS, clock=SteppedClock())
    keeper.takes_files = False
    book.report(SEEN, [snapshot(b"one")])
    assert [(kept.revision, kept.evidence) for kept in keeper.kept] == [(1, ())]
    assert (book.evidence_left_out, book.unsaved, book.faults) == (1, 0, 0)
    book.report(replace(SEEN, at=SEEN.at + timedelta(seconds=1)), [snapshot(b"two")])
    assert len(keeper.kept) == 1


def test_only_files_that_an_incident_names_are_kept() -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, CARDS, clock=SteppedClock())
    for number in range(EVIDENCE_FILES + 3):
        book.report(replace(SEEN, at=SEEN.at + timedelta(seconds=number)), [snapshot(b"%d" % number)])
    assert [file.reference for file in keeper.files] == list(keeper.kept[-1].evidence)
    assert book.evidence_left_out == 3


def test_what_is_sealed_finds_no_room_and_the_picture_goes_all_the_same() -> None:
    keeper = FakeKeeper()
    keeper.room_for_sealed = False
    written = book(keeper, SteppedClock())
    written.report(SEEN, [snapshot(b"picture"), snapshot(b"sealed", mime=SEALED_MIME)])
    assert [file.mime for file in keeper.kept[0].evidence] == ["image/jpeg"]
    assert written.evidence_left_out == 1


def test_a_new_word_of_the_device_and_a_new_note_are_told_at_once() -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, CARDS, clock=SteppedClock())
    said = replace(SEEN, raw_code="E1")
    for each in (
        said,
        said,
        replace(said, raw_code="E1; E2"),
        replace(SEEN, note="silent"),
        replace(SEEN, note="silent"),
    ):
        book.report(replace(each, state=IncidentState.OPEN if not keeper.kept else IncidentState.UPDATE))
    assert [(each.raw_code, each.note) for each in keeper.kept] == [("E1", None), ("E1; E2", None), (None, "silent")]


def test_what_was_done_about_it_stands_in_the_note_of_every_later_revision_until_it_is_over() -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, CARDS, clock=SteppedClock())
    book.remark(SEEN.key, "protection: stop asked for")
    book.report(replace(SEEN, note="hot"))
    book.remark(SEEN.key, "protection: stop asked for; accepted")
    book.remark(SEEN.key, "protection: stop asked for; accepted")
    book.report(replace(SEEN, note="hotter", state=IncidentState.UPDATE, severity=Severity.HIGH))
    book.report(replace(SEEN, note="hotter", state=IncidentState.ENDED, ended_at=SEEN.at))
    assert [each.note for each in keeper.kept] == [
        "hot | protection: stop asked for",
        "hot | protection: stop asked for; accepted",
        "hotter | protection: stop asked for; accepted",
        "hotter | protection: stop asked for; accepted",
    ]
    book.report(SEEN)
    assert keeper.kept[-1].note is None


def test_what_was_found_in_history_travels_so_until_something_live_is_told_of_it() -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, CARDS, clock=SteppedClock())
    book.report(replace(SEEN, replayed=True))
    book.attach(SEEN.key, SEEN.started_at, "cam-1", Severity.LOW, [snapshot()])
    book.report(replace(SEEN, state=IncidentState.ENDED, ended_at=SEEN.at))
    over = replace(SEEN, key="cam-1/over", state=IncidentState.ENDED, ended_at=SEEN.at, replayed=True)
    book.report(over)
    book.attach(over.key, over.started_at, "cam-1", Severity.LOW, [snapshot(b"later")])
    assert keeper.replayed == [True, True, False, True, True]
    assert [each.revision for each in keeper.kept] == [1, 2, 3, 1, 2]
