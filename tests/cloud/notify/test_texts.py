import dataclasses
import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import cloud
from cloud.cases.model import CaseStatus
from cloud.notify.policy import DRILL_ENDED, SUMMARY, WARNINGS
from cloud.notify.rules import RULES
from cloud.notify.texts import LANGUAGES, TEST, Wording, short, text
from edge.contract.incident import Severity

CASE = Wording(
    word="opened",
    number="110105-20260317-0042",
    category="fire_safety",
    severity=Severity.HIGH,
    area_name="望京街道",
    status=CaseStatus.REPORTED,
)
LOCALES = Path(cloud.__file__).parent / "web" / "src" / "locale"
POISON = "张三 13800138000 <img src=x> https://evil.example/track.jpg\r\nBcc: x@y"
WORDS = [*RULES, SUMMARY, WARNINGS, DRILL_ENDED, TEST, "unheard_of", POISON]


def test_a_case_in_both_languages() -> None:
    assert text(CASE).title == "重要 · 新案件"
    assert text(CASE).body == "消防 · 望京街道 · 待核实 · 110105-20260317-0042"
    english = text(dataclasses.replace(CASE, language="en"))
    assert english.title == "high · new case"


def test_a_summary_says_how_many_and_names_the_worst() -> None:
    told = text(dataclasses.replace(CASE, word=SUMMARY, count=12))
    assert told.title == "12 件案件待处理"
    assert told.body == "最严重 · 重要 · 消防 · 望京街道 · 待核实 · 110105-20260317-0042"


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("language", [*LANGUAGES, "xx"])
def test_drills_and_simulations_are_marked_in_every_text(word: str, language: str) -> None:
    marks = ("[DRILL]", "[SIMULATED]") if language == "en" else ("【演练】", "【模拟】")
    title = text(dataclasses.replace(CASE, word=word, language=language, drill=True, simulated=True)).title
    assert word == TEST or all(mark in title for mark in marks)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_fact_has_words(language: str) -> None:
    assert not (set(RULES) | {SUMMARY, WARNINGS, DRILL_ENDED, TEST}) - set(LANGUAGES[language].facts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_fact_has_words_in_the_page(language: str) -> None:
    messages = (LOCALES / f"{language}.ts").read_text(encoding="utf-8")
    words = messages.partition("noticeWord: {")[2].partition("\n  }")[0]
    assert not (set(RULES) | {DRILL_ENDED, TEST}) - set(re.findall(r"^    (\w+):", words, re.MULTILINE))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_that_was_written_by_hand_gets_into_a_text(word: str, language: str) -> None:
    poisoned = Wording(word=word, number=POISON, category=POISON, severity=Severity.HIGH, language=language)
    told = text(poisoned)
    for leak in (told.title, told.body, json.dumps(short(poisoned), ensure_ascii=False)):
        for part in ("张三", "13800138000", "http", "<img", "Bcc", "evil", "\r", "\n"):
            assert part not in leak


def test_a_text_is_made_of_words_of_closed_sets_alone() -> None:
    """The only free text is the official name of an area; what could hold a person, a note or a picture has no field."""
    free = {name for name, kind in get_type_hints(Wording).items() if kind in (str, str | None, Any)}
    assert free == {"word", "number", "category", "area_name", "language"}


def test_the_name_of_an_area_is_one_plain_line() -> None:
    body = text(dataclasses.replace(CASE, area_name="A\n[x](http://e)<b>*_`@all" + "长" * 100)).body
    assert not set("\n[]<>*`@/:") & set(body)
    assert len(body) < 120
