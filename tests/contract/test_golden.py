"""The frozen files of each version: a change that an older reader could not follow fails here."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from edge.contract import schemas
from edge.contract.bodies import SHAPES
from edge.contract.downlink import DesiredProfile, order_statement
from edge.contract.envelope import decode, encode
from edge.contract.topics import Channel
from tests.contract.samples import SAMPLES

GOLDEN = Path(__file__).parent / "golden"
CHANNELS = list(Channel)


def _name(channel: Channel) -> str:
    return channel.value.replace("/", "-")


def _golden(channel: Channel) -> bytes:
    return (GOLDEN / "v1" / f"{_name(channel)}.json").read_bytes()


@pytest.mark.parametrize("channel", CHANNELS)
def test_golden_file_still_reads_as_the_sample(channel: Channel) -> None:
    assert decode(_golden(channel), SHAPES[channel]) == SAMPLES[_name(channel)]


@pytest.mark.parametrize("channel", CHANNELS)
def test_what_is_written_today_equals_the_golden_file(channel: Channel) -> None:
    assert json.loads(encode(SAMPLES[_name(channel)])) == json.loads(_golden(channel))


@pytest.mark.parametrize("channel", CHANNELS)
def test_fields_of_a_newer_writer_are_ignored(channel: Channel) -> None:
    assert (
        decode(json.dumps(_with_unknown(json.loads(_golden(channel)))).encode(), SHAPES[channel])
        == SAMPLES[_name(channel)]
    )


def _with_unknown(value: Any) -> Any:
    if isinstance(value, dict):
        # `arguments` of a command and its `result` are open mappings: what is added there is content
        grown = {key: item if key in {"arguments", "result"} else _with_unknown(item) for key, item in value.items()}
        return grown | {"added_later": {"x": [1]}}
    if isinstance(value, list):
        return [_with_unknown(item) for item in value]
    return value


@pytest.mark.parametrize("channel", CHANNELS)
def test_golden_file_fits_the_published_schema(channel: Channel) -> None:
    schema = schemas.schemas()[f"{_name(channel)}.v1.schema.json"]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(_golden(channel)), schema)


def test_every_optional_field_of_a_body_stands_in_the_golden_file() -> None:
    for name in ("up-birth", "up-telemetry", "up-incident", "up-gap"):
        body = SAMPLES[name].body
        written = json.loads((GOLDEN / "v1" / f"{name}.json").read_bytes())["body"]
        assert set(written) == set(msgspec.structs.asdict(body)), name


def test_every_optional_field_of_the_health_stands_in_the_golden_file() -> None:
    written = json.loads((GOLDEN / "v1" / "up-health.json").read_bytes())
    health = SAMPLES["up-health"]
    assert set(written) == set(msgspec.structs.asdict(health))
    for part in ("backlog", "evidence"):
        assert set(written[part]) == set(msgspec.structs.asdict(getattr(health, part))), part


def test_schemas_are_written_by_a_command(tmp_path: Path) -> None:
    written = schemas.write(tmp_path / "schemas")
    assert len(written) == len(Channel)
    assert all(json.loads(path.read_text(encoding="utf-8"))["$schema"] for path in written)


def test_an_order_of_the_first_version_is_still_read() -> None:
    first = {
        "v": 1,
        "node": "station-01",
        "profile": "node-station",
        "version": "1.0.1",
        "sha256": "ab" * 32,
        "sig": "c2ln",
    }
    desired = decode(json.dumps(first).encode(), DesiredProfile)
    assert (desired.artifact, desired.desired_id, desired.roll_back) == ("profile", None, False)


def test_an_order_for_the_node_itself_is_signed_as_it_always_was() -> None:
    desired = msgspec.structs.replace(SAMPLES["down-desired"], device=None, deadline=None)
    said = json.loads(order_statement(desired).split(b"\n", 1)[1])
    assert "device" not in said
    assert "deadline" not in said


def test_what_the_cloud_signs_of_an_order_is_all_of_it() -> None:
    desired = SAMPLES["down-desired"]
    said = json.loads(order_statement(desired).split(b"\n", 1)[1])
    assert set(said) == {*msgspec.structs.asdict(desired)} - {"profile", "order_sig"} | {"name"}
