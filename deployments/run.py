"""``fittingroom run FLOW``: one flow, now, with or without a server."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from deployments.environment import use_workspace
from flows.catalogue import find_flow


def run_flow(name: str, values: Mapping[str, Any]) -> int:
    """Run the flow to its end; 0, or 1 when it ran and something fell short (said on stderr).

    Raises:
        InputError: no such flow, or a parameter that is not allowed; nothing was started.
        FittingroomError: what stopped the flow.
    """
    entry = find_flow(name)
    parameters = entry.fill_in(values)
    use_workspace(parameters.place)
    result = entry.load()(parameters)
    from tasks.reporting import outcome_of  # with Prefect behind it, whose settings are in place by now

    outcome = outcome_of(parameters.place, result)
    for problem in outcome["problems"]:
        print(f"error: {problem}", file=sys.stderr)
    for title, path in outcome["files"].items():
        print(f"{title}: {path}")
    return 1 if outcome["problems"] else 0
