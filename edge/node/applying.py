"""How the node takes profiles into use: as a changed file, read anew with the profile under it; by a new start where that is not enough."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from msgspec.structs import replace

from edge.configuration.profiles import NODE_KIND, PROFILE_KINDS, forbidden
from edge.configuration.reading import examine
from edge.configuration.reload import Change, change
from edge.contract.artifacts import StepCode
from edge.errors import ConfigurationError, StepRefused
from edge.node.declaration import software_version
from edge.node.reloading import rehearse
from edge.node.standing import Standing
from edge.provisioning import policy
from edge.provisioning.in_force import Profiles
from edge.provisioning.record import Entry, Held, Trial, Trouble, without
from edge.provisioning.store import Store
from edge.settings import NodeConfiguration
from firmware_configs import shipped
from firmware_configs.keyring import Keyring
from firmware_configs.problems import ArtifactProblem
from firmware_configs.semver import Version
from firmware_configs.shipped import SignedProfile
from firmware_configs.signature import ArtifactClass, Signature

_log = structlog.get_logger(__name__)

WATCH_S: Final = 60.0
"""A camera that can't be opened any more, a pile that is lost: by then it is known."""


def kinds_in_use(configuration: NodeConfiguration) -> frozenset[str]:
    """Every kind of profile that an entry names."""
    named = (
        configuration.node.profile,
        *(camera.profile for camera in configuration.cameras),
        *(device.profile for device in configuration.devices),
    )
    return frozenset(kind for kind in named if kind is not None)


def versions_in_force(directory: Path, configuration: NodeConfiguration) -> dict[str, str]:
    """Which version of each profile holds that an entry names."""
    profiles = Profiles(directory)
    found = ((kind, profiles.profile(kind)) for kind in kinds_in_use(configuration))
    return {kind: str(profile.version) for kind, profile in found if profile is not None}


class ProfileApplier:
    """Profiles on one node. `adopt` goes on with a configuration, `renew` ends the process so that the next one begins with it."""

    watch_s = WATCH_S

    def __init__(
        self,
        directory: Path,
        file: Path | None,
        *,
        configuration: Callable[[], NodeConfiguration],
        adopt: Callable[[NodeConfiguration], Change],
        renew: Callable[[str], None],
        standing: Standing,
        watch_s: float = WATCH_S,
    ) -> None:
        self._directory = directory
        self._file = file
        self._configuration = configuration
        self._adopt = adopt
        self._renew = renew
        self._standing = standing
        self._store = Store(directory)
        self.watch_s = watch_s
        self.patience_s = 0.0

    def running(self, name: str) -> tuple[str, str | None] | None:
        """The version that came with the software, where it is the one that holds."""
        found = Profiles(self._directory).of(name)
        return None if found is None else (str(found.signed.profile.version), found.signed.signature.sha256)

    def admit(self, name: str) -> None:
        """Raises StepRefused for a kind that is not known, or that nothing here is set up with."""
        if self._file is None:
            raise StepRefused(
                StepCode.UNSUPPORTED, "this node was not started with a file that profiles could stand under"
            )
        if name not in PROFILE_KINDS:
            raise StepRefused(StepCode.UNSUPPORTED, f"this software knows no kind of profile `{name}`")
        if name not in kinds_in_use(self._configuration()):
            raise StepRefused(StepCode.OTHER_KIND, f"nothing on this node is set up with the profile `{name}`")

    def inspect(self, signature: Signature) -> None:
        """The content, and the whole configuration as it would be with it. Raises StepRefused."""
        signed = self._read(signature)
        profile = signed.profile
        if profile.minimum_software > (own := Version.parse(software_version())):
            raise StepRefused(
                StepCode.SOFTWARE_TOO_OLD,
                f"{profile.kind} {profile.version} needs software {profile.minimum_software}, this is {own}",
            )
        for place, reason in forbidden(profile):
            raise StepRefused(StepCode.NOT_VALID, f"{'.'.join(map(str, place))}: {reason}")
        configuration = self._examined(Profiles(self._directory, instead={profile.kind: signed}))
        rehearse_or_refuse(configuration)

    def begin(self, _entry: Entry, _trial: Trial) -> None:
        """Go on with the file as it reads with what the record says."""
        self._take_in("a profile")

    def go_back(self, _entry: Entry, _reason: str) -> None:
        """The same: the record says what holds."""
        self._take_in("the profile before")

    def confirm(self, _entry: Entry) -> None:
        """It runs already."""

    def troubles(self, name: str) -> frozenset[Trouble]:
        """What is degraded among the devices that are set up with it; for the node's own profile, all of it."""
        configuration = self._configuration()
        set_up = {camera.id for camera in configuration.cameras if name in {camera.profile, NODE_KIND}}
        set_up |= {device.id for device in configuration.devices if name in {device.profile, NODE_KIND}}
        models = {camera.model for camera in configuration.cameras if camera.profile == name and camera.model}
        told = self._standing.degradations()
        return frozenset(
            (each.subject, each.reason) for each in told if name == NODE_KIND or each.subject in {*set_up, *models}
        )

    def _read(self, signature: Signature) -> SignedProfile:
        held = Held(signature.version, signature.sha256)
        try:
            return self._store.profile(held, signature.name, self._store.keyring())
        except ArtifactProblem as problem:
            raise StepRefused(policy.code_of(problem), str(problem)) from problem

    def _examined(self, profiles: Profiles) -> NodeConfiguration:
        if self._file is None:
            raise StepRefused(StepCode.UNSUPPORTED, "this node was not started with a file")
        configuration, mistakes = examine(self._file, profiles=profiles)
        if configuration is None:
            more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
            raise StepRefused(StepCode.NOT_VALID, f"{mistakes[0].text(self._file)}{more}")
        return configuration

    def _take_in(self, what: str) -> None:
        configuration = self._examined(Profiles(self._directory))
        found = change(self._configuration(), configuration)
        if found.problem is None:
            self._adopt(configuration)
        else:
            self._renew(f"{what} changes {', '.join(found.refused)}: the node starts anew with it")


