"""The server for YKC piles against a pile by another hand (`tests/fakes/ykc_client.py`), up to the incidents that a node keeps."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.contract.device_command import DeviceAction
from edge.contract.incident import Incident, IncidentState, Severity
from edge.contract.telemetry import ReadingFlag
from edge.errors import CommandRefused, DeviceUnreachable
from edge.flow import EvidenceFile, Health, Parcel, Reading, StagedFile
from edge.incidents import IncidentBook, rule_cards
from edge.node.standing import Standing
from edge.node.telemetry import DeviceDesk
from edge.outbox.outbox import Outbox
from edge.settings import NodeConfiguration
from edge.sources.ykc.source import RECEIPTS, Timing, YkcSource
from tests.edge.waiting import wait_until
from tests.fakes.ykc_client import CLOCK, STOP, YkcPile, clock_time, crc16, fault_bit, framed

pytestmark = pytest.mark.system

NUMBER = "55031412782305"


def configuration() -> NodeConfiguration:
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "station-01", "district": "110105", "data_directory": "data"},
            "cloud": {"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"},
            "ykc": {
                "host": "127.0.0.1",
                "port": 0,
                "piles": [
                    {
                        "id": "pile-1",
                        "number": NUMBER,
                        "guns": 2,
                        "rules": [
                            {
                                "kind": "threshold",
                                "point": "temperature_c",
                                "above": 80,
                                "clear": 70,
                                "severity": "critical",
                            },
                            {"kind": "device_fault"},
                        ],
                    }
                ],
            },
        }
    )


class Site:
    """A node as far as piles need it: its store, its rules, its server; it can be ended and started again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ahead = timedelta(0)
        self.incidents: list[tuple[Incident, bool]] = []
        self.readings: list[Reading] = []
        self.presence: list[Health] = []
        self.source: YkcSource
        self._stack = ExitStack()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def start(self) -> None:
        settings = configuration()
        site = self

        class Recording(Outbox):
            """The real store, which also shows what it was given."""

            def incident(
                self, incident: Incident, evidence: Sequence[EvidenceFile | StagedFile] = (), *, replayed: bool = False
            ) -> None:
                super().incident(incident, evidence, replayed=replayed)
                site.incidents.append((incident, replayed))

        outbox = Recording(self.directory, settings.outbox, devices=["pile-1"], clock=self.now, window_s=0.0)
        self._stack.callback(outbox.close)
        self.book = IncidentBook(outbox, rule_cards(settings), clock=self.now)
        standing = Standing(clock=self.now, on_change=lambda: None)
        self.desk = DeviceDesk(settings.devices, recorder=outbox, book=self.book, standing=standing, clock=self.now)
        self.book.resume()
        self.desk.resume()
        assert settings.ykc is not None
        self.source = YkcSource(
            settings.ykc,
            self._keep,
            lambda _device, health, _reason: self.presence.append(health),
            receipts=outbox.receipts(RECEIPTS),
            clock=self.now,
            timing=Timing(look_s=0.05, meter_s=()),
        )
        self.source.start()
        self._stack.callback(self.source.stop)
        wait_until(lambda: self.source.port, "the port")

    def _keep(self, parcel: Parcel) -> None:
        self.desk.keep(parcel)
        self.readings += parcel.readings

    def end(self) -> None:
        self._stack.pop_all().close()

    def restart(self) -> None:
        self.end()
        self.start()

    @property
    def address(self) -> tuple[str, int]:
        assert self.source.port is not None
        return "127.0.0.1", self.source.port

    def told(self, point: str) -> list[float | str]:
        return [each.value for each in list(self.readings) if each.point == point]

    def course(self, point: str) -> list[float | str]:
        """The same without repetitions: the server asks now and then, and a pile answers with what it has said already."""
        return [value for value, _ in itertools.groupby(self.told(point))]

    def opened(self) -> list[Incident]:
        return [each for each, _ in list(self.incidents) if each.state is IncidentState.OPEN]

    def tick(self, seconds: float = 0.0) -> None:
        """Time passes for the rules."""
        self.ahead += timedelta(seconds=seconds)
        self.desk.tick()
        self.book.tick()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    made.start()
    yield made
    made.end()


@pytest.fixture
def pile(site: Site) -> Iterator[YkcPile]:
    with YkcPile(site.address, NUMBER) as made:
        yield made


def came(site: Site, point: str, *values: float | str) -> Callable[[], bool]:
    return lambda: site.course(point)[-len(values) :] == list(values)


