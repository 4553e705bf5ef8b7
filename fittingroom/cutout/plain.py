"""Finds one garment before a plain or mildly textured background, with no model.

The border strip gives the background's colours (k-means in CIELAB, each cluster a Gaussian); what lies far from all of
them is the first guess that `colour_split` works out at a small size; a guided filter carries the mask to full size
along the picture's own edges. Every random choice is seeded: the same picture, the same mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.boxes import Box
from fittingroom.cutout.colour_split import (
    BACKGROUND,
    GARMENT,
    MAYBE_BACKGROUND,
    MAYBE_GARMENT,
    along_edges,
    split_by_colour,
)
from fittingroom.cutout.settings import CutoutSettings
from fittingroom.images import RGB, shorter_at_most
from fittingroom.masks import Mask, area, bounding_box, iou, solidity

_Floats = NDArray[np.float32]

_SEED = 7
_KMEANS_STOP = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
_COVARIANCE_FLOOR = (30.0, 8.0, 8.0)
"""Added to each cluster's variances in L*, a*, b*: shadows change lightness more than hue."""
_MINIMUM_CLUSTER = 0.06
"""Border colours rarer than this may be a sleeve that touches the border."""
_THRESHOLDS = (1.8, 4.5)
"""Otsu's threshold on the distance is kept within these."""
_CORE = 0.35
"""Half-width of the middle of the picture where weaker differences seed the garment."""

_REPAIR_BELOW = 0.85
_REPAIR_SECOND = 0.1
"""Masks less sure than this, or with a second part larger than this, are tried again with bridged seeds."""
_FAINT_NOISE = 1.5
_AMPLIFY = 3.0
_FULLER = 0.03
"""Backgrounds smoother than this (mean difference in L*a*b*) are searched for garments of their own colour."""
_HOLE_AREA = 0.004
_HOLE_DISTANCE = 2.2
_HOLE_OFF_CENTRE = 0.16
"""Holes at least this large (of the garment), this near the border's colours and this far from the middle (of the
garment's box) show the background."""


@dataclass(frozen=True, eq=False)
class PlainMask:
    """The garment's mask at the picture's size, how sure it is (0 to 1), and the area of the second largest thing in
    the picture as a share of the garment's."""

    mask: Mask
    confidence: float
    second_area: float


