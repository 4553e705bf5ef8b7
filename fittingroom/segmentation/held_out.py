"""Held-out photos, to measure any segmenter on: the figures the gate asks for, photo by photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fittingroom.errors import InputError
from fittingroom.segmentation.compare import Compared, compare_photos
from fittingroom.segmentation.dataset import read_split
from fittingroom.segmentation.predict import Segmenter
from fittingroom.segmentation.scores import area_under, outcomes_of


@dataclass(frozen=True, eq=False)
class SegmenterMeasurement:
    """One segmenter on a list of photos: of each the scores of what was found, whether it was right (at IoU 0.5), how
    many garments there are, and the IoU of the largest (None without a garment).
    """

    scores: list[NDArray[np.float64]]
    right: list[NDArray[np.int8]]
    asked_for: list[int]
    largest_ious: list[float | None]

    @property
    def pictures(self) -> int:
        """How many there are."""
        return len(self.scores)

    def figures(self, picked: Sequence[int] | None = None) -> dict[str, float]:
        """``mask_ap50`` and ``largest_iou``, 0 to 1, as `evaluate_segmenter` gives them, over some photos or all."""
        chosen = range(self.pictures) if picked is None else picked
        ious = [iou for i in chosen if (iou := self.largest_ious[i]) is not None]
        scores = np.concatenate([self.scores[i] for i in chosen])
        right = np.concatenate([self.right[i] for i in chosen])[np.argsort(-scores, kind="stable")]
        return {
            "mask_ap50": area_under(right, sum(self.asked_for[i] for i in chosen)),
            "largest_iou": float(np.mean(ious)) if ious else 0.0,
        }


def measure_segmenter_on(
    dataset: Path, device: str, split: str = "validation"
) -> Callable[[Path], SegmenterMeasurement]:
    """Measures a weights file on a split of a dataset folder.

    What it returns raises as `fittingroom.segmentation.evaluate.evaluate_segmenter` does, and `InputError` where the
    split has no photo.
    """

    def measure(weights: Path) -> SegmenterMeasurement:
        photos = read_split(dataset, split)
        if not photos:
            raise InputError(f"{dataset}: expected photos to measure on in {split}, got none")
        segmenter = Segmenter.load(weights, device)
        compared = list(compare_photos(segmenter, photos))
        return measurement_of(compared, segmenter.settings.score_threshold)

    return measure


def measurement_of(compared: Sequence[Compared], threshold: float) -> SegmenterMeasurement:
    """Of photos that a segmenter was run over; ``threshold`` is the score from which a garment counts as served."""
    matches = [each.match() for each in compared]
    return SegmenterMeasurement(
        [match.scores for match in matches],
        [outcomes_of(match)[0] for match in matches],
        [match.asked_for for match in matches],
        [each.largest_iou(threshold) if each.categories.size else None for each in compared],
    )
