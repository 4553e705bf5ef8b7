"""What a run in a terminal shows: the stages as they come and go, and a bar for each training."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.theme import Theme

from fittingroom.training.progress import Progress

LINE_SECONDS = 20.0
"""Where nobody watches (a file, a pipe), a training says a line this often."""


_WIDE, _BAR, _SHORT_BAR = 100, 28, 8
_BESIDE_BAR = 42
"""Characters of a line next to its bar and its words: mark, name of the longest stage, time, and what parts them."""


def log_to(console: Console | None = None) -> Console:
    """Have Prefect's log lines go to one console, by default that of its first logger: what is drawn there stays below.

    To be called once Prefect is imported, which sets its loggers up.
    """
    from prefect.logging.handlers import PrefectConsoleHandler

    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    handlers = [h for logger in loggers for h in logger.handlers if isinstance(h, PrefectConsoleHandler)]
    if console is None:
        console = handlers[0].console if handlers else Console(stderr=True)
        console.push_theme(Theme())  # Prefect's has the styles of its log only
    for handler in handlers:
        handler.console = console
    return console


class LiveProgress:
    """Stages and trainings on a terminal; plain lines elsewhere. A context manager; its methods are thread-safe."""

    def __init__(self, console: Console) -> None:
        self._console, self._lock = console, threading.Lock()
        self._bars = Bars(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=_BAR if console.width >= _WIDE else _SHORT_BAR),
            TimeElapsedColumn(),
            TextColumn("{task.fields[words]}", style="dim"),
            console=console,
            disable=not console.is_interactive,
        )
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}
        self._said: dict[str, float] = {}

    def __enter__(self) -> LiveProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def stage(self, name: str, ended: bool) -> None:
        """A stage begins, or has ended."""
        with self._lock:
            now = time.monotonic()
            if not ended:
                self._started[name] = now
                self._tasks[name] = self._bars.add_task(name, total=None, words="")
                return
            seconds = now - self._started.get(name, now)
            if name in self._tasks:
                self._bars.update(self._tasks[name], total=1, completed=1)
            self._plainly(f"{name}: {seconds:.1f} s")

    def step(self, name: str, done: int, total: int) -> None:
        """A stage stands at ``done`` of ``total``."""
        with self._lock:
            if name in self._tasks:
                self._bars.update(self._tasks[name], completed=done, total=max(total, 1), words=f"{done}/{total}")

    def training(self, name: str, progress: Progress) -> None:
        """A training stands there."""
        waits = progress.message if not progress.total_steps else ""
        parts = [waits or f"epoch {progress.epoch}/{progress.total_epochs}"]
        if progress.seconds_left is not None:
            parts.append(f"{progress.seconds_left:.0f} s left")
        parts += [f"{key} {value:.3g}" for key, value in list(progress.values.items())[:3]]
        words = "  ".join(parts)
        with self._lock:
            key = f"training {name}"
            if key not in self._tasks:
                self._tasks[key] = self._bars.add_task(f"  {name}", total=progress.total_steps, words="")
            self._bars.update(
                self._tasks[key], completed=progress.step, total=progress.total_steps, words=self._fitting(parts)
            )
            now = time.monotonic()
            if now - self._said.get(key, 0.0) >= LINE_SECONDS:
                self._said[key] = now
                self._plainly(
                    f"  {name}: {words}" if waits else f"  {name}: step {progress.step}/{progress.total_steps}, {words}"
                )

    def _fitting(self, parts: Sequence[str]) -> str:
        """As many of the words as the terminal has room for: a line too long would squeeze its bar and its time."""
        width = self._console.width
        room = width - _BESIDE_BAR - (_BAR if width >= _WIDE else _SHORT_BAR)
        words = ""
        for part in parts:
            longer = f"{words}  {part}".strip()
            if len(longer) > room:
                break
            words = longer
        return words

    def _plainly(self, line: str) -> None:
        if not self._console.is_interactive:
            self._console.print(line, highlight=False, soft_wrap=True)
