"""Which Prefect server a process reports to, and what Prefect is told about it before it reads its settings."""

from __future__ import annotations

import contextlib
import hmac
import http.client
import io
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
from fittingroom.names import is_utf8, not_known, printable
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


_DEFAULTS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
    # A server in one process writes task runs and events together, a second late at most. One by one they hold a SQLite
    # file so often that other requests are refused, and Prefect's client asks again only two seconds later.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
}


def set_defaults() -> None:
    """For all that this process starts, where nothing else is said: no telemetry of any kind, no advertisements in the
    UI, heartbeats, and a server that writes in batches.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def use_server(api_url: str, workspace: Workspace) -> None:
    """Point the Prefect client of this process, and of those it starts, at a server of ours in ``workspace``."""
    set_defaults()
    os.environ["PREFECT_API_URL"] = api_url
    _keep_to(workspace)
    if password := os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        os.environ.setdefault("PREFECT_API_AUTH_STRING", password)
    context = sys.modules.get("prefect.context")
    if context is not None:  # it has read its settings already
        context.refresh_global_settings_context()


def _keep_to(workspace: Workspace) -> None:
    """Prefect's home is in the workspace, where a profile of the user's own does not lie."""
    os.environ["PREFECT_HOME"] = str(workspace.prefect_home)
    os.environ.pop("PREFECT_PROFILE", None)


def configured_server(workspace: Workspace) -> str | None:
    """The API address that Prefect's own settings name: its variables, a profile, or a file of the current folder.

    Without settings of a person's own nothing is written outside the workspace.

    Raises:
        InputError: a setting of Prefect that cannot be used.
    """
    _prepare(workspace)
    home = os.environ.get("PREFECT_HOME")
    if home and Path(home).exists() and not Path(home).is_dir():
        raise InputError(f"PREFECT_HOME: expected a folder, {home} is a file")
    if not home and not _has_profiles():
        os.environ["PREFECT_HOME"] = str(workspace.prefect_home)
    settings = _prefect_settings()
    if (profile := os.environ.get("PREFECT_PROFILE")) is not None:
        from prefect.settings import load_profiles

        if profile not in (known := load_profiles()):
            raise InputError(not_known("PREFECT_PROFILE: profile", profile, sorted(known)))
    api_url: str | None = settings.api.url
    return api_url


def use_home(workspace: Workspace) -> None:
    """Keep to the workspace whatever Prefect's settings say, for a server of ours.

    Raises:
        InputError: a setting of Prefect that cannot be used.
    """
    _prepare(workspace)
    _keep_to(workspace)
    _prefect_settings()


def _prefect_settings() -> Any:
    """Prefect's settings as it reads them; it says what is wrong with them in many lines, and here it is one.

    Raises:
        InputError: one that cannot be used.
    """
    from pydantic import ValidationError

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            from prefect.settings import get_current_settings

            return get_current_settings()
    except ValidationError as error:
        first = error.errors()[0]
        given = str(first.get("input"))
        names = (name for name, value in os.environ.items() if value.upper() == given.upper() and "PREFECT_" in name)
        name = next(names, f"{error.title}.{'.'.join(map(str, first['loc']))} of Prefect")
        raise InputError(
            f"setting {name}: {first['msg'].replace('Input should', 'expected to')}, got {given}"
        ) from None


def _prepare(workspace: Workspace) -> None:
    """What Prefect trips over, out of its way.

    Raises:
        InputError: a workspace that cannot be named in JSON.
    """
    if not is_utf8(str(workspace.root)):
        raise InputError(
            f"workspace {printable(workspace.root)}: expected a path in UTF-8; with another locale set PYTHONUTF8=1"
        )
    set_defaults()
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE"):
        if not os.environ.get(name, "unset").strip():  # to Prefect what is empty has been said, too
            del os.environ[name]
    workspace.prefect_home.mkdir(parents=True, exist_ok=True)  # Prefect makes the last folder of its home only
    if _home() is None:
        os.environ["HOME"] = str(workspace.prefect_home)


def _home() -> Path | None:
    """The user's home; None for one without, as in containers."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def _has_profiles() -> bool:
    home = _home()
    return home is not None and os.access(home / ".prefect" / "profiles.toml", os.R_OK)


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
    except (ValueError, httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise InputError(f"{named}: expected a Prefect server's API, such as http://127.0.0.1:4200/api") from None
    except httpx.TransportError as error:
        why = str(error) or type(error).__name__
        raise InputError(f"{named}: no Prefect server answers ({why}); start it, or unset PREFECT_API_URL") from None


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
