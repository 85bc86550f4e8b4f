"""A cloud that orders and hands out, by hand: signed artifacts, and what stands in for the way to them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from edge.contract.downlink import DesiredProfile, order_statement
from edge.contract.signing import sign
from edge.errors import StepRefused
from edge.provisioning.record import Entry, Trial, Trouble
from edge.provisioning.store import KEYS, Store
from firmware_configs.signature import ArtifactClass, Signature
from firmware_configs.signing import SigningKey, write_public
from tests.firmware_configs.keys import SIGNED_AT, profile_bytes

NODE = "station-01"
AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
KEY = SigningKey.make()


def trusting(directory: Path, key: SigningKey = KEY) -> Store:
    """The store of a node that trusts a key."""
    public = key.public(key.fingerprint[:8], valid_from=SIGNED_AT - timedelta(days=30), valid_until=None)
    write_public(directory / KEYS, public)
    return Store(directory)


class Artifact:
    """Signed bytes."""

    def __init__(
        self,
        content: bytes,
        name: str = "power_meter",
        version: str = "1.0.0",
        artifact: ArtifactClass = ArtifactClass.PROFILE,
        key: SigningKey = KEY,
    ) -> None:
        self.content = content
        self.signature: Signature = key.sign(artifact, name, version, content, at=SIGNED_AT)

    @classmethod
    def profile(cls, name: str = "power_meter", version: str = "1.0.0", **settings: Any) -> "Artifact":
        return cls(profile_bytes(name, version, **settings), name, version)

    def order(self, number: int = 1, cloud: Ed25519PrivateKey | None = None, **changes: Any) -> DesiredProfile:
        """The `number`-th order of the cloud."""
        signature = self.signature
        desired = DesiredProfile(
            node=NODE,
            profile=signature.name,
            version=signature.version,
            sha256=signature.sha256,
            sig=signature.sig,
            artifact=signature.artifact.value,
            size_bytes=signature.size_bytes,
            key=signature.key,
            signed_at=signature.signed_at,
            desired_id=UUID(int=number),
            issued_at=AT + timedelta(seconds=number),
        )
        desired = replace(desired, **changes)
        return desired if cloud is None else replace(desired, order_sig=sign(cloud, order_statement(desired)))


class Steps:
    """Applies nothing, and remembers what it was asked to do. `unwell` are the troubles at present."""

    def __init__(self, watch_s: float = 60.0) -> None:
        self.watch_s = watch_s
        self.patience_s = 0.0
        self.asked: list[str] = []
        self.unwell: set[Trouble] = set()
        self.runs: tuple[str, str | None] | None = None
        self.refuses: StepRefused | None = None
        self.on_begin: Callable[[], None] = lambda: None
        self.on_inspect: Callable[[], None] = lambda: None

    def running(self, _name: str) -> tuple[str, str | None] | None:
        return self.runs

    def admit(self, _name: str) -> None:
        return

    def inspect(self, _signature: Signature) -> None:
        self.on_inspect()
        if self.refuses is not None:
            raise self.refuses

    def begin(self, _entry: Entry, trial: Trial) -> None:
        self.asked.append(f"begin {trial.held.version}")
        self.on_begin()

    def go_back(self, _entry: Entry, _reason: str) -> None:
        self.asked.append("go back")

    def confirm(self, entry: Entry) -> None:
        assert entry.trial is not None
        self.asked.append(f"confirm {entry.trial.held.version}")

    def troubles(self, _name: str) -> frozenset[Trouble]:
        return frozenset(self.unwell)


class HandOver:
    """Puts into the store what an order names, or raises what a test wants."""

    def __init__(self, store: Store, *artifacts: Artifact) -> None:
        self._store = store
        self._artifacts = {each.signature.sha256: each for each in artifacts}
        self.raises: list[Exception] = []
        self.fetched: list[str] = []

    def fetch(self, signature: Signature, *, stopped: Callable[[], bool] = lambda: False) -> None:
        assert not stopped()
        self.fetched.append(signature.version)
        if self.raises:
            raise self.raises.pop(0)
        self._store.put(signature, self._artifacts[signature.sha256].content)

    def close(self) -> None:
        return
