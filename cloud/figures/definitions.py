"""Every figure in one table: its unit, what it is made of, what is left out. Pure; API, page and tests read it.

Of all figures are left out: exercises (演练), cases that were voided (作废) or merged into another (并案) while they are so, and, unless
asked for, what was simulated. Days are local ones (`GRIDWARD_TIMEZONE`). A case counts where its grid lay when it was opened.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cloud.figures.histogram import percentile_s
from cloud.figures.tally import Fact, Tally, Time
from cloud.verdicts.precision import Share

MISSED_WITHIN_MIN: Final = 30
"""A report is missed by machines when none of them told of that or a related kind so long before or after it."""
LEFT_OUT_OF_ALL: Final = "Exercises (演练); cases that were voided (作废) or merged into another (并案), while they are so; what was simulated, unless asked for."
COMPLAINT_RATING: Final = 2
"""A requester's rating of so many stars or fewer is a complaint."""


class Unit(StrEnum):
    """What a value is."""

    CASES = "cases"
    SHARE = "share"
    SECONDS = "seconds"


class Better(StrEnum):
    """Which way is good."""

    MORE = "more"
    LESS = "less"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure. `part` alone is a number of cases; with `whole` it is a share; with `time` a percentile of that time.

    `numerator`, `denominator` and `left_out` say it in words; `term` is the field's own.
    """

    name: str
    term: str
    unit: Unit
    better: Better
    numerator: str
    denominator: str = ""
    left_out: str = ""
    part: Fact | None = None
    whole: tuple[Fact, ...] = ()
    time: Time | None = None
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Value:
    """What a figure comes to. `value` None: nothing happened that it is made of. Shares have Wilson's interval (95 %)."""

    figure: Figure
    value: float | None
    part: int | None
    whole: int
    low: float | None = None
    high: float | None = None
    is_few: bool = False


def _count(name: str, term: str, fact: Fact, better: Better, numerator: str) -> Figure:
    return Figure(name=name, term=term, unit=Unit.CASES, better=better, numerator=numerator, part=fact)


def _time(name: str, term: str, time: Time, share: float, *, of: str, left_out: str = "") -> Figure:
    return Figure(
        name=name,
        term=term,
        unit=Unit.SECONDS,
        better=Better.LESS,
        numerator=of,
        left_out=left_out,
        time=time,
        share=share,
    )


def _share(
    name: str,
    term: str,
    better: Better,
    *,
    part: Fact,
    whole: tuple[Fact, ...],
    of: str,
    over: str,
    left_out: str = "",
) -> Figure:
    return Figure(
        name=name,
        term=term,
        unit=Unit.SHARE,
        better=better,
        numerator=of,
        denominator=over,
        left_out=left_out,
        part=part,
        whole=whole,
    )


_TO_VERIFY = "from the opening, or from being taken back to the start, to the verdict on the spot (confirm, dismiss)"
_TO_DISPATCH = "from being filed to the first department told, or the team that claimed it"
_TO_CLOSE = "from the opening, or from being opened again, to the closing; rest (挂账) and checks are in it"
_DUE = (
    "Cases suspended (挂账) while they are so; clocks that run and are not past their time; what was due is told by the date that an "
    "extension (延时) allowed."
)

