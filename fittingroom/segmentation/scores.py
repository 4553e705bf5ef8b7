"""Average precision and the IoU of the largest garment, without categories: what training chooses its best weights by.

Average precision is COCO's (101 points of recall, IoU 0.50 to 0.95), computed here in a few lines of numpy so that a
training needs no evaluation library; the tests hold it against pycocotools.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fittingroom import masks
from fittingroom.garment import Garment
from fittingroom.images import RGB

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class PhotoMatch:
    """One photo: scores (D,) of what was found, best first, and its mask IoU (D, G) with what is there."""

    scores: NDArray[np.float64]
    ious: NDArray[np.float64]


def iou_matrix(found: Sequence[masks.Mask], there: Sequence[masks.Mask]) -> NDArray[np.float64]:
    """IoU of each of D masks with each of G, all of one size: (D, G)."""
    if not found or not there:
        return np.zeros((len(found), len(there)))
    a = np.stack([mask.reshape(-1) for mask in found]).astype(np.float32)
    b = np.stack([mask.reshape(-1) for mask in there]).astype(np.float32)
    shared = (a @ b.T).astype(np.float64)
    union = a.sum(1, dtype=np.float64)[:, None] + b.sum(1, dtype=np.float64)[None] - shared
    return np.asarray(shared / np.maximum(union, 1))


def average_precision(photos: Sequence[PhotoMatch], threshold: float) -> float:
    """COCO's average precision at one IoU threshold, 0 to 1; 0 when there is nothing to find."""
    total = sum(photo.ious.shape[1] for photo in photos)
    scores = np.concatenate([photo.scores for photo in photos]) if photos else np.zeros(0)
    hits = np.concatenate([_hits(photo.ious, threshold) for photo in photos]) if photos else np.zeros(0, bool)
    if total == 0 or scores.size == 0:
        return 0.0
    hits = hits[np.argsort(-scores, kind="stable")]
    true = np.cumsum(hits)
    recall, precision = true / total, true / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.where(at < len(precision), precision[np.minimum(at, len(precision) - 1)], 0).mean())


def _hits(ious: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Each detection, best first, takes the garment it covers best of those still free."""
    free = np.ones(ious.shape[1], bool)
    hits = np.zeros(ious.shape[0], bool)
    for i, row in enumerate(ious):
        candidates = np.where(free & (row >= min(threshold, 1 - 1e-10)), row, -1)
        if candidates.size and candidates.max() >= 0:
            # The last of equals, as COCO's evaluation does.
            best = len(candidates) - 1 - int(np.argmax(candidates[::-1]))
            free[best], hits[i] = False, True
    return hits


def largest_garment_iou(found: Sequence[masks.Mask], there: Sequence[masks.Mask]) -> float | None:
    """IoU of the largest labelled garment with the mask found that covers it best; None when none is labelled."""
    if not there:
        return None
    largest = max(there, key=masks.area)
    return max((masks.iou(mask, largest) for mask in found), default=0.0)


def score_photos(
    examples: Iterable[tuple[RGB, list[masks.Mask]]], find: Callable[[RGB], list[Garment]], serving_threshold: float
) -> dict[str, float]:
    """``mask_ap``, ``mask_ap50`` over all that ``find`` gives and ``largest_iou`` over what would be served, 0 to 1.

    Args:
        examples: photos (H, W, 3) and the masks (H, W) of the garments on them.
        find: the segmenter, with a low score threshold.
        serving_threshold: scores from here on count as served.
    """
    matches, ious = [], []
    for image, there in examples:
        found = find(image)
        scores = np.array([garment.score for garment in found])
        matches.append(PhotoMatch(scores, iou_matrix([garment.mask for garment in found], there)))
        served = [garment.mask for garment in found if garment.score >= serving_threshold]
        iou = largest_garment_iou(served, there)
        if iou is not None:
            ious.append(iou)
    by_threshold = [average_precision(matches, threshold) for threshold in IOU_THRESHOLDS]
    return {
        "mask_ap": float(np.mean(by_threshold)),
        "mask_ap50": by_threshold[0],
        "largest_iou": float(np.mean(ious)) if ious else 0.0,
    }
