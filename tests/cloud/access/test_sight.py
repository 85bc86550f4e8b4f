import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.access.model import Role
from cloud.access.sight import PUBLIC_SECURITY, UNTOLD, SightRule, decide, default

OWNERS = ("urban_management", "traffic", PUBLIC_SECURITY, UNTOLD)
ME, MY_DEPARTMENT = 7, 3


@pytest.mark.parametrize("role", Role)
def test_by_default(role: Role) -> None:
    seen = {owner for owner in OWNERS if default(role, "traffic").may(owner or None)}
    everything = set(OWNERS)
    expected = {
        Role.DUTY_CHIEF: everything,
        Role.ADMINISTRATOR: everything,
        Role.AUDITOR: set(),
        Role.DEPARTMENT: {"traffic"},
    }
    assert seen == expected.get(role, everything - {PUBLIC_SECURITY})


def test_a_department_without_cameras_looks_at_none_not_even_at_nobodys() -> None:
    assert not any(default(Role.DEPARTMENT, "water").may(owner or None) for owner in OWNERS)
    assert not any(default(Role.DEPARTMENT, None).may(owner or None) for owner in OWNERS)


rules = st.lists(
    st.builds(
        SightRule,
        owner=st.sampled_from(OWNERS),
        allowed=st.booleans(),
        role=st.sampled_from(Role),
    )
    | st.builds(SightRule, owner=st.sampled_from(OWNERS), allowed=st.booleans(), department_id=st.integers(1, 4))
    | st.builds(SightRule, owner=st.sampled_from(OWNERS), allowed=st.booleans(), account_id=st.integers(5, 8)),
    max_size=12,
    unique_by=lambda rule: (rule.owner, rule.role, rule.department_id, rule.account_id),
)


def closest(found: list[SightRule], role: Role, department_id: int | None, owner: str) -> bool | None:
    """What the closest rule for an owner says: the table of the design, read row by row."""
    for concerns in (
        lambda rule: rule.account_id == ME,
        lambda rule: rule.department_id is not None and rule.department_id == department_id,
        lambda rule: rule.role is role,
    ):
        for rule in found:
            if rule.owner == owner and concerns(rule):
                return rule.allowed
    return None


@given(rules, st.sampled_from(Role), st.sampled_from([None, MY_DEPARTMENT]))
def test_the_closest_rule_counts_and_without_one_the_default(
    found: list[SightRule], role: Role, department_id: int | None
) -> None:
    sight = decide(role, "traffic", department_id=department_id, account_id=ME, rules=found)
    for owner in OWNERS:
        said = closest(found, role, department_id, owner)
        assert sight.may(owner) == (default(role, "traffic").may(owner) if said is None else said)


@given(rules, st.sampled_from(Role))
def test_the_order_of_the_rules_does_not_matter(found: list[SightRule], role: Role) -> None:
    sights = {
        decide(role, None, department_id=MY_DEPARTMENT, account_id=ME, rules=order)
        for order in itertools.islice(itertools.permutations(found), 20)
    }
    assert len(sights) == 1
