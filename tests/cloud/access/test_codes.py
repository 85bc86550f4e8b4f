import pytest

from cloud.access.codes import CN15, Alphabet, CodeForm, CodeScheme


@pytest.mark.parametrize(
    ("code", "level", "parent", "word"),
    [
        ("110105", "district", None, None),
        ("110105001001001", "grid", "110105001001", None),
        ("110105001001001", "grid", "110105001002", "begin"),
        ("11010500100100", "grid", "110105001001", "no code"),
        ("1101050010010011", "grid", "110105001001", "no code"),
        ("11010500100100１", "grid", "110105001001", "no code"),
        ("110105\n", "district", None, "no code"),
        ("110105001", "precinct", None, "no level"),
    ],
)
def test_codes_of_fifteen_digits(code: str, level: str, parent: str | None, word: str | None) -> None:
    problem = CN15.problem(code, level, parent)
    assert (problem is None) == (word is None)
    if word is not None:
        assert word in str(problem)


def test_a_code_of_letters_is_bounded_and_plain() -> None:
    form = CodeForm(Alphabet.LETTERS)
    assert form.fits("A-1")
    assert not any(form.fits(code) for code in ("", "A/1", "A 1", "A\n", "x" * 33, "网格"))


def test_levels_are_those_of_the_scheme_from_the_top_down() -> None:
    digits = Alphabet.DIGITS
    city = CodeScheme("city", {"district": CodeForm(digits, 6), "community": CodeForm(digits, 9)}, nested=True)
    assert (city.top, city.position("community"), city.lengths) == ("district", 1, frozenset({6, 9}))
    assert "no level" in str(city.problem("110105001", "street", "110105"))
    assert "begin" in str(city.problem("110105001", "community", "110105001"))
