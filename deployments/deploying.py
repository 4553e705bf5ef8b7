"""The deployments on a Prefect server, each as the settings say and as a person changed it since."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.exceptions import ObjectNotFound
from prefect.types.entrypoint import EntrypointType

from deployments.applied import Applied
from deployments.definitions import DEFINITIONS, Definition
from fittingroom.settings import Settings
from fittingroom.workspace import Workspace
from flows.catalogue import FLOWS

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.deployments.runner import RunnerDeployment
    from prefect.runner import Runner

    from flows.stories import Story

PAUSED = "paused"
_PARAMETER = "parameter "


def deploy_all(
    runner: Runner,
    place: Workspace,
    settings: Settings,
    offered: Iterable[str],
    applied: Applied,
) -> dict[str, UUID]:
    """Let the runner serve every deployment; their ids by name.

    Args:
        runner: what will start their runs.
        place: the workspace that they work in.
        settings: what they start with.
        offered: styles that run forms of try-ons offer.
        applied: what was set up last.
    """
    styles, ids = list(offered), {}
    with get_client(sync_client=True) as client:
        for definition in reversed(DEFINITIONS):  # the UI can list what was made last first
            flow = FLOWS[definition.flow].load()
            if "try-on" in definition.tags:
                flow.offer("styles", styles)
            wanted = _wanted(definition, place, settings)
            parts = _settled(client, definition, wanted, applied)
            made = cast("UUID", runner.add_deployment(_deployment(flow, definition.flow, parts)))
            applied.remember(made, wanted, parts, _present(client.read_deployment(made)))
            ids[definition.flow] = made
    applied.save()
    return ids


def _settled(
    client: SyncPrefectClient, definition: Definition, wanted: dict[str, Any], applied: Applied
) -> dict[str, Any]:
    """The parts to set up. Schedules that are no more are taken from the server."""
    try:
        found = client.read_deployment_by_name(f"{definition.flow}/{definition.flow}")
    except ObjectNotFound:
        return wanted
    present = _present(found)
    if applied.resume(found.id):
        present[PAUSED] = False
    parts = applied.reconcile(found.id, definition.flow, present, wanted)
    if parts["schedules"] != present["schedules"]:
        for schedule in found.schedules:  # an update leaves alone those that have a slug
            client.delete_deployment_schedule(found.id, schedule.id)
    return parts


def _deployment(flow: Story[Any, Any], name: str, parts: dict[str, Any]) -> RunnerDeployment:
    limit = parts["runs at once"]
    made = flow.to_deployment(
        name=name,
        description=parts["description"],
        tags=parts["tags"],
        paused=parts[PAUSED],
        schedules=[DeploymentScheduleCreate.model_validate(schedule) for schedule in parts["schedules"]],
        concurrency_limit=ConcurrencyLimitConfig.model_validate(limit) if limit else None,
        parameters={part.removeprefix(_PARAMETER): parts[part] for part in parts if part.startswith(_PARAMETER)},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return cast("RunnerDeployment", made)


def pause_all(applied: Applied) -> None:
    """Pause the deployments until they are served again; those that a person paused stay so then, too.

    All that are there, whether this process came to serving them or was stopped before.
    """
    with contextlib.suppress(httpx.HTTPError), get_client(sync_client=True) as client:  # a server that is gone
        for definition in DEFINITIONS:
            with contextlib.suppress(ObjectNotFound):
                found = client.read_deployment_by_name(f"{definition.flow}/{definition.flow}")
                if not found.paused:
                    client.pause_deployment(found.id)
                    applied.pause(found.id)
    applied.save()


def _wanted(definition: Definition, place: Workspace, settings: Settings) -> dict[str, Any]:
    """The parts of a deployment as the settings say."""
    cron = settings.schedules.of(definition.flow)
    return {
        "description": definition.description,
        "tags": definition.all_tags,
        PAUSED: False,
        "schedules": [{"schedule": {"cron": cron, "timezone": "UTC"}, "active": True}] if cron else [],
        "runs at once": definition.limit,
        **{_PARAMETER + name: value for name, value in definition.parameters(place, settings).items()},
    }


def _present(deployment: DeploymentResponse) -> dict[str, Any]:
    """The same parts as the server says."""
    limit, options = deployment.global_concurrency_limit, deployment.concurrency_options
    schedules = [
        schedule.model_dump(mode="json", include=set(DeploymentScheduleCreate.model_fields))
        for schedule in deployment.schedules
    ]
    return {
        "description": deployment.description,
        "tags": list(deployment.tags),
        PAUSED: deployment.paused,
        "schedules": sorted(schedules, key=json.dumps),
        "runs at once": {"limit": limit.limit, **(options.model_dump(mode="json") if options else {})}
        if limit
        else None,
        **{_PARAMETER + name: value for name, value in deployment.parameters.items()},
    }
