"""Percentiles of answers, and whether they are good enough. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

LIMIT_MS = 200.0
"""95 % of the answers, over all and of each group that the issue names, come within this time."""


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that `share` of all do not exceed (nearest rank). Raises ValueError where there is none."""
    if not values:
        raise ValueError("there is nothing to rank")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def figures_of(took_ms: Sequence[float]) -> dict[str, Any]:
    """How many answers, and their percentiles in milliseconds."""
    return {
        "answers": len(took_ms),
        **{f"p{round(100 * share)}_ms": round(percentile(took_ms, share), 1) for share in (0.5, 0.95, 0.99)},
        "most_ms": round(max(took_ms), 1),
    }


def judge(took_ms: Mapping[str, Sequence[float]], groups: Mapping[str, str], *, errors: int) -> dict[str, Any]:
    """Figures by kind, by group and over all (steps stand beside), with what is too slow; `right` only without an error."""
    kinds = {name: figures_of(values) for name, values in sorted(took_ms.items())}
    by_group: dict[str, list[float]] = {}
    for name, values in took_ms.items():
        by_group.setdefault(groups.get(name, name), []).extend(values)
    asked = [value for name, values in took_ms.items() if name in groups for value in values]
    grouped = {name: figures_of(values) for name, values in sorted(by_group.items())}
    overall = figures_of(asked) if asked else {"answers": 0}
    slow = [name for name, found in {**kinds, **grouped, "all": overall}.items() if found.get("p95_ms", 0.0) > LIMIT_MS]
    return {
        "right": bool(asked) and not slow and not errors,
        "limit_p95_ms": LIMIT_MS,
        "too_slow": slow,
        "all": overall,
        "groups": grouped,
        "kinds": kinds,
    }
