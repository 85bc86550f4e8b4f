"""Whose cameras a person may look at (归口部门): the default, and the rules that say otherwise. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cloud.access.model import Role

UNTOLD: Final = ""
"""The owner of cameras of which nobody told whose they are."""

PUBLIC_SECURITY: Final = "public_security"
_IN_CHARGE: Final = frozenset({Role.DUTY_CHIEF, Role.ADMINISTRATOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class SightRule:
    """Somebody may, or may not, look at the cameras of an owner: one role, one department, or one person."""

    owner: str
    allowed: bool
    role: Role | None = None
    department_id: int | None = None
    account_id: int | None = None

    @property
    def weight(self) -> int:
        """Of two rules for one owner the closer one counts: the person's before the department's before the role's."""
        if self.account_id is not None:
            return 3
        return 2 if self.department_id is not None else 1


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose cameras somebody may look at: those of `exceptions` unless of `others`, or the other way round."""

    others: bool
    exceptions: frozenset[str] = frozenset()

    def may(self, owner: str | None) -> bool:
        """Whether he may look at a camera of this owner (None: nobody told whose it is)."""
        return ((owner or UNTOLD) in self.exceptions) is not self.others


EVERYTHING: Final = Sight(others=True)


def default(role: Role, department: str | None) -> Sight:
    """What holds as long as nobody says otherwise.

    A department (its code) looks at its own cameras; an auditor at none, for he reads what others did; those of public security are
    for who is in charge; all others are there for those who verify and dispatch.
    """
    if role is Role.DEPARTMENT:
        return Sight(others=False, exceptions=frozenset({department} if department else ()))
    if role is Role.AUDITOR:
        return Sight(others=False)
    return EVERYTHING if role in _IN_CHARGE else Sight(others=True, exceptions=frozenset({PUBLIC_SECURITY}))


def decide(
    role: Role, department: str | None, *, department_id: int | None, account_id: int, rules: Iterable[SightRule]
) -> Sight:
    """The default with the rules for this person applied, in whatever order they come."""
    found = default(role, department)
    exceptions = set(found.exceptions)
    for rule in sorted(rules, key=lambda rule: rule.weight):
        concerns = (
            rule.account_id == account_id
            if rule.account_id is not None
            else (rule.department_id == department_id if rule.department_id is not None else rule.role is role)
        )
        if concerns and rule.allowed is found.others:
            exceptions.discard(rule.owner)
        elif concerns:
            exceptions.add(rule.owner)
    return Sight(found.others, frozenset(exceptions))
