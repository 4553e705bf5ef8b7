"""``fittingroom serve``: every deployment from one process, with schedules and triggers; nothing else needed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deployments.environment import answers, running_server, set_defaults, use_server
from deployments.server import DEFAULT_PORT, LocalServer
from fittingroom.errors import InputError
from fittingroom.ports import listening_socket
from fittingroom.served import check_trainings
from fittingroom.settings import get_settings
from fittingroom.workspace import Workspace

if TYPE_CHECKING:
    from prefect.runner import Runner


def serve(port: int | None = None) -> int:
    """Serve until stopped, with the configured Prefect server or, where none answers, with one of our own.

    Ctrl-C and SIGTERM end it alike: schedules are paused, and what it started ends with it.

    Args:
        port: of our own server's UI; None is `DEFAULT_PORT`, or any free one where that is taken.

    Raises:
        InputError: the port is taken, a server runs already, elsewhere, or a setting cannot be used.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    settings = get_settings()
    place = Workspace(settings.workspace)
    place.check_writable()
    check_trainings(settings)
    set_defaults()
    try:
        _serve(place, port)
    except KeyboardInterrupt:
        print("stopped; nothing is scheduled until fittingroom serve runs again", file=sys.stderr)
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _serve(place: Workspace, port: int | None) -> None:
    configured = os.environ.get("PREFECT_API_URL", "")
    if configured and answers(configured):
        if port is not None:
            raise InputError(f"--port {port}: the Prefect server of PREFECT_API_URL is used, {configured}")
        _say(f"Prefect server: {configured.removesuffix('/api')} (stop with Ctrl-C)")
        _serve_here(place, configured.removesuffix("/api"))
        return
    if configured:
        _say(f"no Prefect server answers at {configured}; starting one")
    running = running_server(place)
    if running is None:
        with listening_socket("127.0.0.1", port, DEFAULT_PORT) as probe:
            number = int(probe.getsockname()[1])
        if port is None and number != DEFAULT_PORT:
            _say(f"port {DEFAULT_PORT} is taken by another program: taking {number}")
    elif port is not None and urlsplit(running).port != port:
        raise InputError(f"--port {port}: this workspace has a Prefect server already, {running.removesuffix('/api')}")
    else:
        number = DEFAULT_PORT
    with LocalServer(place, schedules=True, port=number) as server:
        server.wait()
        use_server(server.api_url, place.prefect_home)
        _say(f"Prefect UI: {server.ui_url} (stop with Ctrl-C)")
        if server.pid is not None:
            _mark_dead_runs()
            server.keep_alive(_say)
        _serve_here(place, server.ui_url)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _mark_dead_runs() -> None:
    # Only now: Prefect reads its settings when it is imported.
    from deployments.recovery import mark_dead_runs

    for name in mark_dead_runs():
        _say(f"the process of run {name} is gone: it is started again")


def _serve_here(place: Workspace, ui_url: str) -> None:
    # Only now: Prefect reads its settings when it is imported.
    from prefect.exceptions import TerminationSignal
    from prefect.runner import Runner

    from deployments.applied import Applied
    from deployments.automations import set_up
    from deployments.deploying import deploy_all, pause_all
    from tasks.serving import serving_styles

    runner, applied = Runner(pause_on_shutdown=False), Applied(place, _say)
    ids = deploy_all(runner, place, get_settings(), serving_styles(place), applied)
    _say(f"Try on: {ui_url}/deployments/deployment/{ids['try-on']}/run")
    set_up(applied)
    try:
        asyncio.run(_until_stopped(runner))
    except (asyncio.CancelledError, TerminationSignal):
        raise KeyboardInterrupt from None
    finally:
        pause_all(ids.values(), applied)


async def _until_stopped(runner: Runner) -> None:
    """Serve. SIGTERM takes the way of Ctrl-C: Prefect's own handler leaves at once, with the schedules still on."""
    loop, serving = asyncio.get_running_loop(), asyncio.current_task()
    assert serving is not None
    runner.handle_sigterm = lambda *_: loop.call_soon_threadsafe(serving.cancel)  # type: ignore[assignment, method-assign]
    await runner.start()
