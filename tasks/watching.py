"""Who watches a training besides the Prefect UI: the demo's progress bars, set by the process that runs the flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fittingroom.training.progress import Listener, Progress

Watcher = Callable[[str, Progress], None]
"""Called with a training's name and where it stands, from the training's own thread."""

_watchers: list[Watcher] = []


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Tell ``watcher`` of every training that runs in this process, for as long as the block lasts."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def listener(name: str) -> Listener | None:
    """What the training called ``name`` reports to; None when nobody watches."""
    if not _watchers:
        return None
    watchers = tuple(_watchers)

    def tell(progress: Progress) -> None:
        for watcher in watchers:
            watcher(name, progress)

    return tell


StageWatcher = Callable[[str, bool], None]
"""Called with a stage's name, and whether it has ended."""

_stage_watchers: list[StageWatcher] = []


@contextmanager
def watching_stages(watcher: StageWatcher) -> Iterator[None]:
    """Tell ``watcher`` of every stage a flow of this process comes to, for as long as the block lasts."""
    _stage_watchers.append(watcher)
    try:
        yield
    finally:
        _stage_watchers.remove(watcher)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """A stage of a flow, for whoever watches."""
    for watcher in tuple(_stage_watchers):
        watcher(name, False)
    yield
    for watcher in tuple(_stage_watchers):
        watcher(name, True)


StepWatcher = Callable[[str, str], None]
"""Called with the name of a cached step that begins, and why it runs: empty where it was done before."""

_step_watchers: list[StepWatcher] = []


@contextmanager
def watching_steps(watcher: StepWatcher) -> Iterator[None]:
    """Tell ``watcher`` of every cached step of this process, from its own thread, for as long as the block lasts."""
    _step_watchers.append(watcher)
    try:
        yield
    finally:
        _step_watchers.remove(watcher)


def tell_of_step(name: str, why: str) -> None:
    """A cached step begins."""
    for watcher in tuple(_step_watchers):
        watcher(name, why)
