"""Errors that we raise on purpose say all in their one line: a run's log has that line, and no traceback.

A run that somebody stops is no error: the log says so once, with the state of the flow run. A Prefect server that does
not answer is said once too, by whoever gives up on it, and not with each thing that was meant for it.
"""

from __future__ import annotations

import logging

import httpx

from fittingroom.errors import FittingroomError

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine", "prefect._internal.concurrency")
_AGAIN = ("Engine execution exited", "Execution of flow run", "Execution exited")
"""How Prefect's engine says once more that a run failed, when it leaves the process that a runner started for it."""
_STOPPED = "Execution was aborted by an interrupt signal"
"""How Prefect says Ctrl-C: of each task and of the flow, as of a crash, and then in the flow run's last line."""
_UNSENT = "Service %r failed to process item"
"""How it says that an event could not be sent, with all that the event holds; before, it says that nobody answers."""


def one_line(record: logging.LogRecord) -> bool:
    """A log filter: the record of such an error becomes its message; saying it once more is left out, and what
    Ctrl-C or a server that does not answer brought down.
    """
    if str(record.msg).startswith(_UNSENT):
        return False
    if record.levelno >= logging.ERROR and _STOPPED in record.getMessage():
        return False
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, httpx.TransportError):
        return False
    if not isinstance(error, FittingroomError):
        return True
    if str(record.msg).startswith(_AGAIN):
        return False
    record.msg, record.args = str(error), ()
    record.exc_info = record.exc_text = None
    return True


def quiet_expected_errors() -> None:
    """Put `one_line` on the loggers of runs, in this process; more than once is the same as once."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(one_line)
