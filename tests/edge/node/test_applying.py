"""Profiles on a node, from an order to the configuration that it goes on with; what is refused here is refused with a reason for people."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.configuration.reading import load
from edge.configuration.reload import Change, change
from edge.contract.birth import Birth
from edge.errors import ConfigurationError
from edge.node.applying import ProfileApplier, kinds_in_use, pin_shipped, versions_in_force
from edge.node.declaration import birth_of, provisioned
from edge.node.standing import Standing
from edge.node.starting import configuration_at_desk, configuration_at_start, give_up_trial
from edge.provisioning.desk import ProvisioningDesk
from edge.provisioning.in_force import Profiles
from edge.provisioning.in_force import Standing as Holds
from edge.provisioning.record import MOST_STARTS
from edge.provisioning.store import Store
from edge.settings import NodeConfiguration
from firmware_configs import shipped
from firmware_configs.signature import ArtifactClass
from tests.edge.provisioning.orders import AT, NODE, Artifact, HandOver, trusting
from tests.firmware_configs.keys import profile_bytes

FILE = f"""
node: {{id: {NODE}, district: "110105", data_directory: ./data, profile: node}}
cloud: {{mqtt: "mqtt://127.0.0.1:1", https: "http://127.0.0.1:1"}}
local_mqtt: {{url: "mqtt://127.0.0.1:1"}}
sensors:
  - {{id: meter-1, profile: power_meter, topic: m/1, points: [{{name: residual_ma}}, {{name: temperature_c}}, {{name: current_a}}]}}
"""
LIMIT = {"kind": "threshold", "id": "residual", "point": "residual_ma"}


def meter(version: str, above: float = 100, **more: Any) -> Artifact:
    return Artifact.profile("power_meter", version, rules=[{**LIMIT, "above": above}], **more)


class Site:
    """A node's file and data directory; the node itself goes on with what it is told to."""

    def __init__(self, folder: Path, *artifacts: Artifact) -> None:
        self.file = folder / "node.yaml"
        self.file.write_text(FILE)
        self.directory = folder / "data"
        self.store = trusting(self.directory)
        self.hand = HandOver(self.store, *artifacts)
        self.now_s = 0.0
        self.renewed: list[str] = []
        self.refuse: ConfigurationError | None = None
        self.begin_process()

    def begin_process(self) -> None:
        self.running = configuration_at_start(self.file, now=self.told())
        pin_shipped(self.store, kinds_in_use(self.running))
        self.standing = Standing(clock=self.told, on_change=lambda: None)
        applier = ProfileApplier(
            self.directory,
            self.file,
            configuration=lambda: self.running,
            adopt=self.adopt,
            renew=self.renewed.append,
            standing=self.standing,
        )
        self.desk = ProvisioningDesk(
            NODE,
            self.store,
            self.hand,  # type: ignore[arg-type]
            {ArtifactClass.PROFILE: applier},
            cloud_keys=lambda: (),
            told=self.told,
            on_change=lambda: None,
            monotonic_s=lambda: self.now_s,
        )

    def adopt(self, configuration: NodeConfiguration) -> Change:
        if self.refuse is not None:
            raise self.refuse
        found = change(self.running, configuration)
        self.running = configuration
        return found

    def told(self) -> datetime:
        return AT + timedelta(seconds=self.now_s)

    def order(self, artifact: Artifact, number: int = 1, **changes: Any) -> tuple[str, str | None, str]:
        self.desk.receive(artifact.order(number, **changes))
        while self.desk.follow_next():
            pass
        self.desk.turn()
        return self.step(artifact.signature.name)

    def step(self, name: str = "power_meter") -> tuple[str, str | None, str]:
        step = self.desk.record.entry(ArtifactClass.PROFILE, name).step
        assert step is not None
        return step.state, step.code, step.reason or ""

    def pass_by(self, seconds: float = 61) -> None:
        self.now_s += seconds
        self.desk.turn()

    @property
    def limit(self) -> object:
        return self.running.sensors[0].rules[0].model_dump()["above"]

    def birth(self) -> Birth:
        versions = versions_in_force(self.directory, self.running)
        return provisioned(birth_of(self.running, (), ()), self.running, versions, self.desk.record)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    return Site(tmp_path, meter("2.0.0"), meter("2.1.0", 200))  # type: ignore[return-value]


