"""A working day of the demo's people, done by them over the API as by anybody: so that every part has something to show.

Each errand is done once a day, however often the demo is started: reports carry a key, and a step is taken only from where it begins.
Whatever the visitor did meanwhile stays as it is.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx

from cloud.demo import plan
from cloud.demo.registry import SHIFT, Spot
from cloud.demo.scene import rubbish
from cloud.demo.visitor import Visitor

_ATTEMPTS: Final = 20
_PAUSE_S: Final = 1.0
_ZONE: Final = ZoneInfo("Asia/Shanghai")
_LOITERING_CAMERAS: Final = frozenset({"lane", "fire-lane"})
"""Vehicles stay before them."""


@dataclass(slots=True)
class _Errand:
    """Something to do; it answers whether it is done, or has to wait for something."""

    what: str
    act: Callable[[], bool]
    attempts: int = 0


class WorkingDay:
    """The people by their names, the grid where they work, and who is told what they did."""

    def __init__(
        self,
        people: Mapping[str, Visitor],
        spot: Spot,
        say: Callable[[str], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._people = people
        self._spot = spot
        self._say = say
        self._clock = clock
        self._errands = [
            _Errand("everybody's shift", self._shifts),
            _Errand("an admission rule", self._admission),
            _Errand("a patrol report with a picture, sent to a department and whistled for", self._patrol),
            _Errand("a resident's request, offered to the teams", self._request),
            _Errand("a legal hold", self._hold),
            _Errand("a false alarm, judged", self._verdict),
        ]

    @contextlib.contextmanager
    def going_on(self, stop: Event) -> Iterator[None]:
        """The errands are done beside whatever else is done here, until all are or somebody says stop."""
        thread = Thread(target=self._work, args=(stop,), name="demo-day", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10.0)

    def _work(self, stop: Event) -> None:
        while self._errands and not stop.wait(_PAUSE_S):
            self.try_all()

    def try_all(self) -> None:
        """Do what can be done by now; what is refused again and again is given up, and said so."""
        for errand in list(self._errands):
            try:
                if errand.act():
                    self._errands.remove(errand)
            except (httpx.HTTPError, KeyError, StopIteration) as error:
                errand.attempts += 1
                if errand.attempts >= _ATTEMPTS:
                    self._errands.remove(errand)
                    self._say(f"the demo's people could not do this: {errand.what} ({error})")

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return not self._errands

    def _shifts(self) -> bool:
        """Who has no shift now gets one; the first start has planned them."""
        admin = self._people["admin"]
        known = {each["display_name"]: each["id"] for each in admin.ask("GET", "people")["items"]}
        there = {each["account_id"] for each in admin.ask("GET", "duty/now")["items"]}
        now = self._clock()
        for person in plan.PEOPLE:
            if person.duty is None or person.area_digits is None or known[person.display_name] in there:
                continue
            shift = {
                "account_id": known[person.display_name],
                "area_code": self._spot.grid_code[: person.area_digits],
                "kind": person.duty.value,
                "from_at": now.isoformat(),
                "until_at": (now + SHIFT).isoformat(),
            }
            admin.ask("POST", "duty/shifts", json=shift)
        return True

    def _admission(self) -> bool:
        admin = self._people["admin"]
        rule = {
            "level": "grid",
            "kind": "door_held_open",
            "admitted_from": "high",
            "note": "门未关先由物业查看，不立案",
        }
        held = admin.ask("GET", "admission-rules")["items"]
        if not any(each["kind"] == rule["kind"] for each in held):
            admin.ask("POST", "admission-rules", json=rule)
        return True

    def _patrol(self) -> bool:
        """巡查上报: found on a round, confirmed on the spot, dispatched and accepted; its clock runs; a team is called and comes."""
        worker = self._people["worker"]
        picture = rubbish()
        report = {
            "origin": "patrol",
            "category": "E0101",
            "title": "东门外绿化带堆放生活垃圾",
            "description": "约两立方米，占用人行道一侧。",
            "address": "东门外绿化带",
        }
        receipt = self._report(worker, "patrol", report)
        sha256 = hashlib.sha256(picture).hexdigest()
        case_id = receipt["case_id"]
        if self._case(worker, case_id)["status"] == "reported":
            headers = {"Content-Type": "image/jpeg"}
            worker.ask("PUT", f"reports/{receipt['id']}/pictures/{sha256}", content=picture, headers=headers)
        departments = {each["code"]: each["id"] for each in worker.ask("GET", "departments")["items"]}
        self._step("worker", case_id, "reported", "confirm", note="到场核实，情况属实")
        self._step("dispatcher", case_id, "filed", "dispatch", department=departments["sanitation"], note="请当日清运")
        self._step("sanitation", case_id, "dispatched", "accept", note="已派车")
        self._whistle(case_id, departments["volunteers"])
        return True

    def _whistle(self, case_id: int, department: int) -> None:
        """吹哨报到: the grid lead calls a team, and it reports in."""
        lead = self._people["lead"]
        whistles = lead.ask("GET", f"cases/{case_id}/whistles")
        if not whistles["items"] and whistles["levels"] and self._case(lead, case_id)["status"] == "in_progress":
            call = {"level": whistles["levels"][0], "departments": [department], "note": "请协助围挡疏导"}
            whistles = lead.ask("POST", f"cases/{case_id}/whistles", json=call)
        for whistle in whistles["items"]:
            for called in whistle["calls"]:
                if called["arrived_at"] is None and whistle["ended_at"] is None:
                    path = f"cases/{case_id}/whistles/{whistle['id']}/calls/{called['id']}/arrival"
                    self._people["volunteer"].ask("POST", path, json={"note": "两人已到场"})

    def _request(self) -> bool:
        """点单: a resident asks the desk, the desk offers it to teams and companies; whoever wants claims it."""
        report = {
            "origin": "request",
            "category": "E0601",
            "title": "独居老人请求代购药品",
            "description": "行动不便，希望今天下午送到。",
            "address": "三号楼二单元",
        }
        receipt = self._report(self._people["clerk"], "request", report)
        self._step("dispatcher", receipt["case_id"], "reported", "publish", note="请就近的志愿队接单")
        return True

    def _hold(self) -> bool:
        """What the grid worker photographed is kept, for somebody else has asked for it."""
        chief = self._people["chief"]
        cases = chief.ask("GET", "cases", params={"limit": 50})["items"]
        found = next((case for case in cases if case["origin"] == "patrol"), None)
        if found is None:
            return False
        if not chief.ask("GET", f"cases/{found['id']}/holds")["items"]:
            chief.ask("POST", f"cases/{found['id']}/holds", json={"reason": "城管执法调取，暂缓删除"})
        return True

    def _verdict(self) -> bool:
        """误报: the chief looks at what a camera reported, and says why it is no case."""
        chief = self._people["chief"]
        for case in chief.ask("GET", "cases", params={"limit": 50})["items"]:
            device = case["device"] or {}
            if case["kind"] == "loitering" and device.get("device") in _LOITERING_CAMERAS:
                self._step("chief", case["id"], "reported", "dismiss", reason="authorised", note="送货车辆，已登记")
                return True
        return False

    def _report(self, who: Visitor, name: str, report: Mapping[str, Any]) -> Any:
        """The receipt of today's report of this name; the same however often it is sent."""
        where = {
            "area": self._spot.grid_code,
            "longitude": round(self._spot.longitude, 6),
            "latitude": round(self._spot.latitude, 6),
        }
        key = {"Idempotency-Key": f"demo-{name}-{self._clock().astimezone(_ZONE):%Y%m%d}"}
        return who.ask("POST", "reports", json={**report, **where}, headers=key)

    def _step(self, who: str, case_id: int, status: str, action: str, **more: Any) -> None:
        """A step from where it begins; a case that stands elsewhere stays there."""
        person = self._people[who]
        case = self._case(person, case_id)
        if case["status"] == status:
            body = {"action": action, "version": case["version"], **more}
            person.ask("POST", f"cases/{case_id}/actions", json=body)

    @staticmethod
    def _case(who: Visitor, case_id: int) -> Any:
        return who.ask("GET", f"cases/{case_id}")
