"""Times that add up: buckets whose bounds grow by a tenth, so that a percentile of sums is that of all. Pure.

A raw percentile of days or areas can't be added. Here the bounds of buckets are powers of `GROWTH` in seconds and a bucket is told by
the value that is as far from both its bounds in proportion: what is told is off by (GROWTH − 1)/(GROWTH + 1) = 4.8 % at most (the
bounds of DDSketch: C. Masson, J. Rim, H. Lee, PVLDB 12 (2019)). Below a second is a second, above four hundred days the last bucket.
"""

from collections.abc import Iterable, Mapping
from math import ceil, log
from typing import Final

GROWTH: Final = 1.1
LONGEST_S: Final = 400 * 86_400.0
BUCKETS: Final = ceil(log(LONGEST_S) / log(GROWTH))
BOUNDS_S: Final = tuple(GROWTH**power for power in range(BUCKETS))
"""Lower bounds: bucket n (from 1) holds what is at least BOUNDS_S[n − 1] and less than the next; bucket 0 what is below a second."""
RELATIVE_ERROR: Final = (GROWTH - 1) / (GROWTH + 1)

_COUNT_BITS: Final = 32

Histogram = dict[int, int]
"""Bucket → how many. Empty buckets are left out."""


def told_s(bucket: int) -> float:
    """The time in seconds that stands for a bucket."""
    if bucket <= 0:
        return 1.0
    return 2 * GROWTH**bucket / (GROWTH + 1)


def percentile_s(histogram: Mapping[int, int], share: float) -> float | None:
    """The time in seconds within which this share (0 to 1) of all lies, by nearest rank; None of nothing."""
    whole = sum(histogram.values())
    if whole == 0:
        return None
    rank = max(1, ceil(share * whole))
    passed = 0
    for bucket in sorted(histogram):
        passed += histogram[bucket]
        if passed >= rank:
            return told_s(bucket)
    return told_s(max(histogram))


def packed(histogram: Mapping[int, int]) -> list[int]:
    """As a row keeps it: bucket and count in one number each, in the order of buckets."""
    return [bucket << _COUNT_BITS | count for bucket, count in sorted(histogram.items()) if count]


def gather(histogram: Histogram, numbers: Iterable[int]) -> None:
    """Add what `packed` made of another one. A year told apart by category is some hundred thousand numbers: nothing is made on the way."""
    mask, known = (1 << _COUNT_BITS) - 1, histogram.get
    for number in numbers:
        bucket = number >> _COUNT_BITS
        histogram[bucket] = known(bucket, 0) + (number & mask)


def unpacked(numbers: Iterable[int]) -> Histogram:
    """The histogram of `packed`."""
    found: Histogram = {}
    gather(found, numbers)
    return found
