"""One camera's eyes: motion decides whether to look, the detector looks, the tracker remembers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Final

import cv2
import numpy as np

from edge.flow import Box, Detections, Detector, Frame, Look, PrivateParts, Scene, Spotted, StillObject, Track
from edge.geometry import clamped_box
from edge.perception.left_behind import LeftBehindWatch
from edge.perception.lineage import TrackerSettings
from edge.perception.motion import Motion, MotionDetector, MotionSettings, regions
from edge.perception.motion_tracks import MotionTracker
from edge.perception.scheduler import Attention
from edge.perception.tracker import KINDS, Step, Tracker
from edge.perception.trouble import TroubleWatch
from edge.perception.views import holds
from edge.settings import MOTION, CameraSettings, PlaceSettings
from edge.settings.vocabulary import FALLEN, PLACED, RIDDEN

PROBE_S: Final = 10.0
"""However quiet it is, the detector looks this often: for what stood there from the start or moves too faintly."""

LONG_QUIET_S: Final = 60.0
LONG_QUIET_PROBES: Final = 3
"""Where nothing has moved for a minute, and nobody was followed, it looks so many times less often: that was a fifth of an idle camera's cost."""

STEADY_LOOK_S: Final = 0.55
"""Where nothing is new and the course of everything is known, the next look of the detector waits so long."""

HURRIED_LOOK_S: Final = 0.5
"""Where other cameras wait for their turns, a camera's next look waits so long; its frames are followed on all the same. Else those of somebody
else would not be analysed at all.
"""

HURRIED_CONFIRMING_S: Final = 0.3
"""So long where something is new: every second frame, at the usual rates."""

WHOLE_S: Final = 4.0
"""However much there is to look at in one place, all of the picture is looked at this often."""

ROOM: Final = 0.2
"""Around something that is followed the detector looks so much farther on each side, as a share of its box."""

MASKED_SIGHTS: Final = 4
"""A person is masked where he is and where he was in the three looks before: boxes tremble, pictures smear."""

MASKED_SCORE: Final = 0.1
"""A box that is less sure than this, that nobody follows and in which nothing moves, is furniture."""

TRAIL_SIGHTS: Final = 16
TRAIL_S: Final = 3.0
"""Where someone was in these looks, within so long before the last, what still moves is the background coming back."""

STILL_MASKED_S: Final = 300.0
"""Without a detector, what moved this long ago may still be someone who stands there."""

WATCHED_S: Final = 10.0
"""For so long a camera has been watched before a picture of it shows more than squares: who stands there and is no person to the
detector moves some time.
"""

MOST_LOST: Final = 256
"""People who were lost sight of within the picture, and stay masked where they were. When there are more, all of it is masked."""

FILM_S: Final = 20.0
"""No film of an incident lasts longer."""

MOST_HELD: Final = 16
"""A pipeline that is begun anew more often within `STILL_MASKED_S` shows nothing but a wholly masked picture."""

SUSPECTED_S: Final = 30.0
"""So long after somebody was seen lying it is looked at every second, however still he lies and unsure he is: a minute is too late."""

SUSPECTED_LOOK_S: Final = 1.0

LYING_S: Final = 10.0
"""Who was seen lying within so long is masked as a whole: where the head is, nobody knows."""

MOST_LYING: Final = 64

_EDGE: Final = 0.02
_EVERYWHERE: Final[Box] = (0.0, 0.0, 1.0, 1.0)
_NOTHING: Final = Detections(np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32), ())
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class PipelineCounters:
    """What the pipeline did since the start. `parts`: those of the inferences that looked at a part of the picture; `put_off`: looks
    that were due and left to a later frame, since other cameras waited.
    """

    frames: int = 0
    moving: int = 0
    inferences: int = 0
    parts: int = 0
    put_off: int = 0
    disordered: int = 0


