"""Signed files for nodes (制品): registered by a statement that a trusted key vouches for, kept under their hash, never changed."""

import hashlib
import zipfile
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog
from psycopg import Connection

from cloud.errors import Conflict, Invalid, NotFound, Permanent, TooLarge, UnsupportedMedia
from cloud.evidence.files import EvidenceFiles
from cloud.rollouts import artifact_store
from cloud.rollouts.model import Artifact
from cloud.settings import CloudSettings
from firmware_configs import shipped
from firmware_configs.keyring import SHIPPED, Keyring
from firmware_configs.problems import ArtifactProblem, ProfileWrong
from firmware_configs.profile import Profile
from firmware_configs.signature import LARGEST_BYTES, ArtifactClass, Signature

MODEL_PARTS: Final = frozenset({"manifest.yaml", "model.onnx"})
ENTRIES_MOST: Final = 5_000
METADATA_BYTES_MOST: Final = 256 << 10
SHIPPED_BY: Final = "shipped"

_log = structlog.get_logger(__name__)


def trusted_keys(settings: CloudSettings) -> Keyring:
    """The keys of the releases, and those that the site trusts."""
    folders = [SHIPPED] if settings.configuration_keys is None else [SHIPPED, settings.configuration_keys]
    return Keyring.of_folders(*folders)


def read_signature(content: bytes) -> Signature:
    """A `.sig` file. Raises Invalid."""
    try:
        return Signature.parse(content)
    except ArtifactProblem as problem:
        raise Invalid(f"the signature can't be used: {problem}") from problem


def register(
    conn: Connection[Any], signature: Signature, *, keyring: Keyring, added_by: str, now: datetime
) -> tuple[Artifact, bool]:
    """Keep a statement, and say whether it is new. The same one again changes nothing.

    Raises Invalid where no trusted key vouches for it, TooLarge, Conflict where the version is there with other bytes.
    """
    try:
        keyring.verify(signature)
    except ArtifactProblem as problem:
        raise Invalid(str(problem)) from problem
    if signature.size_bytes > LARGEST_BYTES[signature.artifact]:
        raise TooLarge(f"a {signature.artifact} has at most {LARGEST_BYTES[signature.artifact]} bytes")
    is_new = artifact_store.add_artifact(conn, signature, added_by=added_by, now=now)
    found = artifact_store.artifact_of_version(conn, signature.artifact.value, signature.name, signature.version)
    if found is None:
        raise NotFound("the artifact has just been removed")
    if found.sha256 != signature.sha256:
        raise Conflict(f"{found.name} {found.version} is registered with other bytes: a version never changes")
    return found, is_new


def require_vouched(artifact: Artifact, keyring: Keyring) -> None:
    """Whether a key that is trusted *now* vouches for what was registered once: it may have been revoked since. Raises Conflict."""
    try:
        keyring.verify(
            Signature(
                artifact=ArtifactClass(artifact.kind),
                name=artifact.name,
                version=artifact.version,
                sha256=artifact.sha256,
                size_bytes=artifact.size_bytes,
                signed_at=artifact.signed_at,
                key=artifact.key,
                sig=artifact.sig,
            )
        )
    except ArtifactProblem as problem:
        raise Conflict(f"{artifact.name} {artifact.version} goes to no further node: {problem}") from problem


def check_content(path: Path, artifact: Artifact) -> None:
    """Look at bytes whose hash is right: are they what they were signed as? Raises UnsupportedMedia.

    A firmware is its maker's: what is in it nobody here can read.
    """
    if artifact.kind == ArtifactClass.PROFILE:
        _check_profile(path, artifact)
    elif artifact.kind == ArtifactClass.MODEL:
        _check_model(path)
    elif artifact.kind == ArtifactClass.PROGRAM:
        _check_program(path, artifact)


def _check_profile(path: Path, artifact: Artifact) -> None:
    try:
        profile = Profile.parse(path.read_bytes())
    except ProfileWrong as problem:
        raise UnsupportedMedia(f"no profile: {problem}") from problem
    if (profile.kind, str(profile.version)) != (artifact.name, artifact.version):
        raise UnsupportedMedia(f"its content is {profile.kind} {profile.version}, and it was signed as something else")


