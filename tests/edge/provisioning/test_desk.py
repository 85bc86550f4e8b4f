"""Orders against the desk: what is refused touches nothing, what is tried is confirmed or given up, and a process that ends anywhere goes on."""

import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from edge.contract.artifacts import ARTIFACTS_TOLD, StepCode, StepReport, StepState
from edge.contract.downlink import DesiredProfile
from edge.contract.signing import public_bytes
from edge.errors import ConfigurationError, StepRefused, UplinkLost
from edge.node.starting import note_start
from edge.provisioning.desk import FETCH_PATIENCE_S, MOST_WAITING, ProvisioningDesk
from edge.provisioning.record import MOST_STARTS, Entry, Held, Record
from edge.provisioning.store import Store
from firmware_configs.signature import LARGEST_BYTES, ArtifactClass
from firmware_configs.signing import SigningKey
from tests.edge.provisioning.orders import AT, NODE, Artifact, HandOver, Steps, trusting

PROFILE = ArtifactClass.PROFILE
ONE, TWO, THREE = (Artifact.profile(version=version) for version in ("1.0.0", "1.1.0", "2.0.0"))


class Rig:
    """One node's desk, with a clock that the test moves."""

    def __init__(self, directory: Path, *artifacts: Artifact, cloud_keys: tuple[bytes, ...] = ()) -> None:
        self.directory = directory
        self.store = trusting(directory)
        self.steps = Steps()
        self.hand = HandOver(self.store, *(artifacts or (ONE, TWO, THREE)))
        self.now_s = 0.0
        self.changes = 0
        self.on_wait: Callable[[], object] = lambda: None
        self.on_change: Callable[[], object] = lambda: None
        self._cloud_keys = cloud_keys
        self.begin_process()

    def begin_process(self) -> None:
        """As after a crash: from what is on the disk."""
        note_start(self.store, now=self.told())
        self.desk = ProvisioningDesk(
            NODE,
            self.store,
            self.hand,  # type: ignore[arg-type]
            {PROFILE: self.steps},
            cloud_keys=lambda: self._cloud_keys,
            told=self.told,
            on_change=self.changed,
            monotonic_s=lambda: self.now_s,
            wait=self.wait,
        )

    def wait(self, seconds: float) -> bool:
        self.now_s += seconds
        self.on_wait()
        return False

    def told(self) -> datetime:
        return AT + timedelta(seconds=self.now_s)

    def changed(self) -> None:
        self.changes += 1
        self.on_change()

    def order(self, desired: DesiredProfile) -> StepReport | None:
        self.desk.receive(desired)
        while self.desk.follow_next():
            pass
        self.desk.turn()
        return self.step

    def pass_by(self, seconds: float) -> None:
        self.now_s += seconds
        self.desk.turn()

    @property
    def step(self) -> StepReport | None:
        return self.desk.record.entry(PROFILE, "power_meter").step

    @property
    def runs(self) -> str | None:
        current = self.desk.record.entry(PROFILE, "power_meter").current
        return None if current is None else current.version


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def told(step: StepReport | None) -> tuple[str, str | None]:
    assert step is not None
    return step.state, step.code


def test_what_is_ordered_is_tried_and_confirmed_once_it_was_well_for_long_enough(rig: Rig) -> None:
    assert told(rig.order(ONE.order())) == ("trying", None)
    assert (rig.runs, rig.desk.record.running()) == (None, ())  # a trial is not announced
    rig.pass_by(59)
    assert told(rig.step) == ("trying", None)
    rig.pass_by(1)
    assert told(rig.step) == ("applied", None)
    assert rig.runs == "1.0.0"
    assert [each.sha256 for each in rig.desk.record.running()] == [ONE.signature.sha256]
    assert rig.steps.asked == ["begin 1.0.0", "confirm 1.0.0"]


def test_what_is_not_well_is_rolled_back_by_itself(rig: Rig) -> None:
    rig.order(ONE.order(1))
    rig.pass_by(60)
    rig.steps.unwell = {("meter-9", "silent")}  # was not well before
    rig.order(TWO.order(2))
    rig.steps.unwell |= {("meter-1", "silent")}
    rig.pass_by(60)
    assert told(rig.step) == ("rolled_back", "unhealthy")
    assert rig.step is not None
    assert rig.step.reason == "meter-1: silent"
    assert (rig.runs, rig.steps.asked[-1]) == ("1.0.0", "go back")


