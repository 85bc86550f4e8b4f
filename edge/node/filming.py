"""Which incidents of one camera get a film, and of which packets: kept from the beginning on, ordered when the time after it is there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from edge.contract.incident import IncidentState, Severity
from edge.evidence.clip import POST_ROLL, PRE_ROLL
from edge.flow import Detector, Finding, NativeMark, Packet, PrivateParts, StreamFormat
from edge.node.clips import ClipOrder, ClipWorker
from edge.settings import CameraSettings
from edge.sources.packets import PacketRing

Sent = tuple[StreamFormat | None, tuple[Packet, ...]]


@dataclass(slots=True)
class _Film:
    """The film of one incident, until it is ordered. What the camera has sent is held here: the ring lets go of it."""

    key: str
    started_at: datetime
    opened_at: datetime
    severity: Severity
    sent: Sent = field(repr=False)

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
    """The films of one camera. The threads of its analysis and of its source both come here."""

    def __init__(self, ring: PacketRing, worker: ClipWorker, mark: NativeMark) -> None:
        self._ring, self._worker, self._mark = ring, worker, mark
        self._films: dict[tuple[str, datetime], _Film] = {}

    def follow(self, finding: Finding) -> None:
        """What opens gets a film; what is told of it later may be worse."""
        if finding.state is IncidentState.OPEN:
            found, packets = self._ring.clip(finding.at - PRE_ROLL)
            film = _Film(finding.key, finding.started_at, finding.at, finding.severity, (found, tuple(packets)))
            self._films[finding.key, finding.started_at] = film
            return
        for film in list(self._films.values()):
            if film.key == finding.key:
                film.severity = max(film.severity, finding.severity, key=lambda severity: severity.rank)

    def save(self) -> None:
        """From the source's thread, which empties the ring when it connects anew."""
        for film in list(self._films.values()):
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
        for place, film in list(self._films.items()):
            if not at_once and reached - film.opened_at < POST_ROLL:
                continue
            film.go_on(self._ring)
            del self._films[place]
            stream_format, packets = film.sent
            self._worker.order(
                ClipOrder(
                    camera=camera,
                    key=film.key,
                    started_at=film.started_at,
                    severity=film.severity,
                    opened_at=film.opened_at,
                    stream_format=stream_format,
                    packets=packets,
                    until=film.opened_at + POST_ROLL,
                    known=known(at),
                    detector=detector,
                    mark=self._mark,
                )
            )
