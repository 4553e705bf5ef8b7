"""Trainings in turn: in the order given, so many at a time."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

import pytest
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

from tasks.concurrency import run_bounded

STARTED: list[str] = []
RUNNING = 0
MOST = 0
LOCK = threading.Lock()


@task
def train(name: str, seconds: float) -> str:
    """Pretends."""
    global RUNNING, MOST
    with LOCK:
        STARTED.append(name)
        RUNNING += 1
        MOST = max(MOST, RUNNING)
    time.sleep(seconds)
    with LOCK:
        RUNNING -= 1
    if name == "broken":
        raise ValueError("diverged")
    return name.upper()


@pytest.mark.usefixtures("prefect_server")
def test_two_at_a_time_in_order_and_a_failure_is_handed_out_too() -> None:
    runner: Any = ThreadPoolTaskRunner(max_workers=8)  # Prefect's own types do not fit each other

    @flow(task_runner=runner)
    def trainings() -> dict[str, str]:
        wanted = {"segmenter": 0.6, "broken": 0.1, "navy": 0.1, "red": 0.1}
        starts = {name: partial(train.submit, name, seconds) for name, seconds in wanted.items()}
        ended = {}
        for name, future in run_bounded(starts, at_once=2):
            try:
                ended[name] = future.result()
            except ValueError as error:
                ended[name] = str(error)
        return ended

    ended = trainings()
    assert ended == {"segmenter": "SEGMENTER", "broken": "diverged", "navy": "NAVY", "red": "RED"}
    assert list(ended)[-1] in ("segmenter", "red")
    assert sorted(STARTED[:2]) == ["broken", "segmenter"]
    assert STARTED[2:] == ["navy", "red"]
    assert MOST == 2
