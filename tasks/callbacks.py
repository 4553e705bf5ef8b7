"""Who watches besides the Prefect UI: a demo's or a command's own lines and bars, in the process that runs the flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, ParamSpec

from fittingroom.training.progress import Progress

P = ParamSpec("P")


class Watched(Generic[P]):
    """Something of this process that others are told of, each for as long as a block lasts."""

    def __init__(self) -> None:
        self._watchers: list[Callable[P, None]] = []

    @contextmanager
    def watching(self, watcher: Callable[P, None]) -> Iterator[None]:
        """Tell ``watcher``, from whatever thread it happens in."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def tell(self, *said: P.args, **more: P.kwargs) -> None:
        """It happens."""
        for watcher in tuple(self._watchers):
            watcher(*said, **more)


trainings = Watched[[str, Progress]]()
"""A training's name and where it stands."""
stages = Watched[[str, bool]]()
"""The name of a flow's stage, and whether it has ended."""
steps = Watched[[str, str]]()
"""The name of a cached step that begins, and why it runs: empty where it was done before."""


@contextmanager
def stage(name: str) -> Iterator[None]:
    """A stage of a flow, for whoever watches."""
    stages.tell(name, False)
    yield
    stages.tell(name, True)
