"""Prefect reads its settings from the environment when it is first imported: here they are put there before that."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

from fittingroom.workspace import Workspace, sqlite_url

STATE = "server.json"
"""In the workspace's Prefect home: address and process of the server we started."""

HEARTBEAT_SECONDS = 30
"""How often a run says that it lives, as often as Prefect allows: a dead process is noticed after 90 seconds."""

LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""Where a server of ours keeps who holds a deployment's concurrency slots: in memory, as by default, the slots of runs
that were under way are held for ever once the server was killed."""


_IN_BATCHES = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
}
"""A server in one process writes task runs and events together, a second late at most. One by one they hold a SQLite
file so often that other requests are refused, and Prefect's client asks again only two seconds later."""


def set_defaults() -> None:
    """For all that this process starts, where nothing else is said: no telemetry of any kind, no advertisements in the
    UI, heartbeats, and a server that writes in batches.
    """
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT", "false")
    os.environ.setdefault("PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY", "false")
    os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", str(HEARTBEAT_SECONDS))
    os.environ.setdefault("PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE", LEASES)
    for name, value in _IN_BATCHES.items():
        os.environ.setdefault(name, value)


def use_server(api_url: str, home: Path | None = None) -> None:
    """Point the Prefect client of this process, and of those it starts, at a server."""
    set_defaults()
    os.environ["PREFECT_API_URL"] = api_url
    if home is not None:
        os.environ["PREFECT_HOME"] = str(home)


def use_workspace(workspace: Workspace) -> None:
    """For a single run: the server that is configured, else ours where it runs, else one of Prefect's own for the run.

    Without a configured server nothing is written outside the workspace.
    """
    set_defaults()
    configured = "PREFECT_API_URL" in os.environ or "PREFECT_HOME" in os.environ or "PREFECT_PROFILE" in os.environ
    if configured or (Path.home() / ".prefect" / "profiles.toml").exists():
        return
    running = running_server(workspace)
    if running is not None:
        use_server(running, workspace.prefect_home)
    else:
        workspace.prefect_home.mkdir(parents=True, exist_ok=True)  # Prefect makes the last folder of it only
        os.environ["PREFECT_HOME"] = str(workspace.prefect_home)
        os.environ.update(database_inside(workspace))
        os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")


def database_inside(workspace: Workspace) -> dict[str, str]:
    """What keeps Prefect's own database inside ``workspace`` where its path would cut Prefect's URL for it short."""
    name = "PREFECT_API_DATABASE_CONNECTION_URL"
    if name in os.environ or "?" not in str(workspace.prefect_home):
        return {}
    return {name: sqlite_url(workspace.prefect_home / "prefect.db", "sqlite+aiosqlite")}


def running_server(workspace: Workspace) -> str | None:
    """The API address of the server we started in this workspace, when it answers."""
    try:
        state: dict[str, Any] = json.loads((workspace.prefect_home / STATE).read_text(encoding="utf-8"))
        url = str(state["api_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return url if answers(url) else None


def answers(api_url: str, timeout: float = 2.0) -> bool:
    """Whether a Prefect server is at this address."""
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=timeout) as reply:  # http(s) only: see below
            return bool(reply.status == 200)
    except (OSError, ValueError):
        return False
