"""A made scene of a community gate: pictures of a street drawn from geometry, and the exact truth of each.

`view` (a pinhole camera) → `place` (what stands there) → `shapes`, `people`, `vehicles`, `things` (what is drawn) → `motion`, `actors`
(who goes where and when) → `painting`, `weather` (a picture). Everything follows from a seed; time is seconds of the scene.
"""
