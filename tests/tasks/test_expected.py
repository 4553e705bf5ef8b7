"""Our own errors are one line in a run's log, said once; all others keep their traceback."""

from __future__ import annotations

import logging

import httpx
import pytest

from fittingroom.errors import SettingError
from tasks.expected import one_line


def record(message: str, error: Exception) -> logging.LogRecord:
    return logging.LogRecord("x", logging.ERROR, "f", 1, message, (), (type(error), error, None))


@pytest.mark.parametrize("message", ["Task run failed with exception: ... - Retries are exhausted", "50% of %s"])
def test_an_error_of_ours_is_its_one_line(message: str) -> None:
    said = record(message, SettingError("epochs", 0, "1 or more"))
    assert one_line(said)
    assert said.getMessage() == "setting epochs: expected 1 or more, got 0"
    assert said.exc_info is None


def test_it_is_not_said_again_when_the_engine_leaves() -> None:
    ours, other = SettingError("epochs", 0, "1 or more"), ValueError("x")
    for message in ("Engine execution exited with unexpected exception", "Execution of flow run 'x' exited with ..."):
        assert not one_line(record(message, ours))
        assert one_line(record(message, other))


def test_a_run_that_is_stopped_is_no_crash() -> None:
    why = "Execution was aborted by an interrupt signal."
    for message in (f"Crash detected! {why}", f"Finished in state Crashed('{why}')"):
        assert not one_line(logging.LogRecord("x", logging.ERROR, "f", 1, message, (), None))
    assert one_line(logging.LogRecord("x", logging.INFO, "f", 1, f"Finished in state Crashed('{why}')", (), None))
    assert one_line(logging.LogRecord("x", logging.ERROR, "f", 1, "Crash detected! Out of memory", (), None))


def test_a_server_that_does_not_answer_is_not_said_with_each_thing_meant_for_it() -> None:
    assert not one_line(record("Encountered exception during execution: ...", httpx.ConnectError("refused")))
    event = logging.LogRecord("x", logging.ERROR, "f", 1, "Service %r failed to process item %r", ("E", {}), None)
    assert not one_line(event)


def test_other_errors_keep_their_traceback() -> None:
    said = record("failed", ValueError("x"))
    assert one_line(said)
    assert said.getMessage() == "failed"
    assert said.exc_info
