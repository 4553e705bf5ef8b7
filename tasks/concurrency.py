"""Whose turn it is: long tasks in a given order, so many at a time, and flows that run alone in a workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from prefect import get_run_logger
from prefect.futures import PrefectFuture, as_completed

from fittingroom.locks import locked
from fittingroom.workspace import Workspace

T = TypeVar("T")


@contextmanager
def exclusive(workspace: Workspace, what: str) -> Iterator[None]:
    """Be the only ``what`` in this workspace, on whatever server and machine; another one is waited for."""
    waiting = f"another {what} is at work in {workspace.root}: waiting for its end"
    with locked(workspace.root / f".{what}.lock", lambda: get_run_logger().info(waiting)):
        yield


def run_bounded(
    starts: Mapping[str, Callable[[], PrefectFuture[T]]], at_once: int
) -> Iterator[tuple[str, PrefectFuture[T]]]:
    """Start each task in the order given, ``at_once`` at a time, and yield each by name as it ends.

    The next one is started before one that ended is handed out, so that what is done with it costs no time.
    """
    waiting = iter(starts.items())
    running = {name: start() for name, start in islice(waiting, at_once)}
    while running:
        done = next(iter(as_completed(list(running.values()))))
        name = next(name for name, future in running.items() if future.task_run_id == done.task_run_id)
        ended = running.pop(name)
        running.update((following, start()) for following, start in islice(waiting, 1))
        yield name, ended
