"""No sequence of calls by any role brings a case where the table does not let it go."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from cloud.settings import CloudSettings
from tests.cloud.api.life import CaseLife, Town, town_of

LARGE = os.environ.get("HYPOTHESIS_PROFILE") == "large"
"""A night's run; the suite has some seconds for it."""


@pytest.fixture
def town(settings: CloudSettings) -> Iterator[Town]:
    with town_of(settings) as made:
        yield made


@pytest.mark.timeout(14_400 if LARGE else 300)
def test_whatever_people_do_the_table_holds(town: Town) -> None:
    class LifeHere(CaseLife):
        def __init__(self) -> None:
            super().__init__(town)

    run_state_machine_as_test(
        LifeHere,
        settings=settings(
            max_examples=300 if LARGE else 5,
            stateful_step_count=60 if LARGE else 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert {200, 403, 404, 409, 422} <= set(town.statuses), "something of everything was tried"
