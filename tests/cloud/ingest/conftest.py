from collections.abc import Iterator

import pytest

from cloud.db.pool import Pool, open_pool
from cloud.fleet import service as fleet
from cloud.ingest.writer import Writer
from tests.cloud.samples import GRID, take_in_areas
from tests.fakes.node import AT, DISTRICT, FakeNode


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    """An empty cloud with areas and no nodes."""
    pool = open_pool(migrated_url, size=4)
    with pool.connection() as conn:
        take_in_areas(conn)
    yield pool
    pool.close()


@pytest.fixture
def node(pool: Pool) -> FakeNode:
    """An enrolled node that has said nothing yet."""
    with pool.connection() as conn:
        fleet.add_node(conn, "station-01", district=DISTRICT, area_code=GRID, now=AT)
    return FakeNode()


@pytest.fixture
def writer(pool: Pool) -> Writer:
    """Writes at `AT`, never waits."""
    return Writer(pool, lambda _: False, clock=lambda: AT)