def find_on_plain(image: RGB, settings: CutoutSettings) -> PlainMask:
    """Mask of the largest thing that is not background in ``image`` (H, W, 3); the mask may be empty."""
    small = shorter_at_most(image, settings.working_side)
    smooth = np.asarray(cv2.bilateralFilter(small, 5, 25, 5), np.uint8)
    lab = np.asarray(cv2.cvtColor(smooth.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    strip = _strip(lab.shape[0], lab.shape[1], settings.border_share)
    distance = _background_distance(lab, strip, settings.border_colours)
    seeds = _seeds(distance, strip)
    best = _judged(lab, distance, split_by_colour(smooth, seeds, settings.rounds))
    if best.confidence < _REPAIR_BELOW or best.second_area > _REPAIR_SECOND:
        # It was lost, or torn: start from what stood out, or from the torn parts, bridged.
        torn = best.parts if best.mask.any() else seeds == MAYBE_GARMENT
        again = split_by_colour(smooth, _closed_seeds(torn, seeds), settings.rounds)
        repaired = _judged(lab, distance, again)
        if repaired.confidence > best.confidence or repaired.second_area < best.second_area:
            best = repaired
    if (faint := _amplified(lab, strip)) is not None:
        other = _find_faint(faint, strip, settings.rounds)
        # Stripes of the background's colour leave a sound but notched mask, so the fuller one wins, too.
        fuller = other.confidence >= _REPAIR_BELOW and solidity(other.mask) > solidity(best.mask) + _FULLER
        if fuller or (best.confidence < _REPAIR_BELOW and other.confidence > best.confidence):
            best = other
    if not best.mask.any():
        return PlainMask(np.zeros(image.shape[:2], bool), 0.0, 0.0)
    return PlainMask(_refine(image, best.mask), best.confidence, best.second_area)


@dataclass(frozen=True, eq=False)
class _Judged:
    """A mask at the small size, the parts it was chosen from, and how good it is."""

    mask: Mask
    parts: Mask
    confidence: float
    second_area: float


def _judged(lab: _Floats, distance: _Floats, coarse: Mask) -> _Judged:
    parts = _parts(coarse, distance)
    if not parts:
        return _Judged(np.zeros_like(coarse), coarse, 0.0, 0.0)
    second = area(parts[1]) / area(parts[0]) if len(parts) > 1 else 0.0
    return _Judged(parts[0], coarse, confidence(lab, parts[0], distance), second)


def _amplified(lab: _Floats, strip: Mask) -> _Floats | None:
    """``lab`` less a smooth (quadratic) background and times `_AMPLIFY`, or None where the background is not smooth.

    White on white differs by less than a background's shade changes across the picture.
    """
    height, width = strip.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    weights, *_ = np.linalg.lstsq(terms[strip], lab[strip], rcond=None)
    residual = lab - terms @ weights
    if float(np.abs(residual[strip]).mean()) > _FAINT_NOISE:
        return None
    return np.asarray(residual * _AMPLIFY, np.float32)


def _find_faint(faint: _Floats, strip: Mask, rounds: int) -> _Judged:
    distance = np.linalg.norm(faint, axis=2).astype(np.float32) / 5
    image = np.clip(faint * (1.5, 3, 3) + 128, 0, 255).astype(np.uint8)
    return _judged(faint, distance, split_by_colour(image, _seeds(distance, strip), rounds))


def _closed_seeds(coarse: Mask, seeds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Seeds that bridge what was torn apart: stripes and sleeves of the background's colour."""
    width = 2 * (min(coarse.shape) // 12) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    clean = cv2.morphologyEx(coarse.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    closed = _fill_holes(cv2.morphologyEx(clean, cv2.MORPH_CLOSE, kernel).astype(bool))
    core = cv2.erode(closed.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0).astype(bool)
    bridged = np.where(closed, MAYBE_GARMENT, MAYBE_BACKGROUND).astype(np.uint8)
    bridged[core] = GARMENT
    bridged[seeds == BACKGROUND] = BACKGROUND
    return bridged


def edge_support(image: RGB, mask: Mask, working_side: int) -> float:
    """The share, 0 to 1, of the outline of ``mask`` where the colours just inside and just outside differ visibly.

    Low where a mask ends in the middle of the garment.
    """
    small = shorter_at_most(image, working_side)
    shrunk = cv2.resize(mask.astype(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_AREA) > 0
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return _edge_support(np.asarray(lab, np.float32), shrunk)


def confidence(lab: _Floats, mask: Mask, distance: _Floats) -> float:
    """How sure a mask is, 0 to 1: the lower of two findings.

    Edge support: see `edge_support`.
    Agreement: overlap of the mask with what the border's colours alone say, holes filled.
    """
    wide = np.ones((7, 7), np.uint8)
    alone = _fill_holes(cv2.morphologyEx((distance > 2.5).astype(np.uint8), cv2.MORPH_CLOSE, wide).astype(bool))
    return min(_edge_support(lab, mask), 0.25 + iou(alone, mask))


def _edge_support(lab: _Floats, mask: Mask) -> float:
    """`edge_support` at the working size; visible are 5 in L*a*b*."""
    inner, outer = _rings(mask)
    kernel = (5, 5)
    inside = cv2.blur(lab * inner[..., None], kernel) / np.maximum(cv2.blur(inner, kernel), 1e-6)[..., None]
    outside = cv2.blur(lab * outer[..., None], kernel) / np.maximum(cv2.blur(outer, kernel), 1e-6)[..., None]
    eroded = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0).astype(bool)
    outline = mask & ~eroded & (cv2.blur(inner, kernel) > 0) & (cv2.blur(outer, kernel) > 0)
    if not outline.any():
        return 0.0
    step = np.linalg.norm(inside - outside, axis=2)[outline]
    return float((step > 5.0).mean())


def _rings(mask: Mask) -> tuple[_Floats, _Floats]:
    solid = mask.astype(np.uint8)
    kernel = np.ones((5, 5), np.uint8)
    inner = solid - cv2.erode(solid, kernel, borderValue=0)
    outer = cv2.dilate(solid, kernel) - solid
    return inner.astype(np.float32), outer.astype(np.float32)


def _strip(height: int, width: int, share: float) -> Mask:
    band = max(2, round(share * min(height, width)))
    strip = np.ones((height, width), bool)
    strip[band:-band, band:-band] = False
    return strip


def _background_distance(lab: _Floats, strip: Mask, colours: int) -> _Floats:
    """Mahalanobis distance of each pixel to the nearest border colour."""
    pixels = np.ascontiguousarray(lab[strip])
    cv2.setRNGSeed(_SEED)
    labels = np.zeros((len(pixels), 1), np.int32)
    cv2.kmeans(pixels, min(colours, len(pixels)), labels, _KMEANS_STOP, 1, cv2.KMEANS_PP_CENTERS)
    nearest = np.full(lab.shape[:2], np.inf, np.float32)
    flat = lab.reshape(-1, 3)
    for label in range(colours):
        members = pixels[labels[:, 0] == label]
        if len(members) < max(_MINIMUM_CLUSTER * len(pixels), 4):
            continue
        covariance = np.cov(members.T) + np.diag(_COVARIANCE_FLOOR)
        whiten = np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
        offset = (flat - members.mean(axis=0)) @ whiten
        nearest = np.minimum(nearest, np.einsum("ij,ij->i", offset, offset).reshape(nearest.shape))
    return np.sqrt(nearest)


def _seeds(distance: _Floats, strip: Mask) -> NDArray[np.uint8]:
    scaled = np.clip(distance * 16, 0, 255).astype(np.uint8)
    otsu, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    threshold = float(np.clip(otsu / 16, *_THRESHOLDS))
    height, width = distance.shape
    rows = np.abs(np.arange(height) / height - 0.5)[:, None]
    columns = np.abs(np.arange(width) / width - 0.5)[None]
    core = np.maximum(rows, columns) < _CORE / 2
    seeds = np.full(distance.shape, MAYBE_BACKGROUND, np.uint8)
    seeds[(distance > threshold) | (core & (distance > 0.6 * threshold))] = MAYBE_GARMENT
    seeds[strip] = np.where(distance[strip] < threshold, BACKGROUND, MAYBE_BACKGROUND)
    return seeds


def _parts(mask: Mask, distance: _Floats) -> list[Mask]:
    """Connected things, holes filled and thin threads (hangers, straps of shadow) opened away, largest first."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel).astype(bool)
    solid = _fill_holes(closed) & ~_see_through(closed, distance)
    opened = cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    order = sorted(range(1, count), key=lambda part: -int(stats[part, cv2.CC_STAT_AREA]))
    return [np.asarray(labels == part) for part in order[:2]]


def _see_through(mask: Mask, distance: _Floats) -> Mask:
    """Holes where the background shows, such as between sleeve and body; prints of the background's colour are not."""
    holes = _fill_holes(mask) & ~mask
    found = np.zeros_like(mask)
    if not holes.any():
        return found
    box = bounding_box(mask) or Box(0, 0, 1, 1)
    middle_x, middle_y, width, height = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2, box.width, box.height
    count, labels, stats, centres = cv2.connectedComponentsWithStats(holes.astype(np.uint8), connectivity=4)
    for part in range(1, count):
        if stats[part, cv2.CC_STAT_AREA] < _HOLE_AREA * np.count_nonzero(mask):
            continue
        off_centre = max(abs(centres[part][0] - middle_x) / width, abs(centres[part][1] - middle_y) / height)
        inside = np.asarray(labels == part)
        if off_centre > _HOLE_OFF_CENTRE and float(np.median(distance[inside])) < _HOLE_DISTANCE:
            found |= inside
    return found


def _fill_holes(mask: Mask) -> Mask:
    framed = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(framed, None, (0, 0), 2)
    return np.asarray(framed[1:-1, 1:-1] != 2)


def _refine(image: RGB, mask: Mask) -> Mask:
    """Carry a small mask to the picture's size along its edges."""
    height, width = image.shape[:2]
    soft = np.asarray(cv2.resize(mask.astype(np.float32), (width, height)), np.float32)
    guide = np.float32(1 / 255) * np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)
    refined = along_edges(soft, guide, max(round(1.5 * width / mask.shape[1]), 1), 1e-3)
    binary = np.asarray(cv2.medianBlur((refined > 0.5).astype(np.uint8), 5))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=8)
    if count > 2:
        binary = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    found = binary.astype(bool)
    coarse = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
    # Pinholes are closed; what was found to show the background stays open.
    return np.asarray(found | (_fill_holes(found) & _fill_holes(coarse) & coarse))
