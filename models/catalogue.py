"""The catalogue: from the name of a model or a clip to a verified file. `python -m models.catalogue list|fetch|verify`.

The models are those of this project, and those that `gridward-edge models import` took in on this machine
(`models/imported.py`), whose weights lie beside their manifests. The project's own weights come with it (`models/weights`) and need none
of the places.

Places in order: the cache (`$GRIDWARD_CACHE`, else `~/.cache/gridward`), `$GRIDWARD_MIRROR` (a folder or an address),
the assets of this machine (`$GRIDWARD_ASSETS`, else `../shared/assets` beside the repository), the public address of the
manifest. Whatever a place offers is taken only when size and SHA-256 are those of the manifest; else the next one is asked.
"""

import argparse
import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote, urlsplit

import yaml

from models import download, imported
from models.manifest import (
    Artifact,
    FileMissing,
    FileWrong,
    Footage,
    Imported,
    Manifest,
    ManifestWrong,
    ModelProblem,
    Shipped,
    Source,
    read_footage,
    read_manifest,
)

PREFERRED: Final = ("yolox_nano_416", "gridward_nano_320")
"""What a camera that names no model is looked at with: the first of these that can be had and knows what its rules watch. The first one sees
people and cars better, the second one comes with the software and knows what no public model does.
"""

_HERE = Path(__file__).resolve().parent
_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model and the path of its verified weights."""

    manifest: Manifest
    path: Path


@dataclass(frozen=True, slots=True)
class _Offer:
    """One place and the file or address that it would have. What `stays` is used where it lies."""

    place: str
    file: Path | None = None
    address: str | None = None
    stays: bool = False


class _Refused(Exception):
    """A place does not have the file, or another one; `wrong` when it is another one."""

    def __init__(self, reason: str, *, wrong: bool = False) -> None:
        super().__init__(reason)
        self.wrong = wrong


@cache
def own_models() -> Mapping[str, Manifest]:
    """The models of this project by id. Raises ManifestWrong."""
    return {file.stem: read_manifest(file) for file in sorted((_HERE / "manifests").glob("*.yaml"))}


def models() -> Mapping[str, Manifest]:
    """All models by id, the imported ones last; of two of one name this project's counts. Raises ManifestWrong."""
    own = own_models()
    return {**own, **{name: entry for name, entry in imported.entries().sound.items() if name not in own}}


