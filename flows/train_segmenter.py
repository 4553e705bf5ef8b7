"""Train the segmenter: dataset -> Mask R-CNN -> figures on held-out photos -> gate -> registry."""

from __future__ import annotations

from fittingroom.cores import threads_each
from flows.parameters import TrainSegmenterParameters
from flows.stories import story
from flows.timeouts import HOURS
from tasks import training
from tasks.annotating import read_dataset
from tasks.caching import Record, records_in
from tasks.contents import file_content
from tasks.registering import judge_segmenter, register_segmenter


@story(
    TrainSegmenterParameters,
    name="train-segmenter",
    run_name=lambda parameters: f"train segmenter on {parameters.dataset} ({parameters.preset})",
    timeout_seconds=48 * HOURS,
)
def train_segmenter(parameters: TrainSegmenterParameters) -> Record:
    """Train, evaluate and register; it serves when its gate passes."""
    place = parameters.place
    preset = training.chosen_preset(parameters.preset, parameters.device)
    settings = training.segmenter_settings(preset, parameters.settings, parameters.seed)
    backbone = parameters.backbone_weights
    with records_in(place):
        dataset = read_dataset(place, parameters.dataset)
        trained = training.train_segmenter(
            workspace=str(place.root),
            dataset=dataset,
            settings=settings,
            backbone=file_content(place, backbone) if backbone else None,
            device=parameters.device,
            threads=threads_each(1),
        )
        judged = judge_segmenter(place, trained, dataset, parameters.device)
        return register_segmenter(
            place, trained, judged, dataset, settings, preset, parameters.device, parameters.force
        )