@dataclass(frozen=True, slots=True)
class PrivateMemory:
    """What moved before one camera, and whom its pipelines saw within the last minutes."""

    motion: MotionDetector
    held: tuple[PrivateParts, ...]
    lost: tuple[PrivateParts, ...] = ()

    @classmethod
    def unknown(cls, at: datetime) -> "PrivateMemory":
        """Of a pipeline that can't be asked at this time: everything is private."""
        return cls(MotionDetector(), (PrivateParts(at, moving=(_EVERYWHERE,)),))


class CameraPipeline:
    """Turns the frames of one camera, in order of event time, into scenes. Knows no clock but the frames' own."""

    def __init__(
        self,
        camera: CameraSettings,
        detector: Detector | None,
        *,
        tracker: TrackerSettings | None = None,
        motion: MotionSettings | None = None,
        memory: PrivateMemory | None = None,
        probe_s: float = PROBE_S,
        watched_s: float | None = None,
    ) -> None:
        """Watch one camera. Without a detector there is motion only, and no scene holds a track.

        `memory` is that of the pipeline whose place it takes: what moved before, and who was seen, stays private. `probe_s` is how
        often the detector looks where nothing moves, `watched_s` how long a camera is watched before anything is shown: `WATCHED_S`, or
        `STILL_MASKED_S` without a detector.
        """
        cv2.setNumThreads(
            1
        )  # cameras run side by side; splitting one small picture over cores costs more than it gives
        self.camera = camera
        self.counters = PipelineCounters()
        self._detector = detector
        self._probe_s = probe_s
        least_s = STILL_MASKED_S if detector is None else WATCHED_S
        self._watched_s = least_s if watched_s is None else watched_s
        self._motion = MotionDetector(motion)
        self._held: tuple[PrivateParts, ...] = ()
        self._lost: tuple[PrivateParts, ...] = ()
        if memory is not None:
            self.inherit(memory)
        self._tracker = Tracker(tracker)
        self._motion_tracker: MotionTracker | None = None
        self._trouble: TroubleWatch | None = None
        self._left_behind: LeftBehindWatch | None = None
        self.adopt(camera)
        self._last_at: datetime | None = None
        self._probed_at: datetime | None = None
        self._stirred_at: datetime | None = None
        self._whole_at: datetime | None = None
        self._last_motion: Motion | None = None
        self._last_detections = _NOTHING
        self._whole_look: Detections | None = None
        self._fresh_look: Look | None = None
        self._lying: tuple[tuple[datetime, tuple[Box, ...]], ...] = ()

    def inherit(self, memory: PrivateMemory) -> None:
        """Before the first frame: what a pipeline knew to be private whose place this one takes."""
        self._motion, self._held, self._lost = memory.motion, memory.held, memory.lost

    def adopt(self, camera: CameraSettings) -> None:
        """Go on with other rules, from the next frame on: what is followed stays followed."""
        self.camera = camera
        followed = any(rule.kind == "line_crossing" and MOTION in rule.classes for rule in camera.rules)
        self._motion_tracker = (self._motion_tracker or MotionTracker()) if followed else None
        watched = any(rule.kind == "camera_trouble" for rule in camera.rules)
        self._trouble = (self._trouble or TroubleWatch()) if watched else None
        guarded = any(rule.kind == "abandoned_object" for rule in camera.rules)
        self._left_behind = (self._left_behind or LeftBehindWatch()) if guarded else None
        self._places = tuple(rule for rule in camera.rules if isinstance(rule, PlaceSettings))
        self._minds_the_fallen = any(rule.kind == "fallen_person" for rule in camera.rules)

    def analyse(self, frame: Frame, *, hurried: bool = False) -> Scene:
        """Look at one frame. One that is not later than the last is counted and left out. `hurried`: others wait, so that a look that was
        a moment ago may do.
        """
        at = frame.captured_at
        self._whole_look = self._fresh_look = None
        if self._last_at is not None and at <= self._last_at:
            self.counters.disordered += 1
            return Scene(self.camera.id, self._last_at, (), moving=False)
        self._last_at = at
        self.counters.frames += 1
        motion = self._motion.observe(frame.picture.luma, _seconds(at), self._tracker.boxes)
        self.counters.moving += motion.moving
        self._last_motion = motion
        troubles = None if self._trouble is None else self._trouble.look(frame.picture.luma, _seconds(at))
        moved = (
            Step((), ())
            if self._motion_tracker is None
            else self._motion_tracker.update(at, motion, frame.picture.luma)
        )
        if self._detector is None:
            return Scene(self.camera.id, at, moved.seen, moved.ended, moving=motion.moving, troubles=troubles)
        step = self._followed_on(self._detector, frame, motion, hurried=hurried)
        self._lose(at, [PrivateParts(at, (track.box,)) for track in step.ended if _is_lost_within(track)])
        seen, ended = (*step.seen, *moved.seen), (*step.ended, *moved.ended)
        return Scene(
            self.camera.id,
            at,
            seen,
            ended,
            moving=motion.moving,
            troubles=troubles,
            objects=self._objects(frame),
            look=self._fresh_look,
        )

    @property
    def attention(self) -> Attention:
        """What the camera is in the middle of, for those who decide whose turn it is."""
        if self._tracker.confirming:
            return Attention.CONFIRMING
        if self._tracker.alive or self._suspects():
            return Attention.FOLLOWING
        moving = self._last_motion is not None and self._last_motion.moving
        return Attention.CONFIRMING if moving else Attention.QUIET

    @property
    def whole_look(self) -> Detections | None:
        """What the detector found in all of the frame that was analysed last; None where it has not looked at all of it."""
        return self._whole_look

    @property
    def followed(self) -> bool:
        """Whether anything is followed or waited for, so that no frame may be missed."""
        by_motion = self._motion_tracker is not None and self._motion_tracker.alive
        return self._tracker.alive or by_motion or self._suspects()

    @property
    def memory(self) -> PrivateMemory:
        """For the pipeline that takes the place of this one."""
        at = self._last_at
        if at is None:
            return PrivateMemory(self._motion, self._held, self._lost)
        held = (*_within_minutes(self._held, at), *self._seen_now(at))
        if len(held) > MOST_HELD:
            held = (PrivateParts(at, moving=(_EVERYWHERE,)),)
        return PrivateMemory(self._motion, held, _within_minutes(self._lost, at))

    @property
    def watched(self) -> bool:
        """Whether the camera has been watched for so long that a picture of it shows more than squares."""
        if self._last_at is None or self._motion.reach_s < self._watched_s:
            return False
        return not any(_EVERYWHERE in parts.moving for parts in self._still_held(self._last_at))

    def known_parts(self, at: datetime) -> PrivateParts:
        """What must not be recognisable in a film that ends now, beside what looks at its own pictures find: whom this pipeline and
        former ones saw within the last minutes, and without a detector whatever moved; everything until the camera was watched for long
        enough.
        """
        last_at, every = self._last_at, (*self._held, *self._lost)
        moving: tuple[Box, ...] = ()
        if last_at is not None:
            every = (*self._still_held(last_at), *self._seen_now(last_at))
        if self._detector is None:
            moving = (_EVERYWHERE,) if last_at is None else self._moved(last_at, FILM_S)
        elif self._motion.reach_s < self._watched_s:
            moving = (_EVERYWHERE,)
        return PrivateParts(
            at,
            tuple(box for each in every for box in each.people),
            tuple(box for each in every for box in each.vehicles),
            (*moving, *(box for each in every for box in each.moving)),
        )

    def interrupt(self, at: datetime) -> Scene:
        """The camera went away or the node stops: every track ends with its last sight. Whoever it was may still stand there."""
        if self._last_at is not None:
            self._lose(self._last_at, self._seen_now(self._last_at))
        moment = at if self._last_at is None else max(at, self._last_at)
        moved = () if self._motion_tracker is None else self._motion_tracker.finish()
        return Scene(self.camera.id, moment, (), (*self._tracker.finish(), *moved), moving=False)

    def private_parts(self, frame: Frame) -> PrivateParts:
        """What must not be recognisable in the picture of a frame, the one that was analysed last.

        With a detector: everything that may be a person or a vehicle now or a few looks ago, however unsure, what moves
        without being either, who was lost sight of within the last minutes, and the whole picture until it was watched for a while; the detector looks at the whole of this very frame if it has not yet, and the tracker learns
        nothing of it. Without one: whatever moved within the last minutes, for people who stand still are there, and the
        whole picture until so much is known. In both cases whom a former pipeline saw within these minutes.
        Raises ValueError before the first frame, ModelUnusable when the detector fails.
        """
        if self._last_at is None or self._last_motion is None:
            raise ValueError("no frame has been analysed yet")
        if self._detector is None:
            parts = PrivateParts(self._last_at, moving=self._moved(self._last_at))
        else:
            parts = self._found(self._detector, frame, self._last_motion, self._last_at)
        every = (parts, *self._still_held(self._last_at))
        return PrivateParts(
            self._last_at,
            tuple(box for each in every for box in each.people),
            tuple(box for each in every for box in each.vehicles),
            tuple(box for each in every for box in each.moving),
        )

    def _found(self, detector: Detector, frame: Frame, motion: Motion, at: datetime) -> PrivateParts:
        """By a look at all of this frame, and by what was known before."""
        if self._whole_look is None:
            self._whole_look = detector.detect(frame.image)
            self.counters.inferences += 1
        people = self._people()
        vehicles = self._seen("vehicle", 1) + self._seen("two_wheeler", 1)
        trails = tuple(
            box
            for kind in ("person", "vehicle", "two_wheeler")
            for box in self._tracker.recent(kind, TRAIL_SIGHTS, TRAIL_S)
        )
        moving = motion.regions(
            (*people, *vehicles, *trails)
        )  # the look for the picture adds, it explains nothing away
        people += recognisable(self._whole_look)
        vehicles += detected(self._whole_look, "vehicle") + detected(self._whole_look, "two_wheeler")
        self._note_lying(at, self._whole_look)
        moving = (*moving, *self._lying_now(at))
        if self._motion.reach_s < self._watched_s:
            moving = (*moving, _EVERYWHERE)
        return PrivateParts(at, people, vehicles, moving)

    def _moved(self, at: datetime, longer_s: float = 0.0) -> tuple[Box, ...]:
        """Whatever moved within the last minutes and so much longer; everything where that is not known."""
        if self._motion.reach_s < self._watched_s + longer_s:
            return (_EVERYWHERE,)
        return regions(self._motion.moved_since(_seconds(at) - STILL_MASKED_S - longer_s))

    def _seen(self, kind: str, sights: int) -> tuple[Box, ...]:
        """Where things of a kind were in these looks, followed or not."""
        return self._tracker.recent(kind, sights) + detected(self._last_detections, kind)

    def _people(self) -> tuple[Box, ...]:
        """Where somebody is whose head is to be hidden, or was in the looks before: people, and riders where the model tells them with what they
        ride.
        """
        people = self._seen("person", MASKED_SIGHTS)
        ridden = self._detector is not None and RIDDEN in self._detector.labels
        return (*people, *self._seen(RIDDEN, MASKED_SIGHTS)) if ridden else people

    def _seen_now(self, at: datetime) -> tuple[PrivateParts, ...]:
        """Everybody who is in sight, as one entry, if there is anybody."""
        people, vehicles = self._people(), self._seen("vehicle", 1) + self._seen("two_wheeler", 1)
        lying = self._lying_now(at)
        return (PrivateParts(at, people, vehicles, lying),) if people or vehicles or lying else ()

    def _lose(self, at: datetime, parts: Sequence[PrivateParts]) -> None:
        """Remember who was lost sight of. Where they are too many, the place of the first ones is everywhere."""
        if not parts:
            return
        lost = _within_minutes((*self._lost, *parts), at)
        if len(lost) > MOST_LOST:
            first, *others = lost[-MOST_LOST:]
            lost = (PrivateParts(first.at, moving=(_EVERYWHERE,)), *others)
        self._lost = lost

    def _still_held(self, at: datetime) -> tuple[PrivateParts, ...]:
        return _within_minutes((*self._held, *self._lost), at)

    def _objects(self, frame: Frame) -> tuple[StillObject, ...] | None:
        if self._left_behind is None:
            return None
        vehicles = self._tracker.recent("vehicle", 1)
        at = frame.captured_at
        return self._left_behind.look(frame.picture.luma, at, self._tracker.present(at), vehicles)

    def _followed_on(self, detector: Detector, frame: Frame, motion: Motion, *, hurried: bool) -> Step:
        """What is followed, by a look at this frame where one is due."""
        at = frame.captured_at
        if self._stirred_at is None or motion.moving or self._tracker.alive:
            self._stirred_at = at
        if self._may_wait(at, motion):
            return self._tracker.carried(at)
        if not (motion.moving or self._tracker.alive or self._probe_due(at)):
            return self._tracker.update(at, _NOTHING, motion)
        patience_s = HURRIED_CONFIRMING_S if self._tracker.confirming else HURRIED_LOOK_S
        if hurried and self._looked_within(at, patience_s):
            self.counters.put_off += 1
            return self._tracker.carried(at)
        detections = self._look(detector, frame, motion)
        self._last_detections = self._known(detections)
        return self._tracker.update(at, detections, motion)

    def _may_wait(self, at: datetime, motion: Motion) -> bool:
        """Whether a look now would only tell what is known: nothing moves but what is followed, and that goes as expected."""
        if not self._tracker.alive or not self._tracker.steady:
            return False
        if not self._looked_within(at, STEADY_LOOK_S):
            return False
        return not motion.moving or not motion.regions(tuple(self._followed()))

    def _looked_within(self, at: datetime, seconds: float) -> bool:
        """Whether the detector has looked so lately."""
        return self._probed_at is not None and (at - self._probed_at).total_seconds() < min(seconds, self._probe_s)

    def _look(self, detector: Detector, frame: Frame, motion: Motion) -> Detections:
        """Look where something moves or is followed; everywhere now and then, and where there is no such place."""
        at = frame.captured_at
        things: tuple[Box, ...] = ()
        if self._whole_at is not None and (at - self._whole_at).total_seconds() < WHOLE_S:
            followed = tuple(self._followed())
            things = (*(motion.regions(followed) if motion.moving else ()), *followed)
        found = detector.detect(frame.image, things)
        self.counters.inferences += 1
        self.counters.parts += found.region is not None
        self._probed_at = at
        if found.region is None:
            self._whole_at, self._whole_look = at, found
        self._note_lying(at, found)
        if self._places:
            self._fresh_look = _spotted(found, min(rule.least_score for rule in self._places))
        return found

    def _note_lying(self, at: datetime, found: Detections) -> None:
        """Remember who lies somewhere; what was seen longer ago than anybody asks for goes."""
        boxes = labelled(found, FALLEN)
        kept = tuple(each for each in self._lying if (at - each[0]).total_seconds() <= SUSPECTED_S)
        self._lying = ((*kept, (at, boxes)) if boxes else kept)[-MOST_LYING:]

    def _lying_now(self, at: datetime) -> tuple[Box, ...]:
        """Where somebody lay within the last seconds."""
        return tuple(
            box for seen_at, boxes in self._lying if (at - seen_at).total_seconds() <= LYING_S for box in boxes
        )

    def _suspects(self) -> bool:
        """Whether a rule waits for whether somebody who was seen lying gets up."""
        if not self._minds_the_fallen or not self._lying or self._last_at is None:
            return False
        return (self._last_at - self._lying[-1][0]).total_seconds() <= SUSPECTED_S

    def _followed(self) -> Iterator[Box]:
        """Where everything may be that is followed."""
        for left, top, right, bottom in self._tracker.boxes:
            across, down = (right - left) * ROOM, (bottom - top) * ROOM
            yield left - across, top - down, right + across, bottom + down

    def _known(self, detections: Detections) -> Detections:
        """What was detected, and where a part alone was looked at also what was detected around it before."""
        region, before = detections.region, self._last_detections
        if region is None or not len(before):
            return detections
        outside = [index for index, box in enumerate(before.boxes.tolist()) if not holds(region, _box(box))]
        return Detections(
            np.concatenate([detections.boxes, before.boxes[outside]]),
            np.concatenate([detections.scores, before.scores[outside]]),
            (*detections.labels, *(before.labels[index] for index in outside)),
        )

    def _probe_due(self, at: datetime) -> bool:
        if self._probed_at is None or self._stirred_at is None:
            return True
        if self._suspects():
            return (at - self._probed_at).total_seconds() >= min(self._probe_s, SUSPECTED_LOOK_S)
        long_quiet = (at - self._stirred_at).total_seconds() > LONG_QUIET_S
        probe_s = self._probe_s * (LONG_QUIET_PROBES if long_quiet else 1)
        return (at - self._probed_at).total_seconds() >= probe_s


