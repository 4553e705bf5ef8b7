"""Which Prefect server a process reports to, and what Prefect is told about it before it reads its settings."""

from __future__ import annotations

import hmac
import http.client
import json
import os
import secrets
import sys
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deployments.server_process import PROOF, proof
from fittingroom.errors import InputError
from fittingroom.redaction import redacted
from fittingroom.workspace import Workspace, atomic_path, sqlite_url, write_durably

STATE = "server.json"
"""In the workspace's Prefect home: the server that ``serve`` or ``demo`` started, see `ServerState`."""
CHECK_SECONDS = 5.0
"""How long a configured server may take to say that it is one."""

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
    UI, heartbeats, a server that writes in batches, and no module is taken from the current folder.
    """
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT", "false")
    os.environ.setdefault("PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY", "false")
    os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", str(HEARTBEAT_SECONDS))
    os.environ.setdefault("PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE", LEASES)
    for name, value in _IN_BATCHES.items():
        os.environ.setdefault(name, value)


def use_server(api_url: str, workspace: Workspace) -> None:
    """Point the Prefect client of this process, and of those it starts, at a server of ours in ``workspace``."""
    set_defaults()
    os.environ["PREFECT_API_URL"] = api_url
    os.environ["PREFECT_HOME"] = str(workspace.prefect_home)
    if password := os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        os.environ.setdefault("PREFECT_API_AUTH_STRING", password)
    context = sys.modules.get("prefect.context")
    if context is not None:  # it has read its settings already
        context.refresh_global_settings_context()


def configured_server(workspace: Workspace) -> str | None:
    """The API address that Prefect's own settings name: its variables, a profile, or a file of the current folder.

    Without settings of a person's own nothing is written outside the workspace.

    Raises:
        InputError: a setting of Prefect that cannot be used.
    """
    set_defaults()
    _forget_empty_address()
    home = os.environ.get("PREFECT_HOME")
    if home and Path(home).exists() and not Path(home).is_dir():
        raise InputError(f"PREFECT_HOME: expected a folder, {home} is a file")
    if not home and "PREFECT_PROFILE" not in os.environ and not _has_profiles():
        workspace.prefect_home.mkdir(parents=True, exist_ok=True)  # Prefect makes the last folder of it only
        os.environ["PREFECT_HOME"] = str(workspace.prefect_home)
    from pydantic import ValidationError

    try:
        from prefect.settings import get_current_settings

        return get_current_settings().api.url
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InputError(f"Prefect's setting {name}: {first['msg']}, got {first.get('input')!r}") from None


def _forget_empty_address() -> None:
    if not os.environ.get("PREFECT_API_URL", "unset").strip():
        del os.environ["PREFECT_API_URL"]


def _has_profiles() -> bool:
    try:
        return (Path.home() / ".prefect" / "profiles.toml").exists()
    except (RuntimeError, OSError):  # a user without a home, or one that cannot be looked into
        return False


def check_server(api_url: str) -> None:
    """Refuse a configured server that no run could report to; Prefect itself would try for minutes.

    Raises:
        InputError: nothing answers at ``api_url``, what answers is no Prefect server, or it wants a password.
    """
    import httpx
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, get_current_settings, temporary_settings

    named = f"PREFECT_API_URL {redacted(api_url)}"
    api = get_current_settings().api
    password, key = (secret.get_secret_value() if secret else None for secret in (api.auth_string, api.key))
    patience = {"timeout": httpx.Timeout(CHECK_SECONDS)}
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            SyncPrefectClient(api_url, auth_string=password, api_key=key, httpx_settings=patience).api_version()
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status in (401, 403):
            wanted = "another one" if password or key else "one"
            raise InputError(f"{named}: it asks for a password; PREFECT_API_AUTH_STRING has to be {wanted}") from None
        raise InputError(f"{named}: expected a Prefect server's API, got HTTP status {status}") from None
    except httpx.TransportError as error:
        why = str(error) or type(error).__name__
        raise InputError(f"{named}: no Prefect server answers ({why}); start it, or unset PREFECT_API_URL") from None
    except (ValueError, httpx.InvalidURL):
        raise InputError(f"{named}: expected a Prefect server's API, such as http://127.0.0.1:4200/api") from None


def database_inside(workspace: Workspace) -> dict[str, str]:
    """What keeps Prefect's own database inside ``workspace`` where its path would cut Prefect's URL for it short."""
    name = "PREFECT_API_DATABASE_CONNECTION_URL"
    if name in os.environ or "?" not in str(workspace.prefect_home):
        return {}
    return {name: sqlite_url(workspace.prefect_home / "prefect.db", "sqlite+aiosqlite")}


@dataclass(frozen=True)
class ServerState:
    """The server that serves a workspace.

    It is believed only of the workspace that it was written in, for copies of a folder carry it along, and only of a
    server that proves that it knows the token, for a port may have gone to somebody else.
    """

    api_url: str
    pid: int
    token: str
    workspace: str
    schedules: bool

    def write(self, workspace: Workspace) -> None:
        """Keep it, readable to this user only."""
        with atomic_path(workspace.prefect_home / STATE) as path:
            path.chmod(0o600)
            write_durably(path, json.dumps(asdict(self), indent=2).encode())

    def answers(self) -> bool:
        """Whether this very server is at its address."""
        word = secrets.token_hex(16)
        said = _fetch(f"{self.api_url.removesuffix('/api')}{PROOF}?to={word}") or b""
        return hmac.compare_digest(said, proof(self.token, word).encode())


def server_state(workspace: Workspace) -> ServerState | None:
    """What stands in the workspace about its server, which need not live any more."""
    try:
        found: dict[str, Any] = json.loads((workspace.prefect_home / STATE).read_text(encoding="utf-8"))
        state = ServerState(**found)
    except (OSError, ValueError, TypeError):
        return None
    right = all(isinstance(value, str) for value in (state.api_url, state.token))
    return state if right and state.workspace == str(workspace.root.resolve()) else None


def running_server(workspace: Workspace) -> str | None:
    """The API address of the server that ``serve`` or ``demo`` started in this workspace, when it answers."""
    state = server_state(workspace)
    return state.api_url if state is not None and state.answers() else None


def answers(api_url: str) -> bool:
    """Whether a Prefect server is at this address."""
    return _fetch(f"{api_url}/health") is not None


def _fetch(url: str, timeout: float = 2.0) -> bytes | None:
    """The first bytes of an answer with status 200, past any proxy: what we start is on this machine."""
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=timeout) as reply:
            return bytes(reply.read(1024)) if reply.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
