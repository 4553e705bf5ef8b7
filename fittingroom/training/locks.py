"""Whose turn it is: one training in a folder, and one on a GPU, at a time; a further one waits and says so.

The locks are the system's (`fittingroom.locks`): a training that is killed gives its turn back with its life.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fittingroom.locks import locked, locked_if_free

LOCK = "training.lock"
LOOK_SECONDS = 2.0
"""How often a training that waits for a GPU looks whether one is free."""

Say = Callable[[str], None]


@contextmanager
def own_folder(folder: Path, say: Say) -> Iterator[None]:
    """Be the only training in ``folder``; waits for another one, and ``say`` is told so."""
    with locked(folder / LOCK, lambda: say(f"another training is at work in {folder}: waiting for its end")):
        yield


@contextmanager
def own_gpu(device: str, say: Say) -> Iterator[Mapping[str, str]]:
    """Be the only training on one of this machine's GPUs; what a job's environment needs to see that one only.

    Nothing is waited for where ``device`` is not a GPU: on CPUs, whoever starts trainings shares the cores out.
    """
    gpus = visible_gpus() if device in ("auto", "cuda") else []
    if not gpus:
        yield {}
        return
    with ExitStack() as stack:
        yield {"CUDA_VISIBLE_DEVICES": _first_free(gpus, stack, say)}


def _first_free(gpus: list[str], stack: ExitStack, say: Say) -> str:
    waits = False
    while True:
        for gpu in gpus:
            with ExitStack() as attempt:
                if attempt.enter_context(locked_if_free(gpu_lock(gpu))):
                    stack.push(attempt.pop_all())
                    return gpu
        if not waits:
            say("every GPU has a training: waiting for one to end")
            waits = True
        time.sleep(LOOK_SECONDS)


def gpu_lock(gpu: str) -> Path:
    """The lock of a GPU, for all users' trainings on this machine; of this user's alone where others bar it to us."""
    shared = Path(tempfile.gettempdir()) / f"fittingroom-gpu-{gpu}.lock"
    if not os.path.lexists(shared) or (shared.is_file() and os.access(shared, os.R_OK)):
        return shared
    return shared.with_name(f"fittingroom-gpu-{gpu}-of-{os.getuid()}.lock")


def visible_gpus() -> list[str]:
    """The GPUs this process may use, as ``CUDA_VISIBLE_DEVICES`` names them; none on a machine without."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [gpu.strip() for gpu in named.split(",") if gpu.strip() and gpu.strip() != "-1"]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
