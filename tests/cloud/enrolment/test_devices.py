"""Devices that wait for a person: nothing that they tell is lost, nothing of it counts before, and alarms ring all the same."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.access.model import Role
from cloud.db.pool import Pool, open_pool
from cloud.enrolment import devices, service
from cloud.errors import NotFound
from cloud.fleet import store as fleet
from cloud.fleet.model import WaitReason
from cloud.fleet.policy import sort_devices
from cloud.ingest.writer import Writer
from edge.contract.birth import Device
from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from tests.cloud.enrolment.machines import Machine
from tests.cloud.samples import GRID, OTHER_GRID, principal, take_in_areas
from tests.fakes.node import AT, FakeNode, batch, birth, column, gap, incident, itself, new_id, sensor

NODE = "station-01"
NAMES = st.sampled_from(["station-01", "sensor-01", "cam-1", "pile-1"])
KINDS = st.sampled_from(["node", "sensor", "camera"])


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    """A cloud with a node that came with a key; its births are not trusted."""
    pool = open_pool(migrated_url, size=4)
    with pool.connection() as conn:
        take_in_areas(conn)
        claim = service.make_claim(conn, NODE, area_code=GRID, now=AT)
    Machine().enrol(pool, claim.code, AT)
    yield pool
    pool.close()


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def writer(pool: Pool) -> Writer:
    return Writer(pool, lambda _: False, clock=lambda: AT)


def waiting(pool: Pool) -> dict[str, WaitReason]:
    with pool.connection() as conn:
        return {each.name: each.reason for each in fleet.waiting_devices(conn, NODE, scope="")}


def readings(pool: Pool) -> int:
    with pool.connection() as conn:
        row = conn.execute("select count(*) from reading").fetchone()
    return int(row[0]) if row is not None else 0


def outcome(writer: Writer, node: FakeNode, body: object, lane: Lane = Lane.LIVE) -> Outcome:
    return writer.settle([node.item(body, lane=lane)])[-1].outcome


@given(
    st.lists(st.builds(Device, id=NAMES, kind=KINDS), max_size=5),
    st.dictionaries(NAMES, KINDS, max_size=4),
    st.booleans(),
)
def test_each_device_is_accepted_or_waits_and_never_changes_its_kind_unseen(
    declared: list[Device], known: dict[str, str], trusts_births: bool
) -> None:
    found = sort_devices(declared, known, node=NODE, trusts_births=trusts_births)
    names = [each.id for each in found.accepted] + [each.id for each, _ in found.waiting]
    assert sorted(names) == sorted({each.id for each in declared})
    if trusts_births:
        assert not found.waiting
        return
    for device in found.accepted:
        assert device.kind == known.get(device.id) or (device.id, device.kind) == (NODE, "node")
    for device, reason in found.waiting:
        assert reason is (WaitReason.KIND_CHANGED if device.id in known else WaitReason.NEW)


def test_what_waits_is_kept_and_comes_in_with_its_device(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth(itself(), sensor(), sensor("sensor-02")))])
    assert waiting(pool) == {"sensor-01": WaitReason.NEW, "sensor-02": WaitReason.NEW}
    assert outcome(writer, node, batch(column([1.0, 2.0]))) is Outcome.QUARANTINED
    assert outcome(writer, node, gap()) is Outcome.QUARANTINED
    assert outcome(writer, node, incident(new_id(), device="sensor-01"), Lane.INCIDENT) is Outcome.ACCEPTED
    assert readings(pool) == 0
    with pool.connection() as conn:
        assert devices.accept(conn, NODE, ["sensor-01"], now=AT) == ["sensor-01"]
    writer.replay_released()
    assert readings(pool) == 2
    assert waiting(pool) == {"sensor-02": WaitReason.NEW}
    assert outcome(writer, node, batch(column([3.0], begin=AT.replace(minute=30)))) is Outcome.ACCEPTED
    with pool.connection() as conn:
        assert devices.accept(conn, NODE, None, now=AT) == ["sensor-02"]
        assert devices.accept(conn, NODE, None, now=AT) == []


def test_a_later_birth_keeps_what_was_accepted_and_takes_off_the_list_what_is_gone(
    pool: Pool, node: FakeNode, writer: Writer
) -> None:
    writer.settle([node.item(birth(sensor(), sensor("sensor-02")))])
    with pool.connection() as conn:
        devices.accept(conn, NODE, ["sensor-01"], now=AT)
    renamed = msgspec.structs.replace(sensor(), name="Another name", profile="smoke_sensor/1.0.0", behind="line-1")
    writer.settle([node.item(birth(renamed))])
    assert waiting(pool) == {}
    with pool.connection() as conn:
        row = conn.execute("select title, profile, behind, declared from device where name = 'sensor-01'").fetchone()
    assert row is not None
    assert tuple(row) == ("Another name", "smoke_sensor/1.0.0", "line-1", True)
    with pool.connection() as conn:
        [shown] = fleet.list_devices(conn, scope="", kind="sensor")
    assert (shown.profile, shown.behind) == ("smoke_sensor/1.0.0", "line-1")


def test_a_device_that_says_it_is_another_kind_stays_what_it_was_until_a_person_has_looked(
    pool: Pool, node: FakeNode, writer: Writer
) -> None:
    writer.settle([node.item(birth(sensor()))])
    with pool.connection() as conn:
        devices.accept(conn, NODE, None, now=AT)
    writer.settle([node.item(birth(msgspec.structs.replace(sensor(), kind="camera")))])
    assert waiting(pool) == {"sensor-01": WaitReason.KIND_CHANGED}
    assert outcome(writer, node, batch(column([1.0]))) is Outcome.ACCEPTED

    def kind() -> str:
        with pool.connection() as conn:
            [device] = fleet.devices_of_nodes(conn, [fleet.nodes_by_name(conn, [NODE])[0].id])
        return device.kind

    assert kind() == "sensor"
    with pool.connection() as conn:
        devices.accept(conn, NODE, ["sensor-01"], now=AT)
    assert kind() == "camera"


def test_what_a_person_does_not_want_tells_nothing_and_still_rings(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth(sensor()))])
    outcome(writer, node, batch(column([1.0])))
    with pool.connection() as conn:
        devices.put_aside(conn, NODE, ["sensor-01"], now=AT)
    writer.replay_released()
    assert outcome(writer, node, batch(column([2.0]))) is Outcome.ACCEPTED
    assert outcome(writer, node, gap()) is Outcome.ACCEPTED
    assert outcome(writer, node, incident(new_id(), device="sensor-01"), Lane.INCIDENT) is Outcome.ACCEPTED
    writer.settle([node.item(birth(sensor()))])
    with pool.connection() as conn:
        [kept] = fleet.waiting_devices(conn, NODE, scope="")
        assert kept.ignored_by == "command line"
        assert devices.accept(conn, NODE, None, now=AT) == []
        devices.reconsider(conn, NODE, ["sensor-01"])
    assert outcome(writer, node, batch(column([3.0]))) is Outcome.QUARANTINED
    with pool.connection() as conn:
        devices.accept(conn, NODE, None, now=AT)
    writer.replay_released()
    assert readings(pool) == 1


def test_only_who_sees_the_node_decides_and_only_on_what_waits(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth(sensor()))])
    with pool.connection() as conn:
        stranger = principal(conn, "stranger", Role.MAINTAINER, OTHER_GRID)
        with pytest.raises(NotFound):
            devices.accept(conn, NODE, ["sensor-01"], now=AT, actor=stranger)
        assert devices.accept(conn, NODE, None, now=AT, actor=stranger) == []
        with pytest.raises(NotFound, match="nothing-here"):
            devices.accept(conn, NODE, ["sensor-01", "nothing-here"], now=AT)
    assert set(waiting(pool)) == {"sensor-01"}


def test_a_node_whose_births_are_trusted_has_nothing_wait(pool: Pool, writer: Writer) -> None:
    with pool.connection() as conn:
        claim = service.make_claim(conn, "station-02", area_code=GRID, now=AT, trusts_births=True)
    Machine().enrol(pool, claim.code, AT)
    node = FakeNode("station-02")
    writer.settle([node.item(birth(sensor()))])
    assert outcome(writer, node, batch(column([1.0]))) is Outcome.ACCEPTED
