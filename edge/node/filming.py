"""Which incidents of one camera get a film, and of which packets: kept from the beginning on, ordered when the time after it is there."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from edge.contract.incident import IncidentState
from edge.evidence.clip import POST_ROLL, PRE_ROLL
from edge.flow import Detector, Finding, NativeMark, Packet, PrivateParts, StreamFormat
from edge.node.clips import ClipOrder, ClipOwner, ClipWorker
from edge.settings import CameraSettings
from edge.sources.packets import PacketRing

Sent = tuple[StreamFormat | None, tuple[Packet, ...]]

ONE_MOMENT: Final = timedelta(seconds=1.0)
"""What other devices tell within so long has one film."""

MOST_OWNERS: Final = 64
"""Incidents of one moment that share a film; those that come then go without."""


@dataclass(slots=True, eq=False)
class _Film:
    """The film of one incident, or of those of other devices at one moment (`linked`), until it is ordered. What the camera has sent is held
    here: the ring lets go of it.
    """

    owners: list[ClipOwner]
    opened_at: datetime
    sent: Sent = field(repr=False)
    linked: bool = False
    still_at: datetime | None = None

    def go_on(self, ring: PacketRing) -> None:
        """Take along what the ring has got since, unless that is another connection's: it can't be joined."""
        stream_format, packets = self.sent
        if not packets:
            found, later = ring.clip(self.opened_at - PRE_ROLL)
            self.sent = found, tuple(later)
            return
        last = packets[-1]
        found, later = ring.clip(last.captured_at)
        if found is stream_format:
            places = [place for place, packet in enumerate(later) if packet is last]
            self.sent = found, (*packets, *(later[places[-1] + 1 :] if places else ()))


class Filming:
    """The films of one camera. The threads of its analysis, of its source and of the linkage come here."""

    def __init__(self, ring: PacketRing, worker: ClipWorker, mark: NativeMark) -> None:
        self._ring, self._worker, self._mark = ring, worker, mark
        self._films: list[_Film] = []
        self._lock = threading.Lock()

    def follow(self, finding: Finding) -> None:
        """What opens gets a film; what is told of it later may be worse."""
        if finding.state is IncidentState.OPEN:
            found, packets = self._ring.clip(finding.at - PRE_ROLL)
            owner = ClipOwner(finding.key, finding.started_at, finding.severity)
            with self._lock:
                self._films.append(_Film([owner], finding.at, (found, tuple(packets))))
            return
        with self._lock:
            for film in self._films:
                for place, owner in enumerate(film.owners):
                    if owner.key == finding.key and finding.severity.rank > owner.severity.rank:
                        film.owners[place] = replace(owner, severity=finding.severity)

    def join(self, owner: ClipOwner, moment: datetime, *, still: bool) -> bool:
        """A film of this moment for the incident of another device; with `still` a picture of the moment as well. False where what was sent
        then is not kept: a film of another time is none of this one.
        """
        with self._lock:
            for film in self._films:
                if film.linked and abs(film.opened_at - moment) <= ONE_MOMENT:
                    if len(film.owners) >= MOST_OWNERS:
                        return False
                    film.owners.append(owner)
                    film.still_at = film.still_at or (moment if still else None)
                    return True
            span = self._ring.span
            if span is None or moment - PRE_ROLL > span[1] or moment < span[0] or (still and moment > span[1]):
                return False
            found, packets = self._ring.clip(moment - PRE_ROLL)
            still_at = moment if still else None
            self._films.append(_Film([owner], moment, (found, tuple(packets)), linked=True, still_at=still_at))
            return True

    def save(self) -> None:
        """From the source's thread, which empties the ring when it connects anew."""
        with self._lock:
            for film in self._films:
                film.go_on(self._ring)

    def order(
        self,
        at: datetime,
        camera: CameraSettings,
        known: Callable[[datetime], PrivateParts],
        detector: Detector | None,
        *,
        at_once: bool = False,
    ) -> None:
        """Order the films of what opened so long ago that the time after it is there; with `at_once` all: nothing more will come.

        A frame may be decoded long after its time: how far the ring is counts as well as how far the analysis.
        """
        newest = self._ring.newest_at
        reached = at if newest is None else max(at, newest)
        with self._lock:
            due = [film for film in self._films if at_once or reached - film.opened_at >= POST_ROLL]
            self._films = [film for film in self._films if film not in due]
            for film in due:
                film.go_on(self._ring)
        for film in due:
            stream_format, packets = film.sent
            self._worker.order(
                ClipOrder(
                    camera=camera,
                    owners=tuple(film.owners),
                    opened_at=film.opened_at,
                    stream_format=stream_format,
                    packets=packets,
                    until=film.opened_at + POST_ROLL,
                    known=known(at),
                    detector=detector,
                    mark=self._mark,
                    linked=film.linked,
                    still_at=film.still_at,
                )
            )
