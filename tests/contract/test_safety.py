from hypothesis import given
from hypothesis import strategies as st

from edge.contract.incident import Severity
from edge.contract.safety import NONE, SafetyFault, category_of, joined, severity_of, split


@given(st.lists(st.sampled_from(SafetyFault)))
def test_a_state_holds_each_fault_once_in_any_order(faults: list[SafetyFault]) -> None:
    assert split(joined(faults)) == frozenset(faults)
    assert joined(reversed(faults)) == joined(faults)


@given(st.text(max_size=50))
def test_whatever_a_newer_node_says_is_a_fault_or_none(state: str) -> None:
    assert all(isinstance(fault, SafetyFault) for fault in split(state))


def test_nothing_wrong_is_said_so() -> None:
    assert joined([]) == NONE
    assert split(NONE) == frozenset()
    assert split("over_temperature+meltdown") == {SafetyFault.OVER_TEMPERATURE, SafetyFault.OTHER}


def test_what_may_burn_is_never_left_to_maintenance() -> None:
    for fault in SafetyFault:
        if severity_of(fault).rank >= Severity.HIGH.rank:
            assert category_of(fault) != "maintenance"
    assert severity_of(SafetyFault.OVER_TEMPERATURE) is Severity.CRITICAL
    assert severity_of(SafetyFault.METER) is Severity.LOW
