"""Atomic checkpoints around Accelerate's ``save_state``: a killed training goes on exactly where it was.

A checkpoint holds networks, optimizers, schedulers, every process's random states, whatever was registered with
``Accelerator.register_for_checkpointing`` (the place in the epoch, the moving average: the same in every process), and
what each process has of its own (image pools).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from fittingroom.workspace import write_json

if TYPE_CHECKING:
    from accelerate import Accelerator

_NAME = re.compile(r"^step-(\d{9})$")
_DONE = "complete.json"


class Stateful(Protocol):
    """What can be kept in a checkpoint: tensors, numbers, and lists and dictionaries of these."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> None: ...


class CheckpointFolder:
    """Checkpoints ``step-000000120`` under one folder; the newest ``keep`` stay.

    A folder counts only when its ``complete.json`` is there, which is written last and before the rename, so a kill
    at any moment leaves the previous checkpoint in force.

    Args:
        root: the folder.
        keep: how many stay.
        of_process: by name, what differs between the processes of one training; each keeps its own.
    """

    def __init__(self, root: Path, keep: int = 2, of_process: Mapping[str, Stateful] | None = None) -> None:
        self.root, self.keep, self.of_process = Path(root), keep, of_process or {}

    def all(self) -> list[Path]:
        """Complete checkpoints, oldest first."""
        if not self.root.is_dir():
            return []
        return sorted(p for p in self.root.iterdir() if _NAME.match(p.name) and (p / _DONE).is_file())

    def latest(self) -> Path | None:
        """The newest complete checkpoint, or None."""
        found = self.all()
        return found[-1] if found else None

    def save(self, accelerator: Accelerator, step: int) -> Path:
        """Save the state after ``step`` steps; called by every process. Returns the checkpoint's folder."""
        final = self.root / f"step-{step:09d}"
        temporary = self.root / f".step-{step:09d}.tmp"
        if accelerator.is_main_process:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(temporary))
        if self.of_process:
            states = {name: part.state_dict() for name, part in self.of_process.items()}
            torch.save(states, temporary / _own_file(accelerator))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            write_json(temporary / _DONE, {"step": step})
            shutil.rmtree(final, ignore_errors=True)
            temporary.replace(final)
            for old in self.all()[: -self.keep]:
                shutil.rmtree(old, ignore_errors=True)
        accelerator.wait_for_everyone()
        return final

    def restore(self, accelerator: Accelerator) -> int:
        """Load the newest complete checkpoint; returns its step, or 0 when there is none. Called by every process."""
        latest = self.latest()
        if latest is None:
            return 0
        accelerator.load_state(str(latest))
        own = latest / _own_file(accelerator)
        if own.is_file():  # else there were fewer processes then, and this one begins with what it has
            states = torch.load(own, map_location="cpu", weights_only=True)
            for name, part in self.of_process.items():
                part.load_state_dict(states[name])
        return int(latest.name.removeprefix("step-"))


def _own_file(accelerator: Accelerator) -> str:
    return f"process-{accelerator.process_index}.pt"