def test_what_was_not_well_before_is_not_held_against_it(rig: Rig) -> None:
    rig.steps.unwell = {("meter-9", "silent")}
    rig.order(ONE.order())
    rig.pass_by(60)
    assert told(rig.step) == ("applied", None)


OTHER_KEY = SigningKey.make()


def test_what_may_take_longer_to_become_well_is_waited_for(rig: Rig) -> None:
    rig.steps.patience_s = 30.0
    rig.order(ONE.order(1))
    rig.steps.unwell = {("uplink", "not_connected")}
    rig.pass_by(80)
    assert told(rig.step) == ("trying", None)
    rig.steps.unwell = set()
    rig.pass_by(1)
    assert told(rig.step) == ("applied", None)
    rig.order(TWO.order(2))
    rig.steps.unwell = {("uplink", "not_connected")}
    rig.pass_by(90)
    assert told(rig.step) == ("rolled_back", "unhealthy")


REFUSALS: dict[str, tuple[DesiredProfile, StepCode]] = {
    "a bad signature": (replace(ONE.order(), sig=TWO.signature.sig), StepCode.BAD_SIGNATURE),
    "a signature that is none": (replace(ONE.order(), sig="?"), StepCode.BAD_SIGNATURE),
    "nobody who vouches": (replace(ONE.order(), key=None), StepCode.BAD_SIGNATURE),
    "an unknown key": (Artifact(ONE.content, key=OTHER_KEY).order(), StepCode.UNKNOWN_KEY),
    "another kind than was signed": (replace(ONE.order(), profile="water_sensor"), StepCode.BAD_SIGNATURE),
    "another class than was signed": (replace(ONE.order(), artifact="model"), StepCode.UNSUPPORTED),
    "another hash than was signed": (replace(ONE.order(), sha256="0" * 64), StepCode.BAD_SIGNATURE),
    "another version than was signed": (replace(ONE.order(), version="9.0.0"), StepCode.BAD_SIGNATURE),
    "a version that is none": (replace(ONE.order(), version="new"), StepCode.BAD_SIGNATURE),
    "more bytes than were signed": (replace(ONE.order(), size_bytes=10**9), StepCode.BAD_SIGNATURE),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_is_not_vouched_for_is_refused_before_a_byte_is_fetched(rig: Rig, what: str) -> None:
    desired, code = REFUSALS[what]
    rig.order(desired)
    steps = rig.desk.record.steps()
    if code is StepCode.UNSUPPORTED:
        assert [each.code for each in steps] == [code]
    else:
        assert [(each.state, each.code) for each in steps] == [("refused", code)]
    assert (rig.hand.fetched, rig.steps.asked) == ([], [])


def test_a_class_that_this_version_does_not_know_is_counted_alone(rig: Rig) -> None:
    rig.order(replace(ONE.order(), artifact="microcode"))
    assert rig.desk.ignored == {"unsupported": 1}
    assert rig.desk.record.steps() == ()


def test_what_is_larger_than_its_class_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LARGEST_BYTES, PROFILE, 10)
    assert told(rig.order(ONE.order())) == ("refused", "too_large")


def test_a_lower_version_acts_as_the_ordered_way_back_alone(rig: Rig) -> None:
    rig.order(TWO.order(1))
    rig.pass_by(60)
    assert told(rig.order(ONE.order(2))) == ("refused", "downgrade")
    assert rig.runs == "1.1.0"
    rig.order(ONE.order(3, roll_back=True))
    rig.pass_by(60)
    assert (told(rig.step), rig.runs) == (("applied", None), "1.0.0")


def test_what_came_with_the_software_is_no_lower_either(rig: Rig) -> None:
    rig.steps.runs = ("1.5.0", None)
    assert told(rig.order(ONE.order())) == ("refused", "downgrade")


def test_a_version_is_signed_once(rig: Rig, tmp_path: Path) -> None:
    again = Artifact.profile(version="1.0.0", period_s=7)
    rig = Rig(tmp_path / "other", ONE, again)
    rig.order(ONE.order(1))
    rig.pass_by(60)
    assert told(rig.order(again.order(2))) == ("refused", "wrong_hash")


