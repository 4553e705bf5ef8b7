"""Runs that crash while a server's event services are not up yet are started again all the same, and once."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.states import Crashed

from deployments.recovery import restart_crashed_runs


@flow
def falls() -> None:
    """Never called."""


def crashed(client: SyncPrefectClient, deployment: UUID) -> UUID:
    run = client.create_flow_run_from_deployment(deployment)
    client.set_flow_run_state(run.id, Crashed(), force=True)
    return run.id


def runs_of(client: SyncPrefectClient, deployment: UUID) -> list[tuple[str, list[str]]]:
    only = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
    return sorted((str(run.idempotency_key), sorted(run.tags)) for run in client.read_flow_runs(deployment_filter=only))


@pytest.mark.usefixtures("prefect_server")
def test_what_crashed_since_the_start_is_started_again_and_nothing_of_before() -> None:
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(falls), "falls")
        before = crashed(client, deployment)
        started = datetime.now(UTC)
        since = crashed(client, deployment)
        for _ in range(2):
            restart_crashed_runs(started)
            found = runs_of(client, deployment)
            assert len(found) == 3
            assert (f"again-{since}", ["try-2"]) in found
            assert not any(key == f"again-{before}" for key, _ in found)
        client.delete_deployment(deployment)
