"""What somebody has imported here, put aside (让位的模型) while a model of that name which the cloud gives is tried for the first time.

    <data_directory>/provisioned/aside/<name>/    its manifest and weights; nothing in it where there was no such model

A folder is there as a whole or not at all. It says that the catalogue may hold something that is only tried: what lies in it is the way back.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from edge.disk import UNFINISHED, make_folder, sync_folder, write_file
from models import imported
from models.manifest import read_manifest

FOLDER: Final = "aside"
_WEIGHTS: Final = "model.onnx"


class Aside:
    """What was put aside on one node, by the names of models."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> frozenset[str]:
        """Everything that was put aside and not yet put back."""
        if not self._folder.is_dir():
            return frozenset()
        return frozenset(each.name for each in self._folder.iterdir() if not each.name.endswith(UNFINISHED))

    def holds(self, name: str) -> bool:
        """Whether there is a way back from a first trial."""
        return self._place(name).is_dir()

    def put(self, name: str) -> None:
        """Hold on to what the catalogue has under a name, also to that it has nothing. Raises OSError; nothing was put aside then."""
        unfinished = self._unfinished(name)
        shutil.rmtree(unfinished, ignore_errors=True)
        make_folder(unfinished)
        try:
            manifest = imported.entries().sound.get(name)
            if manifest is not None and (weights := imported.weights(manifest)).is_file():
                copied = unfinished / _WEIGHTS
                shutil.copyfile(weights, copied)
                with copied.open("rb") as opened:
                    os.fsync(opened.fileno())
                write_file(self._manifest(unfinished, name), imported.text(manifest).encode())
            sync_folder(unfinished)
            unfinished.rename(self._place(name))
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        sync_folder(self._folder)

    def restore(self, name: str) -> None:
        """Have the catalogue hold what it held. Raises ModelProblem, OSError; what was put aside is still there then."""
        file = self._manifest(self._place(name), name)
        entries = imported.entries()
        if file.exists():
            manifest, known = read_manifest(file), entries.sound.get(name)
            # not copied anew where the trial never came to replace it: a full disk would not take it
            if (
                known is None
                or imported.text(known) != imported.text(manifest)
                or not imported.weights(known).is_file()
            ):
                imported.keep(manifest, self._place(name) / _WEIGHTS)
        elif name in {*entries.sound, *entries.problems}:
            imported.remove(name)
        self.drop(name)

    def drop(self, name: str) -> None:
        """No way back is needed any more. Raises OSError."""
        if not self.holds(name):
            return
        unfinished = self._unfinished(name)
        shutil.rmtree(unfinished, ignore_errors=True)
        self._place(name).rename(unfinished)
        sync_folder(self._folder)
        shutil.rmtree(unfinished, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a process that ended has left half done."""
        if self._folder.is_dir():
            for each in self._folder.glob(f"*{UNFINISHED}"):
                shutil.rmtree(each, ignore_errors=True)

    def _place(self, name: str) -> Path:
        return self._folder / name

    def _unfinished(self, name: str) -> Path:
        return self._folder / f"{name}{UNFINISHED}"

    @staticmethod
    def _manifest(folder: Path, name: str) -> Path:
        return folder / f"{name}.yaml"
