"""Photo by photo, and the same figures as an evaluation's."""

from __future__ import annotations

from pathlib import Path

import pytest

from fittingroom.errors import InputError
from fittingroom.registry.trial import hold_trial
from fittingroom.segmentation.evaluate import evaluate_segmenter
from fittingroom.segmentation.held_out import measure_segmenter_on
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.segmentation.train import train_segmenter
from tests.segmentation.conftest import build_dataset


def test_a_segmenter_is_measured_as_an_evaluation_measures_it(tmp_path: Path, tiny_settings: SegmenterSettings) -> None:
    dataset = build_dataset(tmp_path / "dataset", validation=4)
    settings = tiny_settings.with_overrides({"score_threshold": 0.05})
    weights = train_segmenter(dataset, tmp_path / "out", settings, device="cpu").weights
    report = evaluate_segmenter(weights, dataset, device="cpu")
    measured = measure_segmenter_on(dataset, "cpu")(weights)
    assert measured.pictures == 4
    figures = measured.figures()
    assert figures["mask_ap50"] == pytest.approx(report.metrics()["mask_ap50"])
    assert figures["largest_iou"] == pytest.approx(report.metrics()["largest_iou"])
    twice = measured.figures([0, 0, 1, 1, 2, 2, 3, 3])
    assert twice["largest_iou"] == pytest.approx(figures["largest_iou"])
    one = measured.figures([2])
    assert 0 <= one["mask_ap50"] <= 1
    trial = hold_trial(measure_segmenter_on(dataset, "cpu"), weights, weights, "itself")
    assert trial.noise == {"mask_ap50": 0.0, "largest_iou": 0.0}


def test_a_split_without_a_photo_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    dataset = build_dataset(tmp_path / "dataset", validation=0)
    with pytest.raises(InputError, match="expected photos to measure on in validation, got none"):
        measure_segmenter_on(dataset, "cpu")(tmp_path / "no.safetensors")
