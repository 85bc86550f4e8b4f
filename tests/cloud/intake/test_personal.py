import pytest

from cloud.intake.personal import MASK, without_numbers


@pytest.mark.parametrize(
    "number",
    [
        "13800138000",
        "+86 138-0013-8000",
        "86 13800138000",
        "１３８００１３８０００",
        "010-65551234",
        "11010519900307123X",
        "6222 0200 1234 5678 901",
        "li.lei@example.com",
    ],
)
def test_numbers_of_persons_are_masked(number: str) -> None:
    assert without_numbers(f"请联系李先生{number}，谢谢") == f"请联系李先生{MASK}，谢谢"


@pytest.mark.parametrize(
    "text", ["3 号楼 2 单元 1801", "2026-03-17 08:30", "110105001001003", "第 42 号", "电动车 15 辆"]
)
def test_other_numbers_stay(text: str) -> None:
    assert without_numbers(text) == text


def test_nothing_stays_nothing() -> None:
    assert without_numbers(None) is None
