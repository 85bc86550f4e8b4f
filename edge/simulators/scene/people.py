"""People of a made scene: a skeleton that walks, rides, falls and lies, and the clothes over it. Pure."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import numpy as np
from numpy.random import Generator

from edge.simulators.scene.shapes import Colour, Pose, Stroke, shaded
from edge.simulators.scene.view import Floats

SKIN: Final[tuple[Colour, ...]] = ((135, 170, 215), (120, 155, 205), (150, 185, 225), (95, 130, 175))
HAIR: Final[tuple[Colour, ...]] = ((20, 22, 26), (30, 34, 42), (45, 50, 60), (150, 150, 150), (40, 60, 90))
CLOTHES: Final[tuple[Colour, ...]] = (
    (40, 38, 40), (60, 58, 62), (110, 60, 40), (140, 90, 50), (200, 200, 205), (235, 235, 232), (60, 60, 150), (50, 50, 200),
    (90, 120, 90), (60, 110, 60), (120, 160, 200), (150, 130, 200), (60, 160, 220), (40, 200, 230), (140, 110, 90), (90, 70, 60),
    (180, 140, 110), (75, 95, 125), (170, 175, 180), (40, 140, 250),
)  # fmt: skip
LEGS: Final[tuple[Colour, ...]] = (
    (40, 38, 40), (55, 52, 50), (90, 60, 45), (110, 75, 55), (70, 80, 90), (130, 150, 165), (50, 50, 55), (35, 45, 70)
)  # fmt: skip

# Indexes of the skeleton's points.
(HEAD, CROWN, NECK, CHEST, PELVIS, SHOULDER_L, SHOULDER_R, ELBOW_L, ELBOW_R, WRIST_L, WRIST_R, HIP_L, HIP_R, KNEE_L, KNEE_R,
 ANKLE_L, ANKLE_R, TOE_L, TOE_R, LOAD, LOAD_2, FACE) = range(22)  # fmt: skip

_STRIDE_M: Final = 1.35


class Load(Enum):
    """What somebody has with him."""

    NONE = auto()
    BACKPACK = auto()
    BAG = auto()
    UMBRELLA = auto()


class Posture(Enum):
    """How somebody holds himself when upright."""

    UPRIGHT = auto()
    RIDING = auto()


@dataclass(frozen=True, slots=True)
class Looks:
    """Somebody's body and clothes. Colours are blue, green, red; `lying` numbers the ways in which he lies."""

    height_m: float
    girth: float
    skin: Colour
    hair: Colour
    top: Colour
    legs: Colour
    shoes: Colour
    bare_arms: bool
    skirt: bool
    hat: bool
    load: Load
    lying: int


def random_looks(chance: Generator) -> Looks:
    """Somebody: a child now and then."""
    height = chance.normal(1.68, 0.08) if chance.random() > 0.1 else chance.uniform(1.0, 1.4)
    loads = (Load.NONE, Load.BACKPACK, Load.BAG, Load.UMBRELLA)
    return Looks(
        height_m=float(np.clip(height, 1.0, 1.92)),
        girth=float(chance.uniform(0.88, 1.3)),
        skin=SKIN[chance.integers(len(SKIN))],
        hair=HAIR[chance.integers(len(HAIR))],
        top=_varied(CLOTHES[chance.integers(len(CLOTHES))], chance),
        legs=_varied(LEGS[chance.integers(len(LEGS))], chance),
        shoes=((30, 30, 30), (220, 220, 220), (60, 60, 120))[chance.integers(3)],
        bare_arms=bool(chance.random() < 0.4),
        skirt=bool(chance.random() < 0.15),
        hat=bool(chance.random() < 0.15),
        load=loads[chance.choice(4, p=[0.55, 0.22, 0.2, 0.03])],
        lying=int(chance.integers(1 << 16)),
    )


def _varied(colour: Colour, chance: Generator) -> Colour:
    blue, green, red = (int(np.clip(value + chance.normal(0, 10), 15, 245)) for value in colour)
    return blue, green, red


