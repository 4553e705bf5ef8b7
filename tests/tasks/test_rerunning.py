"""A run that was taken for dead is started again once, and not while a process of this machine works on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.states import Crashed

from tasks import rerunning
from tasks.rerunning import start_again


@flow
def stands_in() -> None:
    """Never called."""


@pytest.fixture
def client(prefect_server: None) -> Iterator[SyncPrefectClient]:  # noqa: ARG001
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def crashed(client: SyncPrefectClient) -> Iterator[UUID]:
    deployment = client.create_deployment(client.create_flow(stands_in), "stands-in")
    run = client.create_flow_run_from_deployment(deployment).id
    client.set_flow_run_state(run, Crashed(), force=True)
    yield run
    client.delete_deployment(deployment)


def state(client: SyncPrefectClient, run: UUID) -> str:
    found = client.read_flow_run(run).state
    assert found is not None
    return found.type.value


def test_a_run_whose_process_lives_is_running_again_and_not_started_a_second_time(
    client: SyncPrefectClient, crashed: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerunning, "GOING_SECONDS", 0.1)
    sleeper = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(280)"]
    own = {**os.environ, "PREFECT__FLOW_RUN_ID": str(crashed)}
    with subprocess.Popen(sleeper, env=own, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            second = start_again(crashed)
            assert second["run"] is None
            assert second["reason"].endswith("is not run again: its process lives")
            assert state(client, crashed) == "RUNNING"
        finally:
            process.kill()
    client.set_flow_run_state(crashed, Crashed(), force=True)
    second = start_again(crashed)
    assert second["run"] is not None
    assert start_again(crashed) == second, "the same request twice starts one run"
    assert client.read_flow_run(UUID(second["run"])).tags == ["try-2"]


def test_processes_that_end_with_a_dead_run_are_waited_for(crashed: UUID) -> None:
    ending = [sys.executable, "-c", "import time; time.sleep(1.5)"]
    with subprocess.Popen(ending, env={**os.environ, "PREFECT__FLOW_RUN_ID": str(crashed)}):
        assert start_again(crashed)["run"] is not None
