"""Runs whose process is gone: found when ``serve`` starts, marked Crashed and started again.

A machine that loses power takes runs and server with it, and the server goes on saying Running. Missed heartbeats tell
it in the end (`deployments.automations`); a serving process that starts its own server knows it at once, because all
runs of that server's deployments are processes of this machine. It also starts them again itself: an automation hears
of the crash only where the server's event services were up in time.

To be imported once Prefect's environment is set: it reads its settings when it is imported.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelled, Crashed

from tasks.rerunning import runs_of_processes, start_again


def restart_dead_runs() -> list[str]:
    """Mark runs of deployments, and those they started, as Crashed where no process of this machine works on them.

    Those of deployments are started again, see `tasks.rerunning.start_again`; a run that was being cancelled is not.

    Only for a server that nobody else serves to: it must have been started by this process, before any run.

    Returns:
        a line for each run of a deployment that was found dead.
    """
    with get_client(sync_client=True) as client:
        served = [run for run in _under_way(client) if run.deployment_id is not None]
        alive = runs_of_processes()
        dead = [run for run in served if run.id not in alive]
        for run in dead:
            _mark(client, run)
    lines = []
    for run in dead:
        further = start_again(run.id)
        outcome = "it is started again" if further["run"] else further["reason"]
        lines.append(f"the process of run {run.name} is gone: {outcome}")
    return lines


def restart_crashed_runs(since: datetime) -> None:
    """Start runs of deployments that crashed after ``since`` again, where the automation has not done so.

    A server hears of crashes before its event services are up: a run that outlived its server fails at the next word to
    it, and what is to start it again may not listen yet. Asked twice, a run is started once.
    """
    with get_client(sync_client=True) as client:
        ended = FlowRunFilter(state=_in_state(StateType.CRASHED), end_time=FlowRunFilterEndTime(after_=since))
        crashed = [run.id for run in _all(client, ended) if run.deployment_id is not None]
    for run in crashed:
        start_again(run)


def _mark(client: SyncPrefectClient, run: FlowRun) -> None:
    for started in _under_way(client, [run.id]):
        _mark(client, started)
    # What a person was cancelling stays cancelled: it is not to be started again.
    cancelling = run.state is not None and run.state.type is StateType.CANCELLING
    state: State = (
        Cancelled() if cancelling else Crashed(message="its process is gone: the machine or serve was stopped")
    )
    client.set_flow_run_state(run.id, state, force=True)


def _under_way(client: SyncPrefectClient, parents: list[UUID] | None = None) -> list[FlowRun]:
    """All runs that the server takes for being at work; those that runs of ``parents`` started, where it is given."""
    wanted = FlowRunFilter(
        state=_in_state(StateType.RUNNING, StateType.PENDING, StateType.CANCELLING),
        parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=parents) if parents else None,
    )
    return _all(client, wanted)


def _in_state(*types: StateType) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))


def _all(client: SyncPrefectClient, wanted: FlowRunFilter) -> list[FlowRun]:
    found: list[FlowRun] = []
    while page := client.read_flow_runs(flow_run_filter=wanted, limit=200, offset=len(found)):
        found += page
    return found
