"""Lines in the log of the run that we are in, and the end of one that found nothing to do."""

from __future__ import annotations

import logging
from typing import Any

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.exceptions import MissingContextError
from prefect.states import Completed


def say(words: str, *values: object) -> None:
    """A line in the log of the run that we are in; outside a run, in the process' own."""
    run_logger().info(words, *values)


def run_logger() -> Any:
    """The logger of the run that we are in; outside a run, one of the process' own."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("fittingroom.runs")


def nothing_to_do(why: str, result: Any) -> State[Any]:
    """What a flow returns where there is nothing to do: its caller gets ``result``, its page and its log say why."""
    message = f"nothing to do: {why}"
    get_run_logger().info(message)
    return Completed(message=message, data=result)
