"""What a flow's stages took on the wall clock: they follow one another, so they add up to the whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from tasks.callbacks import stage


class Clock:
    """Started when it is made. ``stages`` are (name, seconds) in the order in which they ended."""

    def __init__(self) -> None:
        self.date = datetime.now().astimezone().strftime("%d %B %Y, %H:%M")
        self.stages: list[tuple[str, float]] = []
        self._started = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A stage of the flow, timed, and said to whoever watches."""
        started = time.monotonic()
        with stage(name):
            yield
        self.stages.append((name, time.monotonic() - started))

    def elapsed(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._started
