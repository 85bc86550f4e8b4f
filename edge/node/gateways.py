"""What the status file and the metrics tell of video gateways."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from edge.settings import CameraSettings
from edge.sources.gb28181 import department_of
from edge.sources.video_gateway import Gateways, gateway_of

_COUNTERS: Final = {
    "logins": "Log-ins, also refused ones.",
    "invitations": "Calls to play a channel.",
    "streams": "Invitations that came to an address.",
    "held": "Invitations that were given up after their time.",
    "refused": "Questions for a stream that were answered without one.",
    "offline": "Of these: the channel was told to be off.",
    "lost": "Questions that the gateway did not answer, or did not let the node in for.",
}

Status = Mapping[str, Any]


def gateway_figures(gateways: Gateways, cameras: Sequence[CameraSettings]) -> dict[str, dict[str, Any]]:
    """Of each gateway: what is wrong with it, what was asked of it, and its channels here with whose they are."""
    channels: dict[str, dict[str, str | None]] = {gateway.settings.id: {} for gateway in gateways}
    for camera in cameras:
        name = gateway_of(camera.url)
        if name is not None:
            channels[name][camera.id] = camera.department or department_of(camera.id)
    return {
        gateway.settings.id: {
            "problem": gateway.problem,
            "logins": gateway.logins,
            **asdict(gateway.counters),
            "channels": channels[gateway.settings.id],
        }
        for gateway in gateways
    }


def gateway_lines(gateways: Status) -> Iterator[str]:
    """One line for each, for people."""
    for name, found in gateways.items():
        whose = Counter(department or "another department" for department in found["channels"].values())
        departments = ", ".join(f"{count} of {department}" for department, count in sorted(whose.items()))
        counted = ", ".join(f"{counter} {found[counter]}" for counter in _COUNTERS)
        yield f"gateway {name}: {found['problem'] or 'well'}; channels: {departments or 'none'}; {counted}"


def gateway_metrics(gateways: Status) -> Iterator[Metric]:
    """As metrics, by gateway."""
    if not gateways:
        return
    lost = GaugeMetricFamily("gridward_edge_gateway_lost", "1 while a video gateway is of no use.", labels=["gateway"])
    for name, found in gateways.items():
        lost.add_metric([name], int(found["problem"] is not None))
    yield lost
    for counter, meaning in _COUNTERS.items():
        family = CounterMetricFamily(f"gridward_edge_gateway_{counter}", meaning, labels=["gateway"])
        for name, found in gateways.items():
            family.add_metric([name], found[counter])
        yield family
