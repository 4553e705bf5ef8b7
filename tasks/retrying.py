"""Retry what may pass by itself, and nothing else: growing, jittered delays; a host's Retry-After is honoured."""

from __future__ import annotations

import errno
import time
from typing import Any

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun

from fittingroom.errors import TransientError

DELAYS = (2.0, 8.0, 30.0, 120.0)
"""Seconds before each retry, each drawn anew within a factor (see ``JITTER``) so that workers do not march in step."""
JITTER = 0.5
LONGEST_WAIT = 600.0
"""A host that asks for more than this many seconds is not waited for: the run fails and says so."""

_PASSING_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EAGAIN)


def is_transient(error: object) -> bool:
    """Whether doing it again may help: a `TransientError`, or a full disk."""
    if isinstance(error, TransientError):
        return (error.retry_after or 0.0) <= LONGEST_WAIT
    return isinstance(error, OSError) and error.errno in _PASSING_ERRNOS


def retry_if_transient(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Prefect's ``retry_condition_fn``. It waits out what Retry-After asks for beyond the delay that follows anyway.

    It waits where it is called, in the task's own thread, as Prefect's engine itself does between two tries: a longer
    wait holds nothing that a shorter one would not.
    """
    error = state.data
    if not is_transient(error):
        return False
    asked = error.retry_after if isinstance(error, TransientError) else None
    if asked:
        delays = task.retry_delay_seconds
        attempt = max(task_run.run_count, 1) - 1
        planned = delays[min(attempt, len(delays) - 1)] if isinstance(delays, (list, tuple)) else float(delays or 0)
        time.sleep(max(0.0, asked - planned * (1 - JITTER)))
    return True


RETRYING: dict[str, Any] = {
    "retries": len(DELAYS),
    "retry_delay_seconds": list(DELAYS),
    "retry_jitter_factor": JITTER,
    "retry_condition_fn": retry_if_transient,
}
"""Keyword arguments of ``prefect.task``."""
