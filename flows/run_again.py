"""Run again: a run whose process died is started once more, where an automation asks for it."""

from __future__ import annotations

from prefect.client.schemas.objects import State

from flows.parameters import RunAgainParameters
from flows.stories import MINUTES, story
from tasks.rerunning import FurtherTry, start_again
from tasks.telling import nothing_to_do


@story(
    RunAgainParameters,
    name="run-again",
    run_name=lambda parameters: f"run again {parameters.run}",
    timeout_seconds=5 * MINUTES,
)
def run_again(parameters: RunAgainParameters) -> FurtherTry | State[FurtherTry]:
    """Start the same deployment with the same parameters; what was complete is not done again."""
    second = start_again(parameters.run)
    return second if second["run"] else nothing_to_do(second["reason"], second)
