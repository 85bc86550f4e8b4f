import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloud import cli
from cloud.access import sample
from cloud.organisation import founding
from cloud.organisation.sample import Layout, SampleDistrict
from tests.cloud.samples import GRID

Run = Callable[..., tuple[int, str, str]]
SMALL = Layout(columns=5, rows=2, bands=1, streets_in_band=1, members=50, estates_in_community=1, buildings_in_estate=1)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], migrated_url: str, tmp_path: Path) -> Run:
    """Run the command line as its entry point does: exit status, stdout, stderr."""
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", migrated_url)
    monkeypatch.setenv("GRIDWARD_DATA_DIRECTORY", str(tmp_path))

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["gridward-cloud", *words])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def answer(told: tuple[int, str, str], *, status: int = 0) -> Any:
    assert told[0] == status, told
    return json.loads(told[1])


def test_tables_in_and_out_at_a_terminal(run: Run, tmp_path: Path) -> None:
    answer(run("area", "import", str(sample.DOCUMENT), "--json"))
    file = tmp_path / "sites.csv"
    file.write_bytes(f"code,kind,name,area\nS1,station,东门驿站,{GRID}\nS2,kiosk,x,{GRID}\n".encode("gbk"))
    refused = answer(run("organisation", "import", "sites", str(file), "--json"), status=1)
    assert (refused["taken"], refused["problems"][0]["line"], refused["problems"][0]["column"]) == (False, 3, "kind")
    status, out, _ = run("organisation", "import", "sites", str(file), "--skip-bad")
    assert (status, out.splitlines()[-1]) == (0, "sites: 1 added, 1 bad rows")
    written = tmp_path / "out.csv"
    told = answer(run("organisation", "export", "sites", "--area", "110105", "--file", str(written), "--json"))
    assert told["rows"] == 1
    assert written.read_bytes().startswith(b"\xef\xbb\xbfcode,")
    again = answer(run("organisation", "import", "sites", str(written), "--json"))
    assert again["outcomes"] == {"unchanged": 1}
    point = {"type": "Point", "coordinates": [116.4, 39.9]}
    properties = {"code": "S3", "kind": "gate_house", "name": "东门", "area": GRID}
    feature = {"type": "Feature", "properties": properties, "geometry": point}
    points = tmp_path / "sites.geojson"
    points.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    assert answer(run("organisation", "import", "sites", str(points), "--json"))["outcomes"] == {"added": 1}
    found = answer(run("organisation", "check", "--area", GRID, "--json"))
    assert found["teams"][0]["code"] == GRID
    assert run("organisation", "check", "--area", "9")[0] == 1


def test_a_city_with_levels_of_its_own_at_a_terminal(run: Run, tmp_path: Path) -> None:
    levels: list[dict[str, Any]] = [
        {"level": "district", "alphabet": "digits", "length": 6},
        {"level": "community", "alphabet": "digits", "length": 9},
        {"level": "grid", "alphabet": "letters"},
        {"level": "micro_grid", "alphabet": "letters", "position": 60, "label_zh": "微网格", "label_en": "Micro grid"},
    ]
    file = tmp_path / "scheme.json"
    file.write_text(json.dumps({"name": "city", "nested": False, "levels": levels}), encoding="utf-8")
    for _ in range(2):
        made = answer(run("organisation", "scheme", str(file), "--json"))
        assert made["levels"] == ["district", "community", "grid", "micro_grid"]
    for wrong in (
        "[]",
        "{",
        '{"name": 1}',
        json.dumps({"name": "x", "nested": False, "levels": [{"level": "district"}]}),
    ):
        file.write_text(wrong, encoding="utf-8")
        assert run("organisation", "scheme", str(file), "--json")[0] == 1


def test_the_sample_at_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(code: str, *, seed: int) -> SampleDistrict:
        return SampleDistrict(code, seed=seed, layout=SMALL)

    monkeypatch.setattr("cloud.organisation.command.SampleDistrict", small)
    made = answer(run("organisation", "sample", "--district", "990103", "--json"))
    assert (made["areas"], made["rows"]["members"], founding.Founded(**made).shifts > 0) == (1 + 1 + 3 + 10, 50, True)
    assert answer(run("organisation", "check", "--hours", "200", "--json"))["teams"] == []
    for district in ("99010", "099999", "９90101"):
        assert run("organisation", "sample", "--district", district)[0] == 1
