"""Any sequence of reloads, good ones and bad ones: who is not meant does not notice, and nothing is left behind."""

import contextlib
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edge.configuration.reload import Fate, change
from edge.errors import ConfigurationError
from edge.node.assembly import Node
from edge.settings import NodeConfiguration
from edge.sources.registry import mqtt_devices
from tests.edge.configuration.test_reload import CONFIGURATIONS, camera, configuration
from tests.edge.node.test_reloading import placed, running
from tests.edge.waiting import wait_until

REFUSED: dict[str, dict[str, Any]] = {
    "a rule without its zone": {"cameras": [camera("c", rules=[{"kind": "intrusion", "zone": "nowhere"}])]},
    "what only a new process can take": {"outbox": {"quota_mib": 8}},
    "both, and a camera less": {"cameras": [], "outbox": {"quota_mib": 8}},
}
STEPS = st.lists(st.one_of(CONFIGURATIONS, st.sampled_from(sorted(REFUSED))), min_size=3, max_size=7)
UNTOUCHED = frozenset({Fate.KEPT, Fate.CHANGED})


def threads() -> Counter[str]:
    """The living threads by name; those whose end is only a matter of time are none."""
    names = (thread.name for thread in threading.enumerate())
    return Counter(name for name in names if not name.startswith(("succeed-", "stop-")))


def open_files() -> int:
    """Descriptors of this process, without the sheets of marks: a node holds its own as long as the process lives."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the look itself, or of a thread that has just ended
            count += descriptor.readlink().name != "native.marks"
    return count


@dataclass(frozen=True)
class Followed:
    """What a camera must not lose while it is not touched: its thread, its connection and all that it follows."""

    watch: object
    source: object
    pipeline: object
    tracker: object

    @classmethod
    def of(cls, node: Node) -> "dict[str, Followed]":
        """Of each camera of a node."""
        return {
            watch.camera.id: cls(watch, watch.source, watch.pipeline, vars(watch.pipeline)["_tracker"])
            for watch in node.cameras.watches
        }


def reload(node: Node, step: NodeConfiguration | str) -> None:
    """One step, and what has to hold after it."""
    if isinstance(step, str):
        wait_until(lambda: settled(node) and taken_over(node), "all that the step before brings")
        before, shown = Followed.of(node), running(node)
        with pytest.raises(ConfigurationError):
            node.adopt(placed(node.directory, configuration(**REFUSED[step])))
        assert running(node) == shown
        assert Followed.of(node) == before
        return
    before, wanted = Followed.of(node), placed(node.directory, step)
    fates = change(node.configuration, wanted).cameras
    node.adopt(wanted)
    after = Followed.of(node)
    for name, fate in fates.items():
        assert (after.get(name) == before.get(name)) == (fate in UNTOUCHED)


def taken_over(node: Node) -> bool:
    """Whether the threads of sources and cameras go by the newest configuration already: each takes it over itself."""
    shown = running(node)
    topics = sorted({topic for device in mqtt_devices(node.configuration) for topic in device.topics})
    listening = all(each == topics for each in (*shown["topics"], *shown["subscriptions"]))
    asking = (shown["registers"], shown["lines"]) == (
        {device.id: device for device in node.configuration.modbus},
        {line.id: line for line in node.configuration.leased_lines},
    )
    watched = {watch.camera.id: watch.camera for watch in node.cameras.watches}
    return listening and asking and watched == {camera.id: camera for camera in node.configuration.cameras}


def settled(node: Node) -> bool:
    """Whether all that the last step began has ended."""
    return not any(each.is_alive() for each in node.cameras._successions.values())


@settings(
    max_examples=4, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)  # shrinking would take hours
@given(CONFIGURATIONS, STEPS)
def test_who_is_not_meant_does_not_notice_and_nothing_is_left_behind(
    tmp_path_factory: pytest.TempPathFactory, first: NodeConfiguration, steps: list[NodeConfiguration | str]
) -> None:
    folder: Path = tmp_path_factory.mktemp("nodes")
    without, files = threads(), open_files()
    last = next((step for step in reversed(steps) if not isinstance(step, str)), first)
    fresh = Node(placed(folder / "fresh", last), on_fatal=pytest.fail)
    fresh.start()
    try:
        wait_until(lambda: all(watch._thread.is_alive() for watch in fresh.cameras.watches))
        alone = threads() - without
    finally:
        fresh.stop()
    wait_until(lambda: threads() <= without, "the end of the first node's threads", timeout_s=30)
    node = Node(placed(folder / "reloaded", first), on_fatal=pytest.fail)
    node.start()
    try:
        for step in steps:
            reload(node, step)
        wait_until(lambda: settled(node) and threads() - without == alone, "the same threads", timeout_s=30)
    finally:
        node.stop()
    wait_until(lambda: threads() <= without and open_files() <= files, "the end of all of it", timeout_s=30)