FIGURES: Final[tuple[Figure, ...]] = (
    _count("opened", "上报数", Fact.OPENED, Better.NEITHER, "cases opened, by machines and by people"),
    _count(
        "closed",
        "结案数",
        Fact.CLOSED,
        Better.NEITHER,
        "closings; a case that was opened again and closed counts twice",
    ),
    _count(
        "serious",
        "重大案件",
        Fact.SERIOUS,
        Better.LESS,
        "cases opened whose severity is critical, now that all is known",
    ),
    _count(
        "complaints",
        "投诉",
        Fact.COMPLAINTS,
        Better.LESS,
        f"cases from the hotline, and ratings of {COMPLAINT_RATING} stars or fewer by whoever asked",
    ),
    _count(
        "overdue",
        "超期",
        Fact.OVERDUE,
        Better.LESS,
        "clocks of stages and of whole cases that went past their time, each once for each deadline",
    ),
    _time("verify_p50", "核实用时中位数", Time.TO_VERIFY, 0.5, of=_TO_VERIFY),
    _time("verify_p90", "核实用时 P90", Time.TO_VERIFY, 0.9, of=_TO_VERIFY),
    _time(
        "dispatch_p50",
        "派遣用时中位数",
        Time.TO_DISPATCH,
        0.5,
        of=_TO_DISPATCH,
        left_out="Cases handled on the spot (自处理).",
    ),
    _time(
        "dispatch_p90",
        "派遣用时 P90",
        Time.TO_DISPATCH,
        0.9,
        of=_TO_DISPATCH,
        left_out="Cases handled on the spot (自处理).",
    ),
    _time("close_p50", "结案用时中位数", Time.TO_CLOSE, 0.5, of=_TO_CLOSE),
    _time("close_p90", "结案用时 P90", Time.TO_CLOSE, 0.9, of=_TO_CLOSE),
    _share(
        "on_time_verification",
        "按期核实率",
        Better.MORE,
        part=Fact.VERIFY_ON_TIME,
        whole=(Fact.VERIFY_DUE,),
        of="of these, verified by the time that was due",
        over="clocks of verifying whose time was due in the window",
        left_out=_DUE,
    ),
    _share(
        "on_time_closure",
        "按期结案率",
        Better.MORE,
        part=Fact.CLOSE_ON_TIME,
        whole=(Fact.CLOSE_DUE,),
        of="of these, closed by the time that was due",
        over="clocks of whole cases (办结时限) whose time was due in the window; a case that was opened again counts for each closing",
        left_out=_DUE + " Cases rejected in time, and those from before there were such clocks.",
    ),
    _share(
        "rework_rate",
        "返工率",
        Better.LESS,
        part=Fact.REWORKED,
        whole=(Fact.REWORKED, Fact.CLOSED),
        of="checks that sent a case back to its handler (返工)",
        over="checks: those, and closings",
    ),
    _share(
        "return_rate",
        "退单率",
        Better.LESS,
        part=Fact.RETURNED,
        whole=(Fact.DISPATCHED,),
        of="of these, returned (退单); on the day of the dispatch, whenever that was",
        over="cases dispatched or claimed in the window",
        left_out="Cases sent on from one department to another without being returned.",
    ),
    _share(
        "reopen_rate",
        "重开率",
        Better.LESS,
        part=Fact.REOPENED,
        whole=(Fact.CLOSED,),
        of="of these, opened again, on whatever day: by a person, by a bad rating, or found again by a machine",
        over="closings in the window",
    ),
    _share(
        "false_alarm_rate",
        "误报率",
        Better.LESS,
        part=Fact.FALSE_ALARMS,
        whole=(Fact.JUDGED,),
        of="judgements that what a machine told of was not so",
        over="judgements on the spot that decided; a case of fifty incidents is judged once",
        left_out="Tests, and what could not be told.",
    ),
    _share(
        "missed_rate",
        "漏报率",
        Better.LESS,
        part=Fact.MISSED,
        whole=(Fact.REPORTED_IN_VIEW,),
        of=f"of these, without an incident of that or a related kind in that grid within {MISSED_WITHIN_MIN} minutes, admitted or not",
        over="cases that people reported in a grid with a camera that was in order at that time",
        left_out="Requests for a service (点单); cameras while they are exercised. Where cameras stand is asked as it is registered when a report is counted.",
    ),
    _share(
        "self_handled_share",
        "自处理率",
        Better.NEITHER,
        part=Fact.SELF_HANDLED,
        whole=(Fact.CLOSED,),
        of="of these, handled by the grid worker himself",
        over="closings",
    ),
)
"""All figures that the roll-up gives, in the order in which a page shows them."""

BY_NAME: Final = {figure.name: figure for figure in FIGURES}

DEVICE_ONLINE_RATE: Final = Figure(
    name="device_online_rate",
    term="设备在线率",
    unit=Unit.SHARE,
    better=Better.MORE,
    numerator="time in which devices were there",
    denominator="time that is known of them",
    left_out="The time before a device's first word, and while its node itself was away. Not told by kind or severity of cases.",
)
"""Not from the roll-up: from `cloud.maintenance.figures`."""


def value_of(figure: Figure, tally: Tally) -> Value:
    """What a figure of the roll-up comes to."""
    if figure.time is not None:
        histogram = tally.times.get(figure.time, {})
        return Value(figure, percentile_s(histogram, figure.share), None, sum(histogram.values()))
    part = tally.count(figure.part) if figure.part is not None else 0
    if not figure.whole:
        return Value(figure, float(part), part, part)
    whole = sum(tally.count(each) for each in figure.whole)
    share = Share.of(min(part, whole), whole)
    return Value(figure, share.value, part, whole, share.low, share.high, share.is_few)
