"""Models given by the cloud (模型下发): into this machine's catalogue, under the name that cameras know; the way back is the version before."""

import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Final

import numpy as np

from edge.contract.artifacts import StepCode
from edge.errors import ConfigurationError, ModelUnusable, StepRefused
from edge.node.shelf import ModelShelf
from edge.node.standing import Standing
from edge.perception.detector import OnnxDetector
from edge.provisioning.record import Entry, Held, Trial, Trouble
from edge.provisioning.store import Store
from firmware_configs.problems import ArtifactProblem
from firmware_configs.signature import ArtifactClass, Signature
from models import imported
from models.catalogue import ResolvedModel, own_models
from models.manifest import Imported, Manifest, ModelProblem, read_manifest

WATCH_S: Final = 60.0
MANIFEST: Final = "manifest.yaml"
WEIGHTS: Final = "model.onnx"
LARGEST_MANIFEST_BYTES: Final = 1 << 20
LARGEST_WEIGHTS_BYTES: Final = 1 << 30


class ModelApplier:
    """Models on one node: a ZIP holds `manifest.yaml`, as `gridward-edge models import` writes it, and `model.onnx`."""

    def __init__(self, store: Store, *, shelf: ModelShelf, standing: Standing, watch_s: float = WATCH_S) -> None:
        self._store = store
        self._shelf = shelf
        self._standing = standing
        self.watch_s = watch_s
        self.patience_s = 0.0

    def running(self, name: str) -> tuple[str, str | None] | None:
        """The version that somebody has imported on this machine."""
        manifest = imported.entries().sound.get(name)
        return None if manifest is None else (manifest.version, None)

    def admit(self, name: str) -> None:
        """Raises StepRefused for a model that comes with the software."""
        if name in own_models():
            raise StepRefused(
                StepCode.OTHER_KIND, f"{name} comes with the software; a model given to nodes needs a name of its own"
            )

    def inspect(self, signature: Signature) -> None:
        """Unpack it, open it, and have it look at a picture. Raises StepRefused."""
        with tempfile.TemporaryDirectory(dir=self._store.folder) as folder:
            manifest, weights = unpacked(self._store.path(signature.sha256), Path(folder), signature)
            try:
                detector = OnnxDetector(ResolvedModel(manifest, weights))
                size = manifest.input
                detector.detect(np.zeros((size.height, size.width, 3), dtype=np.uint8))
            except ModelUnusable as error:
                raise StepRefused(StepCode.NOT_VALID, str(error)) from error

    def begin(self, entry: Entry, trial: Trial) -> None:
        """Put it into the catalogue and have it opened."""
        self._take_in(entry.name, trial.held)

    def go_back(self, entry: Entry, _reason: str) -> None:
        """Put back what ran before, or take it out where nothing did."""
        if entry.current is not None:
            self._take_in(entry.name, entry.current)
            return
        if entry.name in imported.entries().sound:
            imported.remove(entry.name)
        self._shelf.renew(entry.name)

    def confirm(self, _entry: Entry) -> None:
        """It runs already."""

    def reconcile(self) -> None:
        """At a start: have in the catalogue what the record says, whatever ended the process before."""
        for entry in self._store.record().entries:
            if entry.artifact is not ArtifactClass.MODEL:
                continue
            held = entry.trial.held if entry.trial is not None else entry.current
            known = imported.entries().sound.get(entry.name)
            if held is not None and (known is None or known.version != held.version):
                self._take_in(entry.name, held)

    def troubles(self, name: str) -> frozenset[Trouble]:
        """What is degraded about the model: it could not be opened, or failed over a picture."""
        told = self._standing.degradations()
        return frozenset((each.subject, each.reason) for each in told if each.subject == name)

    def _take_in(self, name: str, held: Held) -> None:
        try:
            signature = self._store.signature(held, ArtifactClass.MODEL, name, self._store.keyring())
            with tempfile.TemporaryDirectory(dir=self._store.folder) as folder:
                manifest, weights = unpacked(self._store.path(held.sha256), Path(folder), signature)
                imported.keep(manifest, weights)
        except (ArtifactProblem, ModelProblem, StepRefused, OSError) as error:
            raise ConfigurationError(f"{name} {held.version} can't be taken into the catalogue: {error}") from error
        self._shelf.renew(name)


def unpacked(file: Path, folder: Path, signature: Signature) -> tuple[Manifest, Path]:
    """Manifest and weights of a model, verified against each other and against the signature. Raises StepRefused."""
    try:
        with zipfile.ZipFile(file) as archive:
            if sorted(archive.namelist()) != [MANIFEST, WEIGHTS]:
                raise StepRefused(
                    StepCode.NOT_VALID, f"a model is a ZIP of {MANIFEST} and {WEIGHTS}, and of nothing else"
                )
            # a manifest has to lie under the name of its model: one that is signed as another can't be read
            places = {MANIFEST: folder / f"{signature.name}.yaml", WEIGHTS: folder / WEIGHTS}
            for name, largest in ((MANIFEST, LARGEST_MANIFEST_BYTES), (WEIGHTS, LARGEST_WEIGHTS_BYTES)):
                with archive.open(name) as source, places[name].open("wb") as target:
                    _copy(source, target, largest)
        manifest = read_manifest(places[MANIFEST])
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError) as error:
        raise StepRefused(StepCode.NOT_VALID, f"no ZIP that can be read: {error}") from error
    except ModelProblem as problem:
        raise StepRefused(StepCode.NOT_VALID, str(problem)) from problem
    except OSError as error:
        raise StepRefused(StepCode.NO_ROOM, f"the model can't be unpacked: {error.strerror}") from error
    if hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest() != manifest.sha256:
        raise StepRefused(StepCode.WRONG_HASH, "the weights are not those that the manifest names")
    if manifest.version != signature.version:
        raise StepRefused(StepCode.OTHER_KIND, f"the manifest is that of {manifest.id} {manifest.version}")
    if not isinstance(manifest.source, Imported):
        raise StepRefused(StepCode.NOT_VALID, "the manifest is none that `gridward-edge models import` has written")
    return manifest, folder / WEIGHTS


def _copy(source: IO[bytes], target: IO[bytes], largest: int) -> None:
    size = 0
    while chunk := source.read(1 << 20):
        size += len(chunk)
        if size > largest:
            raise StepRefused(StepCode.TOO_LARGE, f"a file of the model has more than {largest} bytes")
        target.write(chunk)
