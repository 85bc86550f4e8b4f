"""A clock through its life: nothing is lost by a pause, nothing fires twice, nothing out of order."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.deadlines.calendar import OFFICE_WEEK, WALL_TIME, Calendar, Timeline
from cloud.deadlines.clock import (
    Clock,
    ClockState,
    FiringKind,
    Light,
    Measure,
    Rung,
    ended,
    extended,
    firings,
    next_firing,
    passed,
    paused,
    recomputed,
    resumed,
    retimed,
    settled,
    started,
)
from cloud.deadlines.holidays import public_day
from cloud.deadlines.rules import DeadlineRule, Limit, RungRule, Subject, Unit, applicable, ladder

OFFICE = Calendar(ZoneInfo("Asia/Shanghai"), [(date(2004, 1, 1), OFFICE_WEEK)], public=public_day)
NINE = datetime(2026, 3, 17, 1, tzinfo=UTC)  # 09:00 in Shanghai, a Tuesday
HOUR = Measure(OFFICE, timedelta(hours=1))


def minutes(amount: float) -> timedelta:
    return timedelta(minutes=amount)


def test_amber_at_eighty_percent_and_red_past_the_limit() -> None:
    clock = started("verifying", HOUR, at=NINE)
    assert (clock.amber_at, clock.due_at) == (NINE + minutes(48), NINE + minutes(60))
    lights = [clock.light(NINE + minutes(after)) for after in (0, 47.9, 48, 59.9, 60, 600)]
    assert lights == [Light.GREEN, Light.GREEN, Light.AMBER, Light.AMBER, Light.RED, Light.RED]
    assert ended(clock, at=NINE + minutes(50)).light(NINE + minutes(600)) is Light.AMBER, "it was in time"


def test_a_pause_costs_nothing_and_gives_nothing() -> None:
    clock = started("handling", HOUR, at=NINE)
    rests = paused(clock, HOUR, at=NINE + minutes(30))
    assert rests.light(NINE + minutes(600)) is Light.GREEN
    again = resumed(rests, HOUR, at=NINE + timedelta(days=2))
    assert again.due_at == NINE + timedelta(days=2) + minutes(30)
    assert again.amber_at == NINE + timedelta(days=2) + minutes(18)
    assert paused(rests, HOUR, at=NINE + minutes(40)) == rests
    assert resumed(clock, HOUR, at=NINE + minutes(40)) == clock


def test_more_time_is_a_new_deadline_only_once_something_has_fired() -> None:
    clock = started("handling", HOUR, at=NINE)
    until = NINE + minutes(100)
    before = extended(clock, HOUR, until)
    assert (before.due_at, before.amber_at, before.deadline) == (until, NINE + minutes(80), 1)
    after = extended(replace(clock, fired=2), HOUR, until)
    assert (after.due_at, after.deadline, after.fired) == (until, 2, 0)
    assert extended(clock, HOUR, NINE + minutes(50)) == clock, "never less"
    rests = paused(before, HOUR, at=NINE + minutes(40))
    assert resumed(rests, HOUR, at=NINE + minutes(60)).due_at == until + minutes(20)


def test_a_severity_that_rises_shortens_and_fires_nothing_again() -> None:
    clock = replace(started("handling", HOUR, at=NINE), fired=1)
    short = recomputed(clock, Measure(WALL_TIME, minutes(10)))
    assert (short.due_at, short.deadline, short.fired) == (NINE + minutes(10), 1, 1)
    longer = recomputed(short, HOUR)
    assert (longer.deadline, longer.fired) == (2, 0)


def test_the_ladder_follows_the_deadline_and_never_overtakes_itself() -> None:
    rungs = [
        Rung("grid", minutes(0), OFFICE),
        Rung("community", minutes(60), OFFICE),
        Rung("street", minutes(5), WALL_TIME),
    ]
    clock = started("handling", Measure(OFFICE, timedelta(hours=6)), at=NINE)
    found = firings(clock, rungs)
    assert [firing.kind for firing in found] == [FiringKind.AMBER, FiringKind.RED, *[FiringKind.ESCALATE] * 3]
    assert [firing.level for firing in found[2:]] == ["grid", "community", "street"]
    assert [firing.due_at for firing in found] == sorted(firing.due_at for firing in found)
    assert next_firing(replace(clock, fired=5), rungs) is None
    assert next_firing(ended(clock, at=NINE), rungs) is None, "it never fell due"


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[str, timedelta]]:
    steps = st.sampled_from(["pause", "resume", "recompute", "sweep", "sweep", "extend"])
    return draw(st.lists(st.tuples(steps, st.timedeltas(-minutes(90), timedelta(days=3))), max_size=25))


@given(lives(), st.sampled_from([OFFICE, WALL_TIME]), st.integers(1, 3000))
@settings(max_examples=150, deadline=None)
def test_whatever_happens_each_deadline_fires_once_in_order_and_time_used_is_kept(
    life: list[tuple[str, timedelta]], timeline: Timeline, limit: int
) -> None:
    measure = Measure(timeline, minutes(limit))
    rungs = [Rung("grid", minutes(0), timeline), Rung("street", minutes(30), timeline)]
    now = latest = NINE
    clock, fired = started("handling", measure, at=NINE), list[tuple[int, int]]()
    for step, later in [*life, ("sweep", timedelta(days=90))]:
        now += later
        before = clock
        clock = _step(step, clock, measure, rungs, now)
        while step == "sweep" and (upcoming := next_firing(clock, rungs)) is not None and upcoming.due_at <= now:
            fired.append((upcoming.deadline, upcoming.number))
            clock = passed(clock)
        assert clock.amber_at <= clock.due_at
        assert clock.used >= before.used
        assert clock.due_at >= before.due_at or now < latest, "only a clock that was set back takes time away"
        latest = max(latest, now)
    assert len(fired) == len(set(fired))
    assert fired == sorted(fired)
    if clock.state is ClockState.RUNNING and clock.extended_until is None:
        assert clock.used + timeline.between(clock.since, clock.ladder_from or clock.due_at) == measure.limit


def _step(step: str, clock: Clock, measure: Measure, rungs: Sequence[Rung], now: datetime) -> Clock:
    """As the service takes it: what has fallen due is settled first."""
    if step == "resume":
        return resumed(settled(clock, rungs, at=now), measure, at=now)
    if not clock.runs or step == "sweep":
        return clock
    present = recomputed(clock, measure)
    if step == "recompute":
        return present
    present = settled(present, rungs, at=now)
    return paused(present, measure, at=now) if step == "pause" else extended(present, measure, now + minutes(300))


OPENS, CLOSES = NINE - minutes(30), NINE + minutes(510)
"""08:30 and 17:30 of a Tuesday in Shanghai: the same working time as the evening before and the morning after."""
EDGES = [
    edge + timedelta(days=day) + timedelta(microseconds=tick)
    for day in (0, 1, 3, 6)
    for edge in (OPENS, NINE + minutes(180), NINE + minutes(300), CLOSES)
    for tick in (-1, 0, 1)
]
Deed = tuple[str, datetime]
DEEDS = st.tuples(
    st.sampled_from(["pause", "resume", "extend", "recompute"]),
    st.sampled_from(EDGES)
    | st.datetimes(EDGES[0].replace(tzinfo=None), EDGES[-1].replace(tzinfo=None), timezones=st.just(UTC)),
)
LADDER = [
    Rung("grid", minutes(0), OFFICE),
    Rung("community", minutes(90), WALL_TIME),
    Rung("street", minutes(420), OFFICE),
]


def told(
    begun: datetime, measure: Measure, deeds: list[Deed], sweeps: list[datetime]
) -> tuple[list[tuple[object, ...]], Clock]:
    """What a clock tells in its life: the deadline, number, level and due time of each, swept at these times and once at the end."""
    clock = started("whole", measure, at=begun)
    found: list[tuple[object, ...]] = []
    plan = (
        [("sweep", at, 1) for at in sweeps]
        + [(step, at, 0) for step, at in deeds]
        + [("sweep", begun + timedelta(days=400), 1)]
    )
    for step, at, _ in sorted(plan, key=lambda each: each[1:]):
        clock = _step(step, clock, measure, LADDER, at)
        while step == "sweep" and (upcoming := next_firing(clock, LADDER)) is not None and upcoming.due_at <= at:
            found.append((upcoming.deadline, upcoming.number, upcoming.level, upcoming.due_at))
            clock = passed(clock)
    return found, clock


@given(
    st.sampled_from(EDGES[:6]),
    st.sampled_from([OFFICE, WALL_TIME]),
    st.sampled_from([210, 420, 840, 1000]),
    st.lists(DEEDS, max_size=10),
    st.lists(st.sampled_from(EDGES), max_size=10),
)
@settings(max_examples=200, deadline=None)
def test_what_is_told_and_when_it_was_due_does_not_depend_on_when_it_was_swept(
    begun: datetime, timeline: Timeline, limit: int, deeds: list[Deed], sweeps: list[datetime]
) -> None:
    measure = Measure(timeline, minutes(limit))
    deeds = sorted((step, at) for step, at in deeds if at >= begun)
    deeds.sort(key=lambda each: each[1])
    at_once = [at for at in EDGES if at >= begun] + [at for _, at in deeds]
    found, clock = told(begun, measure, deeds, [at for at in sweeps if at >= begun])
    for other in ([], at_once):
        again, same = told(begun, measure, deeds, other)
        assert again == found
        assert same == clock


@given(
    st.sampled_from(EDGES[:6]),
    st.sampled_from([OFFICE, WALL_TIME]),
    st.tuples(st.sampled_from([30, 210, 420, 1000]), st.sampled_from([30, 210, 420, 1000])),
    st.tuples(st.sampled_from(EDGES), st.sampled_from(EDGES)),
    st.lists(st.sampled_from(EDGES), max_size=10),
)
@settings(max_examples=200, deadline=None)
def test_a_change_of_limits_tells_the_same_whenever_a_sweep_came(
    begun: datetime,
    timeline: Timeline,
    limits: tuple[int, int],
    change: tuple[datetime, datetime],
    sweeps: list[datetime],
) -> None:
    changed_at = max(begun, change[0])
    worked_out_at = max(changed_at, change[1])
    old, new = (Measure(timeline, minutes(limit)) for limit in limits)
    end = begun + timedelta(days=400)

    def swept(clock: Clock, at: datetime, found: list[tuple[object, ...]]) -> Clock:
        while (upcoming := next_firing(clock, LADDER)) is not None and upcoming.due_at <= at:
            found.append((upcoming.deadline, upcoming.number, upcoming.level, upcoming.due_at))
            clock = passed(clock)
        return clock

    ideal: list[tuple[object, ...]] = []
    clock = recomputed(swept(started("whole", old, at=begun), changed_at, ideal), new)
    swept(clock, end, ideal)

    found: list[tuple[object, ...]] = []
    clock = started("whole", old, at=begun)
    for at in sorted(at for at in sweeps if begun <= at <= changed_at):
        clock = swept(clock, at, found)
    upcoming = next_firing(clock, LADDER)
    next_at = upcoming.due_at if upcoming is not None else None
    clock = retimed(clock, new, LADDER, changed_at=changed_at, next_at=next_at)
    clock = swept(clock, worked_out_at, found)
    swept(clock, end, found)
    assert found == ideal
    assert len({each[:2] for each in found}) == len(found), "nothing twice"


def test_a_rest_of_no_length_moves_nothing() -> None:
    measure = Measure(OFFICE, timedelta(hours=7))
    for begun in EDGES[:6]:
        for at in EDGES:
            if at < begun:
                continue
            clock = started("whole", measure, at=begun)
            again = resumed(paused(settled(clock, LADDER, at=at), measure, at=at), measure, at=at)
            left = [*again.owed, *firings(again, LADDER)[again.fired :]]
            assert tuple(left) == firings(clock, LADDER), (begun, at)


def test_a_time_that_is_over_stays_over_since_it_was_and_its_levels_wait_for_a_rest() -> None:
    clock = settled(started("whole", HOUR, at=NINE), LADDER, at=NINE + minutes(70))
    again = resumed(paused(clock, HOUR, at=NINE + minutes(70)), HOUR, at=NINE + timedelta(days=1))
    assert (again.amber_at, again.due_at, again.deadline) == (clock.amber_at, clock.due_at, 1)
    assert [each.number for each in again.owed] == [0, 1, 2]
    community, street = firings(again, LADDER)[3:]
    assert community.due_at == NINE + timedelta(days=1) + minutes(80), "ten minutes of it had passed"
    assert street.due_at == NINE + timedelta(days=2, minutes=-10)
    shorter = Measure(OFFICE, minutes(30))
    early = resumed(
        paused(started("whole", HOUR, at=NINE), HOUR, at=NINE + minutes(40)), shorter, at=NINE + minutes(90)
    )
    assert (early.amber_at, early.due_at) == (NINE + minutes(90),) * 2, "never in a time before anybody knew"


def rule(number: int, **given: object) -> DeadlineRule:
    usual: dict[str, object] = {
        "area_code": None,
        "category": None,
        "severity": None,
        "stage": "handling",
        "limit": Limit(number, Unit.MINUTES),
        "amber_percent": 80,
        "effective_from": NINE - timedelta(days=30),
    }
    return DeadlineRule(id=number, **(usual | given))  # type: ignore[arg-type]  # made by hand


def test_the_nearest_rule_counts_and_among_equals_the_newest_in_force() -> None:
    subject = Subject(areas=("110105", "110105001"), category="fire_safety", severity="high", stage="handling")
    rules = [
        rule(1),
        rule(2, severity="high"),
        rule(3, category="fire_safety"),
        rule(4, area_code="110105"),
        rule(5, area_code="110105001", effective_from=NINE + timedelta(days=1)),
        rule(6, area_code="110106", category="fire_safety"),
        rule(7, stage="checking"),
        rule(8, severity="low"),
    ]
    chosen = []
    while (best := applicable(rules, subject, at=NINE)) is not None:
        chosen.append(best.id)
        rules.remove(best)
    assert chosen == [4, 3, 2, 1]
    newer = [
        rule(1),
        rule(2, effective_from=NINE - timedelta(days=1)),
        rule(3, effective_from=NINE + timedelta(days=1)),
    ]
    found = applicable(newer, subject, at=NINE)
    assert found is not None
    assert found.id == 2


def test_the_ladder_of_an_area_replaces_the_one_above() -> None:
    def rung(area: str | None, level: str, position: int) -> RungRule:
        return RungRule(
            area_code=area, severity="high", level=level, position=position, after=Limit(1, Unit.WORKING_DAYS)
        )

    rungs = [rung(None, "district", 10), rung(None, "grid", 40), rung("110105", "street", 20)]
    inside = Subject(areas=("110105", "110105001"), category="x", severity="high", stage="handling")
    assert [each.level for each in ladder(rungs, inside, OFFICE)] == ["street"]
    outside = Subject(areas=("110106",), category="x", severity="high", stage="handling")
    assert [(each.level, each.after) for each in ladder(rungs, outside, OFFICE)] == [
        ("grid", timedelta(hours=7)),
        ("district", timedelta(hours=7)),
    ]
    assert ladder(rungs, Subject(areas=(), category="x", severity="low", stage="handling"), OFFICE) == ()
