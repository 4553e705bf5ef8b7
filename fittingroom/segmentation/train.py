"""Training the segmenter: a plain loop around Accelerate that can be killed at any moment and goes on where it was.

Run as a job (``python -m fittingroom.segmentation.train job.json``) or under ``accelerate launch -m``; see
`fittingroom.training.jobs`.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import set_seed
from torch import Tensor
from torch.utils.data import DataLoader

from fittingroom.domain import domain_of
from fittingroom.errors import NothingProduced, TrainingDiverged
from fittingroom.segmentation.dataset import (
    EpochBatches,
    GarmentDataset,
    LabelledPhoto,
    collate,
    dataset_digest,
    read_split,
)
from fittingroom.segmentation.model import build_segmenter
from fittingroom.segmentation.predict import KIND
from fittingroom.segmentation.schedule import learning_rate, make_optimizer
from fittingroom.segmentation.settings import SegmenterSettings, preset
from fittingroom.segmentation.start import StartWeights, find_start
from fittingroom.segmentation.validation import draw_samples, validate
from fittingroom.training.accelerators import new_accelerator
from fittingroom.training.averaging import WeightAverage
from fittingroom.training.checkpoints import CheckpointFolder
from fittingroom.training.device import choose_device, choose_precision
from fittingroom.training.jobs import main_of_job
from fittingroom.training.progress import Listener, Progress
from fittingroom.training.ranks import is_main
from fittingroom.training.weights import read_weights, save_weights
from fittingroom.workspace import digest_file, digest_value, write_json

CODE_VERSION = 1
"""Part of what decides whether a finished training still stands: raise it when the same settings train differently."""
RATE_AFTER_DIVERGENCE = 0.3
REPORT_SECONDS = 1.0


@dataclass(frozen=True)
class SegmenterTraining:
    """What a training gave. ``metrics`` are those of the best validation (0 to 1), and ``steps`` and ``seconds``."""

    weights: Path
    metrics: dict[str, float]
    settings: SegmenterSettings
    start: str
    """One line: where the weights started from."""

    def to_json(self) -> dict[str, Any]:
        """A JSON value, as a job returns it."""
        return {
            "weights": str(self.weights),
            "metrics": self.metrics,
            "settings": self.settings.to_json(),
            "start": self.start,
        }


@dataclass
class _Place:
    """Where a training stands besides networks and random states; goes into every checkpoint."""

    step: int = 0
    seconds: float = 0.0
    best: float = -1.0
    validations_since_best: int = 0
    rate_factor: float = 1.0
    diverged: bool = False
    stopped: bool = False

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


def train_segmenter(
    dataset: Path,
    out: Path,
    settings: SegmenterSettings,
    listener: Listener | None = None,
    backbone_weights: Path | None = None,
    device: str = "auto",
) -> SegmenterTraining:
    """Train on ``dataset``'s train split, validate on its validation split, write ``out/weights.safetensors``.

    ``samples.png`` beside it shows what those weights find on validation photos.
    Called again it goes on from the last checkpoint in ``out/checkpoints``; when it had finished with the same
    settings and data it returns at once; with others it starts anew.

    Args:
        dataset: a dataset folder: selection.json, train.json, validation.json.
        out: where weights, checkpoints and training.json are written.
        settings: everything else.
        listener: called about once a second with losses, and with metrics after each validation.
        backbone_weights: safetensors to start from where torchvision's weights cannot be downloaded.
        device: auto, cpu, cuda or mps.

    Raises:
        MissingInputError, AnnotationError: the dataset cannot be read.
        NothingProduced: no garment to train on.
        TrainingDiverged: the loss stopped being finite twice.
    """
    train, validation = read_split(dataset, "train"), read_split(dataset, "validation")
    if not any(photo.garments for photo in train):
        raise NothingProduced(f"{dataset}: expected garments to train on, got none on {len(train)} photos")
    run = _Training(dataset, out, settings, train, validation, listener, backbone_weights, device)
    return run.finished() or run.to_the_end()


class _Training:
    """The state of one training and its steps; `to_the_end` is the story."""

    def __init__(
        self,
        dataset: Path,
        out: Path,
        settings: SegmenterSettings,
        train: list[LabelledPhoto],
        validation: list[LabelledPhoto],
        listener: Listener | None,
        backbone_weights: Path | None,
        device: str,
    ) -> None:
        self.out, self.settings = Path(out), settings
        self.backbone_weights = backbone_weights
        self.device = choose_device(device)
        self.listener: Listener = listener or (lambda _: None)
        self.domain = domain_of(photo.path for photo in train)
        self.data, self.validation = GarmentDataset(train, settings), GarmentDataset(validation, settings)
        self._found: StartWeights | None = None
        self.digest = dataset_digest(dataset, [*train, *validation])
        self.key = digest_value(
            {
                "code": CODE_VERSION,
                "settings": settings.to_json(),
                "data": self.digest,
                "start": digest_file(backbone_weights) if backbone_weights and backbone_weights.is_file() else None,
            }
        )
        self.weights, self.best_weights = self.out / "weights.safetensors", self.out / "best.safetensors"
        self.record, self.checkpoints = self.out / "training.json", CheckpointFolder(self.out / "checkpoints")

    # The story

    def finished(self) -> SegmenterTraining | None:
        """The outcome of an earlier run with the same settings and data, if it came to its end."""
        record = self._record()
        if record.get("key") != self.key or "metrics" not in record or not self.weights.is_file():
            return None
        if record.get("weights_digest") != digest_file(self.weights):
            return None
        settings = SegmenterSettings.from_json(record["settings"])
        return SegmenterTraining(self.weights, record["metrics"], settings, record["start"])

    def to_the_end(self) -> SegmenterTraining:
        """Prepare, train epoch by epoch from wherever the last checkpoint is, and write the best weights."""
        self._prepare()
        while not self._over():
            epoch, done = divmod(self.place.step, self.steps_per_epoch)
            try:
                train_one_epoch(self, epoch, done)
            except FloatingPointError as error:
                self._go_back(error)
                continue
            if (epoch + 1) % self.settings.validate_every == 0 or self._over():
                self._validate(epoch)
            self._checkpoint()
        return self._finish()

    def _prepare(self) -> None:
        record = self._record()
        if record.get("key") != self.key or "metrics" in record:
            if record:
                self._say("settings or data differ from those of the training found here: starting anew")
            self._start_anew()
            record = self._record()
        self.settings = SegmenterSettings.from_json(record["settings"])
        self.start = str(record["start"])
        set_seed(self.settings.seed)
        start = None if self.checkpoints.latest() else self._start_tensors()
        self.accelerator = new_accelerator(self.device, choose_precision(self.settings.precision, self.device))
        network = build_segmenter(self.settings, start)
        # Channels last is a fifth quicker for these convolutions, on CPUs as on GPUs.
        self.network = network.to(self.accelerator.device, memory_format=torch.channels_last)
        self.model, self.optimizer = self.accelerator.prepare(self.network, make_optimizer(network, self.settings))
        self.average = WeightAverage(self.network, self.settings.average_decay)
        self.place = _Place()
        self.accelerator.register_for_checkpointing(self.average, self.place)
        world = self.accelerator.num_processes
        self.steps_per_epoch = len(EpochBatches(self.data.photos, self.settings.batch_size, 0, 0, 0, world))
        self.total_steps = self.settings.epochs * self.steps_per_epoch
        set_seed(self.settings.seed, device_specific=True)
        if self.checkpoints.restore(self.accelerator):
            self._say(f"going on from step {self.place.step}")
        else:
            self._say(self.start)
            self._checkpoint()
        self.clock = time.monotonic()
        self.reported = self.checkpointed = self.clock
        self.losses: dict[str, Tensor] = {}

    def _start_anew(self) -> None:
        found = find_start(self.settings, self.backbone_weights)
        settings = self.settings
        if found.tensors is None:  # random weights must not stay as they are
            settings = settings.with_overrides({"start": "scratch", "norm": "trained", "frozen_levels": 0})
        if settings.parts_head and not any(photo.parts for photo in self.data.photos):
            settings = settings.with_overrides({"parts_head": False})
            self._say("the data set has no part maps: garments only, skin and hair are not learnt")
        self._found = found
        if is_main():
            shutil.rmtree(self.checkpoints.root, ignore_errors=True)
            for stale in (self.weights, self.best_weights):
                stale.unlink(missing_ok=True)
            write_json(self.record, {"key": self.key, "settings": settings.to_json(), "start": found.message})
        else:
            self._wait_for_record()

    def _start_tensors(self) -> dict[str, Tensor] | None:
        found = self._found or find_start(self.settings, self.backbone_weights)
        return found.tensors

    def _wait_for_record(self) -> None:
        while self._record().get("key") != self.key or "metrics" in self._record():
            time.sleep(0.1)

    def _finish(self) -> SegmenterTraining:
        validated = read_weights(self.best_weights, KIND) if self.best_weights.is_file() else None
        metrics = dict(validated.info["metrics"]) if validated else {}
        metrics |= {"steps": float(self.place.step), "seconds": round(self.place.seconds, 1)}
        if self.accelerator.is_main_process:
            tensors = validated.tensors if validated else self.average.tensors
            info = {"metrics": metrics, "start": self.start, "data": self.digest, "domain": self.domain}
            save_weights(self.weights, KIND, tensors, self.settings.to_json(), info)
            draw_samples(self.weights, self.validation.photos, self.out / "samples.png", self.device.type)
            self.best_weights.unlink(missing_ok=True)
            record = {"metrics": metrics, "weights_digest": digest_file(self.weights)}
            write_json(self.record, self._record() | record)
            shutil.rmtree(self.checkpoints.root, ignore_errors=True)
        self._report(metrics, "trained")
        self.accelerator.wait_for_everyone()
        return SegmenterTraining(self.weights, metrics, self.settings, self.start)

    # What the loop calls

    def rate(self) -> float:
        """The learning rate of the next step."""
        return learning_rate(self.settings, self.place.step, self.progress()) * self.place.rate_factor

    def progress(self) -> float:
        """0 to 1: steps done of all steps, or time spent of the time allowed when that is further on."""
        part = self.place.step / self.total_steps
        if self.settings.max_minutes > 0:
            part = max(part, self.place.seconds / (60 * self.settings.max_minutes))
        return min(part, 1.0)

    def after_step(self, losses: dict[str, Tensor], epoch: int) -> None:
        """Count the step; look at the losses, report and make a checkpoint when it is time."""
        now = time.monotonic()
        self.place.seconds += now - self.clock
        self.clock = now
        self.place.step += 1
        self.losses = losses
        due = now - self.checkpointed >= self.settings.checkpoint_seconds
        # Asking for a number waits for the device, so on a GPU it is done rarely.
        if self.device.type == "cpu" or due or now - self.reported >= REPORT_SECONDS:
            self._check_finite()
        if now - self.reported >= REPORT_SECONDS:
            self.reported = now
            self._report({name: float(value) for name, value in losses.items()}, epoch=epoch)
        if due and self.accelerator.num_processes == 1:  # several processes would not agree on the moment
            self._checkpoint()

    # Details

    def _over(self) -> bool:
        return self.progress() >= 1.0 or self.place.stopped

    def _check_finite(self) -> None:
        total = sum(value.detach() for value in self.losses.values()) if self.losses else 0.0
        if not math.isfinite(float(total)):
            raise FloatingPointError(f"loss {float(total)} at step {self.place.step}")

    def _go_back(self, error: FloatingPointError) -> None:
        if self.place.diverged:
            raise TrainingDiverged(f"{error}, again after going back once with a lower rate: try a lower learning_rate")
        seconds = self.place.seconds
        self.checkpoints.restore(self.accelerator)
        self.place.diverged, self.place.seconds = True, seconds
        self.place.rate_factor *= RATE_AFTER_DIVERGENCE
        self.losses = {}
        self._say(f"{error}: back to step {self.place.step} with {RATE_AFTER_DIVERGENCE} of the learning rate")

    def _checkpoint(self) -> None:
        if getattr(self, "losses", None):
            self._check_finite()
        self.checkpoints.save(self.accelerator, self.place.step)
        self.checkpointed = time.monotonic()

    def _validate(self, epoch: int) -> None:
        if not any(photo.garments for photo in self.validation.photos):
            return
        if self.accelerator.is_main_process:
            metrics = validate(self.average.tensors, self.settings, self.validation, self.accelerator.device)
            self.place.validations_since_best += 1
            if metrics["mask_ap"] > self.place.best:
                self.place.best, self.place.validations_since_best = metrics["mask_ap"], 0
                info = {"metrics": metrics | {"best_epoch": float(epoch + 1)}}
                save_weights(self.best_weights, KIND, self.average.tensors, self.settings.to_json(), info)
            self._report(metrics | {name: float(value) for name, value in self.losses.items()}, "validated", epoch)
        self.accelerator.wait_for_everyone()
        waited = self.place.validations_since_best
        stop = torch.tensor(int(0 < self.settings.patience <= waited), device=self.accelerator.device)
        self.place.stopped = bool(self.accelerator.reduce(stop, "sum").item())
        now = time.monotonic()
        self.place.seconds += now - self.clock
        self.clock = now

    def _record(self) -> dict[str, Any]:
        try:
            value = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def _say(self, message: str) -> None:
        self.listener(
            Progress(getattr(getattr(self, "place", None), "step", 0), 0, 0, self.settings.epochs, {}, None, message)
        )

    def _report(self, values: dict[str, float], message: str = "", epoch: int | None = None) -> None:
        done = self.progress()
        left = self.place.seconds * (1 - done) / done if done > 0 else None
        if epoch is None:
            epoch = max(self.place.step - 1, 0) // self.steps_per_epoch
        known = {"learning_rate": self.rate(), **values}
        if self.losses and "loss" not in known:
            known["loss"] = float(sum(value.detach() for value in self.losses.values()))
        finite = {name: value for name, value in known.items() if math.isfinite(value)}
        total = self.total_steps if done <= 0 else max(round(self.place.step / done), self.place.step)
        self.listener(Progress(self.place.step, total, epoch + 1, self.settings.epochs, finite, left, message))


def train_one_epoch(run: _Training, epoch: int, done: int) -> None:
    """The steps of ``epoch`` (from 0) from number ``done`` on.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    accelerator, settings = run.accelerator, run.settings
    batches = EpochBatches(
        run.data.photos, settings.batch_size, settings.seed, epoch, accelerator.process_index, accelerator.num_processes
    )
    loader = DataLoader(
        run.data,
        batch_sampler=batches.batches[done:],
        collate_fn=collate,
        num_workers=settings.workers,
        pin_memory=run.device.type == "cuda",
        generator=torch.Generator(),  # of its own: making a loader must not move the random state of training
    )
    run.model.train()
    for images, targets in loader:
        images = [image.to(accelerator.device, non_blocking=True) for image in images]
        targets = [{k: v.to(accelerator.device, non_blocking=True) for k, v in target.items()} for target in targets]
        for group in run.optimizer.param_groups:
            group["lr"] = run.rate()

        losses: dict[str, Tensor] = run.model(images, targets)
        accelerator.backward(sum(losses.values()))
        accelerator.clip_grad_norm_(run.model.parameters(), settings.gradient_clip)
        run.optimizer.step()
        run.optimizer.zero_grad(set_to_none=True)

        run.average.update(run.network)
        run.after_step({name: value.detach() for name, value in losses.items()}, epoch)
        if run.progress() >= 1.0:
            break


def run_job(job: dict[str, Any], listener: Listener) -> dict[str, Any]:
    """Run a training described by a JSON value: dataset, out, settings or preset, backbone_weights, device."""
    settings = preset(str(job.get("preset", "cpu"))).with_overrides(job.get("settings") or {})
    backbone = job.get("backbone_weights")
    return train_segmenter(
        Path(job["dataset"]),
        Path(job["out"]),
        settings,
        listener,
        Path(backbone) if backbone else None,
        str(job.get("device", "auto")),
    ).to_json()


if __name__ == "__main__":
    main_of_job(run_job)
