"""What a camera costs while nothing happens: the node's own watch, with its gate and without one, over RTSP, in one run.

The footage is a real empty scene, forwards and backwards with its own noise, as a camera would encode it. Each camera has all checks for camera
trouble, two rules and a detector. The simulated cameras run in a process of their own, which counts for nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge.benches.films import AS_A_CAMERA, IDLE_FILM_S, NOISY, Film, Kind, idle_film
from edge.benches.machine import Place, keep_to
from edge.benches.watching import Order, Watched, watch
from edge.configuration.words import camera_from_words
from edge.perception.audit import AuditSettings
from edge.perception.pipeline import LONG_QUIET_S
from edge.settings import CameraSettings
from edge.simulators.camera_process import CameraProcess

MODEL: Final = "yolox_nano_416"
SECONDS: Final = 30.0
"""As long as the time from one probe of a quiet camera to the next: cameras are opened over as long, so that each share of it is seen."""

SETTLED_S: Final = LONG_QUIET_S + 5.0
"""A camera costs more in its first quiet minute than for the rest of the night."""

_SHORT_S: Final = 10.0
_AUDITED: Final = AuditSettings().for_s / AuditSettings().every_s
"""The share of the time in which a gate is audited, over a day."""


@dataclass(frozen=True, slots=True)
class Situation:
    """A kind of stream, and how many cameras of it are watched behind gates and decoded whole. `compared`: the two are held against each other,
    so that both are measured for as long.
    """

    kind: Kind
    gated: int
    whole: int
    compared: bool = False


PLAIN: Final = "768x432"
FULL_HD: Final = "1080p"
NOISE: Final = "768x432-noisy-cbr"

SITUATIONS: Final[Mapping[str, Situation]] = {
    PLAIN: Situation(Kind(768, 432, 10, AS_A_CAMERA), gated=32, whole=6),
    FULL_HD: Situation(Kind(1920, 1080, 25, AS_A_CAMERA), gated=6, whole=4, compared=True),
    NOISE: Situation(Kind(768, 432, 10, NOISY), gated=32, whole=6),
}


@dataclass(frozen=True, slots=True)
class Row:
    """Shares of one core per camera: taking packets in and nothing else, behind gates, everything decoded. `audited`: the share of
    the time in which gates were audited while they were measured.

    `settled`: whether the gates had learnt their streams; `gates`: what they said, and how many of them; `decoded_share`: of the
    pictures that came behind gates; `lost`: cameras that were lost meanwhile, so that their share tells nothing; `kept_up`: share of what the
    cameras sent that was taken in, the least of the three: a machine that does not keep up makes cameras look cheap.
    """

    situation: str
    cameras: int
    demuxed: float
    gated: float
    audited: float
    whole_cameras: int
    whole: float
    settled: bool
    gates: Mapping[str, int]
    decoded_share: float
    lost: int
    kept_up: float
    stream_kbit_s: float
    memory_mib: float

    @property
    def behind_gate(self) -> float:
        """What a camera behind a gate costs in the long run: with as many audits as there are, and not as chance had it meanwhile."""
        unaudited = (self.gated - self.audited * self.whole) / (1 - self.audited)
        return unaudited + _AUDITED * max(0.0, self.whole - unaudited)

    @property
    def times_cheaper(self) -> float:
        """How many times as much it costs to decode everything."""
        return self.whole / self.behind_gate


def idle_camera(name: str, url: str, *, gate: bool) -> CameraSettings:
    """A camera with everything on."""
    rules = ["intrusion:floor", "loitering:floor:16.5", "camera_trouble"]
    camera = camera_from_words(["floor=0,0.25 1,0.25 1,1 0,1"], rules, model=MODEL, analysis_hz=5.0)
    return camera.model_copy(update={"id": name, "url": url, "gate": gate})


def measured(
    name: str,
    situation: Situation,
    film: Film,
    place: Place,
    *,
    seconds: float,
    settling_s: float,
) -> Row:
    """One kind of stream, in three ways. Raises MeasurementFailed, MediaUnusable."""
    path = idle_film(film, situation.kind, place.say)
    with CameraProcess(path, log=place.folder / "cameras.log") as camera:
        keep_to(camera.pid, place.other_cores)

        def run(system: str, count: int, *, gate: bool, long: bool) -> Watched:
            cameras = [idle_camera(f"c{number}", camera.url, gate=gate) for number in range(count)]
            return watch(
                Order(
                    system,
                    [each.model_dump(mode="json") for each in cameras],
                    settled_s=min(SETTLED_S if long else _SHORT_S, settling_s),
                    seconds=seconds if long else min(seconds, _SHORT_S),
                    settling_s=settling_s if gate else 0.0,
                    spread_s=seconds if long else 0.0,
                ),
                place.folder,
            )

        demuxed = run("demuxed", situation.gated, gate=False, long=False)
        gated = run("node", situation.gated, gate=True, long=True)
        whole = run("node", situation.whole, gate=False, long=situation.compared)
    row = _row(name, situation, demuxed, gated, whole, stream_kbit_s=path.stat().st_size * 8 / IDLE_FILM_S / 1000)
    place.say(in_words(row))
    return row


def _row(
    name: str, situation: Situation, demuxed: Watched, gated: Watched, whole: Watched, *, stream_kbit_s: float
) -> Row:
    words = list(gated.gates.values())
    behind, everything = gated.cpu_cores / situation.gated, whole.cpu_cores / situation.whole
    return Row(
        situation=name,
        cameras=situation.gated,
        demuxed=round(demuxed.cpu_cores / situation.gated, 5),
        gated=round(behind, 5),
        audited=round(min(0.5, gated.audited_s / gated.wall_s / situation.gated), 4),
        whole_cameras=situation.whole,
        whole=round(everything, 5),
        settled=gated.settled,
        gates={word: words.count(word) for word in sorted(set(words))},
        decoded_share=round(gated.decoded / max(gated.decoded + gated.spared, 1), 3),
        lost=demuxed.lost_meanwhile + gated.lost_meanwhile + whole.lost_meanwhile,
        kept_up=round(min(_kept_up(each, situation.kind.rate) for each in (demuxed, gated, whole)), 3),
        stream_kbit_s=round(stream_kbit_s, 1),
        memory_mib=gated.memory_mib,
    )


def _kept_up(watched: Watched, rate: int) -> float:
    return (watched.decoded + watched.spared) / watched.wall_s / len(watched.analysed_hz) / rate


def in_words(row: Row) -> str:
    """A row as a line."""
    gates = ", ".join(f"{count} {word}" for word, count in row.gates.items())
    return (
        f"{row.situation:<18} {row.cameras} cameras: {100 * row.behind_gate:.2f} % of a core each (packets alone {100 * row.demuxed:.2f}, "
        f"all decoded {100 * row.whole:.2f}), {100 * row.decoded_share:.0f} % decoded; gates: {gates}; kept up with {100 * row.kept_up:.0f} %"
    )
