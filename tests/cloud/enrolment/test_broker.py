"""A node can publish and read only as itself: at a real mosquitto with the exported files, and in the answers for EMQX."""

import queue
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from cloud.db.pool import Pool, open_pool
from cloud.embedded.broker import accepts
from cloud.enrolment import broker, policy, service
from cloud.enrolment.broker import Action, Answer, CloudUser
from cloud.enrolment.export import BrokerFiles
from cloud.enrolment.model import IssuedCredential
from cloud.errors import ConfigurationError, Invalid
from cloud.fleet import service as fleet
from tests.cloud.enrolment.machines import Machine
from tests.cloud.samples import GRID, take_in_areas
from tests.fakes.node import AT, DISTRICT
from tests.mosquitto import site_broker
from tests.waiting import wait_until

CLOUD = CloudUser("cloud", "the cloud's own password")


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    pool = open_pool(migrated_url, size=4)
    with pool.connection() as conn:
        take_in_areas(conn)
    yield pool
    pool.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def enrolled(pool: Pool, name: str, machine: Machine | None = None) -> IssuedCredential:
    with pool.connection() as conn:
        claim = service.make_claim(conn, name, area_code=GRID, now=AT)
    return (machine or Machine()).enrol(pool, claim.code, AT)


def export(pool: Pool, files: BrokerFiles, now: object = AT) -> bool:
    with pool.connection() as conn:
        return files.write(broker.users(conn, CLOUD, now=now), own=CLOUD.name)  # type: ignore[arg-type]


