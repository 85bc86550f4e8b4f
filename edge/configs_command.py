"""`gridward-edge configs`: signed profiles, models and programs at the desk of a maintainer (配置签名). No node has to be there."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from edge.configuration.profile_lint import profile_mistakes
from edge.configuration.reading import Mistake
from edge.errors import ConfigurationError
from firmware_configs import shipped
from firmware_configs.device_firmware import announced_version, family_of
from firmware_configs.difference import differences
from firmware_configs.keyring import SHIPPED, Keyring
from firmware_configs.problems import ArtifactProblem, ContentWrong
from firmware_configs.profile import Profile
from firmware_configs.shipped import signature_file
from firmware_configs.signature import LARGEST_BYTES, PROGRAM_NAME, ArtifactClass, Signature
from firmware_configs.signing import SigningKey, write_public

configs_app = typer.Typer(
    help="Profiles, models and programs that nodes are given: signed, verified, compared.", no_args_is_help=True
)

Files = Annotated[
    list[Path],
    typer.Argument(
        help="Profiles (.yaml), models (.zip), programs (.whl); with --version one firmware.", metavar="FILE…"
    ),
]
OneFile = Annotated[Path, typer.Argument(help="A profile.", metavar="FILE")]
Keys = Annotated[
    list[Path] | None, typer.Option("--keys", help="A folder of public keys that are trusted besides the shipped ones.")
]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]

_ENDINGS = {".yaml": ArtifactClass.PROFILE, ".zip": ArtifactClass.MODEL, ".whl": ArtifactClass.PROGRAM}


@configs_app.command()
def keygen(
    name: Annotated[str, typer.Argument(help="What the key is called, such as district-2026.")],
    out: Annotated[Path, typer.Option("--out", help="Where the private key goes: a new file, in no repository.")],
    public: Annotated[Path, typer.Option("--public", help="The folder of public keys to put its other half into.")],
    years: Annotated[float, typer.Option(min=0.01, max=20, help="How long it may sign.")] = 2.0,
) -> None:
    """Make a key for signing. The private half never leaves this machine; nodes and the cloud are given the public one."""
    key = SigningKey.make()
    now = datetime.now(UTC).replace(microsecond=0)
    told = key.public(name, valid_from=now, valid_until=now + timedelta(days=365 * years))
    with _in_words():
        key.write(out)
        file = write_public(public, told)
    print(f"private: {out} (keep it, and a copy of it, where nobody else comes)")
    print(f"public:  {file}")
    print(f"fingerprint: {told.fingerprint}")


@configs_app.command()
def sign(
    files: Files,
    key: Annotated[Path, typer.Option("--key", help="The private key.")],
    vendor: Annotated[
        str, typer.Option(help="Of a firmware: the make, as its devices call it (chargePointVendor).")
    ] = "",
    model: Annotated[str, typer.Option(help="Of a firmware: the model (chargePointModel).")] = "",
    version: Annotated[str, typer.Option(help="Of a firmware: the version that its devices announce.")] = "",
) -> None:
    """Vouch for files: each gets a .sig beside it. A profile with mistakes is not signed, and no file is signed twice with other bytes."""
    with _in_words():
        private = SigningKey.read(key)
    firmware = _firmware(files, vendor, model, version)
    for file in files:
        content = _content(file)
        artifact, name, version = firmware or _what(file, content)
        if artifact is ArtifactClass.PROFILE and (mistakes := _lint(file)):
            raise ConfigurationError("\n".join(mistake.text(file) for mistake in mistakes))
        place = signature_file(file)
        with _in_words():
            if place.exists():
                Signature.parse(place.read_bytes()).require_content(content)
            signature = private.sign(artifact, name, version, content, at=datetime.now(UTC))
        place.write_bytes(signature.content())
        print(f"{place}: {artifact} {name} {version}, signed with {private.fingerprint[:16]}…")


@configs_app.command()
def verify(files: Files, keys: Keys = None, *, as_json: Json = False) -> None:
    """Who vouches for files, and whether they are what was signed; exit status 1 where one is not."""
    ring = Keyring.of_folders(SHIPPED, *(keys or ()))
    results = [_verified(file, ring) for file in files]
    if as_json:
        print(json.dumps(results, ensure_ascii=False, indent=2))
    else:
        for each in results:
            told = (
                f"{each['artifact']} {each['name']} {each['version']}, by {each['signed_by']}"
                if each["ok"]
                else each["problem"]
            )
            print(f"{each['file']}: {told}")
    raise typer.Exit(0 if all(each["ok"] for each in results) else 1)


@configs_app.command()
def diff(before: OneFile, after: OneFile, *, as_json: Json = False) -> None:
    """What changes from one version of a profile to another, in words."""
    with _in_words():
        found = differences(Profile.parse(_content(before)), Profile.parse(_content(after)))
    if as_json:
        print(json.dumps([each.plain() for each in found], ensure_ascii=False, indent=2))
    else:
        print("\n".join(map(str, found)) or "nothing differs")


@configs_app.command()
def lint(files: Files, *, as_json: Json = False) -> None:
    """Name file, line and reason of every mistake in profiles; exit status 2 when there is one."""
    found = [(file, mistake) for file in files for mistake in _lint(file)]
    if as_json:
        told = [
            {"file": str(file), "line": each.line, "where": each.where, "reason": each.reason} for file, each in found
        ]
        print(json.dumps({"ok": not found, "mistakes": told}, ensure_ascii=False, indent=2))
    else:
        for file, mistake in found:
            print(mistake.text(file))
    raise typer.Exit(2 if found else 0)


@configs_app.command("list")
def list_shipped(*, as_json: Json = False) -> None:
    """The profiles that come with this software, and whether they can be verified."""
    ring = Keyring.of_folders(SHIPPED)
    files = [
        shipped.FOLDER / kind / f"{version}.yaml" for kind in shipped.kinds() for version in shipped.versions(kind)
    ]
    results = [_verified(file, ring) for file in files]
    if as_json:
        print(json.dumps(results, ensure_ascii=False, indent=2))
    else:
        for file, each in zip(files, results, strict=True):
            print(f"{file.parent.name:16} {file.stem:8} {each['signed_by'] if each['ok'] else each['problem']}")


def _lint(file: Path) -> list[Mistake]:
    content = _content(file)
    found = profile_mistakes(content)
    if not found:
        try:
            Profile.parse(content).require_place(file.absolute())
        except ArtifactProblem as problem:
            return [Mistake(1, "version", str(problem))]
    return found


def _content(file: Path) -> bytes:
    largest = max(LARGEST_BYTES.values())
    try:
        with file.open("rb") as opened:
            content = opened.read(largest + 1)
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}") from error
    if len(content) > largest:
        raise ConfigurationError(f"{file}: larger than {largest} bytes")
    return content


def _firmware(files: list[Path], vendor: str, model: str, version: str) -> tuple[ArtifactClass, str, str] | None:
    """For whom a firmware is, where one is to be signed. Raises ConfigurationError."""
    if not (vendor or model or version):
        return None
    name, announced = family_of(vendor, model), announced_version(version)
    if name is None or announced is None or len(files) != 1:
        raise ConfigurationError(
            "a firmware is one file, with --vendor, --model and --version as its devices tell them"
        )
    return ArtifactClass.FIRMWARE, name, announced


def _what(file: Path, content: bytes) -> tuple[ArtifactClass, str, str]:
    """Class, name and version of a file, from its content. Raises ConfigurationError."""
    artifact = _ENDINGS.get(file.suffix)
    if artifact is ArtifactClass.PROFILE:
        with _in_words():
            profile = Profile.parse(content)
        return artifact, profile.kind, str(profile.version)
    if artifact is ArtifactClass.MODEL:
        manifest = _manifest(file)
        return artifact, str(manifest.get("id")), str(manifest.get("version"))
    if artifact is ArtifactClass.PROGRAM:
        name, version = (*file.name.split("-"), "", "")[:2]
        if name != PROGRAM_NAME:
            raise ConfigurationError(f"{file}: a wheel of {PROGRAM_NAME} is expected")
        return artifact, name, version
    raise ConfigurationError(f"{file}: {', '.join(_ENDINGS)} can be signed")


def _manifest(file: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(file) as archive, archive.open("manifest.yaml") as opened:
            manifest = yaml.safe_load(opened.read(1 << 20))
    except (OSError, KeyError, zipfile.BadZipFile, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"{file} is no model: a ZIP of manifest.yaml and model.onnx is expected ({error})"
        ) from error
    return manifest if isinstance(manifest, dict) else {}


def _verified(file: Path, ring: Keyring) -> dict[str, Any]:
    try:
        content = _content(file)
        try:
            signature = Signature.parse(signature_file(file).read_bytes())
        except OSError as error:
            raise ContentWrong(f"{signature_file(file)} can't be read: {error.strerror}") from error
        key = ring.verify(signature)
        signature.require_content(content)
        if signature.artifact is ArtifactClass.PROFILE:
            shipped.verified(content, signature, ring)
    except (ArtifactProblem, ConfigurationError) as problem:
        return {"file": str(file), "ok": False, "problem": str(problem)}
    return {"file": str(file), "ok": True, "signed_by": key.name, **signature.plain()}


@contextmanager
def _in_words() -> Iterator[None]:
    """Problems with what is signed end the command as mistakes of whoever called it."""
    try:
        yield
    except ArtifactProblem as problem:
        raise ConfigurationError(str(problem)) from problem
