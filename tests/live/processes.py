"""Flows as a person starts them, in a process of their own; killed where a test wants it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fittingroom.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
ON_ONE_CORE = "import os, sys; os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}); "
"""Trainings as tiny as these lose more by sharing cores than they win."""
SECONDS = 1200.0
"""What takes longer hangs: no measure of speed, for on a crowded machine a flow of seconds takes minutes."""


def environment_of(workspace: Workspace, api_url: str, **more: str) -> dict[str, str]:
    """Variables for a process that works in ``workspace`` and reports to the server."""
    own = {
        "PYTHONPATH": str(ROOT),
        "FITTINGROOM_WORKSPACE": str(workspace.root),
        "PREFECT_API_URL": api_url,
        "PREFECT_HOME": str(workspace.root.parent / "prefect-home"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return {**os.environ, **own, **more}


def command_of(name: str, parameters: Mapping[str, Any], first: str = "") -> list[str]:
    """``fittingroom run name --param ...`` with this interpreter, which does ``first`` before anything else."""
    words = [
        f"{key}={value if isinstance(value, str | Path) else json.dumps(value)}" for key, value in parameters.items()
    ]
    code = ON_ONE_CORE + first + "\nfrom fittingroom.cli import main; main(sys.argv[1:])"
    options = [part for word in words for part in ("--param", word)]
    return [sys.executable, "-c", code, "run", name, *options]


def run_flow(
    name: str, parameters: Mapping[str, Any], environment: Mapping[str, str], first: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a flow to its end."""
    return subprocess.run(
        command_of(name, parameters, first), env=dict(environment), capture_output=True, text=True, timeout=SECONDS
    )


def start_flow(name: str, parameters: Mapping[str, Any], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a flow and come back at once."""
    return subprocess.Popen(
        command_of(name, parameters),
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_until(condition: Callable[[], object], what: str, seconds: float = SECONDS, every: float = 0.005) -> None:
    """Wait for something to become true.

    Raises:
        AssertionError: it did not.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain until {what}"
        time.sleep(every)


def kill_flow_when(
    condition: Callable[[], object], what: str, name: str, parameters: Mapping[str, Any], environment: Mapping[str, str]
) -> None:
    """Start a flow and SIGKILL its process as soon as ``condition`` holds; it must not have ended before."""
    process = start_flow(name, parameters, environment)
    try:
        wait_until(lambda: condition() or process.poll() is not None, what)
        ended = process.poll() is not None
    finally:
        process.send_signal(signal.SIGKILL)
        said = process.communicate()[0]
    assert not ended, f"{name} ended before {what}: {said}"


def records(workspace: Workspace) -> dict[str, int]:
    """The cached steps: name of each record -> its time of change."""
    return {
        p.name: p.stat().st_mtime_ns
        for p in workspace.cache.glob("*")
        if "." not in p.name  # no memory, and nothing that is being written
    }
