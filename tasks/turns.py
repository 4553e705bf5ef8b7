"""Whose turn it is: long tasks in a given order, so many at a time, and flows that run alone in a workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from prefect import get_run_logger
from prefect.futures import PrefectFuture, as_completed

from fittingroom.locks import locked
from fittingroom.workspace import Workspace

T = TypeVar("T")


@contextmanager
def alone(workspace: Workspace, what: str) -> Iterator[None]:
    """Be the only ``what`` in this workspace, on whatever server and machine; another one is waited for."""
    waiting = f"another {what} is at work in {workspace.root}: waiting for its end"
    with locked(workspace.root / f".{what}.lock", lambda: get_run_logger().info(waiting)):
        yield


class OneAfterAnother:
    """Tasks that must not hold the same thing at once (two that ask one host, say), wherever they run."""

    def __init__(self) -> None:
        self._last: dict[str, PrefectFuture[Any]] = {}

    def start(
        self, things: Iterable[str], submit: Callable[[list[PrefectFuture[Any]]], PrefectFuture[T]]
    ) -> PrefectFuture[T]:
        """Submit a task that holds ``things``; ``submit`` is told which tasks it has to wait for."""
        wanted = list(things)
        future = submit([self._last[thing] for thing in wanted if thing in self._last])
        self._last |= dict.fromkeys(wanted, future)
        return future


def in_turn(
    starts: Mapping[str, Callable[[], PrefectFuture[T]]], at_once: int
) -> Iterator[tuple[str, PrefectFuture[T]]]:
    """Start each task in the order given, ``at_once`` at a time, and yield each by name as it ends.

    The next one is started before one that ended is handed out, so that what is done with it costs no time.
    """
    waiting = list(starts.items())
    running: dict[str, PrefectFuture[T]] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            name, start = waiting.pop(0)
            running[name] = start()
        done = next(iter(as_completed(list(running.values()))))
        name = next(name for name, future in running.items() if future.task_run_id == done.task_run_id)
        ended = running.pop(name)
        if waiting:
            following, start = waiting.pop(0)
            running[following] = start()
        yield name, ended
