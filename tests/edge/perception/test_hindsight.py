"""What comes later in a film is known when it is masked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.flow import Box, Detections, FilmLook, Frame, Image
from edge.perception.hindsight import LOOK_EVERY_S, Hindsight
from edge.settings import CameraSettings
from edge.video import ArrayPicture
from tests.fakes.scenes import at

CAMERA = CameraSettings(id="c", url="rtsp://127.0.0.1/")
PER_S = 10


@dataclass
class Witness:
    """Sees somebody in the pictures that it is told to."""

    boxes: dict[int, Box]
    labels: tuple[str, ...] = ("person",)
    seen: list[int] = field(default_factory=list)

    def detect(self, image: Image, _things: Sequence[Box] = ()) -> Detections:
        number = int(image[0, 0, 0])
        self.seen.append(number)
        found = [self.boxes[number]] if number in self.boxes else []
        return Detections(
            np.array(found, dtype=np.float32).reshape(-1, 4),
            np.full(len(found), 0.9, np.float32),
            ("person",) * len(found),
        )


def looked_at(witness: Witness, count: int) -> tuple[FilmLook, ...]:
    hindsight = Hindsight(CAMERA, witness)
    for number in range(count):
        image = np.full((48, 64, 3), 100, dtype=np.uint8)
        image[0, 0] = number
        hindsight.show(Frame("c", number, at(number / PER_S), number / PER_S, ArrayPicture(image)))
    return hindsight.looks()


def test_every_look_is_one_of_the_detector_and_the_last_picture_has_its_own() -> None:
    witness = Witness({})
    looks = looked_at(witness, 12)
    assert witness.seen == [0, 2, 4, 6, 8, 10, 11]
    assert [look.at for look in looks] == [at(number / PER_S) for number in witness.seen]
    assert LOOK_EVERY_S == 2 / PER_S


def test_somebody_who_stands_still_is_masked_before_he_is_seen_and_after_it() -> None:
    """The detector sees him in the middle of the film alone: forwards and backwards he is waited for."""
    person = (0.4, 0.2, 0.5, 0.8)
    looks = looked_at(Witness(dict.fromkeys(range(40, 65), person)), 100)
    masked = [look.at for look in looks if look.private.people]
    assert masked == [look.at for look in looks]
    assert [look.at for look in looks if look.seen.people] == [at(number / PER_S) for number in range(40, 65, 2)]


def test_a_film_without_pictures_tells_nothing() -> None:
    assert looked_at(Witness({}), 0) == ()


ROOM = np.random.default_rng(1).integers(60, 200, (45, 80, 3)).repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8)


def places(count: int) -> list[Box | None]:
    """Where somebody is in each picture: he comes in, stands for five seconds and goes on."""
    ways = [0.02 * step for step in range(25)], [0.5] * 50, [0.5 + 0.02 * step for step in range(count)]
    return [None] * 5 + [(x, 0.2, x + 0.1, 0.8) if x < 0.9 else None for way in ways for x in way][: count - 5]


def test_without_a_detector_who_moves_somewhere_in_a_film_is_masked_in_each_picture() -> None:
    """Nobody has analysed these pictures: they were left out under load, or a gate has spared them."""
    hindsight = Hindsight(CAMERA, None)
    shown = places(110)
    for number, box in enumerate(shown):
        image = ROOM.copy()
        if box is not None:
            image[int(box[1] * 180) : int(box[3] * 180), int(box[0] * 320) : int(box[2] * 320)] = 5
        hindsight.show(Frame("c", number, at(number / PER_S), number / PER_S, ArrayPicture(image)))
    looks = hindsight.looks()
    assert [look.at for look in looks] == [at(number / PER_S) for number in range(len(shown))]
    assert not any(look.private.people or look.private.vehicles or look.seen.people for look in looks)
    for look, box in zip(looks, shown, strict=True):
        if box is not None:
            assert any(
                left <= box[0] and top <= box[1] and right >= box[2] and bottom >= box[3] - 0.01
                for left, top, right, bottom in look.private.moving
            )


def test_without_a_detector_a_still_film_has_nothing_to_mask_but_what_is_known() -> None:
    hindsight = Hindsight(CAMERA, None)
    for number in range(10):
        hindsight.show(Frame("c", number, at(number / PER_S), number / PER_S, ArrayPicture(ROOM)))
    assert [look.private.moving for look in hindsight.looks()] == [()] * 10
