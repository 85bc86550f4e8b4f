"""Drill mode (演练): what is only exercised is marked, apart from all that is real, and in no figure.

A drill has an area, an end, and the sources that were chosen for it; what anything else finds stays real, also inside of its area.
`model` decides what belongs to a drill, `service` starts, prolongs and ends it, `bounds` says whom it may reach, `report` what came of it.
How a case leaves it because there is real danger is `cloud.cases.reality`'s.
"""
