"""Live progress of a training: one JSON line an event, to a file that survives and to whoever listens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """Where a training stands. ``step`` counts from 1 over the whole training; ``values`` are losses and metrics."""

    step: int
    total_steps: int
    epoch: int
    total_epochs: int
    values: dict[str, float] = field(default_factory=dict)
    seconds_left: float | None = None
    message: str = ""
    time: float = field(default_factory=time.time)

    @property
    def fraction(self) -> float:
        """0 to 1."""
        return min(self.step / self.total_steps, 1.0) if self.total_steps else 0.0


Listener = Callable[[Progress], None]


class ProgressFile:
    """Appends each `Progress` to a JSON-lines file; a torn last line (power loss) is skipped when read back."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, progress: Progress) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(progress)) + "\n")

    def read(self) -> Iterator[Progress]:
        """Every event so far, oldest first."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                try:
                    yield Progress(**json.loads(line))
                except (ValueError, TypeError):
                    continue


def history(path: Path) -> list[Progress]:
    """The events of a progress file, each step once: what a resumed training did again replaces what it lost."""
    by_step: dict[int, Progress] = {}
    for event in ProgressFile(path).read():
        for later in [step for step in by_step if step >= event.step]:
            del by_step[later]
        by_step[event.step] = event
    return [by_step[step] for step in sorted(by_step)]
