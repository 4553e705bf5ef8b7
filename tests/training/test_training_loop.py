"""The training loop with a trainer of another kind than ours plugged in: a line through points."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from fittingroom.errors import TrainingDiverged
from fittingroom.training import loop as loop_module
from fittingroom.training.averaging import moving_average
from fittingroom.training.loop import Moment, Place, Say, Schedule, Trainer, TrainingLoop
from fittingroom.training.progress import Progress, ProgressFile
from fittingroom.training.weights import read_weights, save_weights

Points = tuple[Tensor, Tensor]


class Killed(Exception):
    """Stands for SIGKILL: it leaves training at once, with no tidying."""


class LineTrainer:
    """Fits y = 3 x - 1. ``kill_at`` dies before the step after so many; ``poison`` are steps whose loss is no number,
    once each.
    """

    title, record, score, setback_rate = "line", "line.json", "closeness", 0.25
    seed, precision = 4, "no"

    def __init__(self, kill_at: int = -1, poison: tuple[int, ...] = (), **schedule: Any) -> None:
        self.identity = "a line"
        self.kill_at, self.poison = kill_at, list(poison)
        plan = {"epochs": 4, "steps_per_epoch": 5, "validate_every": 5, "checkpoint_every": 3, "report_every": 2}
        self.schedule = Schedule(**plan | schedule)
        self.planned = 0
        self.taken: list[Any] = []
        self.of_process: dict[str, Any] = {}
        self.closeness: Callable[[], float] = lambda: -abs(float(self.average.module.get_parameter("weight")) - 3)

    def plan(self, say: Say) -> dict[str, Any]:
        self.planned += 1
        say("a line it is")
        return {"slope": 3.0}

    def build(self, accelerator: Accelerator, plan: Mapping[str, Any]) -> Schedule:
        self.accelerator, self.slope = accelerator, plan["slope"]
        self.line = nn.Linear(1, 1)
        self.model, self.optimizer = accelerator.prepare(
            self.line, torch.optim.SGD(self.line.parameters(), lr=0.1, momentum=0.9)
        )
        self.average = moving_average(self.line, 0.9, lambda n: n / (n + 10))
        accelerator.register_for_checkpointing(self.average)
        return self.schedule

    def batches(self, epoch: int, done: int) -> Iterator[Points]:
        for number in range(done, self.schedule.steps_per_epoch):
            x = torch.rand(8, 1, generator=torch.Generator().manual_seed(1000 * epoch + number))
            yield x, self.slope * x - 1

    def learning_rate(self, at: Moment) -> float:
        return 0.1 * (1 - at.progress) * at.rate_factor

    def step(self, batch: Points, at: Moment) -> dict[str, Tensor]:
        if at.step == self.kill_at:
            raise Killed
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(at)
        x, y = batch
        noise = torch.randn(8, 1)  # of the process's random state, which a checkpoint brings back
        loss = ((self.model(x) - y - 0.01 * noise) ** 2).mean()
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        self.optimizer.step()
        self.average.update_parameters(self.line)
        self.taken.append((at.step, at.rate_factor))
        if at.step in self.poison:
            self.poison.remove(at.step)
            loss = loss * math.nan
        return {"squares": loss.detach()}

    def validate(self, at: Moment) -> dict[str, float]:  # noqa: ARG002
        return {"closeness": self.closeness()}

    def save(self, path: Path, figures: Mapping[str, float], at: Moment) -> None:
        info = {"figures": dict(figures), "step": at.step}
        save_weights(path, "line", self.average.module.state_dict(), {}, info)

    def export(self, best: Path, weights: Path, place: Place) -> None:
        found = read_weights(best, "line")
        save_weights(weights, "line", found.tensors, {}, found.info | {"steps": place.step})


def train(trainer: LineTrainer, out: Path, heard: list[Progress] | None = None) -> bool:
    plugged: Trainer[Points] = trainer
    return TrainingLoop[Points](plugged, out, None if heard is None else heard.append, "cpu").run()


def weights_in(out: Path) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    found = read_weights(out / "weights.safetensors", "line")
    return {name: tensor.tolist() for name, tensor in found.tensors.items()}, found.info


def test_it_learns_reports_and_leaves_weights_of_the_networks_own_names(tmp_path: Path) -> None:
    heard: list[Progress] = []
    trainer = LineTrainer(epochs=60)
    assert train(trainer, tmp_path, heard)
    tensors, info = weights_in(tmp_path)
    assert list(tensors) == ["bias", "weight"]
    assert tensors["weight"][0][0] == pytest.approx(3, abs=0.1)
    assert info["steps"] == 300
    assert heard[0].message == "a line it is"
    events = heard[1:]
    assert [event.step for event in events[:6]] == [2, 3, 4, 5, 6, 8], "every second step, checkpoints and validations"
    assert (events[-1].step, events[-1].total_steps, events[-1].epoch, events[-1].total_epochs) == (300, 300, 60, 60)
    assert events[-1].seconds_left == 0
    assert {"squares", "closeness", "learning_rate"} == set(events[-1].values)
    assert list(ProgressFile(tmp_path / "progress.jsonl").read()) == heard
    assert sorted(path.name for path in tmp_path.iterdir()) == ["line.json", "progress.jsonl", "weights.safetensors"]


@pytest.mark.parametrize("step", [1, 3, 7, 10, 19])
def test_killed_and_run_again_it_ends_with_the_weights_it_would_have_had(tmp_path: Path, step: int) -> None:
    train(LineTrainer(), tmp_path / "whole")
    with pytest.raises(Killed):
        train(LineTrainer(kill_at=step), tmp_path / "killed")
    torch.manual_seed(12345)  # whatever the process did in between
    heard: list[Progress] = []
    again = LineTrainer()
    train(again, tmp_path / "killed", heard)
    assert again.taken[0][0] == step // 3 * 3
    assert ([event.message for event in heard if event.message]) == (
        [f"resuming from step {step // 3 * 3}"] if step >= 3 else []
    )
    assert again.planned == 0, "what was decided stays"
    assert weights_in(tmp_path / "killed") == weights_in(tmp_path / "whole")


def test_what_has_ended_stands_and_another_training_starts_anew(tmp_path: Path) -> None:
    train(LineTrainer(), tmp_path)
    before = weights_in(tmp_path)
    again = LineTrainer()
    assert not train(again, tmp_path)
    assert again.planned == 0
    other = LineTrainer(epochs=2)
    other.identity = "a shorter line"
    heard: list[Progress] = []
    assert train(other, tmp_path, heard)
    assert "starting anew" in heard[0].message
    assert weights_in(tmp_path)[1]["steps"] == 10
    assert train(LineTrainer(), tmp_path)
    assert weights_in(tmp_path) == before
    (tmp_path / "weights.safetensors").write_bytes(b"damaged")
    assert train(LineTrainer(), tmp_path)
    assert weights_in(tmp_path) == before


def test_what_cannot_be_trained_on_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(LineTrainer(), tmp_path)
    before = weights_in(tmp_path)
    other = LineTrainer()
    other.identity = "no line"

    def refuse(_: Say) -> dict[str, Any]:
        raise ValueError("no points")

    monkeypatch.setattr(other, "plan", refuse)
    with pytest.raises(ValueError, match="no points"):
        train(other, tmp_path)
    assert weights_in(tmp_path) == before
    assert not train(LineTrainer(), tmp_path)


def test_checkpoints_of_an_earlier_version_are_not_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(loop_module, "CHECKPOINTS", 1)
        with pytest.raises(Killed):
            train(LineTrainer(kill_at=10), tmp_path / "killed")
    again = LineTrainer()
    train(again, tmp_path / "killed")
    assert (again.taken[0][0], again.planned) == (0, 1)
    train(LineTrainer(), tmp_path / "whole")
    assert weights_in(tmp_path / "killed") == weights_in(tmp_path / "whole")


def test_a_loss_that_is_no_number_goes_back_once_at_a_lower_rate_which_survives_a_kill(tmp_path: Path) -> None:
    heard: list[Progress] = []
    trainer = LineTrainer(poison=(7,))
    train(trainer, tmp_path / "once", heard)
    assert [event.message for event in heard if event.message][1:] == [
        "the loss stopped being finite near step 8; back to step 6 at 0.25 x rate"
    ]
    assert trainer.taken[6:] == [(6, 1.0), (7, 1.0), *((step, 0.25) for step in range(6, 20))]
    assert weights_in(tmp_path / "once")[1]["steps"] == 20
    killed = LineTrainer(poison=(7,))
    untouched = killed.step

    def die_after_going_back(batch: Points, at: Moment) -> dict[str, Tensor]:
        if at.rate_factor < 1:
            raise Killed
        return untouched(batch, at)

    killed.step = die_after_going_back  # type: ignore[method-assign]
    with pytest.raises(Killed):
        train(killed, tmp_path / "killed")
    again = LineTrainer()
    train(again, tmp_path / "killed")
    assert again.taken == [(step, 0.25) for step in range(6, 20)]
    assert weights_in(tmp_path / "killed") == weights_in(tmp_path / "once")


def test_a_second_loss_that_is_no_number_is_the_end(tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match=r"line: .* near step 12, and 0\.25 x rate did not help"):
        train(LineTrainer(poison=(7, 11)), tmp_path)
    assert not (tmp_path / "weights.safetensors").exists()


def test_it_ends_when_it_gets_no_better_or_its_time_is_over_with_the_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = iter([-3.0, -2.0, -4.0, -5.0])
    patient = LineTrainer(patience=2, epochs=1000)
    patient.closeness = lambda: next(figures)
    train(patient, tmp_path / "patience")
    _, info = weights_in(tmp_path / "patience")
    assert info == {"figures": {"closeness": -2.0}, "step": 10, "steps": 20}

    clock = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: 1.0 * next(clock))
    timed = LineTrainer(max_minutes=0.5, epochs=1000, checkpoint_every=10**6)
    heard: list[Progress] = []
    train(timed, tmp_path / "time", heard)
    assert 20 <= weights_in(tmp_path / "time")[1]["steps"] <= 30, "a second each, and one each validation"
    assert heard[-1].step == heard[-1].total_steps
    assert heard[-1].values["learning_rate"] == 0


def test_without_anything_to_validate_on_the_last_weights_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = LineTrainer()
    monkeypatch.setattr(trainer, "validate", lambda _: {})
    train(trainer, tmp_path)
    assert weights_in(tmp_path)[1] == {"figures": {}, "step": 20, "steps": 20}
    assert json.loads((tmp_path / "line.json").read_text())["slope"] == 3.0


def test_an_average_is_that_of_its_recurrence() -> None:
    network = nn.BatchNorm1d(1)
    average = moving_average(network, 0.5, lambda n: n / (n + 10), use_buffers=True)
    expected = {"weight": 1.0, "running_mean": 0.0}
    for n in range(1, 31):
        with torch.no_grad():
            network.weight.fill_(float(n))
            network.get_buffer("running_mean").fill_(-2.0 * n)
            network.get_buffer("num_batches_tracked").fill_(2**40 + n)
        average.update_parameters(network)
        decay = min(0.5, n / (n + 10))
        expected = {
            name: decay * value + (1 - decay) * (n if name == "weight" else -2 * n) for name, value in expected.items()
        }
    state = average.module.state_dict()
    assert state.keys() == network.state_dict().keys()
    for name, value in expected.items():
        assert float(state[name]) == pytest.approx(value, rel=1e-5)
    assert int(state["num_batches_tracked"]) == 2**40 + 30, "counters are no averages"
    assert not average.training
