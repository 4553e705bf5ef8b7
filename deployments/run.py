"""``fittingroom run FLOW``: one flow, now, with or without a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from deployments.patience import leave_unsent
from deployments.server import server_for_a_run
from fittingroom.errors import FittingroomError, HostUnavailable, StorageUnavailable
from fittingroom.workspace import full_folder, no_space
from flows.catalogue import find_flow


def run_flow(name: str, values: Mapping[str, Any], explain_cache: bool = False) -> int:
    """Run the flow to its end; 0, or 1 when it ran and something fell short (said on stderr).

    With ``explain_cache`` each cached step is listed at the end: done before, or why it ran.

    Raises:
        InputError: no such flow, or a parameter that cannot be used; nothing was started.
        FittingroomError: what stopped the flow.
    """
    entry = find_flow(name)
    parameters = entry.fill_in(values)
    parameters.check()
    try:
        with server_for_a_run(parameters.place, _say):
            flow = entry.load()
            with _shown(), _explained() if explain_cache else nullcontext():
                result = flow(parameters)
    except FittingroomError:
        raise
    except Exception as error:
        # Prefect's own files may lie on a full disk, and it says as many things of a full one as it has parts.
        if (full := full_folder(parameters.place.root)) is not None:
            raise StorageUnavailable(no_space(full)) from error
        import httpx

        if isinstance(error, httpx.TransportError):  # Prefect's client gave up on its server
            leave_unsent()
            raise HostUnavailable(
                "the Prefect server of this run does not answer any more, it was stopped, say; what was complete "
                "stays, and the same command resumes from there"
            ) from error
        raise
    from tasks.photo_names import with_names
    from tasks.reporting import outcome_of  # with Prefect behind it, whose settings are in place by now

    outcome = outcome_of(parameters.place, result)
    for problem in outcome["problems"]:
        print(f"error: {with_names(parameters.place, problem)}", file=sys.stderr)
    for note in outcome["remarks"]:
        print(f"note: {with_names(parameters.place, note)}", file=sys.stderr)
    for title, path in outcome["files"].items():
        print(f"{with_names(parameters.place, title)}: {path}")
    return 1 if outcome["problems"] else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _shown() -> Iterator[None]:
    """Show stages and trainings while they last: below the log in a terminal, as a line now and then elsewhere."""
    from deployments.live import LiveProgress, log_to
    from tasks.callbacks import stages, trainings

    with LiveProgress(log_to()) as live, trainings.watching(live.training), stages.watching(live.stage):
        yield


@contextmanager
def _explained() -> Iterator[None]:
    """List the cached steps of what runs in this block, also when it fails."""
    from tasks.callbacks import steps

    seen: list[tuple[str, str]] = []
    try:
        with steps.watching(lambda name, why: seen.append((name, why))):
            yield
    finally:
        for name, why in seen:
            print(f"ran     {name}: {why}" if why else f"cached  {name}")
        cached = sum(not why for _, why in seen)
        print(f"steps: {len(seen) - cached} ran, {cached} done before")
