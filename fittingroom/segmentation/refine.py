"""Masks drawn again by the photo's own edges: a mask head sees 28 x 28 cells, cloth ends at a pixel.

GrabCut (Rother, Kolmogorov, Blake: "GrabCut: interactive foreground extraction using iterated graph cuts", SIGGRAPH
2004) on a band along the network's outline: what is farther from it, what the network is sure of, and the sure inside
of other garments keep what the network says. Let loose on all of a garment, GrabCut takes a print or a dark stripe for
another thing and cuts it out.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom import masks
from fittingroom.images import RGB, resize

Probability = NDArray[np.float32]

SIDE = 256
"""The garment is looked at with its longer side at most this long, in pixels; more costs much and gains little."""
SURE = 0.8
"""Probability from which a pixel is surely garment, and below one minus which it surely is not."""
RIM = 0.015
"""Nothing nearer to the mask's edge than this share of `SIDE` is sure."""
BAND = 0.03
"""All that is farther from the mask's edge than this share of `SIDE` is: a cell of the mask head, nearly."""
MARGIN = 0.12
"""How far beyond the mask's box the photo is looked at, as a share of its longer side."""
OTHERS_LEAD = 0.3
"""By how much another garment must be more probable to be sure of its pixels."""
ITERATIONS = 1
"""The band is narrow: more change nothing."""
SMOOTHING = 0.7
"""Standard deviation of the blur before the mask is enlarged, in pixels of the small picture."""
LEAST_AGREEMENT = 0.5
"""Least IoU with the network's own mask; when the colours run away with the mask, the network's stays."""


def refine_mask(image: RGB, probability: Probability, others: Sequence[Probability] = ()) -> masks.Mask:
    """The garment's mask, bool (H, W), along the edges of ``image``.

    Args:
        image: the photo, (H, W, 3) uint8.
        probability: of each pixel to be on this garment, float (H, W), 0 to 1.
        others: the same of the other garments of the photo.
    """
    mask = np.asarray(probability >= 0.5)
    tight = masks.bounding_box(mask)
    if tight is None:
        return mask
    box = tight.expand(int(MARGIN * max(tight.width, tight.height)) + 2).clip(*mask.shape)
    scale = min(1.0, SIDE / max(box.width, box.height))
    size = (max(round(box.width * scale), 2), max(round(box.height * scale), 2))

    def small(probabilities: Probability) -> Probability:
        crop = probabilities[box.y1 : box.y2, box.x1 : box.x2]
        return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.float32)

    labels = _labels(small(probability), [small(other) for other in others])
    inside = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if inside.all() or not inside.any():
        return mask
    cv2.setRNGSeed(0)  # its colour models start from random clusters
    colours = resize(image[box.y1 : box.y2, box.x1 : box.x2], *size)
    cv2.grabCut(
        colours, labels, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), ITERATIONS, mode=cv2.GC_INIT_WITH_MASK
    )
    drawn = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
    drawn = np.asarray(cv2.GaussianBlur(drawn, (0, 0), SMOOTHING), np.float32)
    refined = np.zeros_like(mask)
    large = cv2.resize(drawn, (box.width, box.height), interpolation=cv2.INTER_CUBIC)
    refined[box.y1 : box.y2, box.x1 : box.x2] = large >= 0.5
    return refined if masks.iou(refined, mask) >= LEAST_AGREEMENT else mask


def _labels(probability: Probability, others: Sequence[Probability]) -> NDArray[np.uint8]:
    """GrabCut's four labels: surely or probably, on the garment or not."""
    inside = probability >= 0.5
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    rim, band = RIM * SIDE, BAND * SIDE
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 3)
    labels[(probability >= SURE) & (depth > rim) | (depth > band)] = cv2.GC_FGD
    labels[(probability < 1 - SURE) & (distance > rim) | (distance > band)] = cv2.GC_BGD
    for other in others:
        labels[(other >= SURE) & (other > probability + OTHERS_LEAD)] = cv2.GC_BGD
    return labels
