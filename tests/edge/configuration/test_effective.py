from pathlib import Path

from edge.configuration.effective import Origin, effective
from tests.edge.node.test_applying import FILE


def test_each_value_says_who_said_it(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(FILE + 'cameras: [{id: c, url: "rtsp://192.0.2.1/s", profile: rtsp_camera, analysis_hz: 8}]\n')
    found = {each.where: each for each in effective(file)}
    assert (found["cameras[0].analysis_hz"].value, found["cameras[0].analysis_hz"].origin) == (8, Origin.FILE)
    assert found["cameras[0].clips"].profile == "rtsp_camera 1.0.0"
    assert found["cameras[0].rules[0].for_s"].origin is Origin.PROFILE
    assert found["cameras[0].rules[0].cooldown_s"].origin is Origin.DEFAULT
    assert found["memory.keep_days"].profile == "node 1.0.0"
    assert str(found["sensors[0].kind"]) == "sensors[0].kind: current_transformer   # profile power_meter 1.0.0"