def test_a_node_begins_with_what_came_with_the_software_and_says_so(site: Site) -> None:
    assert site.limit == 300
    birth = site.birth()
    assert birth.profile == "node/1.0.0"
    assert {device.id: device.profile for device in birth.devices}["meter-1"] == "power_meter/1.0.0"
    assert {(each.name, each.version) for each in birth.artifacts} == {("node", "1.0.0"), ("power_meter", "1.0.0")}


def test_an_ordered_profile_holds_at_once_and_is_announced_once_it_is_well(site: Site) -> None:
    assert site.order(meter("2.0.0"))[0] == "trying"
    assert site.limit == 100
    announced = {each.name: each.version for each in site.birth().artifacts}
    assert announced["power_meter"] == "1.0.0"
    site.pass_by()
    assert {each.name: each.version for each in site.birth().artifacts}["power_meter"] == "2.0.0"
    assert [(step.state, step.name) for step in site.birth().steps] == [("applied", "power_meter")]


def test_a_device_that_is_lost_with_it_brings_the_one_before_back(site: Site) -> None:
    site.order(meter("2.0.0"))
    site.standing.degrade("meter-1", "silent", "nothing came for a minute")
    site.pass_by()
    assert site.step() == ("rolled_back", "unhealthy", "meter-1: silent")
    assert site.limit == 300


def test_what_others_suffer_is_not_held_against_it(site: Site) -> None:
    site.order(meter("2.0.0"))
    site.standing.degrade("clock", "skew", "30 s")
    site.pass_by()
    assert site.step()[0] == "applied"


