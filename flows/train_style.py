"""Train one style: its prepared pictures and other garments -> CycleGAN -> figures -> gate -> registry."""

from __future__ import annotations

from flows.parameters import TrainStyleParameters
from flows.stories import HOURS, story
from flows.trainings import StyleTraining
from tasks import training
from tasks.caching import CachedResult, result_storage


@story(
    TrainStyleParameters,
    name="train-style",
    run_name=lambda parameters: f"train style {parameters.style} ({parameters.preset})",
    timeout_seconds=72 * HOURS,
)
def train_style(parameters: TrainStyleParameters) -> CachedResult:
    """Train, evaluate and register; it serves when its gate passes."""
    style = StyleTraining(parameters)
    with result_storage(parameters.place):
        return style.register(training.train_style(**style.arguments()))
