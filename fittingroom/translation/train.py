"""Training one style: from two folders of pictures to weights that can be served, going on wherever it was stopped."""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from fittingroom.domain import RENDERED, domain_of
from fittingroom.errors import InputError, MissingInputError, TrainingDiverged
from fittingroom.training.checkpoints import CheckpointFolder
from fittingroom.training.device import choose_device, choose_precision
from fittingroom.training.jobs import main_of_job
from fittingroom.training.progress import Listener, Progress, ProgressFile
from fittingroom.training.weights import load_into, read_weights, save_weights
from fittingroom.translation.dataset import (
    Domain,
    Unpaired,
    choose_pictures,
    digests,
    hold_out,
    list_pictures,
    original_pictures,
)
from fittingroom.translation.evaluate import StyleTarget, evaluate_translator
from fittingroom.translation.kid import kernel_distance
from fittingroom.translation.outcome import (
    PICTURES,
    StyleTraining,
    clear_other_training,
    finished,
    sheets_in,
    write_pictures,
)
from fittingroom.translation.predict import KIND, Translator
from fittingroom.translation.schedule import has_identity_loss, learning_rate
from fittingroom.translation.selection import Chosen, choose_garments
from fittingroom.translation.settings import StyleSettings, preset
from fittingroom.translation.sheets import write_sheet
from fittingroom.translation.step import LOSS_NAMES, CycleGan
from fittingroom.workspace import check_name, digest_file, digest_value

CODE_VERSION = 3
"""Raised when the same settings and data would no longer give the same weights."""
SETBACK_RATE = 0.5
SAMPLES = 6

log = logging.getLogger(__name__)


@dataclass
class _Place:
    """How far the training is; part of each checkpoint."""

    step: int = 0
    rate_scale: float = 1.0
    best_score: float = -1.0

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


@dataclass(frozen=True)
class _Data:
    """The pictures of a training, listed and parted; nothing decoded yet."""

    source: list[Path]
    held_out: list[Path]
    target: list[Path]
    digests: dict[str, Any]


def train_style(
    name: str,
    source: Path | str | Sequence[Path | str],
    target: Path | str,
    out: Path,
    settings: StyleSettings,
    listener: Listener | None = None,
    warm_start: Path | None = None,
    device: str = "auto",
    kid_weights: Path | None = None,
) -> StyleTraining:
    """Train the style ``name`` and write ``out/weights.safetensors``.

    A training that was stopped goes on from its last checkpoint and ends with the weights it would have had without
    the stop. One that had ended with the same settings and pictures returns at once; with others, it starts anew.

    Args:
        name: the style's name, for messages and the weights' card.
        source: folder or folders of prepared garment pictures (domain A).
        target: folder of prepared pictures of the style (domain B).
        out: gets ``checkpoints/``, ``samples/``, ``progress.jsonl``, ``run.json``, ``pictures.json``
            (`write_pictures`) and the weights.
        settings: see `fittingroom.translation.settings.preset`.
        listener: called with live progress.
        warm_start: weights of another style to start from; their networks must have the same shape.
        device: auto, cpu, cuda or mps.
        kid_weights: MobileNetV2's ImageNet weights for the figure KID, where Inception's are not at hand.

    Raises:
        MissingInputError, InputError, SettingError: refused before any work.
        TrainingDiverged: the loss stopped being finite twice.
    """
    out = Path(out)
    check_name(name, "style")
    data = _list_data(source, target, settings)
    chosen_device = choose_device(device)
    identity = _identity(name, settings, data, warm_start)
    earlier = finished(out, name, settings, identity)
    if earlier is not None:
        if not (out / PICTURES).is_file():  # trained by a version that did not write it
            write_pictures(out, choose_garments(data.source, data.target, data.held_out, settings))
        return earlier
    chosen = choose_garments(data.source, data.target, data.held_out, settings)  # too few: nothing is cleared away yet
    AcceleratorState._reset_state()
    accelerator = Accelerator(
        mixed_precision=choose_precision(settings.precision, chosen_device), cpu=chosen_device.type == "cpu"
    )
    if accelerator.is_main_process:
        clear_other_training(out, identity)
    accelerator.wait_for_everyone()
    training = _Training(name, data.digests, _domain(data), chosen, out, settings, accelerator, listener, warm_start)
    training.run()
    metrics = training.finish(identity, kid_weights) if accelerator.is_main_process else {}
    accelerator.wait_for_everyone()
    return StyleTraining(
        name, out / "weights.safetensors", metrics, settings, identity, training.place.step, sheets_in(out)
    )


