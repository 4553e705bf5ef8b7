"""Trainings take turns: one in a folder, one on a GPU; a further one waits and says so."""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from fittingroom.cli import run
from fittingroom.errors import TrainingDiverged
from fittingroom.locks import locked_if_free
from fittingroom.settings import get_settings
from fittingroom.training import jobs, locks
from fittingroom.training.locks import gpu_lock, own_folder, own_gpu, visible_gpus
from tests.translation.style_builders import GREYS, write_garments


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with two GPUs and locks of its own."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, 3")
    monkeypatch.setattr(locks, "gpu_lock", lambda gpu: tmp_path / f"gpu-{gpu}.lock")
    monkeypatch.setattr(locks, "LOOK_SECONDS", 0.01)


def test_each_training_gets_a_gpu_of_its_own_and_a_third_one_waits() -> None:
    said = threading.Event()
    got: list[str] = []

    def third() -> None:
        with own_gpu("auto", lambda _: said.set()) as environment:
            got.append(environment["CUDA_VISIBLE_DEVICES"])

    with ExitStack() as first, own_gpu("cuda", pytest.fail) as second:
        taken = first.enter_context(own_gpu("cuda", pytest.fail))
        assert {taken["CUDA_VISIBLE_DEVICES"], second["CUDA_VISIBLE_DEVICES"]} == {"0", "3"}
        thread = threading.Thread(target=third)
        thread.start()
        assert said.wait(10)
        assert got == []
        first.close()
        thread.join(10)
        assert got == [taken["CUDA_VISIBLE_DEVICES"]]


def test_trainings_on_the_cpu_wait_for_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with own_gpu("cpu", pytest.fail) as one, own_gpu("cpu", pytest.fail) as other:
        assert one == other == {}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert visible_gpus() == []


def test_a_folder_has_one_training_at_a_time(tmp_path: Path) -> None:
    said: list[str] = []
    done = threading.Event()

    def second() -> None:
        with own_folder(tmp_path, said.append):
            done.set()

    with own_folder(tmp_path, pytest.fail):
        thread = threading.Thread(target=second)
        thread.start()
        assert not done.wait(0.2)
    thread.join(10)
    assert done.is_set()
    assert said == [f"another training is at work in {tmp_path}: waiting for its end"]


def test_a_gpus_lock_that_others_bar_to_us_is_replaced_by_one_of_our_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shared = gpu_lock("0")
    assert shared == tmp_path / "fittingroom-gpu-0.lock"
    with locked_if_free(shared):
        assert gpu_lock("0") == shared, "all users' trainings take turns"
    shared.unlink()
    shared.mkdir()
    own = gpu_lock("0")
    assert own.name == f"fittingroom-gpu-0-of-{os.getuid()}.lock"
    with locked_if_free(own) as held:
        assert held
    shared.rmdir()
    shared.touch()
    monkeypatch.setattr(os, "access", lambda path, _: path != shared)
    assert gpu_lock("0") == own


def test_a_training_from_the_command_line_has_its_turn_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of the pipeline, which goes the same way (`fittingroom.train_and_admit`)."""
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "w"))
    write_garments(tmp_path / "pictures", 8, GREYS)
    environments: list[dict[str, str]] = []

    def job(_: str, folder: Path, __: object, ___: object, ____: object, gpu: dict[str, str]) -> dict[str, object]:
        environments.append(gpu)
        with locked_if_free(locks.gpu_lock(gpu["CUDA_VISIBLE_DEVICES"])) as free:
            assert not free
        with locked_if_free(folder / locks.LOCK) as free:
            assert not free
        raise TrainingDiverged("enough seen")

    monkeypatch.setattr(jobs, "_run", job)
    get_settings.cache_clear()
    try:
        pictures = ["--source", str(tmp_path / "pictures"), "--target", str(tmp_path / "pictures")]
        assert run(["train", "style", "grey", *pictures, "--preset", "demo"]) == 1
    finally:
        get_settings.cache_clear()
    assert environments == [{"CUDA_VISIBLE_DEVICES": "0"}]
