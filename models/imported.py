"""The models that were imported on this machine (导入的模型): a manifest and its weights each, in one folder.

The folder is `$GRIDWARD_MODELS`, else `~/.local/share/gridward/models`: it can't be fetched again, so it is no cache. A manifest
there that has mistakes takes nothing but itself out of the catalogue.
"""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from models.manifest import Artifact, FileWrong, Imported, Manifest, ManifestWrong, ModelProblem, Shipped, read_manifest

_CHUNK_BYTES = 1 << 18
_HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Entries:
    """What is in the folder: manifests by id, and by the name of its file what is wrong with one."""

    sound: Mapping[str, Manifest]
    problems: Mapping[str, str]


def directory() -> Path:
    """Where imported models are kept."""
    configured = os.environ.get("GRIDWARD_MODELS")
    return Path(configured).expanduser() if configured else Path.home() / ".local" / "share" / "gridward" / "models"


def weights(manifest: Artifact) -> Path:
    """Where the weights of an imported model lie: under the name of its content, so that another version of the model never lies
    under a manifest that it does not fit. What was imported before that was so lies under the name of the model.
    """
    place = _place(manifest)
    former = directory() / f"{manifest.id}.onnx"
    return former if former.exists() and not place.exists() else place


def entries() -> Entries:
    """Read the folder; one that is not there has nothing."""
    sound: dict[str, Manifest] = {}
    problems: dict[str, str] = {}
    for file in sorted(directory().glob("*.yaml")):
        try:
            sound[file.stem] = _read(file)
        except ManifestWrong as problem:
            problems[file.stem] = str(problem)
    return Entries(sound, problems)


def keep(manifest: Manifest, file: Path) -> Path:
    """Copy the weights into the folder, then their manifest: with it the model is another one, and what had this name goes. The path
    of the manifest. Whatever ends the process, there is a manifest with the weights that it names.

    Raises FileWrong when the file is not what the manifest says any more, ModelProblem when the folder can't be written.
    """
    folder = directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = _place(manifest)
        _copy(manifest, file, place)
        written = folder / f"{manifest.id}.yaml"
        _replace(written, text(manifest).encode())
        for other in _weights_of(manifest.id):
            if other != place:
                other.unlink(missing_ok=True)
    except OSError as error:
        raise ModelProblem(f"{folder} can't be written ({error}); set GRIDWARD_MODELS to a folder that can") from error
    return written


def remove(model_id: str) -> None:
    """Take an imported model out again. Raises ManifestWrong when there is none of this name."""
    manifest = directory() / f"{model_id}.yaml"
    if model_id not in {*entries().sound, *entries().problems}:
        raise ManifestWrong(f"{model_id!r} is no imported model; there are: {', '.join(entries().sound) or 'none'}")
    manifest.unlink(missing_ok=True)
    for file in _weights_of(model_id):
        file.unlink(missing_ok=True)


def text(manifest: Manifest) -> str:
    """The manifest as YAML."""
    values = {name: getattr(manifest, name) for name in manifest.__dataclass_fields__}
    source = manifest.source
    if isinstance(source, Imported):
        values["source"] = {"imported": source.file, "at": source.at.isoformat(timespec="seconds")}
    elif isinstance(source, Shipped):
        del values["mirror"]
        values["source"] = {"shipped": source.file} | ({"card": source.card} if source.card else {})
    else:
        values["source"] = asdict(source)
    values["input"] = asdict(manifest.input)
    return yaml.safe_dump(_plain(values), sort_keys=False, allow_unicode=True, width=120)


def _place(manifest: Artifact) -> Path:
    return directory() / f"{manifest.id}.{manifest.sha256[:_HASH_DIGITS]}.onnx"


def _weights_of(model_id: str) -> list[Path]:
    """Every file of weights that lies there for a model, of whatever version."""
    pattern = re.compile(rf"{re.escape(model_id)}(?:\.[0-9a-f]{{{_HASH_DIGITS}}})?\.onnx")
    return [file for file in directory().glob("*.onnx") if pattern.fullmatch(file.name)]


def _read(file: Path) -> Manifest:
    manifest = read_manifest(file)
    if not isinstance(manifest.source, Imported):
        raise ManifestWrong(f"{file.name}: source: `imported` is expected")
    return manifest


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def _copy(manifest: Manifest, file: Path, place: Path) -> None:
    if file.exists() and place.exists() and file.samefile(place):
        return
    digest = hashlib.sha256()
    part, name = tempfile.mkstemp(dir=place.parent, prefix=".part-")
    try:
        with os.fdopen(part, "wb") as copy, file.open("rb") as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        if digest.hexdigest() != manifest.sha256:
            raise FileWrong(f"{file} changed while it was looked at; import it again")
        Path(name).chmod(0o644)
        Path(name).replace(place)
        _sync_folder(place.parent)
    finally:
        Path(name).unlink(missing_ok=True)


def _replace(place: Path, content: bytes) -> None:
    part, name = tempfile.mkstemp(dir=place.parent, prefix=".part-")
    try:
        with os.fdopen(part, "wb") as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(place)
        _sync_folder(place.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def _sync_folder(folder: Path) -> None:
    """Write through which names a folder holds: a model that was taken in is there after a power cut as well."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