def test_the_published_frame_and_ours_are_the_same() -> None:
    published = bytes.fromhex("680C000000025503141278230500DA4C")
    assert framed(0x02, bytes.fromhex("5503141278230500")) == published
    assert crc16(published[2:-2]) == 0x4CDA


def test_a_known_pile_is_welcome_and_beats(site: Site, pile: YkcPile) -> None:
    pile.begin()
    pile.heartbeat(1)
    pile.heartbeat(2, fault=True)
    wait_until(lambda: Health.OK in site.presence, "its presence")


def test_its_clock_is_set_after_the_login(site: Site, pile: YkcPile) -> None:
    assert pile.login() == 0
    wait_until(lambda: any(each.kind == CLOCK for each in pile.heard), "the clock")
    [frame] = [each for each in pile.heard if each.kind == CLOCK]
    assert frame.body[:7] == bytes.fromhex(NUMBER)
    assert abs(clock_time(frame.body[7:14]) - site.now()) < timedelta(seconds=60)


def test_a_stranger_is_refused_and_hung_up_on(site: Site) -> None:
    with YkcPile(site.address, "99999999999999") as stranger:
        assert stranger.login() == 1
        stranger.expect_close()
    assert site.readings == []


def test_nothing_counts_before_the_login(site: Site, pile: YkcPile) -> None:
    pile.guns_now[1].charge(pile.transaction(1, site.now()), cable_c=99)
    pile.real_time(1)
    pile.say(0x03, bytes.fromhex(NUMBER) + b"\x01\0")
    with pytest.raises((TimeoutError, OSError)):
        pile.expect(0x04, within_s=0.3)
    assert site.told("temperature_c.1") == []


def test_an_idle_gun_measures_nothing_and_a_charging_one_in_celsius(site: Site, pile: YkcPile) -> None:
    pile.begin()
    pile.real_time(1)
    wait_until(came(site, "status.1", "available"), "the idle gun")
    assert site.told("temperature_c.1") == []
    transaction = pile.transaction(1, site.now())
    pile.guns_now[1].charge(transaction, current_a=31.5, cable_c=38)
    pile.guns_now[1].energy_kwh = 1.25
    pile.real_time(1)
    wait_until(came(site, "status.1", "available", "charging"), "the charge")
    assert site.course("temperature_c.1") == [38.0]
    assert site.told("current_a.1")[-1] == 31.5
    assert site.told("voltage_v.1")[-1] == 380.0
    assert site.told("energy_wh.1")[-1] == 1_250.0
    assert site.told("soc_pct.1")[-1] == 40.0
    assert site.told("charging.1")[-1] == transaction
    pile.guns_now[1].cable_c = -20
    pile.real_time(1)
    wait_until(came(site, "temperature_c.1", 38.0, -20.0), "a cold cable")
    assert site.told("temperature_c.2") == []


def test_a_hot_cable_is_one_incident_that_ends_when_it_has_cooled(site: Site, pile: YkcPile) -> None:
    pile.begin()
    gun = pile.guns_now[2]
    gun.charge(pile.transaction(2, site.now()))
    for celsius in (79, 84, 92, 88):
        gun.cable_c = celsius
        pile.real_time(2)
    wait_until(came(site, "temperature_c.2", 79.0, 84.0, 92.0, 88.0), "the readings")
    site.tick()
    [hot] = site.opened()
    assert (hot.kind, hot.point, hot.severity) == ("threshold", "temperature_c.2", Severity.CRITICAL)
    gun.cable_c = 45
    pile.real_time(2)
    wait_until(lambda: any(each.state is IncidentState.ENDED for each, _ in site.incidents), "its end")
    assert len(site.opened()) == 1
    assert not any(replayed for _, replayed in site.incidents)


def test_fault_bits_are_members_of_the_taxonomy_and_an_unknown_one_is_kept(site: Site, pile: YkcPile) -> None:
    pile.begin()
    gun = pile.guns_now[1]
    gun.faults = fault_bit(3)  # air outlet too hot
    pile.real_time(1)
    wait_until(came(site, "faults.1", "over_temperature"), "the first fault")
    gun.faults = fault_bit(3) | fault_bit(12)  # and the contactor
    pile.real_time(1)
    wait_until(lambda: set(str(site.told("faults.1")[-1]).split("+")) == {"over_temperature", "contactor"}, "both")
    gun.faults = fault_bit(15)  # the text ends at 13
    pile.real_time(1)
    wait_until(came(site, "faults.1", "other"), "the one that no table knows")
    assert "15" in str(site.told("raw_code.1")[-1])
    gun.faults = 0
    pile.real_time(1)
    wait_until(came(site, "faults.1", "none"), "the end")
    site.tick(1)
    faults = sorted(str(each.fault) for each in site.opened())
    assert faults == ["contactor", "other", "over_temperature"]
    assert {each.device for each in site.opened()} == {"pile-1"}
    assert all(each.raw_code for each in site.opened())
    wait_until(lambda: len([1 for each, _ in site.incidents if each.state is IncidentState.ENDED]) == 3, "their ends")


