"""How the service's own connections are set up."""

import pytest

from cloud.db.pool import open_pool

pytestmark = pytest.mark.system


def test_questions_are_planned_for_what_is_asked(postgres_url: str) -> None:
    pool = open_pool(postgres_url, size=1)
    try:
        with pool.connection() as conn:
            rows = conn.execute(
                "select name, setting from pg_settings"
                " where name in ('jit', 'plan_cache_mode', 'max_parallel_workers_per_gather', 'TimeZone')"
            ).fetchall()
    finally:
        pool.close()
    assert dict(rows) == {
        "jit": "off",
        "plan_cache_mode": "force_custom_plan",
        "max_parallel_workers_per_gather": "0",
        "TimeZone": "UTC",
    }
