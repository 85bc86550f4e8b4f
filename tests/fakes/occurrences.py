"""What happens in the clips and in what is made of them, and how the incidents of a replay are held against it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import cv2
import numpy as np

from edge.configuration.words import camera_from_words
from edge.flow import Image
from edge.replay import ReplayIncident
from edge.settings import CameraSettings
from edge.video import Video
from models import catalogue
from tests.fakes.compositions import (
    CutOut,
    Mask,
    Shot,
    apart,
    background,
    cut_out,
    going_by,
    lit,
    mirrored,
    patch,
    set_in,
    shots,
    to_and_fro,
)
from tests.fakes.visits import CLIP, LOITERERS, LOITERING_LIMIT_S, VISIBLE_S

CARS = "car_detection"
VEHICLES = ((4.4, 8.4, "out"), (14.9, 18.3, "in"), (15.2, 18.9, "out"), (25.3, 27.9, "in"))
"""When each car enters and leaves the picture, and how it crosses a line from left to right at half height: `in` is downwards."""

EMPTY_VISITS_S = ((0.0, 5.4), (46.2, 49.8), (71.2, 73.8), (88.2, 91.8), (137.0, 139.3))
EMPTY_CARS_S = ((0.0, 3.9), (9.0, 14.1), (19.5, 24.8))
"""Stretches in which nobody and nothing is in the picture."""

PARKING = "person_bicycle_car_preview"
MADE_S = 40.0
STOPS_S = (10.0, 28.0)
"""From when to when a car stands in the lane."""
RIDES_S = (12.0, 18.0)

LEFT_FOR_S = 20.0
LEFT_AFTER_S = 12.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """An incident that has to be found, by rule, beginning (with its tolerance) and, where it is known, direction."""

    rule: str
    started_s: float
    tolerance_s: float
    direction: str | None = None

    def is_told_by(self, incident: ReplayIncident) -> bool:
        """Whether the incident is this one."""
        same = incident.kind == self.rule and (self.direction is None or incident.direction == self.direction)
        return same and abs(incident.started_s - self.started_s) <= self.tolerance_s


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one rule: what had to be found, what was told, and how much of it was right."""

    wanted: int = 0
    told: int = 0
    right: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.wanted + other.wanted, self.told + other.told, self.right + other.right)

    @property
    def precision(self) -> float | None:
        """Which share of what was told is right; None where nothing was told."""
        return round(self.right / self.told, 3) if self.told else None

    @property
    def recall(self) -> float | None:
        """Which share of what had to be found was told; None where nothing had to be."""
        return round(self.right / self.wanted, 3) if self.wanted else None


def tallies(wanted: Sequence[Wanted], incidents: Sequence[ReplayIncident], rules: Sequence[str]) -> dict[str, Tally]:
    """Each incident tells one occurrence at most, and each occurrence is told once: what is told twice is wrong."""
    counts: dict[str, Tally] = {}
    for rule in rules:
        left = [each for each in wanted if each.rule == rule]
        told = [incident for incident in incidents if incident.kind == rule]
        right = 0
        for incident in told:
            match = next((each for each in left if each.is_told_by(incident)), None)
            if match is not None:
                left.remove(match)
                right += 1
        counts[rule] = Tally(len([each for each in wanted if each.rule == rule]), len(told), right)
    return counts


@dataclass(frozen=True, slots=True)
class Footage:
    """Pictures (made anew each time that they are asked for) with their rate, the camera that looks at them, and what has to be
    found.
    """

    name: str
    camera: CameraSettings
    wanted: tuple[Wanted, ...]
    shown: Callable[[], Iterator[Image]]
    rate: Fraction


def watching_all(*more: str, line: str = "half=0,0.5 1,0.5", without: str | None = None) -> CameraSettings:
    """A camera with every rule that needs no line, and further ones, on a floor that is nearly the whole picture."""
    rules = [
        "intrusion:floor",
        f"loitering:floor:{LOITERING_LIMIT_S}",
        "crowd:floor:2",
        "vehicle_dwell:floor:10",
        "two_wheeler:floor",
        f"abandoned_object:floor:{LEFT_FOR_S:g}",
        "camera_trouble",
        *more,
    ]
    rules = [rule for rule in rules if without is None or not rule.startswith(without)]
    lines = [line] if any(rule.startswith("line_crossing") for rule in more) else []
    return camera_from_words(["floor=0,0.25 1,0.25 1,1 0,1"], rules, lines=lines, model="yolox_nano_416")


