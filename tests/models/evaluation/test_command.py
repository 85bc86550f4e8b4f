import io
import json
from pathlib import Path
from typing import Any

import pytest

from models.datasets.labels import LABELS, Label
from models.evaluation.__main__ import RESULT, Meter, main
from models.evaluation.charts import BY_CLASS, BY_SIZE, CURVES
from models.evaluation.report import VERSION
from tests.models.evaluation.made_up import data_in, weights_in


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without clips, and with no model but the candidate and what comes with the software."""
    for name in ("GRIDWARD_CACHE", "GRIDWARD_MIRROR", "GRIDWARD_ASSETS", "GRIDWARD_MODELS"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))


def told(folder: Path, capsys: pytest.CaptureFixture[str], *further: str) -> dict[str, Any]:
    data, candidate = data_in(folder), weights_in(folder)
    code = main(
        ["--data", str(data), "--weights", str(candidate), "--only-weights", "--draws", "20", "--json", *further]
    )
    out, problems = capsys.readouterr()
    assert code == 0, problems
    content: dict[str, Any] = json.loads(out)
    return content


def test_from_a_folder_of_pictures_and_a_file_of_weights_to_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = told(
        tmp_path, capsys, "--no-clips", "--runs", "2", "--out", str(tmp_path / "out"), "--sheets", "candidate"
    )
    assert report["version"] == VERSION
    assert report["data"]["pictures"] == {"fall_ward_cctv": 4, "garbage_bins_atanu": 4}
    overall = {row["label"]: row for row in report["accuracy"] if row["over"] == "all"}
    assert set(overall) == {Label.FALLEN_PERSON, Label.LITTER, Label.BIN_OVERFLOW}
    assert overall["litter"]["things"] == 3
    assert overall["litter"]["few"]
    assert overall["litter"]["ap50"] == pytest.approx(0.75, abs=0.01)  # of equal scores the order of pictures decides
    assert report["models"][0]["labels"] == list(LABELS)
    assert report["speed"][0]["runs"] == 2
    assert report["speed"][0]["whole"]["median_ms"] > 0
    assert json.loads((tmp_path / "out" / RESULT).read_text()) == report
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {BY_CLASS, BY_SIZE, CURVES, "failures_candidate_litter.jpg"} <= names


def test_the_same_pictures_give_the_same_figures_and_clips_that_are_not_there_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = told(tmp_path, capsys, "--runs", "0")
    (tmp_path / "again").mkdir()
    again = told(tmp_path / "again", capsys, "--runs", "0")
    assert {key: first[key] for key in ("data", "models", "accuracy")} == {
        key: again[key] for key in ("data", "models", "accuracy")
    }
    assert set(first["left_out"]) >= {"house_fire", "car_detection"}
    assert first["false_alarms"] == first["speed"] == []


def test_people_get_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, candidate = data_in(tmp_path), weights_in(tmp_path)
    options = ["--only-weights", "--no-clips", "--runs", "1", "--draws", "0"]
    assert main(["--data", str(data), "--weights", str(candidate), *options]) == 0
    out = capsys.readouterr().out
    assert "few boxes" in out
    assert "by size" in out
    assert "one thread" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data", "{}/nowhere"], "--data"),
        (["--data", "{}", "--part", "validation"], "--part"),
        (["--data", "{}", "--models", "unheard_of"], "known:"),
        (["--data", "{}", "--weights", "{}/none.onnx"], "--weights"),
        (["--data", "{}", "--weights", "{}/classes.txt"], "not a graph"),
        (["--data", "{}", "--only-weights"], "--weights"),
        (["--data", "{}", "--weights", "{}/candidate.onnx", "--sheets", "other"], "other"),
    ],
)
def test_what_is_missing_is_named_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    data_in(tmp_path)
    weights_in(tmp_path)
    assert main([option.format(tmp_path) for option in options]) == 2
    assert said in capsys.readouterr().err


def test_a_meter_tells_what_is_left_and_not_too_often() -> None:
    out, now_s = io.StringIO(), [0.0]
    meter = Meter(out, lambda: now_s[0])
    meter.begin("pictures", 100)
    for done in range(1, 11):
        now_s[0] += 0.5
        meter(done)
    meter.end()
    lines = [line for line in out.getvalue().split("\r\033[K") if line]
    assert len(lines) == 6
    assert lines[-1] == "pictures: 10 of 100, 45 s left"
