"""What hides what in a made scene."""

import numpy as np

from edge.simulators.scene import people, vehicles
from edge.simulators.scene.shapes import Pose, Shape
from edge.simulators.scene.view import View
from edge.simulators.scene.visible import Sight

VIEW = View(height_m=3.4, yaw=0.0, pitch=0.21, roll=0.0, focal=0.86, aspect=16 / 9)


def figure(posture: people.Posture = people.Posture.UPRIGHT) -> people.Figure:
    return people.Figure(people.random_looks(np.random.default_rng(3)), posture)


def test_a_rider_and_what_he_rides_hide_nothing_of_each_other() -> None:
    scooter, rider = vehicles.random_two_wheeler(np.random.default_rng(3)), figure(people.Posture.RIDING)
    there = Pose(0.0, 9.0, 0.0, speed_mps=4.0)
    orders: tuple[list[Shape], ...] = ([scooter, rider], [rider, scooter])
    for order in orders:
        seen = Sight().extents([(each, there) for each in order], VIEW)
        assert [extent.share for extent in seen if extent is not None] == [1.0, 1.0]


def test_who_stands_nearer_hides_what_is_behind_in_whatever_order_they_come() -> None:
    far, near = Pose(0.0, 12.0, 0.0), Pose(0.0, 11.0, 0.0)
    things = [(figure(), far), (figure(), near)]
    behind, before = Sight().extents(things, VIEW)
    again = Sight().extents(things[::-1], VIEW)
    assert behind is not None
    assert before is not None
    assert behind.share < 0.7 < before.share == 1.0
    assert again == [before, behind]
