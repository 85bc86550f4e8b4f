import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.access.model import Role
from cloud.errors import Invalid
from cloud.evidence import policy
from cloud.evidence.policy import Part
from edge.contract.incident import SEALED_MIME


@given(st.integers(1, 1_000), st.data())
def test_a_piece_that_fits_is_understood(total: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, total - 1))
    last = data.draw(st.integers(first, total - 1))
    header = f"bytes {first}-{last}/{total}"
    assert policy.parse_content_range(header, total=total) == Part(first, last + 1, total)


@given(st.text(max_size=40), st.integers(1, 1_000))
def test_any_other_words_are_refused(header: str, total: int) -> None:
    try:
        part = policy.parse_content_range(header, total=total)
    except Invalid:
        return
    assert 0 <= part.start < part.end <= total


@given(st.text(alphabet="bytes=-0123456789, ", max_size=30), st.integers(1, 1_000))
def test_a_range_lies_inside_of_the_file_or_is_refused(header: str, total: int) -> None:
    try:
        asked = policy.parse_range(header, total=total)
    except Invalid:
        return
    if asked is not None:
        start, end = asked
        assert 0 <= start < end <= total


def test_what_is_stored_at_all() -> None:
    assert policy.is_taken("snapshot", "image/jpeg")
    assert policy.is_taken("clip", "video/mp4")
    assert policy.is_taken("clip", "video/webm")
    assert not any(policy.is_taken("snapshot", mime) for mime in ("image/svg+xml", "text/html", "image/png", ""))


def test_what_is_called_sealed_is_sealed_and_nothing_else_is() -> None:
    assert policy.is_taken("sealed", SEALED_MIME)
    assert not policy.is_taken("snapshot", SEALED_MIME)
    assert not any(policy.is_taken("sealed", mime) for mime in ("image/jpeg", "video/mp4", "video/webm"))


@pytest.mark.parametrize(
    ("role", "standing", "needed"),
    [
        (Role.GRID_WORKER, {}, False),  # a case that runs in his area
        (Role.GRID_WORKER, {"is_over": True}, True),
        (Role.GRID_WORKER, {"is_over": True, "is_own": True}, False),
        (Role.DUTY_CHIEF, {"is_over": True}, True),
        (Role.AUDITOR, {}, True),
        (Role.ADMINISTRATOR, {}, True),
        (Role.MAINTAINER, {}, True),
        (Role.MAINTAINER, {"is_order": True}, False),
        (Role.DUTY_CHIEF, {"is_order": True}, True),
    ],
)
def test_who_has_to_say_what_for(role: Role, standing: dict[str, bool], needed: bool) -> None:
    told = {"is_own": False, "is_over": False, "is_order": False} | standing
    assert policy.needs_purpose(role, **told) is needed
