"""Keys that are made for a test and forgotten with it, and profiles that they vouch for."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from firmware_configs.keyring import Keyring
from firmware_configs.shipped import signature_file
from firmware_configs.signature import ArtifactClass, Signature
from firmware_configs.signing import SigningKey

SIGNED_AT = datetime(2026, 3, 1, tzinfo=UTC)


def made_key() -> tuple[SigningKey, Keyring]:
    """A key, and a keyring that trusts it."""
    key = SigningKey.make()
    return key, ring_of(key)


def ring_of(*keys: SigningKey) -> Keyring:
    return Keyring.of(
        key.public(f"key-{number}", valid_from=datetime(2026, 1, 1, tzinfo=UTC), valid_until=None)
        for number, key in enumerate(keys)
    )


def profile_bytes(
    kind: str = "power_meter", version: str = "1.0.0", /, *, minimum_software: str = "0.1.0", **settings: Any
) -> bytes:
    told = {"profile": kind, "version": version, "minimum_software": minimum_software, "settings": settings}
    return yaml.safe_dump(told, sort_keys=False).encode()


def signed(
    key: SigningKey, content: bytes, kind: str = "power_meter", version: str = "1.0.0", at: datetime = SIGNED_AT
) -> Signature:
    return key.sign(ArtifactClass.PROFILE, kind, version, content, at=at)


def put(folder: Path, key: SigningKey, kind: str, version: str, **settings: Any) -> Path:
    """A signed profile, as it lies in the repository."""
    file = folder / kind / f"{version}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content := profile_bytes(kind, version, **settings))
    signature_file(file).write_bytes(signed(key, content, kind, version).content())
    return file
