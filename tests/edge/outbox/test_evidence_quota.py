"""Where there is no room for evidence, the oldest of the least severe goes first, and its incident says so."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import (
    EVIDENCE_DROPPED,
    SEALED_MIME,
    EvidenceKind,
    EvidenceReference,
    Incident,
    IncidentState,
    Severity,
)
from edge.errors import EvidenceNotKept
from edge.flow import EvidenceFile
from edge.incidents import IncidentBook
from edge.outbox.books import Counter
from edge.outbox.outbox import Outbox
from edge.settings import OutboxSettings
from tests.edge.records import START, SteppedClock
from tests.edge.test_incidents import SEEN, after

QUOTA_BYTES = 1_000
MIMES = {EvidenceKind.SNAPSHOT: "image/jpeg", EvidenceKind.CLIP: "video/webm", EvidenceKind.SEALED: SEALED_MIME}
WEIGHTS = {EvidenceKind.SEALED: 0, EvidenceKind.CLIP: 1, EvidenceKind.SNAPSHOT: 2}


def file(number: int, kind: EvidenceKind = EvidenceKind.SNAPSHOT, size_bytes: int = 100) -> EvidenceFile:
    content = f"{number:08}".encode() + bytes(size_bytes - 8)
    reference = EvidenceReference(
        sha256=hashlib.sha256(content).hexdigest(),
        kind=kind,
        mime=MIMES[kind],
        bytes=size_bytes,
        captured_at=START + timedelta(seconds=number),
    )
    return EvidenceFile(reference, content)


@contextmanager
def opened(directory: Path) -> Iterator[tuple[Outbox, IncidentBook]]:
    outbox = Outbox(directory, OutboxSettings(), clock=SteppedClock(), window_s=0.0)
    outbox._folder._quota_bytes = QUOTA_BYTES
    try:
        yield outbox, IncidentBook(outbox, {}, clock=SteppedClock())
    finally:
        outbox.close()


def report(book: IncidentBook, number: int, severity: Severity, *files: EvidenceFile, ended: bool = False) -> None:
    finding = replace(SEEN, key=f"cam-1/{number}", severity=severity)
    book.report(finding, files)
    if ended:
        book.report(after(finding, 5, IncidentState.ENDED))


def told(outbox: Outbox) -> dict[str, Incident]:
    """The newest revision of each incident, by the hash of the first file that it named."""
    records = outbox.pending(Lane.INCIDENT, fresh_since=START - timedelta(days=1), old=False, skip=(), limit=10_000)
    newest: dict[object, Incident] = {}
    for record in records:
        incident = msgspec.json.decode(record.body, type=Incident)
        newest[incident.incident_id] = incident
    return {reference.sha256: incident for incident in newest.values() for reference in incident.evidence}


def kept(directory: Path) -> set[str]:
    return {path.name for path in (directory / "evidence").glob("??/*")}


cases = st.lists(
    st.tuples(st.sampled_from(list(Severity)), st.sampled_from(list(WEIGHTS)), st.integers(20, 500), st.booleans()),
    min_size=1,
    max_size=25,
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases)
def test_the_quota_holds_what_matters_least_goes_first_and_every_drop_is_told(
    asked: list[tuple[Severity, EvidenceKind, int, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as place, opened(Path(place)) as (outbox, book):
        directory = Path(place)
        matters: dict[str, tuple[int, int, int]] = {}
        dropped: set[str] = set()
        for number, (severity, kind, size_bytes, ended) in enumerate(asked):
            before = kept(directory)
            new = file(number, kind, size_bytes)
            matters[new.reference.sha256] = (severity.rank, WEIGHTS[kind], number)
            report(book, number, severity, new, ended=ended)
            now = kept(directory)
            gone = before - now
            dropped |= gone
            assert outbox.figures().evidence_bytes <= QUOTA_BYTES
            assert sum((directory / "evidence" / name[:2] / name).stat().st_size for name in now) <= QUOTA_BYTES
            for name in gone:
                assert new.reference.sha256 in now, "something was dropped for a file that did not fit"
                assert matters[name][:2] <= matters[new.reference.sha256][:2]
                worse = [each for each in before & now if matters[each] < matters[name]]
                assert not worse or kind is EvidenceKind.SEALED  # their share is freed of sealed ones alone
        book.tick()
        incidents = told(outbox)
        for name in dropped:
            assert EVIDENCE_DROPPED in (incidents[name].note or "")
        for name in kept(directory):
            assert EVIDENCE_DROPPED not in (incidents[name].note or "")
        assert outbox.figures().counters[Counter.EVIDENCE_DROPPED] == len(dropped)
        assert outbox.undeclared() == []


def test_a_picture_of_a_critical_incident_goes_last(tmp_path: Path) -> None:
    with opened(tmp_path) as (outbox, book):
        critical = file(0)
        report(book, 0, Severity.CRITICAL, critical, file(1, EvidenceKind.SEALED, 300))
        for number in range(2, 40):
            report(book, number, list(Severity)[number % 3], file(number, size_bytes=150))
        report(book, 99, Severity.CRITICAL, file(99, EvidenceKind.SEALED, 500))
        assert critical.reference.sha256 in kept(tmp_path)
        with pytest.raises(EvidenceNotKept, match="matter as much or more"):
            outbox.stage(file(100, size_bytes=900), Severity.HIGH)


def test_what_two_incidents_name_is_as_severe_as_the_worse_and_both_tell_of_its_loss(tmp_path: Path) -> None:
    with opened(tmp_path) as (outbox, book):
        both = file(0, size_bytes=600)
        report(book, 0, Severity.LOW, both)
        report(book, 1, Severity.HIGH, both)
        report(book, 2, Severity.MEDIUM, file(2, size_bytes=600))
        assert kept(tmp_path) == {both.reference.sha256}
        assert book.evidence_left_out == 1
        report(book, 3, Severity.CRITICAL, file(3, size_bytes=600))
        book.tick()
        records = outbox.pending(Lane.INCIDENT, fresh_since=START - timedelta(days=1), old=False, skip=(), limit=99)
        incidents = [msgspec.json.decode(record.body, type=Incident) for record in records]
        newest = {incident.incident_id: incident for incident in incidents}
        assert [incident.note for incident in newest.values()] == [EVIDENCE_DROPPED] * 3 + [None]
        assert [incident.revision for incident in newest.values()] == [2, 2, 1, 1]


def test_a_drop_is_told_after_a_restart_as_well_also_of_what_has_ended(tmp_path: Path) -> None:
    with opened(tmp_path) as (outbox, book):
        report(book, 0, Severity.LOW, file(0, size_bytes=600), ended=True)
        for record in outbox.pending(Lane.INCIDENT, fresh_since=START - timedelta(days=1), old=False, skip=(), limit=9):
            outbox.settle({record.message_id: (Outcome.ACCEPTED, None)})
        report(book, 1, Severity.LOW, file(1, size_bytes=600))
    with opened(tmp_path) as (outbox, book):
        book.resume()
        book.tick()
        incident = told(outbox)[file(0, size_bytes=600).reference.sha256]
        assert (incident.state, incident.revision, incident.note) == (IncidentState.ENDED, 3, EVIDENCE_DROPPED)
        assert outbox.undeclared() == []


def test_the_word_that_a_file_had_to_go_stays_in_what_is_told_later(tmp_path: Path) -> None:
    with opened(tmp_path) as (outbox, book):
        finding = replace(SEEN, key="cam-1/0", severity=Severity.LOW)
        gone = file(0, size_bytes=600)
        book.report(finding, [gone])
        report(book, 1, Severity.HIGH, file(1, size_bytes=600))
        book.tick()
        book.report(after(finding, 50, note="it went"))
        book.report(after(finding, 60, IncidentState.ENDED))
        incident = told(outbox)[gone.reference.sha256]
        assert (incident.state, incident.note) == (IncidentState.ENDED, EVIDENCE_DROPPED)


def test_what_is_uploaded_leaves_nothing_behind_in_the_books(tmp_path: Path) -> None:
    with opened(tmp_path) as (outbox, book):
        for number in range(3):
            report(book, number, Severity.MEDIUM, file(number), ended=True)
        for record in outbox.pending(Lane.INCIDENT, fresh_since=START - timedelta(days=1), old=False, skip=(), limit=9):
            outbox.settle({record.message_id: (Outcome.ACCEPTED, None)})
        while (upload := outbox.next_upload()) is not None:
            outbox.uploaded(upload.sha256)
        left = outbox._committer.read(
            lambda store: store._connection.execute(
                "SELECT (SELECT count(*) FROM naming), (SELECT count(*) FROM named)"
            ).fetchone()
        )
        assert left == (0, 0)
        assert kept(tmp_path) == set()
