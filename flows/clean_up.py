"""Clean up: personal pictures and artifacts that are older than the retention allows are deleted, and leftovers."""

from __future__ import annotations

from prefect.client.schemas.objects import State

from flows.parameters import CleanUpParameters
from flows.stories import MINUTES, story
from tasks.cleaning import remove_artifacts, remove_leftovers, remove_pictures, remove_runs
from tasks.telling import nothing_to_do


@story(
    CleanUpParameters,
    name="clean-up",
    run_name=lambda parameters: f"clean up after {parameters.days:g} days",
    timeout_seconds=60 * MINUTES,
)
def clean_up(parameters: CleanUpParameters) -> dict[str, int] | State[dict[str, int]]:
    """Delete photos of people, try-ons, reports, artifacts, runs that name photos and what killed runs left half
    written; counts them.
    """
    counts = {
        **remove_pictures(str(parameters.place.root), parameters.days, parameters.only_say),
        **remove_artifacts(str(parameters.place.root), parameters.days, parameters.only_say),
        **remove_runs(str(parameters.place.root), parameters.days, parameters.only_say),
        **remove_leftovers(str(parameters.place.root), parameters.only_say),
    }
    if not any(counts.values()):
        return nothing_to_do(f"nothing is older than {parameters.days:g} days", counts)
    return counts
