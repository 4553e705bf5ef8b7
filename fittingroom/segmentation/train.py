"""Training the segmenter: what is its own; the loop is `fittingroom.training.loop`.

Run as a job (``python -m fittingroom.segmentation.train job.json``) or under ``accelerate launch -m``; see
`fittingroom.training.jobs`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from fittingroom import __version__
from fittingroom.datasets import PICTURES, SELECTION, photo_digests
from fittingroom.domain import domain_of
from fittingroom.errors import NothingProduced
from fittingroom.segmentation.dataset import (
    GarmentDataset,
    LabelledPhoto,
    collate,
    dataset_digest,
    epoch_batches,
    read_split,
)
from fittingroom.segmentation.model import build_segmenter
from fittingroom.segmentation.predict import KIND
from fittingroom.segmentation.schedule import learning_rate, make_optimizer
from fittingroom.segmentation.settings import SegmenterSettings, preset
from fittingroom.segmentation.start import find_start
from fittingroom.segmentation.validation import draw_samples, validate
from fittingroom.training.averaging import moving_average
from fittingroom.training.checkpoints import Stateful
from fittingroom.training.jobs import main_of_job
from fittingroom.training.loop import Moment, Place, Say, Schedule, TrainingLoop
from fittingroom.training.progress import Listener
from fittingroom.training.weights import read_weights, save_weights
from fittingroom.workspace import digest_file, digest_value, write_json

Batch = tuple[list[Tensor], list[dict[str, Tensor]]]

CODE_VERSION = 1
"""Part of what decides whether a finished training still stands: raise it when the same settings train differently."""


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
        return vars(self) | {"weights": str(self.weights), "settings": self.settings.to_json()}


def train_segmenter(
    dataset: Path,
    out: Path,
    settings: SegmenterSettings,
    listener: Listener | None = None,
    backbone_weights: Path | None = None,
    device: str = "auto",
) -> SegmenterTraining:
    """Train on ``dataset``'s train split, validate on its validation split, write ``out/weights.safetensors``.

    ``samples.png`` next to it shows what those weights find on validation photos.
    Called again it resumes from the last checkpoint in ``out/checkpoints``; when it had finished with the same
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
    trainer = SegmenterTrainer(dataset, settings, train, validation, backbone_weights)
    loop = TrainingLoop[Batch](trainer, out, listener, device)
    loop.run()
    _write_photos(dataset, out, train, validation)
    weights = read_weights(loop.weights, KIND)
    used = SegmenterSettings.from_json(weights.settings)
    return SegmenterTraining(loop.weights, weights.info["metrics"], used, weights.info["start"])


def _write_photos(dataset: Path, out: Path, train: list[LabelledPhoto], validation: list[LabelledPhoto]) -> None:
    """`PICTURES`, as a style's training writes it, of one domain ``photos``: by digest, for names may be people's."""
    selection = json.loads((dataset / SELECTION).read_text(encoding="utf-8"))
    uses = {"learnt_from": train, "held_out": validation}
    listed = {use: photo_digests(selection, [photo.path for photo in photos]) for use, photos in uses.items()}
    write_json(out / PICTURES, {"photos": {**listed, "left_out": []}})


