"""Weights files, progress files, jobs and device choice: what both trainers stand on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from fittingroom.errors import FittingroomError, MissingInputError, SettingError, StorageUnavailable, WeightsRejected
from fittingroom.training import jobs, weights
from fittingroom.training.device import choose_device, choose_precision
from fittingroom.training.jobs import run_job
from fittingroom.training.progress import Progress, ProgressFile, history
from fittingroom.training.weights import load_into, read_weights, save_weights

ROOT = Path(__file__).resolve().parents[2]


def test_weights_carry_what_rebuilds_the_network(tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 2)
    path = tmp_path / "w.safetensors"
    save_weights(path, "style", layer.state_dict(), {"filters": 8}, {"epochs": 3})
    read = read_weights(path, "style")
    assert (read.settings, read.info) == ({"filters": 8}, {"epochs": 3})
    other = torch.nn.Linear(3, 2)
    load_into(other, read, path)
    assert torch.equal(other.weight, layer.weight)


@pytest.mark.parametrize("damage", ["kind", "pickle", "truncated", "foreign", "header", "shape"])
def test_wrong_weights_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "w.safetensors"
    layer = torch.nn.Linear(3, 2)
    save_weights(path, "style", layer.state_dict(), {})
    if damage == "pickle":
        torch.save(layer.state_dict(), path)
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-5])
    elif damage == "foreign":
        save_file(layer.state_dict(), str(path))
    elif damage == "header":
        path.write_bytes((2**60).to_bytes(8, "little") + b"{}")
    with pytest.raises(WeightsRejected, match=r"w\.safetensors"):
        load_into(torch.nn.Linear(4, 2), read_weights(path, "segmenter" if damage == "kind" else "style"), path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="weights"):
        read_weights(tmp_path / "none.safetensors", "style")


def test_history_replaces_what_a_resumed_training_did_again(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path / "p.jsonl")
    for step, loss in ((1, 5.0), (2, 4.0), (3, 3.0), (2, 4.5), (3, 3.5)):
        file(Progress(step, 3, 0, 1, {"loss": loss}))
    with file.path.open("a") as handle:
        handle.write('{"step": 9, "torn')
    assert [(p.step, p.values["loss"]) for p in history(file.path)] == [(1, 5.0), (2, 4.5), (3, 3.5)]


JOB = """
import os, time
from fittingroom.errors import InputError
from fittingroom.training.jobs import main_of_job
from fittingroom.training.progress import Progress
def run(job, listener):
    if job["do"] == "refuse":
        raise InputError("source: expected pictures, got none")
    if job["do"] == "die":
        os.kill(os.getpid(), 9)
    if job["do"] == "wait":
        listener(Progress(1, 2, 0, 1, {"pid": os.getpid()}))
        time.sleep(60)
    listener(Progress(2, 2, 0, 1))
    return {"threads": os.environ["OMP_NUM_THREADS"]}
main_of_job(run)
"""


@pytest.fixture
def job_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "some_training.py").write_text(JOB)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    return "some_training"


def test_a_job_reports_progress_and_result(tmp_path: Path, job_module: str) -> None:
    seen: list[int] = []
    result = run_job(job_module, tmp_path / "job", {"do": "work"}, lambda p: seen.append(p.step), threads=1)
    assert result == {"threads": "1"}
    assert seen == [2]


def test_a_job_that_refuses_raises_the_same_error(tmp_path: Path, job_module: str) -> None:
    with pytest.raises(FittingroomError, match="source: expected pictures, got none") as raised:
        run_job(job_module, tmp_path / "job", {"do": "refuse"}, threads=1)
    assert raised.value.exit_code == 2


def test_a_killed_job_names_the_signal_and_the_log(tmp_path: Path, job_module: str) -> None:
    with pytest.raises(FittingroomError, match=r"signal 9.*job\.log"):
        run_job(job_module, tmp_path / "job", {"do": "die"}, threads=1)


def test_a_job_that_dies_of_a_full_disk_says_so(
    tmp_path: Path, job_module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "is_full", lambda _: True)
    with pytest.raises(StorageUnavailable, match=r"no space left on the disk of .*job: the training stopped"):
        run_job(job_module, tmp_path / "job", {"do": "die"}, threads=1)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Error while serializing: I/O error: No space left on device (os error 28)", StorageUnavailable),
        ("Error while serializing: I/O error: Permission denied (os error 13)", SafetensorError),
    ],
)
def test_weights_that_do_not_fit_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, error: type[Exception]
) -> None:
    def save_file(*_: object) -> None:
        raise SafetensorError(said)

    monkeypatch.setattr(weights, "save_file", save_file)
    with pytest.raises(error, match=r"no space left on the disk of .*w\.safetensors|Permission denied"):
        save_weights(tmp_path / "w.safetensors", "style", {}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's")
def test_a_killed_parent_takes_its_job_with_it(tmp_path: Path, job_module: str) -> None:
    code = (
        "from pathlib import Path; from fittingroom.training.jobs import run_job;"
        f"run_job({job_module!r}, Path({str(tmp_path / 'job')!r}), {{'do': 'wait'}}, threads=1)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    progress = tmp_path / "job" / "progress.jsonl"
    deadline = time.monotonic() + 60
    while not (progress.exists() and progress.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child = int(json.loads(progress.read_text())["values"]["pid"])
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while Path(f"/proc/{child}").exists() and "zombie" not in Path(f"/proc/{child}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_device_and_precision_refuse_what_is_not_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    with pytest.raises(SettingError, match="device"):
        choose_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(SettingError, match="cuda"):
            choose_device("cuda")
    assert choose_precision("no", torch.device("cpu")) == "no"
    assert choose_precision("auto", torch.device("cpu")) in ("no", "bf16")
    with pytest.raises(SettingError, match="precision"):
        choose_precision("fp8", torch.device("cpu"))
