"""Every route under schemathesis, by each role and by a node: no 500, and no answer that the OpenAPI file does not tell of.

`GRIDWARD_FUZZ_EXAMPLES` says how many requests each route gets; a few by default, since this runs with every change.
"""

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cloud.api.app import openapi
from edge.contract.incident import Severity
from tests.cloud.api.conftest import Cloud
from tests.cloud.samples import incident, report

VARIABLE = "GRIDWARD_FUZZ_EXAMPLES"
EXAMPLES = int(os.environ.get(VARIABLE, "10"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = "^/api/v1/live$"  # a stream has no end to wait for; test_words.py asks it
SCHEMA = schemathesis.openapi.from_dict(openapi()).exclude(path_regex=ENDLESS)


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=VARIABLE not in os.environ,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.parametrize("who", ["admin", "worker", "node", "nobody"])
def test_no_request_surprises_the_service(
    case: "schemathesis.Case[Any]", tokens: dict[str, str], url: str, who: str
) -> None:
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {tokens[who]}"}, checks=CHECKS, timeout=60)


@pytest.fixture(scope="module")
def url(shared_cloud: Cloud) -> str:
    """Where a cloud answers; a case is there to be seen."""
    shared_cloud.receive(report(incident(severity=Severity.HIGH)))
    return shared_cloud.url


@pytest.fixture
def tokens(shared_cloud: Cloud) -> dict[str, str]:
    """Sessions of their own for each route: one of them signs out."""
    return {
        "admin": shared_cloud.session("admin"),
        "worker": shared_cloud.session("worker"),
        "node": shared_cloud.node_token,
        "nobody": "x",
    }
