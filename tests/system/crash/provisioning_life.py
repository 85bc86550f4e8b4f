"""One life of what a node is given to run: a profile after the one that came with it, two versions of a model, a program after the installed
one, another model in the place of one imported by hand, which is not well; ordered one after another, told so that it can be begun anew anywhere. Cloud and parent are played by hand; the desk, the store, the slots and the catalogue are the node's own.
"""

import hashlib
import io
import os
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.configuration.reading import load
from edge.configuration.reload import Change
from edge.errors import StepRefused
from edge.node.applying import ProfileApplier, pin_shipped
from edge.node.models import ModelApplier, unpacked
from edge.node.program import NOT_CONNECTED, ProgramApplier
from edge.node.shelf import ModelShelf
from edge.node.standing import Standing
from edge.node.starting import configuration_at_start
from edge.provisioning.desk import ProvisioningDesk
from edge.provisioning.fetching import Fetcher
from edge.provisioning.record import Trouble
from edge.provisioning.slots import Chosen, choose
from edge.provisioning.store import Store
from edge.settings import NodeConfiguration
from firmware_configs.signature import ArtifactClass, Signature
from firmware_configs.signing import SigningKey
from models import imported
from models.catalogue import own_models
from models.manifest import Imported
from tests.edge.provisioning.orders import NODE, Artifact, trusting
from tests.edge.provisioning.test_slots import wheel
from tests.firmware_configs.keys import profile_bytes

KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(b"a key for the tests of crashes.."))
AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
KIND, MODEL, PROGRAM = "node", "fire", "gridward"
BY_HAND = "smoke"
"""A model that somebody has imported on the machine; what the cloud gives under its name is never well."""
PROCESSES = 40
"""More than a life needs: one that does not come to its end by then never does."""


class Ended(Exception):
    """A process of the node ends by its own will, for its parent to start the next."""


def _model(version: str, name: str = MODEL) -> Artifact:
    weights = f"weights {name} {version}".encode() * 50
    manifest = replace(
        own_models()["yolox_nano_416"],
        id=name,
        version=version,
        sha256=hashlib.sha256(weights).hexdigest(),
        bytes=len(weights),
        source=Imported("fire.onnx", AT),
        mirror="models/fire.onnx",
        outputs=("output",),
    )
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("manifest.yaml"), imported.text(manifest))
        archive.writestr(zipfile.ZipInfo("model.onnx"), weights)
    return Artifact(content.getvalue(), name, version, ArtifactClass.MODEL, KEY)


def _program(version: str, folder: Path) -> Artifact:
    folder.mkdir(exist_ok=True)
    file, _ = wheel(folder, version)
    return Artifact(file.read_bytes(), PROGRAM, version, ArtifactClass.PROGRAM, KEY)


def _profile(version: str, keep_days: int) -> Artifact:
    content = profile_bytes(KIND, version, memory={"keep_days": keep_days})
    return Artifact(content, KIND, version, ArtifactClass.PROFILE, KEY)


class QuickModels(ModelApplier):
    """Opens no network: that is no step of the disk."""

    def inspect(self, signature: Signature) -> None:
        folder = self._store.folder / "looked-at"
        folder.mkdir(exist_ok=True)
        unpacked(self._store.path(signature.sha256), folder, signature)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()

    def troubles(self, name: str) -> frozenset[Trouble]:
        tried = self._store.record().entry(ArtifactClass.MODEL, name).trial is not None
        return super().troubles(name) | ({(name, "sees nothing")} if tried and name == BY_HAND else frozenset())


def _import_by_hand(artifact: Artifact, folder: Path) -> None:
    """As `gridward-edge models import` leaves it."""
    folder.mkdir(exist_ok=True)
    (folder / "model.zip").write_bytes(artifact.content)
    imported.keep(*unpacked(folder / "model.zip", folder, artifact.signature))


class WellProgram(ProgramApplier):
    """Is always connected."""

    def troubles(self, name: str) -> frozenset[Trouble]:
        return super().troubles(name) - {NOT_CONNECTED}