def _list_data(source: Path | str | Sequence[Path | str], target: Path | str, settings: StyleSettings) -> _Data:
    sources = choose_pictures(list_pictures(source, "source", settings.min_pictures), settings.max_pictures)
    targets = choose_pictures(list_pictures(target, "target", settings.min_pictures), settings.max_pictures)
    training, held_out = hold_out(sources, settings.held_out)
    return _Data(training, held_out, targets, {"source": digests(sources), "target": digests(targets)})


def _domain(data: _Data) -> str:
    worlds = domain_of(data.source), domain_of(data.target)
    return RENDERED if RENDERED in worlds else worlds[0]  # what has seen one side drawn knows no photos


def _identity(name: str, settings: StyleSettings, data: _Data, warm_start: Path | None) -> str:
    if warm_start is not None and not Path(warm_start).is_file():
        raise MissingInputError("weights to start from", warm_start)
    return digest_value(
        {
            "code": CODE_VERSION,
            "name": name,
            "settings": settings.to_json(),
            "data": data.digests,
            "warm_start": None if warm_start is None else digest_file(warm_start),
        }
    )


class _Training:
    """The loop and what it keeps: networks, data, checkpoints, place, progress."""

    def __init__(
        self,
        name: str,
        data_digests: dict[str, Any],
        domain: str,
        chosen: Chosen,
        out: Path,
        settings: StyleSettings,
        accelerator: Accelerator,
        listener: Listener | None,
        warm_start: Path | None,
    ) -> None:
        self.name, self.out, self.settings, self.accelerator = name, out, settings, accelerator
        self.digests, self.progress_file = data_digests, ProgressFile(out / "progress.jsonl")
        self.domain = domain
        told_twice = isinstance(listener, ProgressFile) and listener.path == self.progress_file.path  # a job in `out`
        self.listener = None if told_twice else listener
        torch.manual_seed(settings.seed)
        domain_a, domain_b = self._take(chosen)
        self.data = Unpaired(domain_a, domain_b, settings.batch_size, settings.seed)
        self.steps_per_epoch = settings.steps_per_epoch or max(
            math.ceil(max(len(domain_a), len(domain_b)) / (settings.batch_size * accelerator.num_processes)),
            1,
        )
        self.total_steps = settings.epochs * self.steps_per_epoch
        self.model = CycleGan(settings, accelerator, plain=self.style_target.pattern == "solid")
        if warm_start is not None:
            self._warm_start(warm_start)
        for generator, painted in (
            (self.model.generator_a_to_b, domain_b),
            (self.model.generator_b_to_a, domain_a),
            (self.model.average.generator, domain_b),
        ):
            generator.set_domain_colour(painted.mean_colour())
            generator.set_palette(painted.palette(settings.one_hue and self.model.plain and painted is domain_b))
        self.place = _Place()
        accelerator.register_for_checkpointing(self.place)
        self.checkpoints = CheckpointFolder(out / "checkpoints", of_process=self.model.of_process)

    def _take(self, chosen: Chosen) -> tuple[Domain, Domain]:
        """The pictures to learn from; what was left out is said in the log."""
        settings = self.settings
        for left in chosen.left_out:
            log.warning("left out: %s: %s", left.path, left.reason)
        shown = chosen.held_out or chosen.source
        held_out = chosen.held_out or chosen.source[: settings.held_out]
        if self.accelerator.is_main_process:
            write_pictures(self.out, dataclasses.replace(chosen, held_out=held_out))
        self.held_out = [picture.path for picture in held_out]
        self._samples = shown[:: max(len(shown) // SAMPLES, 1)][:SAMPLES]
        self._target = chosen.target
        self.style_target = StyleTarget.of_pictures([picture.path for picture in chosen.target], settings.image_size)
        place = (settings.crop_size, settings.crop_cover, self.accelerator.device)
        return (
            Domain([(picture.image, picture.mask) for picture in chosen.source], *place),
            Domain([(picture.image, picture.mask) for picture in chosen.target], *place),
        )

    def _warm_start(self, path: Path) -> None:
        weights = read_weights(path, KIND)
        for generator in (self.model.generator_a_to_b, self.model.average.generator):
            load_into(generator, weights, path)

    def run(self) -> None:
        """Train to the end, from the last checkpoint when there is one."""
        self.checkpoints.restore(self.accelerator)
        if self.place.step == 0:
            self.checkpoints.save(self.accelerator, 0)  # somewhere to go back to
        while not self._advance():
            self._go_back()

    def _advance(self) -> bool:
        """Steps until the end (True) or until a loss is not finite (False)."""
        settings, place = self.settings, self.place
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        self._started, self._first = time.monotonic(), place.step
        sums = torch.zeros(len(LOSS_NAMES), device=self.accelerator.device)
        summed = 0
        while place.step < self.total_steps:
            epoch, step_in_epoch = divmod(place.step, self.steps_per_epoch)
            self.model.set_rates(place.rate_scale * learning_rate(1.0, settings.rate_decay, epoch))
            batch_a, batch_b = self.data.batches(epoch, step_in_epoch, rank, processes)
            number = place.step + 1
            with_identity = has_identity_loss(number, settings.identity_every)
            sums += self.model.step(batch_a, batch_b, number, with_identity)
            summed += 1
            place.step = number
            last = number == self.total_steps
            validates = last or number % settings.sample_steps == 0
            saves = last or number % settings.checkpoint_steps == 0
            if saves or validates or number % settings.report_steps == 0:
                losses = self.accelerator.reduce(sums / summed, "mean").tolist()
                if not all(map(math.isfinite, losses)):
                    return False
                figures = self._validate() if validates else {}
                self._report(epoch, dict(zip(LOSS_NAMES, losses, strict=True)) | figures)
                sums.zero_()
                summed = 0
            if saves:
                self.checkpoints.save(self.accelerator, number)
        return True

    def _go_back(self) -> None:
        """Back to the last good checkpoint with a lower rate, once."""
        failed, earlier = self.place.step, self.place.rate_scale
        if earlier < 1.0:
            raise TrainingDiverged(
                f"style {self.name}: the loss stopped being finite near step {failed}, and a rate of {earlier:g} times "
                f"the setting (learning_rate {self.settings.learning_rate:g}) did not help"
            )
        step = self.checkpoints.restore(self.accelerator)
        self.place.rate_scale = SETBACK_RATE
        # Saved again, so that a kill after this does not give the training another try at the full rate.
        self.checkpoints.save(self.accelerator, step)
        message = f"the loss stopped being finite near step {failed}; back to step {step} at {SETBACK_RATE:g} x rate"
        log.warning("style %s: %s", self.name, message)
        self._tell(
            Progress(step, self.total_steps, step // self.steps_per_epoch, self.settings.epochs, {}, None, message)
        )

    def _report(self, epoch: int, losses: dict[str, float]) -> None:
        done = self.place.step - self._first
        left = (time.monotonic() - self._started) / max(done, 1) * (self.total_steps - self.place.step)
        self._tell(Progress(self.place.step, self.total_steps, epoch + 1, self.settings.epochs, losses, left))

    def _tell(self, progress: Progress) -> None:
        if not self.accelerator.is_main_process:
            return
        self.progress_file(progress)
        if self.listener is not None:
            self.listener(progress)

    def translator(self) -> Translator:
        """The generator as it would be served now."""
        return Translator(self.model.served, self.settings, self.accelerator.device)

    def _validate(self) -> dict[str, float]:
        """A sheet and figures of the generator as it would be served now; the best so far goes to a file."""
        if not self.accelerator.is_main_process:
            return {}
        was_training = self.model.served.training
        translator = self.translator()
        images = [picture.image for picture in self._samples]
        after = translator.translate_batch(images, [picture.mask for picture in self._samples])
        targets = [picture.image for picture in self._target[:SAMPLES]]
        write_sheet(self.out / "samples" / f"step-{self.place.step:09d}.png", images, after, targets, SAMPLES)
        back = Translator(self.model.generator_b_to_a, self.settings, self.accelerator.device)
        report = evaluate_translator(translator, self.held_out, self.style_target, reverse=back)
        self.model.generator_b_to_a.train()
        self.model.served.train(was_training)
        if report.score > self.place.best_score:
            self.place.best_score = report.score
            self._save(self.out / "best.safetensors", report.metrics | {"best_step": float(self.place.step)})
        return report.metrics | {"score": report.score}

    def _save(self, path: Path, metrics: Mapping[str, float]) -> None:
        info = {
            "name": self.name,
            "steps": self.total_steps,
            "metrics": metrics,
            "target": self.style_target.to_json(),
            "digests": {key: digest_value(value) for key, value in self.digests.items()},
            "domain": self.domain,
        }
        save_weights(path, KIND, self.model.served.state_dict(), self.settings.to_json(), info)

    def finish(self, identity: str, kid_weights: Path | None) -> dict[str, float]:
        """Make the best weights the ones to serve; returns their figures on held-out pictures."""
        best = self.out / "best.safetensors"
        weights = read_weights(best, KIND)
        metrics = weights.info["metrics"] | self._distance(best, kid_weights)
        info = weights.info | {"metrics": metrics, "identity": identity}
        save_weights(self.out / "weights.safetensors", KIND, weights.tensors, weights.settings, info)
        best.unlink()
        return dict(metrics)

    def _distance(self, weights: Path, kid_weights: Path | None) -> dict[str, float]:
        """KID of the held-out pictures' translations; empty where no features for it are at hand."""
        own = original_pictures([picture.path for picture in self._target], self.settings.image_size)
        distance, remark = kernel_distance(own, backbone=kid_weights)
        log.info("style %s: %s", self.name, remark)
        if distance is None:
            return {}
        translator = Translator.load(weights, self.accelerator.device.type)
        report = evaluate_translator(translator, self.held_out, None, distance=distance)
        return {name: value for name, value in report.metrics.items() if name == distance.name}


def run_job(job: Mapping[str, Any], listener: Listener) -> dict[str, Any]:
    """Train as a job: ``{"name", "source", "target", "out", "settings" or "preset", "device", "warm_start",
    "kid_weights"}``.

    ``settings`` are overrides of ``preset`` (the bare recipe when none is named).
    """
    try:
        name, source, target, out = job["name"], job["source"], job["target"], Path(job["out"])
    except KeyError as error:
        raise InputError(f"job: expected the field {error.args[0]}, it is missing") from None
    settings = preset(job.get("preset") or "recipe").with_overrides(**(job.get("settings") or {}))
    warm_start, kid_weights = job.get("warm_start"), job.get("kid_weights")
    result = train_style(
        name,
        source,
        Path(target),
        out,
        settings,
        listener,
        None if warm_start is None else Path(warm_start),
        job.get("device") or "auto",
        None if kid_weights is None else Path(kid_weights),
    )
    return result.to_json()


if __name__ == "__main__":
    main_of_job(run_job)
