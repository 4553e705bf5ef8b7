"""Run again: a run whose process died is started once more, where an automation asks for it."""

from __future__ import annotations

from prefect import flow

from flows.parameters import RunAgainParameters
from flows.timeouts import MINUTES
from tasks.rerunning import FurtherTry, start_again


@flow(name="run-again", flow_run_name="run again {parameters.run}", timeout_seconds=5 * MINUTES)
def run_again(parameters: RunAgainParameters) -> FurtherTry:
    """Start the same deployment with the same parameters; what was complete is not done again."""
    return start_again(parameters.run)