REFUSED = {
    "software that is too old": (Artifact(profile_bytes("power_meter", "2.0.0", minimum_software="99.0.0"), "power_meter", "2.0.0"), "software_too_old"),
    "a kind that nothing here is": (Artifact.profile("water_sensor", "2.0.0"), "other_kind"),
    "a kind that nobody knows": (Artifact.profile("toaster", "2.0.0"), "unsupported"),
    "content of another kind": (Artifact(profile_bytes("water_sensor", "2.0.0"), "power_meter", "2.0.0"), "other_kind"),
    "content of another version": (Artifact(profile_bytes("power_meter", "2.0.1"), "power_meter", "2.0.0"), "other_kind"),
    "what an entry alone may say": (Artifact.profile("power_meter", "2.0.0", topic="m/2"), "not_valid"),
    "settings that are none": (Artifact.profile("power_meter", "2.0.0", colour="red"), "not_valid"),
    "a rule on a point that is not there": (Artifact.profile("power_meter", "2.0.0", rules=[{**LIMIT, "point": "warmth", "above": 1}]), "not_valid"),
    "a limit that clears beyond itself": (Artifact.profile("power_meter", "2.0.0", rules=[{**LIMIT, "above": 1, "clear": 2}]), "not_valid"),
    "what is no profile at all": (Artifact(b"\x00", "power_meter", "2.0.0"), "not_valid"),
    "a lower version than came with the software": (meter("0.9.0"), "downgrade"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_be_taken_in_is_refused_and_touches_nothing(tmp_path: Path, what: str) -> None:
    artifact, code = REFUSED[what]
    site = Site(tmp_path, artifact)
    before = site.running
    state, told, reason = site.order(artifact)
    assert (state, told) == ("refused", code), reason
    assert reason
    assert (site.running, site.desk.record.trial) == (before, None)


def test_what_the_node_can_not_go_on_with_leaves_it_as_it_was(site: Site) -> None:
    site.refuse = ConfigurationError("all devices together take too much")
    assert site.order(meter("2.0.0"))[:2] == ("failed", "not_valid")
    site.refuse = None
    assert site.limit == 300


def test_what_needs_a_new_start_gets_one_and_is_judged_by_the_next_process(tmp_path: Path) -> None:
    larger = Artifact.profile("node", "2.0.0", outbox={"quota_mib": 900})
    site = Site(tmp_path, larger)
    assert site.order(larger)[0] == "trying"
    assert len(site.renewed) == 1
    site.begin_process()
    assert site.running.outbox.quota_mib == 900
    site.pass_by()
    assert site.step("node")[0] == "applied"


def test_a_trial_that_ends_every_process_ends_itself(site: Site) -> None:
    site.order(meter("2.0.0"))
    for _ in range(MOST_STARTS - 1):
        site.begin_process()
        assert site.limit == 100
    site.begin_process()
    assert (site.limit, site.step()[:2]) == (300, ("rolled_back", "crashed"))


def test_a_file_that_does_not_fit_what_is_tried_brings_the_one_before_back(tmp_path: Path) -> None:
    wants_more = Artifact.profile("power_meter", "2.0.0", rules=[{**LIMIT, "point": "voltage_v", "above": 250}])
    site = Site(tmp_path, wants_more)
    site.file.write_text(FILE.replace("{name: current_a}", "{name: current_a}, {name: voltage_v}"))
    site.begin_process()
    assert site.order(wants_more)[0] == "trying"
    site.file.write_text(FILE)
    assert configuration_at_desk(site.file).sensors[0].profile == "power_meter"
    site.begin_process()
    assert (site.limit, site.step()[:2]) == (300, ("rolled_back", "crashed"))
    assert "voltage_v" in site.step()[2]


def test_a_file_that_is_wrong_by_itself_is_told_as_it_is(site: Site) -> None:
    site.file.write_text(FILE.replace("{name: residual_ma}", "{name: other}"))
    with pytest.raises(ConfigurationError, match="from the profile power_meter"):
        configuration_at_start(site.file, now=site.told())
    assert not give_up_trial(site.store, "there is none", now=site.told())


def test_a_profile_that_was_changed_on_the_disk_is_passed_over(site: Site) -> None:
    site.order(meter("2.0.0"))
    site.pass_by()
    site.order(meter("2.1.0", 200), 2)
    site.pass_by()
    assert site.limit == 200
    site.store.path(meter("2.1.0", 200).signature.sha256).write_bytes(b"changed")
    in_force = Profiles(site.directory).of("power_meter")
    assert in_force is not None
    assert (in_force.standing, str(in_force.signed.profile.version)) == (Holds.PREVIOUS, "2.0.0")
    assert "2.1.0" in in_force.passed_over[0]
    site.begin_process()  # what is announced is what runs
    assert {each.name: each.version for each in site.birth().artifacts}["power_meter"] == "2.0.0"
    site.store.path(meter("2.0.0").signature.sha256).unlink()
    in_force = Profiles(site.directory).of("power_meter")
    assert in_force is not None
    assert in_force.standing is Holds.SHIPPED
    site.begin_process()
    assert {each.name: each.version for each in site.birth().artifacts}["power_meter"] == "1.0.0"
    assert load(site.file).sensors[0].rules[0].model_dump()["above"] == 300


def test_a_newer_software_changes_no_device_by_itself(site: Site, tmp_path: Path) -> None:
    newer = tmp_path / "shipped" / "power_meter"
    newer.mkdir(parents=True)
    (newer / "1.1.0.yaml").write_bytes(meter("1.1.0", 1).content)
    (newer / "1.1.0.sig").write_bytes(meter("1.1.0", 1).signature.content())
    held = Profiles(site.directory, shipped_folder=newer.parent).of("power_meter")
    assert held is not None
    assert str(held.signed.profile.version) == "1.0.0"
    fresh = Profiles(trusting(tmp_path / "fresh").folder.parent, shipped_folder=newer.parent).of("power_meter")
    assert fresh is not None
    assert str(fresh.signed.profile.version) == "1.1.0"


def test_a_check_at_a_desk_leaves_no_trace(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(FILE)
    assert configuration_at_desk(file).sensors[0].profile == "power_meter"
    assert list(tmp_path.iterdir()) == [file]


def test_every_shipped_kind_can_be_pinned(tmp_path: Path) -> None:
    store = Store(tmp_path)
    pin_shipped(store, frozenset(shipped.kinds()))
    assert {each.name for each in store.record().running()} == set(shipped.kinds())