def test_an_abort_says_why_and_is_the_incident_once_also_with_its_record(site: Site, pile: YkcPile) -> None:
    pile.begin()
    began = site.now() - timedelta(minutes=20)
    transaction = pile.transaction(1, began)
    pile.guns_now[1].charge(transaction)
    pile.real_time(1)
    pile.bms_abort(1, faults=0b01 << 2)  # the second pair: connector over-temperature
    wait_until(lambda: site.told("stop_reason.1"), "the reason")
    assert site.told("stop_reason.1") == ["over_temperature"]
    pile.guns_now[1].idle()
    pile.real_time(1)
    sequence = pile.record(1, transaction, reason=0x53, began=began, ended=site.now())  # temperature
    assert pile.hear_record_kept(sequence, transaction) == 0
    site.tick(1)
    [hot] = site.opened()
    assert (hot.kind, hot.fault) == ("device_fault", "over_temperature")
    assert hot.raw_code


def test_an_emergency_stop_by_the_charger_is_told(site: Site, pile: YkcPile) -> None:
    pile.begin()
    pile.guns_now[1].charge(pile.transaction(1, site.now()))
    pile.real_time(1)
    pile.charger_abort(1, faults=0b01 << 8)  # the fifth pair: emergency stop
    wait_until(lambda: site.told("stop_reason.1") == ["emergency_stop"], "the reason")
    pile.charger_abort(1, errors=0b01)  # current mismatch
    wait_until(lambda: len(site.told("stop_reason.1")) == 2, "the error")


def test_a_record_that_is_said_thrice_and_over_a_restart_is_answered_each_time_and_told_once(
    site: Site, pile: YkcPile
) -> None:
    pile.begin()
    began, ended = site.now() - timedelta(minutes=30), site.now() - timedelta(seconds=5)
    transaction = pile.transaction(1, began)
    for _ in range(3):
        sequence = pile.record(1, transaction, reason=0x7E, began=began, ended=ended)
        assert pile.hear_record_kept(sequence, transaction) == 0
    site.restart()
    with YkcPile(site.address, NUMBER) as again:
        again.begin()
        for _ in range(2):
            sequence = again.record(1, transaction, reason=0x7E, began=began, ended=ended)
            assert again.hear_record_kept(sequence, transaction) == 0
        other = again.transaction(2, began, 2)
        sequence = again.record(2, other, reason=0x40, began=began, ended=ended)  # a normal end
        assert again.hear_record_kept(sequence, other) == 0
    assert site.told("stop_reason.1") == ["battery_over_temperature"]
    assert len(site.told("stop_reason.2")) == 1
    site.tick(1)
    assert [each.fault for each in site.opened()] == ["battery_over_temperature"]


def test_a_stop_is_obeyed_refused_or_ignored_in_so_many_words(site: Site, pile: YkcPile) -> None:
    pile.begin()
    gun = pile.guns_now[1]
    gun.charge(pile.transaction(1, site.now()))
    pile.real_time(1)
    wait_until(came(site, "status.1", "charging"), "the charge")
    control = site.source.control("pile-1")
    assert control is not None
    control.act("pile-1", DeviceAction.STOP_CHARGE, {}, connector=1, wait_s=10)
    wait_until(came(site, "current_a.1", 32.0, 0.0), "the meter's word")
    [order] = [each for each in pile.heard if each.kind == STOP]
    assert order.body == bytes.fromhex(NUMBER) + b"\x01"
    with pytest.raises(CommandRefused):  # it does not charge any more
        control.act("pile-1", DeviceAction.STOP_CHARGE, {}, connector=1, wait_s=10)
    pile.stops = False
    gun.charge(pile.transaction(1, site.now(), 2))
    pile.real_time(1)
    with pytest.raises(DeviceUnreachable):
        control.act("pile-1", DeviceAction.STOP_CHARGE, {}, connector=1, wait_s=0.3)


def test_a_pile_that_comes_back_begins_its_sequence_anew_and_the_old_connection_ends(site: Site, pile: YkcPile) -> None:
    pile.begin()
    for _ in range(40):
        pile.real_time(2)
    with YkcPile(site.address, NUMBER) as back:
        back.begin()
        pile.expect_close()
        back.guns_now[1].charge(back.transaction(1, site.now()), cable_c=41)
        back.real_time(1)
        wait_until(came(site, "temperature_c.1", 41.0), "the new connection's reading")
        back.heartbeat()


