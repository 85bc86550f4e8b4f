"""Clocks that are wrong and links that were cut, over the whole way: sensor, local broker, node, broker, ingest, case, live stream.

The node runs on a clock of the test's own, so that ten minutes without a link, a boot in 1970 and a step of the wall clock take
no time; broker, database and ingest are real and know nothing of it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from cloud.correlate.service import DEFAULT_RULES
from cloud.db import live
from cloud.db.pool import Pool, open_pool
from cloud.embedded.broker import EmbeddedBroker
from cloud.fleet import service as fleet
from cloud.ingest.intake import Intake
from cloud.ingest.service import IngestService
from cloud.mqtt import Endpoint
from edge.clock import Look, NodeClock
from edge.node.assembly import Node
from edge.outbox.store import Counter
from edge.settings import NodeConfiguration
from tests.brokers import ReadyBroker
from tests.cloud.samples import GRID, take_in_areas
from tests.system.chaos.proxy import FAIR, Conduct, Proxy, Weather
from tests.waiting import wait_until

pytestmark = pytest.mark.system

DISTRICT = "110105"
NODE = "station-01"
DAY_S = 86_400.0
PATIENCE_S = 60.0
NEARLY = timedelta(seconds=30)
"""How near a time of this test is to what it should be: a busy machine is slow, and a wrong clock is wrong by far more."""

FIRE = {"kind": "threshold", "point": "t", "above": 60, "clear": 55}


class Box:
    """A machine whose true time is `behind_s` behind that of the cloud and can be moved on; its wall clock is `wrong_s` off."""

    boot = "boot-1"

    def __init__(self, *, behind_s: float, wrong_s: float = 0.0, synchronised: bool = True) -> None:
        self.behind_s = behind_s
        self.wrong_s = wrong_s
        self.synchronised = synchronised
        self._booted_at = self.truth() - timedelta(seconds=20)

    def truth(self) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=self.behind_s)

    def pass_by(self, seconds: float) -> None:
        self.behind_s -= seconds

    def boot_us(self) -> int:
        return (self.truth() - self._booted_at) // timedelta(microseconds=1)

    def look(self) -> Look:
        wall = self.truth() + timedelta(seconds=self.wrong_s)
        wall_us = (wall - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        return Look(self.boot_us(), wall_us, self.synchronised)


class Station:
    """A node with two sensors that hear the same, its link to the cloud cut at first; they are called by how bad a fire is there."""

    def __init__(
        self, directory: Path, sensors: EmbeddedBroker, broker: ReadyBroker, box: Box, stack: ExitStack
    ) -> None:
        self.box = box
        self.uplink = stack.enter_context(Proxy("uplink", broker.port))
        self.cut()
        password = directory / "password"
        password.write_text(broker.add_node(DISTRICT, NODE))
        password.chmod(0o600)
        self._configuration = NodeConfiguration.model_validate(
            {
                "node": {"id": NODE, "district": DISTRICT, "data_directory": str(directory / "data")},
                "cloud": {
                    "mqtt": f"mqtt://127.0.0.1:{self.uplink.port}",
                    "https": "http://127.0.0.1:1",
                    "mqtt_user": NODE,
                    "mqtt_password_file": str(password),
                },
                "local_mqtt": {"url": sensors.url},
                "sensors": [
                    {
                        "id": severity,
                        "topic": "piles/1",
                        "time": "at",
                        "points": [{"name": "t", "period_s": 10}],
                        "rules": [{**FIRE, "severity": severity}],
                    }
                    for severity in ("critical", "high")
                ],
            }
        )
        self._sensor = Client(CallbackAPIVersion.VERSION2)
        self._sensor.connect("127.0.0.1", sensors.port)
        self._sensor.loop_start()
        stack.callback(self._sensor.loop_stop)
        stack.callback(self._sensor.disconnect)
        self.node = self._start()
        stack.callback(self.stop)
        wait_until(self._hears, timeout_s=PATIENCE_S, what="the node's sensors")

    def _start(self) -> Node:
        clock = NodeClock(self.box, path=self._configuration.node.data_directory / "clock.json")
        node = Node(self._configuration, on_fatal=pytest.fail, clock=clock)
        node.start()
        return node

    def stop(self) -> None:
        self.node.stop()

    def restart(self) -> None:
        self.stop()
        self.node = self._start()

    def _hears(self) -> bool:
        self._sensor.publish("piles/1", json.dumps({"t": 20}), qos=1).wait_for_publish(PATIENCE_S)
        return self._accepted() > 0

    def _accepted(self, counter: Counter = Counter.READINGS_ACCEPTED) -> int:
        return self.node.outbox.figures().counters[counter]

    def says(self, value: float, *, at: datetime | None = None, revisions: int = 2) -> datetime:
        """The sensors say something, and the node keeps the reading and so many `revisions` of incidents that follow from it;
        when that was, in truth.
        """
        wanted = self._accepted(Counter.INCIDENTS_ACCEPTED) + revisions
        readings, said_at = self._accepted(), self.box.truth()
        message = {"t": value} if at is None else {"t": value, "at": at.isoformat()}
        self._sensor.publish("piles/1", json.dumps(message), qos=1).wait_for_publish(PATIENCE_S)
        wait_until(
            lambda: self._accepted() > readings and self._accepted(Counter.INCIDENTS_ACCEPTED) == wanted,
            timeout_s=PATIENCE_S,
            what="the reading and what follows from it",
        )
        return said_at

    def cut(self) -> None:
        self.uplink.turn(Weather(Conduct.REFUSE))

    def connect(self) -> None:
        self.uplink.turn(FAIR)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def pool(migrated_url: str, stack: ExitStack) -> Pool:
    pool = open_pool(migrated_url, size=4)
    stack.callback(pool.close)
    with pool.connection() as conn:
        take_in_areas(conn)
    return pool


Begin = Callable[[Box], Station]


@pytest.fixture
def begin(
    tmp_path: Path, open_broker: EmbeddedBroker, mosquitto_broker: ReadyBroker, pool: Pool, stack: ExitStack
) -> Begin:
    """Ingest at work, and a station on the given machine."""
    endpoint = Endpoint.of(
        mosquitto_broker.url, user=mosquitto_broker.cloud_user, password=mosquitto_broker.cloud_password
    )
    service = IngestService(pool, Intake(endpoint))
    service.start()
    stack.callback(service.stop)
    return lambda box: Station(tmp_path, open_broker, mosquitto_broker, box, stack)


def enrol(pool: Pool) -> None:
    with pool.connection() as conn:
        fleet.add_node(conn, NODE, district=DISTRICT, area_code=GRID, now=datetime.now(UTC))


def rows(pool: Pool, statement: str) -> list[Any]:
    with pool.connection() as conn:
        return conn.execute(statement).fetchall()


def told_aloud(pool: Pool) -> dict[str, bool]:
    """What the live stream said of each case: its device, and whether it ever rang."""
    with pool.connection() as conn:
        events = live.read(conn, after=0, upto=live.horizon(conn).settled, count=1_000)
    rang: dict[str, bool] = {}
    for event in events:
        if event.kind.startswith("case."):
            device = str(event.payload["device"]["device"])
            rang[device] = rang.get(device, False) or not event.payload["late"]
    return rang


def incidents(pool: Pool, state: str, count: int = 2) -> list[Any]:
    """The incidents, waited for until all are in that state."""
    statement = "select state, severity::text, started_at, historical from incident order by severity"
    wait_until(
        lambda: [row[0] for row in rows(pool, statement)] == [state] * count,
        timeout_s=PATIENCE_S,
        what=f"{count} incidents in the state {state}",
    )
    return rows(pool, statement)


def test_a_fire_that_began_while_cut_off_and_still_burns_rings(begin: Begin, pool: Pool) -> None:
    enrol(pool)
    station = begin(Box(behind_s=600))
    began_at = station.says(80)
    station.box.pass_by(600)
    station.connect()
    for _, _, started_at, historical in incidents(pool, "open"):
        assert abs(started_at - began_at) < NEARLY
        assert historical
    wait_until(lambda: told_aloud(pool) == {"critical": True, "high": True}, timeout_s=PATIENCE_S, what="both ring")


def test_one_that_ended_while_cut_off_rings_if_it_was_critical_and_is_filed_as_late_if_not(
    begin: Begin, pool: Pool
) -> None:
    enrol(pool)
    station = begin(Box(behind_s=600))
    station.says(80)
    station.box.pass_by(120)
    station.says(20)
    station.box.pass_by(480)
    station.connect()
    incidents(pool, "ended")
    wait_until(lambda: told_aloud(pool) == {"critical": True, "high": False}, timeout_s=PATIENCE_S, what="one rings")


def test_one_that_ended_longer_ago_than_the_age_is_filed_as_late_however_critical(begin: Begin, pool: Pool) -> None:
    enrol(pool)
    age_s = DEFAULT_RULES.late_ring.total_seconds() + 3_600
    station = begin(Box(behind_s=age_s + 600))
    station.says(80)
    station.box.pass_by(300)
    station.says(20)
    station.box.pass_by(age_s + 300)
    station.connect()
    incidents(pool, "ended")
    wait_until(lambda: told_aloud(pool) == {"critical": False, "high": False}, timeout_s=PATIENCE_S, what="both late")


@pytest.mark.parametrize("wrong", ["1970", "a day slow", "a day fast"])
def test_what_a_node_saw_before_its_clock_was_set_has_its_true_time_and_lasts_as_long_as_it_did(
    begin: Begin, pool: Pool, wrong: str
) -> None:
    enrol(pool)
    since_1970_s = (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    wrong_s = {"1970": 3_600 - since_1970_s, "a day slow": -DAY_S, "a day fast": DAY_S}[wrong]
    station = begin(Box(behind_s=600, wrong_s=wrong_s, synchronised=False))
    began_at = station.says(80)
    station.box.pass_by(300)
    station.box.wrong_s, station.box.synchronised = 0.0, True
    station.node.clock.check()
    station.box.pass_by(300)
    ended_at = station.says(20)
    station.connect()
    for _, _, started_at, _ in incidents(pool, "ended"):
        assert abs(started_at - began_at) < NEARLY
    for started_at, finished_at, dwell_s in rows(pool, "select started_at, ended_at, dwell_s from incident"):
        assert abs(finished_at - ended_at) < NEARLY
        assert abs(timedelta(seconds=dwell_s) - (finished_at - started_at)) < timedelta(seconds=1)
    wait_until(
        lambda: [value for _, value in rows(pool, READINGS)][-2:] == [80, 20], timeout_s=PATIENCE_S, what="the readings"
    )
    [(hot_at, _), (cool_at, _)] = rows(pool, READINGS)[-2:]
    assert abs(hot_at - began_at) < NEARLY
    assert abs(cool_at - ended_at) < NEARLY
    assert rows(pool, LATEST) == [(20.0,)]


READINGS = """select observed_at, value from reading
where series_id = (select series.id from series join device on device.id = device_id where name = 'high' and point = 't')
order by observed_at"""
LATEST = "select distinct value from latest join series on series.id = series_id where point = 't'"


def test_a_node_without_network_time_learns_it_from_the_cloud_and_says_that_its_clock_is_off(
    begin: Begin, pool: Pool
) -> None:
    enrol(pool)
    station = begin(Box(behind_s=0, wrong_s=-DAY_S, synchronised=False))
    began_at = station.says(80)
    station.connect()
    for _, _, started_at, _ in incidents(pool, "open"):
        assert abs(started_at - began_at) < NEARLY
    figures = station.node.clock.figures
    assert figures.skew_s is not None
    assert abs(figures.skew_s + DAY_S) < NEARLY.total_seconds()
    wait_until(
        lambda: any(one.subject == "clock" for one in station.node.standing.degradations()),
        timeout_s=PATIENCE_S,
        what="the node says so",
    )
    wait_until(
        lambda: "clock" in str(rows(pool, "select degraded from node")),
        timeout_s=PATIENCE_S,
        what="a birth that says so",
    )


def test_an_incident_goes_on_over_a_restart_while_its_value_lies_in_the_band(begin: Begin, pool: Pool) -> None:
    enrol(pool)
    station = begin(Box(behind_s=3_600))
    station.says(80)
    station.restart()
    for _ in range(5):
        station.box.pass_by(300)
        station.says(57, revisions=0)
    station.says(81)
    station.box.pass_by(600)
    station.says(20)
    station.connect()
    assert len(incidents(pool, "ended")) == 2


def test_what_an_unknown_node_said_two_days_ago_is_judged_when_somebody_accepts_it(begin: Begin, pool: Pool) -> None:
    station = begin(Box(behind_s=0))
    station.connect()
    station.says(80)
    waiting = "select count(*) from quarantine where channel = 'up/incident'"
    wait_until(lambda: rows(pool, waiting) == [(2,)], timeout_s=PATIENCE_S, what="both wait in quarantine")
    station.says(20)
    wait_until(lambda: rows(pool, waiting) == [(4,)], timeout_s=PATIENCE_S, what="their ends wait too")
    with pool.connection() as conn:
        conn.execute("update quarantine set received_at = received_at - interval '2 days'")
        fleet.accept_node(conn, NODE, area_code=GRID, now=datetime.now(UTC))
    incidents(pool, "ended")
    wait_until(lambda: "high" in told_aloud(pool), timeout_s=PATIENCE_S, what="the cases")
    assert told_aloud(pool)["high"] is False
    assert all(historical for _, _, _, historical in incidents(pool, "ended"))


def test_a_device_whose_clock_runs_wild_neither_hides_what_follows_nor_silences_its_alarm(
    begin: Begin, pool: Pool
) -> None:
    enrol(pool)
    station = begin(Box(behind_s=0))
    station.connect()
    for wild in (timedelta(minutes=5), timedelta(days=1), timedelta(days=2_000_000), timedelta(days=-20_000)):
        station.says(30, at=station.box.truth() + wild, revisions=0)
    station.says(81)
    incidents(pool, "open")
    wait_until(lambda: rows(pool, LATEST) == [(81.0,)], timeout_s=PATIENCE_S, what="the true last")
    [tally] = [source.tally() for source in station.node.reading_sources.values()]
    assert tally["clamped"] == {"critical": 3, "high": 3}
    assert tally["refused"]["high: bad_time"] > 0