def visits() -> Footage:
    """Six people come one at a time; three of them stay long."""
    wanted = [Wanted("intrusion", from_s, 0.9) for from_s, _ in VISIBLE_S]
    wanted += [Wanted("loitering", VISIBLE_S[visit][0], 0.9) for visit in LOITERERS]
    return Footage("visits", watching_all(), tuple(wanted), lambda: _images(CLIP), Fraction(10))


def leaving() -> Footage:
    """The six visitors cross a line beside the table, from left to right, on their way out."""
    wanted = tuple(Wanted("line_crossing", to_s - 1.0, 1.2, "out") for _, to_s in VISIBLE_S)
    camera = watching_all("line_crossing:door:in+out", line="door=0.75,0 0.75,1")
    return Footage("leaving", camera, (*visits().wanted, *wanted), lambda: _images(CLIP), Fraction(10))


def cars() -> Footage:
    """Four cars, seen straight from above, cross a line at half height: two up, two down."""
    wanted = tuple(
        Wanted("line_crossing", (from_s + to_s) / 2, (to_s - from_s) / 2, way) for from_s, to_s, way in VEHICLES
    )
    return Footage(
        "cars", watching_all("line_crossing:half:in+out:motion"), wanted, lambda: _images(CARS), Fraction(25, 2)
    )


def empty() -> Iterator[Footage]:
    """Nothing happens, for a minute each."""
    for name, clip, rate, stretches in (
        ("empty floor", CLIP, Fraction(10), EMPTY_VISITS_S),
        ("empty lane", CARS, Fraction(25, 2), EMPTY_CARS_S),
    ):
        images = [
            image for from_s, to_s in stretches for _, image in shots(catalogue.clip(clip), float(rate), from_s, to_s)
        ]
        camera = watching_all("line_crossing:half:in+out:motion")
        shown = partial(to_and_fro, images, 60.0, float(rate))
        yield Footage(name, camera, (), _of(shown), rate)