class SegmenterTrainer:
    """Mask R-CNN as a `fittingroom.training.loop.Trainer`."""

    title, record, score, setback_rate = "segmenter", "training.json", "mask_ap", 0.3

    def __init__(
        self,
        dataset: Path,
        settings: SegmenterSettings,
        train: list[LabelledPhoto],
        validation: list[LabelledPhoto],
        backbone_weights: Path | None,
    ) -> None:
        self.settings, self.backbone_weights = settings, backbone_weights
        self.seed = settings.seed
        self.precision: str = settings.precision
        self.domain = domain_of(photo.path for photo in train)
        self.data, self.validation = GarmentDataset(train, settings), GarmentDataset(validation, settings)
        self.digest = dataset_digest(dataset, [*train, *validation])
        self.identity = digest_value(
            {
                "code": CODE_VERSION,
                "settings": settings.to_json(),
                "data": self.digest,
                "start": digest_file(backbone_weights) if backbone_weights and backbone_weights.is_file() else None,
            }
        )
        self._start_tensors: dict[str, Tensor] | None = None
        self.of_process: dict[str, Stateful] = {}

    def plan(self, say: Say) -> dict[str, Any]:
        """Find the weights to start from, and what follows from them and the photos for the settings."""
        found, settings = find_start(self.settings, self.backbone_weights), self.settings
        self._start_tensors = found.tensors
        if found.tensors is None:  # random weights must not stay as they are
            settings = settings.with_overrides({"start": "scratch", "norm": "trained", "frozen_levels": 0})
        if settings.parts_head and not any(photo.parts for photo in self.data.photos):
            settings = settings.with_overrides({"parts_head": False})
            say("the data set has no part maps: garments only, skin and hair are not learnt")
        say(found.message)
        return {"settings": settings.to_json(), "start": found.message}

    def build(self, accelerator: Accelerator, plan: Mapping[str, Any]) -> Schedule:
        """The network, its optimizer and the average of its weights."""
        settings = self.settings = SegmenterSettings.from_json(plan["settings"])
        self.accelerator, self.start = accelerator, str(plan["start"])
        network = build_segmenter(settings, self._start_tensors)
        # Channels last is a fifth quicker for these convolutions, on CPUs as on GPUs.
        self.network = network.to(accelerator.device, memory_format=torch.channels_last)
        self.model, self.optimizer = accelerator.prepare(self.network, make_optimizer(network, settings))
        self.average = moving_average(self.network, settings.average_decay, lambda n: (1 + n) / (10 + n), True)
        accelerator.register_for_checkpointing(self.average)
        steps_per_epoch = len(self._order(0))
        return Schedule(
            epochs=settings.epochs,
            steps_per_epoch=steps_per_epoch,
            validate_every=settings.validate_every * steps_per_epoch,
            checkpoint_every=steps_per_epoch,
            checkpoint_seconds=settings.checkpoint_seconds,
            max_minutes=settings.max_minutes,
            patience=settings.patience,
        )

    def _order(self, epoch: int) -> list[list[Any]]:
        accelerator, settings = self.accelerator, self.settings
        rank, world = accelerator.process_index, accelerator.num_processes
        return epoch_batches(self.data.photos, settings.batch_size, settings.seed, epoch, rank, world)

    def batches(self, epoch: int, done: int) -> Iterator[Batch]:
        """Photos and their garments, loaded by processes of their own."""
        loader = DataLoader(
            self.data,
            batch_sampler=self._order(epoch)[done:],
            collate_fn=collate,
            num_workers=self.settings.workers,
            pin_memory=self.accelerator.device.type == "cuda",
            generator=torch.Generator(),  # of its own: making a loader must not move the random state of training
        )
        return iter(loader)

    def learning_rate(self, at: Moment) -> float:
        """Warm-up, then a cosine."""
        return learning_rate(self.settings, at.step, at.progress) * at.rate_factor

    def step(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        """The losses of torchvision's detectors by their names, and their sum, ``loss``."""
        device = self.accelerator.device
        images = [image.to(device, non_blocking=True) for image in batch[0]]
        targets = [{k: v.to(device, non_blocking=True) for k, v in target.items()} for target in batch[1]]
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(at)
        losses: dict[str, Tensor] = self.model(images, targets)
        loss = torch.stack(list(losses.values())).sum()
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), self.settings.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update_parameters(self.network)
        return {name: value.detach() for name, value in {"loss": loss, **losses}.items()}

    def validate(self, at: Moment) -> dict[str, float]:  # noqa: ARG002
        """Figures of the averaged weights on the validation photos, if these have garments."""
        if not any(photo.garments for photo in self.validation.photos):
            return {}
        return validate(self.average.module.state_dict(), self.settings, self.validation, self.accelerator.device)

    def save(self, path: Path, figures: Mapping[str, float], at: Moment) -> None:
        """The averaged weights."""
        metrics = {**figures, "best_epoch": float(at.epoch + 1)} if figures else {}
        save_weights(path, KIND, self.average.module.state_dict(), self.settings.to_json(), {"metrics": metrics})

    def export(self, best: Path, weights: Path, place: Place) -> None:
        """With ``samples.png`` next to them: what they find on validation photos."""
        draw_samples(best, self.validation.photos, weights.with_name("samples.png"), self.accelerator.device.type)
        found = read_weights(best, KIND)
        metrics = found.info["metrics"] | {"steps": float(place.step), "seconds": round(place.seconds, 1)}
        info = {"metrics": metrics, "start": self.start, "data": self.digest, "domain": self.domain}
        info["code"] = f"fittingroom {__version__}, segmenter training {CODE_VERSION}"
        save_weights(weights, KIND, found.tensors, found.settings, info)


def run_job(job: dict[str, Any], listener: Listener) -> dict[str, Any]:
    """Run a training described by a JSON value: dataset, out, settings or preset, backbone_weights, device.

    Raises:
        SettingError: a preset, setting or device that there is not; else as `train_segmenter`.
    """
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
