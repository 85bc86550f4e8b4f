"""Whatever names a device or a case says whether it is simulated, or it stands where that has been said."""

from typing import Any, Final

from cloud.api.app import openapi

NAMING: Final = frozenset(
    {"device", "device_id", "device_name", "camera", "case_id", "case_number", "number", "incident_id"}
)

SAID_AROUND_IT: Final = {
    "AdviceView": "beside the cell of the rule that it is about",
    "CameraSight": "on the page of its case",
    "CaseDevice": "with its case",
    "ClockView": "on the page of its case",
    "Command": "on the page of its device or node",
    "DroppedReadings": "on the page of its device, and among the numbers of its node",
    "Hold": "on the page of its case",
    "NumberedClock": "on the row of its case",
    "OrderDevice": "with its order",
    "RolloutEvent": "beside the steps of its rollout",
    "SeriesPage": "on the page of its device or case",
    "StepView": "among the cases of its drill",
    "TrueAlarm": "beside the cell of the rule that it is about",
    "UnsealView": "on the page of its case",
}
NEVER_SIMULATED: Final = {
    "IntakeReceipt": "people ask",
    "IntakeStatus": "people ask",
    "ReportReceipt": "people report",
    "RequestPage": "people ask",
    "Node": "a node is a program that runs",
    "PublicPage": "holds the device, which says it",
}
ASKED: Final = {
    "ProposalRequest": "what is asked",
    "SeenRequest": "what is asked",
    "SourceRequest": "what is asked",
}


def silent() -> set[str]:
    """The shapes of the service that name a device or a case and do not say whether it is simulated."""
    shapes: dict[str, Any] = openapi()["components"]["schemas"]
    return {
        name
        for name, shape in shapes.items()
        if NAMING & set(fields := shape.get("properties", {})) and "simulated" not in fields
    }


def test_what_names_a_device_or_a_case_says_that_it_is_simulated() -> None:
    known = SAID_AROUND_IT.keys() | NEVER_SIMULATED.keys() | ASKED.keys()
    assert silent() - known == set(), "has no word of its own: give it `simulated`, or say here where that is told"
    assert known - silent() == set(), "says it now"
