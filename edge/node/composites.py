"""Composites at work: follows everything that is told at each spot, and tells what is worse together."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from edge.contract.incident import IncidentKind, IncidentState
from edge.flow import Finding, Sight
from edge.incidents import IncidentBook, RuleCards
from edge.rules.composite import CompositeRule
from edge.settings import CameraSettings, DeviceSettings, NodeConfiguration


def spots_of(configuration: NodeConfiguration) -> Mapping[str, frozenset[str]]:
    """The spots that each device and camera belongs to: where it stands, and which ones a camera shows."""
    spots: dict[str, set[str]] = {}
    members: tuple[DeviceSettings | CameraSettings, ...] = (*configuration.devices, *configuration.cameras)
    for each in members:
        if each.spot is not None:
            spots.setdefault(each.id, set()).add(each.spot)
    for spot in configuration.spots:
        for shown in spot.cameras:
            spots.setdefault(shown.camera, set()).add(spot.id)
    return {device: frozenset(names) for device, names in spots.items()}


class Composites:
    """All composites of a node. Any thread."""

    def __init__(self, configuration: NodeConfiguration, book: IncidentBook, *, clock: Callable[[], datetime]) -> None:
        self._book, self._clock = book, clock
        self._lock = threading.RLock()
        self._spots = spots_of(configuration)
        self._rules = _rules(configuration, self._spots)
        book.listen(self.follow)

    def resume(self) -> None:
        """Go on with what was open before a restart; after the book, before anything is found."""
        with self._lock:
            self._take_up([rule for rules in self._rules.values() for rule in rules])

    def adopt(self, configuration: NodeConfiguration, cards: RuleCards) -> None:
        """Go on with other composites and spots: one that is as it was goes on, one that is gone ends."""
        with self._lock:
            known = {(rule.settings, rule.spot): rule for rules in self._rules.values() for rule in rules}
            before, self._spots = self._spots, spots_of(configuration)
            fresh: list[CompositeRule] = []
            staying: list[CompositeRule] = []
            self._rules = _rules(configuration, self._spots)
            for spot, rules in self._rules.items():
                for place, rule in enumerate(rules):
                    same = known.pop((rule.settings, spot), None)
                    rules[place] = same or rule
                    (fresh if same is None else staying).append(rules[place])
            for rule in known.values():
                self._report(rule.ended(self._clock()))
            for device in {*before, *self._spots}:
                self._book.adopt(device, cards)
            for rule in staying:
                there = _at_spot(self._spots, rule.spot)
                self._report(rule.leave(there, self._clock()))
                self._feed(rule, there - _at_spot(before, rule.spot))
            for rule in fresh:
                self._feed(rule, _at_spot(self._spots, rule.spot))

    def follow(self, finding: Finding) -> None:
        """Something was told of a device."""
        if finding.kind == IncidentKind.COMPOSITE:
            return
        with self._lock:
            for rule in self._at(finding.device):
                self._report(rule.observe(finding))

    def saw(self, device: str, sight: Sight) -> None:
        """What a camera saw at the spot of a device when something was told of that."""
        labels = sorted({count.label for count in sight.counts or () if count.count > 0})
        if not labels:
            return
        with self._lock:
            for rule in self._at(device):
                self._report(rule.saw(sight.camera, labels, sight.captured_at))

    def _at(self, device: str) -> Sequence[CompositeRule]:
        return [rule for spot in sorted(self._spots.get(device, ())) for rule in self._rules.get(spot, ())]

    def _take_up(self, rules: Sequence[CompositeRule]) -> None:
        for incident in self._book.ongoing():
            if incident.kind != IncidentKind.COMPOSITE or incident.rule is None:
                continue
            mine = [
                rule
                for rule in rules
                if rule.settings.id == incident.rule.id and rule.spot in self._spots.get(incident.device, ())
            ]
            if len(mine) == 1 or any(rule.spot == incident.spot for rule in mine):
                next((rule for rule in mine if rule.spot == incident.spot), mine[0]).resume(incident)
            else:
                self._book.end(incident, "its rule is not configured any more; what followed was not seen")
        for rule in rules:
            self._feed(rule, _at_spot(self._spots, rule.spot))

    def _feed(self, rule: CompositeRule, devices: Collection[str]) -> None:
        """What is open of these devices, as it was told last, under the keys that the next words of it have."""
        for key, incident in self._book.ongoing_by_key().items():
            if incident.device in devices:
                rule.take(
                    Finding(
                        key=key,
                        state=IncidentState.UPDATE,
                        rule=incident.rule.id if incident.rule else incident.kind,
                        kind=incident.kind,
                        category=incident.category,
                        severity=incident.severity,
                        device=incident.device,
                        started_at=incident.started_at,
                        at=incident.updated_at,
                        point=incident.point,
                        fault=incident.fault,
                    )
                )
        self._report(rule.settle(self._clock()))

    def _report(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._book.report(finding)


def _at_spot(spots: Mapping[str, frozenset[str]], spot: str) -> frozenset[str]:
    return frozenset(device for device, names in spots.items() if spot in names)


def _rules(configuration: NodeConfiguration, spots: Mapping[str, frozenset[str]]) -> dict[str, list[CompositeRule]]:
    known = {spot for names in spots.values() for spot in names}
    return {
        spot: [CompositeRule(each, spot) for each in configuration.composites if not each.spots or spot in each.spots]
        for spot in sorted(known)
    }
