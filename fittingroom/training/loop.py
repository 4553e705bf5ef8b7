"""One training from its first step to the weights that can be served: a plain loop around Accelerate.

What is learnt is a `Trainer`'s. The loop's are the order of things and all that makes a training safe to kill: where it
stands, checkpoints, what is done when the loss is not finite, progress, patience, and whether a finished training
still stands.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor

from fittingroom.errors import TrainingDiverged
from fittingroom.training.accelerators import new_accelerator
from fittingroom.training.checkpoints import CheckpointFolder, Stateful
from fittingroom.training.device import choose_device, choose_precision
from fittingroom.training.progress import Listener, Progress, ProgressFile
from fittingroom.workspace import digest_file, write_json

CHECKPOINTS = 2
"""Raised when checkpoints of earlier versions cannot be gone on from."""
REPORT_SECONDS = 1.0

Batch = TypeVar("Batch")
Say = Callable[[str], None]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """How long a training is, and what is done when; intervals are in steps, and everything is done at the end too.

    Attributes:
        report_every: 0: about once a second.
        checkpoint_seconds: a checkpoint is also made when the last one is so old.
        max_minutes: the training ends after so many, whatever step it is at; 0: no limit.
        patience: it ends after so many validations without a better one; 0: it does not.
    """

    epochs: int
    steps_per_epoch: int
    validate_every: int
    checkpoint_every: int
    report_every: int = 0
    checkpoint_seconds: float = math.inf
    max_minutes: float = 0.0
    patience: int = 0

    @property
    def total_steps(self) -> int:
        """Of all epochs."""
        return self.epochs * self.steps_per_epoch

    @property
    def by_the_clock(self) -> bool:
        """Whether anything goes by seconds instead of steps."""
        return self.report_every == 0 or self.max_minutes > 0 or math.isfinite(self.checkpoint_seconds)


@dataclass(frozen=True)
class Moment:
    """When in a training a step is: ``step`` steps are done, in ``epoch`` (from 0).

    ``progress``, 0 to 1, is the part of the training that is over, by steps, or by time where that is further on.
    ``rate_factor`` is what the learning rate is to be multiplied by: less than 1 after a loss that was not finite.
    """

    step: int
    epoch: int
    progress: float
    rate_factor: float


class Trainer(Protocol[Batch]):
    """What one kind of model brings to `TrainingLoop`: networks, data, one step, figures, weights.

    Attributes:
        title: what is trained, for messages. record: name of the file that says which training a folder holds.
        identity: a digest of all that decides about the weights: code, settings, data, start. A training that has
            ended stands, and one that was interrupted goes on, as long as it is the same.
        precision: see `choose_precision`. score: the figure of `validate` that is to become as large as it can.
        setback_rate: ``rate_factor`` after a loss that was not finite.
    """

    title: str
    record: str
    identity: str
    seed: int
    precision: str
    score: str
    setback_rate: float

    def plan(self, say: Say) -> dict[str, Any]:
        """Called once where a training starts anew, before anything of another one is removed: refuse what cannot be
        trained on, and decide what must not be decided again after a kill; a JSON value, kept in ``record``.
        """

    def build(self, accelerator: Accelerator, plan: Mapping[str, Any]) -> Schedule:
        """Make networks, optimizers and data, hand them to ``accelerator``, and register what checkpoints hold."""

    @property
    def of_process(self) -> Mapping[str, Stateful]:
        """What differs between the processes of a training, for checkpoints (`CheckpointFolder`)."""

    def batches(self, epoch: int, done: int) -> Iterator[Batch]:
        """This process's batches of ``epoch`` after the first ``done``, by these two numbers and the seed alone."""

    def learning_rate(self, at: Moment) -> float:
        """The rate of the step at that moment, for the figures."""

    def step(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        """One step of the optimizers; the losses, detached, without waiting for the device."""

    def validate(self, at: Moment) -> dict[str, float]:
        """Figures of the model as it would be served now, ``score`` among them; empty where nothing is held out."""

    def save(self, path: Path, figures: Mapping[str, float], at: Moment) -> None:
        """Write the weights that would be served now, with the figures of their validation."""

    def export(self, best: Path, weights: Path, place: Place) -> None:
        """Make the best weights saved the ones to serve; ``weights`` is written last."""


@dataclass
class Place:
    """Where a training stands besides networks and random states; goes into every checkpoint."""

    step: int = 0
    seconds: float = 0.0
    rate_factor: float = 1.0
    best: float = -math.inf
    validations_since_best: int = 0
    stopped: bool = False

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        vars(self).update(state)


class _NotFinite(Exception):
    """A loss is not a number, or infinite."""


class TrainingLoop(Generic[Batch]):
    """Trains in a folder.

    Args:
        trainer: what is trained.
        out: the folder, made if missing: ``checkpoints/``, ``progress.jsonl``, the trainer's record, and at the end
            ``weights.safetensors``.
        listener: called with live progress, in the main process.
        device: auto, cpu, cuda or mps.
    """

    def __init__(
        self, trainer: Trainer[Batch], out: Path, listener: Listener | None = None, device: str = "auto"
    ) -> None:
        self.trainer, self.out, self.device = trainer, Path(out), choose_device(device)
        self.weights, self.best = self.out / "weights.safetensors", self.out / "best.safetensors"
        self.checkpoints = CheckpointFolder(self.out / "checkpoints")
        self.place = Place()
        self._listeners: list[Listener] = [] if listener is None else [listener]
        path = self.out / "progress.jsonl"
        if not (isinstance(listener, ProgressFile) and listener.path == path):  # else it is a job's, which lies here
            self._listeners.insert(0, ProgressFile(path))
        self._window: list[dict[str, Tensor]] = []

    def run(self) -> bool:
        """Train to the end from wherever the last checkpoint is; False where that was done before.

        Raises:
            TrainingDiverged: the loss was not finite, and again after going back with a lower rate.
        """
        if self.finished():
            return False
        self.prepare()
        while not self._over():
            try:
                self._train_one_epoch()
            except _NotFinite:
                self._go_back()
        self._finish()
        return True

    def _train_one_epoch(self) -> None:
        epoch, done = divmod(self.place.step, self.schedule.steps_per_epoch)
        for batch in self.trainer.batches(epoch, done):
            losses = self.trainer.step(batch, self.moment(epoch))
            self._after_step(losses, epoch)
            if self._over():
                break

    def _after_step(self, losses: dict[str, Tensor], epoch: int) -> None:
        """Count the step, and report, validate and make a checkpoint when it is time."""
        place, schedule = self.place, self.schedule
        place.step += 1
        self._window.append(losses)
        self._count_time()
        over = self._over()
        validates = over or place.step % schedule.validate_every == 0
        saves = over or place.step % schedule.checkpoint_every == 0
        saves = saves or place.seconds - self._saved_at >= schedule.checkpoint_seconds
        if schedule.report_every:
            reports = place.step % schedule.report_every == 0
        else:
            reports = place.seconds - self._reported_at >= REPORT_SECONDS
        if validates or saves or reports:  # seldom, for asking for numbers waits for the device
            figures = self._mean_losses()
            if validates:
                figures |= self._validate(epoch)
            self._report(figures, epoch)
        if saves:
            self._save_checkpoint()

    def finished(self) -> bool:
        """Whether this very training came to its end here before."""
        record = self._read_record()
        if record.get("identity", record.get("key")) != self.trainer.identity or not self.weights.is_file():
            return False  # ("key" in a segmenter's record of earlier versions)
        return record.get("weights_digest") in (None, digest_file(self.weights))

    def prepare(self) -> None:
        """Make everything ready for the next step, be it the first one or that after the last checkpoint."""
        trainer = self.trainer
        self.accelerator = new_accelerator(self.device, choose_precision(trainer.precision, self.device))
        self._start_anew_unless_interrupted()
        set_seed(trainer.seed)
        self.schedule = trainer.build(self.accelerator, self._read_record())
        self.checkpoints.of_process = trainer.of_process
        self.accelerator.register_for_checkpointing(self.place)
        set_seed(trainer.seed, device_specific=True)
        self._clock = time.monotonic()
        if self.checkpoints.restore(self.accelerator):
            self._say(f"resuming from step {self.place.step}")
            self._saved_at = self.place.seconds
        else:
            self._save_checkpoint()  # somewhere to go back to
        self._reported_at = self.place.seconds

    def _start_anew_unless_interrupted(self) -> None:
        record, identity = self._read_record(), self.trainer.identity
        same = (record.get("identity"), record.get("checkpoints")) == (identity, CHECKPOINTS)
        if same and self.checkpoints.latest() is not None:
            return
        if record and not same:
            self._say("settings or data differ from those of the training found here: starting anew")
        plan = self.trainer.plan(self._say)
        self.accelerator.wait_for_everyone()  # they all have looked
        if self.accelerator.is_main_process:
            for folder in (self.checkpoints.root, self.out / "samples"):
                shutil.rmtree(folder, ignore_errors=True)
            for file in (self.weights, self.best):
                file.unlink(missing_ok=True)
            self._write_record({"identity": identity, "checkpoints": CHECKPOINTS} | plan)
        self.accelerator.wait_for_everyone()

    def _finish(self) -> None:
        if self.accelerator.is_main_process:
            if not self.best.is_file():  # nothing to validate on
                self.trainer.save(self.best, {}, self.moment())
            self.trainer.export(self.best, self.weights, self.place)
            self._write_record(self._read_record() | {"weights_digest": digest_file(self.weights)})
            self.best.unlink()
            shutil.rmtree(self.checkpoints.root, ignore_errors=True)
        self.accelerator.wait_for_everyone()

    def moment(self, epoch: int | None = None) -> Moment:
        """The one after the last step; by default still of that step's epoch."""
        if epoch is None:
            epoch = max(self.place.step - 1, 0) // self.schedule.steps_per_epoch
        return Moment(self.place.step, epoch, self._progress(), self.place.rate_factor)

    def _progress(self) -> float:
        done = self.place.step / self.schedule.total_steps
        if self.schedule.max_minutes > 0:
            done = max(done, self.place.seconds / (60 * self.schedule.max_minutes))
        return min(done, 1.0)

    def _over(self) -> bool:
        return self._progress() >= 1.0 or self.place.stopped

    def _count_time(self) -> None:
        """Add up the seconds; where something goes by them, all processes agree on how many there were."""
        now = time.monotonic()
        spent, self._clock = now - self._clock, now
        if self.schedule.by_the_clock and self.accelerator.num_processes > 1:
            spent = float(self.accelerator.reduce(torch.tensor(spent, device=self.accelerator.device), "mean"))
        self.place.seconds += spent

    def _mean_losses(self) -> dict[str, float]:
        """Of the steps since the last time, over all processes."""
        names = list(self._window[0])
        losses = torch.stack([torch.stack([each[name].float() for name in names]) for each in self._window])
        self._window.clear()
        values: list[float] = self.accelerator.reduce(losses.mean(0), "mean").tolist()
        if not all(map(math.isfinite, values)):
            raise _NotFinite
        return dict(zip(names, values, strict=True))

    def _validate(self, epoch: int) -> dict[str, float]:
        """Figures of now; the best weights so far go to a file."""
        place = self.place
        figures: dict[str, float] = {}
        if self.accelerator.is_main_process:
            figures = self.trainer.validate(self.moment(epoch))
        if figures:
            place.validations_since_best += 1
            if figures[self.trainer.score] > place.best:
                place.best, place.validations_since_best = figures[self.trainer.score], 0
                self.trainer.save(self.best, figures, self.moment(epoch))
        if self.schedule.patience:
            waited = torch.tensor(place.validations_since_best if figures else 0, device=self.accelerator.device)
            place.stopped = int(self.accelerator.reduce(waited, "sum")) >= self.schedule.patience
        self._count_time()
        return figures

    def _save_checkpoint(self) -> None:
        self.checkpoints.save(self.accelerator, self.place.step)
        self._saved_at = self.place.seconds

    def _go_back(self) -> None:
        """To the last checkpoint with a lower rate, once."""
        place, failed, seconds, factor = self.place, self.place.step, self.place.seconds, self.place.rate_factor
        what = f"the loss stopped being finite near step {failed}"
        if factor < 1.0:
            raise TrainingDiverged(
                f"{self.trainer.title}: {what}, and {factor:g} x rate did not help: try a lower learning_rate"
            )
        step = self.checkpoints.restore(self.accelerator)
        place.rate_factor, place.seconds = self.trainer.setback_rate, seconds
        # Saved again, so that a kill after this does not give the training another try at the full rate.
        self._save_checkpoint()
        message = f"{what}; back to step {step} at {place.rate_factor:g} x rate"
        log.warning("%s: %s", self.trainer.title, message)
        self._say(message)

    def _report(self, figures: Mapping[str, float], epoch: int) -> None:
        self._reported_at = self.place.seconds
        at = self.moment(epoch)
        left = self.place.seconds * (1 - at.progress) / at.progress
        values = {name: value for name, value in figures.items() if math.isfinite(value)}
        values["learning_rate"] = self.trainer.learning_rate(at)
        total = max(round(at.step / at.progress), at.step)
        self._tell(Progress(at.step, total, epoch + 1, self.schedule.epochs, values, left))

    def _say(self, message: str) -> None:
        self._tell(Progress(self.place.step, 0, 0, 0, message=message))

    def _tell(self, progress: Progress) -> None:
        if self.accelerator.is_main_process:
            for listener in self._listeners:
                listener(progress)

    def _read_record(self) -> dict[str, Any]:
        try:
            value = json.loads((self.out / self.trainer.record).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def _write_record(self, record: dict[str, Any]) -> None:
        write_json(self.out / self.trainer.record, record)