@cache
def label_lists() -> Mapping[str, tuple[str, ...]]:
    """The lists of labels that manifests refer to by name."""
    files = sorted((_HERE / "labels").glob("*.yaml"))
    return {file.stem: tuple(yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files}


@cache
def footage() -> Mapping[str, Footage]:
    """All clips by name. Raises ManifestWrong."""
    return {file.stem: read_footage(file) for file in sorted((_HERE / "footage").glob("*.yaml"))}


def resolve(model_id: str) -> ResolvedModel:
    """The verified weights of a model, fetched where needed. Raises ModelProblem."""
    manifest = models().get(model_id)
    if manifest is None and (problem := imported.entries().problems.get(model_id)) is not None:
        raise ManifestWrong(f"{problem}; correct it, or import the model again")
    if manifest is None:
        raise ManifestWrong(f"there is no model {model_id!r}; known: {', '.join(models())}")
    return ResolvedModel(manifest, obtain(manifest))


def preferred(knowing: Iterable[str] = ()) -> ResolvedModel:
    """The first model of the order that knows these labels and can be had, fetched where needed. Raises ModelProblem with every reason."""
    problems: list[str] = []
    known, wanted = models(), frozenset(knowing)
    for model_id in (each for each in PREFERRED if each in known and wanted <= set(known[each].labels)):
        try:
            return resolve(model_id)
        except ModelProblem as problem:
            problems.append(str(problem))
    lacking = f" that knows {', '.join(sorted(wanted))}" if wanted else ""
    raise FileMissing("; ".join(problems) or f"none of {', '.join(PREFERRED)} is in the catalogue{lacking}")


def clip(name: str) -> Path:
    """A verified clip, fetched where needed. Raises ModelProblem."""
    found = footage().get(name)
    if found is None:
        raise ManifestWrong(f"there is no clip {name!r}; known: {', '.join(footage())}")
    return obtain(found)


def cache_directory() -> Path:
    """Where fetched files are kept."""
    configured = os.environ.get("GRIDWARD_CACHE")
    return Path(configured).expanduser() if configured else Path.home() / ".cache" / "gridward"


def assets_directory() -> Path:
    """Where the machine may have files that nobody has to fetch."""
    configured = os.environ.get("GRIDWARD_ASSETS")
    return Path(configured).expanduser() if configured else _HERE.parent.parent / "shared" / "assets"


def cached_path(artifact: Artifact) -> Path:
    """The artifact's place in the cache, named by its content."""
    return cache_directory() / artifact.sha256[:16] / Path(artifact.mirror).name


def obtain(artifact: Artifact) -> Path:
    """The path of the verified file. Raises FileMissing, FileWrong."""
    cached = cached_path(artifact)
    tried: list[str] = []
    wrong = False
    for offer in _offers(artifact, cached):
        try:
            return _take(artifact, offer, cached)
        except _Refused as refusal:
            tried.append(f"{offer.place}: {refusal}")
            wrong = wrong or refusal.wrong
    raise (FileWrong if wrong else FileMissing)(
        f"{artifact.id} (SHA-256 {artifact.sha256[:12]}…) can't be had. Way out: {_way_out(artifact)}. Tried: {'; '.join(tried)}"
    )


def _way_out(artifact: Artifact) -> str:
    match artifact.source:
        case Shipped():
            return "it comes with the software: install that again"
        case Imported():
            first = "import the file again"
        case Source():
            first = f"run `python -m models.catalogue fetch {artifact.id}` where there is a network"
    return f"{first}, or set GRIDWARD_MIRROR to a folder or an address that has {artifact.mirror}"


def shipped_path(source: Shipped) -> Path:
    """Where a file that comes with the software lies."""
    return _HERE / source.file


def _offers(artifact: Artifact, cached: Path) -> Iterator[_Offer]:
    if isinstance(artifact.source, Shipped):
        yield _Offer("the software itself", file=shipped_path(artifact.source), stays=True)
        return
    if isinstance(artifact.source, Imported):
        weights = imported.weights(artifact)
        yield _Offer(f"imported models {weights.parent}", file=weights, stays=True)
    yield _Offer(f"cache {cached.parent.parent}", file=cached)
    mirror = os.environ.get("GRIDWARD_MIRROR", "").strip()
    if urlsplit(mirror).scheme in {"http", "https"}:
        yield _Offer("GRIDWARD_MIRROR", address=f"{mirror.rstrip('/')}/{quote(artifact.mirror)}")
    elif mirror:
        yield _Offer(f"GRIDWARD_MIRROR {mirror}", file=Path(mirror).expanduser() / artifact.mirror)
    assets = assets_directory()
    yield _Offer(f"assets {assets}", file=assets / artifact.mirror)
    if isinstance(artifact.source, Source):
        yield _Offer("the public address", address=artifact.source.address)


def _take(artifact: Artifact, offer: _Offer, cached: Path) -> Path:
    """Verify what a place offers, and keep it in the cache. Raises _Refused."""
    try:
        if offer.file is None:
            return _store(artifact, cached, download.chunks(str(offer.address)))
        if offer.stays or offer.file == cached:
            return _verified(artifact, offer.file)
        with offer.file.open("rb") as file:
            return _store(artifact, cached, iter(lambda: file.read(_CHUNK_BYTES), b""))
    except FileNotFoundError:
        raise _Refused("not there") from None
    except _CacheClosed as error:
        if offer.file is None:
            raise _Refused(f"the cache can't be written ({error}); set GRIDWARD_CACHE to a folder that can") from error
        return _verified(artifact, offer.file)
    except (OSError, download.NotSent) as error:
        raise _Refused(_short(error)) from error


class _CacheClosed(Exception):
    """The cache can't be written."""


def _verified(artifact: Artifact, file: Path) -> Path:
    with file.open("rb") as opened:
        _check(artifact, iter(lambda: opened.read(_CHUNK_BYTES), b""), None)
    return file


def _store(artifact: Artifact, cached: Path, chunks: Iterator[bytes]) -> Path:
    """Write to the cache while verifying; the file appears there whole or not at all."""
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=cached.parent, prefix=".part-")
    except OSError as error:
        raise _CacheClosed(_short(error)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            _check(artifact, chunks, file)
        Path(name).chmod(0o644)
        Path(name).replace(cached)
    finally:
        Path(name).unlink(missing_ok=True)
    return cached


def _check(artifact: Artifact, chunks: Iterator[bytes], copy: IO[bytes] | None) -> None:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > artifact.bytes:
            break
        digest.update(chunk)
        if copy is not None:
            _keep(copy, chunk)
    if size != artifact.bytes:
        more = "more than " if size > artifact.bytes else ""
        raise _Refused(f"has {more}{min(size, artifact.bytes)} bytes instead of {artifact.bytes}", wrong=True)
    if digest.hexdigest() != artifact.sha256:
        raise _Refused(f"another file (SHA-256 {digest.hexdigest()[:12]}…)", wrong=True)


def _keep(copy: IO[bytes], chunk: bytes) -> None:
    try:
        copy.write(chunk)
        copy.flush()
    except OSError as error:
        with contextlib.suppress(OSError):
            copy.close()  # what it still holds can't be written either
        raise _CacheClosed(_short(error)) from error


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:160]