class Figure:
    """Somebody as a shape. Points are those of the skeleton, radii those of the body in clothes."""

    def __init__(self, looks: Looks, posture: Posture = Posture.UPRIGHT) -> None:
        """`posture` is how he holds himself while his pose's tilt is 0."""
        self.looks = looks
        self.posture = posture
        self.sorted_by_depth = True
        tall, wide = looks.height_m, looks.height_m * looks.girth
        radii = np.zeros(22)
        radii[[HEAD, CROWN]] = 0.058 * tall, 0.061 * tall
        radii[FACE] = 0.048 * tall
        radii[NECK] = 0.03 * tall
        radii[[CHEST, PELVIS]] = 0.092 * wide, 0.082 * wide
        radii[[SHOULDER_L, SHOULDER_R]] = 0.042 * wide
        radii[[ELBOW_L, ELBOW_R]] = 0.031 * wide
        radii[[WRIST_L, WRIST_R]] = 0.024 * wide
        radii[[HIP_L, HIP_R]] = 0.058 * wide
        radii[[KNEE_L, KNEE_R]] = (0.065 if looks.skirt else 0.041) * wide
        radii[[ANKLE_L, ANKLE_R]] = 0.027 * wide
        radii[[TOE_L, TOE_R]] = 0.022 * tall
        radii[[LOAD, LOAD_2]] = {
            Load.NONE: 0.0, Load.BACKPACK: 0.075 * tall, Load.BAG: 0.07 * tall, Load.UMBRELLA: 0.02 * tall
        }[looks.load]  # fmt: skip
        self.radii = radii
        self.pieces = self._pieces()

    def _pieces(self) -> tuple[Stroke, ...]:
        looks = self.looks
        shin = looks.skin if looks.skirt else looks.legs
        arm = looks.skin if looks.bare_arms else shaded(looks.top, 0.9)
        pieces = []
        for side, (hip, knee, ankle, toe) in enumerate(
            ((HIP_L, KNEE_L, ANKLE_L, TOE_L), (HIP_R, KNEE_R, ANKLE_R, TOE_R))
        ):
            shade = 0.88 + 0.12 * side
            pieces += [
                Stroke(ankle, toe, looks.shoes),
                Stroke(knee, ankle, shaded(shin, shade)),
                Stroke(hip, knee, shaded(looks.legs, shade)),
            ]
        pieces += [
            Stroke(PELVIS, CHEST, looks.top),
            Stroke(SHOULDER_L, SHOULDER_R, looks.top),
            Stroke(NECK, HEAD, looks.skin),
            Stroke(SHOULDER_L, ELBOW_L, shaded(looks.top, 0.86)),
            Stroke(SHOULDER_R, ELBOW_R, shaded(looks.top, 0.94)),
            Stroke(ELBOW_L, WRIST_L, arm),
            Stroke(ELBOW_R, WRIST_R, arm),
        ]
        if looks.load is not Load.NONE:
            pieces.append(Stroke(LOAD, LOAD_2, shaded(looks.legs, 1.5)))
        pieces += [Stroke(FACE, FACE, looks.skin), Stroke(CROWN, HEAD, looks.top if looks.hat else looks.hair)]
        return tuple(pieces)

    def points(self, pose: Pose) -> Floats:
        """The skeleton (22, 3) in his own frame, the feet on the ground."""
        tall = self.looks.height_m
        at = _seated() if self.posture is Posture.RIDING else _walking(pose)
        _carry(at, self.looks.load)
        if pose.tilt > 0:
            at = _fallen(at, pose.tilt, self.looks.lying)
        elif self.posture is Posture.UPRIGHT:
            at[:, 2] -= min(at[ANKLE_L, 2], at[ANKLE_R, 2]) - 0.035
        return at * tall


def _torso() -> Floats:
    """The skeleton's trunk in shares of the height, arms and legs still without place."""
    at = np.zeros((22, 3))
    at[HEAD] = 0, 0.012, 0.925
    at[CROWN] = 0, -0.006, 0.945
    at[FACE] = 0, 0.026, 0.918
    at[NECK] = 0, 0, 0.84
    at[CHEST] = 0, 0, 0.72
    at[PELVIS] = 0, 0, 0.535
    at[SHOULDER_L], at[SHOULDER_R] = (-0.105, 0, 0.8), (0.105, 0, 0.8)
    at[HIP_L], at[HIP_R] = (-0.052, 0, 0.51), (0.052, 0, 0.51)
    return at


