from tests.system.endurance.door import Manner
from tests.system.endurance.series import WINDOW_S
from tests.system.endurance.situations import SCRIPTS, TURN_S, Situation


def test_every_situation_has_a_script_and_every_manner_comes_in_the_first_ten_minutes() -> None:
    assert set(SCRIPTS) == set(Situation)
    for script in SCRIPTS.values():
        turns = [script.manner_at(number * TURN_S) for number in range(int(WINDOW_S // TURN_S))]
        assert set(script.manners) <= set(turns)


def test_nothing_is_away_in_the_normal_situation() -> None:
    assert SCRIPTS[Situation.NORMAL].manner_at(1_000.0) is None


def test_who_is_away_is_away_all_the_time_until_the_end() -> None:
    away = SCRIPTS[Situation.CLOUD_AWAY]
    assert Manner.OPEN not in {away.manner_at(float(at_s)) for at_s in range(0, 36_000, 50)}
