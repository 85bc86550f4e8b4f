"""The status in words, for `gridward-edge status`: what waits, since when, what was dropped and why. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from edge.node.gateways import gateway_lines

_MIB = 1 << 20
_DROPS_SHOWN = 20

Status = Mapping[str, Any]
"""What `read_status` tells."""


def status_lines(found: Status) -> list[str]:
    """One line for each thing worth knowing; times in UTC, with how long ago they were when the status was written."""
    if "node" not in found:
        return [str(found["reason"])]
    if "evidence" not in found:
        return [f"{found['node']}: the status was written by another version of this software; --json shows it"]
    now = datetime.fromisoformat(found.get("clock", {}).get("told_at") or found["written_at"])
    state = "running" if found["running"] else "not running"
    return [
        f"{found['node']}: {state} (written {found['age_s']} s ago)",
        _uplink(found["uplink"], now),
        *_outbox(found["outbox"], now),
        *_lost(found["outbox"]),
        *_evidence(found["evidence"], now),
        *_commands(found.get("commands", {})),
        *_wall(found.get("wall", {})),
        *_linkage(found.get("linkage", {})),
        *_provisioning(found.get("provisioning", {}), now),
        *_memory(found.get("memory", {})),
        *gateway_lines(found.get("gateways", {})),
        *(f"camera {name}: {_figures(figures)}" for name, figures in found["cameras"].items()),
        *(f"gate of {name}: {_gate(gate)}" for name, gate in found.get("gates", {}).items()),
        *(
            f"degraded: {each['subject']}: {each['reason']}: {each['detail']} (since {_moment(each['since'], now)})"
            for each in found["degraded"]
        ),
    ]


def _uplink(uplink: Status, now: datetime) -> str:
    link = f"connected since {_moment(uplink['connected_since'], now)}" if uplink["connected"] else "not connected"
    return (
        f"uplink: {link}, {uplink['in_flight']} in flight, {uplink['connections']} connections, "
        f"{uplink['resent']} of {uplink['sent']} sent again"
    )


def _provisioning(provisioning: Status, now: datetime) -> Iterator[str]:
    running = provisioning.get("running", {})
    if running:
        yield f"runs: {', '.join(f'{name} {version}' for name, version in running.items())}"
    for step in provisioning.get("steps", ()):
        if step["state"] != "applied":
            why = f": {step['code']}: {step['reason']}" if step["code"] else ""
            yield f"ordered: {step['name']} {step['version']}: {step['state']} {_moment(step['at'], now)}{why}"


def _outbox(outbox: Status, now: datetime) -> Iterator[str]:
    messages = dict(outbox["messages_waiting"])
    incidents = messages.pop("up/incident", 0)
    since = f", the oldest since {_moment(outbox['oldest_waiting'], now)}" if outbox["oldest_waiting"] else ""
    yield (
        f"outbox: {outbox['readings_waiting']} readings, {incidents} incidents and {sum(messages.values())} other messages "
        f"wait{since}"
    )
    yield (
        f"outbox: {100 * outbox['share']:.0f} % used ({outbox['level']}): {_mib(outbox['used_bytes'])} of "
        f"{_mib(outbox['room_bytes'])} MiB for readings, quota {_mib(outbox['quota_bytes'])} MiB"
    )
    if outbox["incidents_unsaved"]:
        yield f"outbox: {outbox['incidents_unsaved']} incidents wait in memory: the disk takes nothing"


def _lost(outbox: Status) -> Iterator[str]:
    readings, incidents = outbox.get("readings_lost", 0), outbox.get("incidents_lost", 0)
    if readings or incidents:
        yield f"lost with a damaged disk: {readings} readings (declared) and {incidents} revisions of incidents"
    if not outbox["dropped"]:
        yield "dropped: nothing"
    for drop in outbox["dropped"][:_DROPS_SHOWN]:
        span = f"from {_short(drop['from_at'])} to {_short(drop['to_at'])}"
        yield f"dropped: {drop['count']} readings of {drop['device']}, {span}: {drop['reason']}, declared"
    more = len(outbox["dropped"]) - _DROPS_SHOWN
    if more > 0:
        yield f"dropped: and readings of {more} more devices and reasons (--json names them)"
    for tally in outbox["dead_letters"]:
        yield (
            f"rejected by the cloud: {tally['count']} × {tally['subject']}: {tally['reason']}, "
            f"last at {_short(tally['last_at'])}"
        )


def _evidence(evidence: Status, now: datetime) -> Iterator[str]:
    since = f", the oldest since {_moment(evidence['oldest_waiting'], now)}" if evidence["oldest_waiting"] else ""
    yield (
        f"evidence: {evidence['files_waiting']} files wait, {_mib(evidence['used_bytes'])} of "
        f"{_mib(evidence['quota_bytes'])} MiB{since}"
    )
    if evidence["left_out"]:
        yield f"evidence: {evidence['left_out']} files found no room since the start"


def _gate(gate: Status) -> str:
    """What it does, and what the audits of it found."""
    does = f"{gate['state']} ({gate['reason'].replace('_', ' ')})"
    if not gate.get("audited_s"):
        return f"{does}, not audited yet"
    return (
        f"{does}, audited for {gate['audited_s']:.0f} s: {gate['found']} movements found with everything decoded and by the gate, "
        f"{gate['missed']} missed by the gate"
    )


def _commands(commands: Status) -> Iterator[str]:
    """Only where the cloud ever asked for anything."""
    for what in ("answered", "refused"):
        if counts := commands.get(what):
            yield f"commands {what}: " + ", ".join(f"{key} {count}" for key, count in sorted(counts.items()))


def _memory(memory: Status) -> Iterator[str]:
    """What is remembered for `rules try`, where anything is."""
    if memory.get("quota_bytes"):
        lost = f", {memory['blocks_lost']} blocks lost" if memory["blocks_lost"] else ""
        yield f"memory: {memory['used_bytes'] / 2**20:.1f} of {memory['quota_bytes'] / 2**20:.0f} MiB{lost}"


def _linkage(linkage: Status) -> Iterator[str]:
    """Of looks at spots, once there were any."""
    if linkage.get("events") or linkage.get("left"):
        yield (
            f"linkage: {linkage['events']} events at spots, {linkage['sights']} sights of {linkage['asked']} looks, "
            f"{linkage['absent']} without a picture, {linkage['left']} left since too many waited"
        )


def _wall(wall: Status) -> Iterator[str]:
    """Only where somebody ever looked."""
    if wall.get("leases") or wall.get("turned_away"):
        shown = ", ".join(wall["shown"]) or "nothing"
        yield (
            f"wall: shows {shown}; {wall['sent']} of {wall['made']} pictures sent, {wall['skipped']} skipped for want of time, "
            f"{wall['refused']} refused, {wall['turned_away']} cameras turned away"
        )


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / _MIB:.1f}"


def _short(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _moment(text: str, now: datetime) -> str:
    seconds = max(0, round((now - datetime.fromisoformat(text)).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3_600, seconds // 86_400
    ago = (
        f"{days} d" if days > 1 else f"{hours} h" if hours > 1 else f"{minutes} min" if minutes > 1 else f"{seconds} s"
    )
    return f"{_short(text)} ({ago})"


def _figures(figures: Status) -> str:
    return ", ".join(f"{name} {value}" for name, value in figures.items())