def _walking(pose: Pose) -> Floats:
    at = _torso()
    swing = 0.5 * min(pose.speed_mps / 1.3, 1.25)
    for hip, knee, ankle, toe, turn in ((HIP_L, KNEE_L, ANKLE_L, TOE_L, 0.0), (HIP_R, KNEE_R, ANKLE_R, TOE_R, np.pi)):
        thigh = swing * np.sin(pose.phase + turn)
        shin = thigh - swing * 1.1 * max(0.0, float(np.cos(pose.phase + turn)))
        at[knee] = at[hip] + 0.235 * np.array([0, np.sin(thigh), -np.cos(thigh)])
        at[ankle] = at[knee] + 0.235 * np.array([0, np.sin(shin), -np.cos(shin)])
        at[toe] = at[ankle] + np.array([0, 0.075, -0.012])
    for shoulder, elbow, wrist, turn in (
        (SHOULDER_L, ELBOW_L, WRIST_L, np.pi), (SHOULDER_R, ELBOW_R, WRIST_R, 0.0)
    ):  # fmt: skip
        upper = 0.9 * swing * np.sin(pose.phase + turn)
        out = 0.028 if at[shoulder, 0] > 0 else -0.028
        at[elbow] = at[shoulder] + 0.165 * np.array([0, np.sin(upper), -np.cos(upper)]) + [out, 0, 0]
        lower = upper + 0.25 + 0.3 * swing
        at[wrist] = at[elbow] + 0.15 * np.array([0, np.sin(lower), -np.cos(lower)])
    return at


def _seated() -> Floats:
    """On a saddle: hands ahead, feet on a board. His frame is the vehicle's."""
    at = _torso()
    at[:, 1] -= 0.12
    at[[HEAD, CROWN, FACE, NECK], 1] += 0.045
    at[:, 2] -= 0.05
    for hip, knee, ankle, toe in ((HIP_L, KNEE_L, ANKLE_L, TOE_L), (HIP_R, KNEE_R, ANKLE_R, TOE_R)):
        at[knee] = at[hip] + [np.sign(at[hip, 0]) * 0.025, 0.225, -0.04]
        at[ankle] = at[knee] + [0, 0.02, -0.225]
        at[toe] = at[ankle] + [0, 0.07, -0.012]
    for shoulder, elbow, wrist in ((SHOULDER_L, ELBOW_L, WRIST_L), (SHOULDER_R, ELBOW_R, WRIST_R)):
        at[elbow] = at[shoulder] + [np.sign(at[shoulder, 0]) * 0.05, 0.11, -0.12]
        at[wrist] = at[elbow] + [0, 0.14, -0.02]
    return at


def _carry(at: Floats, load: Load) -> None:
    """Place what somebody has with him."""
    if load is Load.BACKPACK:
        at[LOAD] = at[CHEST] + [0, -0.09, 0.05]
        at[LOAD_2] = at[CHEST] + [0, -0.09, -0.09]
    elif load is Load.BAG:
        at[LOAD] = at[WRIST_R] + [0.01, 0, -0.07]
        at[LOAD_2] = at[WRIST_R] + [0.01, 0, -0.15]
    elif load is Load.UMBRELLA:
        at[LOAD], at[LOAD_2] = at[WRIST_R], at[WRIST_R] + [0, 0.03, -0.4]
    else:
        at[LOAD] = at[LOAD_2] = at[CHEST]


def _fallen(at: Floats, tilt: float, lying: int) -> Floats:
    """The skeleton turned down, and limbs in one of many ways in which people lie."""
    chance = np.random.default_rng(lying)
    spread = chance.uniform(-0.16, 0.16, (8, 2)) * tilt
    limbs = [ELBOW_L, ELBOW_R, WRIST_L, WRIST_R, KNEE_L, KNEE_R, ANKLE_L, ANKLE_R]
    at = at.copy()
    at[limbs, 0] += spread[:, 0]
    at[limbs, 2] += np.abs(spread[:, 1])
    at[[TOE_L, TOE_R]] = at[[ANKLE_L, ANKLE_R]] + [0.03, 0.05, 0.0]
    if chance.random() < 0.5:  # on the side: what was across is now up
        turn = tilt * np.pi / 2 * (1 if chance.random() < 0.5 else -1)
        across, ahead = at[:, 0].copy(), at[:, 1].copy()
        at[:, 0] = across * np.cos(turn) - ahead * np.sin(turn)
        at[:, 1] = across * np.sin(turn) + ahead * np.cos(turn)
    angle = tilt * np.pi / 2
    ahead, up = at[:, 1].copy(), at[:, 2] - 0.45 * tilt
    at[:, 1] = ahead * np.cos(angle) + up * np.sin(angle)
    at[:, 2] = up * np.cos(angle) - ahead * np.sin(angle) + 0.45 * tilt * (1 - tilt)
    at[:, 2] -= min(0.0, float(at[:, 2].min()) - 0.03)
    at[:, 2] -= max(0.0, float(at[:, 2].min()) - 0.03)
    return at


def step_phase(way_m: float, looks: Looks) -> float:
    """How far in his steps somebody is after a way, in radians."""
    return way_m / (_STRIDE_M * looks.height_m / 1.68) * 2 * np.pi
