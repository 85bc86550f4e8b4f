from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloud.correlate import policy
from cloud.correlate.policy import CaseFacts
from edge.contract.incident import Incident, IncidentState, Severity
from tests.cloud.samples import NOW, incident

WINDOW = timedelta(minutes=10)


def facts(*, case_id: int = 1, is_open: bool = True, start_s: float = 0, end_s: float = 0) -> CaseFacts:
    return CaseFacts(
        case_id=case_id,
        is_open=is_open,
        severity=Severity.MEDIUM,
        started_at=NOW + timedelta(seconds=start_s),
        last_activity_at=NOW + timedelta(seconds=end_s),
        late=False,
        simulated=False,
    )


@st.composite
def revisions(draw: st.DrawFn) -> Incident:
    start_s = draw(st.integers(-10_000, 10_000))
    state = draw(st.sampled_from(IncidentState))
    return incident(
        draw(st.integers(1, 3)),
        revision=draw(st.integers(1, 5)),
        state=state,
        start_s=start_s,
        update_s=start_s + draw(st.integers(0, 1_000)),
        severity=draw(st.sampled_from(Severity)),
        simulated=draw(st.booleans()),
    )


@given(
    st.lists(revisions(), min_size=1, max_size=8).flatmap(
        lambda items: st.tuples(st.just(items), st.permutations(items))
    )
)
def test_the_order_of_revisions_and_their_doubles_make_no_difference(
    both: tuple[list[Incident], list[Incident]],
) -> None:
    in_order, shuffled = both

    def joined(items: list[Incident]) -> CaseFacts:
        case = facts()
        for item in items:
            case = policy.absorb(case, item, aloud=True).facts
        return case

    assert joined(in_order) == joined(shuffled + in_order)


@given(revisions(), st.booleans())
def test_severity_never_falls_and_a_rise_is_told(item: Incident, aloud: bool) -> None:
    case = facts()
    absorbed = policy.absorb(case, item, aloud=aloud)
    assert absorbed.facts.severity.rank == max(case.severity.rank, item.severity.rank)
    assert absorbed.raised == (item.severity.rank > case.severity.rank)
    assert absorbed.facts.started_at <= case.started_at
    assert absorbed.facts.last_activity_at >= case.last_activity_at


@given(revisions(), st.integers(-20_000, 20_000), st.integers(0, 5_000))
def test_a_case_that_is_not_open_is_never_chosen(item: Incident, start_s: int, length_s: int) -> None:
    settled = facts(is_open=False, start_s=start_s, end_s=start_s + length_s)
    assert policy.choose(item, [settled], window=WINDOW) is None


def test_the_window_runs_from_the_last_activity() -> None:
    case = facts(end_s=100)
    assert policy.choose(incident(start_s=100 + 600), [case], window=WINDOW) is case
    assert policy.choose(incident(start_s=100 + 600.001), [case], window=WINDOW) is None


def test_the_window_also_reaches_back_for_what_comes_late() -> None:
    case = facts(start_s=700, end_s=800)
    assert policy.choose(incident(start_s=50, update_s=100), [case], window=WINDOW) is case
    assert policy.choose(incident(start_s=50, update_s=99), [case], window=WINDOW) is None


def test_the_nearest_case_is_chosen_and_of_two_as_near_the_older() -> None:
    far, near, as_near = facts(case_id=1, end_s=0), facts(case_id=2, end_s=300), facts(case_id=3, end_s=300)
    assert policy.choose(incident(start_s=400), [as_near, far, near], window=WINDOW) is near


def rings(item: Incident, *, historical: bool = True, age_s: float = 0) -> bool:
    return policy.rings(
        item,
        historical=historical,
        taken_at=policy.activity_end(item) + timedelta(seconds=age_s),
        late_ring=timedelta(hours=1),
    )


def test_what_is_live_rings() -> None:
    assert rings(incident(state=IncidentState.ENDED, severity=Severity.LOW), historical=False, age_s=1e6)


def test_a_condition_that_still_holds_rings_whatever_its_age() -> None:
    assert rings(incident(state=IncidentState.OPEN, severity=Severity.LOW), age_s=1e7)
    assert rings(incident(state=IncidentState.UPDATE, severity=Severity.LOW), age_s=1e7)


def test_an_ended_critical_one_rings_up_to_the_age() -> None:
    ended = incident(state=IncidentState.ENDED, severity=Severity.CRITICAL)
    assert rings(ended, age_s=3600)
    assert not rings(ended, age_s=3601)
    assert not rings(incident(state=IncidentState.ENDED, severity=Severity.HIGH), age_s=1)


def test_what_has_rung_stays_rung() -> None:
    late = CaseFacts(
        1, is_open=True, severity=Severity.LOW, started_at=NOW, last_activity_at=NOW, late=True, simulated=False
    )
    rang = policy.absorb(late, incident(), aloud=True)
    assert rang.rang
    assert not policy.absorb(rang.facts, incident(), aloud=False).facts.late


def test_a_settled_case_is_outgrown_only_by_something_worse() -> None:
    settled = facts(is_open=False)
    assert not policy.outgrows(settled, incident(severity=Severity.MEDIUM))
    assert policy.outgrows(settled, incident(severity=Severity.HIGH))
    assert not policy.outgrows(facts(), incident(severity=Severity.HIGH))
