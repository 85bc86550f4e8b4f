import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import Invalid, TooLarge
from cloud.organisation import tables
from cloud.organisation.exchange import COLUMNS, TableKind
from cloud.organisation.tables import Column, TableProblem, decode, read_csv, read_points, text_of, write_csv

SITES = COLUMNS[TableKind.SITES]
TWO = (Column("code", text_of(9)), Column("name", text_of(9), required=False))
GOOD = "code,kind,name,area\nS1,station,东门驿站,110105001\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_a_table_is_read_whatever_spreadsheet_wrote_it(encoding: str) -> None:
    rows, problems = read_csv(decode(GOOD.replace("\n", "\r\n").encode(encoding)), SITES)
    assert problems == []
    assert (rows[0].line, rows[0].values["name"], rows[0].values["address"]) == (2, "东门驿站", None)


@pytest.mark.parametrize("data", [GOOD.encode("utf-16"), b"code\x00,name", b"\xff\xff\xff", b"\x81"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        decode(data)


def test_size_is_bounded() -> None:
    with pytest.raises(TooLarge):
        decode(b"x" * (tables.LARGEST_BYTES + 1))
    with pytest.raises(TooLarge):
        read_csv("code\n" + "1\n" * (tables.MOST_ROWS + 1), TWO)


def test_each_bad_cell_is_named_with_its_line_and_column() -> None:
    text = (
        "code,kind,name,area,longitude,latitude,hours\n"
        "S 1,kiosk,x,110105,181,x,\n"
        '"S2",station,"two\nlines",110105,,,1-5 25:00-26:00\n'
        "S3,station,x,110105,,\n"
        "\n"
        "S4,station,,110105,1e3,,\n"
    )
    rows, problems = read_csv(text, SITES)
    assert rows == []
    assert {(problem.line, problem.column) for problem in problems} == {
        (2, "code"), (2, "kind"), (2, "longitude"), (2, "latitude"), (3, "name"), (3, "hours"), (5, None), (7, "name"), (7, "longitude"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("header", "column", "word"),
    [
        ("code,code", "code", "twice"),
        ("name", "code", "missing"),
        ("code,colour", "colour", "no such"),
        ("", None, "empty"),
    ],
)
def test_a_header_that_can_not_be(header: str, column: str | None, word: str) -> None:
    _, problems = read_csv(header, TWO)
    assert any(problem.column == column and word in problem.reason for problem in problems)


def test_a_torn_quote_is_a_problem_and_no_crash() -> None:
    rows, problems = read_csv('code\nA\n"B', TWO)
    assert [row.values["code"] for row in rows] == ["A"]
    assert problems[-1] == TableProblem(3, None, problems[-1].reason)


@pytest.mark.parametrize("cell", ['=HYPERLINK("http://x")', "+86 10 1234", "-cmd|' /C calc'!A0", "@SUM(1)", "\tx"])
def test_no_cell_runs_in_a_spreadsheet(cell: str) -> None:
    written = write_csv(["code"], [[cell]])
    [[read]] = list(csv.reader(io.StringIO(written.removeprefix("\ufeff"))))[1:]
    assert read == f"'{cell}"


def test_numbers_stay_numbers() -> None:
    assert write_csv(["a", "b"], [[-73.5, None]]).splitlines()[1] == "-73.5,"


@given(st.lists(st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=9), max_size=20))
def test_what_is_written_is_read_again(codes: list[str]) -> None:
    kept = [code for code in codes if not code.startswith("'")]
    rows, problems = read_csv(decode(write_csv(["code"], [[code] for code in kept]).encode()), TWO)
    assert problems == []
    assert [row.values["code"] for row in rows] == kept


@given(st.binary(max_size=300))
def test_no_bytes_are_a_mistake_of_ours(data: bytes) -> None:
    try:
        text = decode(data)
    except Invalid:
        return
    read_csv(text, TWO)


def test_points_are_rows() -> None:
    feature = {
        "type": "Feature",
        "properties": {"code": "S1", "kind": "station", "name": "x", "area": "110105"},
        "geometry": {"type": "Point", "coordinates": [116.4, 39.9]},
    }
    rows, problems = read_points({"type": "FeatureCollection", "features": [feature]}, SITES)
    assert problems == []
    assert (rows[0].values["longitude"], rows[0].values["latitude"]) == (116.4, 39.9)


@pytest.mark.parametrize(
    "feature",
    [None, {}, {"properties": {"colour": "red"}}, {"properties": {"code": []}}, {"properties": {}, "geometry": {"type": "Polygon"}},
     {"properties": {}, "geometry": {"type": "Point", "coordinates": ["1", 2]}}, {"properties": {"code": float("nan")}}],
)  # fmt: skip
def test_a_feature_that_is_no_point_is_a_problem(feature: object) -> None:
    rows, problems = read_points({"type": "FeatureCollection", "features": [feature]}, SITES)
    assert rows == []
    assert problems
    assert read_points(feature, SITES)[1]
