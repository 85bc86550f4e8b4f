"""The figures of correlation that an operator may set."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cloud.correlate.folding import FoldRules
from cloud.settings import CloudSettings

_WINDOW: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class CorrelationRules:
    """When incidents fold, and until which age an ended critical one rings; `zone` is where days begin."""

    window: timedelta
    late_ring: timedelta
    zone: ZoneInfo
    folding: FoldRules = field(default_factory=lambda: FoldRules(_WINDOW))

    @classmethod
    def of(cls, settings: CloudSettings) -> "CorrelationRules":
        """The rules as the environment sets them."""
        window = timedelta(seconds=settings.fold_window_s)
        return cls(
            window,
            timedelta(seconds=settings.late_ring_s),
            settings.zone,
            FoldRules(
                window,
                storm_window=timedelta(seconds=settings.storm_window_s),
                again_within=timedelta(seconds=settings.again_within_s),
                false_times=settings.false_alarm_times,
                false_within=timedelta(seconds=settings.false_alarm_within_s),
                echo_window=timedelta(seconds=settings.false_alarm_window_s),
            ),
        )


DEFAULT_RULES = CorrelationRules(_WINDOW, timedelta(days=1), ZoneInfo("Asia/Shanghai"))
