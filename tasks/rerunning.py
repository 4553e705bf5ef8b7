"""Start a crashed run once more: the second try carries a tag, and a run that carries it is not started again."""

from __future__ import annotations

from typing import TypedDict
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import get_client

AGAIN = "second-try"


class SecondTry(TypedDict):
    """What became of a request to run something again: the new run's id, or why there is none."""

    run: str | None
    reason: str


def start_again(run: UUID) -> SecondTry:
    """Start the deployment of a crashed run with the same parameters; the same request twice starts one run."""
    with get_client(sync_client=True) as client:
        crashed = client.read_flow_run(run)
        reason = ""
        if crashed.deployment_id is None:
            reason = "it was not started by a deployment"
        elif AGAIN in crashed.tags:
            reason = "it was a second try itself"
        elif crashed.state is None or not crashed.state.is_crashed():
            reason = "it did not crash"
        if reason or crashed.deployment_id is None:
            get_run_logger().info("%s is not run again: %s", crashed.name, reason)
            return SecondTry(run=None, reason=reason)
        second = client.create_flow_run_from_deployment(
            crashed.deployment_id,
            parameters=crashed.parameters,
            tags=[*crashed.tags, AGAIN],
            idempotency_key=f"{AGAIN}-{run}",
        )
    return SecondTry(run=str(second.id), reason=f"{crashed.name} crashed")
