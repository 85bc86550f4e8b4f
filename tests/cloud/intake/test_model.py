from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.cases.model import CaseOrigin, CaseStatus
from cloud.errors import Invalid
from cloud.intake.model import OLDEST, PROGRESS_OF, Report, distance_m, moment
from cloud.intake.placing import contains

NOW = datetime(2026, 3, 17, 8, 0, tzinfo=UTC)
TIMES = st.datetimes(timezones=st.just(UTC))


def report(**fields: Any) -> Report:
    given_fields: dict[str, Any] = {
        "origin": CaseOrigin.PATROL,
        "category_code": "E0101",
        "title": "x",
        "area_code": "1",
    }
    return Report(**(given_fields | fields))


def test_a_clock_that_is_wrong_is_put_right() -> None:
    wrong = timedelta(hours=-3)
    when = moment(report(occurred_at=NOW - timedelta(hours=2) + wrong, sent_at=NOW + wrong), received_at=NOW)
    assert (when.occurred_at, when.skew_s) == (NOW - timedelta(hours=2), -10_800)
    assert when.told_at == NOW - timedelta(hours=5)


@given(occurred_at=st.none() | TIMES, sent_at=st.none() | TIMES)
def test_nothing_happened_in_the_future_or_long_ago(occurred_at: datetime | None, sent_at: datetime | None) -> None:
    when = moment(report(occurred_at=occurred_at, sent_at=sent_at), received_at=NOW)
    assert NOW - OLDEST <= when.occurred_at <= NOW
    assert when.told_at == occurred_at


@pytest.mark.parametrize("place", [{"area_code": None}, {"longitude": 1.0}, {"area_code": None, "latitude": 1.0}])
def test_a_place_is_whole(place: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        report(**place)


def test_a_degree_to_the_north_is_111_km() -> None:
    assert distance_m(116.4, 39.0, 116.4, 40.0) == pytest.approx(111_195, abs=10)
    assert distance_m(116.4, 39.9, 116.4, 39.9) == 0


def test_every_status_has_a_word_for_whoever_asked() -> None:
    assert PROGRESS_OF.keys() == set(CaseStatus)


SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
HOLE = [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]


@pytest.mark.parametrize(("x", "y", "inside"), [(3, 3, True), (1.5, 1.5, False), (5, 1, False), (0.5, 3.9, True)])
def test_a_hole_in_an_outline_is_outside(x: float, y: float, *, inside: bool) -> None:
    assert contains({"type": "Polygon", "coordinates": [SQUARE, HOLE]}, x, y) is inside
    assert contains({"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE]]}, x, y) is inside
