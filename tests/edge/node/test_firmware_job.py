"""What becomes of a device's firmware: only its own start proves it, whatever else it says, in whatever order, at whatever time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edge.contract.artifacts import DEVICES_TOLD, StepCode, StepState
from edge.contract.downlink import DesiredProfile
from edge.flow import FirmwareTold
from edge.node import firmware_job
from edge.node.firmware_job import (
    FETCHES_IN,
    SETTLES_IN,
    Book,
    Deed,
    Entry,
    Job,
    asked,
    begun,
    decoded,
    encoded,
    judged,
    seen,
)
from edge.provisioning.record import LONGEST_REASON

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OLD, NEW = "V1.9", "V1.10"


def order(version: str = NEW, **more: Any) -> DesiredProfile:
    fields: dict[str, Any] = {
        "node": "station-01",
        "profile": "teld.dc-120",
        "version": version,
        "sha256": "a" * 64,
        "sig": "AAAA",
        "artifact": "firmware",
        "size_bytes": 4,
        "desired_id": UUID(int=1),
        "issued_at": AT,
        "device": "pile-1",
        "deadline": AT + timedelta(hours=2),
    }
    return DesiredProfile(**(fields | more))


def view(version: str = OLD, **more: Any) -> FirmwareTold:
    fields: dict[str, Any] = {
        "vendor": "TELD",
        "model": "DC-120",
        "version": version,
        "booted_at": AT - MINUTE,
        "is_connected": True,
        "is_idle": True,
    }
    fields |= more
    return FirmwareTold(**({"started_at": fields["booted_at"]} | fields))


def ready(**more: Any) -> Job:
    return replace(begun(order(**more), AT), is_fetched=True)


def under_way() -> Job:
    return replace(asked(ready(), "token", AT), is_asked=True)


def code(job: Job) -> tuple[str, str | None]:
    return job.step.state, job.step.code


def test_it_is_fetched_before_anybody_is_asked() -> None:
    assert judged(begun(order(), AT), view(), AT)[1] is Deed.FETCH


@pytest.mark.parametrize(
    "away",
    [view(is_idle=False), view(is_connected=False), view(booted_at=None), view(version=""), None],
    ids=["charges", "is away", "has not said what it is", "names no version", "is unknown"],
)
def test_nobody_is_asked_that_charges_or_is_not_known(away: FirmwareTold | None) -> None:
    job, deed = judged(ready(), away, AT)
    assert (job, deed) == (ready(), Deed.WAIT)
    late, _ = judged(ready(), away, AT + timedelta(hours=2))
    assert code(late) == (StepState.REFUSED, StepCode.LATE)


def test_who_is_idle_is_asked() -> None:
    assert judged(ready(), view(), AT)[1] is Deed.ASK


@pytest.mark.parametrize(
    ("told", "more", "why"),
    [
        (view(vendor="Other"), {}, StepCode.OTHER_KIND),
        (view(model="DC-60"), {}, StepCode.OTHER_KIND),
        (view(vendor=""), {}, StepCode.OTHER_KIND),
        (view(version="V1.11"), {}, StepCode.DOWNGRADE),
    ],
)
def test_what_is_not_for_it_touches_nothing(told: FirmwareTold, more: dict[str, Any], why: StepCode) -> None:
    job, deed = judged(ready(**more), told, AT)
    assert (code(job), deed) == ((StepState.REFUSED, why), Deed.WAIT)


def test_the_way_back_is_no_downgrade() -> None:
    assert judged(ready(roll_back=True), view(version="V1.11"), AT)[1] is Deed.ASK


def test_its_own_start_with_the_version_is_the_proof() -> None:
    job, _ = judged(under_way(), view(version=NEW, booted_at=AT + MINUTE), AT + MINUTE)
    assert code(job) == (StepState.APPLIED, None)
    other, _ = judged(under_way(), view(version=NEW, model="DC-60", booted_at=AT + MINUTE), AT + MINUTE)
    assert other.step.state == StepState.TRYING


def test_it_is_known_also_a_week_later() -> None:
    week = AT + timedelta(days=7)
    job, _ = judged(under_way(), None, week)
    assert job.step.state == StepState.TRYING
    assert judged(job, view(version=NEW, booted_at=week), week)[0].step.state == StepState.APPLIED


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("download_failed", StepCode.NOT_FETCHED),
        ("installation_failed", StepCode.NOT_INSTALLED),
        ("invalid_signature", StepCode.BAD_SIGNATURE),
    ],
)
def test_what_it_says_went_wrong_ends_it(status: str, why: StepCode) -> None:
    job, _ = judged(under_way(), view(status=status, status_at=AT), AT + MINUTE)
    assert code(job) == (StepState.FAILED, why)
    before, _ = judged(under_way(), view(status=status, status_at=AT - MINUTE), AT + MINUTE)
    assert before.step.state == StepState.TRYING, "what it said of an earlier one is history"


def test_who_says_installed_and_starts_with_the_old_has_failed_once_it_has_settled() -> None:
    said, _ = judged(under_way(), view(status="installed", status_at=AT + MINUTE), AT + MINUTE)
    assert said.step.state == StepState.TRYING
    booted = view(status="installed", status_at=AT + MINUTE, booted_at=AT + 2 * MINUTE)
    assert judged(said, booted, AT + 3 * MINUTE)[0].step.state == StepState.TRYING
    job, _ = judged(said, booted, AT + 2 * MINUTE + SETTLES_IN)
    assert code(job) == (StepState.FAILED, StepCode.OTHER_VERSION)


def test_who_was_asked_and_did_not_answer_is_asked_again_for_the_same() -> None:
    unsure = asked(ready(), "token", AT)
    assert judged(unsure, view(), AT + MINUTE) == (unsure, Deed.ASK)
    heard, deed = judged(unsure, view(status="downloading", status_at=AT + MINUTE), AT + MINUTE)
    assert heard.is_asked
    assert deed is Deed.WAIT
    assert code(judged(unsure, view(), AT + timedelta(hours=2))[0]) == (StepState.FAILED, StepCode.LATE)


def test_what_an_order_before_may_still_install_proves_nothing() -> None:
    back = replace(begun(order(OLD, desired_id=UUID(int=2), roll_back=True), AT, under_way()), is_fetched=True)
    job, deed = judged(back, view(), AT + MINUTE)
    assert (job.step.state, deed) == (StepState.FETCHING, Deed.ASK), "it may start with the new one at any moment"
    job = replace(asked(job, "token", AT + MINUTE), is_asked=True)
    assert judged(job, view(), AT + 2 * MINUTE)[0].step.state == StepState.TRYING
    assert judged(job, view(booted_at=AT + 2 * MINUTE), AT + 2 * MINUTE)[0].step.state == StepState.APPLIED


def test_a_word_that_was_asked_for_is_no_start() -> None:
    said, _ = judged(under_way(), view(status="installed", status_at=AT + MINUTE), AT + MINUTE)
    asked_for: dict[str, Any] = {"booted_at": AT + 2 * MINUTE, "started_at": AT - MINUTE}
    waits = view(status="installed", status_at=AT + MINUTE, **asked_for)
    assert judged(said, waits, AT + 2 * MINUTE + SETTLES_IN)[0].step.state == StepState.TRYING
    back = replace(begun(order(OLD, desired_id=UUID(int=2), roll_back=True), AT, under_way()), is_fetched=True)
    back = replace(asked(back, "token", AT + MINUTE), is_asked=True)
    assert judged(back, view(**asked_for), AT + 2 * MINUTE)[0].step.state == StepState.TRYING
    runs = judged(under_way(), view(version=NEW, **asked_for), AT + 2 * MINUTE)[0]
    assert runs.step.state == StepState.APPLIED, "what it runs it says all the same"


def test_what_was_said_to_have_failed_is_at_work_no_more() -> None:
    failed, _ = judged(under_way(), view(status="download_failed", status_at=AT), AT + MINUTE)
    back = begun(order(OLD, desired_id=UUID(int=2), roll_back=True), AT, failed)
    assert judged(back, view(), AT + MINUTE)[0].step.state == StepState.APPLIED


STATUSES = [
    "idle",
    "downloading",
    "downloaded",
    "download_failed",
    "installing",
    "installed",
    "installation_failed",
    "?",
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([OLD, NEW, "V2", ""]),
            st.sampled_from(["TELD", "Other", ""]),
            st.sampled_from([None, *STATUSES]),
            st.integers(-100, 400),
            st.integers(-100, 400),
            st.booleans(),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_whatever_a_device_says_only_its_start_is_a_success(told: list[tuple[Any, ...]]) -> None:
    job, now, is_proven = begun(order(), AT), AT, False
    for version, vendor, status, booted, said, is_connected, is_idle in told:
        now += 10 * MINUTE
        shown = view(
            version,
            vendor=vendor,
            booted_at=AT + booted * MINUTE,
            status=status,
            status_at=None if status is None else AT + said * MINUTE,
            is_connected=is_connected,
            is_idle=is_idle,
        )
        before = job
        job, deed = judged(job, shown, now)
        is_proven |= version == NEW and vendor == "TELD" and not before.is_over
        if before.is_over:
            assert job == before, "what is over stays so"
        if deed is Deed.FETCH:
            job = replace(job, is_fetched=True)
        if deed is Deed.ASK:
            assert is_connected
            assert is_idle
            assert vendor == "TELD"
            assert now < AT + timedelta(hours=2), "nothing is begun after the deadline"
            job = asked(job, "token", now)
    if job.step.state == StepState.APPLIED:
        assert is_proven


def test_the_record_holds_all_of_it() -> None:
    entry = seen(Entry(device="pile-1", job=under_way(), ordered_at=AT), view())
    book = Book().with_entry(entry)
    assert decoded(encoded(book)) == book
    assert [(each.device, each.name, each.version) for each in book.running()] == [("pile-1", "teld.dc-120", OLD)]
    assert [step.device for step in book.steps()] == ["pile-1"]
    assert book.hashes() == {"a" * 64}
    assert book.only(frozenset()) == Book()
    with pytest.raises(ValueError, match=r"."):
        decoded(b"{")


def test_a_record_of_as_many_devices_as_there_may_be_can_be_read() -> None:
    job = replace(under_way(), step=replace(under_way().step, reason="x" * LONGEST_REASON))
    book = Book(entries=tuple(Entry(device=f"pile-{n}", job=job) for n in range(DEVICES_TOLD)))
    assert decoded(encoded(book)) == book
    assert book.has_room_for(frozenset({"pile-0", f"pile-{DEVICES_TOLD - 1}"}))
    assert not book.has_room_for(frozenset({"another"}))


def test_the_deadline_is_that_of_asking() -> None:
    late = AT + timedelta(hours=2) - MINUTE
    assert ready().open_until == AT + timedelta(hours=2)
    assert asked(ready(), "token", AT - MINUTE).open_until == AT + timedelta(hours=2)
    assert asked(ready(), "token", late).open_until == late + FETCHES_IN


def test_a_device_that_says_nothing_new_is_known_as_it_was() -> None:
    entry = seen(Entry(device="pile-1"), view())
    assert seen(entry, view(booted_at=None)) == entry
    assert seen(entry, view(version="固件")) == entry
    assert firmware_job.refused(order(), StepCode.UNSUPPORTED, "why", AT).is_over