class Ear:
    """A client that notes what it hears."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=f"test-{uuid.uuid4().hex[:8]}")
        self.client.username_pw_set(user, password)
        self.client.on_message = lambda _client, _data, message: self.heard.put((message.topic, bytes(message.payload)))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        wait_until(self.client.is_connected)

    def subscribe(self, topic: str) -> None:
        done: queue.Queue[bool] = queue.Queue()
        self.client.on_subscribe = lambda *_: done.put(True)
        self.client.subscribe(topic, qos=1)
        done.get(timeout=10)

    def publish(self, topic: str, payload: bytes) -> None:
        self.client.publish(topic, payload, qos=1).wait_for_publish(10)

    def all(self) -> list[tuple[str, bytes]]:
        return [self.heard.get_nowait() for _ in range(self.heard.qsize())]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.system
def test_at_a_real_mosquitto_a_node_speaks_and_hears_as_itself_alone(
    pool: Pool, tmp_path: Path, stack: ExitStack
) -> None:
    folder = tmp_path / "broker"
    first, second = enrolled(pool, "station-01"), enrolled(pool, "station-02")
    with pool.connection() as conn:
        plain = fleet.add_node(conn, "station-03", district=DISTRICT, area_code=GRID, now=AT)
    export(pool, BrokerFiles(folder))
    port = stack.enter_context(site_broker(folder, tmp_path)).port
    assert accepts(port, first.mqtt_user, first.mqtt_password)
    assert accepts(port, plain.node, plain.mqtt_password)
    assert not accepts(port, first.mqtt_user, second.mqtt_password)
    assert not accepts(port, first.node, first.mqtt_password)
    cloud = Ear(port, CLOUD.name, CLOUD.password)
    cloud.subscribe("gw/1/#")
    one, two = (Ear(port, each.mqtt_user, each.mqtt_password) for each in (first, second))
    own, others = f"gw/1/{DISTRICT}/station-01", f"gw/1/{DISTRICT}/station-02"
    for topic in (
        "gw/1/#",
        "#",
        f"{others}/down/#",
        f"{others}/up/#",
        f"{own}/up/#",
        f"gw/1/{DISTRICT}/+/down/command",
    ):
        one.subscribe(topic)
    one.subscribe(f"{own}/down/#")
    two.subscribe(f"{others}/down/#")
    forbidden = [f"{others}/up/incident", f"{others}/status", f"{others}/down/command", f"{own}/down/command", "gw/1/x"]
    for topic in forbidden:
        one.publish(topic, b"forged")
    one.publish(f"{own}/up/birth", b"own")
    wait_until(lambda: not cloud.heard.empty())
    assert cloud.all() == [(f"{own}/up/birth", b"own")]
    cloud.publish(f"{others}/down/command", b"for the second")
    cloud.publish(f"{own}/down/command", b"for the first")
    wait_until(lambda: not one.heard.empty() and not two.heard.empty())
    assert set(one.all()) == {(f"{own}/down/command", b"for the first")}  # once for each subscription that covers it
    assert two.all() == [(f"{others}/down/command", b"for the second")]
    for each in (cloud, one, two):
        each.close()


@pytest.mark.system
def test_new_credentials_work_beside_the_old_ones_and_outlive_them(
    pool: Pool, tmp_path: Path, stack: ExitStack
) -> None:
    folder, machine = tmp_path / "broker", Machine()
    old = enrolled(pool, "station-01", machine)
    export(pool, BrokerFiles(folder))
    site = stack.enter_context(site_broker(folder, tmp_path))
    port, files = site.port, BrokerFiles(folder, pid_file=site.pid_file)
    new = machine.renew(pool, "station-01", AT)
    assert export(pool, files)
    assert not export(pool, files)  # nothing new is not written again
    wait_until(lambda: accepts(port, new.mqtt_user, new.mqtt_password))
    assert accepts(port, old.mqtt_user, old.mqtt_password)
    with pool.connection() as conn:
        service.standing(conn, "station-01", new.generation, now=AT)
    assert export(pool, files, AT + policy.OVERLAP)
    wait_until(lambda: not accepts(port, old.mqtt_user, old.mqtt_password))
    assert accepts(port, new.mqtt_user, new.mqtt_password)


def test_the_files_can_be_read_by_their_owner_and_group_alone_and_hold_no_secret(pool: Pool, tmp_path: Path) -> None:
    issued = enrolled(pool, "station-01")
    files = BrokerFiles(tmp_path / "broker")
    export(pool, files)
    for name in ("passwords", "acl"):
        file = tmp_path / "broker" / name
        assert file.stat().st_mode & 0o007 == 0
        assert issued.mqtt_password not in file.read_text(encoding="utf-8")
        assert CLOUD.password not in file.read_text(encoding="utf-8")
    file.chmod(0o644)
    enrolled(pool, "station-02")
    export(pool, files)
    assert file.stat().st_mode & 0o777 == 0o644
    assert sorted(each.name for each in (tmp_path / "broker").iterdir()) == ["acl", "passwords"]


def test_a_broker_that_can_not_be_told_is_said(pool: Pool, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    for content in ("", "x", "1", "-7", "999999999"):
        pid_file.write_text(content, encoding="ascii")
        with pytest.raises(ConfigurationError):
            export(pool, BrokerFiles(tmp_path / "broker", pid_file=pid_file))


def test_the_cloud_can_not_have_the_name_of_a_node(pool: Pool) -> None:
    with pool.connection() as conn:
        fleet.add_node(conn, "cloud", district=DISTRICT, area_code=GRID, now=AT)
        with pytest.raises(Invalid):
            broker.users(conn, CLOUD, now=AT)
        with pytest.raises(Invalid):
            broker.users(conn, CloudUser("two words", "x"), now=AT)


def test_what_a_broker_that_asks_is_told(pool: Pool) -> None:
    issued, other = enrolled(pool, "station-01"), enrolled(pool, "station-02")
    own = f"gw/1/{DISTRICT}/station-01"

    def login(user: str, password: str, later: timedelta = timedelta(0)) -> Answer:
        with pool.connection() as conn:
            return broker.authenticate(conn, user, password, CLOUD, now=AT + later)

    def may(user: str, action: Action, topic: str) -> Answer:
        with pool.connection() as conn:
            return broker.authorise(conn, user, action, topic, CLOUD, now=AT)

    assert login(issued.mqtt_user, issued.mqtt_password) is Answer.ALLOW
    assert login(issued.mqtt_user, other.mqtt_password) is Answer.DENY
    assert login(issued.mqtt_user, issued.mqtt_password, policy.CREDENTIAL_LASTS) is Answer.DENY
    for name in ("station-01", "station-01~99"):
        assert login(name, issued.mqtt_password) is Answer.DENY
        assert may(name, Action.PUBLISH, f"{own}/up/birth") is Answer.DENY
    assert login(CLOUD.name, CLOUD.password) is Answer.ALLOW
    assert login(CLOUD.name, "x") is Answer.DENY
    for stranger in ("nobody", "", "a~b", "\x00"):
        assert login(stranger, "x") is Answer.IGNORE
        assert may(stranger, Action.PUBLISH, f"{own}/up/birth") is Answer.DENY
        assert may(stranger, Action.SUBSCRIBE, "#") is Answer.DENY
        assert may(stranger, Action.SUBSCRIBE, "other/#") is Answer.IGNORE
    user = issued.mqtt_user
    assert may(user, Action.PUBLISH, f"{own}/up/birth") is Answer.ALLOW
    assert may(user, Action.SUBSCRIBE, f"{own}/down/command") is Answer.ALLOW
    for action, topic in (
        (Action.PUBLISH, f"gw/1/{DISTRICT}/station-02/up/birth"),
        (Action.PUBLISH, f"{own}/down/command"),
        (Action.SUBSCRIBE, f"gw/1/{DISTRICT}/station-02/down/#"),
        (Action.SUBSCRIBE, f"gw/1/{DISTRICT}/+/down/#"),
        (Action.SUBSCRIBE, "#"),
        (Action.SUBSCRIBE, "$SYS/#"),
    ):
        assert may(user, action, topic) is Answer.DENY
    assert may(CLOUD.name, Action.SUBSCRIBE, "gw/1/+/+/up/birth") is Answer.ALLOW


def test_whose_credentials_have_ended_may_nothing_any_longer_though_it_is_connected(pool: Pool) -> None:
    issued = enrolled(pool, "station-01")
    topics = [f"gw/1/{DISTRICT}/{name}/{rest}" for name in ("station-01", "other") for rest in ("up/birth", "down/x")]

    def answers(user: str) -> set[Answer]:
        with pool.connection() as conn:
            return {
                broker.authorise(conn, user, action, topic, CLOUD, now=AT)
                for action in Action
                for topic in (*topics, "elsewhere")
            }

    assert answers(issued.mqtt_user) == {Answer.ALLOW, Answer.DENY}
    with pool.connection() as conn:
        service.rotate(conn, "station-01", now=AT, at_once=True)
        assert broker.authenticate(conn, issued.mqtt_user, issued.mqtt_password, CLOUD, now=AT) is Answer.DENY
    assert answers(issued.mqtt_user) == {Answer.DENY}


def test_a_node_that_never_had_secrets_of_ours_is_left_to_the_broker_for_its_own_topics(pool: Pool) -> None:
    with pool.connection() as conn:
        fleet.enrol_node(conn, "station-09", district=DISTRICT, area_code=GRID, now=AT)
        own = f"gw/1/{DISTRICT}/station-09"
        assert broker.authenticate(conn, "station-09", "x", CLOUD, now=AT) is Answer.IGNORE
        for action, topic, answer in (
            (Action.PUBLISH, f"{own}/up/birth", Answer.IGNORE),
            (Action.SUBSCRIBE, f"{own}/down/#", Answer.IGNORE),
            (Action.PUBLISH, f"{own}/down/command", Answer.DENY),
            (Action.PUBLISH, f"gw/1/{DISTRICT}/station-08/up/birth", Answer.DENY),
        ):
            assert broker.authorise(conn, "station-09", action, topic, CLOUD, now=AT) is answer


def test_whom_the_broker_lets_in_as_a_node_that_nobody_accepted_may_wait_in_quarantine_and_nothing_else(
    pool: Pool,
) -> None:
    enrolled(pool, "station-01")
    own = f"gw/1/{DISTRICT}/station-09"
    with pool.connection() as conn:
        assert broker.authenticate(conn, "station-09", "x", CLOUD, now=AT) is Answer.IGNORE
        for action, topic, answer in (
            (Action.PUBLISH, f"{own}/up/birth", Answer.IGNORE),
            (Action.PUBLISH, f"{own}/status", Answer.IGNORE),
            (Action.SUBSCRIBE, f"{own}/down/ack", Answer.IGNORE),
            (Action.SUBSCRIBE, f"{own}/down/#", Answer.IGNORE),
            (Action.PUBLISH, f"{own}/down/command", Answer.DENY),
            (Action.PUBLISH, f"{own}/status/x", Answer.DENY),
            (Action.PUBLISH, f"{own}/other", Answer.DENY),
            (Action.SUBSCRIBE, f"{own}/up/#", Answer.DENY),
            (Action.SUBSCRIBE, f"{own}/#", Answer.DENY),
            (Action.SUBSCRIBE, "gw/1/+/station-09/down/#", Answer.DENY),
            (Action.SUBSCRIBE, f"gw/1/{DISTRICT}/+/down/#", Answer.DENY),
            (Action.SUBSCRIBE, f"gw/1/{DISTRICT}/#", Answer.DENY),
            (Action.SUBSCRIBE, f"$share/g/{own}/down/#", Answer.DENY),
            (Action.PUBLISH, f"$delayed/9/{own}/up/birth", Answer.DENY),
            (Action.PUBLISH, "gw/1/x/station-09/up/birth", Answer.DENY),
            (Action.PUBLISH, "gw/2/110105/station-09/up/birth", Answer.DENY),
            (Action.PUBLISH, f"gw/1/{DISTRICT}/station-01/up/birth", Answer.DENY),
            (Action.SUBSCRIBE, f"gw/1/{DISTRICT}/station-01/down/#", Answer.DENY),
        ):
            assert broker.authorise(conn, "station-09", action, topic, CLOUD, now=AT) is answer, topic
        for name in ("station-09~1", "Station-09", "station-09/", "+", "#", ""):
            for action, topic in ((Action.PUBLISH, f"{own}/up/birth"), (Action.SUBSCRIBE, f"{own}/down/#")):
                assert broker.authorise(conn, name, action, topic, CLOUD, now=AT) is Answer.DENY


def test_the_first_use_at_a_broker_that_asks_begins_the_end_of_the_older_ones(pool: Pool) -> None:
    machine = Machine()
    old = enrolled(pool, "station-01", machine)
    new = machine.renew(pool, "station-01", AT)
    with pool.connection() as conn:
        assert broker.authenticate(conn, new.mqtt_user, new.mqtt_password, None, now=AT) is Answer.ALLOW
        assert broker.authenticate(conn, old.mqtt_user, old.mqtt_password, None, now=AT) is Answer.ALLOW
        later = AT + policy.OVERLAP
        assert broker.authenticate(conn, old.mqtt_user, old.mqtt_password, None, now=later) is Answer.DENY