def _check_model(path: Path) -> None:
    missing = MODEL_PARTS - set(_names_in(path))
    if missing:
        raise UnsupportedMedia(f"no model: the archive has no {', '.join(sorted(missing))}")


def _check_program(path: Path, artifact: Artifact) -> None:
    metadata = [name for name in _names_in(path) if name.count("/") == 1 and name.endswith(".dist-info/METADATA")]
    if len(metadata) != 1:
        raise UnsupportedMedia("no program: the archive is no wheel")
    with zipfile.ZipFile(path) as archive, archive.open(metadata[0]) as opened:
        head = opened.read(METADATA_BYTES_MOST).decode("utf-8", errors="replace")
    told = dict(line.split(": ", 1) for line in head.partition("\n\n")[0].splitlines() if ": " in line)
    if told.get("Name") != artifact.name:
        raise UnsupportedMedia(f"a wheel of {told.get('Name', 'nothing')!r}, not of {artifact.name!r}")


def _names_in(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UnsupportedMedia("no archive that can be read") from error
    if len(entries) > ENTRIES_MOST:
        raise UnsupportedMedia(f"an archive of {len(entries)} files")
    return [entry.filename for entry in entries]


def keep(conn: Connection[Any], files: EvidenceFiles, artifact: Artifact, path: Path, *, now: datetime) -> None:
    """Put checked bytes into the store, then say that they are there. Raises EvidenceStoreAway."""
    files.put(artifact.sha256, path)
    artifact_store.mark_stored(conn, artifact.sha256, now=now)


def add(
    conn: Connection[Any],
    files: EvidenceFiles,
    signature: Signature,
    path: Path,
    *,
    keyring: Keyring,
    added_by: str,
    now: datetime,
) -> tuple[Artifact, bool]:
    """Register a file with its bytes at once. Raises as `register`, and Invalid where the bytes are not those that were signed."""
    artifact, is_new = register(conn, signature, keyring=keyring, added_by=added_by, now=now)
    try:
        signature.require_digest(*_digest(path))
    except ArtifactProblem as problem:
        raise Invalid(str(problem)) from problem
    check_content(path, artifact)
    keep(conn, files, artifact, path, now=now)
    return artifact, is_new


def _digest(path: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        with path.open("rb") as opened:
            while chunk := opened.read(1 << 20):
                digest.update(chunk)
                size_bytes += len(chunk)
    except OSError as error:
        raise Invalid(f"{path} can't be read: {error.strerror}") from error
    return digest.hexdigest(), size_bytes


def add_shipped(
    conn: Connection[Any], files: EvidenceFiles, keyring: Keyring, *, now: datetime, folder: Path = shipped.FOLDER
) -> int:
    """Register the profiles that come with this program, so that nodes can be turned back to them; how many are new."""
    count = 0
    for kind in shipped.kinds(folder) if folder.is_dir() else ():
        for version in shipped.versions(kind, folder):
            known = artifact_store.artifact_of_version(conn, ArtifactClass.PROFILE.value, kind, str(version))
            if known is not None and known.stored_at is not None:
                continue
            try:
                _add_shipped(conn, files, shipped.read(kind, version, keyring, folder), keyring, now=now)
            except (ArtifactProblem, Permanent) as problem:
                # the others are offered all the same; whoever builds the program is told by its tests
                _log.warning("shipped_profile_refused", profile=kind, version=str(version), reason=str(problem))
                continue
            count += 1
    return count


def _add_shipped(
    conn: Connection[Any], files: EvidenceFiles, signed: shipped.SignedProfile, keyring: Keyring, *, now: datetime
) -> None:
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "profile.yaml"
        path.write_bytes(signed.content)
        add(conn, files, signed.signature, path, keyring=keyring, added_by=SHIPPED_BY, now=now)


def require(conn: Connection[Any], sha256: str) -> Artifact:
    """A stored artifact. Raises NotFound."""
    found = artifact_store.artifact_of_hash(conn, sha256)
    if found is None or found.stored_at is None:
        raise NotFound("there is no such artifact")
    return found