def test_an_order_of_somebody_else_is_refused_once_the_cloud_is_known(tmp_path: Path) -> None:
    cloud, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    rig = Rig(tmp_path, cloud_keys=(public_bytes(cloud),))
    for desired in (
        ONE.order(1),
        ONE.order(2, other),
        replace(ONE.order(3, cloud), roll_back=True),
        replace(ONE.order(4, cloud), node="station-02"),
    ):
        rig.order(desired)
    assert rig.desk.ignored == {"other_node": 1}
    assert told(rig.step) == ("refused", "bad_signature")
    assert told(rig.order(ONE.order(5, cloud))) == ("trying", None)


def test_an_order_that_is_older_than_the_last_one_changes_nothing(rig: Rig) -> None:
    rig.order(TWO.order(5))
    rig.pass_by(60)
    rig.order(ONE.order(4, roll_back=True))
    assert (rig.runs, rig.desk.ignored["superseded"]) == ("1.1.0", 1)


def test_an_order_that_comes_again_is_answered_again_and_not_followed(rig: Rig) -> None:
    rig.steps.refuses = StepRefused(StepCode.NOT_VALID, "sensors[0]: no")
    assert told(rig.order(ONE.order())) == ("refused", "not_valid")
    changes = rig.changes
    rig.steps.refuses = None
    assert told(rig.order(ONE.order())) == ("refused", "not_valid")
    assert (rig.changes, rig.hand.fetched) == (changes + 1, ["1.0.0"])
    assert told(rig.order(ONE.order(2))) == ("trying", None)


def test_what_runs_already_needs_no_trial(rig: Rig) -> None:
    rig.order(ONE.order(1))
    rig.pass_by(60)
    assert told(rig.order(ONE.order(2))) == ("applied", None)
    assert rig.steps.asked.count("begin 1.0.0") == 1


def test_what_can_not_be_fetched_is_tried_again_for_a_while_and_then_told(rig: Rig) -> None:
    rig.hand.raises = [UplinkLost("the cloud answers 503")] * 3
    assert told(rig.order(ONE.order(1))) == ("trying", None)
    rig.pass_by(60)
    rig.hand.raises = [UplinkLost("the cloud answers 404")] * 1000
    began_s = rig.now_s
    assert told(rig.order(TWO.order(2))) == ("failed", "not_fetched")
    assert FETCH_PATIENCE_S <= rig.now_s - began_s < FETCH_PATIENCE_S + 61
    assert len(rig.hand.fetched) < 30


def test_a_newer_order_is_not_kept_waiting_by_one_that_can_not_be_fetched(rig: Rig) -> None:
    rig.hand.raises = [UplinkLost("the cloud answers 404")]
    rig.on_wait = lambda: rig.desk.receive(TWO.order(2))
    rig.hand.raises *= 2
    rig.order(ONE.order(1))
    assert rig.hand.fetched == ["1.0.0", "1.0.0", "1.1.0"]
    assert told(rig.step) == ("trying", None)


def test_what_can_not_be_taken_in_leaves_what_ran(rig: Rig) -> None:
    def refuse() -> None:
        raise ConfigurationError("node.yaml:3: local_mqtt: can't be changed")

    rig.steps.on_begin = refuse
    assert told(rig.order(ONE.order())) == ("failed", "not_valid")
    assert rig.desk.record.trial is None
    assert rig.steps.asked == ["begin 1.0.0", "go back"]


def test_orders_wait_while_one_is_tried_and_of_a_name_the_newest_counts(rig: Rig) -> None:
    rig.order(ONE.order(1))
    rig.order(TWO.order(2))
    rig.order(THREE.order(3))
    assert rig.hand.fetched == ["1.0.0"]
    rig.pass_by(60)
    assert rig.desk.follow_next()
    assert rig.hand.fetched == ["1.0.0", "2.0.0"]


def test_of_orders_for_ever_new_names_no_more_wait_than_may(rig: Rig) -> None:
    for number in range(MOST_WAITING + 50):
        rig.desk.receive(Artifact.profile(f"kind-{number}").order(number))
    assert rig.desk.ignored == {"too_many": 50}


def test_of_refused_orders_for_ever_new_names_no_more_is_kept_than_may(rig: Rig) -> None:
    rig.order(ONE.order(1))
    rig.pass_by(60)
    for number in range(2, 100):
        rig.order(replace(Artifact.profile(f"kind-{number}").order(number), sig="?"))
    assert len(rig.desk.record.entries) == ARTIFACTS_TOLD
    assert rig.runs == "1.0.0"


