"""Atomic checkpoints around Accelerate's ``save_state``: a killed training goes on exactly where it was.

A checkpoint holds networks, optimizers, schedulers, every random state, and whatever was registered with
``Accelerator.register_for_checkpointing`` (image pools, the place in the epoch, averages of the best figures).
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
    """What a checkpoint can hold."""

    def state_dict(self) -> dict[str, Any]:
        """Its state: numbers, tensors, lists of them."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from that state."""
        ...


class CheckpointFolder:
    """Checkpoints ``step-000000120`` under one folder; the newest ``keep`` stay.

    A folder counts only when its ``complete.json`` is there, which is written last and before the rename, so a kill
    at any moment leaves the previous checkpoint in force.

    Accelerate saves what is registered with it by the main process only. What each process has of its own (an image
    pool) is named in ``own`` too, and saved for every further process.
    """

    def __init__(self, root: Path, keep: int = 2, own: Mapping[str, Stateful] | None = None) -> None:
        self.root, self.keep, self.own = Path(root), keep, dict(own or {})

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
        """Save the state after ``step`` steps; called by every process, written once."""
        final = self.root / f"step-{step:09d}"
        temporary = self.root / f".step-{step:09d}.tmp"
        if accelerator.is_main_process:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(temporary))
        if self.own and not accelerator.is_main_process:
            states = {name: thing.state_dict() for name, thing in self.own.items()}
            torch.save(states, temporary / _own_name(accelerator))
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
        """Load the newest complete checkpoint; returns its step, or 0 when there is none."""
        latest = self.latest()
        if latest is None:
            return 0
        accelerator.load_state(str(latest))
        own = latest / _own_name(accelerator)
        if own.is_file():
            for name, state in torch.load(own, weights_only=True).items():
                self.own[name].load_state_dict(state)
        return int(latest.name.removeprefix("step-"))


def _own_name(accelerator: Accelerator) -> str:
    return f"process-{accelerator.process_index}.pt"
