"""More than one process, or machine: shards under Dask give the pictures they give without it; a training on two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from live_world import STYLE, TINY_SEGMENTER, TINY_STYLE, World, write_dataset
from processes import ROOT, environment_of, run_flow

from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.training.weights import read_weights
from fittingroom.workspace import write_json

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]  # not faults, but as long as those


def test_shards_under_dask_give_the_same_pictures(server: str, prepared: World, tmp_path: Path) -> None:
    world = prepared.copy(tmp_path / "copy")
    pictures = world.workspace.prepared(STYLE)
    wanted = {path.name: path.read_bytes() for path in pictures.glob("*.png")}
    for record in world.workspace.cache.glob("*"):
        if record.name.startswith(("cut-out", "prepare")):
            record.unlink()
    for path in (*world.workspace.cutouts(STYLE).glob("*"), *pictures.glob("*")):
        path.unlink()
    environment = environment_of(world.workspace, server, FITTINGROOM_DASK="local:2")
    done = run_flow("prepare-garments", {"shard_size": 2}, environment)
    assert done.returncode == 0, done.stderr
    assert "dask" in done.stderr.lower() + done.stdout.lower()
    assert {path.name: path.read_bytes() for path in pictures.glob("*.png")} == wanted
    records = sorted(p.name for p in world.workspace.cache.glob("prepare-*"))
    assert records, "records lie in the workspace, whichever process wrote them"
    again = run_flow("prepare-garments", {"shard_size": 2}, environment_of(world.workspace, server))
    assert again.returncode == 0
    assert sorted(p.name for p in world.workspace.cache.glob("prepare-*")) == records, "done without Dask too"


def test_a_wrong_address_is_refused_in_one_line(server: str, prepared: World) -> None:
    environment = environment_of(prepared.workspace, server, FITTINGROOM_DASK="lots of machines")
    done = run_flow("prepare-garments", {}, environment)
    assert done.returncode == 2
    assert "FITTINGROOM_DASK: expected a scheduler's address (tcp://host:8786) or local:N" in done.stderr


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
