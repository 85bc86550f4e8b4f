"""What a figure is made of stands in both languages of the page, and says what is counted."""

import re
from pathlib import Path

import pytest

import cloud
from cloud.figures.definitions import COMPLAINT_RATING, DEVICE_ONLINE_RATE, FIGURES, MISSED_WITHIN_MIN

LOCALES = Path(cloud.__file__).parent / "web" / "src" / "locale"
ALL = (*FIGURES, DEVICE_ONLINE_RATE)
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def words(language: str, group: str) -> dict[str, str]:
    messages = (LOCALES / f"{language}.ts").read_text(encoding="utf-8")
    block = messages.partition(f"\n  {group}: {{")[2].partition("\n  }")[0]
    return dict(re.findall(r"^    (\w+): '(.+)',$", block, re.MULTILINE))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_figure_has_its_words(language: str) -> None:
    assert {each.name for each in ALL} <= words(language, "figure").keys()
    assert {each.name for each in ALL} == words(language, "figureCounts").keys()
    assert {each.name for each in ALL if each.denominator} == words(language, "figureWhole").keys()
    assert {each.name for each in ALL if each.left_out} == words(language, "figureLeftOut").keys()


@pytest.mark.parametrize("group", ["figure", "figureCounts", "figureWhole", "figureLeftOut"])
def test_each_language_speaks_for_itself(group: str) -> None:
    assert all(CHINESE.search(text) for text in words("zh", group).values())
    assert not any(CHINESE.search(text) for text in words("en", group).values())


def test_the_chinese_name_is_the_term() -> None:
    known = words("zh", "figure")
    assert {each.name: re.sub(r"[（）]| ", "", known[each.name]) for each in ALL} == {
        each.name: each.term.replace(" ", "") for each in ALL
    }


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_can_be_changed_stands_there_as_it_is(language: str) -> None:
    counted = words(language, "figureCounts")
    assert f" {COMPLAINT_RATING} " in counted["complaints"]
    assert f" {MISSED_WITHIN_MIN} " in counted["missed_rate"]
