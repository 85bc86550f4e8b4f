"""Which cameras are not opened any more, since their streams ended the process (隔离). Pure: a ledger and its transitions.

Three crashes within a day quarantine a camera. It gets one try after a day, alone: one more crash puts it back, ten minutes
of pictures free it. Where several cameras were suspects of the same crashes, all are quarantined at once, so that the rest
of the node goes on, and tried one after the other within minutes: the crash of a try names the one.
An operator frees or quarantines a camera at any time; another address, model or log-in makes it another camera.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from edge.node.crashes import Crash
from edge.settings import CameraSettings

CRASHES_TO_QUARANTINE: Final = 3
WINDOW: Final = timedelta(days=1)
"""Crashes longer ago than this do not count any more."""

COOL_DOWN: Final = timedelta(days=1)
SUSPECTS_APART: Final = timedelta(minutes=10)
"""So far apart from each other, suspects of the same crash get their tries."""

TRY: Final = timedelta(minutes=10)
"""Someone who has shown pictures for so long in a try is free."""

_SOURCE_KEYS: Final = frozenset({"url", "user", "password_file", "loop", "analysis_hz", "model"})


class Held(StrEnum):
    """Why a camera is not opened."""

    CRASHES = "crashes"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one camera. `held_since` is set in quarantine, `tried_since` during a try."""

    source: str
    crashes: tuple[datetime, ...] = ()
    signal: str = ""
    held: Held | None = None
    held_since: datetime | None = None
    retry_at: datetime | None = None
    tried_since: datetime | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not self.crashes and self.held is None and self.tried_since is None


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that is remembered: the records of cameras, and how many crashes there were, with and without a suspect."""

    records: Mapping[str, Record] = field(default_factory=dict)
    crashes: int = 0
    without_suspect: int = 0

    def record(self, camera: str) -> Record | None:
        """What is known of a camera; None for nothing."""
        return self.records.get(camera)

    def holds(self, camera: str) -> bool:
        """Whether the camera is in quarantine."""
        known = self.records.get(camera)
        return known is not None and known.held is not None

    def reconciled(self, sources: Mapping[str, str], now: datetime) -> "Ledger":
        """After a start: what changed or went from the configuration is forgotten, and so are crashes of long ago.

        A clock that was set back makes no quarantine longer: what lies ahead counts from now.
        """
        kept = {
            camera: _aged(record, now)
            for camera, record in self.records.items()
            if sources.get(camera) == record.source
        }
        return replace(self, records=_without_empty(kept))

    def crashed(self, crash: Crash, sources: Mapping[str, str], now: datetime) -> "Ledger":
        """After a crash: it is counted for every suspect, or for the one that was being tried."""
        suspects = [camera for camera in crash.cameras if camera in sources and not self.holds(camera)]
        tried = [camera for camera in suspects if self._record(camera, sources).tried_since is not None]
        suspects = tried or suspects
        records = dict(self.records)
        reached: list[str] = []
        for camera in suspects:
            record = _aged(self._record(camera, sources), now)
            record = replace(record, crashes=(*record.crashes, now)[-CRASHES_TO_QUARANTINE:], signal=crash.signal)
            if record.tried_since is not None or len(record.crashes) >= CRASHES_TO_QUARANTINE:
                reached.append(camera)
            records[camera] = record
        sure = len(reached) == 1
        for place, camera in enumerate(reached):
            retry_at = now + (COOL_DOWN if sure else SUSPECTS_APART * (place + 1))
            records[camera] = replace(
                records[camera], held=Held.CRASHES, held_since=now, retry_at=retry_at, tried_since=None
            )
        return Ledger(records, self.crashes + 1, self.without_suspect + (not suspects))

    def due(self, now: datetime) -> str | None:
        """The camera whose try is due; none while another one is being tried."""
        tries = (record.tried_since for record in self.records.values())
        if any(since is not None and timedelta() <= now - since < TRY for since in tries):
            return None
        waiting = [
            (record.retry_at, camera)
            for camera, record in self.records.items()
            if record.held is Held.CRASHES and record.retry_at is not None and record.retry_at <= now
        ]
        return min(waiting)[1] if waiting else None

    def on_trial(self, now: datetime) -> tuple[str, ...]:
        """The cameras whose try has lasted long enough: free, if they have shown pictures."""
        return tuple(
            camera
            for camera, record in self.records.items()
            if record.tried_since is not None and now - record.tried_since >= TRY
        )

    def tried(self, camera: str, now: datetime) -> "Ledger":
        """The camera is opened for a try."""
        return self._with(camera, lambda record: replace(record, held=None, retry_at=None, tried_since=now))

    def passed(self, camera: str) -> "Ledger":
        """The camera held out, or an operator frees it: nothing is remembered against it."""
        return replace(self, records={name: record for name, record in self.records.items() if name != camera})

    def quarantined(self, camera: str, sources: Mapping[str, str], now: datetime) -> "Ledger":
        """An operator wants it closed, until he frees it."""
        record = self._record(camera, sources)
        held = replace(record, held=Held.OPERATOR, held_since=now, retry_at=None, tried_since=None)
        return replace(self, records={**self.records, camera: held})

    def _record(self, camera: str, sources: Mapping[str, str]) -> Record:
        return self.records.get(camera) or Record(sources[camera])

    def _with(self, camera: str, change: Callable[[Record], Record]) -> "Ledger":
        return replace(self, records={**self.records, camera: change(self.records[camera])})


def sources_of(cameras: Iterable[CameraSettings]) -> dict[str, str]:
    """By camera what makes it the same camera for the quarantine: a hash of where its pictures come from and go to."""
    return {camera.id: _source(camera) for camera in cameras}


def _source(camera: CameraSettings) -> str:
    told = camera.model_dump(mode="json", include=set(_SOURCE_KEYS))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _aged(record: Record, now: datetime) -> Record:
    """Without crashes of long ago, and without times that lie further ahead than they can."""
    crashes = tuple(min(at, now) for at in record.crashes if now - at <= WINDOW or record.held is not None)
    retry_at = None if record.retry_at is None else min(record.retry_at, now + COOL_DOWN)
    held_since = None if record.held_since is None else min(record.held_since, now)
    tried_since = None if record.tried_since is None else min(record.tried_since, now)
    return replace(record, crashes=crashes, retry_at=retry_at, held_since=held_since, tried_since=tried_since)


def _without_empty(records: Mapping[str, Record]) -> dict[str, Record]:
    return {camera: record for camera, record in records.items() if not record.empty}