class ProvisioningLife:
    """The whole scenario; what an earlier life has done is found on the disk, and not done again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "data"
        self.file = directory / "node.yaml"
        os.environ["GRIDWARD_MODELS"] = os.fspath(directory / "models")
        self.artifacts = (
            _model("1.0.0"),
            _profile("2.0.0", 5),
            _program("9.0.0", directory / "wheels"),
            _model("2.0.0"),
            _model("2.0.0", BY_HAND),
        )
        self.by_hash = {each.signature.sha256: each for each in self.artifacts}
        self.now_s = 0.0

    def run(self) -> None:
        """Order after order, each until the node announces it, over as many processes as that takes."""
        if not self.file.exists():
            _import_by_hand(_model("1.0.0", BY_HAND), self.directory.parent / "by-hand")
            self.file.write_text(
                f"node: {{id: {NODE}, district: '110105', data_directory: ./data, profile: {KIND}}}\n"
                "cloud: {mqtt: 'mqtt://127.0.0.1:1', https: 'http://127.0.0.1:1'}\n"
            )
        trusting(self.directory, KEY)
        for _ in range(PROCESSES):
            try:
                if self.process(choose(self.directory / "program")):
                    return
            except Ended:
                continue
        raise AssertionError("the node never came to run what was ordered")

    def process(self, chosen: Chosen) -> bool:
        """One process of the node; whether all is done."""
        store = Store(self.directory)
        configuration = configuration_at_start(self.file, now=self.told())
        pin_shipped(store, frozenset({KIND}))
        desk = self.desk(store, configuration, chosen)
        for number, artifact in enumerate(self.artifacts, 1):
            entry = desk.record.entry(artifact.signature.artifact, artifact.signature.name)
            if entry.ordered_at is not None and entry.ordered_at > AT + timedelta(seconds=number):
                continue  # the cloud has seen it announced, and has gone on
            desk.receive(artifact.order(number, issued_at=AT + timedelta(seconds=number)))
            while desk.follow_next():
                pass
            for _ in range(2):
                desk.turn()
                self.now_s += 1000
        return desk.record.trial is None

    def desk(self, store: Store, configuration: NodeConfiguration, chosen: Chosen) -> ProvisioningDesk:
        """The node's own, as it is put together at a start."""
        standing = Standing(clock=self.told, on_change=lambda: None)
        running = [configuration]

        def adopt(new: NodeConfiguration) -> Change:
            running[0] = new
            return Change()

        profiles = ProfileApplier(
            self.directory,
            self.file,
            configuration=lambda: running[0],
            adopt=adopt,
            renew=self.end,
            standing=standing,
        )
        models = QuickModels(store, shelf=ModelShelf((), standing), standing=standing)
        told = chosen.environment(self.directory / "program")
        program = WellProgram(store, renew=self.end, standing=standing, is_connected=lambda: True, environment=told)
        models.reconcile()
        program.reconcile(self.told())
        transport = httpx.MockTransport(self.hand_out)
        return ProvisioningDesk(
            NODE,
            store,
            Fetcher(store, base_url="http://cloud", token="t", transport=transport),
            {ArtifactClass.PROFILE: profiles, ArtifactClass.MODEL: models, ArtifactClass.PROGRAM: program},
            cloud_keys=lambda: (),
            told=self.told,
            on_change=lambda: None,
            monotonic_s=lambda: self.now_s,
        )

    def hand_out(self, request: httpx.Request) -> httpx.Response:
        """The cloud, which resumes where it is asked to."""
        content = self.by_hash[request.url.path.rpartition("/")[2]].content
        first = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if not first:
            return httpx.Response(200, content=content)
        headers = {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
        return httpx.Response(206, content=content[first:], headers=headers)

    def end(self, reason: str) -> None:
        """What a process does that has to begin anew."""
        raise Ended(reason)

    def told(self) -> datetime:
        """The node's clock."""
        return AT + timedelta(seconds=self.now_s)


def begins_with(directory: Path) -> dict[str, Any]:
    """What a node that begins now would run, each of it verified. Raises where something of it is not whole."""
    life = ProvisioningLife(directory)
    chosen = choose(life.directory / "program")
    configuration = load(life.file)
    found: dict[str, Any] = {"program": None if chosen.filled is None else chosen.filled.version}
    found["keep_days"] = configuration.memory.keep_days
    if imported.entries().problems:
        raise StepRefused(None, "a manifest of a model is not whole")  # type: ignore[arg-type]
    for told, name in (("model", MODEL), ("by_hand", BY_HAND)):
        manifest = imported.entries().sound.get(name)
        found[told] = None if manifest is None else manifest.version
        if manifest is not None:
            content = imported.weights(manifest).read_bytes()
            assert hashlib.sha256(content).hexdigest() == manifest.sha256
    return found
