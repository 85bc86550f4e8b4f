"""Which version of a profile holds on this node (生效配置): what is being tried, else what runs, else what ran before, else what came with the
software; the first of them that can be verified.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import structlog

from edge.provisioning.record import MOST_STARTS, Record
from edge.provisioning.store import Store
from firmware_configs import shipped
from firmware_configs.keyring import SHIPPED, Keyring
from firmware_configs.problems import ArtifactProblem
from firmware_configs.profile import Profile
from firmware_configs.shipped import SignedProfile
from firmware_configs.signature import ArtifactClass

_log = structlog.get_logger(__name__)


class Standing(StrEnum):
    """Why a version holds."""

    TRIAL = "trial"
    CURRENT = "current"
    PREVIOUS = "previous"
    SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class InForce:
    """A version that holds, and what is wrong with those that would come before it."""

    signed: SignedProfile
    standing: Standing
    passed_over: tuple[str, ...] = ()


class Profiles:
    """The profiles that hold on a node, or at a desk: asked by kind. `instead` holds in place of all others: what is about to be tried."""

    def __init__(
        self,
        directory: Path | None,
        *,
        instead: Mapping[str, SignedProfile] | None = None,
        without_trials: bool = False,
        shipped_folder: Path = shipped.FOLDER,
    ) -> None:
        self._store = None if directory is None else Store(directory)
        self._instead = dict(instead or {})
        self._without_trials = without_trials
        self._shipped = shipped_folder
        self._found: dict[str, InForce | None] = {}

    @cached_property
    def _keyring(self) -> Keyring:
        return Keyring.of_folders(SHIPPED) if self._store is None else self._store.keyring()

    @cached_property
    def _record(self) -> Record:
        return Record() if self._store is None else self._store.record()

    def of(self, kind: str) -> InForce | None:
        """The version that holds; None where no version of the kind can be verified."""
        if kind not in self._found:
            self._found[kind] = self._look(kind)
        return self._found[kind]

    def profile(self, kind: str) -> Profile | None:
        """Its content."""
        found = self.of(kind)
        return None if found is None else found.signed.profile

    def _look(self, kind: str) -> InForce | None:
        if (signed := self._instead.get(kind)) is not None:
            return InForce(signed, Standing.TRIAL)
        passed_over: list[str] = []
        if self._store is not None:
            entry = self._record.entry(ArtifactClass.PROFILE, kind)
            trial = entry.trial
            runs = None if trial is None or self._without_trials or trial.starts > MOST_STARTS else trial.held
            for standing, held in (
                (Standing.TRIAL, runs),
                (Standing.CURRENT, entry.current),
                (Standing.PREVIOUS, entry.previous),
            ):
                if held is None:
                    continue
                try:
                    return InForce(self._store.profile(held, kind, self._keyring), standing, tuple(passed_over))
                except ArtifactProblem as problem:
                    _log.error("a profile can't be used", kind=kind, version=held.version, reason=str(problem))
                    passed_over.append(f"{held.version}: {problem}")
        newest = shipped.newest(kind, self._keyring, self._shipped)
        return None if newest is None else InForce(newest, Standing.SHIPPED, tuple(passed_over))
