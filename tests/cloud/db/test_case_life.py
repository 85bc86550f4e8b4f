"""Cases from before 0021: what they would remember of their life is taken from their history."""

from datetime import UTC, datetime, timedelta

import psycopg

from cloud.db.migrate import migrate

OPENED = datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_old_cases_remember_who_resolved_them_and_when_they_ended(postgres_url: str) -> None:
    migrate(postgres_url, to="0019_views")
    histories = {
        "filed": ["confirm"],
        "rejected": ["dismiss"],
        "resolved": ["confirm", "resolve", "reopen", "resolve"],
        "closed": ["confirm", "resolve", "close"],
        "reported": ["confirm", "reopen"],
    }
    with psycopg.connect(postgres_url, options="-c timezone=UTC") as conn:
        account = conn.execute(
            "insert into account (name, display_name, role, password_hash, created_at, password_changed_at)"
            " values ('ann', 'Ann', 'duty_chief', 'x', %s, %s) returning id",
            [OPENED, OPENED],
        ).fetchone()
        assert account is not None
        for status, actions in histories.items():
            case = conn.execute(
                "insert into grid_case (number, correlation_key, kind, category, severity, status, area_code, area_path,"
                " node, device, device_kind, opened_at, started_at, last_activity_at, late, simulated)"
                " values (%(s)s, %(s)s, 'fire', 'fire_safety', 'high', %(s)s, 'a', 'a/', 'n', 'd', 'camera', %(t)s, %(t)s, %(t)s,"
                " false, false)"
                " returning id",
                {"s": status, "t": OPENED},
            ).fetchone()
            assert case is not None
            for hour, action in enumerate(actions, start=1):
                conn.execute(
                    "insert into case_event (case_id, at, actor_id, action) values (%s, %s, %s, %s)",
                    [case[0], OPENED + timedelta(hours=hour), account[0], action],
                )
    migrate(postgres_url, to="0021_case_life")
    with psycopg.connect(postgres_url, options="-c timezone=UTC") as conn:
        rows = conn.execute(
            "select status, verified_at, filed_at, resolved_at, resolved_by, ended_at from grid_case"
        ).fetchall()
    first, second, third, fourth = (OPENED + timedelta(hours=hour) for hour in (1, 2, 3, 4))
    assert {row[0]: row[1:] for row in rows} == {
        "filed": (first, first, None, None, None),
        "rejected": (first, None, None, None, first),
        "resolved": (first, first, fourth, account[0], None),
        "closed": (first, first, second, account[0], third),
        "reported": (None, None, None, None, None),
    }
