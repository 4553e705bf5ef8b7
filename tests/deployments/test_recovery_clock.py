"""Which runs are dead is a matter of processes, not of time: a clock that was set forward kills no run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL
from prefect.states import Running

ROOT = Path(__file__).resolve().parents[2]
MARK = "from deployments.recovery import restart_dead_runs; import time; print(time.time()); print(restart_dead_runs())"
AHEAD_DAYS = 30


@flow
def waits() -> None:
    """Never called."""


def running(client: SyncPrefectClient, deployment: UUID, name: str) -> UUID:
    run = client.create_flow_run_from_deployment(deployment, name=name)
    client.set_flow_run_state(run.id, Running(), force=True)
    return run.id


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("faketime"), reason="not installed: faketime (apt-get install faketime)")
@pytest.mark.usefixtures("prefect_server")
def test_a_clock_set_forward_kills_no_run_that_has_a_process() -> None:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    ahead = {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"+{AHEAD_DAYS}d",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PYTHONPATH": str(ROOT),
    }
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(waits), "waits")
        alive, dead = running(client, deployment, "alive"), running(client, deployment, "dead")
        started = client.read_flow_run(alive).start_time
        assert started is not None
        sleeper = [sys.executable, "-c", "import time; time.sleep(280)"]
        with subprocess.Popen(sleeper, env={**os.environ, "PREFECT__FLOW_RUN_ID": str(alive)}) as process:
            try:
                done = subprocess.run(
                    [sys.executable, "-c", MARK],
                    env={**os.environ, **ahead},
                    capture_output=True,
                    text=True,
                    check=False,
                )
            finally:
                process.kill()
        assert done.returncode == 0, done.stderr
        now, marked = done.stdout.splitlines()
        assert float(now) > started.timestamp() + (AHEAD_DAYS - 1) * 86400, "the clock was set forward"
        assert "alive" not in marked
        assert "the process of run dead is gone: it is started again" in marked
        states = [client.read_flow_run(run).state for run in (alive, dead)]
        assert [state and state.type.value for state in states] == ["RUNNING", "CRASHED"]
        client.delete_deployment(deployment)
