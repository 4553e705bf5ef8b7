"""A training that was killed gives the weights of one that was not; what it cannot do it says in one line."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import Weights, WeightsEnum, mobilenet_v2

from fittingroom.domain import MARK
from fittingroom.errors import MissingInputError, NothingProduced, TrainingDiverged, WeightsRejected
from fittingroom.images import encode_png, read_rgb
from fittingroom.registry.weights_card import read_card
from fittingroom.segmentation import start
from fittingroom.segmentation import train as train_module
from fittingroom.segmentation.model import build_segmenter
from fittingroom.segmentation.predict import KIND, Segmenter
from fittingroom.segmentation.settings import SegmenterSettings, preset
from fittingroom.segmentation.start import find_start
from fittingroom.segmentation.train import SegmenterTrainer, train_segmenter
from fittingroom.training.jobs import run_job
from fittingroom.training.loop import Moment
from fittingroom.training.progress import Progress
from fittingroom.training.weights import read_weights, save_weights
from fittingroom.workspace import digest_bytes, write_json


class Killed(Exception):
    """Stands for SIGKILL: it leaves training at once, with no tidying."""


def same_weights(a: Path, b: Path) -> bool:
    first, second = read_weights(a, KIND).tensors, read_weights(b, KIND).tensors
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def kill_after(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    untouched = SegmenterTrainer.step

    def take(self: SegmenterTrainer, batch: train_module.Batch, at: Moment) -> dict[str, torch.Tensor]:
        if at.step == step:
            raise Killed
        return untouched(self, batch, at)

    monkeypatch.setattr(SegmenterTrainer, "step", take)


@pytest.mark.parametrize(("step", "every"), [(2, 0.0), (4, 1e6), (5, 1e6), (5, 0.0)])
def test_going_on_after_a_kill_gives_the_same_weights(
    step: int, every: float, tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Three steps an epoch: killed with a checkpoint at that very step, or with the last one at an epoch's end."""
    settings = dataclasses.replace(tiny_settings, checkpoint_seconds=every)
    whole = train_segmenter(tiny_dataset, tmp_path / "whole", settings, device="cpu")
    assert whole.metrics["steps"] == 6
    with monkeypatch.context() as patch:
        kill_after(patch, step)
        with pytest.raises(Killed):
            train_segmenter(tiny_dataset, tmp_path / "killed", settings, device="cpu")
    torch.manual_seed(12345)  # whatever the process did in between
    heard: list[Progress] = []
    resumed = train_segmenter(tiny_dataset, tmp_path / "killed", settings, heard.append, device="cpu")
    assert any("resuming from step" in event.message for event in heard)
    assert same_weights(whole.weights, resumed.weights)
    assert whole.metrics["mask_ap"] == resumed.metrics["mask_ap"]


JOB = "fittingroom.segmentation.train"


