"""Average precision as COCO counts it, and the IoU of the largest garment: for training and for evaluation.

COCO's average precision (Lin et al., ECCV 2014: 101 points of recall, IoU 0.50 to 0.95) in a few lines of numpy. Each
photo's IoU is computed once for all thresholds, categories and difficulties, where the reference code computes it anew
for each, and a bare GPU image needs no evaluation library; the tests hold the figures against pycocotools.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fittingroom import masks
from fittingroom.boxes import Box, iou_xyxy
from fittingroom.garment import Garment
from fittingroom.images import RGB

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class PhotoMatch:
    """One photo: scores (D,) of what was found, best first, and its IoU (D, G) with what is there.

    ``ignored`` (G,) marks garments that are not asked for: finding one is neither right nor wrong.
    """

    scores: NDArray[np.float64]
    ious: NDArray[np.float64]
    ignored: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.ignored is None:
            object.__setattr__(self, "ignored", np.zeros(self.ious.shape[1], bool))

    @property
    def asked_for(self) -> int:
        """Garments that are to be found."""
        return int(np.count_nonzero(~np.asarray(self.ignored)))


def iou_matrix(found: Sequence[masks.Mask], there: Sequence[masks.Mask]) -> NDArray[np.float64]:
    """IoU of each of D masks with each of G, all of one size: (D, G)."""
    ious = np.zeros((len(found), len(there)))
    if not ious.size:
        return ious
    # Eight pixels a byte: counting bits is thirty times as quick as multiplying pixels.
    a, b = _packed(found), _packed(there)
    areas_a, areas_b = (np.bitwise_count(packed).sum(1, dtype=np.int64) for packed in (a, b))
    for j, garment in enumerate(b):
        shared = np.bitwise_count(a & garment).sum(1, dtype=np.int64)
        ious[:, j] = shared / np.maximum(areas_a + areas_b[j] - shared, 1)
    return ious


def _packed(several: Sequence[masks.Mask]) -> NDArray[np.uint64]:
    bits = np.packbits(np.stack([mask.reshape(-1) for mask in several]), axis=1)
    spare = -bits.shape[1] % 8
    return np.ascontiguousarray(np.pad(bits, ((0, 0), (0, spare)))).view(np.uint64)


def box_iou_matrix(found: Sequence[Box], there: Sequence[Box]) -> NDArray[np.float64]:
    """IoU of each of D boxes with each of G: (D, G)."""
    return np.array([[iou_xyxy(a, b) for b in there] for a in found]).reshape(len(found), len(there))


def average_precisions(photos: Sequence[PhotoMatch]) -> NDArray[np.float64]:
    """COCO's average precision, 0 to 1, at each of `IOU_THRESHOLDS`; 0 when there is nothing to find."""
    total = sum(photo.asked_for for photo in photos)
    none = np.zeros(len(IOU_THRESHOLDS))
    if not photos or total == 0:
        return none
    scores = np.concatenate([photo.scores for photo in photos])
    outcomes = np.concatenate([outcomes_of(photo) for photo in photos], axis=1)
    if scores.size == 0:
        return none
    order = np.argsort(-scores, kind="stable")
    return np.array([area_under(outcome[order], total) for outcome in outcomes])


RIGHT, WRONG, NEITHER = 1, 0, -1


def area_under(outcome: NDArray[np.int8], total: int) -> float:
    """The area under precision over recall of detections (D,), best first, with ``total`` garments to find, 0 to 1."""
    outcome = outcome[outcome != NEITHER]
    if not outcome.size or not total:
        return 0.0
    true = np.cumsum(outcome == RIGHT)
    recall, precision = true / total, true / np.arange(1, len(outcome) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.append(precision, 0.0)[at].mean())


def outcomes_of(photo: PhotoMatch) -> NDArray[np.int8]:
    """`RIGHT`, `WRONG` or `NEITHER`, (thresholds, D). Each detection, best first, takes the garment it covers best of
    those still free; one that is not asked for only when none other is left.
    """
    ious, ignored = photo.ious, np.asarray(photo.ignored)
    levels = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)[:, None]
    free = np.ones((len(levels), ious.shape[1]), bool)
    outcomes = np.full((len(levels), ious.shape[0]), WRONG, np.int8)
    if not ious.size:
        return outcomes
    rows = np.arange(len(levels))
    for i, row in enumerate(ious):
        reached = free & (row >= levels)
        wanted = reached & ~ignored
        reached = np.where(wanted.any(1, keepdims=True), wanted, reached)
        values = np.where(reached, row, -1.0)
        best = values.shape[1] - 1 - values[:, ::-1].argmax(1)  # the last of equals, as COCO's evaluation does
        taken = reached[rows, best]
        free[rows[taken], best[taken]] = False
        outcomes[taken, i] = np.where(ignored[best[taken]], NEITHER, RIGHT)
    return outcomes


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
    by_threshold = average_precisions(matches)
    return {
        "mask_ap": float(by_threshold.mean()),
        "mask_ap50": float(by_threshold[0]),
        "largest_iou": float(np.mean(ious)) if ious else 0.0,
    }