def made() -> Iterator[Footage]:
    """Scenes put together from the clips' own people and vehicles."""
    yield _two_at_the_table()
    parking = [image for _, image in shots(catalogue.clip(PARKING), 12.5)]
    bare = background(parking)
    ground = np.asarray(cv2.resize(bare, (768, 432), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    car = cut_out(parking[-1], bare, (0.0, 0.0, 0.5, 1.0))
    cyclist = mirrored(cut_out(parking[-1], bare, (0.6, 0.0, 1.0, 1.0)))

    def stops(at_s: float) -> float | None:
        """Where the car is: in from the left in two seconds, out to the right after it has stood."""
        if not STOPS_S[0] - 2.0 <= at_s < STOPS_S[1] + 2.0:
            return None
        return 0.55 + 0.35 * (min(at_s - STOPS_S[0], 0.0) + max(at_s - STOPS_S[1], 0.0))

    def rides(at_s: float) -> float | None:
        """Where the cyclist is: through the picture in six seconds."""
        return 0.2 * (at_s - RIDES_S[0]) - 0.1 if RIDES_S[0] <= at_s < RIDES_S[1] else None

    for name, thing, course, width, wanted, without in (
        ("a car in the fire lane", car, stops, 0.25, Wanted("vehicle_dwell", STOPS_S[0], 1.0), None),
        ("a car passes", car, rides, 0.25, None, None),
        ("a cyclist", cyclist, rides, 0.2, Wanted("two_wheeler", RIDES_S[0] + 1.0, 1.2), "intrusion"),
    ):

        def shown(
            thing: CutOut = thing, course: Callable[[float], float | None] = course, width: float = width
        ) -> Iterator[Image]:
            chance = np.random.default_rng(13)
            for index in range(round(MADE_S * 10)):
                x = course(index / 10)
                image = ground if x is None else going_by(ground, thing, (x, 0.85), width)
                grain = chance.normal(0.0, 2.0, (*image.shape[:2], 1)).astype(np.float32)
                yield np.clip(image + grain, 0, 255).astype(np.uint8)

        # a cyclist is a person as well, as far as a detector sees the rider: of that nothing is asked here
        camera = watching_all(without=without)
        yield Footage(name, camera, () if wanted is None else (wanted,), shown, Fraction(10))


def _two_at_the_table() -> Footage:
    """The second and, in a mirror, the third visitor are there together."""
    first, second = VISIBLE_S[1], VISIBLE_S[2]
    before_s, late_s = 2.4, 4.0
    floor = [image for _, image in shots(catalogue.clip(CLIP), 10.0, *EMPTY_VISITS_S[0])]
    bare = background(floor[::4])
    mirror = np.ascontiguousarray(bare[:, ::-1])

    def shown() -> Iterator[Image]:
        others = shots(catalogue.clip(CLIP), 10.0, second[0] - 1.0, second[1] + 1.0)
        for at_s, image in shots(catalogue.clip(CLIP), 10.0, first[0] - before_s, first[1] + 2.0):
            index = round(10 * (at_s - before_s - late_s + 1.0))
            if not 0 <= index < len(others):
                yield image
                continue
            other = np.ascontiguousarray(others[index][1][:, ::-1])
            share = apart(other, mirror)[:, :, None]
            yield (share * other + (1.0 - share) * image).astype(np.uint8)

    wanted = [Wanted("intrusion", before_s, 1.2), Wanted("intrusion", before_s + late_s, 1.5)]
    wanted += [Wanted("loitering", each.started_s, each.tolerance_s) for each in wanted]
    crowd = Wanted("crowd", before_s + late_s, 2.0)
    return Footage("two at the table", watching_all(), (*wanted, crowd), shown, Fraction(10))


def left_behind() -> Iterator[Footage]:
    """A thing that is left on the empty floor and in the visits, and what might be taken for one."""
    floor = [image for _, image in shots(catalogue.clip(CLIP), 10.0, *EMPTY_VISITS_S[0])]
    bare = background(floor[::4])

    def taken() -> Iterator[Shot]:
        return to_and_fro(floor, 55.0, 10.0)

    sun = patch(bare.shape, ((0.1, 0.55), (0.35, 0.6), (0.3, 0.9), (0.05, 0.8)))
    for index, thing in enumerate(things()):
        foot, width = ((0.2, 0.75), 0.07) if index % 2 else ((0.75, 0.7), 0.05)

        def put(image: Image, thing: CutOut = thing, foot: tuple[float, float] = foot, width: float = width) -> Image:
            return set_in(image, thing, foot, width)

        wanted = (Wanted("abandoned_object", LEFT_AFTER_S, 2.0),)
        yield _made(f"thing {index + 1} left", taken, from_s=LEFT_AFTER_S, change=put, wanted=wanted)
        yield _made(f"thing {index + 1} taken away", taken, to_s=LEFT_AFTER_S, change=put)
    yield _among_the_visits(things()[0], bare)
    for name, area, gain in (("patch of sun", sun, 1.5), ("shadow", sun, 0.6), ("lamp off", np.ones_like(sun), 0.55)):

        def shine(image: Image, area: Mask = area, gain: float = gain) -> Image:
            return lit(image, area, gain)

        yield _made(name, taken, from_s=LEFT_AFTER_S, change=shine)


def _among_the_visits(thing: CutOut, bare: Image) -> Footage:
    """A thing that is set down after the first visit and stands there to the end, behind whoever passes."""
    known = visits()
    set_down_s = VISIBLE_S[0][1] + 0.5

    def shown() -> Iterator[Image]:
        for index, image in enumerate(known.shown()):
            there = index / float(known.rate) >= set_down_s
            yield set_in(image, thing, (0.2, 0.75), 0.06, bare) if there else image

    wanted = (*known.wanted, Wanted("abandoned_object", set_down_s, 2.5))
    return replace(known, name="thing among the visits", wanted=wanted, shown=shown)


def things() -> list[CutOut]:
    """Cars from above, to be set in as small as boxes and bags: real things with edges, shades and structure."""
    clip = catalogue.clip(CARS)
    bare = background([image for _, image in shots(clip, 2.0, 9.0, 14.0)])
    found = []
    for second, box in ((6.4, (0.0, 0.0, 1.0, 1.0)), (16.6, (0.0, 0.0, 0.5, 1.0)), (16.8, (0.5, 0.0, 1.0, 1.0))):
        _, image = shots(clip, 12.5, second, second + 0.1)[0]
        found.append(cut_out(image, bare, box))
    return found


def _made(
    name: str,
    taken: Callable[[], Iterator[Shot]],
    *,
    from_s: float = 0.0,
    to_s: float = 1e9,
    change: Callable[[Image], Image],
    wanted: tuple[Wanted, ...] = (),
) -> Footage:
    """The empty floor, changed for some time."""

    def shown() -> Iterator[Image]:
        return (change(image) if from_s <= at_s < to_s else image for at_s, image in taken())

    return Footage(name, watching_all(), wanted, shown, Fraction(10))


def _images(clip: str) -> Iterator[Image]:
    with Video(catalogue.clip(clip)) as video:
        yield from (decoded.picture.image for decoded in video.frames())


def _of(made: Callable[[], Iterator[Shot]]) -> Callable[[], Iterator[Image]]:
    return lambda: (image for _, image in made())