def test_going_on_after_a_real_sigkill_gives_the_same_weights(
    tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings
) -> None:
    settings = dataclasses.replace(tiny_settings, epochs=6, validate_every=6)
    folder, out = tmp_path / "job", tmp_path / "out"
    job = {"dataset": str(tiny_dataset), "out": str(out), "settings": settings.to_json(), "device": "cpu"}
    write_json(folder / "job.json", job)
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    process = subprocess.Popen([sys.executable, "-m", JOB, str(folder / "job.json")], env=environment)
    deadline = time.monotonic() + 60
    while not (out / "checkpoints").is_dir() or not any((out / "checkpoints").glob("step-00000000[3-9]")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (out / "weights.safetensors").exists()
    heard: list[Progress] = []
    result = run_job(JOB, folder, job, heard.append, threads=1)
    assert any("resuming from step" in event.message for event in heard)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = train_segmenter(tiny_dataset, tmp_path / "whole", settings, device="cpu")
    finally:
        torch.set_num_threads(threads)
    assert same_weights(whole.weights, Path(result["weights"]))


def test_two_processes_share_an_epoch(tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings) -> None:
    job = {"dataset": str(tiny_dataset), "out": str(tmp_path / "out"), "settings": tiny_settings.to_json()}
    write_json(tmp_path / "job.json", job | {"device": "cpu"})
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", JOB]
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    subprocess.run([*launch, str(tmp_path / "job.json")], env=environment, check=True, capture_output=True)
    result = json.loads((tmp_path / "result.json").read_text())["result"]
    assert result["metrics"]["steps"] == 4  # three batches an epoch, the odd one filled up
    assert Segmenter.load(Path(result["weights"]), "cpu")


def test_the_weights_say_what_world_they_learnt_from(
    tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings
) -> None:
    settings = dataclasses.replace(tiny_settings, epochs=1)
    photos = train_segmenter(tiny_dataset, tmp_path / "photos", settings, device="cpu")
    assert read_card(photos.weights).domain == "photo"
    for path in (tiny_dataset / "photos").glob("*.png"):
        path.write_bytes(encode_png(read_rgb(path), comment=MARK))
    drawn = train_segmenter(tiny_dataset, tmp_path / "drawn", settings, device="cpu")
    assert read_card(drawn.weights).domain == "rendered"


def test_a_finished_training_stands_until_settings_or_data_change(
    tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    first = train_segmenter(tiny_dataset, out, tiny_settings, device="cpu")
    assert sorted(path.name for path in out.iterdir()) == [
        "pictures.json",
        "progress.jsonl",
        "samples.png",
        "training.json",
        "weights.safetensors",
    ]
    with monkeypatch.context() as patch:
        patch.setattr(SegmenterTrainer, "step", lambda *_: pytest.fail("a step"))
        assert train_segmenter(tiny_dataset, out, tiny_settings, device="cpu") == first
    heard: list[Progress] = []
    changed = dataclasses.replace(tiny_settings, seed=7)
    train_segmenter(tiny_dataset, out, changed, heard.append, device="cpu")
    assert "starting anew" in heard[0].message
    assert read_weights(first.weights, KIND).settings["seed"] == 7
    first.weights.write_bytes(b"damaged")
    again = train_segmenter(tiny_dataset, out, changed, device="cpu")
    assert Segmenter.load(again.weights, "cpu").settings.seed == 7


def test_weights_say_what_they_are(tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings) -> None:
    heard: list[Progress] = []
    done = train_segmenter(tiny_dataset, tmp_path / "out", tiny_settings, heard.append, device="cpu")
    file = read_weights(done.weights, KIND)
    assert SegmenterSettings.from_json(file.settings) == tiny_settings
    assert file.info["metrics"] == done.metrics
    assert "scratch" in file.info["start"]
    validated = [event for event in heard if "mask_ap" in event.values]
    assert len(validated) == tiny_settings.epochs
    assert {"mask_ap", "mask_ap50", "largest_iou", "loss_mask"} <= set(validated[0].values)
    assert max(event.values["mask_ap"] for event in validated) == done.metrics["mask_ap"]
    assert heard[-1].step == heard[-1].total_steps == 6


def test_a_loss_that_is_no_number_goes_back_once_and_then_stops(
    tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched = SegmenterTrainer.step
    poisoned: list[int] = []

    def poison(times: int) -> None:
        def step(self: SegmenterTrainer, batch: train_module.Batch, at: Moment) -> dict[str, torch.Tensor]:
            losses = untouched(self, batch, at)
            if at.step == 4 and len(poisoned) < times:
                poisoned.append(at.step)
                losses = {**losses, "loss_mask": torch.tensor(float("nan"))}
            return losses

        monkeypatch.setattr(SegmenterTrainer, "step", step)

    poison(1)
    heard: list[Progress] = []
    done = train_segmenter(tiny_dataset, tmp_path / "once", tiny_settings, heard.append, device="cpu")
    assert done.metrics["steps"] == 6
    assert sum("back to step 4 at 0.3 x rate" in event.message for event in heard) == 1
    assert all(torch.isfinite(value).all() for value in read_weights(done.weights, KIND).tensors.values())
    poisoned.clear()
    poison(2)
    with pytest.raises(TrainingDiverged, match="learning_rate"):
        train_segmenter(tiny_dataset, tmp_path / "twice", tiny_settings, device="cpu")
    assert not (tmp_path / "twice" / "weights.safetensors").exists()


def test_the_rate_warms_up_and_falls(tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings) -> None:
    heard: list[Progress] = []
    settings = dataclasses.replace(tiny_settings, epochs=4, warmup_steps=3)
    train_segmenter(tiny_dataset, tmp_path / "out", settings, heard.append, device="cpu")
    rates = [event.values["learning_rate"] for event in heard if "mask_ap" in event.values]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.01 * settings.learning_rate)


def test_time_allowed_ends_a_training(tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings) -> None:
    settings = dataclasses.replace(tiny_settings, epochs=10_000, max_minutes=0.02, validate_every=10_000)
    done = train_segmenter(tiny_dataset, tmp_path / "out", settings, device="cpu")
    assert 0 < done.metrics["steps"] < 3000
    assert "mask_ap" in done.metrics


def test_training_stops_early_without_progress(
    tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = iter([0.5, 0.4, 0.3, 0.9, 0.9])

    def score(*_: object) -> dict[str, float]:
        return {"mask_ap": next(figures), "mask_ap50": 0.0, "largest_iou": 0.0}

    monkeypatch.setattr(train_module, "validate", score)
    settings = dataclasses.replace(tiny_settings, epochs=5, patience=2)
    done = train_segmenter(tiny_dataset, tmp_path / "out", settings, device="cpu")
    assert (done.metrics["steps"], done.metrics["best_epoch"], done.metrics["mask_ap"]) == (9, 1, 0.5)


def test_nothing_to_train_on(tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings) -> None:
    coco = json.loads((tiny_dataset / "train.json").read_text())
    (tiny_dataset / "train.json").write_text(json.dumps(coco | {"annotations": []}))
    with pytest.raises(NothingProduced, match="5 photos"):
        train_segmenter(tiny_dataset, tmp_path / "out", tiny_settings, device="cpu")


# Where weights start


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where torch.hub keeps what it downloaded: nothing yet."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, hub: Path) -> None:  # noqa: ARG001
    def refuse(*_: object, **__: object) -> None:
        raise URLError("Temporary failure in name resolution")

    monkeypatch.setattr(start, "urlopen", refuse)


@pytest.mark.usefixtures("offline")
def test_offline_falls_back_in_one_line() -> None:
    for name in ("standard", "cpu"):
        found = find_start(preset(name))
        assert found.tensors is None
        assert "name resolution" in found.message
        assert "from scratch" in found.message
        assert "\n" not in found.message


@pytest.mark.usefixtures("offline")
def test_a_named_file_is_used_offline(tmp_path: Path) -> None:
    torch.manual_seed(3)
    body = mobilenet_v2()
    path = tmp_path / "imagenet.safetensors"
    save_file(body.state_dict(), str(path))
    found = find_start(preset("cpu"), path)
    assert found.tensors is not None
    assert str(path) in found.message
    assert torch.equal(found.tensors["backbone.body.0.0.weight"], body.features[0][0].weight)
    with pytest.raises(WeightsRejected, match="resnet50"):
        find_start(preset("standard"), path)
    with pytest.raises(MissingInputError):
        find_start(preset("cpu"), tmp_path / "none.safetensors")
    path.write_bytes(b"\x10\0\0\0\0\0\0\0nonsense")
    with pytest.raises(WeightsRejected, match="safetensors"):
        find_start(preset("cpu"), path)


def test_a_trained_segmenter_is_gone_on_from_whatever_could_be_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(start, "urlopen", lambda *_, **__: pytest.fail("no download"))
    settings = preset("cpu")
    torch.manual_seed(4)
    trained = build_segmenter(settings).state_dict()
    path = tmp_path / "segmenter.safetensors"
    save_weights(path, KIND, trained, settings.to_json(), {})
    found = find_start(settings, path)
    assert str(path) in found.message
    torch.manual_seed(5)
    started = build_segmenter(settings, found.tensors).state_dict()
    assert started.keys() == trained.keys()
    assert all(torch.equal(started[name], tensor) for name, tensor in trained.items())
    with pytest.raises(WeightsRejected, match="resnet50"):
        find_start(preset("standard"), path)


class Shop(ThreadingHTTPServer):
    """torchvision's place on the loopback: offers ``file``, or says nothing where there is none."""

    file = b""
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Shelf)
        self.asked: list[float | None] = []
        """The time-out of all other sockets of this process, at each request."""
        self.closing = Event()


class Shelf(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        self.server.asked.append(socket.getdefaulttimeout())
        if not self.server.file:
            self.server.closing.wait(30)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.file)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


def offered(shop: Shop, digest: str) -> Any:
    """torchvision's entry for weights on the loopback."""
    address = f"http://127.0.0.1:{shop.server_port}/mobilenet_v2-{digest[:8]}.pth"
    return WeightsEnum("Offered", {"DEFAULT": Weights(address, lambda: None, {})}).DEFAULT


@pytest.mark.usefixtures("hub")
def test_a_download_comes_first_and_once_and_leaves_other_sockets_their_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch.manual_seed(6)
    body = mobilenet_v2()
    buffer = io.BytesIO()
    torch.save(body.state_dict(), buffer)
    shop.file = buffer.getvalue()
    monkeypatch.setitem(start._IMAGENET, "mobilenet_v2", offered(shop, digest_bytes(shop.file)))
    for _ in range(2):
        found = find_start(preset("cpu"), tmp_path / "not needed")
        assert found.tensors is not None
        assert torch.equal(found.tensors["backbone.body.0.0.weight"], body.features[0][0].weight)
        assert "weights start from torchvision's" in found.message
    assert shop.asked == [None]


def test_a_download_that_is_not_what_was_promised_is_not_kept(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, hub: Path
) -> None:
    shop.file = b"something else"
    monkeypatch.setitem(start._IMAGENET, "mobilenet_v2", offered(shop, "0" * 64))
    found = find_start(preset("cpu"))
    assert found.tensors is None
    assert "another hash than mobilenet_v2-00000000.pth says" in found.message
    assert not hub.exists()


@pytest.mark.usefixtures("hub")
def test_a_silent_server_is_given_up(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "DOWNLOAD_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setitem(start._IMAGENET, "mobilenet_v2", offered(shop, "0" * 64))
    found = find_start(preset("cpu"))
    assert found.tensors is None
    assert "timed out" in found.message


@pytest.mark.usefixtures("offline")
def test_frozen_statistics_are_trained_when_there_are_none(
    tiny_dataset: Path, tmp_path: Path, tiny_settings: SegmenterSettings
) -> None:
    settings = dataclasses.replace(
        tiny_settings, backbone="mobilenet_v2", start="imagenet", norm="frozen", frozen_levels=1, epochs=1,
        checkpoint_seconds=1e6,
    )  # fmt: skip
    done = train_segmenter(tiny_dataset, tmp_path / "out", settings, device="cpu")
    assert (done.settings.start, done.settings.norm, done.settings.frozen_levels) == ("scratch", "trained", 0)
    assert "from scratch" in done.start
    assert train_segmenter(tiny_dataset, tmp_path / "out", settings, device="cpu") == done