def test_a_node_that_holds_as_much_as_it_may_takes_nothing_more(rig: Rig) -> None:
    held = Held("1.0.0", "0" * 64)
    record = Record(
        entries=tuple(Entry(artifact=PROFILE, name=f"kind-{number}", current=held) for number in range(ARTIFACTS_TOLD))
    )
    rig.store.save(record)
    rig.begin_process()
    rig.order(ONE.order(1))
    assert rig.desk.ignored == {"too_many": 1}
    assert rig.desk.record == record


def test_a_process_that_begins_in_a_trial_goes_on_with_it(rig: Rig) -> None:
    rig.order(ONE.order())
    rig.begin_process()
    assert rig.desk.record.trial is not None
    rig.pass_by(59)
    assert rig.runs is None
    rig.pass_by(1)
    assert told(rig.step) == ("applied", None)
    assert rig.desk.record.running()[0].version == "1.0.0"


def test_a_trial_that_ends_every_process_is_given_up(rig: Rig) -> None:
    rig.order(ONE.order(1))
    rig.pass_by(60)
    rig.order(TWO.order(2))
    for _ in range(MOST_STARTS):
        assert rig.desk.record.trial is not None
        rig.begin_process()
    assert rig.desk.record.trial is None
    assert (told(rig.step), rig.runs) == (("rolled_back", "crashed"), "1.0.0")


def test_a_fetch_that_a_process_died_over_is_begun_anew_when_the_order_comes_again(rig: Rig) -> None:
    rig.hand.raises = [KeyboardInterrupt()]  # type: ignore[list-item]
    rig.desk.receive(ONE.order())
    with pytest.raises(KeyboardInterrupt):
        rig.desk.follow_next()
    rig.begin_process()
    assert told(rig.step) == ("fetching", None)
    assert told(rig.order(ONE.order())) == ("trying", None)


class Killed(BaseException):
    """The process ends in the middle of something."""


def order_until_it_is_answered(rig: Rig, desired: DesiredProfile) -> int:
    """The cloud sends an order anew to each process that does not answer it; how many were killed by it."""
    for killed in range(20):
        try:
            rig.order(desired)
        except Killed:
            rig.begin_process()
        else:
            return killed
    raise AssertionError("the node is ended by it for ever")


@pytest.mark.parametrize("desired", [ONE.order(), replace(ONE.order(), desired_id=None)])
def test_what_ends_every_process_that_looks_at_it_is_refused(rig: Rig, desired: DesiredProfile) -> None:
    rig.steps.on_inspect = killed
    assert order_until_it_is_answered(rig, desired) == MOST_STARTS
    assert told(rig.step) == ("refused", "crashed")
    assert order_until_it_is_answered(rig, desired) == 0  # nor in the next session
    assert told(rig.step) == ("refused", "crashed")
    rig.steps.on_inspect = lambda: None
    assert told(rig.order(TWO.order(2))) == ("trying", None)


def test_a_new_order_for_what_ended_processes_is_looked_at_anew(rig: Rig) -> None:
    rig.steps.on_inspect = killed
    order_until_it_is_answered(rig, ONE.order())
    rig.steps.on_inspect = lambda: None
    assert told(rig.order(ONE.order(2))) == ("trying", None)
    assert rig.desk.record.entry(PROFILE, "power_meter").look is None


def test_what_is_refused_for_its_content_did_not_end_a_process(rig: Rig) -> None:
    rig.steps.refuses = StepRefused(StepCode.NOT_VALID, "sensors[0]: no")
    for _ in range(MOST_STARTS + 2):
        assert told(rig.order(replace(ONE.order(), desired_id=None))) == ("refused", "not_valid")


def test_what_can_not_be_counted_is_not_looked_at(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Store, _record: object) -> None:
        raise OSError(28, "No space left on device")

    rig.steps.on_inspect = killed
    monkeypatch.setattr(Store, "save", full)
    assert told(rig.order(ONE.order())) == ("refused", "no_room")


def killed() -> None:
    raise Killed


