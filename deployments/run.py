"""``fittingroom run FLOW``: one flow, now, with or without a server."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from deployments.environment import use_workspace
from fittingroom.errors import FittingroomError, StorageUnavailable
from fittingroom.workspace import is_full, no_space
from flows.catalogue import find_flow


def run_flow(name: str, values: Mapping[str, Any]) -> int:
    """Run the flow to its end; 0, or 1 when it ran and something fell short (said on stderr).

    Raises:
        InputError: no such flow, or a parameter that cannot be used; nothing was started.
        FittingroomError: what stopped the flow.
    """
    entry = find_flow(name)
    parameters = entry.fill_in(values)
    parameters.check()
    use_workspace(parameters.place)
    flow = entry.load()
    for logger in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(logger).addFilter(without_traceback)
    try:
        result = flow(parameters)
    except FittingroomError:
        raise
    except Exception as error:
        # Prefect's own files may lie on the same disk, and it says as many things of a full one as it has parts.
        if is_full(parameters.place.root):
            raise StorageUnavailable(no_space(parameters.place.root)) from error
        raise
    from tasks.reporting import outcome_of  # with Prefect behind it, whose settings are in place by now

    outcome = outcome_of(parameters.place, result)
    for problem in outcome["problems"]:
        print(f"error: {problem}", file=sys.stderr)
    for title, path in outcome["files"].items():
        print(f"{title}: {path}")
    return 1 if outcome["problems"] else 0


def without_traceback(record: logging.LogRecord) -> bool:
    """A log filter: errors we raise on purpose say all in their one line, so their traceback is left out."""
    if record.exc_info and isinstance(record.exc_info[1], FittingroomError):
        record.exc_info = record.exc_text = None
    return True
