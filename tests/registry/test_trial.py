"""Trials: both sides on the same pictures, and the noise of their difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fittingroom.registry.trial import hold_trial, noise_of


@dataclass(frozen=True)
class Values:
    """A figure of each picture; the model's is their mean."""

    values: list[float]

    @property
    def pictures(self) -> int:
        """How many."""
        return len(self.values)

    def figures(self, picked: Sequence[int] | None = None) -> dict[str, float]:
        """Their mean."""
        return {"mean": float(np.mean([self.values[i] for i in (range(self.pictures) if picked is None else picked)]))}


def measured(**files: list[float]) -> Callable[[Path], Values]:
    return lambda weights: Values(files[weights.name])


def test_noise_is_that_of_paired_differences() -> None:
    chance = np.random.default_rng(3)
    hard = chance.normal(0, 10, 50)  # pictures differ far more than the models do
    gap = chance.normal(1.0, 0.5, 50)
    noise = noise_of(Values((hard + gap).tolist()), Values(hard.tolist()))["mean"]
    assert noise == pytest.approx(1.96 * np.std(gap) / math.sqrt(49), rel=0.15)


def test_noise_covers_the_truth_as_often_as_it_says() -> None:
    chance = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        gap = chance.normal(0.3, 1.0, 30)
        hits += abs(float(np.mean(gap)) - 0.3) <= noise_of(Values(gap.tolist()), Values([0.0] * 30))["mean"]
    assert 88 <= hits <= 100


def test_a_trial_has_both_sides() -> None:
    trial = hold_trial(measured(new=[1.0, 2.0], old=[3.0, 4.0]), Path("new"), Path("old"), "starter", True)
    assert (trial.challenger, trial.defended, trial.pictures) == ({"mean": 1.5}, {"mean": 3.5}, 2)
    assert trial.to_json()["noise"] == {"mean": 0.0}, "each picture got better by 2"
    assert hold_trial(measured(new=[1.0], old=[3.0]), Path("new"), Path("old"), "starter").noise == {"mean": math.inf}
    with pytest.raises(ValueError, match="the same pictures for both, got 1 and 2"):
        hold_trial(measured(new=[1.0], old=[3.0, 4.0]), Path("new"), Path("old"), "starter")
