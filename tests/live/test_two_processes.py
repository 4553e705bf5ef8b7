"""A training on two processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from live_world import STYLE, TINY_SEGMENTER, TINY_STYLE, World, write_dataset
from processes import ROOT

from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.training.weights import read_weights
from fittingroom.workspace import write_json

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]  # not faults, but as long as those


def launch(module: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Two processes on the CPU (gloo). ``accelerate launch --cpu`` would start one only; torchrun starts both."""
    options = ["--standalone", "--nproc-per-node", "2", "-m", module, str(folder / "job.json")]
    own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "true"}
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *options],
        env={**os.environ, **own}, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip


def write_style_job(world: World, out: Path, steps: int) -> None:
    place = world.workspace
    job = {"name": STYLE, "source": [str(place.prepared("blue-solid"))], "target": str(place.prepared(STYLE))}
    settings = TINY_STYLE | {"epochs": 1, "steps_per_epoch": steps, "sample_steps": steps}
    write_json(out / "job.json", {**job, "out": str(out), "device": "cpu", "settings": settings})


def test_a_style_is_trained_by_two_processes(prepared: World, tmp_path: Path) -> None:
    write_style_job(prepared, tmp_path, 8)
    done = launch("fittingroom.translation.train", tmp_path)
    assert done.returncode == 0, done.stderr
    weights = read_weights(tmp_path / "weights.safetensors", "style")
    assert weights.info["steps"] == 8
    assert all(torch.isfinite(tensor).all() for tensor in weights.tensors.values())
    steps = [json.loads(line)["step"] for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 9)), "one of the two reports"


def test_the_segmenter_is_trained_by_two_processes(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset", train=6, validation=2)
    settings = SegmenterSettings(**{**TINY_SEGMENTER, "epochs": 1}).to_json()
    out = tmp_path / "out"
    write_json(out / "job.json", {"dataset": str(dataset), "out": str(out), "settings": settings, "device": "cpu"})
    done = launch("fittingroom.segmentation.train", out)
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "result.json").read_text())["result"]
    assert result["metrics"]["steps"] == 2, "six photos, two processes, two photos each a step"
    weights = read_weights(out / "weights.safetensors", "segmenter")
    assert all(torch.isfinite(tensor).all() for tensor in weights.tensors.values() if tensor.is_floating_point())
