"""One device on its way to another firmware (固件升级): what has to be true before it is asked, and what of its words counts. Pure.

A device has the firmware when its own start names the version. That it agrees, downloads, or says that it installed moves a job on or ends it
badly; it never makes it a success.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from edge.contract.artifacts import (
    DEVICES_TOLD,
    STEPS_ENDED,
    DeviceFirmware,
    StepCode,
    StepReport,
    StepState,
    VersionText,
)
from edge.contract.downlink import DesiredProfile
from edge.contract.fields import Instant, Name
from edge.flow import FirmwareTold
from edge.provisioning.record import LONGEST_REASON
from firmware_configs.device_firmware import announced_version, family_of, is_lower
from firmware_configs.signature import ArtifactClass

SETTLES_IN: Final = timedelta(minutes=5)
"""A device that has said that it installed may start more than once before it runs the new; so long the old one proves nothing."""

FETCHES_IN: Final = timedelta(hours=2)
"""So long a device that was asked may take to fetch it, also where the time to ask is over meanwhile."""

LARGEST_RECORD_BYTES: Final = 2 << 20
STEPS_TOLD: Final = 64

_BAD_WORDS: Final = {
    "download_failed": StepCode.NOT_FETCHED,
    "invalid_signature": StepCode.BAD_SIGNATURE,
    "installation_failed": StepCode.NOT_INSTALLED,
    "install_verification_failed": StepCode.NOT_INSTALLED,
}
"""OCPP 1.6 §7.25, and what the security whitepaper added."""

_INSTALLED: Final = "installed"


class Known(Struct, frozen=True):
    """What a device announced last: the name of its make and model, and its version."""

    name: Name
    version: VersionText


class Job(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest order for a device. `token` is that of its address since it was first asked, at `asked_at`; `is_asked`: it has agreed.
    `installed_at`: when it said that it had installed. `is_unsure`: an order before it may still be at work in the device, so that what it
    runs now proves nothing.
    """

    order: DesiredProfile
    step: StepReport
    is_fetched: bool = False
    token: Annotated[str, Meta(max_length=100)] | None = None
    asked_at: Instant | None = None
    is_asked: bool = False
    installed_at: Instant | None = None
    is_unsure: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing will be done for it any more."""
        return self.step.state in STEPS_ENDED

    @property
    def open_until(self) -> datetime | None:
        """How long its address may stay, as long as the step does: the order's deadline is that of asking."""
        if self.asked_at is None or self.order.deadline is None:
            return self.order.deadline
        return max(self.order.deadline, self.asked_at + FETCHES_IN)


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All about one device."""

    device: Name
    known: Known | None = None
    job: Job | None = None
    ordered_at: Instant | None = None


class Book(Struct, frozen=True, kw_only=True):
    """All devices of a node; written as a whole."""

    v: int = 1
    entries: Annotated[tuple[Entry, ...], Meta(max_length=DEVICES_TOLD)] = ()

    def entry(self, device: str) -> Entry:
        """That of a device, an empty one where there is none."""
        return next((each for each in self.entries if each.device == device), Entry(device=device))

    def with_entry(self, entry: Entry) -> "Book":
        """The same with one entry replaced or added."""
        return replace(self, entries=(*(each for each in self.entries if each.device != entry.device), entry))

    def only(self, devices: frozenset[str]) -> "Book":
        """Without devices that are none any more."""
        return replace(self, entries=tuple(each for each in self.entries if each.device in devices))

    def has_room_for(self, devices: frozenset[str]) -> bool:
        """Whether it can still be read once there is an entry of each of these."""
        return len(devices.union(each.device for each in self.entries)) <= DEVICES_TOLD

    def running(self) -> tuple[DeviceFirmware, ...]:
        """What births tell of versions."""
        return tuple(
            DeviceFirmware(device=each.device, name=each.known.name, version=each.known.version)
            for each in sorted(self.entries, key=lambda each: each.device)
            if each.known is not None
        )

    def steps(self) -> tuple[StepReport, ...]:
        """What births tell of orders: the newest, those that are not over before all."""
        told = [each.job.step for each in self.entries if each.job is not None]
        told.sort(key=lambda step: (step.state not in STEPS_ENDED, step.at))
        return tuple(told[-STEPS_TOLD:])

    def hashes(self) -> frozenset[str]:
        """Of all files that have to stay."""
        return frozenset(
            each.job.order.sha256 for each in self.entries if each.job is not None and not each.job.is_over
        )


class Deed(StrEnum):
    """What is to be done for a job now."""

    WAIT = "wait"
    FETCH = "fetch"
    ASK = "ask"


def begun(order: DesiredProfile, now: datetime, before: Job | None = None) -> Job:
    """A job of an order that was taken; `before` is that of the order that it takes the place of."""
    return Job(
        order=order, step=_step(order, StepState.FETCHING, now), is_unsure=before is not None and _is_at_work(before)
    )


def _is_at_work(job: Job) -> bool:
    """Whether the device may still install it: it was told to, and nothing that it said since ended that."""
    if job.asked_at is None:
        return job.is_unsure
    return not job.is_over or job.step.code == StepCode.LATE


def refused(order: DesiredProfile, code: StepCode, reason: str, now: datetime) -> Job:
    """A job that ended before it began."""
    return told(begun(order, now), StepState.REFUSED, now, code, reason)


def told(job: Job, state: StepState, now: datetime, code: StepCode | None = None, reason: str | None = None) -> Job:
    """The job with another step."""
    return replace(job, step=_step(job.order, state, now, code, reason))


def asked(job: Job, token: str, now: datetime) -> Job:
    """It is about to be asked: whatever becomes of this process, the device may have heard."""
    return replace(told(job, StepState.TRYING, now), token=token, asked_at=now)


def seen(entry: Entry, view: FirmwareTold) -> Entry:
    """With what the device says that it runs, where it says so."""
    name, version = family_of(view.vendor, view.model), announced_version(view.version)
    if view.booted_at is None or name is None or version is None:
        return entry
    return replace(entry, known=Known(name, version))


def judged(job: Job, view: FirmwareTold | None, now: datetime) -> tuple[Job, Deed]:
    """The job as it stands after what is known now, and what to do for it."""
    if job.is_over:
        return job, Deed.WAIT
    view = view or FirmwareTold()
    heard = _heard(job, view, now)
    if heard != job or heard.is_asked:
        return heard, Deed.WAIT
    version = _version(view)
    problem = None if version is None or job.asked_at is not None else _unfit(job.order, view, version)
    if problem is not None:
        return told(job, StepState.REFUSED, now, *problem), Deed.WAIT
    if not job.is_fetched:
        return job, Deed.FETCH
    return job, Deed.ASK if version is not None and view.is_connected and view.is_idle else Deed.WAIT


def _version(view: FirmwareTold) -> str | None:
    return None if view.booted_at is None else announced_version(view.version)


def _unfit(order: DesiredProfile, view: FirmwareTold, version: str) -> tuple[StepCode, str] | None:
    family = family_of(view.vendor, view.model)
    if family != order.profile:
        return StepCode.OTHER_KIND, f"it is for {order.profile}, and the device is {family or 'of no known make'}"
    if is_lower(order.version, version) and not order.roll_back:
        return StepCode.DOWNGRADE, f"{order.version} is lower than {version}, and no way back was ordered"
    return None


def _heard(job: Job, view: FirmwareTold, now: datetime) -> Job:
    """What the device's start proves, what it said since it was asked, and what time has brought."""
    is_new = view.started_at is not None and job.asked_at is not None and view.started_at > job.asked_at
    is_it = _version(view) == job.order.version and family_of(view.vendor, view.model) == job.order.profile
    if is_it and (is_new or not job.is_unsure):
        return told(job, StepState.APPLIED, now)
    if job.asked_at is not None:
        job = _said(job, view, job.asked_at, now)
    if job.is_over or job.is_asked or job.order.deadline is None or now < job.order.deadline:
        return job
    return _overdue(job, now)


