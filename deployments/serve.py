"""``fittingroom serve``: every deployment from one process, with schedules and triggers; nothing else needed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deployments.environment import check_server, configured_server, set_defaults, use_home, use_server
from deployments.server import DEFAULT_PORT, LocalServer
from fittingroom.errors import InputError
from fittingroom.redaction import redacted
from fittingroom.served import check_served
from fittingroom.settings import get_settings
from fittingroom.workspace import Workspace

if TYPE_CHECKING:
    from prefect.runner import Runner

_LISTENING_SECONDS = 30.0
"""After so long the event services of a server that was started hear all that is sent."""


def serve(port: int | None = None) -> int:
    """Serve until stopped, with the configured Prefect server or, where none is, with one of our own.

    Ctrl-C and SIGTERM end it alike: schedules are paused, and what it started ends with it.

    Args:
        port: of our own server's UI; None is `DEFAULT_PORT`, or any free one where that is taken.

    Raises:
        InputError: the port is taken, the workspace is served already, or the configured server or a setting cannot be
            used.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    settings = get_settings()
    place = Workspace(settings.workspace)
    place.check_writable()
    check_served(settings)
    set_defaults()
    try:
        _serve(place, port)
    except KeyboardInterrupt:
        print("stopped; nothing is scheduled until fittingroom serve runs again", file=sys.stderr)
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _serve(place: Workspace, port: int | None) -> None:
    configured = os.environ.get("PREFECT_API_URL", "").strip()
    if configured:
        if port is not None:
            raise InputError(f"--port {port}: the Prefect server of PREFECT_API_URL is used, {redacted(configured)}")
        configured_server(place)
        check_server(configured)
        _say(f"Prefect server: {redacted(configured).removesuffix('/api')} (stop with Ctrl-C)")
        _serve_here(place, configured.removesuffix("/api"))
        return
    use_home(place)
    with LocalServer(place, schedules=True, port=port) as server:
        if port is None and urlsplit(server.api_url).port != DEFAULT_PORT:
            _say(f"port {DEFAULT_PORT} is taken by another program: taking {urlsplit(server.api_url).port}")
        server.wait()
        use_server(server.api_url, place)
        _say(f"Prefect UI: {server.ui_url} (stop with Ctrl-C)")
        _restart_dead_runs()
        server.keep_alive(_say)
        _serve_here(place, server.ui_url)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _restart_dead_runs() -> None:
    # Only now: Prefect reads its settings when it is imported.
    from deployments.recovery import restart_dead_runs

    started = datetime.now(UTC)
    for line in restart_dead_runs():
        _say(line)
    later = threading.Timer(_LISTENING_SECONDS, _restart_crashed_runs, [started])
    later.daemon = True
    later.start()


def _restart_crashed_runs(since: datetime) -> None:
    import httpx

    from deployments.recovery import restart_crashed_runs

    with contextlib.suppress(httpx.HTTPError):  # it is being stopped
        restart_crashed_runs(since)


def _serve_here(place: Workspace, ui_url: str) -> None:
    # Only now: Prefect reads its settings when it is imported.
    from prefect.exceptions import TerminationSignal
    from prefect.runner import Runner

    from deployments.applied import Applied
    from deployments.automations import set_up
    from deployments.deploying import deploy_all, pause_all
    from deployments.prefect_insides import keep_code_in
    from tasks.runners import task_runner
    from tasks.serving import serving_styles

    task_runner()  # a setting that cannot be used is said now, and not by each run
    runner, applied = Runner(pause_on_shutdown=False), Applied(place, _say)
    try:
        ids = deploy_all(runner, place, get_settings(), serving_styles(place), applied)
        _say(f"Try on: {ui_url}/deployments/deployment/{ids['try-on']}/run")
        set_up(applied)
        with TemporaryDirectory(prefix="fittingroom-") as own:
            keep_code_in(runner, Path(own) / "runner")
            asyncio.run(_until_stopped(runner))
    except (asyncio.CancelledError, TerminationSignal):
        raise KeyboardInterrupt from None
    finally:
        pause_all(applied)


async def _until_stopped(runner: Runner) -> None:
    """Serve. SIGTERM takes the way of Ctrl-C: Prefect's own handler would leave the schedules on."""
    from deployments.prefect_insides import end_by

    loop, serving = asyncio.get_running_loop(), asyncio.current_task()
    assert serving is not None
    end_by(runner, lambda: loop.call_soon_threadsafe(serving.cancel))
    await runner.start()
