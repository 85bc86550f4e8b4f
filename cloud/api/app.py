"""The web application: routes, problems, guards, the page."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from cloud.api import (
    accounts,
    admission,
    api_keys,
    areas,
    artifacts,
    audit,
    broker_auth,
    camera_access,
    cases,
    command_keys,
    commands,
    deadlines,
    device_actions,
    devices,
    drills,
    duty,
    enrolment,
    escalation,
    evidence,
    figures,
    handover,
    held_messages,
    intake,
    labels,
    live,
    nodes,
    notices,
    operations,
    organisation,
    pages,
    people,
    problems,
    proof,
    refusals,
    reports,
    rollouts,
    rules_try,
    session,
    surroundings,
    telemetry,
    verdicts,
    wall,
    work_orders,
)
from cloud.api.dependencies import Services
from cloud.api.guards import BodyLimit, Faults, HeadAsGet, SafeHeaders

VERSION = "0.1.0"

ROUTERS = (
    session.router,
    accounts.router,
    audit.router,
    api_keys.router,
    camera_access.router,
    cases.router,
    surroundings.router,
    deadlines.router,
    escalation.router,
    admission.router,
    areas.router,
    organisation.router,
    duty.router,
    drills.router,
    handover.router,
    devices.router,
    device_actions.router,
    telemetry.router,
    nodes.router,
    enrolment.router,
    held_messages.router,
    command_keys.router,
    broker_auth.router,
    commands.router,
    rules_try.router,
    refusals.router,
    artifacts.router,
    rollouts.router,
    evidence.router,
    proof.router,
    wall.router,
    work_orders.router,
    verdicts.router,
    figures.router,
    labels.router,
    intake.router,
    people.router,
    reports.router,
    live.router,
    notices.router,
    operations.router,
)


def make_app(services: Services | None) -> FastAPI:
    """The application over the services of a process; None makes one that only describes itself (OpenAPI)."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if services is None:
            yield
            return
        services.hub.start()
        try:
            yield
        finally:
            await services.hub.stop()

    app = FastAPI(
        title="Gridward",
        version=VERSION,
        summary="Incidents of a community become grid cases",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        separate_input_output_schemas=False,
    )
    app.state.services = services
    for router in ROUTERS:
        app.include_router(router)
    if services is not None:
        app.include_router(pages.router_for(services.settings.web_directory))
    problems.install(app, ROUTERS)
    for guard in (BodyLimit, Faults, HeadAsGet, SafeHeaders):  # the last one stands outermost
        app.add_middleware(guard)
    return app


def openapi() -> dict[str, Any]:
    """The OpenAPI document, from which the page's client is generated."""
    return make_app(None).openapi()


def _operation_id(route: APIRoute) -> str:
    """`read_case` → `readCase`: the names of the generated client."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), route.name)
