"""The profiles that come with this software: `profiles/<kind>/<version>.yaml` and beside each its `.sig`."""

from dataclasses import dataclass
from pathlib import Path

from firmware_configs.keyring import Keyring
from firmware_configs.problems import ArtifactProblem, ContentWrong, KindWrong, SignatureWrong
from firmware_configs.profile import Profile
from firmware_configs.semver import Version
from firmware_configs.signature import LARGEST_BYTES, ArtifactClass, Signature

FOLDER = Path(__file__).parent / "profiles"
SIGNATURE_ENDING = ".sig"


@dataclass(frozen=True, slots=True)
class SignedProfile:
    """A profile whose bytes and signature were verified, with both."""

    profile: Profile
    signature: Signature
    content: bytes


def signature_file(file: Path) -> Path:
    """Where the signature of a file lies: `1.0.0.yaml` has `1.0.0.sig`, whatever else is signed has `.sig` behind its name."""
    return (
        file.with_suffix(SIGNATURE_ENDING) if file.suffix == ".yaml" else file.with_name(file.name + SIGNATURE_ENDING)
    )


def kinds(folder: Path = FOLDER) -> tuple[str, ...]:
    """All kinds that have a profile here."""
    return tuple(sorted(each.name for each in folder.iterdir() if each.is_dir() and any(each.glob("*.yaml"))))


def versions(kind: str, folder: Path = FOLDER) -> tuple[Version, ...]:
    """All versions of a kind, the newest last; files that are named otherwise are none."""
    found: list[Version] = []
    for file in (folder / kind).glob("*.yaml"):
        try:
            found.append(Version.parse(file.stem))
        except ValueError:
            continue
    return tuple(sorted(found))


def read(kind: str, version: Version, keyring: Keyring, folder: Path = FOLDER) -> SignedProfile:
    """One version, verified. Raises ArtifactProblem."""
    return read_file(folder / kind / f"{version}.yaml", keyring)


def read_file(file: Path, keyring: Keyring) -> SignedProfile:
    """A profile and the signature beside it, verified. Raises ArtifactProblem."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_BYTES[ArtifactClass.PROFILE] + 1)
    except OSError as error:
        raise ContentWrong(f"{file} can't be read: {error.strerror}") from error
    try:
        sig = signature_file(file).read_bytes()
    except OSError as error:
        raise SignatureWrong(f"{file} is not signed: {signature_file(file).name} can't be read") from error
    return verified(content, Signature.parse(sig), keyring)


def verified(content: bytes, signature: Signature, keyring: Keyring) -> SignedProfile:
    """A profile that is what its signature says, by a key that is trusted. Raises ArtifactProblem."""
    keyring.verify(signature)
    signature.require_content(content)
    if signature.artifact is not ArtifactClass.PROFILE:
        raise KindWrong(f"signed as a {signature.artifact}, not as a profile")
    profile = Profile.parse(content)
    if (profile.kind, str(profile.version)) != (signature.name, signature.version):
        raise KindWrong(
            f"signed as {signature.name} {signature.version}, but its content is {profile.kind} {profile.version}"
        )
    return SignedProfile(profile, signature, content)


def newest(kind: str, keyring: Keyring, folder: Path = FOLDER) -> SignedProfile | None:
    """The newest version of a kind that can be verified; None when there is none."""
    for version in reversed(versions(kind, folder)):
        try:
            return read(kind, version, keyring, folder)
        except ArtifactProblem:
            continue
    return None
