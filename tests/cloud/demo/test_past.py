"""The demo's sites have an index of popularity as soon as their machines are known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from cloud.db.pool import open_pool
from cloud.demo import past, plan, registry
from cloud.figures import service
from cloud.figures.service import Asked
from cloud.figures.window import Window, local_day
from cloud.telemetry import service as telemetry

pytestmark = pytest.mark.system

ZONE = ZoneInfo("Asia/Shanghai")
PASSWORDS = {person.name: f"a long password of {person.name}" for person in plan.PEOPLE}


def born(url: str, counter: past.Counter) -> None:
    """What a node's birth declares."""
    with psycopg.connect(url) as conn:
        terminals = next(node for node in plan.NODES if node.id == counter.node).equipment.terminals
        spot = next(each.spot for each in terminals if each.id == counter.device)
        conn.execute(
            "with born as (insert into device (node_id, name, kind, spot, created_at) select id, %s, 'terminal', %s, now() from node"
            " where name = %s returning id) insert into series (device_id, point, kind) select id, 'use_count', 'number' from born",
            [counter.device, spot, counter.node],
        )


def test_each_site_has_an_index(postgres_url: str) -> None:
    registry.prepare(postgres_url, PASSWORDS)
    now = datetime.now(UTC)
    everybody = frozenset(past.COUNTERS)
    assert past.enter(postgres_url, everybody, now=now) == everybody, "nobody is born"
    for counter in past.COUNTERS:
        born(postgres_url, counter)
    assert past.enter(postgres_url, everybody, now=now) == frozenset()
    later = now + timedelta(days=3)
    again = frozenset(replace(each, late=1_000) for each in past.COUNTERS)
    assert past.enter(postgres_url, again, now=later) == frozenset(), "who has a past keeps it"
    pool = open_pool(postgres_url, size=2)
    try:
        telemetry.roll_up(pool)
        with pool.connection() as conn:
            window = Window.checked(None, None, today=local_day(now, ZONE))
            found = service.popularity(conn, Asked(scope="", area=None, window=window), zone=ZONE).stations
    finally:
        pool.close()
    named = {node.site_code: node.name for node in plan.NODES}
    assert {each.site: each.name for each in found} == named
    expected = {each.node.upper(): 100 * each.late / each.before for each in past.COUNTERS}
    assert {each.site: each.index for each in found} == {
        site: pytest.approx(index, rel=0.01) for site, index in expected.items()
    }
