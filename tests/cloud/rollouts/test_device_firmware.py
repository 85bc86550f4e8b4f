"""Firmware of piles by rollouts: piles that obey, fail, hang, lie, charge all day, vanish, or come back after a week, behind the state machine
that a node really has; the proof is what a pile's own start names, and nothing else.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from cloud.errors import Conflict
from cloud.fleet import service as fleet_service
from cloud.fleet.model import Presence
from cloud.rollouts import artifact_store, births, service, store
from cloud.rollouts.model import Artifact, Plan, RolloutAction, RolloutState, Stage, StepState
from cloud.rollouts.service import Draft
from edge.contract.birth import Device, NodeStatus, PresenceState
from edge.contract.downlink import DesiredProfile
from edge.flow import FirmwareTold
from edge.node import firmware_job
from edge.node.firmware_job import Book, Deed
from firmware_configs.signature import ArtifactClass, Signature
from tests.cloud.rollouts.simulated import Fleet, Nature, SimulatedNode, digest, fresh
from tests.fakes.node import AT, birth, new_id

FAMILY = "teld.dc-120"
OLD, NEW = "V1.9", "V1.10"
MINUTE = timedelta(minutes=1)
PATIENCE = timedelta(minutes=20)
SOAK = timedelta(minutes=3)


class Kind(StrEnum):
    """What a pile does with an order for something new. All do as they are told with an order back."""

    GOOD = "good"
    NO_DOWNLOAD = "no_download"
    NO_INSTALLATION = "no_installation"
    HANGS = "hangs"
    LIES = "lies"
    """It says that it installed, and starts with the old version."""
    BUSY = "busy"
    VANISHES = "vanishes"
    FALLS_BACK = "falls_back"
    """It starts with the new one, and then with the old one again."""
    SLOW = "slow"
    """It is away for longer while it installs than a link may be."""


SOUND = frozenset({Kind.GOOD, Kind.SLOW})


def all_of_them(error_percent: float = 0) -> Stage:
    return Stage(name="all", percent=100, error_percent=error_percent, soak=SOAK)


@dataclass
class Pile:
    """One pile, as its node hears of it."""

    kind: Kind
    view: FirmwareTold
    asked: str | None = None
    is_back: bool = False
    minutes: int = 0
    is_lost: bool = False


@dataclass
class Station(SimulatedNode):
    """A node with piles; what it does with orders is the real state machine of nodes."""

    piles: dict[str, Pile] = field(default_factory=dict)
    book: Book = field(default_factory=Book)

    def hear(self, desired: DesiredProfile) -> None:
        self.inbox.append(desired)
        self.was_told.append(desired)


@dataclass
class Site:
    """A cloud, and stations with piles."""

    fleet: Fleet
    stations: dict[str, Station] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.artifacts = {version: self.register(version) for version in (OLD, NEW)}

    def register(self, version: str, *, is_kept: bool = True) -> Artifact:
        signature = Signature(
            ArtifactClass.FIRMWARE, FAMILY, version, digest(FAMILY, version), 100, AT, "0" * 64, "AAAA"
        )
        artifact_store.add_artifact(self.fleet.conn, signature, added_by="keeper", now=AT)
        found = artifact_store.artifact_of_version(self.fleet.conn, "firmware", FAMILY, version)
        assert found is not None
        if is_kept:
            artifact_store.mark_stored(self.fleet.conn, found.sha256, now=AT)
        return found

    def add(self, name: str, kinds: dict[str, Kind], *, version: str = OLD, model: str = "DC-120") -> Station:
        plain = self.fleet.add(name, version=None)
        station = Station(plain.fake, plain.node_id, Nature.GOOD)
        for pile, kind in kinds.items():
            view = FirmwareTold("TELD", model, version, AT, is_connected=True, is_idle=kind is not Kind.BUSY)
            station.piles[pile] = Pile(kind, view)
        self.fleet.nodes[name] = self.stations[name] = station
        self.tell(station)
        return station

    @property
    def now(self) -> datetime:
        return self.fleet.now

    def tell(self, station: Station) -> None:
        """Its birth, and which piles are there."""
        for device, pile in station.piles.items():
            station.book = station.book.with_entry(firmware_job.seen(station.book.entry(device), pile.view))
        said = birth(
            *(Device(id=device, kind="charging_pile") for device in station.piles),
            firmware=station.book.running(),
            firmware_steps=station.book.steps(),
        )
        conn = self.fleet.conn
        fleet_service.apply_birth(conn, station.node_id, station.fake.envelope(said), now=self.now)
        births.take(conn, station.node_id, said, at=self.now)
        rows = conn.execute("select id, name from device where node_id = %s", [station.node_id]).fetchall()
        for device_id, name in rows:
            if name in station.piles:
                presence = Presence.LOST if station.piles[name].is_lost else Presence.ONLINE
                fleet_service.set_device_presence(conn, device_id, presence, since=self.now)

    def work(self, station: Station) -> None:
        """One minute of a node and its piles."""
        while station.inbox:
            order = station.inbox.pop(0)
            assert order.device is not None
            assert order.deadline is not None
            assert order.issued_at is not None
            assert order.deadline == order.issued_at + PATIENCE
            entry = station.book.entry(order.device)
            if entry.job is None or entry.job.order.desired_id != order.desired_id:
                job = firmware_job.begun(order, self.now, entry.job)
                station.book = station.book.with_entry(changed(entry, job=job, ordered_at=order.issued_at))
        for device, pile in station.piles.items():
            self._live(pile)
            entry = station.book.entry(device)
            if entry.job is None:
                continue
            job, deed = firmware_job.judged(entry.job, pile.view, self.now)
            if deed is Deed.FETCH:
                job = changed(job, is_fetched=True)
            elif deed is Deed.ASK:
                assert pile.view.is_idle
                job = changed(firmware_job.asked(job, "token", self.now), is_asked=True)
                pile.asked, pile.is_back, pile.minutes = job.order.version, job.order.roll_back, 0
            station.book = station.book.with_entry(changed(entry, job=job))
        self.tell(station)
        self.fleet.tell_health(station)

    def _live(self, pile: Pile) -> None:
        if pile.asked is None:
            return
        pile.minutes += 1
        kind = Kind.GOOD if pile.is_back else pile.kind
        match kind, pile.minutes:
            case Kind.NO_DOWNLOAD, 2:
                self._say(pile, "download_failed")
            case Kind.NO_INSTALLATION, 4:
                self._say(pile, "installation_failed")
            case Kind.LIES, 4:
                self._say(pile, "installed")
            case Kind.LIES, 5:
                self._start(pile, pile.view.version)
            case Kind.VANISHES, 2:
                self._away(pile)
            case Kind.SLOW, 2:
                self._away(pile)
            case (Kind.SLOW, 12) | (Kind.GOOD, 5) | (Kind.FALLS_BACK, 5):
                pile.is_lost, before = False, pile.view.version
                self._start(pile, pile.asked)
                pile.asked = before if kind is Kind.FALLS_BACK else None
            case Kind.FALLS_BACK, 7:
                self._start(pile, pile.asked)
                pile.asked = None

    def _say(self, pile: Pile, status: str) -> None:
        pile.view = replace(pile.view, status=status, status_at=self.now)

    def _start(self, pile: Pile, version: str) -> None:
        pile.view = replace(pile.view, version=version, booted_at=self.now, started_at=self.now, is_connected=True)

    def _away(self, pile: Pile) -> None:
        pile.view, pile.is_lost = replace(pile.view, is_connected=False), True

    # --- what people do

    def draft(self, version: str = NEW, *stages: Stage, at_once: int = 50, may_lower: bool = False) -> UUID:
        stages = stages or (all_of_them(100),)
        plan = Plan(stages=stages, patience=PATIENCE, at_once=at_once)
        draft = Draft("firmware", self.artifacts[version].id, None, plan, may_lower=may_lower)
        return service.create(self.fleet.conn, draft, actor=self.fleet.chief, now=self.now).id

    def start(self, version: str = NEW, *stages: Stage, at_once: int = 50, may_lower: bool = False) -> UUID:
        rollout = self.draft(version, *stages, at_once=at_once, may_lower=may_lower)
        self.fleet.act(rollout, RolloutAction.START)
        return rollout

    def states(self, rollout: UUID) -> dict[str, StepState]:
        return {step.label: step.state for step, _ in store.steps(self.fleet.conn, rollout)}

    def state(self, rollout: UUID) -> RolloutState:
        return self.fleet.rollout(rollout).state

    def round(self) -> None:
        self.fleet.sweep()
        self.fleet.send()
        for station in self.stations.values():
            self.work(station)
        self.fleet.now += MINUTE

    def come(self, station: Station, session: UUID) -> None:
        """Its link is there again; with another session it is another process, that is told before its birth."""
        station.is_present, station.fake.session = True, session
        online = NodeStatus(node=station.fake.name, session=session, state=PresenceState.ONLINE, at=self.now)
        fleet_service.apply_status(self.fleet.conn, station.node_id, online, now=self.now)
        self.tell(station)

    def minute_without_stations(self) -> None:
        """No station takes or says anything."""
        self.fleet.sweep()
        self.fleet.send()
        for station in self.stations.values():
            station.inbox.clear()
        self.fleet.now += MINUTE

    def settle(self, rollout: UUID, *states: RolloutState, rounds: int = 600) -> None:
        for _ in range(rounds):
            if self.state(rollout) in states:
                return
            self.round()
        raise AssertionError((self.state(rollout), self.states(rollout)))


@pytest.fixture
def site(fleet: Fleet) -> Site:
    return Site(fleet)


GOES_ON = (RolloutState.RUNNING, RolloutState.SOAKING, RolloutState.WAITING_APPROVAL)
ENDS = (RolloutState.DONE, RolloutState.ROLLED_BACK, RolloutState.FAILED)


def test_piles_of_a_node_go_by_stages(site: Site) -> None:
    site.add("station-1", {f"pile-{number}": Kind.GOOD for number in range(4)})
    stages = Stage(name="first", percent=25, soak=SOAK), all_of_them()
    rollout = site.start(NEW, *stages)
    assert sorted(step.stage for step, _ in store.steps(site.fleet.conn, rollout)) == [0, 1, 1, 1]
    site.round()
    assert len({each.device for each in site.stations["station-1"].was_told}) == 1, "one pile first"
    site.settle(rollout, RolloutState.DONE)
    assert set(site.states(rollout).values()) == {StepState.DONE}
    assert {pile.view.version for pile in site.stations["station-1"].piles.values()} == {NEW}


def test_only_piles_of_the_make_and_model_are_asked(site: Site) -> None:
    site.add("station-1", {"pile-1": Kind.GOOD})
    site.add("station-2", {"pile-2": Kind.GOOD}, model="DC-60")
    site.add("station-3", {})
    rollout = site.start()
    assert set(site.states(rollout)) == {"station-1/pile-1"}
    site.settle(rollout, RolloutState.DONE)
    assert not site.stations["station-2"].was_told


def test_what_runs_it_or_something_newer_is_left_alone(site: Site) -> None:
    site.add("station-1", {"pile-1": Kind.GOOD}, version=NEW)
    site.add("station-2", {"pile-1": Kind.GOOD}, version="V1.11")
    rollout = site.start()
    site.settle(rollout, RolloutState.DONE)
    assert set(site.states(rollout).values()) == {StepState.SKIPPED}


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        (Kind.NO_DOWNLOAD, "not_fetched"),
        (Kind.NO_INSTALLATION, "not_installed"),
        (Kind.LIES, "other_version"),
        (Kind.BUSY, "late"),
        (Kind.HANGS, "no_answer"),
        (Kind.VANISHES, "no_answer"),
        (Kind.FALLS_BACK, "other_version"),
    ],
)
def test_a_pile_that_is_not_well_with_it_turns_the_stage_back(site: Site, kind: Kind, after: str) -> None:
    site.add("station-1", {"pile-1": kind, "pile-2": Kind.GOOD})
    rollout = site.start(NEW, all_of_them())
    site.settle(rollout, *ENDS)
    [failed] = [step for step, _ in store.steps(site.fleet.conn, rollout) if step.device == "pile-1"]
    assert failed.failure == after
    assert site.states(rollout)["station-1/pile-2"] is StepState.REVERTED
    assert site.stations["station-1"].piles["pile-2"].view.version == OLD


def test_a_pile_that_is_away_while_it_installs_is_not_lost(site: Site) -> None:
    site.add("station-1", {"pile-1": Kind.SLOW})
    rollout = site.start(NEW, all_of_them())
    site.settle(rollout, *ENDS)
    assert site.state(rollout) is RolloutState.DONE
    assert site.states(rollout) == {"station-1/pile-1": StepState.DONE}


def test_a_pile_that_comes_back_after_a_week_is_known_to_run_it(site: Site) -> None:
    station = site.add("station-1", {"pile-1": Kind.VANISHES, "pile-2": Kind.GOOD})
    rollout = site.start()
    site.settle(rollout, RolloutState.DONE, RolloutState.WAITING_APPROVAL)
    assert site.states(rollout)["station-1/pile-1"] is StepState.TIMED_OUT
    site.fleet.now += timedelta(days=7)
    pile = station.piles["pile-1"]
    pile.view, pile.is_lost = (
        replace(pile.view, version=NEW, booted_at=site.now, started_at=site.now, is_connected=True),
        False,
    )
    for _ in range(10):
        site.round()
    assert site.states(rollout)["station-1/pile-1"] is StepState.DONE


def test_a_pile_that_is_away_is_asked_when_it_is_back(site: Site) -> None:
    station = site.add("station-1", {"pile-1": Kind.GOOD, "pile-2": Kind.GOOD})
    station.piles["pile-1"].is_lost = True
    site.fleet.now += MINUTE
    site.tell(station)
    rollout = site.start()
    site.settle(rollout, RolloutState.DONE)
    assert site.states(rollout) == {"station-1/pile-1": StepState.ABSENT, "station-1/pile-2": StepState.DONE}
    assert {each.device for each in station.was_told} == {"pile-2"}
    station.piles["pile-1"].is_lost = False
    for _ in range(15):
        site.round()
    assert site.states(rollout)["station-1/pile-1"] is StepState.DONE


def test_an_order_that_its_node_missed_is_given_anew_when_the_node_is_back(site: Site) -> None:
    station = site.add("station-1", {"pile-1": Kind.GOOD})
    rollout = site.start()
    site.fleet.sweep()
    site.fleet.send()
    [missed] = station.was_told
    site.fleet.go(station)
    for _ in range(25):
        site.minute_without_stations()
    assert site.states(rollout) == {"station-1/pile-1": StepState.ABSENT}
    site.come(station, new_id())
    site.settle(rollout, *ENDS)
    assert site.states(rollout) == {"station-1/pile-1": StepState.DONE}
    [_, told] = station.was_told
    assert told.desired_id != missed.desired_id
    assert told.issued_at is not None
    assert missed.issued_at is not None
    assert told.issued_at > missed.issued_at


def test_a_link_that_breaks_without_a_restart_costs_an_order_no_time(site: Site) -> None:
    station = site.add("station-1", {"pile-1": Kind.GOOD})
    rollout = site.start()
    site.fleet.sweep()
    site.fleet.send()
    session = station.fake.session
    site.fleet.go(station)
    for _ in range(25):
        site.minute_without_stations()
    site.come(station, session)
    site.settle(rollout, *ENDS)
    assert site.states(rollout) == {"station-1/pile-1": StepState.DONE}


@pytest.mark.parametrize("is_paused", [True, False])
@pytest.mark.parametrize("minutes", [19, 45])
def test_an_order_that_was_held_back_has_time_left_when_it_goes_out(
    site: Site, *, is_paused: bool, minutes: int
) -> None:
    station = site.add("station-1", {"pile-1": Kind.GOOD})
    rollout = site.start()
    site.fleet.sweep()
    if is_paused:
        site.fleet.act(rollout, RolloutAction.PAUSE)
    site.fleet.deaf_broker = not is_paused
    for _ in range(minutes):
        site.round()
    assert not station.was_told
    if is_paused:
        site.fleet.act(rollout, RolloutAction.RESUME)
    site.fleet.deaf_broker = False
    site.fleet.send()
    [told] = station.was_told
    assert told.deadline is not None
    assert told.deadline - site.now >= PATIENCE / 2
    site.settle(rollout, *ENDS)
    assert site.states(rollout) == {"station-1/pile-1": StepState.DONE}


def test_an_order_that_a_present_node_does_not_mention_stays_the_one_it_is(site: Site) -> None:
    station = site.add("station-1", {"pile-1": Kind.GOOD})
    rollout = site.start()
    for _ in range(25):
        site.minute_without_stations()
    assert len({each.desired_id for each in station.was_told}) == 1
    assert len(station.was_told) > 1
    assert site.states(rollout) == {"station-1/pile-1": StepState.TIMED_OUT}


def test_an_order_back_waits_for_a_node_that_is_away_for_longer_than_orders_last(site: Site) -> None:
    station = site.add("station-1", {"pile-1": Kind.GOOD})
    rollout = site.start(NEW, Stage(name="all", percent=100, soak=timedelta(hours=1)))
    for _ in range(10):
        site.round()
    assert station.piles["pile-1"].view.version == NEW
    site.fleet.go(station)
    site.fleet.act(rollout, RolloutAction.ROLL_BACK)
    for _ in range(45):
        site.minute_without_stations()
    assert site.states(rollout) == {"station-1/pile-1": StepState.REVERTING}
    site.come(station, new_id())
    for _ in range(15):
        site.round()
    assert site.states(rollout) == {"station-1/pile-1": StepState.REVERTED}
    assert station.piles["pile-1"].view.version == OLD


def test_an_order_back_that_ended_late_is_given_anew_until_the_pile_is_there(site: Site) -> None:
    station = site.add("station-1", {"pile-1": Kind.GOOD})
    rollout = site.start(NEW, Stage(name="all", percent=100, soak=timedelta(hours=1)))
    for _ in range(10):
        site.round()
    pile = station.piles["pile-1"]
    pile.view, pile.is_lost = replace(pile.view, is_connected=False), True
    site.fleet.act(rollout, RolloutAction.ROLL_BACK)
    site.settle(rollout, RolloutState.FAILED)
    for _ in range(90):
        site.round()
    assert site.states(rollout) == {"station-1/pile-1": StepState.STUCK}
    assert len(station.was_told) <= 8, "once in its time"
    pile.view, pile.is_lost = replace(pile.view, is_connected=True), False
    for _ in range(40):
        site.round()
    assert pile.view.version == OLD
    assert site.states(rollout) == {"station-1/pile-1": StepState.REVERTED}


def test_without_the_former_file_it_stops_and_says_so(site: Site) -> None:
    site.register("V1.8", is_kept=False)
    site.add("station-1", {"pile-1": Kind.GOOD}, version="V1.8")
    site.add("station-2", {"pile-1": Kind.NO_INSTALLATION}, version="V1.8")
    rollout = site.draft(NEW, all_of_them())
    assert service.preview(site.fleet.conn, site.fleet.rollout(rollout)).without_way_back == 2
    site.fleet.act(rollout, RolloutAction.START)
    site.settle(rollout, *ENDS)
    assert site.state(rollout) is RolloutState.FAILED
    assert set(site.states(rollout).values()) == {StepState.STUCK}
    assert ("no_way_back", 2, "station-1/pile-1") in store.failures(site.fleet.conn, rollout)


@pytest.mark.parametrize("action", [RolloutAction.CANCEL, RolloutAction.ROLL_BACK])
def test_an_order_that_waits_for_a_pile_to_be_idle_is_called_back(site: Site, action: RolloutAction) -> None:
    station = site.add("station-1", {"pile-1": Kind.BUSY})
    rollout = site.start()
    for _ in range(4):
        site.round()
    assert site.states(rollout) == {"station-1/pile-1": StepState.FETCHING}
    site.fleet.act(rollout, action)
    site.round()
    pile = station.piles["pile-1"]
    pile.view = replace(pile.view, is_idle=True)
    for _ in range(10):
        site.round()
    assert (pile.asked, pile.view.version) == (None, OLD)
    after = StepState.CANCELLED if action is RolloutAction.CANCEL else StepState.REVERTED
    assert site.states(rollout) == {"station-1/pile-1": after}
    pile.kind = Kind.GOOD
    site.settle(site.start(), RolloutState.DONE)
    assert pile.view.version == NEW


def test_two_rollouts_never_have_the_same_pile(site: Site) -> None:
    site.add("station-1", {"pile-1": Kind.GOOD})
    other = site.draft(OLD, may_lower=True)
    site.start()
    with pytest.raises(Conflict):
        site.fleet.act(other, RolloutAction.START)


def test_at_most_so_many_piles_are_at_it_at_once(site: Site) -> None:
    station = site.add("station-1", {f"pile-{number}": Kind.GOOD for number in range(5)})
    rollout = site.start(at_once=2)
    for _ in range(25):
        site.round()
        assert sum(pile.asked is not None for pile in station.piles.values()) <= 2
    site.settle(rollout, RolloutState.DONE)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.sampled_from(Kind), min_size=1, max_size=5),
    error_percent=st.sampled_from([0, 30, 100]),
    rolled_back_after=st.none() | st.integers(0, 30),
)
def test_whatever_piles_do_only_those_that_start_with_it_are_a_success(
    fleet_of_all: Fleet, kinds: list[Kind], error_percent: int, rolled_back_after: int | None
) -> None:
    with fresh(fleet_of_all) as fleet:
        site = Site(fleet)
        station = site.add("station-1", {f"pile-{number}": kind for number, kind in enumerate(kinds)})
        rollout = site.start(NEW, all_of_them(error_percent))
        for minute in range(120):
            if minute == rolled_back_after and site.state(rollout) in GOES_ON:
                fleet.act(rollout, RolloutAction.ROLL_BACK)
            elif site.state(rollout) in ENDS and minute > 40:
                break
            site.round()
            for step, _ in store.steps(fleet.conn, rollout):
                pile = station.piles[step.device]
                if step.state is StepState.DONE:
                    assert pile.kind in SOUND
                    assert pile.view.version == NEW
                if step.state is StepState.REVERTED:
                    assert pile.view.version == OLD
        assert site.state(rollout) in {*ENDS, RolloutState.WAITING_APPROVAL}
        for order in station.was_told:
            assert order.node == "station-1"
            assert order.device in station.piles
