"""How a run ends that found nothing to do: Completed, and its state says why."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed


def nothing_to_do(why: str, result: Any) -> State[Any]:
    """What a flow returns then: its caller gets ``result``, its page and its log say why."""
    message = f"nothing to do: {why}"
    get_run_logger().info(message)
    return Completed(message=message, data=result)
