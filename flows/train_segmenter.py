"""Train the segmenter: dataset -> Mask R-CNN -> figures on held-out photos -> gate -> registry."""

from __future__ import annotations

from flows.parameters import TrainSegmenterParameters
from flows.stories import HOURS, story
from flows.trainings import SegmenterTraining
from tasks import training
from tasks.annotating import read_dataset
from tasks.caching import CachedResult, result_storage


@story(
    TrainSegmenterParameters,
    name="train-segmenter",
    run_name=lambda parameters: f"train segmenter on {parameters.dataset} ({parameters.preset})",
    timeout_seconds=48 * HOURS,
)
def train_segmenter(parameters: TrainSegmenterParameters) -> CachedResult:
    """Train, evaluate and register; it serves when its gate passes."""
    segmenter = SegmenterTraining(parameters)
    with result_storage(parameters.place):
        dataset = read_dataset(parameters.place, parameters.dataset)
        return segmenter.register(training.train_segmenter(**segmenter.arguments(dataset)), dataset)
