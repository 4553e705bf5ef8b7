"""Errors that we raise on purpose say all in their one line: a run's log has that line, and no traceback."""

from __future__ import annotations

import logging

from fittingroom.errors import FittingroomError

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")
_AGAIN = ("Engine execution exited", "Execution of flow run", "Execution exited")
"""How Prefect's engine says once more that a run failed, when it leaves the process that a runner started for it."""


def one_line(record: logging.LogRecord) -> bool:
    """A log filter: the record of such an error becomes its message; saying it once more is left out."""
    error = record.exc_info[1] if record.exc_info else None
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