def _within_minutes(every: Iterable[PrivateParts], at: datetime) -> tuple[PrivateParts, ...]:
    """Those that are not older than `STILL_MASKED_S`."""
    return tuple(parts for parts in every if (at - parts.at).total_seconds() <= STILL_MASKED_S)


def _is_lost_within(track: Track) -> bool:
    """Whether somebody was seen last where nobody leaves the picture: he may still stand there."""
    left, top, right, bottom = track.box
    somebody = track.label == RIDDEN or KINDS.get(track.label, track.label) == "person"
    return somebody and min(left, top, 1 - right, 1 - bottom) > _EDGE


def detected(found: Detections, kind: str) -> tuple[Box, ...]:
    """Everything of a kind that is sure enough to be masked."""
    rows = zip(found.boxes.tolist(), found.scores.tolist(), found.labels, strict=True)
    return tuple(
        clamped_box((left, top, right, bottom))
        for (left, top, right, bottom), score, label in rows
        if KINDS.get(label, label) == kind and score >= MASKED_SCORE and isfinite(left + top + right + bottom)
    )


def recognisable(found: Detections) -> tuple[Box, ...]:
    """Everything in which somebody may be recognised: people, and two-wheelers with their riders."""
    return detected(found, "person") + labelled(found, RIDDEN)


def labelled(found: Detections, label: str) -> tuple[Box, ...]:
    """Everything of a label that is sure enough to be masked."""
    named = [index for index, each in enumerate(found.labels) if each == label]
    if not named:
        return ()
    return detected(Detections(found.boxes[named], found.scores[named], (label,) * len(named)), KINDS.get(label, label))


def _spotted(found: Detections, least_score: float) -> Look:
    """What rules on places want to know of a look."""
    rows = zip(found.boxes.tolist(), found.scores.tolist(), found.labels, strict=True)
    spotted = (
        Spotted(label, clamped_box(_box(edges)), score)
        for edges, score, label in rows
        if (label in PLACED or label in {FALLEN, "person"}) and score >= least_score and isfinite(sum(edges))
    )
    return Look(tuple(spotted), found.region)


def _box(edges: Sequence[float]) -> Box:
    left, top, right, bottom = edges
    return left, top, right, bottom


def _seconds(at: datetime) -> float:
    return (at - _EPOCH).total_seconds()
