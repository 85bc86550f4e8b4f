"""Whose rating a case has is read from the history of cases that were rated before it was written down."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from cloud.db.migrate import migrate

OPENED = datetime(2026, 1, 5, 8, tzinfo=UTC)
ENDED = OPENED + timedelta(hours=10)

HISTORIES = {
    "by the requester": (3, True, [(11, "request_rated")]),
    "by the centre": (4, False, [(11, "rate")]),
    "the requester after the centre": (2, True, [(11, "rate"), (12, "request_rated")]),
    "the centre after the requester": (5, False, [(11, "request_rated"), (12, "rate")]),
    "the requester before it was reopened": (5, False, [(3, "request_rated"), (11, "rate")]),
    "never": (None, False, [(11, "close")]),
    "known since": (1, True, []),
}


@pytest.mark.system
def test_whose_rating_it_is_comes_from_the_history(postgres_url: str) -> None:
    migrate(postgres_url, to="0045_originals_mended")
    with psycopg.connect(postgres_url, options="-c timezone=UTC") as conn:
        for title, (rating, _, events) in HISTORIES.items():
            row = conn.execute(
                "insert into grid_case (number, correlation_key, kind, category, severity, status, area_code, area_path, node, device,"
                " device_kind, opened_at, started_at, last_activity_at, late, simulated, ended_at, rating, rated_by_requester)"
                " values (%(n)s, %(n)s, 'fire', 'fire_safety', 'high', 'closed', 'a', 'a/', 'n', 'd', 'camera', %(t)s, %(t)s, %(t)s,"
                " false, false, %(ended)s, %(rating)s, %(known)s)"
                " returning id",
                {"n": title, "t": OPENED, "ended": ENDED, "rating": rating, "known": title == "known since"},
            ).fetchone()
            assert row is not None
            for hour, action in events:
                conn.execute(
                    "insert into case_event (case_id, at, action) values (%s, %s, %s)",
                    [row[0], OPENED + timedelta(hours=hour), action],
                )
    migrate(postgres_url, to="0046_copies_dropped")
    with psycopg.connect(postgres_url) as conn:
        found: dict[str, bool] = dict(conn.execute("select number, rated_by_requester from grid_case").fetchall())
    assert found == {title: theirs for title, (_, theirs, _) in HISTORIES.items()}
