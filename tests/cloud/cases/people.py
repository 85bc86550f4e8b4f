"""Persons by their roles, as the table of the state machine sees them."""

from cloud.access.model import Principal, Role

DEPARTMENT = 7


def person(role: Role, user_id: int | None = None, *, department: int | None = None) -> Principal:
    """Somebody with a role; each role has a person of its own unless an id is given."""
    if role is Role.DEPARTMENT and department is None:
        department = DEPARTMENT
    number = list(Role).index(role) + 1 if user_id is None else user_id
    return Principal(number, role.value, role.value, role, None, "", department)
