"""A training on two processes of a CPU (gloo): started by torchrun, and by ``accelerate launch`` as MPI starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from deployments.server import free_port
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.training.weights import read_weights
from fittingroom.workspace import write_json
from tests.live.live_world import STYLE, TINY_SEGMENTER, TINY_STYLE, World, write_dataset
from tests.live.processes import ROOT, SECONDS

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]  # not faults, but as long as those
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}
Launcher = Callable[[Path], list[subprocess.Popen[str]]]


def torchrun(folder: Path) -> list[subprocess.Popen[str]]:
    """One command, which starts both."""
    options = ["--standalone", "--nproc-per-node", "2", "-m", "each_rank", str(folder / "job.json")]
    return [start(["torch.distributed.run", *options], {"ACCELERATE_USE_CPU": "true"})]


def accelerate_launch(folder: Path) -> list[subprocess.Popen[str]]:
    """``mpirun -np 2 accelerate launch --cpu --num_processes 2``, with what Open MPI tells each of the two.

    On CPUs ``accelerate launch`` starts one process and leaves it to MPI to start several.
    """
    options = ["--cpu", "--num_processes", "2", "--main_process_port", str(free_port()), "--mixed_precision", "no"]
    options += ["--num_machines", "1", "--dynamo_backend", "no", "-m", "each_rank", str(folder / "job.json")]
    return [
        start(
            ["accelerate.commands.launch", *options],
            {
                "OMPI_COMM_WORLD_SIZE": "2",
                "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
                "OMPI_COMM_WORLD_RANK": rank,
                "OMPI_COMM_WORLD_LOCAL_RANK": rank,
            },
        )
        for rank in ("0", "1")
    ]


def start(words: list[str], more: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        env=ENVIRONMENT | more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(processes: list[subprocess.Popen[str]]) -> None:
    try:
        said = [process.communicate(timeout=SECONDS)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(said)


def assert_equal_weights(folder: Path) -> None:
    first, second = (load_file(folder / f"rank-{rank}.safetensors") for rank in (0, 1))
    learnt = [name for name, tensor in first.items() if tensor.is_floating_point() and "running" not in name]
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in learnt)
    assert all(torch.isfinite(first[name]).all() for name in learnt)


both_launchers = pytest.mark.parametrize("launch", [torchrun, accelerate_launch])


@both_launchers
def test_a_style_is_trained_by_two_processes(prepared: World, tmp_path: Path, launch: Launcher) -> None:
    place = prepared.workspace
    job = {"name": STYLE, "source": [str(place.prepared("blue-solid"))], "target": str(place.prepared(STYLE))}
    settings = TINY_STYLE | {"epochs": 1, "steps_per_epoch": 8, "sample_steps": 8}
    write_json(tmp_path / "job.json", {**job, "out": str(tmp_path), "device": "cpu", "settings": settings})
    finish(launch(tmp_path))
    assert_equal_weights(tmp_path)
    weights = read_weights(tmp_path / "weights.safetensors", "style")
    assert weights.info["steps"] == 8
    steps = [json.loads(line)["step"] for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 9)), "one of the two reports"


@both_launchers
def test_the_segmenter_is_trained_by_two_processes(tmp_path: Path, launch: Launcher) -> None:
    dataset = write_dataset(tmp_path / "dataset", train=6, validation=2)
    settings = SegmenterSettings(**{**TINY_SEGMENTER, "epochs": 1}).to_json()
    out = tmp_path / "out"
    write_json(out / "job.json", {"dataset": str(dataset), "out": str(out), "settings": settings, "device": "cpu"})
    finish(launch(out))
    assert_equal_weights(out)
    result = json.loads((out / "result.json").read_text())["result"]
    assert result["metrics"]["steps"] == 2, "six photos, two processes, two photos each a step"
    weights = read_weights(out / "weights.safetensors", "segmenter")
    assert all(torch.isfinite(tensor).all() for tensor in weights.tensors.values() if tensor.is_floating_point())