def test_an_hour_of_stored_data_is_history_and_no_live_alarm(site: Site, pile: YkcPile) -> None:
    """Bug of the field: what a pile stored while it was away opens alarms when it is back."""
    began = site.now() - timedelta(hours=2)
    transaction = pile.transaction(1, began)
    assert pile.login() == 0
    gun = pile.guns_now[1]
    for minute in range(60):
        gun.charge(transaction, cable_c=95 if 20 <= minute < 30 else 40)
        gun.minutes = minute
        gun.faults = fault_bit(12) if minute == 40 else 0
        pile.real_time(1)
    gun.idle()
    sequence = pile.record(1, transaction, reason=0x53, began=began, ended=began + timedelta(hours=1))
    pile.hear_record_kept(sequence, transaction)
    pile.check_price()
    gun.faults = 0
    pile.real_time(1)
    wait_until(came(site, "status.1", "available"), "the present")
    site.tick(11)
    site.tick(200)
    hot = [each for each in site.readings if each.point == "temperature_c.1"]
    assert {each.value for each in hot} == {40.0, 95.0}
    assert all(ReadingFlag.REPLAYED in each.flag for each in hot)
    assert site.opened() == []
    found = sorted((str(each.fault or each.kind), replayed) for each, replayed in site.incidents)
    assert found == [("contactor", True), ("over_temperature", True), ("threshold", True)]
    assert {each.state for each, _ in site.incidents} == {IncidentState.ENDED}


def test_stored_data_of_an_idle_gun_has_no_time_and_is_history_all_the_same(site: Site, pile: YkcPile) -> None:
    assert pile.login() == 0
    pile.guns_now[1].faults = fault_bit(12)
    pile.real_time(1)
    wait_until(came(site, "faults.1", "contactor"), "the stored fault")
    pile.guns_now[1].faults = 0  # gone by the time that the server asks for the present
    pile.check_price()
    pile.real_time(1)
    wait_until(came(site, "faults.1", "contactor", "none"), "the present")
    site.tick(11)
    site.tick(200)
    [stored] = [each for each in site.readings if (each.point, each.value) == ("faults.1", "contactor")]
    assert ReadingFlag.REPLAYED in stored.flag
    assert site.opened() == []


def test_what_still_holds_after_the_stored_data_rings(site: Site, pile: YkcPile) -> None:
    began = site.now() - timedelta(hours=1)
    gun = pile.guns_now[1]
    gun.charge(pile.transaction(1, began), cable_c=93)
    gun.minutes = 20
    assert pile.login() == 0
    pile.real_time(1)
    pile.check_price()
    gun.minutes = 60
    pile.real_time(1)
    wait_until(lambda: len(site.told("temperature_c.1")) >= 2, "both")
    site.tick(11)
    assert [each.point for each in site.opened()] == ["temperature_c.1"]


def test_garbage_between_frames_and_frames_in_pieces_cost_nothing_that_is_whole(site: Site, pile: YkcPile) -> None:
    pile.begin()
    gun = pile.guns_now[1]
    for index in range(10):
        gun.charge(pile.transaction(1, site.now()), cable_c=30 + index)
        whole = framed(0x13, pile.real_time_body(1), sequence=100 + index)
        broken = bytearray(framed(0x13, pile.real_time_body(1), sequence=200 + index))
        broken[20] ^= 0xFF
        pile.say_bytes(b"\x00\x68\xff garbage" + bytes(broken) if index % 2 else b"\x13\x37")
        for at in range(0, len(whole), 7):
            pile.say_bytes(whole[at : at + 7])
    wait_until(lambda: site.course("temperature_c.1") == [30.0 + index for index in range(10)], "every whole frame")


def test_a_bcd_that_is_none_and_a_frame_of_an_unknown_type_end_nothing(site: Site, pile: YkcPile) -> None:
    pile.begin()
    pile.guns_now[1].charge("FF" * 16, cable_c=33)
    pile.real_time(1)
    pile.say(0x7B, b"\xaa" * 50)
    pile.say(0x13, b"")
    pile.say(0x3B, b"\xff" * 158)
    pile.heartbeat()
    pile.guns_now[1].charge(pile.transaction(1, site.now()), cable_c=34)
    pile.real_time(1)
    wait_until(lambda: 34.0 in site.told("temperature_c.1"), "what comes after it")
