"""The gate loses nothing of a real visit that decoding everything finds (`tests.benches.gate` has all visits and more encoders)."""

from fractions import Fraction
from pathlib import Path

import pytest

from edge.flow import GateReason, GateState
from edge.perception.detector import open_detector
from edge.perception.gate import PacketGate
from edge.video import Video
from models import catalogue
from tests.benches.gate import compared
from tests.fakes.encodings import ENCODINGS, write_pictures
from tests.fakes.gated import GatedRun
from tests.fakes.visits import CLIP, floor_camera

RATE = 10
EMPTY_S = 30.0
VISIT_S = (5.0, 12.0)


@pytest.fixture(scope="module", params=["vbr-low", "noisy-cbr"])
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of the empty room, forwards and backwards, and the beginning of the first visit."""
    images = []
    with Video(catalogue.clip(CLIP)) as video:
        for decoded in video.frames():
            if (decoded.pts_s or 0.0) >= VISIT_S[1]:
                break
            images.append(decoded.picture.image)
    there_and_back = [*range(3, 50), *range(48, 3, -1)]
    empty = [images[there_and_back[turn % len(there_and_back)]] for turn in range(round(EMPTY_S * RATE))]
    path = tmp_path_factory.mktemp("film") / f"{request.param}.mp4"
    write_pictures([*empty, *images[round(VISIT_S[0] * RATE) :]], path, Fraction(RATE), ENCODINGS[request.param])
    return path


def test_the_same_incidents_begin_at_the_same_times(film: Path) -> None:
    camera, gate, detector = floor_camera(), PacketGate(), open_detector("yolox_nano_416")
    whole = GatedRun(camera, detector, None).play(film)
    gated = GatedRun(camera, detector, gate).play(film)
    assert [each.kind for each in whole.incidents()] == ["intrusion"]
    comparison = compared(whole.told(), gated.told(), 1 / camera.analysis_hz)
    assert (comparison.recall, comparison.more) == (1.0, 0)
    assert comparison.start_apart_s <= 1 / camera.analysis_hz + 0.05
    if film.stem == "noisy-cbr":
        assert (gate.state, gate.reason) == (GateState.UNSUITED, GateReason.SIZES_TELL_NOTHING)
        assert gated.decoded == gated.packets
    else:
        assert gate.counters.told == 1
        assert gate.counters.missed == 0
        assert gated.decoded < 0.85 * gated.packets
