import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_configs.semver import Version

# as in Semantic Versioning 2.0.0, §11
ASCENDING = [
    "0.9.9",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0",
]
VERSIONS = st.builds(
    Version,
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 20),
    st.lists(st.integers(0, 20) | st.sampled_from(["rc", "alpha", "x-y"]), max_size=3).map(tuple),
)


def test_the_order_is_that_of_the_standard() -> None:
    versions = [Version.parse(text) for text in ASCENDING]
    assert sorted(versions) == versions
    assert [str(version) for version in versions] == ASCENDING


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "v1.0.0", "1.0.0+build", "1.0.0\n", "１.0.0", "1" * 80],
)
def test_what_is_no_version_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="is no version"):
        Version.parse(text)


@given(VERSIONS)
def test_a_version_reads_back_as_it_is_written(version: Version) -> None:
    assert Version.parse(str(version)) == version


@given(VERSIONS, VERSIONS, VERSIONS)
def test_there_is_one_order_of_any_versions(one: Version, two: Version, three: Version) -> None:
    assert (one < two) + (two < one) + (one == two) == 1
    if one < two < three:
        assert one < three
