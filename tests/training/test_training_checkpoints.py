"""Checkpoints of several processes: what each has of its own comes back to the one it belongs to."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import torch
from accelerate import Accelerator

from fittingroom.training.checkpoints import CheckpointFolder
from fittingroom.translation.image_pool import ImagePool


class Process:
    """One of two processes, as far as a checkpoint folder asks."""

    def __init__(self, index: int, barrier: threading.Barrier) -> None:
        self.process_index, self.is_main_process, self.wait_for_everyone = index, index == 0, barrier.wait

    def save_state(self, folder: str) -> None:
        assert Path(folder).is_dir()

    def load_state(self, folder: str) -> None:
        assert Path(folder).is_dir()


def pool(value: float) -> ImagePool:
    made = ImagePool(4, seed=1)
    made.query(torch.full((3, 1, 2, 2), value))
    return made


def test_the_second_process_gets_its_own_pool_back(tmp_path: Path) -> None:
    barrier = threading.Barrier(2, timeout=30)
    processes = [cast(Accelerator, Process(index, barrier)) for index in (0, 1)]
    folders = [CheckpointFolder(tmp_path, of_process={"pool": pool(value)}) for value in (1.0, 2.0)]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda folder, process: folder.save(process, 7), folders, processes))
    empty = ImagePool(4, seed=1)
    assert CheckpointFolder(tmp_path, of_process={"pool": empty}).restore(processes[1]) == 7
    assert empty.seen == 3
    assert all((picture == 2.0).all() for picture in empty.pictures)
