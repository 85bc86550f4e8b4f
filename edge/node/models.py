"""Models given by the cloud (模型下发): into this machine's catalogue, under the name that cameras know; the way back is the version before."""

import contextlib
import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Final

import numpy as np

from edge.contract.artifacts import StepCode
from edge.errors import ConfigurationError, ModelUnusable, StepRefused
from edge.node.aside import FOLDER as ASIDE
from edge.node.aside import Aside
from edge.node.shelf import ModelShelf
from edge.node.standing import Standing
from edge.perception.detector import OnnxDetector
from edge.provisioning.record import Entry, Held, Trial, Trouble
from edge.provisioning.store import Store
from edge.settings import AUTO
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
UNPACKED: Final = "unpacked-"
"""How folders begin in which a model is unpacked for a moment; a process that is killed leaves one behind."""

NOT_TAKEN_IN: Final = "not_taken_in"


class ModelApplier:
    """Models on one node: a ZIP holds `manifest.yaml`, as `gridward-edge models import` writes it, and `model.onnx`."""

    def __init__(self, store: Store, *, shelf: ModelShelf, standing: Standing, watch_s: float = WATCH_S) -> None:
        self._store = store
        self._shelf = shelf
        self._standing = standing
        self._aside = Aside(store.folder / ASIDE)
        self._unsettled: set[str] = set()
        self.watch_s = watch_s
        self.patience_s = 0.0

    def running(self, name: str) -> tuple[str, str | None] | None:
        """The version that somebody has imported on this machine."""
        manifest = imported.entries().sound.get(name)
        return None if manifest is None else (manifest.version, None)

    def admit(self, name: str) -> None:
        """Raises StepRefused for a model that comes with the software."""
        if name == AUTO or name in own_models():
            raise StepRefused(
                StepCode.OTHER_KIND, f"{name} comes with the software; a model given to nodes needs a name of its own"
            )

    def inspect(self, signature: Signature) -> None:
        """Unpack it, open it, and have it look at a picture. Raises StepRefused."""
        with tempfile.TemporaryDirectory(dir=self._store.folder, prefix=UNPACKED) as folder:
            manifest, weights = unpacked(self._store.path(signature.sha256), Path(folder), signature)
            try:
                detector = OnnxDetector(ResolvedModel(manifest, weights))
                size = manifest.input
                detector.detect(np.zeros((size.height, size.width, 3), dtype=np.uint8))
            except ModelUnusable as error:
                raise StepRefused(StepCode.NOT_VALID, str(error)) from error

    def begin(self, entry: Entry, trial: Trial) -> None:
        """Put it into the catalogue and have it opened; before the first one what somebody has imported is put aside."""
        self._try_out(entry, trial.held)

    def go_back(self, entry: Entry, _reason: str) -> None:
        """Put back what ran before the trial: the version before, what somebody had imported, or nothing.

        Raises ConfigurationError where that can't be; what was tried is not left in its place all the same.
        """
        try:
            if entry.current is not None:
                self._take_in(entry.name, entry.current)
            elif self._aside.holds(entry.name):
                self._aside.restore(entry.name)
        except (ConfigurationError, ModelProblem, OSError) as error:
            self._take_out(entry)
            raise ConfigurationError(f"what ran before as {entry.name} can't be put back: {error}") from error
        finally:
            self._shelf.renew(entry.name)

    def confirm(self, _entry: Entry) -> None:
        """It runs already. What was put aside goes at the next start: until then the record may not say yet that it is confirmed."""

    def reconcile(self) -> None:
        """At a start: have in the catalogue what the record says, whatever ended the process before.

        Raises ConfigurationError for what could not be brought about; all the others were.
        """
        for left in self._store.folder.glob(f"{UNPACKED}*"):
            shutil.rmtree(left, ignore_errors=True)
        self._aside.sweep()
        entries = {each.name: each for each in self._store.record().entries if each.artifact is ArtifactClass.MODEL}
        problems = []
        for name in sorted({*entries, *self._aside.names()}):
            try:
                self._settle(entries.get(name) or Entry(artifact=ArtifactClass.MODEL, name=name))
            except (ConfigurationError, OSError) as error:
                problems.append(str(error))
                self._unsettled.add(name)
        if problems:
            raise ConfigurationError("; ".join(problems))

    def troubles(self, name: str) -> frozenset[Trouble]:
        """What is degraded about the model: it could not be opened, failed over a picture, or never came into the catalogue."""
        told = self._standing.degradations()
        found = {(each.subject, each.reason) for each in told if each.subject == name}
        return frozenset(found | {(name, NOT_TAKEN_IN)} if name in self._unsettled else found)

    def _settle(self, entry: Entry) -> None:
        if entry.trial is not None:
            self._try_out(entry, entry.trial.held)
        elif entry.current is None:
            if self._aside.holds(entry.name):
                self.go_back(entry, "")
        else:
            if not self._has_in(entry.name, entry.current):
                self.go_back(entry, "")
            self._aside.drop(entry.name)

    def _try_out(self, entry: Entry, held: Held) -> None:
        if entry.current is None and not self._aside.holds(entry.name):
            try:
                self._aside.put(entry.name)
            except OSError as error:
                raise ConfigurationError(f"the imported {entry.name} can't be put aside: {error}") from error
        if not self._has_in(entry.name, held):
            self._take_in(entry.name, held)
        self._unsettled.discard(entry.name)
        self._shelf.renew(entry.name)

    def _has_in(self, name: str, held: Held) -> bool:
        """Whether the catalogue holds these very weights under this very manifest."""
        known = imported.entries().sound.get(name)
        if known is None or known.version != held.version or not imported.weights(known).is_file():
            return False
        try:
            with tempfile.TemporaryDirectory(dir=self._store.folder, prefix=UNPACKED) as folder:
                return imported.text(known) == imported.text(
                    _manifest(self._store.path(held.sha256), Path(folder), name)
                )
        except (StepRefused, OSError):
            return True  # what was taken in once is better than what can't be read any more

    def _take_in(self, name: str, held: Held) -> None:
        try:
            signature = self._store.signature(held, ArtifactClass.MODEL, name, self._store.keyring())
            with tempfile.TemporaryDirectory(dir=self._store.folder, prefix=UNPACKED) as folder:
                manifest, weights = unpacked(self._store.path(held.sha256), Path(folder), signature)
                imported.keep(manifest, weights)
        except (ArtifactProblem, ModelProblem, StepRefused, OSError) as error:
            raise ConfigurationError(f"{name} {held.version} can't be taken into the catalogue: {error}") from error

    def _take_out(self, entry: Entry) -> None:
        """What can't be replaced by what ran before must not be what runs."""
        known = imported.entries().sound.get(entry.name)
        if known is not None and (entry.current is None or known.version != entry.current.version):
            with contextlib.suppress(ModelProblem, OSError):
                imported.remove(entry.name)


