"""The node's outbox and uplink ended at steps of their life, at a real broker and a real ingest.

`test_outbox_life` has every step; here it is one step in `STRIDE`, since each of these lives waits for the cloud.
"""

import hashlib
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cloud.db.pool import Pool, open_pool
from cloud.fleet import service as fleet
from cloud.ingest import store
from edge.contract.envelope import Envelope
from edge.contract.incident import Incident
from tests.brokers import ReadyBroker
from tests.cloud.ingest.test_service import running
from tests.cloud.samples import GRID, take_in_areas
from tests.fakes.node import AT, DISTRICT
from tests.system.crash.life import PARCEL
from tests.system.crash.nursery import Nursery, said
from tests.system.crash.wire_life import Link

pytestmark = pytest.mark.system

STRIDE = 11
MOST_LIVES = 40
PARCELS_TOLD = 3


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    opened = open_pool(migrated_url, size=4)
    with opened.connection() as conn:
        take_in_areas(conn)
        for number in range(1, MOST_LIVES + 1):
            fleet.add_node(conn, f"station-{number:03}", district=DISTRICT, area_code=GRID, now=AT)
    yield opened
    opened.close()


def judge(pool: Pool, link: Link, directory: Path) -> None:
    """Each reading and each revision once, nothing missing between, the chain whole."""
    counters = said(directory)["counters"]
    assert counters["readings_accepted"] == counters["readings_delivered"] == PARCELS_TOLD * PARCEL
    assert counters["incidents_accepted"] == counters["incidents_delivered"] == 2
    with pool.connection() as conn:
        (readings,) = conn.execute(
            "select count(*) from reading join series on series.id = reading.series_id"
            " join device on device.id = series.device_id join node on node.id = device.node_id where node.name = %s",
            [link.node],
        ).fetchone() or (0,)
        assert readings == PARCELS_TOLD * PARCEL
        raws = conn.execute(
            "select raw from incident_revision join incident on incident.id = incident_revision.incident_id"
            " join node on node.name = incident.node where node.name = %s order by incident_revision.revision",
            [link.node],
        ).fetchall()
        assert store.missing_messages(conn) == {}
    envelopes = [msgspec.json.decode(raw, type=Envelope[msgspec.Raw]) for (raw,) in raws]
    revisions = [msgspec.json.decode(envelope.body, type=Incident) for envelope in envelopes]
    assert [each.revision for each in revisions] == [1, 2]
    assert revisions[0].prev_hash is None
    assert revisions[1].prev_hash == hashlib.sha256(envelopes[0].body).hexdigest()


def test_ended_at_steps_of_its_life_the_cloud_has_everything_once(
    pool: Pool, mosquitto_broker: ReadyBroker, tmp_path: Path
) -> None:
    with Nursery() as nursery, running(pool, mosquitto_broker):
        for number in range(1, MOST_LIVES + 1):
            directory = tmp_path / f"node-{number}"
            directory.mkdir()
            name = f"station-{number:03}"
            password = mosquitto_broker.add_node(DISTRICT, name)
            lives = [Link(mosquitto_broker.port, name, password, life, number) for life in (1, 2)]
            status = nursery.live(directory, number * STRIDE, link=lives[0])
            if status == -signal.SIGKILL:
                assert nursery.live(directory, link=lives[1]) == 0, (directory / "traceback").read_text()
            judge(pool, lives[1], directory)
            if status == 0:
                return
    pytest.fail("no life came to its end")
