"""A made scene, moment by moment: its truth alone, or its pictures with it. Lazy: nothing is kept but the backdrop and the last light."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from edge.flow import Image
from edge.simulators.scene.backdrop import backdrop
from edge.simulators.scene.drawing import drawn
from edge.simulators.scene.events import Teller
from edge.simulators.scene.stamp import stamp
from edge.simulators.scene.story import Parameters, Story, random_story
from edge.simulators.scene.truth import VERSION, Head, Moment, Thing, Truth
from edge.simulators.scene.view import View
from edge.simulators.scene.visible import Sight
from edge.simulators.scene.weather import Conditions, Weather

TREMBLES_S: Final = 0.04
"""The camera's place changes so often where it trembles."""


class Scene:
    """A story as a film. Every frame follows from the story and its time alone, whichever were asked for before."""

    def __init__(self, story: Story, *, size: tuple[int, int] = (1280, 720), frame_period_s: float = 1 / 12) -> None:
        """`size`: width and height in pixels, of the same aspect as the story's camera for things to look right."""
        self.story = story
        self.head = Head(
            version=VERSION,
            seed=story.seed,
            size=size,
            frame_period_s=frame_period_s,
            duration_s=story.duration_s,
            zones=story.zones,
            lines=story.lines,
        )
        self._behind: Image | None = None
        self._weather: Weather | None = None
        self._sight = Sight()

    def in_conditions(self, change: Callable[[Conditions], Conditions]) -> "Scene":
        """The same story in other light and weather."""
        story = replace(self.story, conditions=change(self.story.conditions))
        return Scene(story, size=self.head.size, frame_period_s=self.head.frame_period_s)

    @property
    def count(self) -> int:
        """How many frames there are."""
        return max(1, round(self.story.duration_s / self.head.frame_period_s))

    def moments(self) -> Iterator[tuple[Moment, frozenset[int]]]:
        """The truth of each frame without its picture, and the ids of what stands still."""
        for number in range(self.count):
            yield self.moment(number * self.head.frame_period_s)

    def moment(self, at_s: float) -> tuple[Moment, frozenset[int]]:
        """What is true at a time, and the ids of what stands still."""
        here = [(actor.id, there) for actor in self.story.actors if (there := actor.at(at_s)) is not None]
        view = self._view_at(at_s)
        cover = self.story.conditions.cover_at(at_s)
        things = []
        for (number, (label, _, _)), extent in zip(
            here, self._sight.extents([(shape, pose) for _, (_, shape, pose) in here], view), strict=True
        ):
            if extent is not None:
                share = 0.0 if cover is not None else round(extent.share, 4)
                things.append(Thing(number, label, extent.full, extent.visible, share))
        still = frozenset(number for number, (_, _, pose) in here if pose.speed_mps == 0)
        return Moment(round(at_s, 6), cover, tuple(things)), still

    def frames(self, *, stamped: bool = False) -> Iterator[tuple[Moment, frozenset[int], Image]]:
        """The same with pictures (height, width, 3), BGR; `stamped` ones say that they are simulated."""
        for number in range(self.count):
            at_s = number * self.head.frame_period_s
            yield *self.moment(at_s), self.picture(at_s, stamped=stamped)

    def picture(self, at_s: float, *, stamped: bool = False) -> Image:
        """The picture at a time."""
        size = self.head.size
        if self._behind is None or self._weather is None:
            self._behind = backdrop(self.story.place, self.story.view, size)
            self._weather = Weather(self.story.conditions, self.story.view, size, self.story.seed)
        here = [there for actor in self.story.actors if (there := actor.at(at_s)) is not None]
        chance = np.random.default_rng([self.story.seed, round(at_s * 1000)])
        image = drawn(here, self._behind, self._weather, at_s, chance, shaken=self._view_at(at_s))
        if stamped:
            stamp(image)
        return image

    def truth(self) -> Truth:
        """All of it without pictures."""
        teller = Teller(self.head.zones, self.head.lines)
        moments = []
        for moment, still in self.moments():
            teller.take(moment, still)
            moments.append(moment)
        return Truth(self.head, tuple(moments), teller.events())

    def _view_at(self, at_s: float) -> View:
        most = self.story.conditions.tremble
        if not most:
            return self.story.view
        chance = np.random.default_rng([self.story.seed, 3, int(at_s / TREMBLES_S)])
        x, y = (float(value) for value in chance.normal(0, most / 2, 2))
        return self.story.view.moved((x / self.story.view.aspect, y))


def random_scene(
    seed: int,
    parameters: Parameters | None = None,
    *,
    size: tuple[int, int] = (1280, 720),
    frame_period_s: float = 1 / 12,
) -> Scene:
    """A varied scene of a seed: layout, camera, actors, weather. Costs nothing until pictures are asked for."""
    return Scene(random_story(seed, parameters), size=size, frame_period_s=frame_period_s)
