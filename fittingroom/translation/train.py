"""Training one style, what is its own; the loop is `fittingroom.training.loop`.

Run as a job (``python -m fittingroom.translation.train job.json``) or under ``accelerate launch -m``; see
`fittingroom.training.jobs`.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from fittingroom import __version__
from fittingroom.datasets import PICTURES
from fittingroom.domain import RENDERED, domain_of
from fittingroom.errors import InputError, MissingInputError
from fittingroom.training.jobs import main_of_job
from fittingroom.training.loop import Moment, Place, Say, Schedule, TrainingLoop
from fittingroom.training.progress import Listener
from fittingroom.training.weights import load_into, read_weights, save_weights
from fittingroom.translation.data_filter import Chosen, Picture, choose_garments
from fittingroom.translation.dataset import (
    Batch,
    Domain,
    Unpaired,
    choose_pictures,
    digests,
    hold_out,
    list_pictures,
    original_pictures,
)
from fittingroom.translation.dyed import DyedDomain, Laid, taken_apart, typical_repeat
from fittingroom.translation.evaluate import StyleTarget, evaluate_translator
from fittingroom.translation.image_pool import ImagePool
from fittingroom.translation.kid import kernel_distance
from fittingroom.translation.predict import KIND, Translator
from fittingroom.translation.result import StyleTraining, sheets_in, write_pictures
from fittingroom.translation.settings import StyleSettings, preset
from fittingroom.translation.sheets import write_sheet
from fittingroom.translation.step import LOSS_NAMES, CycleGan, has_identity_loss, learning_rate
from fittingroom.workspace import check_name, digest_file, digest_value

CODE_VERSION = 4
"""Raised when the same settings and data would no longer give the same weights."""
SAMPLES = 6

log = logging.getLogger(__name__)


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

    A training that was stopped resumes from its last checkpoint and ends with the weights it would have had without
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
    trainer = StyleTrainer(name, data, out, settings, warm_start, kid_weights)
    loop = TrainingLoop[tuple[Batch, Batch]](trainer, out, listener, device)
    trained = loop.run()
    if not (out / PICTURES).is_file():  # trained by a version that did not write it
        write_pictures(out, trainer.chosen, data.digests)
    info = read_weights(loop.weights, KIND).info
    return StyleTraining(
        name, loop.weights, info["metrics"], settings, trainer.identity, info["steps"], sheets_in(out), not trained
    )


def _list_data(source: Path | str | Sequence[Path | str], target: Path | str, settings: StyleSettings) -> _Data:
    sources = choose_pictures(list_pictures(source, "source", settings.min_pictures), settings.max_pictures)
    targets = choose_pictures(list_pictures(target, "target", settings.min_pictures), settings.max_pictures)
    training, held_out = hold_out(sources, settings.held_out)
    return _Data(training, held_out, targets, {"source": digests(sources), "target": digests(targets)})


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


def _target_of(pictures: Sequence[Picture]) -> StyleTarget:
    target = StyleTarget.of_garments((picture.image, picture.mask) for picture in pictures)
    assert target is not None  # garments worth learning from have pixels enough
    return target


class StyleTrainer:
    """CycleGAN as a `fittingroom.training.loop.Trainer`."""

    record, score, setback_rate = "run.json", "score", 0.5

    def __init__(
        self,
        name: str,
        data: _Data,
        out: Path,
        settings: StyleSettings,
        warm_start: Path | None,
        kid_weights: Path | None,
    ) -> None:
        self.name, self.listed, self.out, self.settings = name, data, out, settings
        self.warm_start, self.kid_weights = warm_start, kid_weights
        self.title, self.seed = f"style {name}", settings.seed
        self.precision: str = settings.precision
        self.identity = _identity(name, settings, data, warm_start)

    @cached_property
    def chosen(self) -> Chosen:
        """The pictures to learn from, decoded."""
        return choose_garments(self.listed.source, self.listed.target, self.listed.held_out, self.settings)

    def plan(self, say: Say) -> dict[str, Any]:  # noqa: ARG002
        """Refuse too few pictures."""
        _ = self.chosen
        return {}

    def build(self, accelerator: Accelerator, plan: Mapping[str, Any]) -> Schedule:  # noqa: ARG002
        """The four networks and the pictures of both domains."""
        settings, self.accelerator = self.settings, accelerator
        domain_a, domain_b = self._take(self.chosen)
        self.data = Unpaired(domain_a, domain_b, settings.batch_size, settings.seed)
        self.model = CycleGan(settings, accelerator, plain=self.style_target.pattern == "solid")
        if self.warm_start is not None:
            weights = read_weights(self.warm_start, KIND)
            for generator in (self.model.generator_a_to_b, self.model.served):
                load_into(generator, weights, self.warm_start)
        for generator, painted in (
            (self.model.generator_a_to_b, domain_b),
            (self.model.generator_b_to_a, domain_a),
            (self.model.served, domain_b),
        ):
            generator.set_domain_colour(painted.mean_colour())
            generator.set_palette(painted.palette(settings.one_hue and self.model.plain and painted is domain_b))
            if isinstance(painted, DyedDomain) and painted.repeats:
                generator.set_repeat(torch.tensor(typical_repeat(painted.repeats).vectors))
        pictures_a_step = settings.batch_size * accelerator.num_processes
        self.steps_per_epoch = settings.steps_per_epoch or max(
            math.ceil(max(len(domain_a), len(domain_b)) / pictures_a_step), 1
        )
        return Schedule(
            epochs=settings.epochs,
            steps_per_epoch=self.steps_per_epoch,
            validate_every=settings.sample_steps,
            checkpoint_every=settings.checkpoint_steps,
            report_every=settings.report_steps,
        )

    @property
    def of_process(self) -> Mapping[str, ImagePool]:
        """The pools of earlier fakes."""
        return self.model.of_process

    def _take(self, chosen: Chosen) -> tuple[Domain, Domain]:
        """The pictures to learn from; what was left out is said in the log."""
        settings = self.settings
        pattern = _target_of(chosen.target).pattern or ""
        if settings.random_dyes:
            chosen, layers = taken_apart(chosen, pattern, settings)
        for left in chosen.left_out:
            log.warning("left out: %s: %s", left.path, left.reason)
        shown = chosen.held_out or chosen.source
        held_out = chosen.held_out or chosen.source[: settings.held_out]
        if self.accelerator.is_main_process:
            write_pictures(self.out, dataclasses.replace(chosen, held_out=held_out), self.listed.digests)
        self.held_out = [picture.path for picture in held_out]
        self._samples = shown[:: max(len(shown) // SAMPLES, 1)][:SAMPLES]
        place = (settings.crop_size, settings.crop_cover, self.accelerator.device)
        domain_a = Domain([(picture.image, picture.mask) for picture in chosen.source], *place)
        target = [(picture.image, picture.mask) for picture in chosen.target]
        self._target, domain_b = chosen.target, Domain(target, *place)
        if settings.random_dyes:
            domain_b = DyedDomain(target, layers, *place, settings.given_repeat, settings.redyed_identity)
            self._target = [
                dataclasses.replace(picture, image=each.dyed(picture.mask, domain_b.house))
                for picture, each in zip(chosen.target, layers, strict=True)
            ]
            if settings.given_repeat:
                domain_a = Laid(domain_a, domain_b.repeats)
        self.style_target = dataclasses.replace(_target_of(self._target), pattern=pattern)
        return domain_a, domain_b

    def batches(self, epoch: int, done: int) -> Iterator[tuple[Batch, Batch]]:
        """Unpaired batches of both domains."""
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        return (self.data.batches(epoch, step, rank, processes) for step in range(done, self.steps_per_epoch))

    def learning_rate(self, at: Moment) -> float:
        """That of the generators."""
        return self.settings.learning_rate * self._rate_scale(at)

    def _rate_scale(self, at: Moment) -> float:
        return at.rate_factor * learning_rate(1.0, self.settings.rate_decay, at.epoch)

    def step(self, batch: tuple[Batch, Batch], at: Moment) -> dict[str, Tensor]:
        """Generators, then discriminators."""
        self.model.set_rates(self._rate_scale(at))
        number = at.step + 1
        losses = self.model.step(*batch, number, has_identity_loss(number, self.settings.identity_every))
        return dict(zip(LOSS_NAMES, losses, strict=True))

    def validate(self, at: Moment) -> dict[str, float]:
        """A sheet, and figures on the held-out pictures."""
        translator = Translator(self.model.served, self.settings, self.accelerator.device)
        images = [picture.image for picture in self._samples]
        after = translator.translate_batch(images, [picture.mask for picture in self._samples])
        targets = [picture.image for picture in self._target[:SAMPLES]]
        write_sheet(self.out / "samples" / f"step-{at.step:09d}.png", images, after, targets, SAMPLES)
        back = Translator(self.model.generator_b_to_a, self.settings, self.accelerator.device)
        report = evaluate_translator(translator, self.held_out, self.style_target, reverse=back)
        self.model.generator_b_to_a.train()
        return report.metrics | {"score": report.score}

    def save(self, path: Path, figures: Mapping[str, float], at: Moment) -> None:
        """generator_a_to_b's average."""
        metrics = {name: value for name, value in figures.items() if name != "score"}
        worlds = domain_of(self.listed.source), domain_of(self.listed.target)
        info = {
            "name": self.name,
            "steps": self.settings.epochs * self.steps_per_epoch,
            "metrics": metrics | {"best_step": float(at.step)},
            "target": self.style_target.to_json(),
            "digests": {key: digest_value(value) for key, value in self.listed.digests.items()},
            # What has seen one side drawn knows no photos.
            "domain": RENDERED if RENDERED in worlds else worlds[0],
            "code": f"fittingroom {__version__}, style training {CODE_VERSION}",
        }
        if self.warm_start is not None:
            info["warm_start"] = digest_file(self.warm_start)
        save_weights(path, KIND, self.model.served.state_dict(), self.settings.to_json(), info)

    def export(self, best: Path, weights: Path, place: Place) -> None:  # noqa: ARG002
        """With the distance to the style's pictures added to their figures."""
        found = read_weights(best, KIND)
        metrics = found.info["metrics"] | self._distance(best)
        info = found.info | {"metrics": metrics, "identity": self.identity}
        save_weights(weights, KIND, found.tensors, found.settings, info)

    def _distance(self, weights: Path) -> dict[str, float]:
        """KID of the held-out pictures' translations; empty where no features for it are at hand, and for a style that
        is painted in other dyes than its pictures'."""
        if self.settings.random_dyes:
            return {}
        own = original_pictures([picture.path for picture in self._target], self.settings.image_size)
        distance, remark = kernel_distance(own, backbone=self.kid_weights)
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
