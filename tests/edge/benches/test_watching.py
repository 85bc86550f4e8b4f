from collections.abc import Callable
from pathlib import Path

import pytest

from edge.benches.busy import Station, busy_camera, in_words, trial
from edge.benches.films import film_of
from edge.benches.idle import MODEL
from edge.benches.machine import Place, usable_cores
from edge.benches.systems import SYSTEMS
from edge.benches.watching import Order, watch
from edge.errors import MeasurementFailed


@pytest.mark.system
@pytest.mark.parametrize("system", [name for name in SYSTEMS if name != "demuxed"])
def test_each_way_of_watching_is_tried_in_a_process_of_its_own(
    system: str, clip: Callable[[str], Path], model: Callable[[str], Path], tmp_path: Path
) -> None:
    clip("one_by_one_person_detection")
    model("yolox_nano_416")
    cores = usable_cores()
    station = Station(film_of(None), Place(tmp_path, cores), seconds=3.0)
    with station.open():
        done = trial(system, station, 1, cores=len(cores), shared=True)
    assert (done.cameras, done.expected) == (1, 1)
    assert 0 <= done.found <= 1
    assert done.cpu_cores > 0
    assert in_words(done).startswith("   1 cameras: ")


def test_a_trial_that_breaks_off_says_why(tmp_path: Path) -> None:
    camera = busy_camera("c0", "rtsp://127.0.0.1:9/none", MODEL).model_copy(update={"model": "no_such_model"})
    order = Order("plain", [camera.model_dump(mode="json")], settled_s=0.1, seconds=0.1)
    with pytest.raises(MeasurementFailed, match="no_such_model"):
        watch(order, tmp_path)