def rehearse_or_refuse(configuration: NodeConfiguration) -> None:
    """Raises StepRefused for a configuration that the node could not go on with."""
    try:
        rehearse(configuration)
    except ConfigurationError as error:
        raise StepRefused(StepCode.NOT_VALID, str(error)) from error


def pin_shipped(store: Store, kinds: frozenset[str], *, shipped_folder: Path = shipped.FOLDER) -> tuple[str, ...]:
    """Hold on to the version that came with the software where none was given: a newer software changes no device by itself. A version
    that was given and is damaged gives way to the one before, so that nothing is announced that does not run; what was wrong comes back.

    Where the disk does not take it the same version holds all the same, until there is another software.
    """
    record, keyring = store.record(), store.keyring()
    damaged: list[str] = []
    settled = record
    try:
        for kind in sorted(kinds & PROFILE_KINDS.keys()):
            entry = settled.entry(ArtifactClass.PROFILE, kind)
            for held in (entry.current, entry.previous):
                problem = None if held is None else _problem_of(store, held, kind, keyring)
                if held is not None and problem is not None:
                    damaged.append(f"{kind} {held.version}: {problem}")
                    entry = without(entry, held)
            newest = shipped.newest(kind, keyring, shipped_folder) if entry.current is None else None
            if newest is not None:
                store.put(newest.signature, newest.content)
                held = Held(newest.signature.version, newest.signature.sha256)
                entry = replace(entry, artifact=ArtifactClass.PROFILE, name=kind, current=held)
            if entry.holds:
                settled = settled.with_entry(entry)
        if settled != record:
            store.save(settled)
    except OSError as error:
        _log.error("which profiles hold can't be written down", reason=str(error))
    return tuple(damaged)


def _problem_of(store: Store, held: Held, kind: str, keyring: Keyring) -> str | None:
    try:
        store.profile(held, kind, keyring)
    except ArtifactProblem as problem:
        return str(problem)
    return None
