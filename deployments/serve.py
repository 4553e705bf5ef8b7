"""``fittingroom serve``: every deployment from one process, with schedules and triggers; nothing else needed."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

from rich.console import Console

from deployments.definitions import DEFINITIONS, trigger_of
from deployments.environment import answers, set_defaults, use_server
from deployments.server import LocalServer
from fittingroom.settings import get_settings
from fittingroom.workspace import Workspace


def serve() -> int:
    """Serve until stopped, with the configured Prefect server or, where none answers, with one of our own."""
    set_defaults()
    place = Workspace(get_settings().workspace)
    console = Console(stderr=True)
    configured = os.environ.get("PREFECT_API_URL", "")
    if configured and answers(configured):
        console.print(f"Prefect server: {configured.removesuffix('/api')}", highlight=False)
        _serve_here(place, console, configured.removesuffix("/api"))
        return 0
    if configured:
        console.print(f"[yellow]![/] no Prefect server answers at {configured}; starting one", highlight=False)
    with LocalServer(place, schedules=True) as server:
        server.wait()
        use_server(server.api_url, place.prefect_home)
        console.print(f"Prefect UI: {server.ui_url} (stop with Ctrl-C)", highlight=False)
        _serve_here(place, console, server.ui_url)
    return 0


def _waiting_in_line(limit: int | None) -> Any:
    """So many runs at once; a further one waits."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy

    return ConcurrencyLimitConfig(limit=limit, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE) if limit else None


def _serve_here(place: Workspace, console: Console, ui_url: str) -> None:
    # Only now: Prefect reads its settings when it is imported.
    from prefect.events import DeploymentEventTrigger
    from prefect.exceptions import TerminationSignal
    from prefect.runner import Runner
    from prefect.types.entrypoint import EntrypointType

    from deployments.automations import set_up
    from flows.catalogue import FLOWS
    from tasks.serving import serving_styles

    serving = serving_styles(place)
    runner = Runner(pause_on_shutdown=True)
    for definition in reversed(DEFINITIONS):  # the UI can list what was made last first
        trigger = trigger_of(definition)
        flow = FLOWS[definition.flow].load()
        if "try-on" in definition.tags:
            flow.offer("styles", serving)
        deployment: Any = flow.to_deployment(
            name=definition.flow,
            description=definition.description,
            tags=definition.all_tags,
            cron=definition.cron,
            concurrency_limit=_waiting_in_line(definition.concurrency),
            triggers=[DeploymentEventTrigger(**trigger)] if trigger else None,
            parameters=definition.parameters(place),
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        made = runner.add_deployment(deployment)
    console.print(f"Try on: {ui_url}/deployments/deployment/{made}/run", highlight=False, soft_wrap=True)
    set_up()
    with contextlib.suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(runner.start())
