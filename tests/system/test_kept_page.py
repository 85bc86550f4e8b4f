"""What the page tells an operator of what is queued and what was lost, in a real browser, on rows made by the real ingest."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from cloud.access.model import Role
from cloud.db.pool import open_pool
from cloud.fleet import service as fleet
from cloud.ingest.model import Arrival, Item
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from cloud.main import Part, running
from cloud.settings import CloudSettings
from cloud.telemetry import service as telemetry
from edge.contract.birth import PresenceState
from edge.contract.health import DeadLetters, DroppedReadings, EvidenceBacklog, Level, NodeHealth
from edge.contract.incident import IncidentState, Severity
from edge.contract.telemetry import Gap, GapReason
from edge.contract.topics import Channel
from tests.cloud.samples import GRID, OTHER_GRID, PASSWORD, add_person, take_in_areas
from tests.fakes.node import DISTRICT, FakeNode, batch, birth, column, incident, itself, new_id, sensor
from tests.system.conftest import WEB

pytestmark = pytest.mark.system

PATIENCE_MS = 30_000


@dataclass(frozen=True)
class Shown:
    """A service with a node that fills, one that fell silent, one that never told, and a device with a hole."""

    url: str
    device_id: int
    node_device_id: int


def _say(node: FakeNode, body: Any, now: datetime) -> Item:
    return read(node.arrival(msgspec.structs.replace(node.envelope(body), sent_at=now), at=now))


def _report(item: Item, **changes: Any) -> Item:
    health: NodeHealth = item.health  # type: ignore[union-attr]
    payload = msgspec.json.encode(msgspec.structs.replace(health, **changes))
    return read(Arrival(item.arrival.topic, payload, item.arrival.received_at))


def _fill(writer: Writer, now: datetime) -> None:
    busy, silent, stranger = FakeNode("station-01"), FakeNode("station-02"), FakeNode("stranger")
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    begin, hole_from, hole_to = now - 50 * minute, now - 35 * minute, now - 20 * minute
    writer.settle(
        [
            busy.status(PresenceState.ONLINE),
            _say(busy, birth(itself("station-01"), sensor("pile-01"), name="东门驿站"), now),
            silent.status(PresenceState.ONLINE),
            _say(silent, birth(itself("station-02"), sensor("pump-01"), name="西门驿站"), now),
        ]
    )
    before = [20 + second % 90 / 30 for second in range(int((hole_from - begin).total_seconds()))]
    after = [21 + second % 70 / 30 for second in range(int((now - hole_to).total_seconds()))]
    writer.settle(
        [
            _say(busy, batch(column(before, device="pile-01", begin=begin)), now),
            _say(busy, batch(column(after, device="pile-01", begin=hole_to)), now),
            _say(busy, _gap("pile-01", hole_from, hole_to, 900, GapReason.QUOTA), now),
            _say(busy, _gap("pile-01", now - 3 * hour, now - 2 * hour, 3_600, GapReason.REJECTED), now),
            _say(
                busy,
                incident(
                    device="station-01",
                    kind="outbox_pressure",
                    category="maintenance",
                    severity=Severity.HIGH,
                    state=IncidentState.OPEN,
                    started_at=now - 40 * minute,
                    updated_at=now - 30 * minute,
                    point="outbox_percent",
                    value=91.0,
                    unit="%",
                ),
                now,
            ),
        ]
    )
    drops = (
        DroppedReadings(device="pile-01", reason=GapReason.QUOTA, count=900, from_at=hole_from, to_at=hole_to),
        DroppedReadings(
            device="pile-01", reason=GapReason.REJECTED, count=3_600, from_at=now - 3 * hour, to_at=now - 2 * hour
        ),
    )
    for age in range(30, 0, -1):
        writer.settle(
            [busy.health(31 - age, at=now - age * minute, received_at=now - age * minute, share=1 - age / 40)]
        )
    full = busy.health(
        99,
        at=now,
        received_at=now,
        level=Level.CRITICAL,
        share=0.93,
        used_bytes=430 << 20,
        quota_bytes=512 << 20,
        readings=1_234_567,
        incidents=3,
        messages=12,
        oldest_at=now - 5 * hour,
    )
    writer.settle(
        [
            _report(
                full,
                dropped_total=4_500,
                dropped=drops,
                rejected_incidents=1,
                dead_letters=(
                    DeadLetters(subject="incident", reason="data", count=1, first_at=now - hour, last_at=now - hour),
                ),
                evidence=EvidenceBacklog(
                    level=Level.CRITICAL,
                    files=14,
                    bytes=970 << 20,
                    quota_bytes=1024 << 20,
                    left_out=2,
                    oldest_at=now - 4 * hour,
                ),
            ),
            silent.health(1, at=now - 3 * hour, received_at=now - 3 * hour, readings=40, share=0.2),
            _say(stranger, birth(), now),
            read(Arrival(busy.topic(Channel.TELEMETRY), b"{", now)),
        ]
    )


def _gap(device: str, from_at: datetime, to_at: datetime, count: int, reason: GapReason) -> Gap:
    return Gap(gap_id=new_id(), device=device, from_at=from_at, to_at=to_at, count=count, reason=reason)


@pytest.fixture
def shown(migrated_url: str, tmp_path: Path) -> Iterator[Shown]:
    if not WEB.exists():
        pytest.skip("the page is not built (make web): it is not tested")
    now = datetime.now(UTC).replace(microsecond=0)
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        add_person(conn, "keeper", Role.MAINTAINER, "110105")
        for name, area in (("station-01", GRID), ("station-02", OTHER_GRID), ("station-03", OTHER_GRID)):
            fleet.add_node(conn, name, district=DISTRICT, area_code=area, now=now)
    pool = open_pool(migrated_url, size=2)
    _fill(Writer(pool, lambda _: False, clock=lambda: now), now)
    telemetry.roll_up(pool)
    pool.close()
    settings = CloudSettings.model_validate(
        {
            "database_url": migrated_url,
            "http_port": 0,
            "data_directory": tmp_path / "data",
            "web_directory": WEB.parent,
            "database_pool": 8,
        }
    )
    with psycopg.connect(migrated_url) as conn, running(settings, Part.API) as process:
        assert process.address is not None
        ids: dict[str, int] = dict(conn.execute("select name, id from device").fetchall())
        yield Shown(process.address, ids["pile-01"], ids["station-01"])


@pytest.fixture
def keeper(browser: Browser, shown: Shown) -> Iterator[Page]:
    """A maintainer's page, signed in; whatever the page reports as an error fails the test."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000}, locale="zh-CN", color_scheme="light")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(shown.url)
    page.get_by_test_id("login-name").fill("keeper")
    page.get_by_test_id("login-password").fill(PASSWORD)
    page.get_by_test_id("login-submit").click()
    expect(page.get_by_test_id("user")).to_be_visible()
    yield page
    context.close()
    assert not errors


