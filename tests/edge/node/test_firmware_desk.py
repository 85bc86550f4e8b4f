"""The firmware of devices on a node: who orders, what is fetched, who may be asked, and what stands after a process has ended."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace as changed

from edge.contract.artifacts import DEVICES_TOLD, StepCode, StepReport, StepState
from edge.contract.device_command import DeviceAction
from edge.contract.downlink import DesiredProfile, order_statement
from edge.contract.signing import sign
from edge.errors import CommandRefused, DeviceUnreachable
from edge.flow import DeviceControl, FirmwareTold
from edge.node.firmware_desk import AGAIN_S, FOLDER, FirmwareDesk
from edge.node.firmware_door import FirmwareDoor
from edge.node.firmware_job import Book, Entry, encoded
from edge.provisioning.fetching import Fetcher
from edge.provisioning.store import RECORD, Store
from firmware_configs.signature import ArtifactClass
from tests.edge.provisioning.orders import AT, NODE, Artifact, trusting

CONTENT = b"firmware" * 5_000
HOUR = timedelta(hours=1)


@dataclass
class Piles:
    """Two piles that do as they are told, as far as a source sees them."""

    told: dict[str, FirmwareTold]
    asked: list[tuple[str, str]] = field(default_factory=list)
    problem: Exception | None = None
    refuses_by_name: bool = False
    begins_meanwhile: str | None = None

    def actions(self, _device: str) -> tuple[DeviceAction, ...]:
        return (DeviceAction.UPDATE_FIRMWARE,)

    def act(self, device: str, action: DeviceAction, arguments: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        assert action is DeviceAction.UPDATE_FIRMWARE
        self.asked.append((device, arguments["location"]))
        if self.begins_meanwhile is not None:
            self.tell(self.begins_meanwhile, is_idle=False)
        if self.refuses_by_name:
            raise CommandRefused(f"no {arguments['location']}")
        if self.problem is not None:
            raise self.problem
        return {}

    def control(self, _device: str) -> DeviceControl | None:
        return self

    def firmware_of(self) -> Mapping[str, FirmwareTold]:
        return dict(self.told)

    def tell(self, device: str = "pile-1", **more: Any) -> None:
        started = {"started_at": more["booted_at"]} if "booted_at" in more else {}
        self.told[device] = replace(self.told[device], **(started | more))


@dataclass
class Rig:
    """A desk with its store, a cloud that hands out, and a clock."""

    directory: Path
    has_port: bool = True
    now: datetime = AT
    seconds: float = 0.0
    cloud_keys: list[bytes] = field(default_factory=list)
    is_cloud_there: bool = True
    files: dict[str, bytes] = field(default_factory=dict)
    spawn: Callable[[Callable[[], None]], None] = lambda work: work()

    def __post_init__(self) -> None:
        trusting(self.directory)
        view = FirmwareTold("TELD", "DC-120", "V1.9", AT - HOUR, is_connected=True, is_idle=True, address="127.0.0.1")
        self.piles = Piles({"pile-1": view, "pile-2": view})
        self.begin()

    def begin(self) -> None:
        """A process of the node; another one than before."""
        self.store = Store(self.directory, FOLDER)
        transport = httpx.MockTransport(self._hand_out)
        self.door = FirmwareDoor("127.0.0.1", 0, told=lambda: self.now) if self.has_port else None
        self.desk = FirmwareDesk(
            NODE,
            self.store,
            Fetcher(self.store, base_url="https://cloud", token=None, transport=transport),
            self.door,
            piles=lambda: self.piles,
            host=lambda: None,
            cloud_keys=lambda: self.cloud_keys,
            told=lambda: self.now,
            monotonic_s=lambda: self.seconds,
            on_change=lambda: None,
            spawn=self.spawn,
        )

    def end(self) -> None:
        self.desk.stop()

    def _hand_out(self, request: httpx.Request) -> httpx.Response:
        if not self.is_cloud_there:
            raise httpx.ConnectError("away")
        return httpx.Response(200, content=self.files[request.url.path.rsplit("/", 1)[1]])

    def order(self, number: int = 1, version: str = "V1.10", device: str = "pile-1", **more: Any) -> DesiredProfile:
        name = more.pop("name", "teld.dc-120")
        artifact = Artifact(CONTENT, name, version, ArtifactClass.FIRMWARE)
        self.files[artifact.signature.sha256] = CONTENT
        fields: dict[str, Any] = {"device": device, "deadline": AT + 6 * HOUR, **more}
        return artifact.order(number, **fields)

    def give(self, order: DesiredProfile) -> None:
        self.desk.receive(order)
        self.turns()

    def turns(self, count: int = 3) -> None:
        for _ in range(count):
            self.seconds += AGAIN_S
            self.desk.turn()

    def step(self, device: str = "pile-1") -> StepReport:
        job = self.desk.book.entry(device).job
        assert job is not None
        return job.step

    def code(self, device: str = "pile-1") -> tuple[str, str | None]:
        return self.step(device).state, self.step(device).code


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.end()


def test_a_pile_is_asked_fetches_starts_and_has_it(rig: Rig) -> None:
    rig.give(rig.order())
    [(device, location)] = rig.piles.asked
    assert device == "pile-1"
    assert httpx.get(location).content == CONTENT
    assert rig.code() == (StepState.TRYING, None)
    rig.piles.tell(status="installed", status_at=AT)
    rig.turns()
    assert rig.code() == (StepState.TRYING, None), "that it says so is no proof"
    rig.piles.tell(version="V1.10", booted_at=AT + timedelta(minutes=1))
    rig.turns()
    assert rig.code() == (StepState.APPLIED, None)
    assert {each.device: each.version for each in rig.desk.book.running()} == {"pile-1": "V1.10", "pile-2": "V1.9"}
    assert rig.door is not None
    assert rig.door.port is None
    assert not [file for file in rig.store.folder.iterdir() if file.name != "record.json"], "nothing is left behind"


def test_nobody_is_asked_while_a_charge_runs(rig: Rig) -> None:
    rig.piles.tell(is_idle=False)
    rig.give(rig.order())
    assert not rig.piles.asked
    rig.piles.tell(is_idle=True)
    rig.turns()
    assert len(rig.piles.asked) == 1


def test_a_charge_that_begins_while_another_pile_is_asked_is_seen(rig: Rig) -> None:
    rig.piles.tell("pile-1", is_idle=False)
    rig.piles.tell("pile-2", is_idle=False)
    rig.desk.receive(rig.order(1))
    rig.give(rig.order(2, device="pile-2"))
    rig.piles.tell("pile-1", is_idle=True)
    rig.piles.tell("pile-2", is_idle=True)
    first, other = (entry.device for entry in rig.desk.book.entries)
    rig.piles.begins_meanwhile = other
    rig.turns()
    assert [device for device, _ in rig.piles.asked] == [first]


def test_two_piles_have_an_address_each(rig: Rig) -> None:
    rig.desk.receive(rig.order(1))
    rig.give(rig.order(2, device="pile-2"))
    (one, first), (other, second) = rig.piles.asked
    assert {one, other} == {"pile-1", "pile-2"}
    assert first != second
    rig.piles.tell("pile-1", status="download_failed", status_at=AT)
    rig.turns()
    assert rig.code("pile-1") == (StepState.FAILED, StepCode.NOT_FETCHED)
    assert httpx.get(first).status_code == 404
    assert httpx.get(second).status_code == 200


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"name": "other.dc-120"}, StepCode.OTHER_KIND),
        ({"version": "V1.8"}, StepCode.DOWNGRADE),
        ({"sig": "A" * 86 + "=="}, StepCode.BAD_SIGNATURE),
        ({"key": "0" * 64}, StepCode.UNKNOWN_KEY),
        ({"deadline": None}, StepCode.NOT_VALID),
        ({"profile": "other.dc-120"}, StepCode.BAD_SIGNATURE),
    ],
)
def test_what_is_not_for_a_pile_touches_nothing(rig: Rig, more: dict[str, Any], why: StepCode) -> None:
    rig.give(rig.order(**more))
    assert rig.code() == (StepState.REFUSED, why)
    assert not rig.piles.asked


def test_other_bytes_than_were_signed_never_reach_a_pile(rig: Rig) -> None:
    order = rig.order()
    rig.files[order.sha256] = b"x" * len(CONTENT)
    rig.give(order)
    assert rig.code() == (StepState.REFUSED, StepCode.WRONG_HASH)
    assert not rig.piles.asked


def test_bytes_that_went_bad_on_the_disk_never_reach_a_pile(rig: Rig) -> None:
    rig.piles.tell(is_idle=False)
    order = rig.order()
    rig.give(order)
    rig.store.path(order.sha256).write_bytes(b"x" * len(CONTENT))
    rig.piles.tell(is_idle=True)
    rig.turns(1)
    assert httpx.get(rig.piles.asked[-1][1]).content == CONTENT, "they were fetched once more"


def test_without_a_port_piles_are_given_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, has_port=False)
    rig.give(rig.order())
    assert rig.code() == (StepState.REFUSED, StepCode.UNSUPPORTED)
    rig.end()


def test_a_cloud_that_is_away_is_asked_again(rig: Rig) -> None:
    rig.is_cloud_there = False
    rig.give(rig.order())
    assert rig.code() == (StepState.FETCHING, None)
    rig.is_cloud_there = True
    rig.turns()
    assert rig.code() == (StepState.TRYING, None)


def test_the_same_order_again_and_an_older_one_change_nothing(rig: Rig) -> None:
    rig.give(rig.order(2))
    rig.give(rig.order(2))
    rig.give(rig.order(1, version="V1.11"))
    assert len(rig.piles.asked) == 1
    assert rig.step().version == "V1.10"
    assert rig.desk.ignored["repeated"] == 2


def test_a_later_order_ends_the_one_before_with_its_address(rig: Rig) -> None:
    rig.give(rig.order(1))
    [(_, before)] = rig.piles.asked
    rig.give(rig.order(2, version="V1.11"))
    assert rig.step().version == "V1.11"
    now = rig.piles.asked[-1][1]
    assert httpx.get(now).status_code == 200
    assert httpx.get(now.split("/firmware/")[0] + "/firmware/" + before.split("/firmware/")[1]).status_code == 404


def test_what_nobody_signed_ends_nothing_that_is_under_way(rig: Rig) -> None:
    cloud = Ed25519PrivateKey.generate()
    rig.cloud_keys.append(cloud.public_key().public_bytes_raw())
    order = rig.order()
    rig.give(changed(order, order_sig=sign(cloud, order_statement(order))))
    assert rig.code() == (StepState.TRYING, None)
    rig.give(rig.order(2, version="V1.11"))
    assert (rig.step().version, rig.step().state) == ("V1.10", StepState.TRYING)


def test_an_order_to_another_pile_is_not_the_one_that_was_signed(rig: Rig) -> None:
    cloud = Ed25519PrivateKey.generate()
    rig.cloud_keys.append(cloud.public_key().public_bytes_raw())
    order = rig.order()
    rig.give(changed(order, order_sig=sign(cloud, order_statement(order)), device="pile-2"))
    assert rig.code("pile-2") == (StepState.REFUSED, StepCode.BAD_SIGNATURE)
    assert not rig.piles.asked


def test_a_pile_that_refuses(rig: Rig) -> None:
    rig.piles.refuses_by_name = True
    rig.give(rig.order())
    assert rig.code() == (StepState.REFUSED, StepCode.UNSUPPORTED)
    [(_, location)] = rig.piles.asked
    assert location.split("/")[4] not in (rig.step().reason or location)
    assert rig.door is not None
    assert rig.door.port is None


def test_a_pile_that_did_not_answer_and_then_refuses_may_be_at_work_on_it(rig: Rig) -> None:
    rig.piles.problem = DeviceUnreachable("late")
    rig.give(rig.order())
    assert rig.code() == (StepState.TRYING, None)
    rig.piles.problem = CommandRefused("it downloads already")
    rig.turns()
    assert rig.code() == (StepState.TRYING, None)
    assert len({location for _, location in rig.piles.asked}) == 1, "it is asked again for the same"
    assert httpx.get(rig.piles.asked[0][1]).content == CONTENT
    rig.piles.tell(version="V1.10", booted_at=rig.now + timedelta(minutes=1))
    rig.turns()
    assert rig.code() == (StepState.APPLIED, None)


def test_a_process_that_ended_goes_on_with_the_same_address(rig: Rig) -> None:
    rig.give(rig.order())
    [(_, location)] = rig.piles.asked
    rig.end()
    rig.begin()
    assert rig.door is not None
    rig.turns()
    assert len(rig.piles.asked) == 1, "nobody is asked twice"
    assert rig.door.port is not None
    path = location.split("/firmware/", 1)[1]
    assert httpx.get(f"http://127.0.0.1:{rig.door.port}/firmware/{path}").content == CONTENT
    rig.piles.tell(version="V1.10", booted_at=rig.now)
    rig.turns()
    assert rig.code() == (StepState.APPLIED, None)


def test_a_pile_that_hangs_has_no_address_after_the_deadline(rig: Rig) -> None:
    rig.give(rig.order())
    rig.now = AT + 6 * HOUR
    rig.turns()
    assert rig.door is not None
    assert rig.door.port is None
    assert rig.code() == (StepState.TRYING, None), "whether it will ever start with it nobody knows"
    rig.now = AT + timedelta(days=7)
    rig.piles.tell(version="V1.10", booted_at=rig.now)
    rig.turns()
    assert rig.code() == (StepState.APPLIED, None)


def test_a_pile_that_was_asked_at_the_last_moment_may_fetch_it(rig: Rig) -> None:
    rig.piles.tell(is_idle=False)
    rig.give(rig.order())
    rig.now = AT + 6 * HOUR - timedelta(seconds=1)
    rig.piles.tell(is_idle=True)
    rig.turns()
    [(_, location)] = rig.piles.asked
    rig.now += HOUR
    rig.turns()
    assert httpx.get(location).content == CONTENT
    rig.now += HOUR
    rig.turns()
    assert rig.door is not None
    assert rig.door.port is None


def test_the_time_to_fetch_is_that_of_the_last_question(rig: Rig) -> None:
    rig.piles.problem = DeviceUnreachable("late")
    rig.give(rig.order())
    rig.now = AT + 6 * HOUR - timedelta(seconds=1)
    rig.piles.problem = None
    rig.turns()
    rig.now += HOUR
    rig.turns()
    assert httpx.get(rig.piles.asked[-1][1]).content == CONTENT


def test_what_is_no_pile_any_more_leaves_its_place_to_one_that_is(rig: Rig) -> None:
    rig.give(rig.order())
    [(_, location)] = rig.piles.asked
    view = rig.piles.told["pile-2"]
    rig.piles.told = {"pile-2": view, "pile-3": view}
    rig.turns()
    assert {entry.device for entry in rig.desk.book.entries} == {"pile-1", "pile-2", "pile-3"}, "there is room"
    assert httpx.get(location).content == CONTENT
    many = {f"new-{number}": replace(view, booted_at=None) for number in range(DEVICES_TOLD - 2)}
    rig.piles.told |= many
    rig.turns()
    assert {entry.device for entry in rig.desk.book.entries} == {"pile-2", "pile-3"}
    assert rig.door is not None
    assert rig.door.port is None
    assert [file.name for file in rig.store.folder.iterdir()] == [RECORD]


def test_no_more_piles_are_taken_than_the_record_can_hold(rig: Rig) -> None:
    rig.end()
    view = rig.piles.told["pile-1"]
    full = Book(entries=tuple(Entry(device=f"pile-{number}") for number in range(DEVICES_TOLD)))
    (rig.store.folder / RECORD).parent.mkdir(parents=True, exist_ok=True)
    (rig.store.folder / RECORD).write_bytes(encoded(full))
    rig.begin()
    rig.piles.told = {f"pile-{number}": view for number in (0, DEVICES_TOLD)} | {
        entry.device: replace(view, booted_at=None) for entry in full.entries[1:]
    }
    rig.desk.receive(rig.order(device=f"pile-{DEVICES_TOLD}"))
    rig.give(rig.order(2, device="pile-0"))
    assert rig.desk.ignored == {"too_many_devices": 1}
    assert [device for device, _ in rig.piles.asked] == ["pile-0"]
    before = rig.desk.book
    rig.end()
    rig.begin()
    assert rig.desk.book == before


def test_a_record_that_cannot_be_read_is_counted(rig: Rig) -> None:
    rig.give(rig.order())
    rig.end()
    (rig.store.folder / RECORD).write_bytes(b"{")
    rig.begin()
    assert rig.desk.faults == 1


def test_orders_for_others_are_left_alone(rig: Rig) -> None:
    rig.give(rig.order(node="station-02"))
    rig.give(changed(rig.order(), device=None))
    rig.give(rig.order(device="pile-9"))
    assert rig.desk.ignored == {"other_node": 1, "no_device": 1, "no_such_device": 1}
