"""Start a crashed run once more: each further try carries its number as a tag, and after some it is enough."""

from __future__ import annotations

import contextlib
import time
from typing import TypedDict
from uuid import UUID

import psutil
from prefect.client.orchestration import get_client
from prefect.states import Running

MOST_TRIES = 5
"""A machine may lose power more than once in a training of days; a run that takes the machine down must end."""
GOING_SECONDS = 10.0
"""For the processes that a dead run started: they end with it, a moment later."""
_RUN_OF_PROCESS = "PREFECT__FLOW_RUN_ID"
"""Variable that tells a process which run it works on; Prefect's runner sets it."""
_TRY = "try-"


class FurtherTry(TypedDict):
    """What became of a request to run something again: the new run's id, or why there is none."""

    run: str | None
    reason: str


def start_again(run: UUID) -> FurtherTry:
    """Start the deployment of a crashed run with the same parameters; the same request twice starts one run.

    One that a process of this machine works on is taken for Running again: a machine that slept, or whose clock was set
    forward, has missed heartbeats of the living.
    """
    with get_client(sync_client=True) as client:
        crashed = client.read_flow_run(run)
        tries = 1 + max([1, *(_number(tag) for tag in crashed.tags)])
        reason = ""
        if crashed.deployment_id is None:
            reason = "it was not started by a deployment"
        elif tries > MOST_TRIES:
            reason = f"it crashed {MOST_TRIES} times"
        elif crashed.state is None or not crashed.state.is_crashed():
            reason = "it did not crash"
        elif _lives(run):
            reason = "its process lives"
            client.set_flow_run_state(run, Running(message=reason), force=True)
        if reason or crashed.deployment_id is None:
            return FurtherTry(run=None, reason=f"{crashed.name} is not run again: {reason}")
        tags = [tag for tag in crashed.tags if not _number(tag)]
        again = client.create_flow_run_from_deployment(
            crashed.deployment_id,
            parameters=crashed.parameters,
            tags=[*tags, f"{_TRY}{tries}"],
            idempotency_key=f"again-{run}",
        )
    return FurtherTry(run=str(again.id), reason=f"{crashed.name} crashed")


def runs_of_processes() -> set[UUID]:
    """The runs that processes of this machine work on."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError, ValueError, KeyError):
            found.add(UUID(process.environ()[_RUN_OF_PROCESS]))
    return found


def _lives(run: UUID) -> bool:
    until = time.monotonic() + GOING_SECONDS
    while run in runs_of_processes():
        if time.monotonic() > until:
            return True
        time.sleep(0.5)
    return False


def _number(tag: str) -> int:
    """Which try a tag says that a run is; 0 where it says no such thing."""
    number = tag.removeprefix(_TRY)
    return int(number) if tag.startswith(_TRY) and number.isdecimal() else 0