GAP_PIXELS = """chart => {
    const probe = document.createElement('canvas').getContext('2d')
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--gap').trim()
    probe.fillRect(0, 0, 1, 1)
    const [red, green, blue, alpha] = probe.getImageData(0, 0, 1, 1).data
    let found = 0
    for (const canvas of chart.querySelectorAll('canvas')) {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
        for (let at = 0; at < data.length; at += 4)
            if (Math.abs(data[at] - red) < 6 && Math.abs(data[at + 1] - green) < 6 && Math.abs(data[at + 2] - blue) < 6
                && Math.abs(data[at + 3] - alpha) < 3) found += 1
    }
    return found
}"""


def test_a_declared_gap_is_drawn_in_the_chart_and_listed_with_its_reason(keeper: Page, shown: Shown) -> None:
    keeper.goto(f"{shown.url}/devices/{shown.device_id}?range=h1")
    chart = keeper.get_by_test_id("chart").first
    expect(chart).to_have_attribute("data-points", re.compile("^[1-9]"), timeout=PATIENCE_MS)
    below = chart.get_by_test_id("gap")
    expect(below).to_have_count(1)
    expect(below).to_contain_text("900 条 · 缓存已满")
    assert chart.evaluate(GAP_PIXELS) > 1_000  # a quarter of the hour is marked on the canvas itself
    losses = keeper.get_by_test_id("device-losses")
    expect(losses).to_have_attribute("data-total", "4500")
    expect(losses.get_by_test_id("lost-row")).to_have_count(2)
    expect(losses.get_by_test_id("lost-row").first).to_contain_text("缓存已满")
    expect(losses.get_by_test_id("lost-row").last).to_contain_text("被拒收")
    queue = keeper.get_by_test_id("device-queue")
    expect(queue.get_by_test_id("queue-meter")).to_have_attribute("data-level", "critical")
    expect(queue.get_by_test_id("queue-waiting")).to_contain_text("1,234,567 条读数")


def test_a_chart_without_a_declared_gap_marks_none(keeper: Page, shown: Shown) -> None:
    keeper.goto(f"{shown.url}/devices/{shown.device_id}?range=m15")
    chart = keeper.get_by_test_id("chart").first
    expect(chart).to_have_attribute("data-points", re.compile("^[1-9]"), timeout=PATIENCE_MS)
    expect(chart.get_by_test_id("gap")).to_have_count(0)
    assert chart.evaluate(GAP_PIXELS) == 0


def test_nodes_tell_what_waits_since_when_what_was_lost_and_how_old_their_word_is(keeper: Page, shown: Shown) -> None:
    keeper.goto(f"{shown.url}/nodes")
    busy = keeper.locator('[data-testid="node"][data-node="station-01"]')
    expect(busy.get_by_test_id("queue-waiting")).to_contain_text("1,234,567 条读数 · 3 件事件", timeout=PATIENCE_MS)
    expect(busy.get_by_test_id("queue-oldest")).to_contain_text("5小时前")
    expect(busy.get_by_test_id("dropped")).to_have_count(2)
    expect(busy.get_by_test_id("dead-letters")).to_contain_text("数据无法入库")
    silent = keeper.locator('[data-testid="node"][data-node="station-02"]')
    expect(silent.get_by_test_id("queue-stale")).to_contain_text("3小时前")
    never = keeper.locator('[data-testid="node"][data-node="station-03"]')
    expect(never.get_by_test_id("node-queue")).to_contain_text("尚未上报")
    expect(keeper.get_by_test_id("intake")).to_have_attribute("data-verdict", "lost")
    keeper.get_by_test_id("intake-reasons").click()
    expect(keeper.get_by_test_id("intake-row")).to_have_count(2)


def test_the_node_itself_has_a_page_with_its_queue_as_a_chart_and_its_work_order(keeper: Page, shown: Shown) -> None:
    keeper.goto(f"{shown.url}/devices/{shown.node_device_id}")
    expect(keeper.get_by_test_id("chart").first).to_have_attribute(
        "data-points", re.compile("^[1-9]"), timeout=PATIENCE_MS
    )
    expect(keeper.get_by_test_id("device-queue").get_by_test_id("losses")).to_be_visible()
    expect(keeper.get_by_test_id("device-orders").get_by_test_id("order-row")).to_contain_text("上传积压")
