"""The node's own alarms over the real outbox: at a half and at nine tenths, one incident each time, also over restarts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.health import Level
from edge.contract.incident import Incident, IncidentState, Severity
from edge.flow import EvidenceFile, StagedFile
from edge.incidents import IncidentBook
from edge.node.alarms import (
    EVIDENCE,
    EVIDENCE_RULE,
    OUTBOX,
    OUTBOX_RULE,
    PRESSURE,
    REJECTED,
    REJECTED_FOR,
    UNSAVED,
    AlarmDesk,
    alarm_cards,
)
from edge.node.pressure import CLEARANCE, Limits, level_after
from edge.node.standing import Standing
from edge.outbox.outbox import Figures, Outbox
from edge.outbox.store import DeadLetterTally
from edge.settings import OutboxSettings
from tests.edge.records import SteppedClock, reading

NODE = "station-01"
SETTINGS = OutboxSettings(quota_mib=4, incident_reserve_mib=1, evidence_quota_mib=1)
SHARES = st.floats(0.0, 1.0)


@given(st.lists(SHARES, max_size=60))
def test_a_level_begins_at_its_limit_and_ends_below_its_clearance(shares: list[float]) -> None:
    level, limits = Level.NORMAL, Limits()
    for share in shares:
        before, level = level, level_after(level, share, limits)
        if share >= 0.9:
            assert level is Level.CRITICAL
        elif share >= 0.5:
            assert level is not Level.NORMAL
        if share < 0.5 - CLEARANCE:
            assert level is Level.NORMAL
        if level is not before and level is Level.NORMAL:
            assert share < 0.5 - CLEARANCE
        if before is Level.CRITICAL and level is not Level.CRITICAL:
            assert share < 0.9 - CLEARANCE


@given(st.sampled_from([0.5, 0.9]), st.lists(st.floats(-0.04, 0.04), min_size=1, max_size=60))
def test_what_hovers_at_a_limit_changes_its_level_once_at_most(limit: float, swings: list[float]) -> None:
    levels = []
    level = Level.NORMAL if limit < 0.9 else Level.WARNING
    for swing in swings:
        level = level_after(level, limit + swing, Limits())
        levels.append(level)
    assert sum(one is not other for one, other in pairwise(levels)) <= 1


@given(SHARES, st.sampled_from([Level.NORMAL, Level.CRITICAL]))
def test_without_a_warning_there_is_no_such_level(share: float, before: Level) -> None:
    assert level_after(before, share, Limits(warning=None)) is not Level.WARNING


SLOW = timedelta(days=30)
"""What the node's clock is behind, as the node knows by now."""


@dataclass
class Life:
    """One start of the node, as far as its alarms need it; `kept` is every revision of all lives."""

    outbox: Outbox
    book: IncidentBook
    standing: Standing
    desk: AlarmDesk
    clock: SteppedClock
    kept: list[Incident]
    changed: Callable[[Figures], Figures] = lambda figures: figures

    def watch(self, share: float | None = None, **changes: object) -> None:
        """Look, two seconds later; `share` in place of the true one."""
        self.clock.step(2.0)
        figures = self.outbox.figures()
        if share is not None:
            changes["used_bytes"] = round(share * figures.room_bytes)
        self.desk.watch(replace(figures, **changes))  # type: ignore[arg-type]
        self.book.tick()

    def reasons(self) -> set[tuple[str, str]]:
        return {(each.subject, each.reason) for each in self.standing.degradations()}

    def told(self) -> list[tuple[IncidentState, Severity]]:
        return [(each.state, each.severity) for each in self.kept]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Life]]:
    clock, kept = SteppedClock(), list[Incident]()
    with ExitStack() as stack:

        class Recording(Outbox):
            """The real store, which also shows what it was given."""

            def incident(
                self, incident: Incident, evidence: Sequence[EvidenceFile | StagedFile] = (), *, replayed: bool = False
            ) -> None:
                super().incident(incident, evidence, replayed=replayed)
                kept.append(incident)

        def life() -> Life:
            stack.pop_all().close()
            outbox = Recording(tmp_path, SETTINGS, clock=clock, window_s=0.0)
            stack.callback(outbox.close)
            book = IncidentBook(outbox, alarm_cards(NODE), clock=clock)
            standing = Standing(clock=clock, on_change=lambda: None)
            desk = AlarmDesk(NODE, book=book, standing=standing, clock=clock, told=lambda: clock() + SLOW)
            desk.resume(outbox.ongoing())
            book.resume()
            return Life(outbox, book, standing, desk, clock, kept)

        yield life


