"""Models that the cloud gives, with a real network: tried before it is taken in, opened for its cameras, and gone back from."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge.contract.artifacts import StepCode, StepReport
from edge.errors import ConfigurationError, StepRefused
from edge.node.models import NOT_TAKEN_IN, UNPACKED, ModelApplier, unpacked
from edge.node.shelf import REASON, ModelShelf
from edge.node.standing import Standing
from edge.node.starting import note_start
from edge.provisioning.record import MOST_STARTS, Entry, Held, Record, Trial
from edge.provisioning.store import Store
from firmware_configs.signature import ArtifactClass
from models import catalogue, imported
from models.manifest import Imported, Manifest
from tests.edge.provisioning.orders import AT, Artifact, trusting
from tests.edge.waiting import wait_until
from tests.fakes import graphs
from tests.fakes.graphs import write_graph

IMPORTED = Imported("fire.onnx", datetime(2026, 3, 1, tzinfo=UTC))


def model(
    folder: Path, version: str, *, weights: bytes | None = None, extra: str | None = None, **changes: Any
) -> Artifact:
    """A tiny network with its manifest, signed; with other `weights` than its manifest says where a test wants that."""
    file = write_graph(folder / f"{version}.onnx", graphs.yolov8((graphs.PERSON,)))
    content = file.read_bytes()
    told: Manifest = replace(
        graphs.manifest("yolov8"),
        id="fire",
        version=version,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        source=IMPORTED,
        mirror="models/fire.onnx",
        **changes,
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("manifest.yaml", imported.text(told))
        archive.writestr("model.onnx", content if weights is None else weights)
        if extra is not None:
            archive.writestr(extra, b"x")
    return Artifact(packed.getvalue(), "fire", version, ArtifactClass.MODEL)


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = trusting(folder / "data")
        self.standing = Standing(clock=lambda: AT, on_change=lambda: None)
        self.shelf = ModelShelf(["fire"], self.standing)
        self.applier = self.process()

    def take(self, artifact: Artifact) -> Held:
        self.store.put(artifact.signature, artifact.content)
        self.applier.inspect(artifact.signature)
        return Held(artifact.signature.version, artifact.signature.sha256)

    def process(self) -> ModelApplier:
        """As it is made at a start."""
        return ModelApplier(self.store, shelf=self.shelf, standing=self.standing)

    def entry(self, current: Held | None, trial: Held) -> Entry:
        return Entry(artifact=ArtifactClass.MODEL, name="fire", current=current, trial=Trial(trial, AT))

    def opened(self, version: str) -> bool:
        detector = self.shelf.detector("fire")
        return detector is not None and detector.manifest.version == version


def step_of(held: Held) -> StepReport:
    return StepReport(artifact="model", name="fire", version=held.version, sha256=held.sha256, state="trying", at=AT)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setenv("GRIDWARD_MODELS", str(tmp_path / "models"))
    made = Rig(tmp_path)
    made.shelf.start()
    yield made
    made.shelf.stop()


def test_a_model_is_taken_in_opened_and_gone_back_from(rig: Rig) -> None:
    one = rig.take(model(rig.folder, "1.0.0"))
    entry = rig.entry(None, one)
    rig.applier.begin(entry, Trial(one, AT))
    wait_until(lambda: rig.opened("1.0.0"), "the first")
    two = rig.take(model(rig.folder, "2.0.0"))
    rig.applier.begin(rig.entry(one, two), Trial(two, AT))
    wait_until(lambda: rig.opened("2.0.0"), "the second")
    assert rig.applier.troubles("fire") == frozenset()
    rig.applier.go_back(rig.entry(one, two), "")
    wait_until(lambda: rig.opened("1.0.0"), "the first again")
    rig.applier.go_back(rig.entry(None, one), "")
    assert "fire" not in imported.entries().sound


def brought_by_hand(rig: Rig, version: str, name: str = "by-hand") -> None:
    """As `gridward-edge models import` leaves it."""
    folder = rig.folder / name
    folder.mkdir()
    artifact = model(folder, version)
    file = folder / "model.zip"
    file.write_bytes(artifact.content)
    imported.keep(*unpacked(file, folder, artifact.signature))


def in_catalogue() -> str | None:
    """The version of the model that cameras get, whole."""
    found = imported.entries().sound.get("fire")
    if found is None:
        return None
    assert hashlib.sha256(imported.weights(found).read_bytes()).hexdigest() == found.sha256
    return found.version


def test_what_somebody_has_imported_is_put_back_after_a_trial_that_failed(rig: Rig) -> None:
    brought_by_hand(rig, "1.0.0")
    for version in ("2.0.0", "3.0.0"):
        held = rig.take(model(rig.folder, version))
        rig.applier.begin(rig.entry(None, held), Trial(held, AT))
        assert in_catalogue() == version
        rig.applier.go_back(rig.entry(None, held), "not well")
        assert in_catalogue() == "1.0.0"
    wait_until(lambda: rig.opened("1.0.0"), "the imported one again")


def test_a_trial_that_could_not_begin_takes_no_imported_model_along(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    brought_by_hand(rig, "1.0.0")
    held = rig.take(model(rig.folder, "2.0.0"))

    def full(*_values: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.node.aside.shutil.copyfile", full)
    with pytest.raises(ConfigurationError, match="put aside"):
        rig.applier.begin(rig.entry(None, held), Trial(held, AT))
    rig.applier.go_back(rig.entry(None, held), "")
    assert in_catalogue() == "1.0.0"


@pytest.mark.parametrize("by_hand", [None, "1.0.0", "2.0.0"])
def test_a_first_model_that_ends_every_process_is_left(rig: Rig, by_hand: str | None) -> None:
    if by_hand is not None:
        brought_by_hand(rig, by_hand)
    held = rig.take(model(rig.folder, "2.0.0"))
    tried = rig.entry(None, held).tried(Trial(held, AT, starts=1), step_of(held))
    rig.store.save(Record().with_entry(tried))
    rig.applier.begin(tried, Trial(held, AT))
    for _ in range(MOST_STARTS):
        assert in_catalogue() == "2.0.0"
        note_start(rig.store, now=AT)
        rig.process().reconcile()
    assert rig.store.record().trial is None
    assert in_catalogue() == by_hand


@pytest.mark.parametrize("by_hand", [None, "1.0.0"])
def test_a_model_that_was_given_up_is_left_also_by_the_next_process(rig: Rig, by_hand: str | None) -> None:
    if by_hand is not None:
        brought_by_hand(rig, by_hand)
    held = rig.take(model(rig.folder, "2.0.0"))
    tried = rig.entry(None, held).tried(Trial(held, AT), step_of(held))
    rig.applier.begin(tried, Trial(held, AT))
    rig.store.save(Record().with_entry(tried.given_up(AT, StepCode.UNHEALTHY, "")))  # and then it was killed
    rig.process().reconcile()
    assert in_catalogue() == by_hand
    rig.process().reconcile()
    assert in_catalogue() == by_hand


def test_what_is_tried_is_left_also_where_what_ran_before_is_damaged(rig: Rig) -> None:
    brought_by_hand(rig, "1.0.0")
    held = rig.take(model(rig.folder, "2.0.0"))
    rig.applier.begin(rig.entry(None, held), Trial(held, AT))
    (rig.store.folder / "aside" / "fire" / "model.onnx").write_bytes(b"something else")
    with pytest.raises(ConfigurationError, match="can't be put back"):
        rig.applier.go_back(rig.entry(None, held), "")
    assert in_catalogue() is None


def test_a_trial_that_never_came_into_the_catalogue_is_not_well(rig: Rig) -> None:
    brought_by_hand(rig, "1.0.0")
    one = rig.take(model(rig.folder, "2.0.0"))
    rig.store.save(Record().with_entry(rig.entry(None, one)))
    rig.store.path(one.sha256).write_bytes(b"no ZIP any more")
    process = rig.process()
    with pytest.raises(ConfigurationError):
        process.reconcile()
    assert ("fire", NOT_TAKEN_IN) in process.troubles("fire")


def test_a_start_compares_what_the_catalogue_holds_and_not_only_its_version(rig: Rig) -> None:
    brought_by_hand(rig, "1.0.0")
    other = rig.take(model(rig.folder, "1.0.0", title="the same version of somebody else"))
    rig.store.save(Record().with_entry(Entry(artifact=ArtifactClass.MODEL, name="fire", current=other)))
    rig.process().reconcile()
    assert imported.entries().sound["fire"].title == "the same version of somebody else"


def test_what_a_process_that_was_killed_had_unpacked_is_removed(rig: Rig) -> None:
    for left in (f"{UNPACKED}x", "aside/fire~"):
        (rig.store.folder / left).mkdir(parents=True)
        (rig.store.folder / left / "model.onnx").write_bytes(b"half")
    rig.process().reconcile()
    assert not [*rig.store.folder.rglob("model.onnx")]


def test_a_model_that_is_withdrawn_is_not_well(rig: Rig) -> None:
    rig.standing.degrade("fire", REASON, "failed over a picture")
    rig.standing.degrade("water", REASON, "another one")
    assert rig.applier.troubles("fire") == {("fire", REASON)}


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"weights": b"something else"}, StepCode.WRONG_HASH),
        ({"extra": "../../evil"}, StepCode.NOT_VALID),
        ({"decoder": "no_such_head"}, StepCode.NOT_VALID),
        ({"labels": ("dog",)}, StepCode.NOT_VALID),
    ],
)
def test_a_model_that_can_not_be_one_is_refused_and_touches_nothing(
    rig: Rig, what: dict[str, Any], code: StepCode
) -> None:
    with pytest.raises(StepRefused) as raised:
        rig.take(model(rig.folder, "1.0.0", **what))
    assert raised.value.code is code
    assert not imported.entries().sound


def test_what_is_signed_as_another_model_or_is_no_zip_is_refused(rig: Rig) -> None:
    content = model(rig.folder, "1.0.0").content
    for artifact in (
        Artifact(content, "smoke", "1.0.0", ArtifactClass.MODEL),
        Artifact(content, "fire", "1.0.1", ArtifactClass.MODEL),
        Artifact(content[:100], "fire", "1.0.0", ArtifactClass.MODEL),
    ):
        with pytest.raises(StepRefused):
            rig.take(artifact)


def test_a_model_of_the_software_is_not_replaced(rig: Rig) -> None:
    with pytest.raises(StepRefused, match="comes with the software"):
        rig.applier.admit(next(iter(catalogue.own_models())))


def test_a_start_brings_the_catalogue_to_what_the_record_says(rig: Rig) -> None:
    one = rig.take(model(rig.folder, "1.0.0"))
    store: Store = rig.store
    store.save(Record().with_entry(Entry(artifact=ArtifactClass.MODEL, name="fire", current=one)))
    rig.applier.reconcile()
    assert imported.entries().sound["fire"].version == "1.0.0"