def _entries(names: list[str]) -> list[Artifact]:
    known: dict[str, Artifact] = {**models(), **footage()}
    if unknown := [name for name in names if name not in known]:
        raise ManifestWrong(f"not in the catalogue: {', '.join(unknown)}; known: {', '.join(known)}")
    return [known[name] for name in names] if names else list(known.values())


def _describe(artifact: Artifact) -> dict[str, object]:
    described = asdict(artifact) if isinstance(artifact, Footage) else _describe_model(artifact)
    return {
        "kind": "clip" if isinstance(artifact, Footage) else "model",
        "cached": _lies_at(artifact).exists(),
        "shipped": isinstance(artifact.source, Shipped),
        "card": _card(artifact),
        **described,
    }


def _lies_at(artifact: Artifact) -> Path:
    """Where the file is, if it is on this machine."""
    match artifact.source:
        case Shipped() as source:
            return shipped_path(source)
        case Imported() if imported.weights(artifact).exists():
            return imported.weights(artifact)
        case _:
            return cached_path(artifact)


def _card(artifact: Artifact) -> str | None:
    """Where one reads what a model was made of, what it can do and what it must not be used for."""
    source = artifact.source
    return str(_HERE / source.card) if isinstance(source, Shipped) and source.card else None


def _describe_model(artifact: Artifact) -> dict[str, object]:
    names = artifact.__dataclass_fields__
    plain = {name: getattr(artifact, name) for name in names if name not in {"source", "input", "figures"}}
    if isinstance(artifact, Manifest):
        plain |= {"input": asdict(artifact.input), "figures": dict(artifact.figures)}
    return {**plain, "source": asdict(artifact.source)}


def _act(action: str, artifact: Artifact) -> dict[str, object]:
    if action == "list":
        return _describe(artifact)
    try:
        path = obtain(artifact) if action == "fetch" else verified(artifact)
    except ModelProblem as problem:
        return {"id": artifact.id, "ok": False, "problem": str(problem)}
    return {"id": artifact.id, "ok": True, "path": str(path)}


def verified(artifact: Artifact) -> Path:
    """The path of the file on this machine, looked through once more; nothing is fetched. Raises FileMissing, FileWrong."""
    again = {
        Shipped: "install the software again",
        Imported: "import the file again",
        Source: f"`python -m models.catalogue fetch {artifact.id}`",
    }[type(artifact.source)]
    file = _lies_at(artifact)
    try:
        return _verified(artifact, file)
    except FileNotFoundError:
        raise FileMissing(f"{artifact.id} is not on this machine; {again}") from None
    except (OSError, _Refused) as error:
        again = "remove the file and fetch it again" if isinstance(artifact.source, Source) else again
        raise FileWrong(f"{artifact.id}: {file}: {error}; {again}") from error


def _line(result: dict[str, object]) -> str:
    if "ok" in result:
        return f"{result['id']}: {result['path'] if result['ok'] else result['problem']}"
    place = "shipped" if result["shipped"] else "cached"
    first = f"{result['kind']:5} {result['id']:30} {result['bytes']:>9} bytes  {result['licence']}"
    return "\n      ".join([f"{first}  ({place})" if result["cached"] else first, *_further(result)])


def _further(result: dict[str, object]) -> Iterator[str]:
    """What else there is to know of a model: what was measured, and where its card is."""
    figures = result.get("figures")
    if isinstance(figures, dict) and figures:
        yield " · ".join(f"{key} {value}" for key, value in figures.items())
    if result["card"]:
        yield f"card: {result['card']}"


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 when all went well."""
    parser = argparse.ArgumentParser(prog="python -m models.catalogue", description="Weights and footage, verified.")
    parser.add_argument("action", choices=("list", "fetch", "verify"))
    parser.add_argument("names", nargs="*", help="ids of models and names of clips; all when none is given")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    try:
        results = [_act(options.action, artifact) for artifact in _entries(options.names)]
    except ModelProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    text = (
        json.dumps(results, indent=2, default=str) if options.json else "\n".join(_line(result) for result in results)
    )
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(text + "\n")
    return 0 if all(result.get("ok", True) for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
