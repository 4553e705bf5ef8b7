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
        _serve_here(place)
        return 0
    if configured:
        console.print(f"[yellow]![/] no Prefect server answers at {configured}; starting one", highlight=False)
    with LocalServer(place, schedules=True) as server:
        server.wait()
        use_server(server.api_url, place.prefect_home)
        console.print(f"Prefect UI: {server.ui_url} (stop with Ctrl-C)", highlight=False)
        if server.pid is not None:
            _mark_dead_runs(console)
            server.keep_alive(lambda text: console.print(f"[yellow]![/] {text}", highlight=False))
        _serve_here(place)
    return 0


def _mark_dead_runs(console: Console) -> None:
    # Only now: Prefect reads its settings when it is imported.
    from deployments.recovery import mark_dead_runs

    for name in mark_dead_runs():
        console.print(f"[yellow]![/] the process of run {name} is gone: it is started again", highlight=False)


def _waiting_in_line(limit: int | None) -> Any:
    """So many runs at once; a further one waits."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy

    return ConcurrencyLimitConfig(limit=limit, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE) if limit else None


def _serve_here(place: Workspace) -> None:
    # Only now: Prefect reads its settings when it is imported.
    from prefect.events import DeploymentEventTrigger
    from prefect.exceptions import TerminationSignal
    from prefect.runner import Runner
    from prefect.types.entrypoint import EntrypointType

    from deployments.automations import set_up
    from flows.catalogue import FLOWS

    runner = Runner(pause_on_shutdown=True)
    for definition in DEFINITIONS:
        trigger = trigger_of(definition)
        deployment: Any = (
            FLOWS[definition.flow]
            .load()
            .to_deployment(
                name=definition.flow,
                description=definition.description,
                tags=definition.all_tags,
                cron=definition.cron,
                concurrency_limit=_waiting_in_line(definition.concurrency),
                triggers=[DeploymentEventTrigger(**trigger)] if trigger else None,
                parameters=definition.parameters(place),
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
        )
        runner.add_deployment(deployment)
    set_up()
    with contextlib.suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(runner.start())