def _said(job: Job, view: FirmwareTold, since: datetime, now: datetime) -> Job:
    if view.status_at is not None and view.status_at >= since and view.status is not None:
        code = _BAD_WORDS.get(view.status)
        if code is not None:
            return told(job, StepState.FAILED, now, code, f"the device says {view.status}")
        job = replace(job, is_asked=job.is_asked or view.status != "idle")
        if view.status == _INSTALLED and job.installed_at is None:
            job = replace(job, installed_at=view.status_at)
    after = job.installed_at
    if after is not None and view.started_at is not None and after < view.started_at <= now - SETTLES_IN:
        runs = _version(view) or "what it does not name"
        reason = f"it says that it installed {job.order.version}, and starts with {runs}"
        return told(job, StepState.FAILED, now, StepCode.OTHER_VERSION, reason)
    return job


def _overdue(job: Job, now: datetime) -> Job:
    if job.asked_at is None:
        reason = "the device was not there, or never idle, within the time of the order"
        return told(job, StepState.REFUSED, now, StepCode.LATE, reason)
    return told(job, StepState.FAILED, now, StepCode.LATE, "the device did not answer within the time of the order")


def _step(
    order: DesiredProfile, state: StepState, now: datetime, code: StepCode | None = None, reason: str | None = None
) -> StepReport:
    return StepReport(
        desired_id=order.desired_id,
        artifact=ArtifactClass.FIRMWARE.value,
        name=order.profile,
        version=order.version[:64] or "-",
        sha256=order.sha256,
        state=state.value,
        code=None if code is None else code.value,
        reason=None if reason is None else reason[:LONGEST_REASON],
        at=now,
        device=order.device,
    )


def encoded(book: Book) -> bytes:
    """As it stands in its file."""
    return msgspec.json.format(msgspec.json.encode(book), indent=1)


def decoded(content: bytes) -> Book:
    """Read it. Raises ValueError for what is none."""
    if len(content) > LARGEST_RECORD_BYTES:
        raise ValueError("larger than any record")
    try:
        return msgspec.json.decode(content, type=Book)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