def test_what_is_fetched_as_soon_as_a_trial_is_confirmed_stays(rig: Rig) -> None:
    rig.order(ONE.order(1))
    rig.desk.receive(TWO.order(2))
    rig.on_change = rig.desk.follow_next  # the thread is at once on its way
    rig.pass_by(60)
    rig.on_change = lambda: None
    assert rig.hand.fetched == ["1.0.0", "1.1.0"]
    assert rig.store.has(TWO.signature.sha256)


def test_a_disk_that_takes_nothing_leaves_what_ran(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.order(ONE.order(1))
    rig.pass_by(60)
    rig.desk.receive(TWO.order(2))
    rig.desk.follow_next()

    def full(_self: Store, _record: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "save", full)
    rig.desk.turn()
    assert told(rig.step) == ("failed", "no_room")
    assert (rig.desk.record.trial, rig.runs) == (None, "1.0.0")


def test_a_record_that_can_not_be_read_stops_nothing(rig: Rig) -> None:
    rig.order(ONE.order())
    (rig.store.folder / "record.json").write_bytes(b"{")
    rig.begin_process()
    assert rig.desk.record.entries == ()


def test_what_nothing_refers_to_any_more_is_swept(rig: Rig) -> None:
    for number, artifact in enumerate((ONE, TWO, THREE), 1):
        rig.order(artifact.order(number))
        rig.pass_by(60)
    names = {file.name.partition(".")[0] for file in rig.store.folder.iterdir()} - {"record"}
    assert names == {TWO.signature.sha256, THREE.signature.sha256}  # what runs, and the way back


VERSIONS = {each.signature.version: each for each in (ONE, TWO, THREE)}


class Orders(RuleBasedStateMachine):
    """Any orders, in any order, troubles and crashes: what runs is always whole, verified and was well once."""

    @initialize(directory=st.uuids())
    def begin(self, directory: Any) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.rig = Rig(Path(self.folder.name) / str(directory))
        self.number = 0
        self.well: set[str] = set()
        self.asked: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(version=st.sampled_from(sorted(VERSIONS)), roll_back=st.booleans(), late=st.booleans())
    def order(self, version: str, *, roll_back: bool, late: bool) -> None:
        self.number += 1
        number = max(1, self.number - 3) if late else self.number
        self.rig.order(replace(VERSIONS[version].order(number), roll_back=roll_back))

    @rule()
    def bad_order(self) -> None:
        self.number += 1
        self.rig.order(replace(TWO.order(self.number), sha256="0" * 64))

    @rule(seconds=st.sampled_from([1.0, 30.0, 60.0]), unwell=st.booleans())
    def time_goes_by(self, seconds: float, *, unwell: bool) -> None:
        trial = self.rig.desk.record.trial
        self.rig.steps.unwell = {("meter-1", "silent")} if unwell else set()
        was_unwell = trial is not None and trial.trial is not None and ("meter-1", "silent") in trial.trial.troubles
        before = self.rig.runs
        self.rig.pass_by(seconds)
        if self.rig.runs != before and unwell:
            assert was_unwell

    @rule()
    def crash(self) -> None:
        self.rig.begin_process()

    @rule(version=st.sampled_from(sorted(VERSIONS)))
    def order_that_ends_who_looks(self, version: str) -> None:
        self.number += 1
        desired = VERSIONS[version].order(self.number)
        self.rig.steps.on_inspect = killed
        assert order_until_it_is_answered(self.rig, desired) <= MOST_STARTS
        self.rig.steps.on_inspect = lambda: None

    @precondition(lambda self: self.rig.desk.record.trial is not None)
    @rule()
    def crash_for_ever(self) -> None:
        for _ in range(MOST_STARTS):
            self.rig.begin_process()
        assert self.rig.desk.record.trial is None

    @invariant()
    def what_runs_is_whole_and_verified(self) -> None:
        if not hasattr(self, "rig"):
            return
        record, keyring = self.rig.store.record(), self.rig.store.keyring()
        entry = record.entry(PROFILE, "power_meter")
        for held in entry.holds:
            assert self.rig.store.profile(held, "power_meter", keyring).signature.sha256 == held.sha256
        assert sum(each.trial is not None for each in record.entries) <= 1
        running = [each.version for each in record.running()]
        assert running == ([] if entry.current is None else [entry.current.version])
        if entry.trial is not None:
            assert entry.step is not None
            assert entry.step.state == StepState.TRYING
            assert entry.trial.held == Held(entry.step.version, entry.step.sha256)


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