def unpacked(file: Path, folder: Path, signature: Signature) -> tuple[Manifest, Path]:
    """Manifest and weights of a model, verified against each other and against the signature. Raises StepRefused."""
    manifest = _manifest(file, folder, signature.name)
    weights = folder / WEIGHTS
    _extract(file, WEIGHTS, weights, LARGEST_WEIGHTS_BYTES)
    with weights.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256")
    if digest.hexdigest() != manifest.sha256:
        raise StepRefused(StepCode.WRONG_HASH, "the weights are not those that the manifest names")
    if manifest.version != signature.version:
        raise StepRefused(StepCode.OTHER_KIND, f"the manifest is that of {manifest.id} {manifest.version}")
    if not isinstance(manifest.source, Imported):
        raise StepRefused(StepCode.NOT_VALID, "the manifest is none that `gridward-edge models import` has written")
    return manifest, weights


def _manifest(file: Path, folder: Path, name: str) -> Manifest:
    """The manifest alone; it has to lie under the name of its model, so one that is signed as another can't be read. Raises StepRefused."""
    place = folder / f"{name}.yaml"
    _extract(file, MANIFEST, place, LARGEST_MANIFEST_BYTES)
    try:
        return read_manifest(place)
    except ModelProblem as problem:
        raise StepRefused(StepCode.NOT_VALID, str(problem)) from problem


def _extract(file: Path, member: str, place: Path, largest: int) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            if sorted(archive.namelist()) != [MANIFEST, WEIGHTS]:
                raise StepRefused(
                    StepCode.NOT_VALID, f"a model is a ZIP of {MANIFEST} and {WEIGHTS}, and of nothing else"
                )
            with archive.open(member) as source, place.open("wb") as target:
                _copy(source, target, largest)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError) as error:
        raise StepRefused(StepCode.NOT_VALID, f"no ZIP that can be read: {error}") from error
    except OSError as error:
        raise StepRefused(StepCode.NO_ROOM, f"the model can't be unpacked: {error.strerror}") from error


def _copy(source: IO[bytes], target: IO[bytes], largest: int) -> None:
    size = 0
    while chunk := source.read(1 << 20):
        size += len(chunk)
        if size > largest:
            raise StepRefused(StepCode.TOO_LARGE, f"a file of the model has more than {largest} bytes")
        target.write(chunk)