def test_a_half_and_nine_tenths_are_one_incident_with_revisions(start: Callable[[], Life]) -> None:
    life = start()
    for share in (0.2, 0.49, 0.51, 0.6, 0.45, 0.7, 0.91, 0.99, 0.85, 0.79, 0.45, 0.39, 0.2):
        life.watch(share)
        life.clock.step(60)
    assert life.told() == [
        (IncidentState.OPEN, Severity.MEDIUM),
        (IncidentState.UPDATE, Severity.HIGH),
        (IncidentState.UPDATE, Severity.MEDIUM),
        (IncidentState.ENDED, Severity.MEDIUM),
    ]
    assert len({each.incident_id for each in life.kept}) == 1
    first = life.kept[0]
    assert (first.device, first.kind, first.category) == (NODE, "outbox_pressure", "maintenance")
    assert (first.point, first.value, first.unit) == ("outbox_percent", 51.0, "%")
    assert life.reasons() == set()


def test_an_outbox_that_really_fills_passes_both_limits_and_its_incident_is_kept(start: Callable[[], Life]) -> None:
    life = start()
    number = 0
    while not life.outbox.figures().dropped:
        life.outbox.readings([reading(number + each) for each in range(2_000)])
        number += 2_000
        life.watch()
    assert [severity for _, severity in life.told()] == [Severity.MEDIUM, Severity.HIGH]
    assert (OUTBOX, PRESSURE) in life.reasons()
    assert life.desk.level(OUTBOX_RULE) is Level.CRITICAL
    before = len(life.kept)
    for _ in range(20):  # the oldest readings go, again and again; nobody is told twice
        life.outbox.readings([reading(number + each) for each in range(2_000)])
        number += 2_000
        life.watch()
    assert len(life.kept) == before


def test_after_a_restart_the_same_incident_goes_on_and_ends(start: Callable[[], Life]) -> None:
    start().watch(0.6)
    life = start()
    life.clock.step(30)
    life.watch(0.45)  # within the clearance: it holds
    assert (OUTBOX, PRESSURE) in life.reasons()
    life.clock.step(600)
    life.watch(0.45)
    life.watch(0.3)
    assert len({each.incident_id for each in life.kept}) == 1
    assert life.kept[-1].state is IncidentState.ENDED
    assert life.kept[-1].ended_at == life.clock()
    assert life.reasons() == set()


def test_what_was_over_when_the_node_started_ends(start: Callable[[], Life]) -> None:
    start().watch(0.95)
    life = start()
    life.watch(0.1)
    assert life.told()[-1] == (IncidentState.ENDED, Severity.HIGH)
    assert len({each.incident_id for each in life.kept}) == 1


def test_evidence_is_told_when_it_is_nearly_full_only(start: Callable[[], Life]) -> None:
    life = start()
    life.watch(evidence_bytes=700_000)
    assert life.kept == []
    life.watch(evidence_bytes=1_000_000)
    assert (EVIDENCE, PRESSURE) in life.reasons()
    life.watch(evidence_bytes=100)
    assert [each.kind for each in life.kept] == ["evidence_pressure"] * 2
    assert life.desk.level(EVIDENCE_RULE) is Level.NORMAL


def test_rejected_incidents_are_told_for_a_week(start: Callable[[], Life]) -> None:
    life = start()
    at = life.clock() + SLOW
    tallies = [DeadLetterTally("up/incident", "data", 1, at, at)]
    life.watch(dead_letters=[DeadLetterTally("up/telemetry", "data", 1, at, at)])
    assert life.reasons() == set()
    life.watch(dead_letters=tallies)
    assert (OUTBOX, REJECTED) in life.reasons()
    life.clock.step((REJECTED_FOR + timedelta(seconds=1)).total_seconds())
    life.watch(dead_letters=tallies)
    assert life.reasons() == set()


def test_incidents_in_memory_are_told_until_the_disk_takes_them(
    start: Callable[[], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = start()
    monkeypatch.setattr(IncidentBook, "unsaved", property(lambda _book: 3))
    life.watch()
    assert (OUTBOX, UNSAVED) in life.reasons()
    monkeypatch.undo()
    life.watch()
    assert life.reasons() == set()
