"""Lines in the log of the run that we are in."""

from __future__ import annotations

import logging
from typing import Any

from prefect import get_run_logger
from prefect.exceptions import MissingContextError


def say(words: str, *values: object) -> None:
    """A line in the log of the run that we are in; outside a run, in the process' own."""
    run_logger().info(words, *values)


def run_logger() -> Any:
    """The logger of the run that we are in; outside a run, one of the process' own."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("fittingroom.runs")
