from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cloud.db.packed import Doubles, Instants, Integers, PackedColumn, SmallIntegers
from edge.contract.telemetry import from_microseconds

MICROSECONDS = st.integers(0, 253_402_300_799_999_999)


@pytest.fixture
def conn(postgres_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(postgres_url, options="-c timezone=UTC") as connection:
        yield connection


def echoed(conn: Connection[Any], column: PackedColumn) -> Any:
    row = conn.execute("select %b", [column]).fetchone()
    assert row is not None
    return row[0]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    small=st.lists(st.integers(-(2**15), 2**15 - 1)),
    whole=st.lists(st.integers(-(2**31), 2**31 - 1)),
    doubles=st.lists(st.floats(allow_nan=False)),
    times=st.lists(MICROSECONDS),
)
def test_what_is_packed_arrives_as_it_was(
    conn: Connection[Any], small: list[int], whole: list[int], doubles: list[float], times: list[int]
) -> None:
    assert echoed(conn, SmallIntegers(small)) == small
    assert echoed(conn, Integers(whole)) == whole
    assert echoed(conn, Doubles(doubles)) == doubles
    assert echoed(conn, Instants(times)) == [from_microseconds(us) for us in times]


def test_the_epochs_do_not_drift(conn: Connection[Any]) -> None:
    assert echoed(conn, Instants([0])) == [datetime(1970, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("make", [lambda: Integers([2**31]), lambda: SmallIntegers([2**15])])
def test_what_does_not_fit_is_refused_before_it_is_sent(make: Any) -> None:
    with pytest.raises(OverflowError):
        make()
